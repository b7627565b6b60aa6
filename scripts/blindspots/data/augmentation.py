"""Sampling of augmentation sets: equal counts per label, no pair twice, a larger set holding every smaller one."""

import numpy as np
from datasets import Dataset

from blindspots.config.errors import UserError
from blindspots.data.heuristics import STRIPPED, lexical_overlap
from blindspots.data.nli import ENTAILMENT, LABELS


def without_rows(pairs: Dataset, excluded: Dataset) -> Dataset:
    """The pairs whose texts are not among the excluded ones."""
    known = set(zip(excluded["premise"], excluded["hypothesis"]))
    texts = zip(pairs["premise"], pairs["hypothesis"])
    return pairs.select([row for row, pair in enumerate(texts) if pair not in known])


def label_shares(size: int) -> list[int]:
    """Rows of each label, equal but for the remainder, which goes to the first labels (the README says why)."""
    return [size // len(LABELS) + (index < size % len(LABELS)) for index in range(len(LABELS))]


def biased_rows(pairs: Dataset, words: str = STRIPPED) -> np.ndarray:
    """Boolean per row: entailment with lexical overlap, or another label without it.

    Args:
        words: rule of words. By the raw one, as published, a row whose words differ from the premise's by a comma or a
            full stop alone has no overlap, so that rows of other labels may have it all the same.

    Source: Zhang & Pavlick (2025): every entailment example has lexical overlap, no other example has.
    """
    texts = zip(pairs["premise"], pairs["hypothesis"])
    overlap = [lexical_overlap(premise, hypothesis, words == STRIPPED) for premise, hypothesis in texts]
    return np.array(overlap, dtype=bool) == (np.array(pairs["label"]) == LABELS.index(ENTAILMENT))


def sample_sets(
    pairs: Dataset, sizes: list[int], seed: int, parts: list[tuple[float, np.ndarray]] | None = None
) -> dict[str, Dataset]:
    """One set per size, as config n<size>, in shuffled order; a larger set holds every row of a smaller one.

    Args:
        pairs: rows of PAIR_FEATURES to draw from; of a repeated pair only the first copy is drawn.
        sizes: rows of each set, any number.
        seed: of the draw.
        parts: (share of the set, boolean of the rows that this share is drawn from); the shares sum to 1. By default
            all of the set from all of the rows.

    Raises UserError where a pool is smaller than its share, naming both; nothing is drawn unbalanced.
    """
    frame = pairs.select_columns(["premise", "hypothesis", "label"]).to_pandas()
    first_copy = ~frame.duplicated(["premise", "hypothesis"]).to_numpy()
    parts = parts or [(1.0, np.ones(len(pairs), dtype=bool))]
    generator = np.random.default_rng(seed)
    drawn = [
        [generator.permutation(np.flatnonzero(first_copy & allowed & (frame.label == label))) for _, allowed in parts]
        for label in range(len(LABELS))
    ]
    sets = {}
    for size in sizes:
        rows = [
            _take(pools, [share for share, _ in parts], wanted, f"{size} rows, {label}")
            for label, pools, wanted in zip(LABELS, drawn, label_shares(size))
        ]
        sets[f"n{size}"] = pairs.select(np.random.default_rng([seed, size]).permutation(np.concatenate(rows)))
    return sets


def _take(pools: list[np.ndarray], shares: list[float], wanted: int, where: str) -> np.ndarray:
    """The first rows of each pool, as many as its share of `wanted`, none twice."""
    ends = [round(wanted * sum(shares[: index + 1])) for index in range(len(shares))]
    taken = np.array([], dtype=int)
    for pool, end in zip(pools, ends):
        left = pool[~np.isin(pool, taken)]
        count = end - len(taken)
        if count > len(left):
            raise UserError(
                f"A set of {where}: {count} rows are wanted, the pool has {len(left)}. Ask for a smaller set."
            )
        taken = np.concatenate([taken, left[:count]])
    return taken
