"""The report's files: complete, written whole, equal for equal input."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blindspots.config.errors import UserError
from blindspots.report.collect import read_grid
from blindspots.report.write import replaced_whole, write_json, write_report


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_all_files_and_the_same_bytes_again(make_grid):
    recipe = make_grid(seeds=[0, 1], starts=[0], sizes=[60])
    grid = read_grid(recipe)
    write_report(recipe, grid, None)
    first = files(Path(recipe.output_dir))
    expected = "results.json claims.json claims.md verdicts.md index.html README.md cells/n0-s0.json grid.csv grid.md"
    expected += " grid.tex figure1.png figure1.svg subcases.png learning_curve.png seed_spread.png"
    assert set(expected.split()) <= set(first)
    write_report(recipe, grid, None)
    assert files(Path(recipe.output_dir)) == first


def test_results_name_rows_hardware_wall_time_and_lineage(make_grid):
    recipe = make_grid(starts=[0], sizes=[60], leave_out=["n0-synthetic-n60-s0"])
    write_report(recipe, read_grid(recipe), None)
    results = json.loads((Path(recipe.output_dir) / "results.json").read_text())
    assert results["missing"] == ["n0-synthetic-n60-s0"]
    assert [entry["model"] for entry in results["models"]] == [
        "n0-s0",
        "n0-original-n60-s0",
        "n0-biased_synthetic-n60-s0",
    ]
    entry = results["models"][0]
    assert entry["rows"] == {"hans": 60, "mnli_matched": 30}
    assert (entry["hardware"], entry["wall_time_s"], entry["trained_on_rows"]) == ({"cpu": "made"}, 1.5, 60)
    assert len(entry["lineage_sha256"]) == len(entry["content_sha256"]) == 64


PLAIN = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()


@given(st.recursive(PLAIN, lambda part: st.lists(part) | st.dictionaries(st.text(), part), max_leaves=20))
def test_json_is_read_as_it_was_written(tmp_path_factory, value):
    file = tmp_path_factory.getbasetemp() / "value.json"
    write_json(file, value)
    assert json.loads(file.read_text(encoding="utf-8")) == value


def test_an_object_of_plain_values_is_one_line(tmp_path):
    write_json(tmp_path / "x.json", {"slices": [{"n": 1, "low": float("nan")}, {"n": 2, "low": 0.5}]})
    assert (tmp_path / "x.json").read_text().splitlines()[2:4] == [
        '  {"n": 1, "low": null},',
        '  {"n": 2, "low": 0.5}',
    ]


def test_an_empty_grid_gives_a_report_that_says_so(make_grid):
    recipe = make_grid(starts=[0], kinds=["original"], sizes=[60], leave_out=["n0-s0", "n0-original-n60-s0"])
    write_report(recipe, read_grid(recipe), None)
    page = (Path(recipe.output_dir) / "index.html").read_text()
    assert "0 models; 2 of the grid are missing" in page


def test_an_error_leaves_the_old_report_whole(tmp_path):
    folder = tmp_path / "report"
    with replaced_whole(folder) as new:
        (new / "results.json").write_text("old")

    def fail():
        with replaced_whole(folder) as new:
            (new / "results.json").write_text("half")
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk"):
        fail()
    assert (folder / "results.json").read_text() == "old"


def test_a_folder_of_other_files_is_not_replaced(tmp_path):
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "thesis.txt").write_text("years of work")
    with pytest.raises(UserError, match="no report"), replaced_whole(tmp_path / "report"):
        pass
    with pytest.raises(UserError, match="is a file"), replaced_whole(tmp_path / "report" / "thesis.txt"):
        pass
    assert (tmp_path / "report" / "thesis.txt").read_text() == "years of work"


def test_what_an_interrupted_run_left_is_cleared(tmp_path):
    (tmp_path / ".report.work" / "new").mkdir(parents=True)
    (tmp_path / ".report.work" / "new" / "half.txt").write_text("")
    with replaced_whole(tmp_path / "report") as new:
        assert list(new.iterdir()) == []


def test_json_has_null_for_what_is_no_number(tmp_path):
    write_json(tmp_path / "x.json", {"a": [float("nan"), float("inf"), 1.5], "b": np.float64("nan")})
    assert json.loads((tmp_path / "x.json").read_text()) == {"a": [None, None, 1.5], "b": None}
