"""The metric: published numbers from published predictions, every slice, and bad input."""

import json
import sys
import time
from pathlib import Path

import evaluate
import numpy as np
import pandas as pd
import pytest

from blindspots.data import test_sets

MODULE = str(Path(__file__).resolve().parents[2] / "evaluate_modules" / "nli_blindspot")
HEURISTICS = ("lexical_overlap", "subsequence", "constituent")
# Tiny test sets are neither complete nor do they see every class predicted.
incomplete = pytest.mark.filterwarnings("ignore:.*(the complete set has|never predicts)")


@pytest.fixture
def blindspot():
    return evaluate.load(MODULE)


def small() -> dict[str, list]:
    """Two rows of MNLI and four of HANS; all right but one MNLI row and one HANS row."""
    return {
        "predictions": ["neutral", "entailment", "entailment", "neutral", "entailment", "entailment"],
        "references": ["neutral", "contradiction", "entailment", "non-entailment", "non-entailment", "entailment"],
        "test_set": ["mnli_matched"] * 2 + ["hans"] * 4,
        "heuristic": ["", ""] + ["lexical_overlap"] * 3 + ["constituent"],
        "subcase": ["", "", "le_passive", "ln_passive", "ln_passive", "ce_adverb"],
    }


def hans_rows(shared) -> dict[str, list]:
    rows = pd.read_parquet(shared / "hub/datasets/jhu-cogsci/hans/data/validation-00000-of-00001.parquet")
    return {
        "references": rows["label"].map({0: "entailment", 1: "non-entailment"}).tolist(),
        "test_set": ["hans"] * len(rows),
        "heuristic": rows["heuristic"].tolist(),
        "subcase": rows["subcase"].tolist(),
    }


def published_predictions(shared, name: str) -> list[str]:
    """By pair id, in HANS's order; the files are in other orders."""
    predictions = pd.read_csv(shared / f"reference/hans_predictions/{name}.txt", index_col="pairID")["gold_label"]
    return predictions.reindex([f"ex{row}" for row in range(30_000)]).tolist()


def find(results: dict, **keys: str) -> dict:
    """The one slice with these keys and no others."""
    wanted = {"test_set": "", "heuristic": "", "subcase": "", "label": "", **keys}
    (found,) = [part for part in results["slices"] if wanted.items() <= part.items()]
    return found


@pytest.mark.parametrize(
    ("name", "overall"),
    [
        ("bert_preds", 0.548),
        ("esim_heur_preds", 0.500),
        ("decomp_attn_heur_preds", 0.503),
        ("spinn_preds_heur", 0.505),
    ],
)
def test_overall_accuracy_of_mccoys_models(shared, blindspot, name, overall):
    """McCoy et al. (2019); the predictions are theirs."""
    results = blindspot.compute(predictions=published_predictions(shared, name), **hans_rows(shared))
    assert round(results["hans"], 3) == overall
    assert results["mnli_matched"] is None


@pytest.mark.parametrize(
    ("label", "published"), [("entailment", (0.946, 0.993, 0.984)), ("non-entailment", (0.164, 0.039, 0.161))]
)
def test_bert_on_each_heuristic(shared, blindspot, label, published):
    results = blindspot.compute(predictions=published_predictions(shared, "bert_preds"), **hans_rows(shared))
    found = [find(results, test_set="hans", heuristic=heuristic, label=label) for heuristic in HEURISTICS]
    assert tuple(round(part["accuracy"], 3) for part in found) == published
    assert all(part["n"] == 5_000 and part["low"] < part["accuracy"] < part["high"] for part in found)
    if label == "non-entailment":
        assert results["hans_lo_non_entailment"] == found[0]["accuracy"]


def test_a_complete_hans_has_its_30_subcases(shared, blindspot):
    subcases = pd.read_csv(shared / "reference/hans_subcases.csv")
    results = blindspot.compute(predictions=published_predictions(shared, "bert_preds"), **hans_rows(shared))
    found = pd.DataFrame([part for part in results["slices"] if part["subcase"]])
    pd.testing.assert_frame_equal(found[["heuristic", "subcase", "label"]], subcases)
    assert (found["n"] == 1_000).all()


@incomplete
def test_headline_numbers(blindspot):
    results = blindspot.compute(**small())
    assert results["mnli_matched"] == 0.5
    assert results["hans"] == 0.75
    assert (results["hans_lo_non_entailment"], results["hans_lo_entailment"]) == (0.5, 1)
    assert "scores" not in results


