"""The one place that prepares a task model: tokenizer, config, pad id, label names and head together."""

import json
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import torch
from accelerate import PartialState
from peft import PeftModel, TaskType, get_peft_model
from safetensors import safe_open
from transformers import (
    AutoConfig,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BitsAndBytesConfig,
    PretrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    set_seed,
)
from trl import ModelConfig, get_peft_config, get_quantization_config

from blindspots.artifacts.inputs import Source, fetch
from blindspots.config.errors import UserError
from blindspots.data.nli import LABELS


@dataclass
class Classifier:
    """A task model that is ready: logits of a row depend on that row alone."""

    model: PreTrainedModel | PeftModel
    tokenizer: PreTrainedTokenizerBase

    @property
    def label2id(self) -> dict[str, int]:
        """Column of the logits by label name."""
        return {name: index for index, name in self.model.config.id2label.items()}


def load_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """Load a tokenizer, right-padded, with a pad token (its own, else unk, else eos).

    The prompt ends in fixed words, so no row ends in the pad token and pooling never mistakes one for the other.
    Raises UserError where there is none of the three.
    """
    tokenizer = AutoTokenizer.from_pretrained(folder, padding_side="right")
    if tokenizer.pad_token_id is None:
        token = tokenizer.unk_token or tokenizer.eos_token
        if token is None:
            raise UserError(f"The tokenizer of {folder} has no pad, unk or eos token; add a pad token and save it.")
        tokenizer.pad_token = token
    return tokenizer


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
            bitsandbytes.
    """
    model_config = model_config or ModelConfig(dtype="auto")
    if (source.path / "adapter_config.json").is_file():
        return _load_adapter(source, model_config)
    config = AutoConfig.from_pretrained(source.path)
    tokenizer = load_tokenizer(source.path)
    has_head = is_classifier(config)
    if has_head:
        check_labels(config, source.name)
    set_seed(seed)
    model = _load_model(source.path, model_config, tokenizer, **({} if has_head else _label_config()))
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
    with safe_open(source.path / "adapter_model.safetensors", "pt") as tensors:
        if not any("score" in name.split(".") for name in tensors.keys()):  # noqa: SIM118
            raise UserError(f"{source.name} is an adapter without a classification head (score); it is no task model.")
    adapter = json.loads((source.path / "adapter_config.json").read_text())
    base = fetch(adapter["base_model_name_or_path"], "model", adapter.get("revision"))
    tokenizer = load_tokenizer(source.path)
    model = _load_model(base.path, model_config, tokenizer, **_label_config())
    model = PeftModel.from_pretrained(model, source.path, is_trainable=True)
    check_labels(model.config, source.name)
    return Classifier(model, tokenizer)


def quantization(model_config: ModelConfig) -> BitsAndBytesConfig | None:
    """The quantisation that a recipe asks for. Raises UserError where this machine can't do it."""
    config = get_quantization_config(model_config)
    if config is not None and not (torch.cuda.is_available() and find_spec("bitsandbytes")):
        raise UserError("load_in_4bit and load_in_8bit need a CUDA device and bitsandbytes; leave them out here.")
    return config


def _load_model(
    folder: Path, model_config: ModelConfig, tokenizer: PreTrainedTokenizerBase, **config
) -> PreTrainedModel:
    quantized = quantization(model_config)
    model = AutoModelForSequenceClassification.from_pretrained(
        folder,
        dtype=model_config.dtype,
        attn_implementation=model_config.attn_implementation,
        quantization_config=quantized,
        device_map={"": PartialState().local_process_index} if quantized is not None else None,
        **config,
    )
    embeddings = model.get_input_embeddings().num_embeddings
    if len(tokenizer) > embeddings:
        raise UserError(f"{folder}: the tokenizer has {len(tokenizer)} tokens, the model {embeddings} embeddings.")
    model.config.pad_token_id = model.config.get_text_config().pad_token_id = tokenizer.pad_token_id
    return model


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
