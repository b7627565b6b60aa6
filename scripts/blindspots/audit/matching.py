"""Rows of a dataset at the reference's shares of labels: else all that is said of all labels depends on the shares."""

from dataclasses import replace

import numpy as np

from blindspots.audit.rows import ALL_LABELS, Rows
from blindspots.config.errors import UserError


def matched(rows: Rows, reference: Rows, seed: int) -> Rows:
    """As many rows of each label, drawn without replacement, as the reference's shares of the labels allow.

    Rows without a known label are left out. Raises UserError where a set has no labels, and where the dataset has no
    row of one of the reference's.
    """
    mine, others = numbers_by_label(rows), numbers_by_label(reference)
    for numbers, one in ((mine, rows), (others, reference)):
        if not numbers:
            raise UserError(f"match_labels needs labels, and no row of {one.name} has one; leave it out.")
    if lacking := [label for label in others if label not in mine]:
        raise UserError(
            f"match_labels: {rows.name} has no row labelled {lacking[0]}, which {reference.name} has; leave it out."
        )
    scale = min(len(mine[label]) / len(numbers) for label, numbers in others.items())
    rng = np.random.default_rng(seed)
    drawn = [
        rng.choice(mine[label], min(round(scale * len(numbers)), len(mine[label])), replace=False)
        for label, numbers in others.items()
    ]
    return replace(rows, chosen=sorted(np.concatenate(drawn).tolist()))


def numbers_by_label(rows: Rows) -> dict[str, list[int]]:
    """Numbers of the usable rows of each label that occurs, in the order of ALL_LABELS."""
    found: dict[str, list[int]] = {label: [] for label in ALL_LABELS}
    for batch in rows.batches(f"{rows.name}: labels"):
        for number, label in zip(batch.numbers, batch.labels):
            if label in found:
                found[label].append(number)
    return {label: numbers for label, numbers in found.items() if numbers}
