"""Optimiser, schedule and checkpointing of a recipe, tried before a model is loaded: they can be made as it asks."""

import copy
from typing import Any

import torch
from torch.utils.checkpoint import checkpoint
from transformers import Trainer, TrainingArguments
from transformers.optimization import get_scheduler

from blindspots.config.errors import RecipeError
from blindspots.config.processes import engine

ADAM_KEYS = ("adam_beta1", "adam_beta2", "adam_epsilon")
# What Trainer and TRL take of the settings of checkpointing for themselves.
CHECKPOINTING = {"every_n_layers", "offload", "selective"}
# Optimisers that can't be made without a model. They are not tried.
FROM_MODEL = ("galore_", "apollo_", "lomo", "adalomo")


def check_optimisation(training: TrainingArguments, keys: dict[str, Any]) -> None:
    """Try the schedule, the checkpointing of activations and the settings of the optimiser.

    Args:
        training: arguments made from `keys`.
        keys: training keys of the recipe.

    Raises RecipeError where one can't be made here, where the engine has no such optimiser, and where the optimiser
    ignores a key that was given for it.
    """
    _make_schedule(training)
    if training.activation_checkpointing:
        _try_checkpointing(training.activation_checkpointing_kwargs or {})
    if training.optim.startswith(FROM_MODEL):
        return
    made = _optimiser(training)
    if engine() == "FSDP2" and made[0].__module__.startswith("bitsandbytes"):
        raise RecipeError(f"optim: {training.optim.value} can't update weights that FSDP2 spreads; set adamw_torch.")
    for name in ADAM_KEYS:
        if keys.get(name, _default(name)) != _default(name):
            _require_used(training, made, name, name, [keys[name] / 2])
    given = training.optim_args.replace(" ", "").split(",") if training.optim_args else []
    for argument in given:
        rest = [other for other in given if other != argument]
        others = [",".join(rest), ",".join([*rest, argument.split("=")[0] + "=0.123"])]
        _require_used(training, made, "optim_args", f"optim_args: {argument}", others)


def _default(name: str) -> Any:
    return TrainingArguments.__dataclass_fields__[name].default


def _make_schedule(training: TrainingArguments) -> None:
    """Raise RecipeError for arguments that the schedule does not take, or lacks, and for a negative learning rate."""
    name = training.lr_scheduler_type.value
    try:
        optimiser = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=training.learning_rate)
        get_scheduler(name, optimiser, 1, 10, training.lr_scheduler_kwargs)
    except (TypeError, ValueError) as error:
        raise RecipeError(f"lr_scheduler_type: {name} can't be made from these keys: {error}") from None


def _try_checkpointing(settings: dict[str, Any]) -> None:
    """Raise RecipeError for settings that checkpointing does not take."""
    own = {name: value for name, value in settings.items() if name not in CHECKPOINTING}
    try:
        checkpoint(torch.neg, torch.zeros(1, requires_grad=True), **{"use_reentrant": False, **own})
    except (TypeError, ValueError) as error:
        raise RecipeError(f"activation_checkpointing_kwargs {settings} can't be used: {error}") from None
    if not isinstance(settings.get("every_n_layers", 1), int) or settings.get("every_n_layers", 1) < 1:
        raise RecipeError("activation_checkpointing_kwargs: every_n_layers is a whole number above 0.")


def _optimiser(training: TrainingArguments) -> tuple[Any, dict[str, Any]]:
    """Class and settings. Raises RecipeError where the package is not here, or the arguments are none it takes."""
    try:
        made, settings = Trainer.get_optimizer_cls_and_kwargs(training)
        made([torch.zeros(1, requires_grad=True)], **settings)
        return made, settings
    except (ImportError, ValueError, TypeError, AttributeError) as error:
        raise RecipeError(f"optim: {training.optim.value} can't be made here: {error}") from None


def _require_used(
    training: TrainingArguments, made: tuple[Any, dict[str, Any]], name: str, what: str, others: list[Any]
) -> None:
    """Raise RecipeError where the settings are the same with each of the other values of a key."""
    for other in others:
        changed = copy.copy(training)
        setattr(changed, name, other)
        try:
            if Trainer.get_optimizer_cls_and_kwargs(changed) != made:
                return
        except (ValueError, AttributeError):  # the value was read, and is none that the optimiser takes
            return
    raise RecipeError(f"{what} has no effect on optim: {training.optim.value}; leave it out.")
