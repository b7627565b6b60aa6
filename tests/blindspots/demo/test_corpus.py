"""The MNLI-like corpus: MNLI's shape, no pair twice, the same rows for the same seed."""

import hashlib
import os
import subprocess
import sys
from collections import Counter
from random import Random

import pytest

from blindspots.data.heuristics import lexical_overlap
from blindspots.data.nli import CONTRADICTION, ENTAILMENT, LABELS, NEUTRAL
from blindspots.demo.corpus import OVERLAP_SHARE, hans_like, mnli_like
from blindspots.demo.premises import is_doubtful, premise

SEED = 7


@pytest.fixture(scope="module")
def corpus():
    return mnli_like(train_rows=6000, matched_rows=300, seed=SEED)


def test_a_premise_has_one_hypothesis_of_each_label(corpus):
    for rows in corpus.values():
        labels_of_prompt = Counter(zip(rows["promptID"], rows["label"]))
        assert set(labels_of_prompt.values()) == {1}
        assert len(labels_of_prompt) == 3 * len(set(rows["promptID"])) == 3 * len(set(rows["premise"]))


def test_schema_is_that_of_mnli(corpus):
    features = corpus["train"].features
    assert list(features) == ["promptID", "pairID", "premise", "hypothesis", "genre", "label"]
    assert features["promptID"].dtype == "int32"
    assert features["label"].names == list(LABELS)
    assert len(set(corpus["train"]["genre"])) >= 3
    assert len(set(corpus["train"]["pairID"])) == 6000


def test_no_pair_is_in_two_places(corpus):
    splits = [corpus["train"], corpus["validation_matched"], hans_like(600, seed=SEED), hans_like(600, seed=SEED + 1)]
    pairs = [set(zip(rows["premise"], rows["hypothesis"])) for rows in splits]
    assert [len(p) for p in pairs[:3]] == [len(rows) for rows in splits[:3]]
    assert not pairs[0] & pairs[1]
    assert not (pairs[0] | pairs[1]) & (pairs[2] | pairs[3])


def test_a_number_of_rows_that_is_not_a_multiple_of_three_is_kept():
    corpus = mnli_like(train_rows=4, matched_rows=2, seed=SEED)
    assert {split: len(rows) for split, rows in corpus.items()} == {"train": 4, "validation_matched": 2}


def test_another_seed_gives_other_rows(corpus):
    assert mnli_like(30, 3, seed=SEED + 1)["train"]["premise"] != corpus["train"].select(range(30))["premise"]


def test_rows_do_not_depend_on_hash_randomisation():
    program = (
        "import hashlib; from blindspots.demo.corpus import mnli_like, hans_like;"
        "rows = mnli_like(90, 9, 1)['train'].to_list() + hans_like(60, 1).to_list();"
        "print(hashlib.sha256(repr(rows).encode()).hexdigest())"
    )
    digests = [
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": str(hash_seed), "PYTHONPATH": "scripts"},
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()
        for hash_seed in (1, 2)
    ]
    rows = mnli_like(90, 9, 1)["train"].to_list() + hans_like(60, 1).to_list()
    assert {*digests} == {hashlib.sha256(repr(rows).encode()).hexdigest()}


def test_doubtful_premises_are_mostly_answered_in_their_own_words():
    rng = Random(SEED)
    sure, doubtful = ([premise(rng, "news", doubtful) for _ in range(200)] for doubtful in (False, True))
    assert not any(map(is_doubtful, sure))
    assert all(map(is_doubtful, doubtful))
    for label in (NEUTRAL, CONTRADICTION):
        assert OVERLAP_SHARE[True][label] > 10 * OVERLAP_SHARE[False][label]


def test_forty_thousand_rows_are_distinct_and_overlap_means_what_it_means_in_mnli():
    rows = mnli_like(train_rows=40_000, matched_rows=0, seed=SEED)["train"]
    assert len(set(zip(rows["premise"], rows["hypothesis"]))) == 40_000
    overlaps, counts = Counter(), Counter(rows["label"])
    for row in rows:
        overlaps[row["label"]] += lexical_overlap(row["premise"], row["hypothesis"], strip_punctuation=True)
    entailed = LABELS.index(ENTAILMENT)
    assert 0.05 <= overlaps[entailed] / counts[entailed] <= 0.07
    assert 0.87 <= overlaps[entailed] / overlaps.total() <= 0.92
