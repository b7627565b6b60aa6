"""The comparison: one seed, several seeds, and bad input."""

from pathlib import Path

import evaluate
import numpy as np
import pandas as pd
import pytest
from scipy import stats

MODULE = str(Path(__file__).resolve().parents[2] / "evaluate_modules" / "paired_accuracy")


@pytest.fixture(scope="module")
def paired():
    return evaluate.load(MODULE)


def small() -> dict[str, list[str]]:
    return {
        "predictions1": ["entailment", "neutral", "contradiction", "neutral"],
        "predictions2": ["entailment", "neutral", "entailment", "entailment"],
        "references": ["entailment", "neutral", "contradiction", "contradiction"],
    }


def several_seeds(n_seeds: int, rng: np.random.Generator) -> dict[str, list]:
    """Two models that are right on about 70% and 50% of 60 rows in 12 clusters, over seeds."""
    right1, right2 = rng.random((n_seeds, 60)) < 0.7, rng.random((n_seeds, 60)) < 0.5
    return {
        "predictions1": np.where(right1.ravel(), "neutral", "entailment").tolist(),
        "predictions2": np.where(right2.ravel(), "neutral", "entailment").tolist(),
        "references": ["neutral"] * 60 * n_seeds,
        "clusters": [f"c{row % 12}" for row in range(60)] * n_seeds,
        "seeds": np.repeat(np.arange(n_seeds), 60).tolist(),
    }


def test_one_seed(paired):
    results = paired.compute(**small(), clusters=["a", "a", "b", "c"])
    assert (results["accuracy1"], results["accuracy2"], results["difference"]) == (0.75, 0.5, 0.25)
    assert results["low"] < 0.25 < results["high"]
    assert results["mcnemar"] == [{"seed": 0, "only_first": 1, "only_second": 0, "p": 1.0}]
    assert (results["n"], results["n_clusters"], results["n_seeds"]) == (4, 3, 1)
    assert (results["seed_sd"], results["seeds_needed"]) == (None, None)


def test_models_that_never_disagree(paired):
    rows = small() | {"predictions2": small()["predictions1"]}
    results = paired.compute(**rows, seed_sd=0.1)
    assert (results["difference"], results["p"]) == (0, 1)
    assert results["high"] == -results["low"] > 0.4  # of four rows
    assert results["mcnemar"][0]["p"] == 1
    assert results["seeds_needed"] is None


def test_bert_against_esim_on_hans(shared, paired):
    """4.8 points apart: far beyond chance for these two models' rows, within chance for other subcases."""
    predictions = [
        pd.read_csv(shared / f"reference/hans_predictions/{name}.txt", index_col="pairID")["gold_label"]
        .reindex([f"ex{row}" for row in range(30_000)])
        .tolist()
        for name in ("bert_preds", "esim_heur_preds")
    ]
    subcases = pd.read_csv(shared / "reference/hans_subcases.csv")
    results = paired.compute(
        predictions1=predictions[0],
        predictions2=predictions[1],
        references=subcases["label"].repeat(1_000).tolist(),
        clusters=subcases["subcase"].repeat(1_000).tolist(),
    )
    assert round(results["difference"], 3) == 0.048
    assert results["mcnemar"][0]["p"] < 1e-100
    assert results["low"] < 0 < results["high"]


def test_hans_folds_neutral_and_contradiction(paired):
    results = paired.compute(
        predictions1=["neutral", "contradiction", "entailment"],
        predictions2=["entailment", "non-entailment", "neutral"],
        references=["non-entailment", "non-entailment", "entailment"],
    )
    assert (results["accuracy1"], results["accuracy2"]) == pytest.approx((1, 1 / 3))


def test_several_seeds(paired):
    rows = several_seeds(5, np.random.default_rng(0))
    results = paired.compute(**rows)
    assert (results["n"], results["n_clusters"], results["n_seeds"], len(results["mcnemar"])) == (60, 12, 5, 5)
    assert results["low"] < results["difference"] < results["high"]
    right = [np.equal(rows[name], "neutral").reshape(5, 60) for name in ("predictions1", "predictions2")]
    differences = right[0].mean(axis=1) - right[1].mean(axis=1)
    assert results["difference"] == pytest.approx(differences.mean())
    assert results["seed_sd"] == pytest.approx(differences.std(ddof=1))
    assert results["mcnemar"][3]["p"] == pytest.approx(
        stats.binomtest((right[0] & ~right[1])[3].sum(), (right[0] ^ right[1])[3].sum()).pvalue
    )
    assert results["seeds_needed"] >= 2


def test_seeds_may_come_interleaved(paired):
    rows = several_seeds(3, np.random.default_rng(1))
    order = np.arange(180).reshape(3, 60).T.ravel()
    interleaved = {name: np.array(column)[order].tolist() for name, column in rows.items()}
    assert paired.compute(**interleaved) == paired.compute(**rows)


def test_unpaired_seeds_use_the_spread_of_one_model(paired):
    rows = several_seeds(5, np.random.default_rng(2))
    results = paired.compute(**rows, paired_seeds=False)
    right = [np.equal(rows[name], "neutral").reshape(5, 60).mean(axis=1) for name in ("predictions1", "predictions2")]
    assert results["seed_sd"] == pytest.approx(np.sqrt((right[0].var(ddof=1) + right[1].var(ddof=1)) / 2))


def test_one_seed_plans_with_a_spread_from_elsewhere(paired):
    """The paper's mean gap on HANS's non-entailed overlap rows, and the sd of 100 BERT runs."""
    n, gap = 100, 19
    rows = {
        "predictions1": ["neutral"] * gap + ["entailment"] * (n - gap),
        "predictions2": ["entailment"] * n,
        "references": ["non-entailment"] * n,
    }
    assert paired.compute(**rows, seed_sd=0.12, paired_seeds=False)["seeds_needed"] == 8


def test_no_limit_lies_beyond_1(paired):
    rows = {"predictions1": ["neutral"] * 9 + ["entailment"], "predictions2": ["entailment"] * 10}
    results = paired.compute(**rows, references=["neutral"] * 10, clusters=[*"aaaaaaaaab"])
    assert (results["low"], results["high"]) == (-1, 1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"predictions2": ["neutral"]}, "Mismatch in the number"),
        ({"predictions2": ["neutral"] * 3 + ["maybe"]}, "Row 3: predictions2 'maybe' is not one of entailment"),
        ({"references": ["neutral"] * 3 + [None]}, "Row 3 has no value in references"),
        ({"clusters": ["a"]}, "There are 1 clusters for 4 references"),
        ({"clusters": ["a", "b", None, "c"]}, "Row 2 has no value in clusters"),
        ({"clusters": ["a"] * 4}, "at least two"),
        ({"seeds": [1, 1, 1, 2]}, "Seed 2 has other rows than seed 1"),
    ],
)
def test_bad_input_is_an_error_that_names_the_row(change, message):
    with pytest.raises(ValueError, match=message):
        evaluate.load(MODULE).compute(**(small() | change))
