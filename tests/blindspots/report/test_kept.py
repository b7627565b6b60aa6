"""The kept form of predictions: compact, complete, refused where it is broken."""

import numpy as np
import pandas as pd
import pytest

from blindspots.config.errors import UserError
from blindspots.evaluation.scoring import read_predictions
from blindspots.report.collect import read_grid
from blindspots.report.kept import PARTS, Predictions, read_kept, read_lines


def test_labels_are_kept_whole_and_probabilities_in_thousandths(make_grid, folder_of, tmp_path):
    grid = read_grid(make_grid(starts=[0], sizes=[60]))
    grid.rows.write(tmp_path)
    kept = read_kept(tmp_path)
    assert kept.models() == grid.rows.models()
    for name in kept.models():
        rows = read_predictions(folder_of(name)).sort_values(["test_set", "id"]).reset_index(drop=True)
        again = kept.rows_of(name).sort_values(["test_set", "id"]).reset_index(drop=True)
        for column in ("test_set", "id", "gold", "prediction", "heuristic", "subcase", "genre", "cluster"):
            assert again[column].tolist() == rows[column].tolist()
        assert np.abs(again["entailment_score"] - rows["entailment_score"]).max() <= 0.5 / PARTS + 1e-9


def test_a_part_of_the_models_can_be_taken(make_grid):
    rows = read_grid(make_grid(starts=[0], sizes=[60])).rows
    assert rows.only(["n0-s0"]).models() == ["n0-s0"]


def test_no_models_write_no_file(tmp_path):
    Predictions().write(tmp_path)
    assert not list(tmp_path.iterdir())
    with pytest.raises(UserError, match=r"no predictions\.parquet"):
        read_kept(tmp_path)


@pytest.mark.parametrize("content", [b"", b"PAR1 and nothing"])
def test_a_broken_file_is_refused(tmp_path, content):
    (tmp_path / "predictions.parquet").write_bytes(content)
    with pytest.raises(UserError, match="broken"):
        read_kept(tmp_path)


def test_another_table_is_refused(tmp_path):
    pd.DataFrame({"a": [1]}).to_parquet(tmp_path / "predictions.parquet")
    with pytest.raises(UserError, match="has no column entailment; it has a"):
        read_kept(tmp_path)


def test_a_line_that_is_not_json_is_named(tmp_path):
    (tmp_path / "lineage.jsonl").write_text('{"model": null}\nnothing\n')
    with pytest.raises(UserError, match="line 2"):
        read_lines(tmp_path / "lineage.jsonl")
    assert read_lines(tmp_path / "none.jsonl") == []
