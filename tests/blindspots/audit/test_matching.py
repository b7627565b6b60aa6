"""Rows at the reference's shares of labels."""

from collections import Counter

import pytest
from datasets import Dataset
from hypothesis import given
from hypothesis import strategies as st

from blindspots.audit.matching import matched
from blindspots.audit.rows import Columns, Rows
from blindspots.audit.tally import tally
from blindspots.config.errors import UserError
from blindspots.data.nli import LABELS


def rows(name: str, unlabelled: int = 0, **counts: int) -> Rows:
    """A dataset with so many rows of each label."""
    labels = [label for label, count in counts.items() for _ in range(count)] + [""] * unlabelled
    texts = [f"{name} {number}" for number in range(len(labels))]
    return Rows(name, Dataset.from_dict({"premise": texts, "hypothesis": texts, "label": labels}), Columns())


def labels_of(found: Rows) -> Counter:
    return Counter(label for batch in found.batches() for label in batch.labels)


def test_as_many_rows_as_the_shares_of_the_reference_allow():
    mine = rows("mine", unlabelled=5, entailment=90, neutral=10, contradiction=30)
    found = matched(mine, rows("reference", entailment=40, neutral=20, contradiction=20), seed=0)
    assert labels_of(found) == {"entailment": 20, "neutral": 10, "contradiction": 10}
    assert tally(found).labels == labels_of(found)
    assert (len(found), tally(found).read, len(mine)) == (40, 40, 135)


def test_rows_keep_their_numbers_and_a_sample_is_of_the_chosen_ones():
    mine, reference = rows("mine", entailment=50, neutral=5), rows("reference", entailment=9, neutral=9)
    found = matched(mine, reference, seed=0)
    sample = found.sample(8, seed=1)
    assert len(sample) == 8
    assert set(sample.numbers) <= set(found.chosen)
    assert sample.premises == [f"mine {number}" for number in sample.numbers]
    assert matched(mine, reference, seed=0).chosen == found.chosen != matched(mine, reference, seed=1).chosen


@pytest.mark.parametrize(
    ("mine", "reference", "message"),
    [
        ({}, {"entailment": 5}, "no row of mine has one"),
        ({"entailment": 5}, {}, "no row of reference has one"),
        ({"entailment": 5}, {"entailment": 5, "neutral": 5}, "mine has no row labelled neutral"),
        ({"entailment": 5, "non-entailment": 5}, dict.fromkeys(LABELS, 5), "mine has no row labelled neutral"),
    ],
)
def test_labels_that_cannot_be_matched_are_an_error(mine, reference, message):
    with pytest.raises(UserError, match=message):
        matched(rows("mine", 3, **mine), rows("reference", 3, **reference), 0)


counts_of_labels = st.lists(st.integers(1, 60), min_size=3, max_size=3)


@given(counts_of_labels, counts_of_labels)
def test_the_shares_are_those_of_the_reference_to_a_row(mine, reference):
    found = labels_of(
        matched(rows("mine", **dict(zip(LABELS, mine))), rows("reference", **dict(zip(LABELS, reference))), 0)
    )
    scale = min(count / other for count, other in zip(mine, reference))
    for label, count, other in zip(LABELS, mine, reference):
        assert abs(found[label] - scale * other) <= 0.5 + 1e-9
        assert found[label] <= count
