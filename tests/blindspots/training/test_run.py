"""Around the Trainer: rows that are too long, checkpoints that count, datasets by role."""

import pytest
from datasets import Dataset
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import TrainingArguments

from blindspots.artifacts.folder import OutputFolder
from blindspots.config.errors import RecipeError, UserError
from blindspots.config.recipes import TaskRecipe
from blindspots.training.run import (
    last_checkpoint,
    training_arguments,
    training_pairs,
    training_sources,
    within_length,
)


@settings(max_examples=30)
@given(st.lists(st.integers(1, 20), min_size=1, max_size=30), st.none() | st.integers(1, 20))
def test_rows_above_the_limit_are_left_out_and_counted_never_cut(lengths, limit):
    counts = {}
    rows = Dataset.from_dict({"input_ids": [[7] * length for length in lengths]})
    kept = within_length(rows, lengths, limit, counts)
    expected = [length for length in lengths if limit is None or length <= limit]
    assert [len(ids) for ids in kept["input_ids"]] == expected
    assert counts == {"trained on": len(expected), "too long": len(lengths) - len(expected)}


def test_rows_that_are_left_out_are_reported(capsys):
    within_length(Dataset.from_dict({"input_ids": [[1], [1, 2]]}), [1, 2], 1, {})
    assert "1 of 2 rows are longer than 1 tokens and are left out." in capsys.readouterr().out


def test_the_last_checkpoint_is_the_newest_whole_one(tmp_path):
    folder = OutputFolder(tmp_path / "model", "task_model", 0)
    assert last_checkpoint(folder) is None
    for step, whole in ((5, True), (10, True), (100, True), (105, False)):  # killed while it wrote 105
        checkpoint = folder.checkpoints / f"checkpoint-{step}"
        checkpoint.mkdir(parents=True)
        (checkpoint / "model.safetensors").touch()
        if whole:
            (checkpoint / "trainer_state.json").touch()
    assert last_checkpoint(folder) == str(folder.checkpoints / "checkpoint-100")


def test_a_recipe_without_datasets_trains_on_nothing():
    recipe = TaskRecipe(output_dir="unused")
    assert training_sources(recipe) == {}
    assert training_pairs(recipe, {}) == (None, None)


def test_processes_must_divide_a_batch_that_is_split(monkeypatch, tmp_path):
    keys = {"per_device_train_batch_size": 8, "accelerator_config": {"split_batches": True}, "use_cpu": True}
    recipe = TaskRecipe(output_dir="unused")
    monkeypatch.setattr(TrainingArguments, "world_size", 4)
    assert training_arguments(TrainingArguments, recipe, keys, tmp_path).world_size == 4
    monkeypatch.setattr(TrainingArguments, "world_size", 3)
    with pytest.raises(RecipeError, match="a batch of 8 rows over the processes, and 3 do not divide it"):
        training_arguments(TrainingArguments, recipe, keys, tmp_path)


def test_train_and_dev_are_read_by_role(world):
    recipe = TaskRecipe(output_dir="unused", train_dataset=str(world / "corpus/mnli"))
    sources = training_sources(recipe)
    train, dev = training_pairs(recipe, sources)
    assert (set(sources), len(train), dev) == ({"train"}, 300, None)
    recipe.train_config = "n9"
    with pytest.raises(UserError, match="mnli has no config n9, split train"):
        training_pairs(recipe, sources)
