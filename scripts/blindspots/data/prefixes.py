"""What rows of token ids start with: all of them, and groups of them such as the rows of one premise."""

from collections.abc import Sequence
from itertools import pairwise

Rows = Sequence[Sequence[int]]


def common_prefix(rows: Rows) -> int:
    """Length of the tokens that all rows start with; every row keeps at least one token of its own."""
    first, last = min(rows), max(rows)
    limit = min(map(len, rows)) - 1
    return next((i for i in range(limit) if first[i] != last[i]), limit)


def prefix_groups(rows: Rows) -> list[list[int]]:
    """Row numbers in groups that start alike, so that few tokens are left where each group computes its start once.

    What all rows share counts as computed already. The rows of a group stand next to one another in sorted order;
    neighbours are joined, those that share most first, wherever the whole then saves more than its parts.
    """
    order = sorted(range(len(rows)), key=rows.__getitem__)
    everywhere = common_prefix(rows)
    shared = [common_prefix([rows[a], rows[b]]) - everywhere for a, b in pairwise(order)]
    ends = list(range(len(rows)))  # the other end of the stretch that starts or ends at a position
    saved = [0] * len(rows)  # tokens, by where a stretch starts
    apart = [True] * len(shared)
    for left in sorted(range(len(shared)), key=lambda place: -shared[place]):
        start, end = ends[left], ends[left + 1]
        parts, whole = saved[start] + saved[left + 1], (end - start) * shared[left]
        if whole > parts:
            apart[start:end] = [False] * (end - start)
        ends[start], ends[end], saved[start] = end, start, max(parts, whole)
    groups = [[row] for row in order[:1]]
    for row, new in zip(order[1:], apart):
        if new:
            groups.append([])
        groups[-1].append(row)
    return groups
