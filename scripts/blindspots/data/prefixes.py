"""What rows of token ids start with."""


def common_prefix(rows: list[list[int]]) -> int:
    """Length of the tokens that all rows start with; every row keeps at least one token of its own."""
    first, last = min(rows), max(rows)
    limit = min(map(len, rows)) - 1
    return next((i for i in range(limit) if first[i] != last[i]), limit)
