"""A global batch is divided over processes and accumulation steps, and is the same for each number of processes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blindspots.config.errors import RecipeError
from blindspots.config.recipes import TaskRecipe
from blindspots.training.batches import divide_batch


def recipe(**keys: object) -> TaskRecipe:
    return TaskRecipe(output_dir="unused", **keys)


def by_processes(processes: int, batch: TaskRecipe, keys: dict) -> tuple[TaskRecipe, dict]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WORLD_SIZE", str(processes))
        return divide_batch(batch, keys)


@pytest.mark.parametrize(
    ("whole", "limit", "processes", "batch", "steps"),
    [
        (32, 32, 1, 32, 1),
        (32, 8, 1, 8, 4),
        (32, 8, 2, 8, 2),
        (32, 8, 8, 4, 1),
        (32, None, 1, 32, 1),
        (32, None, 4, 8, 1),
        (2, 2, 1, 2, 1),
    ],
)
def test_a_process_takes_batches_of_the_given_size_or_its_whole_share(whole, limit, processes, batch, steps):
    keys = {} if limit is None else {"per_device_train_batch_size": limit}
    divided, divided_keys = by_processes(processes, recipe(global_batch_size=whole), keys)
    assert divided_keys == {"per_device_train_batch_size": batch, "gradient_accumulation_steps": steps}
    assert divided.global_batch_size == whole

    tokens = limit or whole
    divided, divided_keys = by_processes(
        processes, recipe(global_batch_size=100 * whole, tokens_per_batch=100 * tokens), {}
    )
    assert (divided.tokens_per_batch, divided_keys) == (100 * batch, {"gradient_accumulation_steps": steps})


@given(st.integers(1, 512), st.none() | st.integers(1, 64), st.integers(1, 16))
def test_what_is_divided_multiplies_to_the_whole_and_anything_else_is_refused(whole, limit, processes):
    keys = {} if limit is None else {"per_device_train_batch_size": limit}
    try:
        _, divided = by_processes(processes, recipe(global_batch_size=whole), keys)
    except RecipeError:
        share = whole / processes
        assert share % 1 or (share > limit and share % limit)
        return
    assert divided["per_device_train_batch_size"] * divided["gradient_accumulation_steps"] * processes == whole
    assert divided["per_device_train_batch_size"] <= (limit or whole)


@pytest.mark.parametrize(
    ("keys", "processes", "message"),
    [
        ({"global_batch_size": 32}, 3, r"global_batch_size 32 can't be divided into batches of 10 rows for 3 process"),
        ({"global_batch_size": 2}, 8, r"global_batch_size 2 can't be divided into batches of 1 rows for 8 process"),
        (
            {"global_batch_size": 6000, "tokens_per_batch": 2048},
            2,
            r"global_batch_size 6000 can't be divided into batches of 2048 tokens for 2 process.*tokens_per_batch",
        ),
    ],
)
def test_numbers_that_do_not_divide_are_named(keys, processes, message):
    with pytest.raises(RecipeError, match=message) as error:
        by_processes(processes, recipe(**keys), {})
    assert "\n" not in str(error.value)


def test_without_the_key_the_recipe_stays():
    batch, keys = recipe(tokens_per_batch=512), {"gradient_accumulation_steps": 3}
    assert by_processes(4, batch, keys) == (batch, keys)
