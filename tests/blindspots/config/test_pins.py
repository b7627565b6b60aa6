"""Every Hub id in a recipe is pinned to a commit; the exceptions are listed with their reasons."""

import re
from pathlib import Path

import pytest

from blindspots.config.paths import RECIPES, ROOT
from blindspots.config.yaml_files import read_yaml

COMMIT = re.compile(r"[0-9a-f]{40}")
HUB_ID = re.compile(r"(?!outputs/|results/|recipes/)[\w.-]+/[\w.-]+(@[\w./-]+)?")
EXCEPTIONS = {
    ("audits/lingnli", "dataset"): "no commit of this repo is known; the audit records the content's hash",
    ("audits/lingnli", "hans"): "the branch that holds HANS's parquet; its test set checks the rows' hash",
    ("audits/supergen", "hans"): "as above",
    ("audits/wanli", "hans"): "as above",
    ("llama2-7b/audit", "hans"): "as above",
    ("llama2-7b-fast/audit", "hans"): "as above",
    ("smollm2-135m-fewgen/prepare", "also tasksource/lingnli"): "as for the audit of the same set",
    ("smollm2-135m-generators/audit", "hans"): "as for the other audits",
    ("smollm2-135m-generators/first", "external lingnli"): "as for the audit of the same set",
    ("smollm2-135m-generators/grid", "external lingnli"): "as for the audit of the same set",
    ("smollm2-135m/audit", "hans"): "as above",
    ("test_sets/hans", "dataset"): "as above",
    ("test_sets/med", "dataset"): "no commit of this repo is known",
}


def hub_ids(values: dict) -> dict[str, tuple[str, str | None]]:
    """The Hub ids of a recipe by key, with the revision that goes with each."""
    named = {key: value for key, value in values.items() if isinstance(value, str) and HUB_ID.fullmatch(value)}
    external = (values.get("external") or {}).items()
    named |= {f"external {name}": value for name, value in external if HUB_ID.fullmatch(value)}
    named |= {f"also {name}": name for name in values.get("also") or []}
    revisions = {"model_name_or_path": "model_revision", "train_dataset": "train_revision"}
    revisions |= {"dataset": "dataset_revision"}
    if "split" in values:  # the file of a test set
        revisions["dataset"] = "revision"
    return {
        key: (value.split("@")[0], value.partition("@")[2] or values.get(revisions.get(key, f"{key}_revision")))
        for key, value in named.items()
    }


def where(file: Path) -> str:
    return file.relative_to(RECIPES).with_suffix("").as_posix()


def test_a_branch_or_nothing_is_found_to_be_no_pin():
    values = {"mnli": "org/mnli", "mnli_revision": "main", "external": {"a": "org/a"}, "output_dir": "outputs/x"}
    assert hub_ids(values) == {"mnli": ("org/mnli", "main"), "external a": ("org/a", None)}


@pytest.mark.parametrize("file", sorted(RECIPES.glob("*/*.yaml")), ids=where)
def test_revisions_are_commits(file):
    for key, (name, revision) in hub_ids(read_yaml(file)).items():
        if (where(file), key) not in EXCEPTIONS:
            pinned = COMMIT.fullmatch(revision or "")
            assert pinned, f"{file.relative_to(ROOT)}: {key} {name} at {revision}"


def test_no_exception_is_out_of_date():
    found = {
        (where(file), key)
        for file in RECIPES.glob("*/*.yaml")
        for key, (_, revision) in hub_ids(read_yaml(file)).items()
        if not (revision and COMMIT.fullmatch(revision))
    }
    assert found == set(EXCEPTIONS)
