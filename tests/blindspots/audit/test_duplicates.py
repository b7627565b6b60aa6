"""Duplicates: by hand, and near ones against brute force."""

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blindspots.artifacts.inputs import fetch
from blindspots.audit.duplicates import (
    NearIndex,
    fingerprints,
    in_conflict,
    jaccard,
    repeated,
    section,
    shingles,
)
from blindspots.audit.rows import Columns, opened
from blindspots.data.heuristics import words

SETS = st.frozensets(st.integers(0, 20), min_size=1)


@given(SETS, SETS, SETS, SETS)
def test_where_both_texts_are_alike_their_union_is(first, second, third, fourth):
    tagged = [frozenset((i % 2, member) for member in part) for i, part in enumerate((first, second, third, fourth))]
    least = min(jaccard(first, third), jaccard(second, fourth))
    assert jaccard(tagged[0] | tagged[1], tagged[2] | tagged[3]) >= least - 1e-9


def test_word_order_matters():
    pair = [shingles(words(text), 1) for text in ("the doctor saw the actor", "the actor saw the doctor")]
    assert jaccard(*pair) < 0.7
    assert shingles(["dog"], 1) != shingles(["dog"], 2)


def corrupted(sentence: list[str], changes: int, rng: random.Random) -> list[str]:
    made = sentence[:]
    for place in rng.sample(range(len(made)), changes):
        made[place] = f"new{rng.random()}"
    return made


def test_nearly_all_near_duplicates_are_found_and_nothing_else(batch):
    rng = random.Random(0)
    vocabulary = [f"w{i}" for i in range(300)]
    pairs = [
        ([rng.choice(vocabulary) for _ in range(25)], [rng.choice(vocabulary) for _ in range(14)]) for _ in range(150)
    ]
    index = NearIndex(batch(*[(" ".join(p), " ".join(h), "neutral") for p, h in pairs]), 0.7)
    expected, found = set(), set()
    for number, (premise, hypothesis) in enumerate(pairs):
        made = corrupted(premise, number % 4, rng), corrupted(hypothesis, number % 3, rng)
        texts = shingles(made[0], 1), shingles(made[1], 2)
        expected |= {
            (number, place)
            for place, known in enumerate(index.texts)
            if all(jaccard(*both) >= 0.7 for both in zip(known, texts))
        }
        found |= {(number, place) for place in index.near(*made)}
    assert found <= expected
    assert len(expected) > 50
    assert len(found) >= 0.95 * len(expected)


def test_repeats_and_conflicts_by_hand():
    hashes, labels = np.array([1, 2, 1, 3, 1, 4, 4]), np.array(["a", "a", "b", "a", "a", "-", "a"])
    assert repeated(hashes) == 3
    assert in_conflict(hashes, labels) == 3
    assert in_conflict(hashes[:0], labels[:0]) == 0


def test_the_section_counts_repeats_and_leaks(folder, batch):
    mine = folder(
        "mine",
        premise=["A dog ran.", "a dog ran", "A dog ran.", "The cat sat on the mat today", "Unlike any other"],
        hypothesis=["It ran.", "it ran!", "It ran.", "The cat sat down on it", "Nothing"],
        label=[0, 2, 0, 1, 1],
    )
    other = folder(
        "other", premise=["The cat sat on the mat today!"], hypothesis=["The cat sat down on it"], label=[1]
    )
    sets, near = [], []
    for path in (mine, other):
        with opened(fetch(str(path), "dataset"), path.name, "train", Columns()) as rows:
            near.append(NearIndex(rows.sample(10, 0), 0.7))
            sets.append(fingerprints(rows, near[-1], same_set=True))
    with opened(fetch(str(other), "dataset"), "other", "train", Columns()) as rows:
        leak = fingerprints(rows, near[0], same_set=False)
    found = {one.what: round(one.value.estimate * one.n) for one in section(*sets, {"MNLI dev": leak}, near).findings}
    assert found["within: same pair, letter by letter"] == 1
    assert found["within: same pair, normalised"] == 2
    assert found["within: same pair with different labels"] == 3
    assert found["within: near duplicate of another row"] == 3
    assert found["in MNLI dev: same pair, letter by letter"] == 0
    assert found["in MNLI dev: same pair, normalised"] == found["in MNLI dev: near duplicate"] == 1
    assert found["in MNLI dev: same hypothesis, normalised"] == 1


@pytest.mark.parametrize("threshold", [0.3, 1.0])
def test_a_row_is_found_by_itself_at_any_threshold(batch, threshold):
    index = NearIndex(batch(("A dog ran.", "It ran.", "neutral")), threshold)
    assert list(index.near(["a", "dog", "ran"], ["it", "ran"])) == [0]
    assert list(index.near(["other"], ["words"])) == []