@incomplete
def test_a_slice_has_the_keys_of_the_contract(blindspot):
    part = find(blindspot.compute(**small()), test_set="hans", heuristic="lexical_overlap", label="non-entailment")
    assert list(part) == ["test_set", "heuristic", "subcase", "label", "n", "accuracy", "low", "high"]
    assert part["n"] == 2
    assert (part["low"], part["high"]) == pytest.approx((0.0945, 0.9055), abs=1e-4)


@incomplete
def test_every_way_of_slicing_covers_its_test_set(blindspot):
    parts = pd.DataFrame(blindspot.compute(**small())["slices"])
    kinds = parts[["test_set", "heuristic", "subcase", "label"]].ne("").astype(int).assign(test_set=parts["test_set"])
    covered = parts["n"].groupby([kinds[column] for column in kinds]).sum()
    assert covered["mnli_matched"].tolist() == [2, 2]
    assert covered["hans"].tolist() == [4] * 5


@incomplete
def test_a_set_that_is_not_there_is_none(blindspot):
    mnli = {name: column[:2] for name, column in small().items()}
    results = blindspot.compute(**mnli)
    assert (results["hans"], results["hans_lo_non_entailment"]) == (None, None)


@incomplete
def test_ids_are_names_in_the_documented_order(blindspot):
    by_name = blindspot.compute(**small())
    ids = [("entailment", "neutral", "contradiction").index(name) for name in small()["predictions"]]
    assert blindspot.compute(**(small() | {"predictions": np.array(ids)})) == by_name


@incomplete
def test_neutral_and_contradiction_are_one_class_on_hans_and_two_on_mnli(blindspot):
    results = blindspot.compute(**(small() | {"predictions": ["contradiction"] * 6}))
    assert results["mnli_matched"] == 0.5
    assert results["hans"] == 0.5


@incomplete
def test_genres_are_slices(blindspot):
    results = blindspot.compute(**small(), genre=["slate", "fiction", "", "", "", ""])
    assert find(results, test_set="mnli_matched", genre="slate")["accuracy"] == 1
    assert find(results, test_set="mnli_matched", genre="fiction", label="contradiction")["accuracy"] == 0
    assert find(results, test_set="hans", genre="")["n"] == 4


@incomplete
def test_scores_see_what_accuracy_cannot(blindspot):
    """A model that calls all of HANS entailed has one accuracy, whichever rows it is less sure of."""
    rows = small() | {"predictions": ["entailment"] * 6}
    with pytest.warns(UserWarning, match="never predicts"):
        sure, unsure = (
            blindspot.compute(**rows, entailment_score=[0.9, 0.9, 0.9, score, score, 0.9]) for score in (0.9, 0.6)
        )
    assert sure["hans"] == unsure["hans"]

    def of_overlap(results: dict, label: str) -> dict:
        return next(s for s in results["scores"] if (s["heuristic"], s["label"]) == ("lexical_overlap", label))

    assert of_overlap(sure, "")["auroc"] == 0.5
    assert of_overlap(unsure, "")["auroc"] == 1.0
    assert of_overlap(unsure, "non-entailment")["auroc"] is None
    assert of_overlap(unsure, "non-entailment")["mean_probability"] == pytest.approx(0.4)


def overlap_rows(called: int, score: float) -> dict[str, list]:
    """Ten entailed and ten other overlap rows; of each, `called` are called entailed, all with one score."""
    predictions = (["entailment"] * called + ["neutral"] * (10 - called)) * 2
    return {
        "predictions": predictions,
        "references": ["entailment"] * 10 + ["non-entailment"] * 10,
        "test_set": ["hans"] * 20,
        "heuristic": ["lexical_overlap"] * 20,
        "subcase": ["x"] * 20,
        "entailment_score": [score] * 20,
    }


@incomplete
def test_a_shift_of_threshold_moves_both_sides_and_no_ability(blindspot):
    eager, reluctant = (blindspot.compute(**overlap_rows(*how))["both_sides"][0] for how in ((9, 0.8), (1, 0.2)))
    assert eager["name"] == "hans_lo"
    assert eager["accuracy"] == pytest.approx({"entailment": 0.9, "non-entailment": 0.1})
    assert reluctant["accuracy"] == pytest.approx({"entailment": 0.1, "non-entailment": 0.9})
    assert eager["mean_probability"] == pytest.approx({"entailment": 0.8, "non-entailment": 0.2})
    assert (eager["auroc"], eager["d_prime"]) == (reluctant["auroc"], reluctant["d_prime"]) == (0.5, 0)
    assert eager["criterion"] < 0 < reluctant["criterion"]


