"""The precision of a model: the base that an adapter is tuned and evaluated on, and trained weights in float32."""

from importlib.util import find_spec
from typing import Any

import torch
from accelerate import PartialState
from peft import PeftModel
from transformers import PreTrainedModel
from transformers.integrations import is_deepspeed_zero3_enabled
from trl import ModelConfig, get_quantization_config

from blindspots.artifacts.inputs import Source
from blindspots.artifacts.names import LINEAGE, read_lineage
from blindspots.config.errors import RecipeError, UserError

# The keys of ModelConfig that decide the numbers that a base's weights are, and their values.
PRECISION_KEYS = {
    "dtype": ("auto", "float32", "bfloat16", "float16"),
    "load_in_4bit": (False, True),
    "load_in_8bit": (False, True),
    "bnb_4bit_quant_type": ("nf4", "fp4"),
    "use_bnb_nested_quant": (False, True),
}


def quantized_loading(model_config: ModelConfig) -> dict[str, Any]:
    """The arguments of `from_pretrained` that quantise a model as a recipe asks; none where it does not ask.

    Raises UserError where bitsandbytes is not installed.
    """
    config = get_quantization_config(model_config)
    if config is None:
        return {}
    if find_spec("bitsandbytes") is None:
        raise UserError(
            "load_in_4bit and load_in_8bit need bitsandbytes; pip install bitsandbytes, or leave them out."
        )
    # ZeRO-3 places the weights itself.
    return {
        "quantization_config": config,
        "device_map": None if is_deepspeed_zero3_enabled() else {"": PartialState().device},
    }


def base_precision(model_config: ModelConfig) -> ModelConfig:
    """The same precision of the base weights, and nothing else of the config."""
    return ModelConfig(**{name: getattr(model_config, name) for name in PRECISION_KEYS})


def tuned_precision(source: Source) -> ModelConfig:
    """The precision of the base weights that an adapter was tuned on, by the recipe in its lineage.

    That of the checkpoint (`dtype: auto`) for a whole model and where no lineage tells. Raises UserError for a lineage
    with another value than those of PRECISION_KEYS.
    """
    file = source.path / LINEAGE
    if not (source.path / "adapter_config.json").is_file() or not file.is_file():
        return ModelConfig(dtype="auto")
    recipe = read_lineage(source.path).get("recipe") or {}
    given = {name: recipe[name] for name in PRECISION_KEYS if name in recipe}
    for name, value in given.items():
        if not any(type(value) is type(known) and value == known for known in PRECISION_KEYS[name]):
            raise UserError(f"{file} can't be used: its recipe has {name}: {value!r}.")
    if given.get("load_in_4bit") and (given.get("load_in_8bit") or given.get("dtype") == "auto"):
        raise UserError(f"{file} can't be used: its recipe has load_in_4bit with load_in_8bit or dtype: auto.")
    return ModelConfig(**given)


def require_precision_of_start(start: Source, model_config: ModelConfig) -> None:
    """Raise RecipeError where an adapter is to be tuned further on a base of another quantisation than before."""
    if not (start.path / "adapter_config.json").is_file() or not (start.path / LINEAGE).is_file():
        return
    before, now = _quantization(tuned_precision(start)), _quantization(model_config)
    if before != now:
        raise RecipeError(
            f"{start.name} was tuned on a base in {before} and would be tuned further on one in {now}; set "
            "load_in_4bit, load_in_8bit, bnb_4bit_quant_type and use_bnb_nested_quant as they were."
        )


def _quantization(model_config: ModelConfig) -> str:
    if model_config.load_in_4bit:
        return model_config.bnb_4bit_quant_type + (", double" if model_config.use_bnb_nested_quant else "")
    return "int8" if model_config.load_in_8bit else "no quantisation"


def keep_in_float32(model: PreTrainedModel | PeftModel, where: str) -> None:
    """Make all weights that are trained float32, in place; in half precision most of a small update is rounded away.

    Raises RecipeError for a model all of whose weights are trained and that was loaded in half precision: it would
    take twice the memory that its dtype promises.
    """
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if not isinstance(model, PeftModel) and any(parameter.dtype != torch.float32 for parameter in trained):
        raise RecipeError(
            f"All weights of {where} are trained and kept in float32: set dtype: float32, and bf16: true to compute "
            "in bfloat16."
        )
    for parameter in trained:
        parameter.data = parameter.data.float()


def base_model(model: PreTrainedModel | PeftModel) -> PreTrainedModel:
    """The model itself, without the adapter around it."""
    return model.get_base_model() if isinstance(model, PeftModel) else model


def held_in(model: PreTrainedModel | PeftModel) -> dict[str, str]:
    """How the base weights of a loaded model are held (`base`), and what they are computed in (`compute`)."""
    base = base_model(model)
    quantized = getattr(base.config, "quantization_config", None)
    if quantized is None:
        held = compute = _name(base.dtype)
    elif quantized.load_in_4bit:
        held, compute = quantized.bnb_4bit_quant_type, _name(quantized.bnb_4bit_compute_dtype)
        held += ", double" if quantized.bnb_4bit_use_double_quant else ""
    else:
        held, compute = "int8", _name(base.dtype)
    return {"base": held, "compute": compute}


def trained_dtype(model: torch.nn.Module) -> str:
    """The precision that trained weights are kept in."""
    return ", ".join(sorted({_name(p.dtype) for p in model.parameters() if p.requires_grad}))


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
