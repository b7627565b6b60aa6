"""Batches of equal token count: every row once, within the tokens, and hardly any padding."""

from hypothesis import given
from hypothesis import strategies as st

from blindspots.data.length_batches import length_batches


def padding_share(lengths: list[int], batches: list[list[int]]) -> float:
    """Share of the computed tokens that is padding, each batch being padded to its longest row."""
    computed = sum(len(batch) * max(lengths[row] for row in batch) for batch in batches)
    return 1 - sum(lengths[row] for batch in batches for row in batch) / computed


@given(st.lists(st.integers(1, 90), min_size=1, max_size=120), st.integers(1, 300))
def test_batches_hold_every_row_once_within_the_tokens(lengths, batch_tokens):
    batches = length_batches(lengths, batch_tokens)
    assert sorted(row for batch in batches for row in batch) == list(range(len(lengths)))
    assert all(len(batch) == 1 or len(batch) * lengths[batch[0]] <= batch_tokens for batch in batches)
    assert 0 <= padding_share(lengths, batches) < 1


@given(st.lists(st.lists(st.integers(1, 90), min_size=1, max_size=6), min_size=1, max_size=30), st.integers(1, 300))
def test_rows_of_a_group_stay_next_to_one_another(lengths_of_groups, batch_tokens):
    lengths = [length for group in lengths_of_groups for length in group]
    numbers = iter(range(len(lengths)))
    groups = [[next(numbers) for _ in group] for group in lengths_of_groups]
    batches = length_batches(lengths, batch_tokens, groups)
    order = [row for batch in batches for row in batch]
    assert sorted(order) == list(range(len(lengths)))
    assert all(order[order.index(group[0]) :][: len(group)] == group for group in groups)
    longest = [max(lengths[row] for row in batch) for batch in batches]
    assert all(len(batch) == 1 or len(batch) * most <= batch_tokens for batch, most in zip(batches, longest))


def test_rows_of_like_length_are_together():
    lengths = [5, 50, 6, 51, 7, 52]
    batches = length_batches(lengths, 156)
    assert [sorted(lengths[row] for row in batch) for batch in batches] == [[50, 51, 52], [5, 6, 7]]
    assert padding_share(lengths, batches) < 0.05 < padding_share(lengths, [[0, 1, 2], [3, 4, 5]])


def test_no_rows_are_no_batches():
    assert length_batches([], 10) == []
