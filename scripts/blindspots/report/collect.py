"""The models of a grid with their scores and predicted rows, from artifact folders or from digitised points."""

import difflib
import json
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from blindspots.errors import RecipeError, UserError
from blindspots.grid import Cell, cells, starts
from blindspots.nli import LABELS, fold_for_hans
from blindspots.prediction import read_predictions, score
from blindspots.recipes import KINDS, GridRecipe, ReportRecipe

START = "start"
MNLI, HANS, LO_NE = METRICS = ("mnli_matched", "hans", "hans_lo_non_entailment")
METRIC_NAMES = {MNLI: "MNLI matched", HANS: "HANS", LO_NE: "HANS LO-non-entailment"}
AUROCS = {f"auroc_{name}": name for name in ("lexical_overlap", "subsequence", "constituent")}
POINT_KINDS = {"none": START, "original": "original", "synthetic": "synthetic", "synthetic-biased": "biased_synthetic"}
POINT_COLUMNS = {
    "starting_train_size": "start",
    "augmentation_data": "kind",
    "augmentation_train_size": "size",
    MNLI: MNLI,
    HANS: HANS,
    "hans_lo_nonent": LO_NE,
}
KEY = ["start", "kind", "size", "seed"]
DTYPES = {"start": int, "size": int, "seed": int, **dict.fromkeys([*METRICS, *AUROCS], float)}


@dataclass
class Grid:
    """What is there of a grid.

    models: one row a model, indexed by name: start, kind (`start` for a start), size (0 for a start), seed, METRICS,
        AUROCS; a metric that was not evaluated is nan.
    tests: by test set, the rows that every model predicted: id, gold, heuristic, subcase, genre, cluster. Empty for
        digitised points.
    predicted: by (model, test set), index in LABELS of each row's prediction, shape [rows], int8.
    right: by the same, whether it is the gold label, on HANS by the folded labels; shape [rows], bool.
    results, lineages, recipes: by model, of `prediction.score`, lineage.json and recipe.yaml.
    missing, others: models of the axes that are not there; models that are there but not of the axes.
    """

    models: pd.DataFrame
    tests: dict[str, pd.DataFrame] = field(default_factory=dict)
    predicted: dict[tuple[str, str], np.ndarray] = field(default_factory=dict)
    right: dict[tuple[str, str], np.ndarray] = field(default_factory=dict)
    results: dict[str, dict[str, Any]] = field(default_factory=dict)
    lineages: dict[str, dict[str, Any]] = field(default_factory=dict)
    recipes: dict[str, dict[str, Any]] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)

    def axis(self, name: str) -> list:
        """The values of `start`, `size` or `seed` that are there; sizes without the starts' 0."""
        values = sorted(self.models[name].unique().tolist())
        return [value for value in values if value] if name == "size" else values

    def name(self, start: int, kind: str, size: int, seed: int) -> str | None:
        """Name of the model in a place of the grid, None where it is missing."""
        augmentation = (None, None) if kind == START else (kind, size)
        name = Cell(start, seed, *augmentation).name
        return name if name in self.models.index else None


