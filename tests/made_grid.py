"""Grids of tiny made predictions: 30 MNLI and 60 HANS rows per model."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from blindspots.config.analysis_recipes import ReportRecipe
from blindspots.data.heuristics import HEURISTICS
from blindspots.data.nli import LABELS
from blindspots.grid import Cell, cells, starts

AXES = {"starts": [0, 900], "kinds": ["original", "synthetic", "biased_synthetic"], "sizes": [60, 120, 240]}


def test_sets() -> dict[str, pd.DataFrame]:
    """Rows of both test sets without logits, in the columns of the predictions."""
    mnli = pd.DataFrame({"id": [f"m{i:02}" for i in range(30)], "gold": [LABELS[i % 3] for i in range(30)]})
    mnli = mnli.assign(heuristic="", subcase="", genre="letters", cluster=[str(i // 3) for i in range(30)])
    rows = [
        {"gold": label, "heuristic": heuristic, "subcase": f"{heuristic}_{label}_{case}"}
        for heuristic in HEURISTICS
        for label in ("entailment", "non-entailment")
        for case in range(2)
        for _ in range(5)
    ]
    hans = pd.DataFrame(rows).assign(genre="")
    hans["cluster"], hans["id"] = hans["subcase"], [f"ex{i}" for i in range(len(hans))]
    return {"mnli_matched": mnli, "hans": hans}


def write_model(folder: Path, right: float, rng: np.random.Generator, tests: dict[str, pd.DataFrame]) -> None:
    """A model folder whose rows are right with the given probability, with lineage and recipe."""
    (folder / "predictions").mkdir(parents=True)
    for name, rows in tests.items():
        gold = [LABELS.index("neutral" if label == "non-entailment" else label) for label in rows["gold"]]
        wrong = [0 if index else 1 for index in gold]
        chosen = np.where(rng.random(len(rows)) < right, gold, wrong)
        logits = rng.normal(size=(len(rows), 3)) * 0.1
        logits[np.arange(len(rows)), chosen] += 2
        columns = {f"logit_{label}": logits[:, i].astype(np.float32) for i, label in enumerate(LABELS)}
        rows.assign(**columns).to_parquet(folder / "predictions" / f"{name}.parquet")
    lineage = {
        "artifact": folder.name,
        "artifact_type": "task_model",
        "content_sha256": "0" * 64,
        "parents": [],
        "wall_time_s": 1.5,
        "hardware": {"cpu": "made"},
        "row_counts": {"trained on": 60},
        "recipe": {"learning_rate": 1e-3, "seed": 0, "output_dir": "somewhere"},
        "results": {},
        "files": {},
    }
    (folder / "lineage.json").write_text(json.dumps(lineage))


RIGHT = {None: 0.6, "original": 0.85, "synthetic": 0.75, "biased_synthetic": 0.3}


@pytest.fixture
def make_grid(tmp_path) -> Callable[..., ReportRecipe]:
    """make_grid(seeds=[0], leave_out=(), right=RIGHT, **axes) writes the models and returns the report's recipe."""

    def make(seeds=(0,), leave_out=(), right=RIGHT, **axes) -> ReportRecipe:
        recipe = ReportRecipe(
            **(AXES | axes), seeds=list(seeds), models=str(tmp_path / "models"), output_dir=str(tmp_path / "report")
        )
        (tmp_path / "models").mkdir()
        for number, cell in enumerate(starts(recipe) + cells(recipe)):
            if cell.name not in leave_out:
                folder = tmp_path / "models" / cell.name
                write_model(folder, right[cell.kind], np.random.default_rng(number), test_sets())
        return recipe

    return make


@pytest.fixture
def folder_of(tmp_path) -> Callable[[str], Path]:
    """The folder of a model that `make_grid` wrote."""
    return lambda name: tmp_path / "models" / Cell.from_name(name).name
