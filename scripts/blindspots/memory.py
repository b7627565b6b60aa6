"""A training run that ran out of memory: told in words, or taken up again with smaller batches of the same sum."""

import dataclasses
import os
from collections.abc import Callable
from typing import Any

from accelerate.utils.memory import clear_device_cache, should_reduce_batch_size
from transformers import Trainer, TrainingArguments

from blindspots.errors import UserError
from blindspots.recipes import TrainingDataKeys

Keys = dict[str, Any]


class DeviceFullError(Exception):
    """The device ran out of memory in training."""


def train(trainer: Trainer, checkpoint: str | None) -> None:
    """Train from a checkpoint on, None from the start. Raises DeviceFullError where the device runs out of memory."""
    try:
        trainer.train(resume_from_checkpoint=checkpoint)
    except RuntimeError as error:
        if should_reduce_batch_size(error):
            raise DeviceFullError(_first_line(error)) from error
        raise


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]


def within_memory(recipe: TrainingDataKeys, keys: Keys, run: Callable[[TrainingDataKeys, Keys], None]) -> None:
    """Call run(recipe, keys); where its `train` runs out of memory and `smaller_batches` allows it, again.

    The next run goes on from the last checkpoint, else from the start, with a smaller batch and as many more
    accumulation steps: the global batch stays, and the learning rate that goes with it (issue "Fast and wide").

    Args:
        keys: training keys of the recipe, those of TrainingArguments.

    Raises UserError where the recipe does not allow it, where several processes run (the others would wait for the
    one that failed), where a batch of one row does not fit, and where something else than training needs too much.
    """
    while True:
        try:
            return run(recipe, keys)
        except DeviceFullError as error:
            reason = str(error)
        except RuntimeError as error:
            if not should_reduce_batch_size(error):
                raise
            raise UserError(
                f"The device ran out of memory while it loaded or evaluated ({_first_line(error)}). Lower "
                "eval_batch_tokens, or take a larger device."
            ) from error
        recipe, keys = _smaller(recipe, keys, reason)
        clear_device_cache(garbage_collection=True)


def _smaller(recipe: TrainingDataKeys, keys: Keys, reason: str) -> tuple[TrainingDataKeys, Keys]:
    """The batch divided, and the accumulation multiplied, by the smallest factor that the batch has."""
    by_tokens = recipe.tokens_per_batch is not None
    batch = recipe.tokens_per_batch if by_tokens else _given(keys, "per_device_train_batch_size")
    steps = _given(keys, "gradient_accumulation_steps")
    told = f"The device ran out of memory with a batch of {batch} {'tokens' if by_tokens else 'rows'} ({reason})"
    if not recipe.smaller_batches:
        raise UserError(
            f"{told}. Lower it and raise gradient_accumulation_steps, or set smaller_batches: true to have that done."
        )
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise UserError(f"{told}, and smaller_batches works with one process only. Lower the batch yourself.")
    if batch == 1:
        raise UserError(f"{told}. It can't be smaller; set activation_checkpointing or take a larger device.")
    factor = next(factor for factor in range(2, batch + 1) if batch % factor == 0)
    print(f"{told}: going on with {batch // factor} and {steps * factor} accumulation step(s).")
    keys = keys | {"gradient_accumulation_steps": steps * factor}
    if by_tokens:
        return dataclasses.replace(recipe, tokens_per_batch=batch // factor), keys
    return recipe, keys | {"per_device_train_batch_size": batch // factor}


def _given(keys: Keys, name: str) -> int:
    return keys.get(name, TrainingArguments.__dataclass_fields__[name].default)
