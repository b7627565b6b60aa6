"""The measurement: its numbers by hand, an inverted source, units, and bad input."""

from pathlib import Path

import evaluate
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import cohen_kappa_score

MODULE = str(Path(__file__).resolve().parents[2] / "evaluate_modules" / "label_agreement")


@pytest.fixture(scope="module")
def agreement():
    return evaluate.load(MODULE)


def rows(**labels: list[str]) -> dict[str, list[str]]:
    """Long rows from source -> the labels of items 0, 1, ... as letters; several letters are several labels."""
    long = [
        (str(item), source, label) for source, all_ in labels.items() for item, one in enumerate(all_) for label in one
    ]
    return dict(zip(("item", "source", "label"), map(list, zip(*long))))


def found(results: dict, source: str, measure: str, baseline: str | None = None) -> dict:
    (row,) = [
        row
        for row in results["measures"]
        if (row["source"], row["measure"], row["baseline"]) == (source, measure, baseline)
    ]
    return row


def test_the_numbers_by_hand(agreement):
    """Four items of three people and two samples of a model, labels a and b."""
    results = agreement.compute(**rows(human=["aaa", "aab", "abb", "bbb"], model=["aa", "ab", "aa", "bb"]))
    assert (results["labels"], results["n_items"], results["n_units"]) == (["a", "b"], 4, 4)
    own = found(results, "model", "agreement with a person", "people")
    assert own["estimate"] == pytest.approx((1 + 1 / 2 + 1 / 3 + 1) / 4)
    assert own["baseline_estimate"] == pytest.approx((1 + 1 / 3 + 1 / 3 + 1) / 4)
    assert own["difference"] == pytest.approx(own["estimate"] - own["baseline_estimate"])
    # Majorities aaa, aa, bb, bbb; of the model a, none of two that came once, a, b.
    match = found(results, "model", "majority match", "always the commonest label")
    assert (match["estimate"], match["baseline_estimate"]) == (0.5, 0.5)
    assert found(results, "model", "minority match", "at most")["baseline_estimate"] == 0.5
    assert found(results, "model", "total variation of all labels")["estimate"] == pytest.approx(5 / 8 - 1 / 2)
    # A person who says a: items 1, 2/3 of 2, 1/3 of 3; there the model says a always, half the time, always.
    assert results["flips"][0] == {
        "source": "model",
        "label": "a",
        "a": pytest.approx(5 / 6),
        "b": pytest.approx(1 / 6),
    }


def test_one_label_each_gives_cohens_kappa_and_no_alpha(agreement):
    rng = np.random.default_rng(0)
    first = rng.choice(list("abc"), 60)
    second = np.where(rng.random(60) < 0.6, first, rng.choice(list("abc"), 60))
    results = agreement.compute(**rows(human=first, model=second))
    kappa = found(results, "model", "agreement beyond chance")
    assert kappa["estimate"] == pytest.approx(cohen_kappa_score(first, second))
    assert kappa["low"] < kappa["estimate"] < kappa["high"]
    assert not [row for row in results["measures"] if row["measure"].startswith(("Krippendorff", "in the majority"))]


def test_a_source_whose_codes_are_exchanged_is_read_the_other_way(agreement):
    rng = np.random.default_rng(1)
    people = rng.choice(list("01"), 200)
    model = np.where(rng.random(200) < 0.8, people, rng.choice(list("01"), 200))
    exchanged = np.where(model == "0", "1", "0")
    plain, inverted = agreement.compute(**rows(human=people, right=model, wrong=exchanged))["recodings"]
    assert (plain["read_as"], plain["gain"]) == (None, None)
    assert inverted["read_as"] == {"0": "1", "1": "0"}
    assert inverted["own"] < 0 < inverted["low"] < inverted["gain"]


def test_units_that_repeat_widen_the_interval_and_leave_the_value(agreement):
    rng = np.random.default_rng(2)
    people = rng.choice(list("ab"), 20)
    model = np.where(rng.random(20) < 0.7, people, "a")
    many = rows(human=np.tile(people, 10), model=np.tile(model, 10))
    units = [int(item) % 20 for item in many["item"]]
    alone, together = agreement.compute(**many), agreement.compute(**many, units=units)
    for name in ("agreement with a person", "agreement beyond chance", "total variation of all labels"):
        one, other = found(alone, "model", name), found(together, "model", name)
        assert one["estimate"] == other["estimate"]
        assert other["high"] - other["low"] > 1.5 * (one["high"] - one["low"])


def test_labels_in_order_bring_the_ordinal_distance(agreement):
    results = agreement.compute(
        **rows(human=["ab", "bb", "cc", "ac"], model=["aa", "bc", "cc", "ca"]), labels=["a", "b", "c"], ordered=True
    )
    plain = found(results, "human", "Krippendorff's alpha")["estimate"]
    assert found(results, "human", "Krippendorff's alpha, ordinal")["estimate"] != plain


SMALL = rows(human=["ab", "bb", "aa"], model=["a", "b", "a"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"units": ["x"]}, "There are 1 units for 9 labels"),
        ({"label": [*SMALL["label"][:-1], None]}, "Row 8 has no value in label"),
        ({"labels": ["a"]}, "Row 1: label 'b' is not one of a"),
        ({"labels": ["a", "b", "a"]}, "'a' twice"),
        ({"human": "people"}, "The sources are human, model; people and a model are needed"),
        ({"units": [*SMALL["item"][:-1], "0"]}, "Item '2' is in two units"),
        ({"units": ["one"] * 9}, "at least two"),
        ({"ordered": True}, "must be given with `labels`"),
    ],
)
def test_bad_input_is_an_error_that_says_where(agreement, change, message):
    with pytest.raises(ValueError, match=message):
        agreement.compute(**(SMALL | change))


def test_gpt35_against_people_on_real_labels(shared, agreement):
    rows_ = pd.read_parquet(shared / "sources/task_labels/labels.parquet").query("dataset == 'SBIC'")
    labels = {
        source: [[str(x) for x in one if x >= 0] for one in rows_[source]] for source in ("human", "gpt35", "koala")
    }
    results = agreement.compute(**rows(**labels), resamples=200)
    people = found(results, "gpt35", "agreement with a person", "people")
    assert round(people["estimate"], 3) == 0.643
    assert round(people["baseline_estimate"], 3) == 0.731
    assert people["difference_high"] < 0
    assert found(results, "koala", "Krippendorff's alpha")["high"] < 0.1
    assert found(results, "gpt35", "Krippendorff's alpha")["low"] > 0.9
