"""What lineage.json is made of: the artifact's name and licence, and what ran where."""

import os
import subprocess
from importlib.metadata import version
from pathlib import Path

import pytest
import torch

from blindspots.artifacts import lineage
from blindspots.artifacts.inputs import Source
from blindspots.artifacts.lineage import (
    PACKAGES,
    PLACEMENT_KEYS,
    accelerate_settings,
    artifact_name,
    code_commit,
    hardware,
    licence,
    repo_type,
    versions,
    without_placement,
)


@pytest.mark.parametrize(
    ("folder", "name"), [("/x/outputs/demo/models/n5-s0", "demo-models-n5-s0"), ("/x/elsewhere/mine", "mine")]
)
def test_the_name_of_an_artifact_is_its_path_below_outputs(folder, name):
    assert artifact_name(Path(folder)) == name


def test_the_name_of_an_artifact_follows_the_path_as_it_is_given(tmp_path, monkeypatch):
    (tmp_path / "scratch/run1").mkdir(parents=True)
    (tmp_path / "outputs").symlink_to("scratch/run1")
    monkeypatch.chdir(tmp_path)
    for given in ("outputs/demo/x", tmp_path / "outputs/demo/x", "./outputs/../outputs/demo/x/"):
        assert artifact_name(given) == "demo-x"


def test_models_and_datasets_are_told_apart_by_their_cards_template():
    assert repo_type("task_model") == repo_type("generator") == repo_type("base_model") == "model"
    assert repo_type("augmentation_set") == repo_type("predictions") == "dataset"


def test_where_an_artifact_goes_is_not_part_of_what_it_is():
    recipe = dict.fromkeys(PLACEMENT_KEYS, "anywhere") | {"seed": 0}
    assert without_placement(recipe) == {"seed": 0}


def test_versions_and_hardware_are_those_of_this_run():
    found = versions()
    assert {"python", "torch", "transformers"} <= found.keys() <= {"python", *PACKAGES}
    assert all(number == version(name) for name, number in found.items() if name != "python")
    assert hardware()["cores"] >= 1
    assert hardware()["memory_gib"] > 0


def test_a_package_that_is_not_installed_has_no_version(monkeypatch):
    monkeypatch.setattr(lineage, "PACKAGES", ("torch", "sharding_that_nobody_installed"))
    assert versions().keys() == {"python", "torch"}


def test_the_driver_is_recorded_beside_the_gpus(monkeypatch, tmp_path):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda index: f"GPU {index}")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert (hardware()["gpus"], hardware()["driver"]) == (["GPU 0", "GPU 1"], None)
    (tmp_path / "nvidia-smi").write_text("#!/bin/sh\necho 550.54.15\necho 550.54.15\n")
    (tmp_path / "nvidia-smi").chmod(0o755)
    assert hardware()["driver"] == "550.54.15"


