"""Table 1: counts of lexical overlap by label, their ratios, and what the shares of the labels do to them."""

import io
import re

import numpy as np
import pandas as pd
import pytest
from datasets import Dataset
from hypothesis import given
from hypothesis import strategies as st

from blindspots.config.errors import UserError
from blindspots.config.paths import PAPER_POINTS
from blindspots.data.nli import LABELS
from blindspots.data.nli_datasets import PAIR_FEATURES
from blindspots.report.table1 import ALL, COUNTS, STANDARDISED, heuristic_counts, read_counts, shown_table1, table1


def test_table_1_as_published():
    # Rates and S:O of Zhang & Pavlick (2025), table 1; it has no total.
    shown = shown_table1(table1(read_counts(PAPER_POINTS.parent / "table1_counts.csv")))
    assert shown["original"].tolist()[0] == "2,139 / 130,541 (1.639%)"
    assert [re.match(r"[\d.]+", ratio)[0] for ratio in shown["S:O"]] == ["2.352", "2.320", "1.827", "2.402", "2.313"]
    assert shown["label"].tolist() == ["entailment", "neutral", "contradiction", ALL, STANDARDISED]


def dataset(pairs) -> Dataset:
    rows = [{"id": str(i), "premise": p, "hypothesis": h, "label": label} for i, (p, h, label) in enumerate(pairs)]
    return Dataset.from_list(rows, features=PAIR_FEATURES)


def test_counts_of_two_datasets_by_both_rules_of_words():
    original = dataset([("a b .", "b a .", 0), ("a b .", "c .", 1), ("a, b .", "a", 2)])
    synthetic = dataset([("a b .", "a .", 0), ("a b .", "b .", 0), ("d .", "c .", 1)])
    counts = heuristic_counts(original, {"": synthetic}).set_index(["words", "label"]).drop(columns="generator")
    assert counts.loc[("raw", "entailment")].tolist() == [1, 1, 2, 2]
    assert counts.loc[("raw", "contradiction")].tolist() == [0, 1, 0, 0]
    assert counts.loc[("stripped", "contradiction")].tolist() == [1, 1, 0, 0]


def test_counts_of_another_file(tmp_path):
    (tmp_path / "counts.csv").write_text("words,label\nraw,entailment\n")
    with pytest.raises(UserError, match="original_count"):
        read_counts(tmp_path / "counts.csv")
    with pytest.raises(UserError, match="no counts"):
        read_counts(tmp_path / "none.csv")


@pytest.mark.parametrize(
    ("rows", "lacking"),
    [
        (["a,raw,neutral", "a,raw,contradiction"], "entailment by raw words for a"),
        (["a,raw,entailment", "a,stripped,entailment", "b,stripped,entailment"], "entailment by raw words for b"),
        (["a,raw,entailment", "b,raw,entailment", "b,raw,neutral"], "neutral by raw words for a"),
    ],
)
def test_counts_that_are_not_those_of_every_generator_are_refused(tmp_path, rows, lacking):
    file = tmp_path / "counts.csv"
    file.write_text("\n".join([",".join(COUNTS), *(f"{row},1,10,2,10" for row in rows)]))
    with pytest.raises(UserError, match=lacking):
        read_counts(file)


def test_the_table_of_a_report_holds_its_counts(tmp_path):
    counts = read_counts(PAPER_POINTS.parent / "table1_counts.csv")
    table1(counts).to_csv(tmp_path / "table1.csv", index=False)
    assert read_counts(tmp_path / "table1.csv").to_dict("list") == counts.to_dict("list")


def test_a_label_that_only_one_dataset_has_makes_no_ratio():
    text = "generator,words,label,original_count,original_n,synthetic_count,synthetic_n\n"
    text += ",raw,entailment,1,10,2,10\n,raw,neutral,0,10,0,0\n"
    table = table1(pd.read_csv(io.StringIO(text), keep_default_na=False)).set_index("label")
    assert table.loc["entailment", "ratio"] == 2
    assert pd.isna(table.loc["neutral", "ratio"])


