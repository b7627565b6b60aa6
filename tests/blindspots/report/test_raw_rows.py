"""Rows of the raw data on the page of a report: drawn by label, kept, and shown as text."""

import dataclasses
import json
from pathlib import Path

import pandas as pd
import pytest
from datasets import Dataset
from rendered import HOSTILE
from test_table1 import dataset

from blindspots.config.errors import UserError
from blindspots.report.collect import read_grid
from blindspots.report.raw_rows import RAW_ROWS, raw_rows, read_raw_rows
from blindspots.report.write import write_report


@pytest.fixture
def written() -> dict[str, Dataset]:
    pairs = [(f"premise {i}", f"hypothesis {i}", i % 3) for i in range(30)]
    return {"g0": dataset(pairs), "g1": dataset(pairs[:7])}


def test_as_many_rows_of_each_label_are_drawn_from_each_generator_or_all_there_are(written):
    drawn = pd.DataFrame(raw_rows(written, 4))
    counts = drawn.groupby(["generator", "label"]).size().to_dict()
    assert counts == {
        ("g0", "entailment"): 4,
        ("g0", "neutral"): 4,
        ("g0", "contradiction"): 4,
        ("g1", "entailment"): 3,
        ("g1", "neutral"): 2,
        ("g1", "contradiction"): 2,
    }
    assert not drawn.duplicated().any()
    numbers = drawn["premise"].str.removeprefix("premise ").astype(int)
    assert (drawn["hypothesis"] == "hypothesis " + numbers.astype(str)).all()
    assert (drawn["label"] == numbers.map(lambda number: ("entailment", "neutral", "contradiction")[number % 3])).all()


def test_a_seed_draws_the_same_rows_and_another_seed_others(written):
    assert raw_rows(written, 4) == raw_rows(written, 4) != raw_rows(written, 4, seed=1)
    assert raw_rows(written, 0) == []


def test_the_page_shows_them_and_a_kept_report_shows_them_again(make_grid, written, tmp_path):
    recipe = make_grid(starts=[0], sizes=[60])
    rows = [*raw_rows(written, 2), dict.fromkeys(("generator", "label", "premise", "hypothesis"), HOSTILE)]
    write_report(recipe, read_grid(recipe), None, rows)
    first = Path(recipe.output_dir)
    page = (first / "index.html").read_text()
    assert "Rows that g0 wrote: 6, drawn at random" in page
    assert all(row["premise"] in page for row in rows[:-1])
    assert "<img src=http" not in page
    again = dataclasses.replace(recipe, models=None, kept=str(first), output_dir=str(tmp_path / "again"))
    write_report(again, read_grid(again), None, read_raw_rows(first))
    for name in ("index.html", RAW_ROWS):
        assert (tmp_path / "again" / name).read_bytes() == (first / name).read_bytes()


@pytest.mark.parametrize(
    "row", [{"generator": "g0"}, {"generator": "g0", "label": 0, "premise": "", "hypothesis": ""}]
)
def test_a_kept_line_that_is_no_such_row_is_named(tmp_path, row):
    (tmp_path / RAW_ROWS).write_text(json.dumps(row))
    with pytest.raises(UserError, match=r"raw_rows\.jsonl, line 1 needs the texts generator, label"):
        read_raw_rows(tmp_path)
    assert read_raw_rows(tmp_path / "nothing") == []
