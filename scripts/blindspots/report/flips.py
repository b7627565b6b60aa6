"""Rows that a start T and its further tuned T^D predict differently."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from blindspots.config.analysis_recipes import ReportRecipe
from blindspots.config.errors import UserError
from blindspots.data.nli import LABELS
from blindspots.data.test_set_rows import read_test_set, test_set_source
from blindspots.data.test_sets import named_test_sets, test_set
from blindspots.report.collect import START, Grid
from blindspots.report.kept import EXAMPLES, read_lines

# Examples of each direction per model and metric.
SHOWN = 5


def texts(recipe: ReportRecipe, grid: Grid) -> dict[str, pd.DataFrame]:
    """Premise and hypothesis by row id of the test sets that the recipe names, and of others what a kept report shows.

    Raises UserError where a named set lacks a row that was predicted, and where none of its rows was.
    """
    frames = _kept_texts(Path(recipe.kept) / EXAMPLES) if recipe.kept else {}
    for found in named_test_sets(recipe):
        if found.name not in grid.tests:
            raise UserError(f"{found.key} has no effect: no model of this grid was evaluated on {found.name}.")
        source = test_set_source(recipe, found)
        rows = read_test_set(found, source, getattr(recipe, f"{found.key}_expected_rows"))
        frame = rows.select_columns(["id", "premise", "hypothesis"]).to_pandas().set_index("id")
        lacking = set(grid.tests[found.name]["id"]) - set(frame.index)
        if lacking:
            raise UserError(f"{len(lacking)} rows of {found.name} were predicted that the named set does not have.")
        frames[found.name] = frame
    return frames


def _kept_texts(file: Path) -> dict[str, pd.DataFrame]:
    """Premise and hypothesis by row id of each test set. Raises UserError naming a line that lacks one of them."""
    lines = read_lines(file)
    for number, line in enumerate(lines, 1):
        if not all(isinstance(line.get(key), str) for key in ("test_set", "id", "premise", "hypothesis")):
            raise UserError(f"{file}, line {number}: test_set, id, premise and hypothesis are not all text.")
    kept = pd.DataFrame(lines).drop_duplicates(["test_set", "id"]) if lines else pd.DataFrame({"test_set": []})
    return {name: part.set_index("id") for name, part in kept.groupby("test_set")}


def shown_examples(changed: dict[str, dict[str, Any] | None]) -> list[dict[str, str]]:
    """The texts of all examples, each once, for examples.jsonl."""
    found = {
        (part["test_set"], example["id"]): example
        for model in changed.values()
        for part in (model or {}).values()
        if isinstance(part, dict)
        for example in part["examples"]
        if "premise" in example
    }
    return [
        {"test_set": name, "id": row, "premise": example["premise"], "hypothesis": example["hypothesis"]}
        for (name, row), example in sorted(found.items())
    ]


def flips(grid: Grid, name: str, words: dict[str, pd.DataFrame]) -> dict[str, Any] | None:
    """What changed from T to T^D: by metric the rows lost (right to wrong), won and otherwise changed, with examples.

    Examples are the first SHOWN rows of each direction by id, with premise and hypothesis where `words` has them.
    None for a start and where T is missing.
    """
    place = grid.models.loc[name]
    start = grid.name(place["start"], START, 0, place["seed"])
    if place["kind"] == START or start is None or not grid.tests:
        return None
    changed = {}
    for metric in grid.metrics:
        own, chosen = grid.chosen_rows(metric.name)
        before, after = grid.right[start, own] & chosen, grid.right[name, own] & chosen
        differs = (grid.rows.predicted[start, own] != grid.rows.predicted[name, own]) & chosen
        lost, won = before & ~after, ~before & after
        has_slices = len(test_set(own).shown) > 1 and not metric.slice  # the slices' examples stand for the whole
        rows = [] if has_slices else [row for which in (lost, won) for row in _first(which)]
        changed[metric.name] = {
            "test_set": own,
            "rows": int(chosen.sum()),
            "lost": int(lost.sum()),
            "won": int(won.sum()),
            "otherwise_changed": int((differs & ~lost & ~won).sum()),
            "examples": [example(grid, start, name, own, row, words) for row in rows],
        }
    return {"start": start, **changed}


def _first(chosen: np.ndarray) -> list[int]:
    """Row numbers of SHOWN chosen rows, spread evenly over them."""
    rows = np.flatnonzero(chosen)
    return rows[np.linspace(0, len(rows) - 1, min(SHOWN, len(rows))).astype(int)].tolist() if len(rows) else []


def example(grid: Grid, start: str, name: str, own: str, row: int, words: dict[str, pd.DataFrame]) -> dict[str, str]:
    """One changed row: id, finest slice, gold, both predictions, and its texts where they are known."""
    known = grid.tests[own].iloc[row]
    shown = {
        "id": known["id"],
        "group": next((known[column] for column in reversed(test_set(own).slices) if known[column]), ""),
        "gold": known["gold"],
        "before": LABELS[grid.rows.predicted[start, own][row]],
        "after": LABELS[grid.rows.predicted[name, own][row]],
    }
    has_text = own in words and known["id"] in words[own].index
    return shown | (words[own].loc[known["id"], ["premise", "hypothesis"]].to_dict() if has_text else {})
