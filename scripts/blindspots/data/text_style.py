"""Measures of one text: how long, how varied, how hard to read, how formal it is, without a model.

This file imports nothing of the project: `evaluate_modules/*` link to it, so that a pushed module stands alone.
"""

from collections.abc import Sequence

import numpy as np

# A tenth of the texts, the longest, is held against the others.
_LONGEST = 0.9


def ends_without_mark(text: str) -> bool:
    """Whether a text ends in a letter or a comma, where a sentence does not."""
    end = text.rstrip()[-1:]
    return end.isalpha() or end == ","


def looks_cut(texts: Sequence[str]) -> bool:
    """Whether texts were cut at a length: the longest tenth ends in mid-sentence, and none is much longer than it.

    Cut copies of a set make its lengths and the ends of its texts say nothing of those who wrote them.
    """
    lengths = np.array([len(text) for text in texts])
    if lengths.size < 50:
        return False
    limit = np.quantile(lengths, _LONGEST)
    open_ended = np.array([ends_without_mark(text) for text in texts])
    longest, others = open_ended[lengths >= limit].mean(), open_ended[lengths < limit].mean()
    return bool(lengths.max() < 1.5 * limit and longest > 0.5 and longest > 1.5 * others)
