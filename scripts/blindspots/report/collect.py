"""The models of a grid with their scores and predicted rows, from artifact folders, a kept report or points."""

import difflib
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from blindspots.artifacts.names import LINEAGE, read_lineage
from blindspots.config.analysis_recipes import GridRecipe, ReportRecipe
from blindspots.config.errors import RecipeError, UserError
from blindspots.config.test_set_keys import test_set_keys
from blindspots.data.kinds import in_order, position
from blindspots.data.nli import ENTAILMENT, LABELS
from blindspots.data.test_sets import AUROC, CRITERION, D_PRIME, PROBABILITY, Headline, test_set
from blindspots.evaluation.scoring import read_predictions, score_rows
from blindspots.grid import Cell, cells, start_of, starts
from blindspots.report.kept import PARTS, Predictions, joined_lineages, read_kept, read_lineages

START = "start"
# The paper's three metrics, which its claims are about; a grid may have others.
MNLI, HANS, LO_NE = PAPER_METRICS = ("mnli_matched", "hans", "hans_lo_non_entailment")
# The other side of the third metric, and what tells a shift of threshold from a loss of ability.
LO_E = "hans_lo_entailment"
P_LO_NE, P_LO_E = f"{LO_NE}_probability", f"{LO_E}_probability"
LO_AUROC, LO_D_PRIME, LO_CRITERION = "hans_lo_auroc", "hans_lo_d_prime", "hans_lo_criterion"
KEY = ["start", "kind", "size", "seed"]


@dataclass
class Grid:
    """What is there of a grid.

    models: one row per model, indexed by name: start, kind (`start` for a start), size (0 for a start), seed, the
        metrics and what is measured beside; what was not evaluated is nan.
    metrics: the headline accuracies of the test sets, in the order of tables and figures.
    measured: what is measured beside them: mean probabilities, AUROC, d' and criterion.
    rows: what every model predicted; none for digitised points.
    right: by (model, test set), whether a row's prediction is its gold label, folded as the test set says; [rows].
    results, lineages: by model, of `scoring.score_rows` and lineage.json; datasets: lineages of the datasets.
    missing, others: models of the axes that are not there; models that are there but not of the axes.
    axes: of the grid. A seed is a replicate: `grid.generator_of(axes, seed)` names its generator, `grid.start_of` its
        start, and `axes.own_sets` says whether its augmentation sets are its own.
    """

    models: pd.DataFrame
    metrics: list[Headline]
    measured: list[Headline] = field(default_factory=list)
    rows: Predictions = field(default_factory=Predictions)
    right: dict[tuple[str, str], np.ndarray] = field(default_factory=dict)
    results: dict[str, dict[str, Any]] = field(default_factory=dict)
    lineages: dict[str, dict[str, Any]] = field(default_factory=dict)
    datasets: list[dict[str, Any]] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    axes: GridRecipe = field(default_factory=GridRecipe)

    @property
    def tests(self) -> dict[str, pd.DataFrame]:
        """By test set, the rows that every model predicted."""
        return self.rows.tests

    @property
    def kinds(self) -> list[str]:
        """The augmentation kinds that are there, in the order of the registry."""
        return in_order([kind for kind in self.models["kind"].unique() if kind != START])

    def title(self, metric: str) -> str:
        """How tables and figures call a metric."""
        return next((headline.title for headline in self.shown if headline.name == metric), metric)

    @property
    def shown(self) -> list[Headline]:
        """Accuracies, then what is measured beside them."""
        return [*self.metrics, *self.measured]

    def axis(self, name: str) -> list:
        """The values of `start`, `size` or `seed` that are there; sizes without the starts' 0."""
        values = sorted(self.models[name].unique().tolist())
        return [value for value in values if value] if name == "size" else values

    def name(self, start: int, kind: str, size: int, seed: int) -> str | None:
        """Name of the model in a place of the grid, None where it is missing."""
        cell = start_of(self.axes, Cell(start, seed)) if kind == START else Cell(start, seed, kind, size)
        return cell.name if cell.name in self.models.index else None

    def chosen_rows(self, metric: str) -> tuple[str, np.ndarray] | None:
        """Test set of a headline and which of its rows count, boolean: [rows]; None where it is no mean over rows, as
        an AUROC is not, and without predictions."""
        headline = next((headline for headline in self.shown if headline.name == metric), None)
        if headline is None or headline.test_set not in self.tests:
            return None
        if headline.measure in (AUROC, D_PRIME, CRITERION):
            return None
        rows = self.tests[headline.test_set]
        chosen = np.ones(len(rows), dtype=bool)
        for column, value in headline.slice.items():
            chosen &= (rows["gold" if column == "label" else column] == value).to_numpy()
        return headline.test_set, chosen

    def row_values(self, model: str, metric: str) -> np.ndarray | None:
        """What a metric is the mean of: for each row that counts 0 or 1, or a probability; None as `chosen_rows`."""
        rows = self.chosen_rows(metric)
        if rows is None:
            return None
        own, chosen = rows
        measure = next(headline.measure for headline in self.shown if headline.name == metric)
        if measure != PROBABILITY:
            return self.right[model, own][chosen].astype(float)
        entailed = (self.tests[own]["gold"] == ENTAILMENT).to_numpy()
        score = self.rows.entailment[model, own] / PARTS
        return np.where(entailed, score, 1 - score)[chosen]