@incomplete
def test_a_slice_with_rows_of_one_label_alone_has_no_both_sides(blindspot):
    rows = {name: column[:10] for name, column in overlap_rows(5, 0.5).items()}
    assert blindspot.compute(**rows)["both_sides"] == []


@incomplete
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"predictions": ["neutral"]}, "Mismatch in the number of predictions"),
        ({"predictions": ["LABEL_0"] * 6}, "Row 0: prediction 'LABEL_0' is not one of entailment, neutral"),
        ({"predictions": ["non-entailment"] * 6}, "Row 0: prediction 'non-entailment'"),
        ({"predictions": [0, 1, 2, 3, 0, 0]}, "Row 3: prediction 3.0 is not one of 0, 1, 2"),
        ({"predictions": [0.7] * 6}, "Row 0: prediction 0.7"),
        ({"predictions": ["neutral"] * 5 + [None]}, "Row 5 has no prediction"),
        ({"references": ["neutral"] * 5 + ["-"]}, "Row 5: label '-'"),
        ({"test_set": ["mnli"] * 6}, "Row 0: test_set 'mnli'"),
        ({"heuristic": [""] * 6}, "Row 2: heuristic ''"),
        ({"genre": ["slate"]}, "differ in length: .*genre 1"),
        ({"entailment_score": [0.5]}, "1 entailment scores for 6 rows"),
        ({"entailment_score": [0.5] * 5 + [1.5]}, "Row 5: entailment score 1.5"),
        ({"entailment_score": [float("nan")] * 6}, "Row 0: entailment score nan"),
    ],
)
def test_bad_input_is_an_error_that_names_the_row(blindspot, change, message):
    with pytest.raises(ValueError, match=message):
        blindspot.compute(**(small() | change))


@incomplete
def test_a_module_recovers_from_a_bad_row(blindspot):
    with pytest.raises(ValueError, match="is not one of"):
        blindspot.compute(**(small() | {"predictions": ["maybe"] * 6}))
    assert blindspot.compute(**small())["hans"] == 0.75


@incomplete
def test_a_class_that_is_never_predicted_is_a_warning(blindspot):
    with pytest.warns(UserWarning, match="hans: the model never predicts non-entailment"):
        blindspot.compute(**(small() | {"predictions": ["neutral"] * 2 + ["entailment"] * 4}))


def test_an_incomplete_test_set_is_a_warning(shared, blindspot):
    rows = {name: column[:-1] for name, column in hans_rows(shared).items()}
    with pytest.warns(UserWarning, match="hans: 29,999 rows, the complete set has 30,000"):
        blindspot.compute(predictions=published_predictions(shared, "bert_preds")[:-1], **rows)


@pytest.mark.filterwarnings("error")
def test_both_complete_sets_are_scored_in_seconds_and_silence(blindspot):
    rng, n = np.random.default_rng(0), 9_815 + 30_000
    hans = np.arange(n) >= 9_815
    names = np.array(["entailment", "neutral", "contradiction"])
    gold = np.where(hans, rng.choice(["entailment", "non-entailment"], n), rng.choice(names, n))
    start = time.perf_counter()
    results = blindspot.compute(
        predictions=rng.choice(names, n).tolist(),
        references=gold.tolist(),
        test_set=np.where(hans, "hans", "mnli_matched").tolist(),
        heuristic=np.where(hans, rng.choice(HEURISTICS, n), "").tolist(),
        subcase=np.where(hans, (np.arange(n) % 30).astype(str), "").tolist(),
        genre=np.where(hans, "", "slate").tolist(),
        entailment_score=rng.random(n).tolist(),
    )
    assert time.perf_counter() - start < 5
    assert 0.3 < results["mnli_matched"] < 0.37


# Other test sets

MADE = {
    "negated": {
        "labels": ["entailment", "not entailed"],
        "folding": {"not entailed": ["neutral", "contradiction"]},
        "rows": 5,
        "allowed": {"negation": ["none", "premise", "both"]},
        "headlines": {"negated": {}, "negated_premise": {"negation": "premise", "label": "not entailed"}},
    }
}


def made() -> dict[str, list]:
    """The rows of MADE: all right but one of the three whose premise is negated and whose label is `not entailed`."""
    return {
        "predictions": ["entailment", "neutral", "contradiction", "entailment", "not entailed"],
        "references": ["entailment", "not entailed", "not entailed", "not entailed", "neutral"],
        "test_set": ["negated"] * 5,
        "heuristic": [""] * 5,
        "subcase": [""] * 5,
        "other_slices": {"negation": ["both", "premise", "premise", "premise", "none"]},
        "test_sets": MADE,
    }


