"""The augmentation sets: properties of every set that can be drawn."""

import numpy as np
import pytest
from datasets import Dataset
from hypothesis import given, settings
from hypothesis import strategies as st

from blindspots.config.errors import UserError
from blindspots.data.augmentation import biased_rows, label_shares, sample_sets, without_rows
from blindspots.data.heuristics import lexical_overlap
from blindspots.data.nli import ENTAILMENT, LABELS
from blindspots.data.nli_datasets import PAIR_FEATURES


def pool(rows: int = 240) -> Dataset:
    """Pairs of which every second has lexical overlap, each pair written twice."""
    texts = [(f"dog {i} runs", f"dog {i}" if i % 2 else f"cat {i}") for i in range(rows // 2)] * 2
    columns = {
        "id": [str(i) for i in range(rows)],
        "premise": [premise for premise, _ in texts],
        "hypothesis": [hypothesis for _, hypothesis in texts],
        "label": [(i // 2) % 3 for i in range(rows // 2)] * 2,
    }
    return Dataset.from_dict(columns, features=PAIR_FEATURES)


POOL = pool()


def texts(dataset: Dataset) -> set[tuple[str, str]]:
    return set(zip(dataset["premise"], dataset["hypothesis"]))


@given(st.integers(0, 10_000))
def test_shares_are_equal_but_for_the_remainder_of_the_first_labels(size):
    shares = label_shares(size)
    assert sum(shares) == size
    assert max(shares) - min(shares) <= 1
    assert shares == sorted(shares, reverse=True)


@settings(max_examples=25)
@given(st.integers(1, 60), st.integers(1, 60), st.integers(0, 99))
def test_no_set_repeats_a_row_and_a_larger_one_holds_every_smaller_one(one, other, seed):
    sets = sample_sets(POOL, sorted({one, other}), seed)
    for size in {one, other}:
        drawn = sets[f"n{size}"]
        assert len(texts(drawn)) == len(drawn) == size
        assert [drawn["label"][:].count(index) for index in range(3)] == label_shares(size)
    assert texts(sets[f"n{min(one, other)}"]) <= texts(sets[f"n{max(one, other)}"])


def test_a_row_that_overlaps_but_for_a_full_stop_is_biased_only_by_the_raw_rule():
    columns = {"id": ["0", "1"], "premise": ["a dog ran."] * 2, "hypothesis": ["a dog ran"] * 2, "label": [0, 1]}
    pairs = Dataset.from_dict(columns, features=PAIR_FEATURES)
    assert biased_rows(pairs).tolist() == [True, False]
    assert biased_rows(pairs, "raw").tolist() == [False, True]


@settings(max_examples=25)
@given(st.integers(1, 60), st.integers(0, 99))
def test_a_biased_set_has_overlap_in_every_entailment_row_and_in_no_other(size, seed):
    drawn = sample_sets(POOL, [size], seed, [(1.0, biased_rows(POOL))])[f"n{size}"]
    for row in drawn:
        assert lexical_overlap(row["premise"], row["hypothesis"]) == (LABELS[row["label"]] == ENTAILMENT)


@settings(max_examples=25)
@given(st.sampled_from([0, 0.25, 0.5, 1]), st.integers(0, 99))
def test_a_dose_of_bias_is_at_least_its_share(rate, seed):
    everything = np.ones(len(POOL), dtype=bool)
    drawn = sample_sets(POOL, [48], seed, [(rate, biased_rows(POOL)), (1 - rate, everything)])["n48"]
    assert len(texts(drawn)) == 48
    assert biased_rows(drawn).sum() >= rate * 48


def test_the_same_seed_draws_the_same_rows_and_another_seed_others():
    one, same, other = (sample_sets(POOL, [30], seed)["n30"]["id"] for seed in (0, 0, 1))
    assert one == same
    assert one != other


def test_rows_are_left_out_by_their_texts_in_every_copy():
    left = without_rows(POOL, POOL.select([0, 3]))
    assert texts(left) == texts(POOL) - texts(POOL.select([0, 3]))
    assert len(left) == len(POOL) - 4  # each pair is written twice
    assert left["id"] == [name for name in POOL["id"] if name not in ("0", "3", "120", "123")]
    assert len(without_rows(POOL, POOL.select([]))) == len(POOL)


def test_a_pool_that_is_too_small_is_named_with_the_size():
    with pytest.raises(UserError, match=r"180 rows, entailment: 60 rows are wanted, the pool has 40"):
        sample_sets(POOL, [180], 0)
