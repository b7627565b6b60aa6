"""The one place that prepares a task model: tokenizer, config, pad id, label names and head together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from peft import PeftModel, TaskType, set_peft_model_state_dict
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
from blindspots.artifacts.names import LINEAGE
from blindspots.config.errors import RecipeError, UserError
from blindspots.config.recipes import AUTO
from blindspots.data.nli import LABELS, TASK_TEMPLATE
from blindspots.modeling.adapters import add_adapter
from blindspots.modeling.architectures import (
    check_architecture,
    head_names,
    is_encoder,
    require_pad_token,
    takes_token_types,
)
from blindspots.modeling.heads import head_dtype, head_labels, is_classifier
from blindspots.modeling.input_form import input_template
from blindspots.modeling.loading import (
    ADAPTER,
    adapter_base,
    adapter_tensors,
    load_adapter,
    load_config,
    load_tokenizer,
    load_with_head,
    require_embeddings,
    require_model_files,
)
from blindspots.modeling.precision import base_model, held_in, keep_in_float32, quantized_loading, tuned_precision

# What PEFT puts before the names of a model's tensors.
PEFT_PREFIX = "base_model.model."


@dataclass
class Classifier:
    """A task model that is ready: logits of a row depend on that row alone.

    Attributes:
        name: for messages.
        template: the text that a row is written in; None for a pair that the tokenizer joins.
        labels: of the task, in the order in which logits are shown.
    """

    model: PreTrainedModel | PeftModel
    tokenizer: PreTrainedTokenizerBase
    name: str = "The model"
    template: str | None = TASK_TEMPLATE
    labels: Sequence[str] = LABELS

    @property
    def is_encoder(self) -> bool:
        """Whether it reads a row in both directions."""
        return is_encoder(base_model(self.model).config)

    @property
    def label2id(self) -> dict[str, int]:
        """Column of the logits by label name."""
        return {name: index for index, name in self.model.config.id2label.items()}

    @property
    def precision(self) -> dict[str, str]:
        """In what it predicts: how the base weights are held, and what they and the head are computed in."""
        return held_in(self.model) | {"head": str(head_dtype(self.model)).removeprefix("torch.")}


def require_task_model(source: Source) -> None:
    """Raise UserError for what has no head, and for an adapter from elsewhere, which does not hold its label names."""
    if not (source.path / "adapter_config.json").is_file():
        if not is_classifier(load_config(source)):
            raise UserError(f"{source.name} has no classification head: it is not a task model. Tune it first.")
    elif not (source.path / LINEAGE).is_file():
        raise UserError(
            f"{source.name} is an adapter without a lineage, so the order of its labels is not known; merge it into "
            "its base and set id2label in config.json."
        )


def load_classifier(
    source: Source,
    model_config: ModelConfig | None = None,
    seed: int = 0,
    float32: bool = False,
    template: str | None = AUTO,
    label_names: Mapping[str, str] | None = None,
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
        template: see `input_form.input_template`.
        label_names: see `head_labels`.
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
        return _load_adapter(source, model_config, float32, template, label_names, labels)
    require_model_files(source)
    config = load_config(source)
    tokenizer = load_tokenizer(source)
    set_seed(seed)
    model, drawn = _load_model(source, config, model_config, tokenizer, label_names, labels)
    template = input_template(source, template, is_encoder(model.config), has_head=not drawn)
    peft_config = get_peft_config(model_config)
    if peft_config is not None:
        peft_config.task_type = TaskType.SEQ_CLS  # TRL's default is CAUSAL_LM, which PEFT takes for a generator
        set_seed(seed)
        model = add_adapter(name_the_base(model, source), peft_config, source.name, revision=source.revision)
    if float32:
        keep_in_float32(model, source.name)
    return Classifier(model, tokenizer, source.name, template, labels)


def load_for_evaluation(
    source: Source,
    precision: ModelConfig | None = None,
    template: str | None = AUTO,
    label_names: Mapping[str, str] | None = None,
    labels: Sequence[str] = LABELS,
) -> Classifier:
    """A task model for prediction: base weights as they were when it was tuned, the head in float32.

    Args:
        source: as for `load_classifier`, which also says what is raised, and what the last three are.
        precision: of the base weights; by default that in the lineage of an adapter, else that of the checkpoint.
    """
    is_adapter = (source.path / "adapter_config.json").is_file()
    precision = precision or tuned_precision(source)
    classifier = load_classifier(source, precision, 0, is_adapter, template, label_names, labels)
    whole = base_model(classifier.model)
    for name in head_names(whole):
        whole.get_submodule(name).float()
    return classifier


def name_the_base(model: PreTrainedModel, source: Source) -> PreTrainedModel:
    """The model by the name that an adapter of it is to record: the recipe's, not the folder of the download cache."""
    model.name_or_path = source.name
    return model