def test_of_accelerate_s_settings_those_that_launch_hands_on_are_recorded(monkeypatch):
    for name in [name for name in os.environ if name.startswith(("ACCELERATE_", "FSDP_"))]:
        monkeypatch.delenv(name)
    assert accelerate_settings() == {}
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    monkeypatch.setenv("FSDP_VERSION", "2")
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "bf16")  # the recipe's bf16 decides
    monkeypatch.setenv("ACCELERATE_SECRET", "a token")
    assert accelerate_settings() == {"ACCELERATE_USE_FSDP": "true", "FSDP_VERSION": "2"}


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
    done = subprocess.run(["git", *identity, *arguments], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def write(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x")


@pytest.fixture
def checkout(tmp_path, monkeypatch) -> Path:
    """A checkout of a commit, as if the scripts ran from there."""
    root = tmp_path / "checkout"
    write(root, "scripts/train.py", "recipes/test_sets/hans.yaml", "README.md")
    (root / ".gitignore").write_text("outputs/\n__pycache__/\n")
    git(root, "init", "-q")
    git(root, "add", ".")
    git(root, "commit", "-q", "-m", "first")
    monkeypatch.setattr(lineage, "ROOT", root)
    return root


@pytest.mark.parametrize(
    ("name", "ending"),
    [
        ("outputs/model/lineage.json", ""),
        ("notes.txt", ""),
        ("recipes/mine/start.yaml", ""),
        ("scripts/__pycache__/train.pyc", ""),
        ("scripts/helper.py", "+changes"),
        ("scripts/blindspots/data/new.py", "+changes"),
        ("recipes/test_sets/mine.yaml", "+changes"),
        ("scripts/train.py", ""),
        ("README.md", ""),
    ],
)
def test_a_new_file_is_a_change_of_the_code_where_it_decides_what_runs(checkout, name, ending):
    write(checkout, name)
    assert code_commit() == git(checkout, "rev-parse", "HEAD") + ending


@pytest.mark.parametrize("name", ["scripts/train.py", "README.md"])
def test_a_changed_file_is_a_change_wherever_it_is(checkout, name):
    (checkout / name).write_text("y")
    assert code_commit() == git(checkout, "rev-parse", "HEAD") + "+changes"


@pytest.mark.parametrize("folder", ["outputs/copy", "copy"])
def test_a_copy_within_another_checkout_is_not_of_its_commit(checkout, monkeypatch, folder):
    write(checkout, f"{folder}/scripts/train.py", f"{folder}/recipes/test_sets/hans.yaml")
    monkeypatch.setattr(lineage, "ROOT", checkout / folder)
    assert code_commit() is None


def test_outside_a_checkout_and_without_git_there_is_no_commit(checkout, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert code_commit() is None
    assert lineage.code_repository() is None
    monkeypatch.undo()
    monkeypatch.setattr(lineage, "ROOT", tmp_path)
    assert code_commit() is None


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        ([], "apache-2.0"),
        (["mit"], "mit"),
        (["mit", "mit"], "mit"),
        (["mit", "cc-by-4.0"], ["cc-by-4.0", "mit"]),
        ([None], "unknown"),
    ],
)
def test_the_licence_of_the_parents_is_carried_on(tmp_path, stated, expected):
    parents = []
    for index, name in enumerate(stated):
        parent = tmp_path / str(index)
        parent.mkdir()
        (parent / "README.md").write_text(f"---\nlicense: {name}\n---\n" if name else "no metadata\n")
        parents.append(Source(str(parent), parent, None, "dataset"))
    assert licence(parents, "prepared_mnli") == expected


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ("license: [mit, 3, {a: b}]", "mit"),
        ("license: [1, 2]", "unknown"),
        ("license: {name: mit}", "unknown"),
        ("license: 3", "unknown"),
        ("license: [", "unknown"),
        ("- a list", "unknown"),
        ("license: ''", "unknown"),
        ('license: "mit\\n# title"', "mit # title"),
    ],
)
def test_a_malformed_licence_is_read_as_far_as_it_is_text(tmp_path, metadata, expected):
    (tmp_path / "README.md").write_text(f"---\n{metadata}\n---\n")
    assert licence([Source(str(tmp_path), tmp_path, None, "dataset")], "prepared_mnli") == expected


def test_a_card_that_is_no_text_states_no_licence(tmp_path):
    (tmp_path / "README.md").write_bytes(b"\xff\xfe---")
    assert licence([Source(str(tmp_path), tmp_path, None, "dataset")], "prepared_mnli") == "unknown"


@pytest.mark.parametrize(
    ("origin", "place"),
    [
        ("https://github.com/someone/scripts.git", "https://github.com/someone/scripts"),
        ("https://someone:secret@github.com/someone/scripts", "https://github.com/someone/scripts"),
        ("git@gitlab.com:someone/scripts.git", "https://gitlab.com/someone/scripts"),
        ("/srv/scripts", None),
        ("https://git.example/someone/scripts?key=secret", None),
        (None, None),
    ],
)
def test_a_public_place_of_the_code_is_named_without_what_may_be_a_key(monkeypatch, origin, place):
    monkeypatch.setattr(lineage, "_git", lambda *_: origin)
    assert lineage.code_repository() == place