@pytest.mark.filterwarnings("error")
def test_a_made_up_test_set_is_folded_sliced_and_scored_by_its_own_headlines(blindspot):
    results = blindspot.compute(**made(), entailment_score=[0.9, 0.1, 0.2, 0.7, 0.3])
    assert list(results) == ["negated", "negated_premise", "slices", "scores", "both_sides"]
    assert results["negated"] == 0.8
    assert results["negated_premise"] == pytest.approx(2 / 3)
    part = find(results, test_set="negated", negation="premise", label="not entailed")
    assert list(part)[:5] == ["test_set", "heuristic", "subcase", "negation", "label"]
    assert (part["n"], part["accuracy"]) == (3, results["negated_premise"])
    assert find(results, test_set="negated", negation="both", label="")["accuracy"] == 1
    assert find(results, test_set="negated", negation="", label="not entailed")["n"] == 4
    whole, *_ = results["scores"]
    assert (whole["test_set"], whole["n"], whole["auroc"]) == ("negated", 5, 1)
    assert whole["mean_probability"] == pytest.approx((0.9 + 0.9 + 0.8 + 0.3 + 0.7) / 5)


@incomplete
def test_every_test_set_is_folded_by_itself(blindspot):
    """Contradiction for neutral is an error on MNLI matched beside a set on which the two are one."""
    paper = {"mnli_matched": sys.modules[type(blindspot).__module__].PAPER["mnli_matched"]}
    mnli = {"predictions": "contradiction", "references": "neutral", "test_set": "mnli_matched"}
    rows = {name: [*made()[name], mnli.get(name, "")] for name in (*mnli, "heuristic", "subcase")}
    negation = {"negation": [*made()["other_slices"]["negation"], ""]}
    results = blindspot.compute(**rows, other_slices=negation, test_sets=MADE | paper)
    assert (results["negated"], results["mnli_matched"]) == (0.8, 0)


@pytest.mark.filterwarnings("error")
def test_a_set_that_does_not_tell_entailed_rows_has_no_scores(blindspot):
    labels = ["contradiction", "compatible"]
    consistent = {"labels": labels, "folding": {"compatible": ["entailment", "neutral"]}, "headlines": {"c": {}}}
    rows = {"predictions": ["entailment", "contradiction"], "references": ["compatible", "contradiction"]}
    rows |= {"test_set": ["c"] * 2, "heuristic": [""] * 2, "subcase": [""] * 2, "entailment_score": [0.9, 0.1]}
    results = blindspot.compute(**rows, test_sets={"c": consistent})
    assert (results["c"], results["scores"]) == (1, [])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"predictions": ["maybe"] * 5}, "Row 0: prediction 'maybe' is not one of .*not entailed"),
        ({"references": ["neutral"] * 4 + ["non-entailment"]}, "Row 4: label 'non-entailment'"),
        ({"test_set": ["negated"] * 4 + ["hans"]}, "Row 4: test_set 'hans' is not one of negated"),
        ({"other_slices": {"negation": ["none"] * 4 + ["all"]}}, "Row 4: negation 'all' is not one of none, premise"),
        ({"other_slices": {"negation": ["none"]}}, "differ in length: .*negation 1"),
        ({"other_slices": {"negation": ["none"] * 4 + [None]}}, "Row 4 has no negation"),
    ],
)
def test_bad_rows_of_a_made_up_set_are_errors(blindspot, change, message):
    with pytest.raises(ValueError, match=message):
        blindspot.compute(**(made() | change))


def test_an_incomplete_made_up_set_is_a_warning(blindspot):
    larger = {"negated": MADE["negated"] | {"rows": 6}}
    with pytest.warns(UserWarning, match="negated: 5 rows, the complete set has 6"):
        blindspot.compute(**(made() | {"test_sets": larger}))


@pytest.mark.parametrize("name", ["mnli_matched", "hans"])
def test_the_built_in_sets_are_those_of_the_registry(blindspot, name):
    built_in = sys.modules[type(blindspot).__module__].PAPER
    assert list(built_in) == ["mnli_matched", "hans"]
    entry = {"folding": {}, "allowed": {}, "both_sides": {}} | built_in[name]
    assert json.loads(json.dumps(entry)) == test_sets.test_set(name).metric_entry()
