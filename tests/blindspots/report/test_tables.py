"""The grid table and its bands."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from blindspots.config.paths import PAPER_POINTS
from blindspots.report.collect import Grid, read_grid
from blindspots.report.points import read_points
from blindspots.report.tables import accuracy, band_units, grid_table, latex, markdown, summary


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


def test_what_bands_are_over_names_the_starts_where_replicates_share_some(make_grid):
    shared = make_grid(seeds=[0, 1, 2], starts=[900], sizes=[60], start_draws=2)
    assert band_units(read_grid(shared)) == "3 seeds or 2 starts"


def test_the_spread_of_synthetic_data_is_over_generators_and_that_of_other_kinds_over_seeds(make_grid):
    grid = read_grid(make_grid(seeds=range(6), starts=[900], sizes=[60], generators=["a", "b", "c"], start_draws=1))
    values = grid.models[grid.models["kind"] == "synthetic"].sort_values("seed")["hans"].to_numpy()
    row = summary(grid).loc[(900, "synthetic", 60)]
    assert row["hans.sd"] == pytest.approx(values.reshape(2, 3).mean(axis=0).std(ddof=1))
    assert row["seeds"] == 6
    other = grid.models.loc[grid.models["kind"] == "original", "hans"]
    assert summary(grid).loc[(900, "original", 60)]["hans.sd"] == pytest.approx(other.std(ddof=1))
