"""Checks of a dataset: strange recipes and files are understood whole or refused; models' predictions are made up."""

import json
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from made_grid import test_sets as made_test_sets
from made_grid import write_model

from blindspots.config.analysis_recipes import CheckRecipe
from blindspots.config.parser import own_keys

from . import reading
from .damage import Bytes
from .data_files import columns, content_of
from .recipe_text import RECIPE, Edit, edits, means, read, text_of
from .running import OUT, Ending, attempt, scratch
from .test_data_files import files
from .test_recipes import names_in

SCRIPT = "check_dataset"
GIVEN = {
    "datasets": ["rows.jsonl"],
    "model": "demo",
    "starts": [39000],
    "size": 6,
    "looks": [2, 3],
    "headlines": ["mnli_matched"],
    "margin": 0.2,
    "audit": False,
}
# Keys of which a large number is a lot of work, and those that a check can't be told here.
HEAVY = frozenset(["size", "looks", "starts"])
LEFT_OUT = frozenset(["output_dir", "explain", "audit", "cores", "workflow_arguments", "hub_tag", "hub_namespace"])


def fake_workflow(recipe, grid, targets) -> None:
    """Stands in for snakemake: every model predicts the same."""
    for folder in (Path(target).parent for target in targets if "/models/" in target):
        if not folder.is_dir():
            write_model(folder, 0.8, np.random.default_rng(0), made_test_sets())


def checked(folder: Path, arguments: list[object], kind: str, words: list[str], right) -> None:
    """Run the script in a folder whose original rows are those of an undamaged file."""
    original = folder / "outputs/demo/mnli/data/train-00000-of-00001.parquet"
    original.parent.mkdir(parents=True)
    pd.DataFrame(columns(18)).to_parquet(original)
    with patch("blindspots.check.runs.run_workflow", fake_workflow):
        attempt(SCRIPT, kind, [*arguments, "--output_dir", OUT], folder, words, right)


def known_keys() -> dict:
    return {name: key for name, key in own_keys(CheckRecipe).items() if name not in LEFT_OUT}


@pytest.mark.slow
@settings(max_examples=80, suppress_health_check=list(HealthCheck))
@given(changes=edits(GIVEN, known_keys(), HEAVY))
def test_a_recipe_of_a_check_is_followed_or_refused(changes):
    check_recipe(changes)


def check_recipe(changes: list[Edit | Bytes]) -> None:
    content = text_of(GIVEN, changes)
    keys = [edit.key for edit in changes if isinstance(edit, Edit) if edit.key]
    words = [RECIPE, *known_keys(), *names_in(content), *keys, "rows", "recipes/", "The test set has no row"]

    def right(out: Path, ending: Ending) -> None:
        verdict = json.loads((out / "verdict.json").read_text("utf-8"))
        for key, value in read(content).items():
            found = verdict["recipe"].get(key)
            assert means(value, found), f"{key}: {value!r} became {found!r}"
        assert verdict["verdict"] == "does not harm"

    with scratch() as folder:
        (folder / "rows.jsonl").write_bytes(content_of(columns(18), "jsonl"))
        (folder / RECIPE).write_bytes(content)
        checked(folder, [RECIPE], "recipe", words, right)


@pytest.mark.slow
@settings(max_examples=120, suppress_health_check=list(HealthCheck))
@given(case=files())
def test_a_file_is_checked_whole_or_refused(case):
    check_file(case)


def check_file(case: tuple) -> None:
    ending, (tables, damage) = case
    table = columns(18)
    for change in tables:
        table = change(table)
    content = content_of(table, ending)
    if content is None:
        return
    with scratch() as folder:
        file = folder / f"rows.{ending}"
        file.write_bytes(damage(content) if damage else content)
        (folder / RECIPE).write_bytes(text_of({key: value for key, value in GIVEN.items() if key != "datasets"}, []))

        def right(out: Path, ending: Ending) -> None:
            (copy,) = folder.glob("outputs/demo-check-n6/sets/*/data/*.parquet")
            assert reading.artifact_pairs(copy) == reading.labelled(reading.pairs(reading.records(file)))

        checked(folder, [RECIPE, file.name], f"data file, {ending}", ["rows", "A set of", "size"], right)


@pytest.mark.parametrize("ending", ["jsonl", "parquet", "tsv.gz"])
def test_an_undamaged_file_is_checked_whole(ending):
    check_file((ending, ([], None)))


def test_an_undamaged_recipe_is_followed():
    check_recipe([])
