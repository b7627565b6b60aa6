"""What rows of token ids start with."""

from hypothesis import given
from hypothesis import strategies as st

from blindspots.data.prefixes import common_prefix, prefix_groups

ROWS = st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=8), min_size=1, max_size=12)


@given(ROWS)
def test_the_common_prefix_is_the_longest_that_leaves_every_row_a_token(rows):
    length = common_prefix(rows)
    assert len({tuple(row[:length]) for row in rows}) == 1
    assert length < min(map(len, rows))
    longer = {tuple(row[: length + 1]) for row in rows}
    assert len(longer) > 1 or length + 1 == min(map(len, rows))


def tokens_left(rows: list[list[int]], groups: list[list[int]]) -> int:
    """Tokens of the rows, the start of each group and that of all rows counted once."""
    start = common_prefix(rows)
    ends = [common_prefix([rows[row] for row in group]) if len(group) > 1 else start for group in groups]
    return start + sum(end - start + sum(len(rows[row]) - end for row in group) for group, end in zip(groups, ends))


@given(ROWS)
def test_groups_hold_every_row_once_and_never_cost_tokens(rows):
    groups = prefix_groups(rows)
    assert sorted(row for group in groups for row in group) == list(range(len(rows)))
    assert tokens_left(rows, groups) <= tokens_left(rows, [[row] for row in range(len(rows))])


def test_the_rows_of_a_premise_are_a_group():
    start, premises = [1, 2], ([10, 11, 12], [10, 21, 22, 23], [30])
    rows = [[*start, *premise, 5, *hypothesis] for hypothesis in ([40], [41, 42], [43]) for premise in premises]
    assert sorted(map(sorted, prefix_groups(rows))) == [[0, 3, 6], [1, 4, 7], [2, 5, 8]]
