"""What rows of token ids start with."""

from hypothesis import given
from hypothesis import strategies as st

from blindspots.data.prefixes import common_prefix


@given(st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=8), min_size=1, max_size=12))
def test_the_common_prefix_is_the_longest_that_leaves_every_row_a_token(rows):
    length = common_prefix(rows)
    assert len({tuple(row[:length]) for row in rows}) == 1
    assert length < min(map(len, rows))
    longer = {tuple(row[: length + 1]) for row in rows}
    assert len(longer) > 1 or length + 1 == min(map(len, rows))
