"""The new LoRA adapter that a recipe asks for: its keys are checked against the model that gets it."""

import copy
import re
from collections.abc import Collection
from typing import Any

import torch
from peft import LoraConfig, PeftModel, TaskType, get_peft_model
from transformers import PreTrainedModel
from trl import ModelConfig

from blindspots.config.errors import RecipeError, one_line
from blindspots.modeling.architectures import LORA_TARGETS, head_names, is_encoder

# PEFT's own word for every linear layer.
ALL_LINEAR = "all-linear"
# Heads that PEFT itself trains and saves in a classifier.
PEFT_ADDS = {"classifier", "score"}


def read_model_config(keys: dict[str, Any]) -> ModelConfig:
    """TRL's config of a recipe's keys. Raises RecipeError for keys that exclude one another.

    TRL takes a list of one name for a pattern, which no module's whole name matches; it stays a list here.
    """
    try:
        config = ModelConfig(**keys)
    except ValueError as error:
        raise RecipeError(f"The keys of the model contradict each other: {one_line(error)}.") from None
    if isinstance(config.lora_target_modules, str) and re.fullmatch(r"[\w.]+", config.lora_target_modules):
        config.lora_target_modules = [config.lora_target_modules]
    return config


def add_adapter(model: PreTrainedModel, config: LoraConfig, where: str, **arguments: Any) -> PeftModel:
    """Put a new adapter on a model; of an encoder's head it trains and saves every part.

    Args:
        where: name of the model, for messages.
        arguments: further ones of `get_peft_model`.

    Raises RecipeError for a key that names what the model does not have, and where PEFT can't make the adapter.
    """
    require_modules(model, config, where)
    config = copy.deepcopy(config)  # lists are added to, which are those of the recipe
    if config.task_type == TaskType.SEQ_CLS and is_encoder(model.config):
        config.modules_to_save = sorted({*(config.modules_to_save or ()), *head_names(model)} - PEFT_ADDS)
        if config.target_modules is None and config.target_parameters is None:
            config.target_modules = LORA_TARGETS.get(model.config.model_type)
    try:
        return get_peft_model(model, config, **arguments)
    except (ValueError, TypeError) as error:
        raise RecipeError(f"The keys lora_* do not fit {where}: {one_line(error)}") from None


def require_modules(model: torch.nn.Module, config: LoraConfig, where: str) -> None:
    """Raise RecipeError where a key of the adapter names a module or a parameter that the model does not have."""
    modules = [name for name, _ in model.named_modules()]
    parameters = [name for name, _ in model.named_parameters()]
    _require_named("lora_target_modules", config.target_modules, modules, model, where)
    _require_named("lora_modules_to_save", config.modules_to_save, modules, model, where)
    _require_named("lora_target_parameters", config.target_parameters, parameters, model, where)


def _require_named(
    key: str, wanted: str | Collection[str] | None, there: list[str], model: torch.nn.Module, where: str
) -> None:
    if isinstance(wanted, str):
        _require_match(key, wanted, there, where)
        return
    for name in wanted or ():
        if not any(one == name or one.endswith(f".{name}") for one in there):
            layers = {one.rsplit(".")[-1] for one, part in model.named_modules() if isinstance(part, torch.nn.Linear)}
            raise RecipeError(f"{key}: {where} has no {name!r}; its linear layers are {', '.join(sorted(layers))}.")


def _require_match(key: str, pattern: str, there: list[str], where: str) -> None:
    try:
        found = pattern == ALL_LINEAR or any(re.fullmatch(pattern, name) for name in there)
    except re.error as error:
        raise RecipeError(f"{key}: {pattern!r} is neither a name nor a pattern: {error}.") from None
    if not found:
        raise RecipeError(f"{key}: the whole name of no module of {where} matches {pattern!r}.")
