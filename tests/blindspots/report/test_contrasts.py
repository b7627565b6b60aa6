"""Contrasts of a grid: estimates, intervals, and which verdicts one seed allows."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blindspots.config.paths import PAPER_POINTS
from blindspots.grid import Cell
from blindspots.report.collect import AUROCS, PAPER_METRICS, Grid, read_grid, read_points
from blindspots.report.contrasts import (
    ABOVE_ZERO,
    CONTRADICTED,
    SUPPORTED,
    UNDECIDED,
    Rule,
    below,
    read,
    same_cells,
    sign_test,
    within,
)


def points(gaps, seeds=1, spread=0.0) -> Grid:
    """A grid without rows: at each start original is above synthetic by its gap, plus spread x (seed parity)."""
    rows, names = [], []
    for start, gap in enumerate(gaps):
        for seed in range(seeds):
            for kind, value in {None: 0.5, "original": 0.5 + gap + spread * (seed % 2), "synthetic": 0.5}.items():
                place = {"start": start, "kind": kind or "start", "size": 60 if kind else 0, "seed": seed}
                rows.append(place | dict.fromkeys([*PAPER_METRICS, *AUROCS], value))
                names.append(Cell(start, seed, kind, 60 if kind else None).name)
    return Grid(pd.DataFrame(rows, index=names), read_points(PAPER_POINTS).metrics)


def gap(grid, rule=ABOVE_ZERO, metric="hans"):
    return read(grid, metric, "original - synthetic", same_cells(grid, "original", "synthetic"), rule)


def test_from_one_seed_six_starts_of_one_sign_decide():
    reading = gap(points([0.05, 0.06, 0.05, 0.04, 0.05, 0.06]))
    assert reading.verdict == SUPPORTED
    assert reading.starts_p == pytest.approx(2 * 0.5**6)
    assert reading.basis == "starts (one seed)"
    assert (reading.wins, reading.n) == (6, 6)


def test_from_one_seed_one_start_of_the_other_sign_leaves_it_undecided():
    reading = gap(points([0.5, 0.6, 0.5, 0.4, 0.5, -0.001]))
    assert reading.low > 0
    assert reading.verdict == UNDECIDED


def test_from_one_seed_five_starts_decide_nothing():
    for rule in (ABOVE_ZERO, within(0.2), below(0.2)):
        assert gap(points([0.05] * 5), rule).verdict == UNDECIDED


def test_from_one_seed_and_one_start_there_is_no_interval():
    reading = gap(points([0.05]))
    assert (reading.low, reading.high, reading.verdict) == (None, None, UNDECIDED)
    assert reading.estimate == pytest.approx(0.05)


def test_several_seeds_decide_at_a_single_start():
    reading = gap(points([0.2], seeds=6, spread=0.02))
    assert reading.basis == "seeds"
    assert reading.verdict == SUPPORTED
    assert reading.estimate == pytest.approx(0.21)
    assert reading.seed_sd == pytest.approx(np.std([0, 0.02] * 3, ddof=1))
    assert reading.seeds_needed == 2


def test_the_seeds_needed_from_one_seed_take_the_published_spread():
    # McCoy et al. (2020): sd .124 on LO-non-entailment; a gap of .19 needs about 8 seeds an arm.
    assert gap(points([0.19] * 2), metric="hans_lo_non_entailment").seeds_needed == 8
    assert gap(points([0.0] * 2)).seeds_needed is None


def test_a_pair_that_one_seed_lacks_is_left_out_of_all():
    grid = points([0.1, 0.3], seeds=2)
    grid.models = grid.models.drop("n1-original-n60-s1")
    reading = gap(grid)
    assert reading.n_pairs == 1
    assert reading.estimate == pytest.approx(0.1)


def test_no_pair_at_all():
    reading = gap(Grid(points([0.1]).models.iloc[:0], []))
    assert (reading.estimate, reading.verdict, reading.n_seeds) == (None, UNDECIDED, 0)


def test_rows_give_the_same_estimate_as_the_accuracies_and_wider_limits_over_subcases(make_grid):
    grid = read_grid(make_grid(seeds=[0, 1], starts=[0], sizes=[60]))
    for metric in PAPER_METRICS:
        reading = gap(grid, metric=metric)
        kinds = grid.models.groupby("kind")[metric].mean()
        assert reading.estimate == pytest.approx(kinds["original"] - kinds["synthetic"])
        assert reading.basis == "seeds and test rows"
        assert reading.low < reading.estimate < reading.high
        assert (reading.subcase_low is None) == (metric == "mnli_matched")


@given(st.tuples(st.floats(-1, 1), st.floats(0, 1)), st.floats(0.001, 0.5))
def test_an_interval_supports_or_contradicts_never_both(interval, margin):
    low, high = interval[0], interval[0] + interval[1]
    assert ABOVE_ZERO.judge(low, high) == {1: SUPPORTED, -1: CONTRADICTED}.get(
        np.sign(low) if np.sign(low) == np.sign(high) else 0, UNDECIDED
    )
    rules: list[Rule] = [within(margin), below(margin)]
    for rule in rules:
        if low <= margin <= high:
            assert rule.judge(low, high) == UNDECIDED


@given(st.lists(st.sampled_from([-1.0, 0.0, 1.0]), max_size=12))
def test_the_sign_test_has_two_sides_and_drops_ties(signs):
    signs = np.array(signs)
    assert sign_test(signs) == sign_test(-signs) == sign_test(signs[signs != 0])
    assert 0 < sign_test(signs) <= 1
