"""Out of memory: smaller batches of the same sum where the recipe allows it, else one line."""

from types import SimpleNamespace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from blindspots.config.errors import UserError
from blindspots.config.recipes import TaskRecipe
from blindspots.training.out_of_memory import DeviceFullError, train, within_memory

OUT_OF_MEMORY = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")


def full_device() -> SimpleNamespace:
    """A trainer on a device that is full."""

    def run_out(resume_from_checkpoint):
        raise OUT_OF_MEMORY

    return SimpleNamespace(train=run_out)


def device(rows: int, tried: list):
    """A run that fits a batch of so many rows (or tokens), and notes each batch with its accumulation steps."""

    def run(recipe, keys):
        batch = recipe.tokens_per_batch or keys["per_device_train_batch_size"]
        tried.append((batch, keys.get("gradient_accumulation_steps", 1)))
        if batch > rows:
            train(full_device(), None)

    return run


@settings(max_examples=15)  # each smaller batch collects garbage first
@given(st.integers(1, 512), st.integers(1, 8), st.integers(1, 512), st.booleans())
def test_the_batch_shrinks_until_it_fits_and_its_sum_stays(batch, steps, fits, by_tokens):
    tried = []
    recipe = TaskRecipe(output_dir="unused", smaller_batches=True, tokens_per_batch=batch if by_tokens else None)
    within_memory(
        recipe, {"per_device_train_batch_size": batch, "gradient_accumulation_steps": steps}, device(fits, tried)
    )
    assert {rows * accumulated for rows, accumulated in tried} == {batch * steps}
    assert tried[-1][0] <= fits
    assert [rows for rows, _ in tried] == sorted({rows for rows, _ in tried}, reverse=True)


@pytest.mark.parametrize(
    ("allowed", "processes", "rows", "said"),
    [
        (False, 1, 8, "ran out of memory with a batch of 8 rows .*Lower it and raise gradient_accumulation_steps"),
        (True, 2, 8, "works with one process only"),
        (True, 1, 1, "It can't be smaller"),
    ],
)
def test_what_cannot_be_mended_is_told_in_one_line(monkeypatch, allowed, processes, rows, said):
    monkeypatch.setenv("WORLD_SIZE", str(processes))
    recipe = TaskRecipe(output_dir="unused", smaller_batches=allowed)
    with pytest.raises(UserError, match=said):
        within_memory(recipe, {"per_device_train_batch_size": rows}, device(0, []))


def test_the_library_default_is_the_batch_of_a_recipe_without_one():
    with pytest.raises(UserError, match="a batch of 8 rows"):
        within_memory(TaskRecipe(output_dir="unused"), {}, lambda recipe, keys: train(full_device(), None))


@pytest.mark.parametrize(
    ("error", "told", "said"),
    [
        (OUT_OF_MEMORY, UserError, "while it loaded or evaluated .*Lower eval_batch_tokens"),
        (RuntimeError("something else"), RuntimeError, "something else"),
    ],
)
def test_an_error_outside_of_training_is_no_reason_to_train_again(error, told, said):
    def run(recipe, keys):
        raise error

    with pytest.raises(told, match=said):
        within_memory(TaskRecipe(output_dir="unused", smaller_batches=True), {}, run)


def test_an_error_of_training_that_is_not_of_memory_is_passed_on():
    def fail(resume_from_checkpoint):
        raise RuntimeError("something else")

    with pytest.raises(RuntimeError, match="something else"):
        train(SimpleNamespace(train=fail), None)
    with pytest.raises(DeviceFullError):
        train(full_device(), None)
