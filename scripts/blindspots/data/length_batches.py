"""Batches of equal token count: rows of like length together, so that almost nothing is computed for padding."""


def length_batches(lengths: list[int], batch_tokens: int) -> list[list[int]]:
    """Row numbers by falling length, at most `batch_tokens` padded tokens (or one row) per batch."""
    order = sorted(range(len(lengths)), key=lambda row: -lengths[row])
    batches: list[list[int]] = []
    for row in order:
        if batches and (len(batches[-1]) + 1) * lengths[batches[-1][0]] <= batch_tokens:
            batches[-1].append(row)
        else:
            batches.append([row])
    return batches
