"""Rows that a start T and its further tuned T^D predict differently."""

from typing import Any

import numpy as np
import pandas as pd

from blindspots.corpora import hans_test, mnli_test
from blindspots.errors import UserError
from blindspots.nli import LABELS
from blindspots.recipes import ReportRecipe
from blindspots.report.collect import HANS, LO_NE, MNLI, START, Grid
from blindspots.report.contrasts import metric_rows
from blindspots.sources import fetch

EXAMPLES = 5


def texts(recipe: ReportRecipe, grid: Grid) -> dict[str, pd.DataFrame]:
    """Premise and hypothesis by row id of the test sets that the recipe names.

    Raises UserError where a named set lacks a row that was predicted.
    """
    found = {}
    if recipe.mnli and MNLI in grid.tests:
        found[MNLI] = mnli_test(fetch(recipe.mnli, "dataset", recipe.mnli_revision))
    if recipe.hans and HANS in grid.tests:
        found[HANS] = hans_test(fetch(recipe.hans, "dataset", recipe.hans_revision), recipe.hans_expected_rows)
    frames = {}
    for test_set, rows in found.items():
        frame = rows.select_columns(["id", "premise", "hypothesis"]).to_pandas().set_index("id")
        lacking = set(grid.tests[test_set]["id"]) - set(frame.index)
        if lacking:
            raise UserError(f"{len(lacking)} rows of {test_set} were predicted that the named set does not have.")
        frames[test_set] = frame
    return frames


def flips(grid: Grid, name: str, words: dict[str, pd.DataFrame]) -> dict[str, Any] | None:
    """What changed from T to T^D: by metric the rows lost (right to wrong), won and otherwise changed, with examples.

    Examples are the first EXAMPLES rows of each direction by id, with premise and hypothesis where `words` has them.
    None for a start and where T is missing.
    """
    place = grid.models.loc[name]
    start = grid.name(place["start"], START, 0, place["seed"])
    if place["kind"] == START or start is None or not grid.tests:
        return None
    changed = {}
    for metric in (MNLI, HANS, LO_NE):
        if (rows := metric_rows(grid, metric)) is None:
            continue
        test_set, chosen = rows
        before, after = grid.right[start, test_set] & chosen, grid.right[name, test_set] & chosen
        differs = (grid.predicted[start, test_set] != grid.predicted[name, test_set]) & chosen
        lost, won = before & ~after, ~before & after
        changed[metric] = {
            "rows": int(chosen.sum()),
            "lost": int(lost.sum()),
            "won": int(won.sum()),
            "otherwise_changed": int((differs & ~lost & ~won).sum()),
            "examples": [
                example(grid, start, name, test_set, row, words) for which in (lost, won) for row in _first(which)
            ],
        }
    return {"start": start, **changed}


def _first(chosen: np.ndarray) -> list[int]:
    """Row numbers of EXAMPLES chosen rows, spread evenly over them."""
    rows = np.flatnonzero(chosen)
    return rows[np.linspace(0, len(rows) - 1, min(EXAMPLES, len(rows))).astype(int)].tolist() if len(rows) else []


def example(
    grid: Grid, start: str, name: str, test_set: str, row: int, words: dict[str, pd.DataFrame]
) -> dict[str, str]:
    """One changed row: id, subcase or genre, gold, both predictions, and its texts where they are known."""
    known = grid.tests[test_set].iloc[row]
    shown = {
        "id": known["id"],
        "group": known["subcase"] or known["genre"],
        "gold": known["gold"],
        "before": LABELS[grid.predicted[start, test_set][row]],
        "after": LABELS[grid.predicted[name, test_set][row]],
    }
    return shown | (words[test_set].loc[known["id"]].to_dict() if test_set in words else {})
