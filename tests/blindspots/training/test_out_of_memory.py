"""Out of memory: batches in pieces where the recipe allows it, else one line."""

import gc
import weakref
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from blindspots.config.errors import UserError
from blindspots.config.recipes import TaskRecipe
from blindspots.training.out_of_memory import memory_errors_in_words, smaller_batches

OUT_OF_MEMORY = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.\nOf the allocated memory ...")


def training(rows: int = 8) -> SimpleNamespace:
    """Of the arguments of a training run the one that is read."""
    return SimpleNamespace(per_device_train_batch_size=rows)


def tries(recipe: TaskRecipe, rows: int, fits: int) -> list[int]:
    """In how many pieces each try of a script computes a batch, on a device that holds `fits` rows or tokens."""
    batch, tried = recipe.tokens_per_batch or rows, [1]
    while batch / tried[-1] > fits:
        tried.append(smaller_batches(OUT_OF_MEMORY, recipe, training(rows), tried[-1]))
    return tried


@settings(max_examples=15)  # each try collects garbage first
@given(st.integers(1, 512), st.integers(1, 512), st.booleans())
def test_pieces_get_smaller_until_one_fits(batch, fits, by_tokens):
    tokens = batch if by_tokens else None
    recipe = TaskRecipe(output_dir="unused", smaller_batches=True, tokens_per_batch=tokens)
    tried = tries(recipe, batch, fits)
    assert tried == sorted(set(tried))
    assert batch / tried[-1] <= fits
    assert tried[-1] <= batch


def test_more_pieces_are_reported(capsys):
    recipe = TaskRecipe(output_dir="unused", smaller_batches=True)
    assert smaller_batches(OUT_OF_MEMORY, recipe, training(), 1) == 2
    said = capsys.readouterr().out
    assert "ran out of memory with a batch of 8 rows (CUDA out of memory. Tried to allocate 20.00 GiB.)" in said
    assert "continuing with each batch in 2 pieces" in said
    assert smaller_batches(OUT_OF_MEMORY, recipe, training(), 2) == 4
    assert "a batch of 8 rows in 2 pieces (CUDA" in capsys.readouterr().out


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
        smaller_batches(error, TaskRecipe(output_dir="unused", smaller_batches=True), training(), 1)
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
        tries(recipe, rows, fits=0)
    assert "\n" not in str(error.value)


def test_an_operation_that_the_device_lacks_is_reported_in_one_line():
    error = NotImplementedError("FlexAttention does not support backward on CPU.\nMore.")
    with pytest.raises(UserError, match=r"This device can't train the model: FlexAttention .* on CPU") as told:
        smaller_batches(error, TaskRecipe(output_dir="o"), training(), 1)
    assert "\n" not in str(told.value)


def test_a_batch_of_tokens_is_reported_as_such():
    with pytest.raises(UserError, match="a batch of 512 tokens"):
        smaller_batches(OUT_OF_MEMORY, TaskRecipe(output_dir="unused", tokens_per_batch=512), training(), 1)


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
        smaller_batches(error, TaskRecipe(output_dir="unused", smaller_batches=True), training(), 1)
    assert raised.value is error