def read_grid(recipe: ReportRecipe) -> Grid:
    """The models of a recipe's axes, scored; those missing are listed, those of other axes left out.

    Args:
        recipe: its axes have passed `grid.check_axes`; names `models`, `kept` or both. A model of both is the one in
            the folder.

    Raises UserError where there is no such folder, the name of a folder in it is not that of a cell, two models
    predicted different rows, a logit is not a number, or an artifact of the folder is another one in the kept report.
    """
    wanted = [cell.name for cell in sorted(starts(recipe) + cells(recipe), key=_order)]
    rows, lines, there = _read_models(recipe, wanted)
    grid = _scored(rows, [name for name in wanted if name in rows.models()])
    grid.axes = recipe
    of_models = {line["model"]: line for line in lines}
    grid.lineages = {name: of_models[name] for name in wanted if name in of_models}
    grid.datasets = sorted((line for line in lines if not line["model"]), key=lambda line: line["artifact"])
    grid.missing = [name for name in wanted if name not in rows.models()]
    grid.others = [name for name in there if name not in wanted]
    return grid


def _read_models(recipe: ReportRecipe, wanted: list[str]) -> tuple[Predictions, list[dict[str, Any]], list[str]]:
    """Predictions of the wanted models, lineages of these and of what they come from, and names of all that are there.

    First those of the folder of models, then the others of the kept report.
    """
    rows, lines, there = Predictions(), [], []
    if recipe.models:
        models = Path(recipe.models)
        there = _folders(models, wanted)
        done = [name for name in wanted if (models / name / "predictions").is_dir()]
        lines = lineage_lines(models, done)
        for name in done:
            rows.add(name, read_predictions(models / name))
    if recipe.kept:
        kept, earlier = read_kept(Path(recipe.kept)), read_lineages(Path(recipe.kept))
        there += [name for name in kept.models() if name not in there]
        rows = rows.joined(kept.only(wanted))
        earlier = [line for line in earlier if line["model"] in (None, *wanted)]
        lines = joined_lineages(lines, earlier, f"{recipe.models} and {recipe.kept}")
    return rows.only(wanted), lines, there


def _folders(models: Path, wanted: list[str]) -> list[str]:
    """Names of the folders of models, each of them that of a cell."""
    if not models.is_dir():
        raise UserError(f"There is no folder of models at {models}.")
    there = sorted(path.name for path in models.iterdir() if path.is_dir() and not path.name.startswith("."))
    for name in there:
        try:
            Cell.from_name(name)
        except RecipeError as error:
            near = difflib.get_close_matches(name, wanted, 3, cutoff=0.4)
            hint = f" The nearest cells of this grid are {', '.join(near)}." if near else ""
            raise UserError(f"{models / name}: {error}{hint}") from None
    return there


