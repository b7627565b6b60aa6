"""The one place that prepares a task model: tokenizer, config, pad id, label names and head together."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from peft import PeftModel, TaskType, set_peft_model_state_dict
from safetensors import safe_open
from safetensors.torch import load_file
from transformers import (
    AutoModelForSequenceClassification,
    PretrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    set_seed,
)
from trl import ModelConfig, get_peft_config

from blindspots.artifacts.inputs import Source
from blindspots.config.errors import RecipeError, UserError
from blindspots.data.nli import LABELS
from blindspots.modeling.adapters import add_adapter
from blindspots.modeling.loading import (
    ADAPTER,
    adapter_base,
    adapter_tensors,
    load_adapter,
    load_config,
    load_model,
    load_tokenizer,
    require_model_files,
)
from blindspots.modeling.precision import base_model, held_in, keep_in_float32, quantized_loading, tuned_precision

# Name of the head of transformers' causal classifiers.
HEAD = "score"


@dataclass
class Classifier:
    """A task model that is ready: logits of a row depend on that row alone; `name` is for messages.

    labels: of the task, in the order in which logits are shown.
    """

    model: PreTrainedModel | PeftModel
    tokenizer: PreTrainedTokenizerBase
    name: str = "The model"
    labels: Sequence[str] = LABELS

    @property
    def label2id(self) -> dict[str, int]:
        """Column of the logits by label name."""
        return {name: index for index, name in self.model.config.id2label.items()}

    @property
    def precision(self) -> dict[str, str]:
        """In what it predicts: how the base weights are held, and what they and the head are computed in."""
        return held_in(self.model) | {"head": str(head_dtype(self.model)).removeprefix("torch.")}


def head_dtype(model: PreTrainedModel | PeftModel) -> torch.dtype:
    """The dtype that the head computes in; of a head that an adapter replaces, the replacement's."""
    return [*base_model(model).get_submodule(HEAD).parameters()][-1].dtype


def is_classifier(config: PretrainedConfig) -> bool:
    """Whether the checkpoint already carries a classification head."""
    return any(name.endswith("ForSequenceClassification") for name in config.architectures or [])


def check_labels(config: PretrainedConfig, where: str, labels: Sequence[str] = LABELS) -> None:
    """Refuse a head whose outputs are not named after the task's labels. Raises UserError."""
    names = [str(name) for name in config.id2label.values()]
    task = "NLI" if labels is LABELS else "the task"
    if len(names) != len(labels):
        raise UserError(f"{where} has {len(names)} labels ({', '.join(names)}); {task} has {', '.join(labels)}.")
    if set(names) != set(labels):
        raise UserError(
            f"{where} names its labels {', '.join(names)}; set id2label in its config.json to {', '.join(labels)} "
            "in the order of its head."
        )


def load_classifier(
    source: Source,
    model_config: ModelConfig | None = None,
    seed: int = 0,
    float32: bool = False,
    labels: Sequence[str] = LABELS,
) -> Classifier:
    """Prepare a task model from a base model, from a task model, or from an adapter of one.

    A base model gets a new head, drawn from `seed`; a task model keeps its head; an adapter is continued, not
    stacked on (the authors' code: T^D continues the same adapter and head that T was trained with).

    Args:
        source: folder of the checkpoint.
        model_config: dtype, attention, LoRA and quantisation; by default those of the checkpoint.
        seed: of a new head and of a new adapter.
        float32: keep what is to be trained in float32; an adapter and its head are then exactly as saved.
        labels: of the task; one for a reward.

    Raises:
        UserError: a head with other labels, an adapter without a head, no pad token, 4-bit without bitsandbytes, a
            checkpoint whose tensors are not those of the model (see `loading`), and an architecture that can't be
            evaluated.
        RecipeError: a new adapter for a checkpoint that is one or that it does not fit, and `float32` for a whole
            model in half precision.
    """
    model_config = model_config or ModelConfig(dtype="auto")
    if (source.path / "adapter_config.json").is_file():
        return _load_adapter(source, model_config, float32, labels)
    require_model_files(source)
    config = load_config(source)
    tokenizer = load_tokenizer(source)
    has_head = is_classifier(config)
    if has_head:
        check_labels(config, source.name, labels)
    set_seed(seed)
    model = _load_model(source, model_config, tokenizer, labels, new_head=not has_head)
    peft_config = get_peft_config(model_config)
    if peft_config is not None:
        peft_config.task_type = TaskType.SEQ_CLS  # TRL's default is CAUSAL_LM, which PEFT takes for a generator
        set_seed(seed)
        model = add_adapter(name_the_base(model, source), peft_config, source.name, revision=source.revision)
    if float32:
        keep_in_float32(model, source.name)
    return Classifier(model, tokenizer, source.name, labels)


def load_for_evaluation(
    source: Source, precision: ModelConfig | None = None, labels: Sequence[str] = LABELS
) -> Classifier:
    """A task model for prediction: base weights as they were when it was tuned, the head in float32.

    Args:
        source: as for `load_classifier`, which also says what is raised.
        precision: of the base weights; by default that in the lineage of an adapter, else that of the checkpoint.
        labels: of the task.
    """
    is_adapter = (source.path / "adapter_config.json").is_file()
    classifier = load_classifier(source, precision or tuned_precision(source), float32=is_adapter, labels=labels)
    base_model(classifier.model).get_submodule(HEAD).float()
    return classifier


def name_the_base(model: PreTrainedModel, source: Source) -> PreTrainedModel:
    """The model by the name that an adapter of it is to record: the recipe's, not the folder of the download cache."""
    model.name_or_path = source.name
    return model


def _label_config(labels: Sequence[str]) -> dict:
    return {"id2label": dict(enumerate(labels)), "label2id": {name: index for index, name in enumerate(labels)}}


def _load_adapter(source: Source, model_config: ModelConfig, float32: bool, labels: Sequence[str]) -> Classifier:
    if model_config.use_peft:
        raise RecipeError(f"{source.name} is an adapter and is tuned further as it is; leave out use_peft and lora_*.")
    tokenizer = load_tokenizer(source)
    model = _load_model(adapter_base(source), model_config, tokenizer, labels, new_head=True)
    if not any(HEAD in name.split(".") for name in adapter_tensors(source)):
        raise UserError(f"{source.name} is an adapter without a classification head ({HEAD}): not a task model.")
    model = load_adapter(model, source, is_trainable=True)
    if float32:
        keep_in_float32(model, source.name)
        # PEFT has rounded the head to the dtype of the base.
        set_peft_model_state_dict(model, load_file(source.path / ADAPTER))
    check_labels(model.config, source.name, labels)
    return Classifier(model, tokenizer, source.name, labels)


def _load_model(
    source: Source,
    model_config: ModelConfig,
    tokenizer: PreTrainedTokenizerBase,
    labels: Sequence[str],
    new_head: bool,
) -> PreTrainedModel:
    model = load_model(
        AutoModelForSequenceClassification,
        source,
        new_head=(f"{HEAD}.weight",) if new_head else (),
        dtype=model_config.dtype,
        attn_implementation=model_config.attn_implementation,
        **quantized_loading(model_config),
        **(_label_config(labels) if new_head else {}),
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
