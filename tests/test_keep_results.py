"""What is kept of a grid: the report as it is, and every artifact's lineage without its results."""

import json

import pytest

from blindspots.config.errors import RecipeError


@pytest.fixture
def outputs(tmp_path, monkeypatch):
    """A grid with a report of its axes `seeds` and one model."""
    monkeypatch.chdir(tmp_path)
    report, model = tmp_path / "outputs/tiny/report_seeds", tmp_path / "outputs/tiny/models/n0-s0"
    for folder in (report / "cells", model):
        folder.mkdir(parents=True)
    (report / "results.json").write_text("{}")
    (report / "cells" / "n0-s0.json").write_text('{"hans": 0.5}')
    lineage = {
        "artifact": "tiny-models-n0-s0",
        "kind": "task_model",
        "parents": [],
        "results": {"hans": 0.5},
        "files": {},
    }
    (model / "lineage.json").write_text(json.dumps(lineage))
    return tmp_path


def test_the_report_and_the_lineages_are_kept(outputs, script):
    (outputs / "results/tiny/cells").mkdir(parents=True)
    (outputs / "results/tiny/cells/of-an-older-grid.json").write_text("{}")
    script("keep_results", "--model", "tiny", "--grid", "seeds")
    kept = {str(file.relative_to(outputs / "results/tiny")) for file in outputs.glob("results/tiny/**/*.json")}
    assert kept == {"results.json", "cells/n0-s0.json", "lineage/models-n0-s0.json"}
    lineage = json.loads((outputs / "results/tiny/lineage/models-n0-s0.json").read_text())
    assert (lineage["artifact"], "results" in lineage) == ("tiny-models-n0-s0", False)


def test_a_grid_without_a_report_is_told_and_what_was_kept_stays(outputs, script):
    script("keep_results", "--model", "tiny", "--grid", "seeds")
    with pytest.raises(RecipeError, match="run make grid MODEL=tiny GRID=grid"):
        script("keep_results", "--model", "tiny")
    assert (outputs / "results/tiny/results.json").is_file()