def test_the_counts_of_several_generators_stand_one_below_the_other():
    original = dataset([("a b .", "b a .", 0), ("a b .", "c .", 1)])
    written = {name: dataset([("a b .", hypothesis, 0)]) for name, hypothesis in (("g1", "a ."), ("g2", "c ."))}
    table = table1(heuristic_counts(original, written))
    entailed = table[(table["words"] == "raw") & (table["label"] == "entailment")].set_index("generator")
    assert entailed["synthetic_count"].to_dict() == {"g1": 1, "g2": 0}
    assert shown_table1(table)["generator"].tolist() == ["g1"] * 8 + ["g2"] * 8
    assert "generator" not in shown_table1(table[table["generator"] == "g1"])


def counted(original: list[tuple[int, int]], synthetic: list[tuple[int, int]]) -> pd.DataFrame:
    """Table 1 by label, of (count, rows) of each label."""
    sides = zip(LABELS, original, synthetic)
    rows = [dict(zip(COUNTS, ("", "raw", label, *first, *second))) for label, first, second in sides]
    return table1(pd.DataFrame(rows)).set_index("label")


def test_more_rows_of_the_label_that_overlaps_are_not_more_overlap():
    original = [(60, 1_000), (10, 1_000), (20, 1_000)]
    synthetic = [(600, 10_000), (1, 100), (2, 100)]  # the same rates, and mostly entailed rows
    table = counted(original, synthetic)
    assert table.at[ALL, "ratio"] > 1.9
    assert table.at[STANDARDISED, "synthetic_rate"] == pytest.approx(0.03)
    assert table.at[STANDARDISED, "ratio"] == pytest.approx(1)
    assert table.at[STANDARDISED, "low"] < 1 < table.at[STANDARDISED, "high"]
    shown = shown_table1(table.reset_index()).set_index("label").loc[STANDARDISED]
    assert (shown["original"], shown["synthetic"]) == ("90 / 3,000 (3.000%)", "(3.000%)")


counts_of_labels = st.lists(st.integers(1, 400), min_size=3, max_size=3)


@given(counts_of_labels, counts_of_labels, st.lists(st.integers(1, 9), min_size=3, max_size=3))
def test_the_standardised_rate_does_not_depend_on_the_shares_of_labels(original, synthetic, times):
    sides = [[(count, 1_000) for count in counts] for counts in (original, synthetic)]
    more = [(count * factor, 1_000 * factor) for count, factor in zip(synthetic, times)]
    as_they_are, with_more = counted(*sides), counted(sides[0], more)
    assert as_they_are.at[STANDARDISED, "ratio"] == pytest.approx(as_they_are.at[ALL, "ratio"])
    assert with_more.at[STANDARDISED, "ratio"] == pytest.approx(as_they_are.at[STANDARDISED, "ratio"])
    for side in ("low", "high"):  # more rows, and a narrower interval
        apart = [abs(one.at[STANDARDISED, side] - one.at[STANDARDISED, "ratio"]) for one in (with_more, as_they_are)]
        assert apart[0] <= apart[1] + 1e-9


def test_the_standardised_interval_holds_the_truth_in_about_95_of_100_datasets():
    rng, held = np.random.default_rng(0), 0
    original, synthetic = ([4_000, 3_000, 3_000], [0.06, 0.01, 0.02]), ([9_000, 900, 900], [0.09, 0.02, 0.03])
    truth = np.dot(original[0], synthetic[1]) / np.dot(*original)
    for _ in range(300):
        sides = [list(zip(rng.binomial(rows, rates).tolist(), rows)) for rows, rates in (original, synthetic)]
        found = counted(*sides).loc[STANDARDISED]
        held += found["low"] <= truth <= found["high"]
    assert 0.92 <= held / 300 <= 0.98


@pytest.mark.parametrize("synthetic", [[(5, 100), (0, 0), (1, 100)], [(0, 0), (5, 100), (1, 100)]])
def test_without_rows_of_a_label_nothing_can_be_standardised(synthetic):
    found = counted([(5, 100), (5, 100), (5, 100)], synthetic).loc[STANDARDISED]
    assert found[["synthetic_rate", "ratio", "low", "high"]].isna().all()


def test_a_label_that_the_original_lacks_has_no_weight():
    found = counted([(5, 100), (5, 100), (0, 0)], [(10, 100), (10, 100), (100, 100)])
    assert found.at[STANDARDISED, "ratio"] == pytest.approx(2)
