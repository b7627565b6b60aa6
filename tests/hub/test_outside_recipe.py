"""A released recipe is data: it can't push, report, write or load code on the machine of who reproduces it."""

import json
from pathlib import Path

import pytest
import yaml

from blindspots.config.errors import RecipeError
from blindspots.release.outside import ATTENTION, TRAINING_KEYS, evaluation_keys, recipe_file, training_keys

from .test_release import read, tamper
from .test_reproduce_cell import reproduce, stranger  # noqa: F401
from .tiny_grid import CELL, REPO_ROOT, TRAINING

HOSTILE = {
    "push_to_hub": True,
    "hub_namespace": "tester",
    "hub_name": "precious",
    "hub_tag": "v9.9",
    "hub_private_repo": True,
    "hub_model_id": "tester/precious",
    "hub_token": "hf_other",
    "output_dir": "/tmp/elsewhere",
    "run_name": "x",
    "project": "x",
    "report_to": "wandb",
    "deepspeed": "/tmp/ds.json",
    "fsdp": "full_shard",
    "fsdp_config": "/tmp/fsdp.json",
    "accelerator_config": "/tmp/accelerator.json",
    "parallelism_config": "/tmp/x.json",
    "torch_compile_backend": "x",
    "liger_kernel_config": {"x": 1},
    "gradient_checkpointing_kwargs": {"x": 1},
    "resume_from_checkpoint": "/tmp/checkpoint",
    "trust_remote_code": True,
    "wait_for_lock": True,
    "train_dataset": "/etc",
    "model_name_or_path": "/etc",
    "optim_args": "x=1",
    "optim_target_modules": "x",
    "debug": "underflow_overflow",
}


@pytest.fixture
def recipe(tmp_path):
    """Writes a recipe from outside."""

    def write(**keys: object) -> Path:
        (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(keys))
        return tmp_path / "recipe.yaml"

    return write


def test_what_says_how_a_model_is_trained_is_taken_and_all_else_told_in_one_line(recipe, capsys):
    taken = training_keys(recipe(learning_rate=1e-3, seed=7, **HOSTILE), {"train_dataset"})
    assert taken == {"learning_rate": 1e-3, "seed": 7}
    (line,) = capsys.readouterr().out.splitlines()
    assert line == "Of the released recipe these keys are ignored: " + (
        ", ".join(sorted(HOSTILE.keys() - {"train_dataset"})) + "."
    )


def test_no_key_that_is_taken_names_a_place_a_repo_or_a_report():
    words = ("hub", "push", "output", "report", "config_", "dir", "deepspeed", "fsdp", "token_", "resume", "_path")
    assert [key for key in TRAINING_KEYS if any(word in key for word in words)] == []


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"learning_rate": "fast"}, "learning_rate wants float"),
        ({"max_steps": [1]}, "max_steps wants int"),
        ({"attn_implementation": "someone/kernel"}, "attn_implementation is one of eager, sdpa"),
        ({"attn_implementation": "flash_attention_2|someone/x"}, "attn_implementation is one of"),
        ({"dtype": "x"}, "dtype is one of"),
        ({"train_config": "../../x"}, "is not a name for train_config"),
        ({"train_config": "--push_to_hub"}, "is not a name for train_config"),
        ({"test_sets": ["../hans"]}, "is not a name for test_sets"),
        ({"lora_target_modules": [["x"]]}, "holds lists or dicts within others"),
        ({"lr_scheduler_kwargs": {"a": {"b": 1}}}, "holds lists or dicts within others"),
        ({"lr_scheduler_type": "cosine\n--push_to_hub"}, "holds a control character"),
    ],
)
def test_a_value_that_is_none_of_its_key_is_refused(recipe, keys, said):
    with pytest.raises(RecipeError, match=said) as told:
        training_keys(recipe(**keys), ())
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("attention", ATTENTION)
def test_the_attention_of_the_library_is_taken(recipe, attention):
    assert training_keys(recipe(attn_implementation=attention), ()) == {"attn_implementation": attention}


def test_an_evaluation_takes_its_own_keys_and_is_silent_of_the_training(recipe, capsys):
    assert evaluation_keys(recipe(hans_rows=5, learning_rate=1.0, push_to_hub=True)) == {"hans_rows": 5}
    assert capsys.readouterr().out == ""


INPUTS = "model_name_or_path model_revision train_dataset dev_dataset mnli hans output_dir".split()


def test_the_recipes_of_the_repository_are_taken_whole(capsys):
    for text in (TRAINING, *(file.read_text() for file in (REPO_ROOT / "recipes").glob("*/augment.yaml"))):
        with recipe_file(yaml.safe_load(text)) as file:
            training_keys(file, INPUTS)
    assert set(capsys.readouterr().out.split("\n")) == {
        "",
        "Of the released recipe these keys are ignored: report_to.",
    }


@pytest.mark.hub
@pytest.mark.parametrize("words", [(), ("--from-release",)])
def test_a_hostile_release_leaves_the_repos_of_its_reader_alone(released, stranger, words):  # noqa: F811
    precious = released.store.create_repo("models", "tester/precious")
    before = precious.refs("heads")
    recipe = yaml.safe_load(read(released, "models", f"demo-models-{CELL}", "recipe.yaml")) | HOSTILE
    tamper(released, "models", f"demo-models-{CELL}", "recipe.yaml", yaml.safe_dump(recipe).encode())
    done = reproduce(released, stranger, *words)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not released.requests("POST")
    assert precious.refs("heads") == before
    assert ("these keys are ignored: accelerator_config" in done.stdout) == (not words)


@pytest.mark.hub
@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("name", "../../etc", "is not a Hub id"),
        ("name", "--push_to_hub", "is not a Hub id"),
        ("role", "start --push_to_hub", "is not the role of a parent"),
        ("revision", "main", "is not a commit of 40 hexadecimal digits"),
        ("tag", "v1 --x", "is not a tag"),
        ("repo_type", "kernel", "is not a type of repo"),
    ],
)
def test_a_lineage_that_names_what_it_may_not_is_refused_in_one_line(released, stranger, field, value, said):  # noqa: F811
    name = f"demo-models-{CELL}"
    lineage = json.loads(read(released, "models", name, "lineage.json"))
    lineage["parents"][0][field] = value
    tamper(released, "models", name, "lineage.json", json.dumps(lineage).encode())
    done = reproduce(released, stranger)
    assert done.returncode == 1
    assert said in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
