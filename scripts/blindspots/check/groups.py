"""Groups of a set's rows that might do the harm, by what the rows share."""

import numpy as np
from datasets import Dataset
from numpy.typing import NDArray

from blindspots.audit.classify import guessed_right
from blindspots.audit.duplicates import NearIndex
from blindspots.audit.findings import NotComputedError
from blindspots.audit.rows import Batch
from blindspots.data.heuristics import lexical_overlap, words
from blindspots.data.nli import LABELS

# Jaccard share from which two rows are near duplicates, as in an audit.
NEAR = 0.7
# Shares of the rows that have the shortest and the longest hypotheses.
TAIL = 0.2


def groups(pairs: Dataset, seed: int = 0) -> dict[str, NDArray[np.bool_]]:
    """Each group's name and which rows are in it, boolean of shape [rows]; groups may share rows and may be empty.

    Args:
        pairs: rows of PAIR_FEATURES.
        seed: of the folds of the classifier that sees hypotheses alone.
    """
    texts = list(zip(pairs["premise"], pairs["hypothesis"]))
    labels = np.array([LABELS[label] for label in pairs["label"]])
    batch = Batch(pairs["premise"][:], pairs["hypothesis"][:], labels.tolist(), list(range(len(pairs))))
    overlap = np.array([lexical_overlap(*text, strip_punctuation=True) for text in texts], dtype=bool)
    lengths = np.array([len(words(hypothesis, strip_punctuation=True)) for _, hypothesis in texts])
    short, long = (int(np.quantile(lengths, share)) for share in (TAIL, 1 - TAIL))
    found = {f"{label} with lexical overlap": overlap & (labels == label) for label in LABELS}
    found |= {f"hypotheses of at most {short} words": lengths <= short}
    found |= {f"hypotheses of {long} words or more": lengths >= long}
    found |= {"near duplicates of an earlier row": near_duplicates(batch)}
    try:
        found["labels that the hypothesis alone gives away"] = guessed_right(batch, seed)
    except NotComputedError as why:
        print(f"labels that the hypothesis alone gives away: not a group: {why}")
    return found


def near_duplicates(rows: Batch) -> NDArray[np.bool_]:
    """Whether a row is a near duplicate of an earlier one: shape [rows]."""
    index = NearIndex(rows, NEAR)
    texts = zip(rows.premises, rows.hypotheses)
    tokens = [[words(text, strip_punctuation=True) for text in pair] for pair in texts]
    return np.array([any(place < row for place in index.near(*pair)) for row, pair in enumerate(tokens)], dtype=bool)
