"""The report's files: complete, written whole, equal for equal input."""

import dataclasses
import json
import shutil
from pathlib import Path

import pytest

from blindspots.config.errors import UserError
from blindspots.grid import cells, starts
from blindspots.report.collect import read_grid
from blindspots.report.kept import read_lines
from blindspots.report.write import write_report


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_all_files_and_the_same_bytes_again(make_grid):
    recipe = make_grid(seeds=[0, 1], starts=[0], sizes=[60])
    grid = read_grid(recipe)
    write_report(recipe, grid, None)
    first = files(Path(recipe.output_dir))
    expected = "report.yaml predictions.parquet lineage.jsonl claims.json claims.md findings.md index.html README.md"
    expected += (
        " both_sides.png grid.csv grid.tex comparisons.csv figure1.png figure1.svg subcases.png learning_curve.png"
    )
    assert set(expected.split()) | {"seed_spread.png"} == set(first)
    write_report(recipe, grid, None)
    assert files(Path(recipe.output_dir)) == first


def test_the_kept_form_gives_the_same_report(make_grid, tmp_path):
    recipe = make_grid(seeds=[0, 1], starts=[0], sizes=[60])
    write_report(recipe, read_grid(recipe), None)
    again = dataclasses.replace(recipe, models=None, kept=recipe.output_dir, output_dir=str(tmp_path / "again"))
    write_report(again, read_grid(again), None)
    assert files(tmp_path / "again") == files(Path(recipe.output_dir))


def test_a_grid_that_was_run_in_two_pieces_has_the_report_of_the_whole(make_grid, folder_of, tmp_path):
    recipe = make_grid(seeds=[0, 1, 2], starts=[0, 900], sizes=[60])
    write_report(recipe, read_grid(recipe), None)
    first = dataclasses.replace(recipe, seeds=[0, 2], output_dir=str(tmp_path / "first"))
    write_report(first, read_grid(first), None)
    for cell in starts(first) + cells(first):
        shutil.rmtree(folder_of(cell.name))
    both = dataclasses.replace(recipe, kept=first.output_dir, output_dir=str(tmp_path / "both"))
    write_report(both, read_grid(both), None)
    assert files(tmp_path / "both") == files(Path(recipe.output_dir))


def test_lineage_and_readme_say_what_was_measured_and_what_is_missing(make_grid):
    recipe = make_grid(starts=[0], sizes=[60], leave_out=["n0-synthetic-n60-s0"])
    write_report(recipe, read_grid(recipe), None)
    lines = read_lines(Path(recipe.output_dir) / "lineage.jsonl")
    assert [line["model"] for line in lines] == ["n0-s0", "n0-original-n60-s0", "n0-biased_synthetic-n60-s0"]
    entry = lines[0]
    assert (entry["hardware"], entry["wall_time_s"], entry["row_counts"]) == ({"cpu": "made"}, 1.5, {"trained on": 60})
    assert "results" not in entry
    text = (Path(recipe.output_dir) / "README.md").read_text()
    assert "3 models, seeds 0. Evaluated rows: 30 of MNLI matched, 60 of HANS." in text
    assert "Missing from the grid: 1 models." in text


def test_the_readme_names_the_code_of_interrupted_runs_too(make_grid):
    recipe = make_grid(starts=[0], sizes=[60])
    file = Path(recipe.models) / "n0-s0" / "lineage.json"
    lineage = json.loads(file.read_text()) | {"code_commit": "a" * 40}
    file.write_text(json.dumps(lineage | {"earlier_runs": [{"code_commit": "b" * 40, "wall_time_s": 1.0}]}))
    write_report(recipe, read_grid(recipe), None)
    assert f"commit None, {'a' * 12}, {'b' * 12}." in (Path(recipe.output_dir) / "README.md").read_text()


def test_an_empty_grid_gives_a_report_that_says_so(make_grid):
    recipe = make_grid(starts=[0], kinds=["original"], sizes=[60], leave_out=["n0-s0", "n0-original-n60-s0"])
    write_report(recipe, read_grid(recipe), None)
    page = (Path(recipe.output_dir) / "index.html").read_text()
    assert "0 models; 2 of the grid are missing" in page


def test_a_folder_of_other_files_is_not_replaced(make_grid):
    recipe = make_grid(starts=[0], sizes=[60])
    folder = Path(recipe.output_dir)
    folder.mkdir()
    (folder / "thesis.txt").write_text("years of work")
    with pytest.raises(UserError, match="not of a former report"):
        write_report(recipe, read_grid(recipe), None)
    assert (folder / "thesis.txt").read_text() == "years of work"
