"""Points that were read off a figure, as a grid; and the CSV files that a report reads."""

import difflib
import re
from pathlib import Path

import pandas as pd

from blindspots.config.analysis_recipes import GridRecipe
from blindspots.config.errors import UserError
from blindspots.data.kinds import BIASED, ORIGINAL, SYNTHETIC
from blindspots.data.test_sets import test_set
from blindspots.data.text_files import ending, read_text_file
from blindspots.grid import Cell, cells, starts
from blindspots.report.collect import HANS, KEY, LO_NE, MNLI, PAPER_METRICS, START, Grid

POINT_KINDS = {"none": START, "original": ORIGINAL, "synthetic": SYNTHETIC, "synthetic-biased": BIASED}
POINT_COLUMNS = {
    "starting_train_size": "start",
    "augmentation_data": "kind",
    "augmentation_train_size": "size",
    MNLI: MNLI,
    HANS: HANS,
    "hans_lo_nonent": LO_NE,
}
_DECIMAL = re.compile(r"([0-9]+(\.[0-9]*)?|\.[0-9]+)(e[+-]?[0-9]{1,3})?", re.IGNORECASE)


def read_points(path: Path) -> Grid:
    """Points of a figure as a grid of one seed, e.g. those digitised from the paper's Figure 1.

    Args:
        path: CSV with the columns of POINT_COLUMNS; augmentation_data is none, original, synthetic, synthetic-biased.

    Raises UserError for a missing file, a missing or unknown column, an unknown kind, an accuracy that is not a number
    from 0 to 1, a start with an augmentation size, and a point given twice.
    """
    points = read_table(path, "points")
    for column in points.columns:
        if column not in POINT_COLUMNS:
            near = difflib.get_close_matches(column, POINT_COLUMNS, 1, cutoff=0.4)
            hint = f"the nearest is {near[0]}." if near else f"there are {', '.join(POINT_COLUMNS)}."
            raise UserError(f"{path}: unknown column {column}; {hint}")
    for column in POINT_COLUMNS:
        if column not in points:
            raise UserError(f"{path} has no column {column}.")
    points = points.rename(columns=POINT_COLUMNS)
    for column in ("start", "size"):
        points[column] = points[column].map(whole_number)
    for column in PAPER_METRICS:
        points[column] = points[column].map(share)
    shown = [headline for name in (MNLI, HANS) for headline in test_set(name).shown]
    metrics = [headline for headline in shown if headline.name in PAPER_METRICS]
    _check_points(path, points, {headline.name: headline.title for headline in metrics})
    points["kind"] = points["kind"].map(POINT_KINDS)
    points["seed"] = 0
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
    return Grid(points[[*KEY, *PAPER_METRICS]], metrics, missing=missing)


def read_table(path: Path, what: str) -> pd.DataFrame:
    """A CSV as text. Raises UserError where it is not there or can't be read, see `text_files`."""
    if not path.is_file():
        raise UserError(f"There are no {what} at {path}.")
    if ending(path) != ".csv":
        raise UserError(f"{path} is not a .csv; the {what} are a table in CSV.")
    return read_text_file(path, str(path)).to_pandas()


def whole_number(text: str) -> int | str:
    """The whole number in a text of at most 15 digits, or the text."""
    return int(text) if re.fullmatch("[0-9]{1,15}", text) else text


def share(text: str) -> float | str:
    """The number in a text such as 0.5, .5 or 5e-1, or the text."""
    return float(text) if _DECIMAL.fullmatch(text) else text


def _check_points(path: Path, points: pd.DataFrame, titles: dict[str, str]) -> None:
    for line, row in enumerate(points.to_dict("records"), 2):
        where = f"{path}, line {line}"
        if row["kind"] not in POINT_KINDS:
            raise UserError(f"{where}: augmentation_data {row['kind']!r} is not one of {', '.join(POINT_KINDS)}.")
        for column, name in list(POINT_COLUMNS.items())[:3:2]:
            if not isinstance(row[name], int):
                raise UserError(f"{where}: {column} is {row[name]!r}, not a number of rows.")
        if (row["kind"] == "none") != (row["size"] == 0):
            raise UserError(f"{where}: a start has augmentation_train_size 0, every other point a larger one.")
        for metric in PAPER_METRICS:
            if not isinstance(row[metric], float) or row[metric] > 1:
                raise UserError(f"{where}: {titles[metric]} is {row[metric]!r}, not an accuracy from 0 to 1.")
    twice = points[points.duplicated(["start", "kind", "size"])]
    if len(twice):
        raise UserError(f"{path}, line {twice.index[0] + 2}: this point is given twice.")