def read_grid(recipe: ReportRecipe) -> Grid:
    """The models below `recipe.models`, scored; those missing are listed, those of other axes left out.

    Args:
        recipe: its axes have passed `grid.check_axes`.

    Raises UserError where there is no such folder, a folder's name is no cell's, two models predicted different rows
    or a logit is no number.
    """
    folder = Path(recipe.models)
    if not folder.is_dir():
        raise UserError(f"There is no folder of models at {folder}.")
    places = sorted(starts(recipe) + cells(recipe), key=_order)
    wanted = [cell.name for cell in places]
    there = sorted(path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    for name in there:
        _check_name(name, folder, wanted)
    done = [name for name in wanted if (folder / name / "predictions").is_dir()]
    grid = Grid(pd.DataFrame(columns=[*KEY, *METRICS, *AUROCS]).astype(DTYPES))
    grid.missing = [name for name in wanted if name not in done]
    grid.others = [name for name in there if name not in wanted]
    rows = [_add_model(grid, folder / name) for name in done]
    if rows:
        grid.models = pd.DataFrame(rows, index=done).astype(DTYPES)
    return grid


def _order(cell: Cell) -> tuple[int, int, int, int]:
    return cell.start, KINDS.index(cell.kind) + 1 if cell.kind else 0, cell.size or 0, cell.seed


def _check_name(name: str, folder: Path, wanted: list[str]) -> None:
    try:
        Cell.from_name(name)
    except RecipeError as error:
        near = difflib.get_close_matches(name, wanted, 3, cutoff=0.4)
        hint = f" The nearest cells of this grid are {', '.join(near)}." if near else ""
        raise UserError(f"{folder / name}: {error}{hint}") from None


def _add_model(grid: Grid, folder: Path) -> dict[str, Any]:
    """Read one model into the grid; returns its row of `models`."""
    rows, cell, name = read_predictions(folder), Cell.from_name(folder.name), folder.name
    for test_set, part in rows.groupby("test_set"):
        _add_rows(grid, name, test_set, part)
    sets = {test for model, test in grid.predicted if model == name}
    for test_set in grid.tests.keys() - sets:
        raise UserError(f"{name} has no predictions of {test_set}, other models have; evaluate all on the same sets.")
    with warnings.catch_warnings():  # the report states the number of rows itself
        warnings.filterwarnings("ignore", message=".*the complete set has.*")
        results = score(folder)
    grid.results[name] = results
    lineage, recipe = folder / "lineage.json", folder / "recipe.yaml"
    grid.lineages[name] = json.loads(lineage.read_text()) if lineage.is_file() else {}
    grid.recipes[name] = yaml.safe_load(recipe.read_text()) if recipe.is_file() else {}
    scores = {row["heuristic"]: row["auroc"] for row in results["scores"] if row["heuristic"] and not row["label"]}
    accuracies = {metric: np.nan if results[metric] is None else results[metric] for metric in METRICS}
    aurocs = {column: scores.get(heuristic) or np.nan for column, heuristic in AUROCS.items()}
    place = {"start": cell.start, "kind": cell.kind or START, "size": cell.size or 0, "seed": cell.seed}
    return place | accuracies | aurocs


def _add_rows(grid: Grid, name: str, test_set: str, part: pd.DataFrame) -> None:
    part = part.sort_values("id", kind="stable").reset_index(drop=True)
    described = part[["id", "gold", "heuristic", "subcase", "genre", "cluster"]]
    if test_set not in grid.tests:
        first = next((model for model, _ in grid.predicted if model != name), None)
        if first is not None:
            raise UserError(f"{name} has predictions of {test_set}, {first} has none; evaluate all on the same sets.")
        grid.tests[test_set] = described
    common = grid.tests[test_set]
    if not common.equals(described):
        first = next(model for model, test in grid.predicted if test == test_set)
        lone = len(set(common["id"]) ^ set(described["id"]))
        raise UserError(
            f"{first} and {name} were evaluated on different rows of {test_set}: {len(common)} and {len(described)} "
            f"rows, {lone} of them in only one of the two. Evaluate both again on the same set."
        )
    predicted, gold = part["prediction"], part["gold"]
    grid.predicted[name, test_set] = predicted.map(LABELS.index).to_numpy(np.int8)
    if test_set == HANS:
        predicted, gold = predicted.map(fold_for_hans), gold.map(fold_for_hans)
    grid.right[name, test_set] = (predicted == gold).to_numpy()


def read_points(path: Path) -> Grid:
    """Points of a figure as a grid of one seed, e.g. those digitised from the paper's Figure 1.

    Args:
        path: CSV with the columns of POINT_COLUMNS; augmentation_data is none, original, synthetic, synthetic-biased.

    Raises UserError for a missing file, a missing or unknown column, an unknown kind, an accuracy that is no number
    from 0 to 1, a start with an augmentation size, and a point given twice.
    """
    if not path.is_file():
        raise UserError(f"There are no points at {path}.")
    points = pd.read_csv(path)
    for column in points.columns:
        if column not in POINT_COLUMNS:
            near = difflib.get_close_matches(column, POINT_COLUMNS, 1, cutoff=0.4)
            raise UserError(f"{path}: unknown column {column}; " + (f"the nearest is {near[0]}." if near else
                            f"there are {', '.join(POINT_COLUMNS)}."))  # fmt: skip
    for column in POINT_COLUMNS:
        if column not in points:
            raise UserError(f"{path} has no column {column}.")
    points = points.rename(columns=POINT_COLUMNS)
    _check_points(path, points)
    points["kind"] = points["kind"].map(POINT_KINDS)
    points["seed"] = 0
    points = points.assign(**dict.fromkeys(AUROCS, np.nan))
    axes = GridRecipe(
        starts=sorted(set(points["start"].tolist())),
        sizes=sorted(set(points["size"].tolist()) - {0}),
        kinds=[kind for kind in POINT_KINDS.values() if kind in set(points["kind"]) - {START}],
        seeds=[0],
    )
    points.index = [
        Cell(start, 0).name if kind == START else Cell(start, 0, kind, size).name
        for start, kind, size in zip(*(points[column].tolist() for column in ("start", "kind", "size")))
    ]
    missing = [cell.name for cell in starts(axes) + cells(axes) if cell.name not in points.index]
    return Grid(points[[*KEY, *METRICS, *AUROCS]], missing=missing)


def _check_points(path: Path, points: pd.DataFrame) -> None:
    for line, row in enumerate(points.to_dict("records"), 2):
        where = f"{path}, line {line}"
        if row["kind"] not in POINT_KINDS:
            raise UserError(f"{where}: augmentation_data {row['kind']!r} is not one of {', '.join(POINT_KINDS)}.")
        for column, name in list(POINT_COLUMNS.items())[:3:2]:
            if not isinstance(row[name], int) or row[name] < 0:
                raise UserError(f"{where}: {column} is {row[name]}, not a number of rows.")
        if (row["kind"] == "none") != (row["size"] == 0):
            raise UserError(f"{where}: a start has augmentation_train_size 0, every other point a larger one.")
        for metric in METRICS:
            if not isinstance(row[metric], int | float) or not 0 <= row[metric] <= 1:
                raise UserError(f"{where}: {METRIC_NAMES[metric]} is {row[metric]}, not an accuracy from 0 to 1.")
    twice = points[points.duplicated(["start", "kind", "size"])]
    if len(twice):
        raise UserError(f"{path}, line {twice.index[0] + 2}: this point is given twice.")
