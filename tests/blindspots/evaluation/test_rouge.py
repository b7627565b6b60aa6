"""ROUGE-L by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blindspots.evaluation.rouge import common_subsequence, rouge_l

WORDS = st.lists(st.sampled_from("abc"), max_size=8)


@pytest.mark.parametrize(
    ("text", "reference", "expected"),
    [
        ("police killed the gunman", "police kill the gunman", 3 / 4),  # Lin (2004), S1 and S2
        ("the gunman kill police", "police kill the gunman", 2 / 4),  # and S3
        ("The cat.", "the CAT", 1.0),
        ("a b c d", "b d", 2 * 2 / 6),
        ("nothing", "in common", 0.0),
        ("", "a", 0.0),
        ("...", "...", 0.0),
    ],
)
def test_the_longest_common_subsequence_counts(text, reference, expected):
    assert rouge_l(text, reference) == pytest.approx(expected)


@given(WORDS, WORDS)
def test_it_is_symmetric_and_no_longer_than_either(first, second):
    common = common_subsequence(first, second)
    assert common == common_subsequence(second, first)
    assert common <= min(len(first), len(second))
    assert common_subsequence(first, first) == len(first)
