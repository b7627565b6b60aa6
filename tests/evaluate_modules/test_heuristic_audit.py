"""The measurement: published counts, ratios of two datasets, and bad input."""

from pathlib import Path

import evaluate
import pandas as pd
import pytest

MODULE = str(Path(__file__).resolve().parents[2] / "evaluate_modules" / "heuristic_audit")


@pytest.fixture(scope="module")
def audit():
    return evaluate.load(MODULE)


def small() -> dict[str, list[str]]:
    """Four pairs: raw overlap in the first, stripped overlap in the first two; the first two are a subsequence."""
    return {
        "premise": ["Some dogs sleep .", "Some dogs sleep.", "Some dogs sleep.", "Cats purr."],
        "hypothesis": ["Dogs sleep .", "Dogs sleep", "Cats sleep", "Dogs purr"],
        "label": ["entailment", "neutral", "entailment", "contradiction"],
    }


def rate(results: dict, words: str, heuristic: str, label: str, table: str = "rates") -> dict:
    (found,) = [
        row for row in results[table] if (row["words"], row["heuristic"], row["label"]) == (words, heuristic, label)
    ]
    return found


def test_all_261_contradicting_pairs_of_mnli_overlap(shared, audit):
    """McCoy et al. (2019): MNLI training pairs with full lexical overlap that are not entailed, 82 of them neutral."""
    file = shared / "reference/mnli_lo_contradicting_examples.tsv"
    rows = pd.read_csv(file, sep="\t", header=None, quoting=3, names=["premise", "hypothesis", "label"])
    results = audit.compute(**rows.to_dict("list"))
    assert results["n"] == 261
    assert rate(results, "raw", "lexical_overlap", "")["count"] == 261
    assert rate(results, "raw", "lexical_overlap", "neutral")["n"] == 82
    assert rate(results, "raw", "lexical_overlap", "contradiction")["n"] == 179


def test_hans_overlaps_throughout(shared, audit):
    rows = pd.read_parquet(shared / "hub/datasets/jhu-cogsci/hans/data/validation-00000-of-00001.parquet")
    results = audit.compute(
        premise=rows["premise"].tolist(),
        hypothesis=rows["hypothesis"].tolist(),
        label=rows["label"].map({0: "entailment", 1: "non-entailment"}).tolist(),
        premise_parse=rows["parse_premise"].tolist(),
    )
    assert rate(results, "raw", "lexical_overlap", "")["rate"] == 1
    # All of constituent's 10,000 rows, and the subsequence rows whose premise has the hypothesis as its object clause.
    assert rate(results, "raw", "constituent", "entailment")["count"] == 5_000
    assert rate(results, "raw", "constituent", "non-entailment")["count"] == 6_000


def test_counts_by_label_and_word_rule(audit):
    results = audit.compute(**small())
    assert rate(results, "raw", "lexical_overlap", "")["count"] == 1
    assert rate(results, "stripped", "lexical_overlap", "")["count"] == 2
    entailed = rate(results, "stripped", "subsequence", "entailment")
    assert (entailed["count"], entailed["n"], entailed["rate"]) == (1, 2, 0.5)
    assert (entailed["low"], entailed["high"]) == pytest.approx((0.0945, 0.9055), abs=1e-4)
    assert "constituent" not in {row["heuristic"] for row in results["rates"]}
    assert "ratios" not in results


def test_labels_add_up_to_all(audit):
    rates = pd.DataFrame(audit.compute(**small())["rates"])
    by_label = rates[rates["label"] != ""].groupby(["words", "heuristic"])[["count", "n"]].sum()
    total = rates[rates["label"] == ""].set_index(["words", "heuristic"])[["count", "n"]]
    pd.testing.assert_frame_equal(by_label, total.sort_index())


def test_share_of_entailed_pairs_among_those_that_overlap(audit):
    shares = {(row["words"], row["heuristic"]): row for row in audit.compute(**small())["entailed"]}
    assert (shares["raw", "lexical_overlap"]["rate"], shares["stripped", "lexical_overlap"]["rate"]) == (1, 0.5)


def test_share_of_nothing_is_none(audit):
    rows = {name: column[3:] for name, column in small().items()}
    assert {row["rate"] for row in audit.compute(**rows)["entailed"]} == {None}


def test_ratios_to_a_second_dataset(audit):
    reference = {f"reference_{name}": column * 2 for name, column in small().items()}
    results = audit.compute(**small(), **reference)
    same = rate(results, "stripped", "lexical_overlap", "entailment", "ratios")
    assert (same["count"], same["n"], same["reference_count"], same["reference_n"]) == (1, 2, 2, 4)
    assert same["ratio"] == 1
    assert same["low"] < 1 < same["high"]
    assert rate(results, "raw", "lexical_overlap", "contradiction", "ratios")["ratio"] is None


def test_constituents_are_compared_where_both_have_parses(audit):
    rows = {"premise": ["We left ."], "hypothesis": ["We left ."], "label": ["entailment"]}
    parse = ["(ROOT (S (NP We) (VP left) (. .)))"]
    reference = {f"reference_{name}": column for name, column in rows.items()}
    one = audit.compute(**rows, premise_parse=parse, **reference)
    both = audit.compute(**rows, premise_parse=parse, **reference, reference_premise_parse=parse)
    assert rate(one, "raw", "constituent", "entailment")["count"] == 1
    assert "constituent" not in {row["heuristic"] for row in one["ratios"]}
    assert rate(both, "raw", "constituent", "entailment", "ratios")["ratio"] == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"label": ["entailment"]}, "Mismatch in the number"),
        ({"label": ["entailment"] * 3 + ["maybe"]}, "Row 3: label 'maybe' is not one of entailment"),
        ({"premise": ["a", "b", None, "c"]}, "Row 2: premise is None"),
        ({"premise_parse": ["(S)"]}, "differ in length: .*premise_parse 1"),
        ({"premise_parse": ["(S (NP x)"] * 4}, "The parse ends inside 1 open bracket"),
        ({"reference_premise": ["a"]}, "needs reference_premise, reference_hypothesis and reference_label"),
        (
            {"reference_premise": ["a"], "reference_hypothesis": ["a"], "reference_label": ["maybe"]},
            "Row 0: reference_label 'maybe'",
        ),
    ],
)
def test_bad_input_is_an_error_that_names_the_row(change, message):
    with pytest.raises(ValueError, match=message):
        evaluate.load(MODULE).compute(**(small() | change))