def _order(cell: Cell) -> tuple:
    return cell.start, position(cell.kind) if cell.kind else (-1, ""), cell.size or 0, cell.seed


def lineage_lines(models: Path, names: list[str]) -> list[dict[str, Any]]:
    """The lineage of each model, then of each artifact that they come from and that is here, without their results.

    One that was made again since has another content and is left out. Raises UserError for a model that continues
    another model than the one of that name in the folder.
    """
    lines: dict[Path, dict[str, Any]] = {}
    queue = [(models / name, None, "") for name in names]
    while queue:
        folder, content, child = queue.pop(0)
        if not (folder / LINEAGE).is_file():
            continue
        lineage = lines[folder] if folder in lines else read_lineage(folder)
        if content not in (None, lineage["content_sha256"]):
            if folder.parent == models:
                raise UserError(f"{child} continues another {folder.name} than the one in {models}; make it again.")
            continue
        if folder not in lines:
            lines[folder] = lineage
            queue += [(*parent, folder.name) for parent in _parents(lineage, models)]
    found = [
        {"model": folder.name if folder.parent == models else None}
        | {key: value for key, value in lineage.items() if key != "results"}
        for folder, lineage in lines.items()
    ]
    others = sorted((line for line in found if not line["model"]), key=lambda line: line["artifact"])
    return [line for line in found if line["model"] in names] + others


def _parents(lineage: dict[str, Any], models: Path) -> Iterator[tuple[Path, str | None]]:
    """Folder and recorded content of each parent that came from a folder; a model's is among the models."""
    for parent in lineage["parents"]:
        if parent["revision"] is None:
            folder = Path(parent["name"])
            beside = models / folder.name
            yield beside if (beside / LINEAGE).is_file() else folder, parent.get("content_sha256")


def _scored(rows: Predictions, names: list[str]) -> Grid:
    """A grid of the models that have predictions."""
    evaluated = [name for name in test_set_keys() if name in rows.tests] or [MNLI, HANS]
    metrics = [headline for name in evaluated for headline in test_set(name).shown]
    measured = [headline for name in evaluated for headline in test_set(name).measured]
    rows.tests = {name: rows.tests[name] for name in evaluated if name in rows.tests}
    scores = dict.fromkeys([*PAPER_METRICS, *(headline.name for headline in metrics + measured)])
    columns = [*KEY, *scores]
    grid = Grid(pd.DataFrame(columns=columns), metrics, measured, rows=rows)
    found = []
    for name in names:
        with warnings.catch_warnings():  # the report states the number of rows itself
            warnings.filterwarnings("ignore", message=".*the complete set has.*")
            grid.results[name] = score_rows(rows.rows_of(name))
        found.append(_model_row(name, grid.results[name]))
        for own, part in rows.tests.items():
            folded = np.array([test_set(own).fold(label) for label in LABELS])
            grid.right[name, own] = folded[rows.predicted[name, own]] == part["gold"].to_numpy()
    dtypes = dict.fromkeys(["start", "size", "seed"], int) | dict.fromkeys(scores, float)
    grid.models = pd.DataFrame(found, index=names, columns=columns).astype(dtypes)
    return grid


def _model_row(name: str, results: dict[str, Any]) -> dict[str, Any]:
    """Place, headline accuracies and what is measured beside them, of one model."""
    cell = Cell.from_name(name)
    row = {"start": cell.start, "kind": cell.kind or START, "size": cell.size or 0, "seed": cell.seed}
    row |= {headline["name"]: headline["accuracy"] for headline in results["headlines"]}
    for part in results["both_sides"]:
        for label, probability in part["mean_probability"].items():
            row[f"{part['name']}_{label.replace('-', '_')}_probability"] = probability
        row |= {f"{part['name']}_{measure}": part[measure] for measure in (AUROC, D_PRIME, CRITERION)}
    return row
