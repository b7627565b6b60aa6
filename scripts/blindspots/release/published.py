"""Runs that differ in their seed, against published means and standard deviations over seeds."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from scipy import stats

from blindspots.artifacts.lineage import without_placement
from blindspots.artifacts.names import LINEAGE, read_lineage
from blindspots.config.errors import RecipeError, UserError
from blindspots.data.test_sets import test_set
from blindspots.evaluation.scoring import read_predictions
from blindspots.release.reproduce import LARGE, scores

# Keys in which runs of one experiment may differ.
SEEDS = ("seed", "data_seed")
CONFIDENCE = 0.95


class Published(NamedTuple):
    """A score over seeds: mean, standard deviation (n - 1) and number of runs."""

    mean: float
    sd: float
    runs: int


def published_scores(values: Mapping[str, Any], runs: int) -> dict[str, Published]:
    """The scores of a recipe by name. Raises RecipeError for one that is not a share with its standard deviation."""
    found = {}
    for name, score in values.items():
        numbers = [score.get(key) for key in ("mean", "sd")] if isinstance(score, dict) else []
        if not numbers or not all(isinstance(number, float) and 0 <= number <= 1 for number in numbers):
            raise RecipeError(f"scores: {name} wants a mean and an sd from 0 to 1.")
        found[name] = Published(*numbers, runs)
    return found


def read_runs(folder: Path, published: Mapping[str, Published]) -> pd.DataFrame:
    """The published scores of each model below a folder, a row a model.

    Raises UserError where there are fewer than two models, where they differ in more than their seed or share one,
    and where one predicted another number of rows than the test sets have.
    """
    folders = sorted(file.parent for file in folder.glob(f"*/{LINEAGE}"))
    if len(folders) < 2:
        raise UserError(f"{folder} holds {len(folders)} models; a mean over seeds needs two or more.")
    _require_seeds(folders)
    rows = {}
    for model in folders:
        predictions = read_predictions(model)
        for name, part in predictions.groupby("test_set"):
            if len(part) != test_set(name).rows:
                raise UserError(f"{model} predicted {len(part)} rows of {name}, which has {test_set(name).rows}.")
        known = scores(predictions)
        missing = sorted(set(published) - set(known))
        if missing:
            raise UserError(f"{model} has no {missing[0]}; evaluate it on that test set.")
        rows[model.name] = {name: known[name].value for name in published}
    return pd.DataFrame.from_dict(rows, orient="index")


def _require_seeds(folders: list[Path]) -> None:
    recipes = [without_placement(read_lineage(folder).get("recipe") or {}) for folder in folders]
    for folder, recipe in zip(folders, recipes):
        keys = sorted({*recipe, *recipes[0]} - set(SEEDS))
        unlike = [key for key in keys if recipe.get(key) != recipes[0].get(key)]
        if unlike:
            raise UserError(f"{folder} and {folders[0]} differ in {unlike[0]}; runs may differ in their seed alone.")
    seeds = [tuple(recipe.get(key) for key in SEEDS) for recipe in recipes]
    if len(set(seeds)) < len(seeds):
        raise UserError(f"Two models of {folders[0].parent} have one seed; they are one run.")


def compare(runs: pd.DataFrame, published: Mapping[str, Published]) -> pd.DataFrame:
    """One row a score: both means and standard deviations, and the interval of the difference of the means.

    The interval is Welch's, at 95% for all scores together (Bonferroni). within: `no` where it leaves out zero,
    `no power` where it is so wide that a difference of LARGE would pass, else `yes`.
    """
    table = {}
    for name, theirs in published.items():
        ours = runs[name]
        errors = [ours.var() / len(ours), theirs.sd**2 / theirs.runs]
        half = 0.0
        if sum(errors) > 0:
            freedom = sum(errors) ** 2 / (errors[0] ** 2 / (len(ours) - 1) + errors[1] ** 2 / (theirs.runs - 1))
            half = stats.t.ppf(1 - (1 - CONFIDENCE) / 2 / len(published), freedom) * math.sqrt(sum(errors))
        difference = ours.mean() - theirs.mean
        within = "no" if abs(difference) > half else "no power" if half > LARGE else "yes"
        table[name] = (ours.mean(), ours.std(), theirs.mean, theirs.sd, difference - half, difference + half, within)
    columns = ["ours", "sd", "published", "published sd", "low", "high", "within"]
    return pd.DataFrame.from_dict(table, orient="index", columns=columns)
