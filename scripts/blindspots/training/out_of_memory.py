"""A device that runs out of memory: reported in words, or answered by batches in pieces."""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from accelerate.utils.memory import clear_device_cache, should_reduce_batch_size
from transformers import TrainingArguments

from blindspots.config.errors import UserError
from blindspots.config.processes import started_processes
from blindspots.config.recipes import TrainingDataKeys


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


def smaller_batches(error: RuntimeError, recipe: TrainingDataKeys, training: TrainingArguments, pieces: int) -> int:
    """In how many pieces to compute each batch after `trainer.train` raised `error`: twice as many.

    Batches, steps and learning rate stay those of the recipe; see `pieces.CutBatches`.

    Args:
        error: raised again where it is not about memory.
        pieces: that a batch was computed in.

    Raises UserError where the recipe does not allow it, where several processes run (the others would wait for the
    one that failed), where a piece of one row does not fit, and where the device lacks an operation.
    """
    if isinstance(error, NotImplementedError):
        raise UserError(f"This device can't train the model: {_first_line(error)}") from error
    if not should_reduce_batch_size(error):
        raise error
    by_tokens = recipe.tokens_per_batch is not None
    batch = recipe.tokens_per_batch if by_tokens else training.per_device_train_batch_size
    what = f"The device ran out of memory with a batch of {batch} {'tokens' if by_tokens else 'rows'}"
    what += f"{f' in {pieces} pieces' if pieces > 1 else ''} ({_first_line(error)})"
    if not recipe.smaller_batches:
        raise UserError(
            f"{what}. Lower it (global_batch_size keeps the step), or set smaller_batches: true to have that done."
        ) from error
    if started_processes() > 1:
        raise UserError(
            f"{what}, and smaller_batches works with one process only. Lower the batch yourself."
        ) from error
    if pieces >= batch:
        raise UserError(
            f"{what}. It can't be smaller; set activation_checkpointing or take a larger device."
        ) from error
    pieces = min(2 * pieces, batch)
    print(f"{what}: continuing with each batch in {pieces} pieces.")
    traceback.clear_frames(error.__traceback__)  # they hold the model, which the next one needs the memory of
    clear_device_cache(garbage_collection=True)
    return pieces


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]
