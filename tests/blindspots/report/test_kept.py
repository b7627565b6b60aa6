"""The kept form of predictions: compact, complete, refused where it is broken."""

import numpy as np
import pandas as pd
import pytest

from blindspots.config.errors import UserError
from blindspots.evaluation.scoring import read_predictions
from blindspots.report.collect import read_grid
from blindspots.report.kept import PARTS, Predictions, joined_lineages, read_kept, read_lines


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


def lineage(name: str, content: str, weights: str = "", model: str | None = None, parents=()) -> dict:
    """What lineage.jsonl holds of an artifact; parents: name and content of each."""
    files = {"model.safetensors": {"sha256": weights}, "tokenizer_config.json": {"sha256": content}} if weights else {}
    parents = [{"role": "train", "artifact": parent, "content_sha256": of} for parent, of in parents]
    return {"model": model, "artifact": name, "content_sha256": content, "files": files, "parents": parents}


def test_each_lineage_is_there_once_and_of_a_model_the_folders():
    start, pool = lineage("start", "b", "w", "n0-s0"), lineage("pool", "c")
    earlier = [lineage("start", "a", "w", "n0-s0"), lineage("other", "d", "v", "n0-s1"), pool]
    assert joined_lineages([start, pool], earlier, "both") == [start, pool, earlier[1]]


def test_artifacts_with_the_same_weights_are_the_same_whatever_their_other_files():
    lines, earlier = [lineage("generator", "a", "w")], [lineage("generator", "b", "w")]
    assert joined_lineages(lines, earlier, "both") == [*lines, *earlier]


@pytest.mark.parametrize(
    ("line", "earlier"),
    [
        (lineage("pool", "a", "w"), lineage("pool", "b", "v")),
        (lineage("pool", "a"), lineage("pool", "b")),
        (lineage("pool", "a", "w"), lineage("set", "c", "v", parents=[("pool", "b")])),
        (lineage("set", "c", "v", parents=[("pool", "a")]), lineage("other", "d", "u", parents=[("pool", "b")])),
    ],
)
def test_an_artifact_with_other_weights_or_rows_or_of_unknown_ones_is_refused(line, earlier):
    with pytest.raises(UserError, match="pool does not have the same weights or rows in both"):
        joined_lineages([line], [earlier], "both")
