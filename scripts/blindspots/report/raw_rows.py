"""Rows of raw synthetic data, drawn at random: what the numbers of Table 1 are of."""

from pathlib import Path
from typing import Any

import numpy as np

from blindspots.artifacts.inputs import fetch
from blindspots.config.errors import UserError
from blindspots.data.nli import LABELS
from blindspots.data.nli_datasets import pool_pairs
from blindspots.report.kept import read_lines

RAW_ROWS = "raw_rows.jsonl"
COLUMNS = ("generator", "label", "premise", "hypothesis")


def raw_rows(synthetic: dict[str, str], count: int, seed: int = 0) -> list[dict[str, Any]]:
    """So many rows of each label, or all where there are fewer, of what each generator wrote: records of COLUMNS.

    Args:
        synthetic: Hub id, folder or file of each generator's rows, by its name.
        seed: of the draw.
    """
    drawn = []
    for name, source in synthetic.items():
        rows, rng = pool_pairs(fetch(source, "dataset")), np.random.default_rng(seed)
        labels = np.array(rows["label"])
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
