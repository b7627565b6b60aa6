"""Batches of equal token count: rows of like length together, so that almost nothing is computed for padding."""


def length_batches(lengths: list[int], batch_tokens: int, groups: list[list[int]] | None = None) -> list[list[int]]:
    """Row numbers by falling length, at most `batch_tokens` padded tokens (or one row) per batch.

    Args:
        groups: rows that stay next to one another, ordered by their longest; by default each row is one.
    """
    groups = groups or [[row] for row in range(len(lengths))]
    batches: list[list[int]] = []
    longest = 0
    for group in sorted(groups, key=lambda group: -max(lengths[row] for row in group)):
        for row in group:
            longest = max(longest, lengths[row])
            if batches and (len(batches[-1]) + 1) * longest <= batch_tokens:
                batches[-1].append(row)
            else:
                batches.append([row])
                longest = lengths[row]
    return batches
