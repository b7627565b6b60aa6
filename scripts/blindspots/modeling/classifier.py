"""The one place that prepares a task model: tokenizer, config, pad id, label names and head together."""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import torch
from accelerate import PartialState
from peft import PeftModel, TaskType, get_peft_model
from safetensors import safe_open
from transformers import (
    AutoModelForSequenceClassification,
    BitsAndBytesConfig,
    PretrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    set_seed,
)
from trl import ModelConfig, get_peft_config, get_quantization_config

from blindspots.artifacts.inputs import Source
from blindspots.config.errors import RecipeError, UserError
from blindspots.data.nli import LABELS
from blindspots.modeling.loading import (
    adapter_base,
    adapter_tensors,
    load_adapter,
    load_config,
    load_model,
    load_tokenizer,
    require_model_files,
)

# Name of the head of transformers' causal classifiers.
HEAD = "score"


@dataclass
class Classifier:
    """A task model that is ready: logits of a row depend on that row alone."""

    model: PreTrainedModel | PeftModel
    tokenizer: PreTrainedTokenizerBase

    @property
    def label2id(self) -> dict[str, int]:
        """Column of the logits by label name."""
        return {name: index for index, name in self.model.config.id2label.items()}


def is_classifier(config: PretrainedConfig) -> bool:
    """Whether the checkpoint already carries a classification head."""
    return any(name.endswith("ForSequenceClassification") for name in config.architectures or [])


def check_labels(config: PretrainedConfig, where: str) -> None:
    """Refuse a head whose outputs are not named after the three NLI labels. Raises UserError."""
    names = list(config.id2label.values())
    if len(names) != len(LABELS):
        raise UserError(f"{where} has {len(names)} labels ({', '.join(names)}); NLI has {', '.join(LABELS)}.")
    if set(names) != set(LABELS):
        raise UserError(
            f"{where} names its labels {', '.join(names)}; set id2label in its config.json to {', '.join(LABELS)} "
            "in the order of its head."
        )


def load_classifier(source: Source, model_config: ModelConfig | None = None, seed: int = 0) -> Classifier:
    """Prepare a task model from a base model, from a task model, or from an adapter of one.

    A base model gets a new head, drawn from `seed`; a task model keeps its head; an adapter is continued, not
    stacked on (the authors' code: T^D continues the same adapter and head that T was trained with).

    Args:
        source: folder of the checkpoint.
        model_config: dtype, attention, LoRA and quantisation; by default those of the checkpoint.
        seed: of a new head and of a new adapter.

    Raises:
        UserError: a head with other labels, an adapter without a head, no pad token, 4-bit without a CUDA device and
            bitsandbytes, a checkpoint whose tensors are not those of the model (see `loading`), and an architecture
            that can't be evaluated.
        RecipeError: a new adapter for a checkpoint that is one.
    """
    model_config = model_config or ModelConfig(dtype="auto")
    if (source.path / "adapter_config.json").is_file():
        return _load_adapter(source, model_config)
    require_model_files(source)
    config = load_config(source)
    tokenizer = load_tokenizer(source)
    has_head = is_classifier(config)
    if has_head:
        check_labels(config, source.name)
    set_seed(seed)
    model = _load_model(source, model_config, tokenizer, new_head=not has_head)
    peft_config = get_peft_config(model_config)
    if peft_config is not None:
        peft_config.task_type = TaskType.SEQ_CLS  # TRL's default is CAUSAL_LM, which PEFT takes for a generator
        set_seed(seed)
        model = get_peft_model(name_the_base(model, source), peft_config, revision=source.revision)
    return Classifier(model, tokenizer)


def name_the_base(model: PreTrainedModel, source: Source) -> PreTrainedModel:
    """The model by the name that an adapter of it is to record: the recipe's, not the folder of the download cache."""
    model.name_or_path = source.name
    return model


def _label_config() -> dict:
    return {"id2label": dict(enumerate(LABELS)), "label2id": {name: index for index, name in enumerate(LABELS)}}


def _load_adapter(source: Source, model_config: ModelConfig) -> Classifier:
    if model_config.use_peft:
        raise RecipeError(f"{source.name} is an adapter and is tuned further as it is; leave out use_peft and lora_*.")
    tokenizer = load_tokenizer(source)
    model = _load_model(adapter_base(source), model_config, tokenizer, new_head=True)
    if not any(HEAD in name.split(".") for name in adapter_tensors(source)):
        raise UserError(f"{source.name} is an adapter without a classification head ({HEAD}): not a task model.")
    model = load_adapter(model, source, is_trainable=True)
    check_labels(model.config, source.name)
    return Classifier(model, tokenizer)


def quantization(model_config: ModelConfig) -> BitsAndBytesConfig | None:
    """The quantisation that a recipe asks for. Raises UserError where this machine can't do it."""
    config = get_quantization_config(model_config)
    if config is not None and not (torch.cuda.is_available() and find_spec("bitsandbytes")):
        raise UserError("load_in_4bit and load_in_8bit need a CUDA device and bitsandbytes; leave them out here.")
    return config


def _load_model(
    source: Source, model_config: ModelConfig, tokenizer: PreTrainedTokenizerBase, new_head: bool
) -> PreTrainedModel:
    quantized = quantization(model_config)
    model = load_model(
        AutoModelForSequenceClassification,
        source,
        new_head=(f"{HEAD}.weight",) if new_head else (),
        dtype=model_config.dtype,
        attn_implementation=model_config.attn_implementation,
        quantization_config=quantized,
        device_map={"": PartialState().local_process_index} if quantized is not None else None,
        **(_label_config() if new_head else {}),
    )
    check_architecture(model, source)
    embeddings = model.get_input_embeddings().num_embeddings
    if len(tokenizer) > embeddings:
        raise UserError(
            f"{source.name}: the tokenizer has {len(tokenizer)} tokens, the model {embeddings} embeddings."
        )
    model.config.pad_token_id = model.config.get_text_config().pad_token_id = tokenizer.pad_token_id
    return model


def check_architecture(model: PreTrainedModel, source: Source) -> None:
    """Raise UserError for a model that can't be evaluated: logits are computed causally, with a cache and a head."""
    text = model.config.get_text_config()
    if not hasattr(model, HEAD) or not getattr(text, "max_position_embeddings", None):
        raise UserError(
            f"{source.name} is a {type(model).__name__}; only causal models with a head named {HEAD} and a fixed "
            "number of positions, such as Llama, are trained and evaluated."
        )


def check_saved_weights(folder: Path) -> None:
    """Reopen what was saved. Raises UserError for a missing or an empty tensor (ZeRO-3 has written such)."""
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise UserError(f"{folder} holds no safetensors file; the model was not saved.")
    for file in files:
        with safe_open(file, "pt") as tensors:
            for name in tensors.keys():  # noqa: SIM118
                if 0 in tensors.get_slice(name).get_shape():
                    raise UserError(f"{file}: tensor {name} was saved empty; nothing of this run is published.")
