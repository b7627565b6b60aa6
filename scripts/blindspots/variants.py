"""Sampling of the augmentation sets: {original, synthetic, biased_synthetic} x sizes."""

import numpy as np
from datasets import Dataset

from blindspots.errors import UserError
from blindspots.heuristics import lexical_overlap
from blindspots.nli import ENTAILMENT, LABELS


def label_shares(size: int) -> list[int]:
    """Rows of each label, equal but for the remainder, which goes to the first labels (SEED_FACTS 3.2)."""
    return [size // len(LABELS) + (index < size % len(LABELS)) for index in range(len(LABELS))]


def pools(pairs: Dataset, biased: bool) -> list[np.ndarray]:
    """Row numbers that each label may be drawn from, the first copy of a repeated pair only.

    A biased pool holds the entailment rows with lexical overlap, raw as published, and the other rows without it
    (Zhang & Pavlick 2025: every entailment example has lexical overlap, no other example has).
    """
    frame = pairs.select_columns(["premise", "hypothesis", "label"]).to_pandas()
    allowed = ~frame.duplicated(["premise", "hypothesis"])
    if biased:
        overlap = [
            lexical_overlap(premise, hypothesis) for premise, hypothesis in zip(frame.premise, frame.hypothesis)
        ]
        allowed &= np.array(overlap) == (frame.label == LABELS.index(ENTAILMENT))
    return [np.flatnonzero(allowed & (frame.label == index)) for index in range(len(LABELS))]


def sample_sets(pairs: Dataset, sizes: list[int], seed: int, biased: bool = False) -> dict[str, Dataset]:
    """One set a size, as config n<size>, in shuffled order; a larger set holds every row of a smaller one.

    Args:
        pairs: rows of PAIR_FEATURES to draw from.
        sizes: rows of each set, any number.
        seed: of the draw.
        biased: draw from the biased pools.

    Raises UserError where a label's pool is smaller than its share, naming both; nothing is drawn unbalanced.
    """
    generator = np.random.default_rng(seed)
    drawn = [generator.permutation(pool) for pool in pools(pairs, biased)]
    sets = {}
    for size in sizes:
        shares = label_shares(size)
        for label, pool, share in zip(LABELS, drawn, shares):
            if share > len(pool):
                raise UserError(
                    f"A set of {size} rows needs {share} of {label}, the pool has {len(pool)}. "
                    f"The largest set from these pools has {len(LABELS) * min(map(len, drawn))} rows."
                )
        rows = np.concatenate([pool[:share] for pool, share in zip(drawn, shares)])
        sets[f"n{size}"] = pairs.select(np.random.default_rng([seed, size]).permutation(rows))
    return sets