def _label_config(names: Mapping[int, str]) -> dict:
    return {"id2label": dict(names), "label2id": {name: index for index, name in names.items()}}


def _load_adapter(
    source: Source,
    model_config: ModelConfig,
    float32: bool,
    template: str | None,
    label_names: Mapping[str, str] | None,
    labels: Sequence[str],
) -> Classifier:
    if model_config.use_peft:
        raise RecipeError(f"{source.name} is an adapter and is tuned further as it is; leave out use_peft and lora_*.")
    tokenizer = load_tokenizer(source)
    base = adapter_base(source)
    require_model_files(base)
    model, drawn = _load_model(base, load_config(base), model_config, tokenizer, label_names, labels)
    held = {name.removeprefix(PEFT_PREFIX) for name in adapter_tensors(source)}
    heads = {name.split(".")[-1] for name in head_names(model)}
    if drawn - held or not any(heads & set(name.split(".")) for name in held):
        raise UserError(
            f"{source.name} is an adapter without a classification head ({', '.join(sorted(heads))}): not a task "
            "model."
        )
    template = input_template(source, template, is_encoder(model.config), has_head=True)
    model = load_adapter(model, source, is_trainable=True)
    if float32:
        keep_in_float32(model, source.name)
        # PEFT has rounded the head to the dtype of the base.
        set_peft_model_state_dict(model, load_file(source.path / ADAPTER))
    return Classifier(model, tokenizer, source.name, template, labels)


def _load_model(
    source: Source,
    config: PretrainedConfig,
    model_config: ModelConfig,
    tokenizer: PreTrainedTokenizerBase,
    label_names: Mapping[str, str] | None,
    labels: Sequence[str],
) -> tuple[PreTrainedModel, set[str]]:
    """A classifier with our label names, and the tensors of its head that were drawn; none where it had one."""
    has_head = is_classifier(config)
    if label_names and not has_head:
        raise RecipeError(f"label_names: {source.name} has no head of its own whose labels could be named.")
    names = head_labels(config, source.name, label_names, labels) if has_head else dict(enumerate(labels))
    if is_encoder(config):
        _require_float32(model_config, source.name)
    model, drawn = load_with_head(
        AutoModelForSequenceClassification,
        source,
        new_head=not has_head,
        dtype=model_config.dtype,
        attn_implementation=model_config.attn_implementation,
        **quantized_loading(model_config),
        **_label_config(names),
    )
    check_architecture(model, source.name)
    if not (has_head or drawn):
        raise UserError(
            f"{source.name} holds a classification head, and its config.json names none in architectures; name the "
            "model's class there, and its labels in id2label."
        )
    require_embeddings(model, tokenizer, f"{source.name} with the tokenizer of {tokenizer.name_or_path}")
    if is_encoder(model.config):
        _prepare_encoder(model, tokenizer, source.name)
    model.config.pad_token_id = model.config.get_text_config().pad_token_id = tokenizer.pad_token_id
    return model, drawn


def _require_float32(model_config: ModelConfig, where: str) -> None:
    """Raise RecipeError where an encoder is to be held in less than float32; most are small."""
    if model_config.dtype not in ("auto", "float32") or model_config.load_in_4bit or model_config.load_in_8bit:
        raise RecipeError(
            f"{where} is an encoder, whose weights are held in float32: set dtype: float32 without load_in_4bit and "
            "load_in_8bit; bf16: true computes in bfloat16."
        )


def _prepare_encoder(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, where: str) -> None:
    """Weights of any checkpoint in float32, and of the tokenizer's output what the model takes."""
    if model.dtype != torch.float32:
        model.float()
    require_pad_token(model, tokenizer.pad_token_id, where)
    if not takes_token_types(model):
        tokenizer.model_input_names = [name for name in tokenizer.model_input_names if name != "token_type_ids"]
