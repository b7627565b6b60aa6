"""One released cell against a second run of it: its pinned inputs, the tolerance, and the comparison."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from blindspots.artifacts.remote import remote_lineage, tag_commit
from blindspots.config.errors import UserError
from blindspots.config.recipes import ReproduceRecipe
from blindspots.config.test_set_keys import test_set_keys
from blindspots.evaluation.prediction import LOGITS, read_predictions, score, score_rows
from blindspots.evaluation.statistics import wilson
from blindspots.grid import Cell
from blindspots.report.collect import read_points

# role of a parent in a task model's lineage -> the keys of finetune_task.py that name it and its revision
TRAINING_INPUTS = {
    "start": ("model_name_or_path", "model_revision"),
    "train": ("train_dataset", "train_revision"),
    "dev": ("dev_dataset", "dev_revision"),
}
TEST_INPUTS = {name: (key, f"{key}_revision") for name, key in test_set_keys().items()}


def pinned_inputs(lineage: dict[str, Any], inputs: dict[str, tuple[str, str]]) -> dict[str, str]:
    """The inputs of a released model as keys of the scripts, each at the commit that the model was made from.

    Args:
        inputs: TRAINING_INPUTS or TEST_INPUTS or both.

    Raises UserError for an input that was never pushed, and for one whose tag has moved since, naming both commits.
    """
    keys = {}
    for parent in lineage["parents"]:
        if parent["role"] not in inputs:
            continue
        if parent["revision"] is None:
            raise UserError(f"{lineage['artifact']} was released without its {parent['role']}, {parent['name']}.")
        now = tag_commit(parent["name"], parent["tag"], parent["repo_type"]) if parent.get("tag") else None
        if parent.get("tag") and now != parent["revision"]:
            raise UserError(
                f"{lineage['artifact']} was made from {parent['name']}@{parent['tag']} at {parent['revision']}, which "
                f"is now at {now}: the tag was moved. Ask the owner of the release which one is right."
            )
        # With its commit in the name it is a repo, whatever folders there are here.
        pinned = f"{parent['name']}@{parent['revision']}"
        keys |= dict(zip(inputs[parent["role"]], (pinned, parent["revision"])))
    return keys


def released_results(recipe: ReproduceRecipe, model: str, cell: Cell) -> dict[int, dict[str, Any]]:
    """The results of a cell by seed, of those seeds of the grid that were released."""
    found = {}
    for seed in sorted({*recipe.seeds, cell.seed}):
        name = f"{recipe.hub_namespace}/{model}-models-{Cell(cell.start, seed, cell.kind, cell.size).name}"
        commit = tag_commit(name, recipe.hub_tag, "model")
        lineage = remote_lineage(name, commit, "model") if commit else None
        if lineage is not None:
            found[seed] = lineage["results"]
    return found


def headlines(results: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The headlines of a model's results by name."""
    return {headline["name"]: headline for headline in results.get("headlines", [])}


def rows_of(headline: dict[str, Any], predictions: pd.DataFrame) -> int:
    """How many predicted rows a headline counts: those of its test set, and of its slice where it has one.

    Raises UserError where the predictions have none of them.
    """
    chosen = predictions["test_set"] == headline["test_set"]
    for column, value in headline["slice"].items():
        column = "gold" if column == "label" else column
        chosen &= predictions[column] == value if column in predictions else False
    if not chosen.any():
        raise UserError(f"The released predictions have no row of {headline['name']}, so that it can't be compared.")
    return int(chosen.sum())


def tolerance(headline: dict[str, Any], by_seed: dict[int, dict[str, Any]], predictions: pd.DataFrame) -> float:
    """How far two runs of one cell may lie apart in a headline.

    With several released seeds: t x sd x sqrt(2), the 95% interval of the difference of two seeds, Student's t of
    n - 1 degrees of freedom. With one, the seeds say nothing; it is the 95% sampling error of the difference of two
    accuracies over the test set's rows: half of Wilson's interval x sqrt(2).
    """
    name = headline["name"]
    values = [headlines(results)[name]["accuracy"] for results in by_seed.values() if name in headlines(results)]
    if len(values) > 1:
        return float(stats.t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) * math.sqrt(2))
    rows = rows_of(headline, predictions)
    interval = wilson(round(headline["accuracy"] * rows), rows)
    return (interval.high - interval.low) / 2 * math.sqrt(2)


def paper_point(points: Path, cell: Cell) -> dict[str, float]:
    """The paper's accuracies of a cell, empty where its figure has no such point."""
    if not points.is_file():
        return {}
    grid = read_points(points)
    name = grid.name(cell.start, cell.kind, cell.size, 0)
    return {} if name is None else grid.models.loc[name, [metric.name for metric in grid.metrics]].to_dict()


def comparison(
    ours: Path, released: Path, by_seed: dict[int, dict[str, Any]], paper: dict[str, float]
) -> pd.DataFrame:
    """One row per headline: ours, released, difference, tolerance, within, paper (nan where there is no point).

    Args:
        ours, released: folders with predictions.
        by_seed: results of the released seeds.
        paper: the paper's accuracies.

    Raises UserError where a folder holds no predictions or a headline has no rows there.
    """
    rows, mine, predictions = {}, headlines(score(ours)), read_predictions(released)
    for name, headline in headlines(score_rows(predictions)).items():
        if name not in mine:
            continue
        difference = mine[name]["accuracy"] - headline["accuracy"]
        allowed = tolerance(headline, by_seed, predictions)
        rows[name] = {
            "ours": mine[name]["accuracy"],
            "released": headline["accuracy"],
            "difference": difference,
            "tolerance": allowed,
            "within": "yes" if abs(difference) <= allowed else "no",
            "paper": paper.get(name, math.nan),
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def differing_rows(ours: Path, released: Path) -> tuple[int, float]:
    """How many rows two artifacts predict differently, and the largest difference of a logit.

    Raises UserError where they did not predict the same rows.
    """
    one, other = (read_predictions(folder).set_index(["test_set", "id"]).sort_index() for folder in (ours, released))
    if not one.index.equals(other.index):
        raise UserError(f"{ours} and {released} hold predictions of other rows; nothing can be compared.")
    different = int((one["prediction"] != other["prediction"]).sum())
    return different, float(np.abs(one[LOGITS].to_numpy() - other[LOGITS].to_numpy()).max())
