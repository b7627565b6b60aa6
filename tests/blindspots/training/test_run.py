"""Around the Trainer: rows that are too long, datasets by role."""

import pytest
import torch
from datasets import Dataset, Features, Value
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import TrainingArguments
from trl import SFTConfig

from blindspots.config import refused_keys
from blindspots.config.errors import RecipeError, UserError
from blindspots.config.recipes import GeneratorRecipe, TaskRecipe
from blindspots.training import run
from blindspots.training.run import (
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
    expected = [length for length in lengths if limit is None or length <= limit]
    if not expected:
        with pytest.raises(UserError, match=f"Every row is longer than {limit} tokens.* raise max_length"):
            within_length(rows, lengths, limit, counts)
        return
    kept = within_length(rows, lengths, limit, counts)
    assert [len(ids) for ids in kept["input_ids"]] == expected
    assert counts == {"trained on": len(expected), "too long": len(lengths) - len(expected)}


def test_rows_that_are_left_out_are_reported(capsys):
    within_length(Dataset.from_dict({"input_ids": [[1], [1, 2]]}), [1, 2], 1, {})
    assert "1 of 2 rows are longer than 1 tokens and are left out." in capsys.readouterr().out


def test_dev_rows_are_left_out_by_the_same_rule_and_counted_apart(capsys):
    counts = {"trained on": 3, "too long": 0}
    rows = Dataset.from_dict({"input_ids": [[1], [1, 2]]})
    assert within_length(rows, [1, 2], 1, counts, of_dev=True)["input_ids"] == [[1]]
    assert counts == {"trained on": 3, "too long": 0, "dev": 1, "dev too long": 1}
    assert "1 of 2 dev rows are longer than 1 tokens" in capsys.readouterr().out
    with pytest.raises(UserError, match="Every dev row is longer than 0 tokens, so there is none to evaluate"):
        within_length(rows, [1, 2], 0, counts, of_dev=True)


def test_a_recipe_without_datasets_trains_on_nothing():
    recipe = TaskRecipe(output_dir="unused")
    assert training_sources(recipe) == {}
    assert training_pairs(recipe, {}) == (None, None)


def test_a_dataset_without_rows_is_refused(world, monkeypatch):
    features = Features(premise=Value("string"), hypothesis=Value("string"), label=Value("string"))
    empty = Dataset.from_dict({name: [] for name in features}, features=features)
    monkeypatch.setattr(run, "read_split", lambda *arguments: empty)
    recipe = TaskRecipe(output_dir="unused", train_dataset=str(world / "corpus/mnli"))
    with pytest.raises(UserError, match="corpus/mnli has no rows with a label; name another train_dataset"):
        training_pairs(recipe, training_sources(recipe))


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"optim": "sgd", "adam_beta1": 0.8}, "adam_beta1 has no effect on optim: sgd"),
        ({"optim": "adafactor", "adam_epsilon": 1e-6}, "adam_epsilon has no effect on optim: adafactor"),
        ({"optim_args": "momentum=0.9"}, "optim_args: momentum=0.9 has no effect on optim: adamw_torch_fused"),
        ({"optim": "sgd", "optim_args": "momentum=0.9, momentom=0.9"}, "optim_args: momentom=0.9 has no effect"),
        ({"optim": "sgd", "optim_args": "momentum"}, "optim: sgd can't be made here"),
        ({"optim": "stable_adamw"}, "optim: stable_adamw can't be made here: You need to install `torch-optimi`"),
        ({"lr_scheduler_kwargs": {"cycles": 2}}, "lr_scheduler_type: linear can't be made from these keys: .*cycles"),
        ({"lr_scheduler_type": "cosine_with_min_lr"}, "can't be made from these keys: .*min_lr"),
        ({"accelerator_config": {"split": True}}, "unexpected keyword argument 'split'"),
        ({"activation_checkpointing_kwargs": {"offload": True}}, "offload in activation_.* needs an accelerator"),
    ],
)
def test_keys_that_the_libraries_ignore_or_do_not_take_are_one_line_before_a_model_is_loaded(keys, message):
    recipe = TaskRecipe(output_dir="unused", train_dataset="unused")
    with pytest.raises(RecipeError, match=message) as error:
        training_arguments(TrainingArguments, recipe, keys | {"use_cpu": True}, "unused")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "keys",
    [
        {"adam_beta1": 0.8, "adam_epsilon": 1e-6},
        {"optim": "sgd", "adam_beta1": 0.9, "optim_args": "momentum=0.9,nesterov=true"},
        {"optim": "rmsprop", "optim_args": "alpha=0.9, centered=false"},
        {"optim": "galore_adamw", "optim_target_modules": ["q_proj"], "optim_args": "rank=8"},
    ],
)
def test_keys_that_the_optimiser_reads_pass(keys):
    recipe = TaskRecipe(output_dir="unused", train_dataset="unused")
    made = training_arguments(TrainingArguments, recipe, keys | {"use_cpu": True}, "unused")
    assert {name: getattr(made, name) for name in keys} == keys


