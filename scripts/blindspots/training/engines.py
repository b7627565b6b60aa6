"""What accelerate's engines need, so that a run by several processes ends where one process would end.

Whatever spreads the model, trained weights are float32, `bf16: true` computes in bfloat16 by torch's autocast, and
gradients are added up in float32. The engines' own bf16 modes would do each of these otherwise.
"""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import torch
from accelerate.utils import disable_fsdp_ram_efficient_loading
from peft import PeftModel
from transformers import PreTrainedModel, TrainingArguments
from transformers.integrations.deepspeed import set_hf_deepspeed_config, unset_hf_deepspeed_config
from trl import ModelConfig

from blindspots.config.errors import RecipeError
from blindspots.config.processes import engine
from blindspots.config.recipes import TrainingDataKeys
from blindspots.modeling.precision import base_model, trained_dtype

SHARDED = ("ZeRO-3", "FSDP2")  # engines whose processes hold parts of the weights
DEEPSPEED = ("ZeRO-1", "ZeRO-2", "ZeRO-3")


def let_recipe_decide_precision() -> None:
    """Set accelerate's own mixed_precision aside: it would train in bfloat16 what a recipe trains in float32."""
    os.environ["ACCELERATE_MIXED_PRECISION"] = "no"


def prepare_engine(training: TrainingArguments, recipe: TrainingDataKeys, model_config: ModelConfig) -> None:
    """Make the engine that `accelerate launch` names ready for a model, before it is loaded.

    Raises RecipeError for keys that the engine can't follow.
    """
    _require_possible(training, recipe, model_config)
    if training.deepspeed_plugin is not None:
        _prepare_deepspeed(training, model_config)
    if engine() == "FSDP2":
        training.mixed_precision = "no"  # see EngineAutocast
        if model_config.load_in_4bit:
            # All processes but the first would wait for weights, which accelerate sends for no quantised model.
            disable_fsdp_ram_efficient_loading()


def _require_possible(training: TrainingArguments, recipe: TrainingDataKeys, model_config: ModelConfig) -> None:
    name = engine()
    if name == "FSDP1":
        raise RecipeError("FSDP1 is not supported; set fsdp_version: 2 in the accelerate config.")
    if training.fp16 and name in (*DEEPSPEED, "FSDP2"):
        raise RecipeError(f"fp16 is not supported under {name}; set bf16: true.")
    if recipe.as_published and name in (*DEEPSPEED, "FSDP2"):
        raise RecipeError(
            f"as_published has no effect under {name}, which keeps trained weights in float32; leave it out, or take "
            "one process or multi_gpu.yaml."
        )
    if name == "FSDP2" and model_config.use_peft and "lm_head" in (model_config.lora_modules_to_save or ()):
        raise RecipeError(
            "lora_modules_to_save: lm_head can't be trained under FSDP2, where its gradients would not be added up "
            "(trl 1.16 computes the loss without calling it); leave it out, or take zero3.yaml."
        )
    if model_config.load_in_8bit and name in SHARDED:
        raise RecipeError(
            f"load_in_8bit can't be spread by {name}; set load_in_4bit, or take multi_gpu.yaml or zero2.yaml."
        )


def require_autocast(model: PreTrainedModel | PeftModel, training: TrainingArguments) -> None:
    """Raise RecipeError for trained weights in float32 on a base in half precision, computed without autocast."""
    held = str(base_model(model).dtype).removeprefix("torch.")
    if held != "float32" and trained_dtype(model) == "float32" and autocast_dtype(training) is None:
        raise RecipeError(
            f"The base weights are {held} and trained weights float32; set bf16: true or dtype: float32."
        )


def require_spreadable(model: PreTrainedModel | PeftModel) -> None:
    """Raise RecipeError where FSDP2 would spread the embeddings of a model twice, as accelerate 1.15 does BERT's."""
    whole = base_model(model)
    units = [part for part in whole.modules() if type(part).__name__ in (whole._no_split_modules or ())]
    embeddings = whole.get_input_embeddings()
    if engine() == "FSDP2" and any(part is embeddings for unit in units for part in unit.modules()):
        raise RecipeError(
            f"A {type(whole).__name__} can't be trained under FSDP2, which would spread its embeddings twice; take "
            "multi_gpu.yaml, zero2.yaml or zero3.yaml."
        )


def _prepare_deepspeed(training: TrainingArguments, model_config: ModelConfig) -> None:
    """Have DeepSpeed compute in bfloat16 by autocast, and ZeRO-3 load frozen weights in their own dtype."""
    plugin = training.deepspeed_plugin
    config: dict[str, Any] = plugin.deepspeed_config
    config["bf16"] = {"enabled": model_config.dtype == "bfloat16"}
    plugin.set_deepspeed_weakref()  # ZeRO-3 loads weights in the dtype that the config names at this moment
    config["bf16"] = {"enabled": False}
    if training.bf16:
        # Modules named here would send their weights and add up their gradients in bfloat16.
        config["torch_autocast"] = {"enabled": True, "dtype": "bfloat16", "lower_precision_safe_modules": []}
        training.bf16, training.mixed_precision = False, "no"


def autocast_dtype(training: TrainingArguments) -> str | None:
    """What matrix products are computed in; None where in the dtype of the weights."""
    if training.fp16:
        return "float16"
    by_deepspeed = training.deepspeed_plugin and "torch_autocast" in training.deepspeed_plugin.deepspeed_config
    return "bfloat16" if training.bf16 or by_deepspeed else None


@contextmanager
def whole_models(training: TrainingArguments) -> Iterator[None]:
    """Within it, models are built whole; ZeRO-3 would spread them, and can't build one without weights."""
    unset_hf_deepspeed_config()
    try:
        yield
    finally:
        if training.deepspeed_plugin is not None:
            set_hf_deepspeed_config(training.deepspeed_plugin.dschf)


class EngineAutocast:
    """A Trainer that computes in bfloat16 under FSDP2 too, where accelerate starts no autocast."""

    def autocast_smart_context_manager(self, cache_enabled: bool | None = True) -> AbstractContextManager:
        if engine() == "FSDP2" and self.args.bf16:
            # A cache would hold the weights of all layers, which FSDP2 frees one by one.
            return torch.autocast(self.args.device.type, torch.bfloat16, cache_enabled=False)
        return super().autocast_smart_context_manager(cache_enabled)
