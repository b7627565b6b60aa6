"""Out of memory: smaller batches of the same sum where the recipe allows it, else one line."""

import gc
import weakref

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from blindspots.config.errors import UserError
from blindspots.config.recipes import TaskRecipe
from blindspots.training.out_of_memory import memory_errors_in_words, smaller_batches

OUT_OF_MEMORY = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.\nOf the allocated memory ...")


def batches(recipe: TaskRecipe, keys: dict, fits: int) -> list[tuple[int, int]]:
    """Batch (rows or tokens) and accumulation steps of each try of a script, on a device that holds `fits`."""
    tried = []
    while True:
        batch = recipe.tokens_per_batch or keys["per_device_train_batch_size"]
        tried.append((batch, keys.get("gradient_accumulation_steps", 1)))
        if batch <= fits:
            return tried
        recipe, keys = smaller_batches(OUT_OF_MEMORY, recipe, keys)


@settings(max_examples=15)  # each smaller batch collects garbage first
@given(st.integers(1, 512), st.integers(1, 8), st.integers(1, 512), st.booleans())
def test_the_batch_shrinks_until_it_fits_and_its_sum_stays(batch, steps, fits, by_tokens):
    recipe = TaskRecipe(output_dir="unused", smaller_batches=True, tokens_per_batch=batch if by_tokens else None)
    tried = batches(recipe, {"per_device_train_batch_size": batch, "gradient_accumulation_steps": steps}, fits)
    assert {rows * accumulated for rows, accumulated in tried} == {batch * steps}
    assert tried[-1][0] <= fits
    assert [rows for rows, _ in tried] == sorted({rows for rows, _ in tried}, reverse=True)


@pytest.mark.parametrize("tokens", [None, 512])
def test_all_other_keys_stay(tokens):
    recipe = TaskRecipe(output_dir="unused", smaller_batches=True, tokens_per_batch=tokens, max_length=7)
    keys = {"learning_rate": 0.1} | ({} if tokens else {"per_device_train_batch_size": 6})
    smaller, training = smaller_batches(OUT_OF_MEMORY, recipe, keys)
    assert (smaller.max_length, smaller.smaller_batches, training["learning_rate"]) == (7, True, 0.1)
    assert smaller.tokens_per_batch == (256 if tokens else None)
    assert training.get("per_device_train_batch_size") == (None if tokens else 3)
    assert training["gradient_accumulation_steps"] == 2
    assert "gradient_accumulation_steps" not in keys  # what the recipe gave is kept as it was


def test_a_smaller_batch_is_reported(capsys):
    smaller_batches(OUT_OF_MEMORY, TaskRecipe(output_dir="unused", smaller_batches=True), {})
    said = capsys.readouterr().out
    assert "ran out of memory with a batch of 8 rows (CUDA out of memory. Tried to allocate 20.00 GiB.)" in said
    assert "continuing with 4 and 2 accumulation step(s)" in said


def test_what_the_failed_try_held_is_freed():
    class Model:
        def __init__(self):
            self.itself = self  # as autocast ties a model to itself

    models = []

    def train():
        model = Model()
        models.append(weakref.ref(model))
        raise OUT_OF_MEMORY

    gc.disable()
    try:
        train()
    except RuntimeError as error:
        smaller_batches(error, TaskRecipe(output_dir="unused", smaller_batches=True), {})
        assert models[0]() is None
    finally:
        gc.enable()


@pytest.mark.parametrize(
    ("allowed", "processes", "rows", "said"),
    [
        (False, 1, 8, "ran out of memory with a batch of 8 rows .*Lower it .global_batch_size keeps the step."),
        (True, 2, 8, "works with one process only"),
        (True, 1, 1, "It can't be smaller"),
    ],
)
def test_what_cannot_be_helped_is_reported_in_one_line(monkeypatch, allowed, processes, rows, said):
    monkeypatch.setenv("WORLD_SIZE", str(processes))
    recipe = TaskRecipe(output_dir="unused", smaller_batches=allowed)
    with pytest.raises(UserError, match=said) as error:
        batches(recipe, {"per_device_train_batch_size": rows}, fits=0)
    assert "\n" not in str(error.value)


def test_an_operation_that_the_device_lacks_is_reported_in_one_line():
    error = NotImplementedError("FlexAttention does not support backward on CPU.\nMore.")
    with pytest.raises(UserError, match=r"This device can't train the model: FlexAttention .* on CPU") as told:
        smaller_batches(error, TaskRecipe(output_dir="o"), {})
    assert "\n" not in str(told.value)


def test_a_batch_of_tokens_is_reported_as_such():
    with pytest.raises(UserError, match="a batch of 512 tokens"):
        smaller_batches(OUT_OF_MEMORY, TaskRecipe(output_dir="unused", tokens_per_batch=512), {})


def test_the_library_default_is_the_batch_of_a_recipe_without_one():
    with pytest.raises(UserError, match="a batch of 8 rows"):
        smaller_batches(OUT_OF_MEMORY, TaskRecipe(output_dir="unused"), {})


@pytest.mark.parametrize(
    ("error", "raised", "said"),
    [
        (OUT_OF_MEMORY, UserError, "while it loaded or predicted .*Lower eval_batch_tokens"),
        (RuntimeError("something else"), RuntimeError, "something else"),
        (UserError("of its own"), UserError, "of its own"),
    ],
)
def test_an_error_outside_of_training_does_not_start_another_try(error, raised, said):
    with pytest.raises(raised, match=said), memory_errors_in_words():
        raise error


def test_an_error_of_training_that_is_not_of_memory_is_passed_on():
    error = RuntimeError("something else")
    with pytest.raises(RuntimeError, match="something else") as raised:
        smaller_batches(error, TaskRecipe(output_dir="unused", smaller_batches=True), {})
    assert raised.value is error
