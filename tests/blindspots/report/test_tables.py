"""The grid table and Table 1."""

import io
import re

import numpy as np
import pandas as pd
import pytest
from datasets import Dataset
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from blindspots.config.errors import UserError
from blindspots.config.paths import PAPER_POINTS
from blindspots.data.nli_datasets import PAIR_FEATURES
from blindspots.report.collect import Grid, read_grid
from blindspots.report.points import read_points
from blindspots.report.tables import (
    COUNTS,
    accuracy,
    band_units,
    grid_table,
    heuristic_counts,
    latex,
    markdown,
    read_counts,
    shown_table1,
    summary,
    table1,
)


@pytest.mark.parametrize(("value", "text"), [(0.5, ".500"), (-0.052, "-.052"), (1, "1.000"), (1 - 1e-12, "1.000")])
def test_an_accuracy_has_three_decimals_and_no_leading_zero(value, text):
    assert accuracy(value) == text


@given(st.integers(-1999, 1999))
def test_a_mean_that_is_summed_in_another_order_is_the_same_text(halves):
    mean = halves / 2000  # among them .7635, which lies between two texts
    assert len({accuracy(np.nextafter(mean, end)) for end in (-2, mean, 2)}) == 1


def test_mean_and_band_over_seeds(make_grid):
    grid = read_grid(make_grid(seeds=[0, 1, 2], starts=[0], sizes=[60]))
    values = grid.models.loc[grid.models["kind"] == "synthetic", "hans"]
    row = summary(grid).loc[(0, "synthetic", 60)]
    interval = stats.ttest_1samp(values, 0).confidence_interval()
    assert row["seeds"] == 3
    assert row["hans.mean"] == pytest.approx(values.mean())
    assert (row["hans.low"], row["hans.high"]) == pytest.approx((interval.low, interval.high))


def test_the_grid_table_has_a_row_per_place_and_the_spread_only_over_seeds(make_grid):
    table = grid_table(read_grid(make_grid(seeds=[0, 1], starts=[0], sizes=[60])))
    assert table["further tuned on"].tolist() == ["start", "original", "synthetic", "biased synthetic"]
    assert all("±" in value for value in table["HANS"])
    paper = grid_table(read_points(PAPER_POINTS))
    assert "seeds" not in paper
    assert paper.iloc[1].tolist() == ["0", "original", "18,020", ".850", ".680", ".858"]


def test_the_table_of_an_empty_grid_has_a_head_alone():
    paper = read_points(PAPER_POINTS)
    empty = Grid(paper.models.iloc[:0], paper.metrics)
    assert len(markdown(grid_table(empty)).splitlines()) == 2


def test_markdown_and_latex_hold_the_same_cells():
    table = pd.DataFrame({"kind": ["a"], "rate": ["5.0%"], "accuracy": [".5 ± .1"]})
    assert markdown(table) == "| kind | rate | accuracy |\n| --- | ---: | ---: |\n| a | 5.0% | .5 ± .1 |\n"
    assert r"a & 5.0\% & .5 $\pm$ .1 \\" in latex(table)


def test_table_1_as_published():
    # Rates and S:O of Zhang & Pavlick (2025), table 1.
    shown = shown_table1(table1(read_counts(PAPER_POINTS.parent / "table1_counts.csv")))
    assert shown["original"].tolist()[0] == "2,139 / 130,541 (1.639%)"
    assert [re.match(r"[\d.]+", ratio)[0] for ratio in shown["S:O"][:3]] == ["2.352", "2.320", "1.827"]
    assert shown["label"].tolist() == ["entailment", "neutral", "contradiction", "all"]


def dataset(pairs) -> Dataset:
    rows = [{"id": str(i), "premise": p, "hypothesis": h, "label": label} for i, (p, h, label) in enumerate(pairs)]
    return Dataset.from_list(rows, features=PAIR_FEATURES)


def test_what_bands_are_over_names_the_starts_where_replicates_share_some(make_grid):
    shared = make_grid(seeds=[0, 1, 2], starts=[900], sizes=[60], start_draws=2)
    assert band_units(read_grid(shared)) == "3 seeds or 2 starts"


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
    assert shown_table1(table)["generator"].tolist() == ["g1"] * 6 + ["g2"] * 6
    assert "generator" not in shown_table1(table[table["generator"] == "g1"])


def test_the_spread_of_synthetic_data_is_over_generators_and_that_of_other_kinds_over_seeds(make_grid):
    grid = read_grid(make_grid(seeds=range(6), starts=[900], sizes=[60], generators=["a", "b", "c"], start_draws=1))
    values = grid.models[grid.models["kind"] == "synthetic"].sort_values("seed")["hans"].to_numpy()
    row = summary(grid).loc[(900, "synthetic", 60)]
    assert row["hans.sd"] == pytest.approx(values.reshape(2, 3).mean(axis=0).std(ddof=1))
    assert row["seeds"] == 6
    other = grid.models.loc[grid.models["kind"] == "original", "hans"]
    assert summary(grid).loc[(900, "original", 60)]["hans.sd"] == pytest.approx(other.std(ddof=1))
