"""The batch of an optimiser step, divided over processes and accumulation steps."""

import dataclasses
from typing import Any

from blindspots.config.errors import RecipeError
from blindspots.config.processes import started_processes
from blindspots.config.recipes import TrainingDataKeys


def divide_batch(recipe: TrainingDataKeys, keys: dict[str, Any]) -> tuple[TrainingDataKeys, dict[str, Any]]:
    """Recipe and training keys with the batch of a process and the accumulation steps that make global_batch_size.

    Without that key they are returned as they are. A process takes its whole share at once, or as many batches of the
    size that the recipe gives as make up the share.

    Raises RecipeError where the processes, or batches of that size, do not divide it.
    """
    whole, processes = recipe.global_batch_size, started_processes()
    if whole is None:
        return recipe, keys
    by_tokens = recipe.tokens_per_batch is not None
    share = whole // processes
    limit = recipe.tokens_per_batch if by_tokens else keys.get("per_device_train_batch_size", share)
    batch = min(share, limit)
    if batch == 0 or whole % (batch * processes):
        unit, name = ("tokens", "tokens_per_batch") if by_tokens else ("rows", "per_device_train_batch_size")
        raise RecipeError(
            f"global_batch_size {whole} can't be divided into batches of {limit or 1} {unit} for {processes} "
            f"process(es); change it, {name} or --num_processes."
        )
    keys = keys | {"gradient_accumulation_steps": whole // (batch * processes)}
    if by_tokens:
        return dataclasses.replace(recipe, tokens_per_batch=batch), keys
    return recipe, keys | {"per_device_train_batch_size": batch}
