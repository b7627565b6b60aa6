"""The HANS-like set: every subcase keeps to its heuristic and its label."""

from collections import Counter
from random import Random

import pytest

from blindspots.config.errors import UserError
from blindspots.data.heuristics import lexical_overlap, subsequence
from blindspots.data.nli import HANS_LABELS, fold_for_hans
from blindspots.demo.challenge import SUBCASES
from blindspots.demo.corpus import hans_like
from blindspots.demo.meaning import relation

ROWS = hans_like(3000, seed=0)


@pytest.mark.parametrize("subcase", SUBCASES, ids=lambda subcase: subcase.name)
def test_meaning_confirms_the_label_of_a_subcase(subcase):
    labels = {relation(*subcase.pair(Random(seed))) for seed in range(100)}
    assert {fold_for_hans(label) for label in labels} == {subcase.label}


def test_rows_are_balanced_over_heuristics_and_labels():
    counts = Counter(zip(ROWS["heuristic"], ROWS["label"]))
    assert len(counts) == 6
    assert set(counts.values()) == {500}


def test_there_are_at_least_twelve_subcases_and_no_repeated_pair():
    assert len(set(ROWS["subcase"])) >= 12
    assert len(set(zip(ROWS["premise"], ROWS["hypothesis"]))) == len(ROWS)


def test_every_row_overlaps_and_only_the_narrower_heuristics_are_subsequences():
    for row in ROWS:
        assert lexical_overlap(row["premise"], row["hypothesis"])
        assert subsequence(row["premise"], row["hypothesis"]) == (row["heuristic"] != "lexical_overlap"), row


def test_schema():
    assert ROWS.features["label"].names == list(HANS_LABELS)
    assert set(ROWS.column_names) == {"premise", "hypothesis", "label", "heuristic", "subcase", "template"}


def test_too_few_rows_for_the_subcases_are_refused():
    with pytest.raises(UserError, match="has 34 subcases; raise hans_rows, 5"):
        hans_like(5, seed=0)
