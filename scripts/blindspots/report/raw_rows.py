"""Rows of raw synthetic data, drawn at random: what the numbers of Table 1 are of."""

from pathlib import Path
from typing import Any

import numpy as np
from datasets import Dataset

from blindspots.config.errors import UserError
from blindspots.data.nli import LABELS
from blindspots.report.kept import read_lines

RAW_ROWS = "raw_rows.jsonl"
COLUMNS = ("generator", "label", "premise", "hypothesis")


def raw_rows(synthetic: dict[str, Dataset], count: int, seed: int = 0) -> list[dict[str, Any]]:
    """So many rows of each label, or all where there are fewer, of what each generator wrote: records of COLUMNS.

    Args:
        synthetic: rows of each generator, as `pool_pairs` returns them, by its name.
        seed: of the draw.
    """
    drawn = []
    for name, rows in synthetic.items():
        labels, rng = np.array(rows["label"]), np.random.default_rng(seed)
        for number, label in enumerate(LABELS):
            there = np.flatnonzero(labels == number)
            chosen = rows.select(rng.permutation(there)[:count])
            pairs = zip(chosen["premise"], chosen["hypothesis"])
            drawn += [dict(zip(COLUMNS, (name, label, *pair))) for pair in pairs]
    return drawn


def read_raw_rows(folder: Path) -> list[dict[str, Any]]:
    """Those of a kept report, none where it has none. Raises UserError for a line that is not such a row."""
    rows = read_lines(folder / RAW_ROWS)
    for number, row in enumerate(rows, 1):
        if tuple(row) != COLUMNS or not all(isinstance(value, str) for value in row.values()):
            raise UserError(f"{folder / RAW_ROWS}, line {number} needs the texts {', '.join(COLUMNS)}.")
    return rows
