"""A device that runs out of memory: reported in words, or answered by smaller batches of the same sum."""

import dataclasses
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from accelerate.utils.memory import clear_device_cache, should_reduce_batch_size
from transformers import TrainingArguments

from blindspots.config.errors import UserError
from blindspots.config.processes import started_processes
from blindspots.config.recipes import TrainingDataKeys

Keys = dict[str, Any]


@contextmanager
def memory_errors_in_words(to_lower: str = "eval_batch_tokens") -> Iterator[None]:
    """Turn out of memory into a UserError that names the key `to_lower`.

    What training itself raises goes to `smaller_batches` before that.
    """
    try:
        yield
    except RuntimeError as error:
        if not should_reduce_batch_size(error):
            raise
        raise UserError(
            f"The device ran out of memory while it loaded or predicted ({_first_line(error)}). Lower {to_lower}, or "
            "take a larger device."
        ) from error


def smaller_batches(error: RuntimeError, recipe: TrainingDataKeys, keys: Keys) -> tuple[TrainingDataKeys, Keys]:
    """What to train with after `trainer.train` raised `error`: a smaller batch and as many more accumulation steps.

    The global batch stays, and the learning rate that goes with it. The batch is divided by its smallest factor.

    Args:
        error: raised again where it is not about memory.
        keys: training keys of the recipe, those of TrainingArguments.

    Raises UserError where the recipe does not allow it, where several processes run (the others would wait for the
    one that failed), where a batch of one row does not fit, and where the device lacks an operation.
    """
    if isinstance(error, NotImplementedError):
        raise UserError(f"This device can't train the model: {_first_line(error)}") from error
    if not should_reduce_batch_size(error):
        raise error
    by_tokens = recipe.tokens_per_batch is not None
    batch = recipe.tokens_per_batch if by_tokens else _given(keys, "per_device_train_batch_size")
    steps = _given(keys, "gradient_accumulation_steps")
    what = f"The device ran out of memory with a batch of {batch} {'tokens' if by_tokens else 'rows'}"
    what += f" ({_first_line(error)})"
    if not recipe.smaller_batches:
        raise UserError(
            f"{what}. Lower it (global_batch_size keeps the step), or set smaller_batches: true to have that done."
        ) from error
    if started_processes() > 1:
        raise UserError(
            f"{what}, and smaller_batches works with one process only. Lower the batch yourself."
        ) from error
    if batch == 1:
        raise UserError(
            f"{what}. It can't be smaller; set activation_checkpointing or take a larger device."
        ) from error
    factor = next(factor for factor in range(2, batch + 1) if batch % factor == 0)
    print(f"{what}: continuing with {batch // factor} and {steps * factor} accumulation step(s).")
    traceback.clear_frames(error.__traceback__)  # they hold the model, which the next one needs the memory of
    clear_device_cache(garbage_collection=True)
    keys = keys | {"gradient_accumulation_steps": steps * factor}
    if by_tokens:
        return dataclasses.replace(recipe, tokens_per_batch=batch // factor), keys
    return recipe, keys | {"per_device_train_batch_size": batch // factor}


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]


def _given(keys: Keys, name: str) -> int:
    return keys.get(name, TrainingArguments.__dataclass_fields__[name].default)