@pytest.mark.parametrize(("given", "tracker"), [("auto", []), (["auto"], []), ("tensorboard", ["tensorboard"])])
def test_auto_names_no_tracker_where_trackio_is_not_installed(given, tracker, monkeypatch):
    monkeypatch.setattr(refused_keys, "find_spec", lambda module: None)
    recipe = TaskRecipe(output_dir="unused", train_dataset="unused")
    assert (
        training_arguments(TrainingArguments, recipe, {"report_to": given, "use_cpu": True}, "x").report_to == tracker
    )


def test_a_generator_needs_rows_to_train_on():
    with pytest.raises(RecipeError, match="train_dataset is needed"):
        training_arguments(SFTConfig, GeneratorRecipe(output_dir="unused"), {"use_cpu": True}, "unused")


@pytest.mark.parametrize(
    ("arguments", "recipe"),
    [
        (TrainingArguments, TaskRecipe(output_dir="unused", train_dataset="unused")),
        (TrainingArguments, TaskRecipe(output_dir="unused", train_dataset="unused", tokens_per_batch=512)),
        (SFTConfig, GeneratorRecipe(output_dir="unused", train_dataset="unused")),
    ],
)
def test_several_gpus_in_one_process_are_refused(monkeypatch, tmp_path, arguments, recipe):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 8)
    with pytest.raises(RecipeError, match=r"sees 8 GPUs.*python scripts/launch.py --gpus N"):
        training_arguments(arguments, recipe, {"bf16": False}, tmp_path)
    training_arguments(arguments, recipe, {"bf16": False, "use_cpu": True}, tmp_path)


def test_processes_must_divide_a_batch_that_is_split(monkeypatch, tmp_path):
    keys = {"per_device_train_batch_size": 8, "accelerator_config": {"split_batches": True}, "use_cpu": True}
    recipe = TaskRecipe(output_dir="unused")
    monkeypatch.setattr(TrainingArguments, "world_size", 4)
    assert training_arguments(TrainingArguments, recipe, keys, tmp_path).world_size == 4
    monkeypatch.setattr(TrainingArguments, "world_size", 3)
    with pytest.raises(RecipeError, match="a batch of 8 rows over the processes, and 3 do not divide it"):
        training_arguments(TrainingArguments, recipe, keys, tmp_path)


def test_batches_that_one_process_deals_out_are_refused_for_several(monkeypatch, tmp_path):
    """accelerate fills the last ones with rows of the first."""
    keys = {"accelerator_config": {"dispatch_batches": True}, "use_cpu": True}
    recipe = TaskRecipe(output_dir="unused")
    training_arguments(TrainingArguments, recipe, keys, tmp_path)
    monkeypatch.setattr(TrainingArguments, "world_size", 2)
    with pytest.raises(RecipeError, match="dispatch_batches would fill the last batches of an epoch"):
        training_arguments(TrainingArguments, recipe, keys, tmp_path)


def test_train_and_dev_are_read_by_role(world):
    recipe = TaskRecipe(output_dir="unused", train_dataset=str(world / "corpus/mnli"))
    sources = training_sources(recipe)
    train, dev = training_pairs(recipe, sources)
    assert (set(sources), len(train), dev) == ({"train"}, 300, None)
    recipe.train_config = "n9"
    with pytest.raises(UserError, match="mnli has no config n9, split train"):
        training_pairs(recipe, sources)
