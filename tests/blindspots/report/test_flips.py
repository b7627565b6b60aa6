"""Rows that T and T^D predict differently."""

import dataclasses

import pandas as pd
import pytest

from blindspots.config.errors import UserError
from blindspots.config.paths import PAPER_POINTS
from blindspots.report.collect import read_grid
from blindspots.report.flips import SHOWN, flips, shown_examples, texts
from blindspots.report.kept import write_lines
from blindspots.report.points import read_points

CELL = "n0-synthetic-n60-s0"


@pytest.fixture
def recipe(make_grid):
    return make_grid(starts=[0], sizes=[60])


def write_hans(folder, rows: int):
    """A HANS-like dataset whose ids are those of made_grid's rows."""
    file = folder / "data" / "validation-00000-of-00001.parquet"
    file.parent.mkdir(parents=True)
    frame = pd.DataFrame({"premise": [f"premise {i} ." for i in range(rows)]})
    frame = frame.assign(hypothesis="a .", label="entailment", heuristic="lexical_overlap", subcase="x")
    frame.to_parquet(file)


def test_rows_lost_and_won_account_for_the_change_in_accuracy(recipe):
    grid = read_grid(recipe)
    found = flips(grid, CELL, {})
    assert found["start"] == "n0-s0"
    for metric in ("mnli_matched", "hans", "hans_lo_non_entailment"):
        change = grid.models.at[CELL, metric] - grid.models.at["n0-s0", metric]
        assert (found[metric]["won"] - found[metric]["lost"]) / found[metric]["rows"] == pytest.approx(change)
    assert found["hans_lo_non_entailment"]["rows"] == 10


def test_examples_are_of_both_directions_and_at_most_so_many(recipe):
    found = flips(read_grid(recipe), CELL, {})["mnli_matched"]
    right = lambda row, when: row[when] == row["gold"]  # noqa: E731
    lost = [row for row in found["examples"] if right(row, "before")]
    won = [row for row in found["examples"] if right(row, "after")]
    assert len(lost) == min(SHOWN, found["lost"])
    assert len(won) == min(SHOWN, found["won"])
    assert not any(right(row, "before") and right(row, "after") for row in found["examples"])


def test_a_start_and_a_model_without_its_start_have_none(recipe):
    grid = read_grid(recipe)
    assert flips(grid, "n0-s0", {}) is None
    grid.models = grid.models.drop("n0-s0")
    assert flips(grid, CELL, {}) is None


def test_points_have_none():
    grid = read_points(PAPER_POINTS)
    assert flips(grid, "n0-original-n18020-s0", {}) is None


def test_texts_are_shown_where_the_test_set_is_named(recipe, tmp_path):
    write_hans(tmp_path / "hans", 60)
    recipe.hans, recipe.hans_expected_rows = str(tmp_path / "hans"), 60
    grid = read_grid(recipe)
    words = texts(recipe, grid)
    found = flips(grid, CELL, words)
    assert found["hans_lo_non_entailment"]["examples"]
    for row in found["hans_lo_non_entailment"]["examples"]:
        assert row["premise"] == f"premise {row['id'].removeprefix('ex')} ."
    assert all("premise" not in row for row in found["mnli_matched"]["examples"])
    kept = shown_examples({CELL: found, "n0-s0": None})
    sides = [found[f"hans_lo_{side}"]["examples"] for side in ("non_entailment", "entailment")]
    assert {row["id"] for row in kept} == {row["id"] for side in sides for row in side}


def test_a_set_with_headline_slices_has_its_examples_there(recipe):
    found = flips(read_grid(recipe), CELL, {})
    assert found["hans"]["lost"] + found["hans"]["won"] > 0
    assert found["hans"]["examples"] == []


def test_a_named_set_without_the_predicted_rows(recipe, tmp_path):
    write_hans(tmp_path / "hans", 50)
    recipe.hans, recipe.hans_expected_rows = str(tmp_path / "hans"), 50
    with pytest.raises(UserError, match="10 rows of hans"):
        texts(recipe, read_grid(recipe))


def test_a_named_set_goes_before_the_texts_of_a_kept_report(recipe, tmp_path):
    lines = [
        {"test_set": name, "id": "ex0", "premise": "kept .", "hypothesis": "b ."} for name in ("hans", "mnli_matched")
    ]
    write_lines(tmp_path / "examples.jsonl", lines)
    write_hans(tmp_path / "hans", 60)
    recipe.hans, recipe.hans_expected_rows, recipe.kept = str(tmp_path / "hans"), 60, str(tmp_path)
    words = texts(recipe, read_grid(dataclasses.replace(recipe, kept=None)))
    assert words["hans"].loc["ex0", "premise"] == "premise 0 ."
    assert words["mnli_matched"].loc["ex0", "premise"] == "kept ."
