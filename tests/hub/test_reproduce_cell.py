"""A stranger reproduces a cell of a released grid: from the Hub alone, with a fresh cache, on another port."""

import json
import re
import shutil
import sys
from pathlib import Path

import pytest

from .conftest import RELEASE
from .local_hub import SCRIPTS, LocalHub
from .tiny_grid import CELL, KIND, SIZE, START

pytestmark = pytest.mark.hub

CHOICE = ("--start", START, "--kind", KIND, "--size", SIZE)
SIDES = tuple(f"hans_lo_{side}{what}" for what in ("", "_probability") for side in ("non_entailment", "entailment"))
METRICS = ("mnli_matched", "hans", *SIDES, "hans_rows_unlike", "mnli_matched_rows_unlike")


@pytest.fixture
def stranger(tiny_grid, tmp_path) -> Path:
    """A folder that holds the grid's recipe and nothing that was made from it."""
    (tmp_path / "stranger/recipes").mkdir(parents=True)
    shutil.copytree(tiny_grid / "recipes/demo", tmp_path / "stranger/recipes/demo")
    return tmp_path / "stranger"


def reproduce(hub: LocalHub, folder: Path, *words: object):
    choice = () if "--start" in words else CHOICE
    return hub.run(SCRIPTS / "reproduce_cell.py", "recipes/demo/grid.yaml", *choice, *RELEASE, *words, cwd=folder)


def table(stdout: str) -> dict[str, list[str]]:
    """metric -> ours, released, difference, tolerance, within, paper."""
    rows = [line.replace("no power", "powerless").split() for line in stdout.splitlines()]
    return {row[0]: row[1:] for row in rows if row and row[0] in METRICS}


def test_a_cell_is_tuned_again_from_the_hub_alone(released, stranger):
    done = reproduce(released, stranger)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = table(done.stdout)
    assert rows.keys() == set(METRICS)
    for ours, theirs, difference, tolerance, within, paper in rows.values():
        assert (ours, paper) == (theirs, "-")
        assert within == ("powerless" if float(tolerance) > 0.1 else "yes")
        assert float(difference) == 0
    assert "No power: in " in done.stdout
    lineage = json.loads((stranger / f"outputs/reproduced/demo-{CELL}/lineage.json").read_text())
    assert all(parent["name"].startswith("blindspots/") and parent["revision"] for parent in lineage["parents"])


def test_a_released_model_predicts_every_row_as_it_did(released, stranger):
    done = reproduce(released, stranger, "--from-release")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 rows are predicted differently" in done.stdout
    assert table(done.stdout).keys() == set(METRICS)
    assert not released.requests("POST")
    lineage = json.loads((stranger / f"outputs/reproduced/demo-{CELL}-evaluated/lineage.json").read_text())
    assert lineage["artifact_type"] == "predictions"


def test_other_predictions_than_the_released_ones_end_in_an_error(released, stranger):
    """The cell's model is exchanged for its start's under the same tag."""
    cell, start = (released.store.repo("models", f"blindspots/demo-models-{name}") for name in (CELL, f"n{START}-s0"))
    entry = start.tree(start.refs("tags")["v0.1"])["model.safetensors"]
    change = {"path": "model.safetensors", "oid": entry["sha256"], "size": entry["size"], "algo": "sha256"}
    moved = cell.push("main", [{"key": "header", "value": {"summary": "x"}}, {"key": "lfsFile", "value": change}], "x")
    cell.set_ref("tags", "v0.1", moved)
    done = reproduce(released, stranger, "--from-release")
    assert done.returncode == 1
    assert re.search(r"error: \d+ rows are predicted differently from the released predictions", done.stderr)


ALL_WRONG = """
import sys
from pathlib import Path

import pandas as pd

output = Path(sys.argv[-1].removeprefix("--output_dir="))
(output / "predictions").mkdir(parents=True)
for file in Path({folder!r}).glob("predictions/*.parquet"):
    rows = pd.read_parquet(file)
    entailed = rows["gold"] == "entailment"
    rows.assign(logit_entailment=(~entailed) * 9.0, logit_neutral=entailed * 9.0, logit_contradiction=-9.0).to_parquet(
        output / "predictions" / file.name
    )
"""


def test_a_cell_that_differs_by_more_than_the_released_seeds_do_is_exit_code_1(
    released, stranger, tiny_grid, tmp_path
):
    """In the place of the training stands a script whose model is wrong about every row."""
    (tmp_path / "all_wrong.py").write_text(ALL_WRONG.format(folder=str(tiny_grid / f"outputs/demo/models/{CELL}")))
    done = reproduce(released, stranger, "--launch", f"{sys.executable} {tmp_path / 'all_wrong.py'}")
    assert done.returncode == 1
    assert table(done.stdout)["hans"][4] == "no"
    assert re.search(r"error: Outside the tolerance: .*\bhans\b", done.stderr)


def test_an_input_whose_tag_was_moved_is_an_error_naming_both_commits(released, stranger):
    variant = released.store.repo("datasets", f"blindspots/demo-variants-{KIND}")
    pinned = variant.refs("tags")["v0.1"]
    moved = variant.push("main", [{"key": "header", "value": {"summary": "x"}}], author="someone")
    variant.set_ref("tags", "v0.1", moved)
    done = reproduce(released, stranger)
    assert done.returncode == 1
    assert pinned in done.stderr
    assert moved in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--start", 5, "--kind", KIND, "--size", SIZE), f"The grid has no start 5; it has {START}."),
        (("--start", START, "--kind", "x", "--size", SIZE), f"The grid has no kind x; it has {KIND}."),
        (("--seed", 7), "is not a model on the Hub"),
    ],
)
def test_a_cell_that_is_not_there_is_told(released, stranger, words, said):
    done = reproduce(released, stranger, *words)
    assert done.returncode in (1, 2)
    assert said in done.stderr
    assert "Traceback" not in done.stderr
