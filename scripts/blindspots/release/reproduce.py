"""One released cell against a second run of it: its pinned inputs, the tolerances, and the comparison."""

import itertools
import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from blindspots.artifacts.remote import download, tag_commit
from blindspots.config.analysis_recipes import ReproduceRecipe
from blindspots.config.errors import UserError
from blindspots.config.test_set_keys import test_set_keys
from blindspots.data.nli import ENTAILMENT
from blindspots.data.test_sets import ACCURACY, PROBABILITY, test_set
from blindspots.evaluation.scoring import LOGITS, read_predictions
from blindspots.grid import Cell, sets_of, start_config, start_of
from blindspots.report.points import read_points

# role of a parent in a task model's lineage -> the keys of finetune_task.py that name it and its revision
TRAINING_INPUTS = {
    "start": ("model_name_or_path", "model_revision"),
    "train": ("train_dataset", "train_revision"),
    "dev": ("dev_dataset", "dev_revision"),
}
# Half the paper's mean difference of LO-non-entailment: a check that such a difference passes can't fail where it
# should.
LARGE = 0.1
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


def released_predictions(recipe: ReproduceRecipe, model: str, cell: Cell) -> dict[int, Path]:
    """Folders with the predictions of a cell by seed, of those released replicates that differ from it in their seed
    alone: the same start rows, generator and augmentation sets."""
    made_from = lambda cell: (start_config(recipe, start_of(recipe, cell)), sets_of(recipe, cell))  # noqa: E731
    found = {}
    for seed in sorted({*recipe.seeds, cell.seed}):
        other = Cell(cell.start, seed, cell.kind, cell.size)
        name = f"{recipe.hub_namespace}/{model}-models-{other.name}"
        commit = tag_commit(name, recipe.hub_tag, "model") if made_from(other) == made_from(cell) else None
        if commit is not None:
            found[seed] = download(name, "model", commit, allow_patterns="predictions/*.parquet")
    return found


class Score(NamedTuple):
    """A number of a model: its value, the rows that it is a mean of, and their standard deviation."""

    value: float
    rows: int
    sd: float


def scores(predictions: pd.DataFrame) -> dict[str, Score]:
    """Accuracies, and mean probabilities of the right class on either side, by name.

    Args:
        predictions: from `read_predictions`.
    """
    found = {}
    for name in sorted(set(predictions["test_set"])):
        own = predictions[predictions["test_set"] == name]
        probability = own["entailment_score"].where(own["gold"] == ENTAILMENT, 1 - own["entailment_score"])
        values = {ACCURACY: own["prediction"].map(test_set(name).fold) == own["gold"], PROBABILITY: probability}
        for headline in (*test_set(name).shown, *test_set(name).measured):
            chosen = np.ones(len(own), dtype=bool)
            for column, value in headline.slice.items():
                chosen &= (own["gold" if column == "label" else column] == value).to_numpy()
            if headline.measure in values and chosen.any():
                part = values[headline.measure].to_numpy(dtype=float)[chosen]
                found[headline.name] = Score(float(part.mean()), len(part), float(part.std()))
    return found


def tolerance(released: list[Score]) -> float:
    """How far two runs of one cell may lie apart in a score; these are the released ones, the cell's own first.

    With several released seeds: t x sd x sqrt(2), the 95% interval of the difference of two seeds, Student's t of
    n - 1 degrees of freedom. With one, the seeds say nothing; it is the 95% sampling error of the difference of two
    means over the rows.
    """
    if len(released) > 1:
        values = [score.value for score in released]
        return float(stats.t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) * math.sqrt(2))
    return float(stats.norm.ppf(0.975) * released[0].sd / math.sqrt(released[0].rows) * math.sqrt(2))


def unlike(one: pd.DataFrame, other: pd.DataFrame, name: str) -> float:
    """Share of the rows of a test set that two runs predict differently. Raises UserError for different rows."""
    sides = [rows[rows["test_set"] == name].set_index("id")["prediction"].sort_index() for rows in (one, other)]
    if not sides[0].index.equals(sides[1].index):
        raise UserError(f"The predictions of {name} are of other rows than the released ones; they can't be compared.")
    return float((sides[0] != sides[1]).mean())


def unlike_tolerance(released: list[pd.DataFrame], name: str) -> float:
    """How large a share of rows two runs of one cell may predict differently: the 95% prediction limit of one more
    pair, from the pairs of released seeds. Infinite for fewer than three seeds, whose pairs have no spread."""
    if len(released) < 3:
        return math.inf
    shares = [unlike(one, other, name) for one, other in itertools.combinations(released, 2)]
    margin = stats.t.ppf(0.975, len(released) - 1) * np.std(shares, ddof=1) * math.sqrt(1 + 1 / len(shares))
    return float(np.mean(shares) + margin)


def paper_point(points: Path, cell: Cell) -> dict[str, float]:
    """The paper's accuracies of a cell, empty where its figure has no such point."""
    if not points.is_file():
        return {}
    grid = read_points(points)
    name = grid.name(cell.start, cell.kind, cell.size, 0)
    return {} if name is None else grid.models.loc[name, [metric.name for metric in grid.metrics]].to_dict()


def comparison(
    ours: Path, released: Path, by_seed: dict[int, Path], seed: int, paper: dict[str, float]
) -> pd.DataFrame:
    """One row per score, and per test set the share of rows that are predicted differently.

    Columns: ours, released, difference, tolerance, within (yes, no, or `no power` where a difference of LARGE would
    pass), paper (nan without a point).

    Args:
        ours, released: folders with predictions; `seed` is that of the released one.
        by_seed: folders with the predictions of the released seeds.
        paper: the paper's accuracies.

    Raises UserError where a folder holds no predictions, or those of other rows.
    """
    mine, theirs = read_predictions(ours), read_predictions(released)
    others = [read_predictions(folder) for other, folder in by_seed.items() if other != seed]
    own, *known = [scores(rows) for rows in (mine, theirs, *others)]
    rows = {
        name: (own[name].value, known[0][name].value, tolerance([found[name] for found in known if name in found]))
        for name in known[0]
        if name in own
    }
    for name in sorted(set(mine["test_set"]) & set(theirs["test_set"])):
        rows[f"{name}_rows_unlike"] = unlike(mine, theirs, name), 0.0, unlike_tolerance([theirs, *others], name)
    table = pd.DataFrame.from_dict(rows, orient="index", columns=["ours", "released", "tolerance"])
    table.insert(2, "difference", table["ours"] - table["released"])
    passes = np.where(table["tolerance"] > LARGE, "no power", "yes")
    table["within"] = np.where(table["difference"].abs() <= table["tolerance"], passes, "no")
    return table.assign(paper=[paper.get(name, math.nan) for name in table.index])


def differing_rows(ours: Path, released: Path) -> tuple[int, float]:
    """How many rows two artifacts predict differently, and the largest difference of a logit.

    Raises UserError where they did not predict the same rows.
    """
    one, other = (read_predictions(folder).set_index(["test_set", "id"]).sort_index() for folder in (ours, released))
    if not one.index.equals(other.index):
        raise UserError(f"{ours} and {released} hold predictions of other rows; nothing can be compared.")
    different = int((one["prediction"] != other["prediction"]).sum())
    return different, float(np.abs(one[LOGITS].to_numpy() - other[LOGITS].to_numpy()).max())
