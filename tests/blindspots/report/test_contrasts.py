"""Contrasts of a grid: estimates, intervals, and which verdicts one seed allows."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from blindspots.config.paths import PAPER_POINTS
from blindspots.evaluation.statistics import t_interval
from blindspots.grid import Cell
from blindspots.report.collect import PAPER_METRICS, Grid, read_grid
from blindspots.report.contrasts import (
    ABOVE_ZERO,
    CONTRADICTED,
    SUPPORTED,
    UNDECIDED,
    Rule,
    below,
    not_below,
    read,
    same_cells,
    sign_test,
    verdict_of,
    within,
)
from blindspots.report.points import read_points


def points(gaps, seeds=1, spread=0.0) -> Grid:
    """A grid without rows: at each start original is above synthetic by its gap, plus spread x (seed parity)."""
    rows, names = [], []
    for start, gap in enumerate(gaps):
        for seed in range(seeds):
            for kind, value in {None: 0.5, "original": 0.5 + gap + spread * (seed % 2), "synthetic": 0.5}.items():
                place = {"start": start, "kind": kind or "start", "size": 60 if kind else 0, "seed": seed}
                rows.append(place | dict.fromkeys(PAPER_METRICS, value))
                names.append(Cell(start, seed, kind, 60 if kind else None).name)
    return Grid(pd.DataFrame(rows, index=names), read_points(PAPER_POINTS).metrics)


def gap(grid, rule=ABOVE_ZERO, metric="hans"):
    return read(grid, metric, "original - synthetic", same_cells(grid, "original", "synthetic"), rule)


def test_from_one_seed_six_starts_of_one_sign_decide():
    reading = gap(points([0.05, 0.06, 0.05, 0.04, 0.05, 0.06]))
    assert reading.verdict == SUPPORTED
    assert reading.starts_p == pytest.approx(2 * 0.5**6)
    assert reading.basis == "starts (one replicate)"
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
    assert reading.unit_sd == pytest.approx(np.std([0, 0.02] * 3, ddof=1))
    assert reading.needed == 2
    assert (reading.unit, reading.units) == ("seeds", 6)


def test_the_seeds_needed_from_one_seed_take_the_published_spread():
    # McCoy et al. (2020): sd .124 on LO-non-entailment; a gap of .19 needs about 8 seeds per arm.
    assert gap(points([0.19] * 2), metric="hans_lo_non_entailment").needed == 8
    assert gap(points([0.0] * 2)).needed is None


def test_a_pair_that_one_seed_lacks_is_left_out_of_all():
    grid = points([0.1, 0.3], seeds=2)
    grid.models = grid.models.drop("n1-original-n60-s1")
    reading = gap(grid)
    assert reading.n_pairs == 1
    assert reading.estimate == pytest.approx(0.1)


def test_no_pair_at_all():
    reading = gap(Grid(points([0.1]).models.iloc[:0], []))
    assert (reading.estimate, reading.verdict, reading.units) == (None, UNDECIDED, 0)


def test_rows_give_the_same_estimate_as_the_accuracies_and_wider_limits_over_subcases(make_grid):
    grid = read_grid(make_grid(seeds=[0, 1], starts=[0], sizes=[60]))
    for metric in PAPER_METRICS:
        reading = gap(grid, metric=metric)
        kinds = grid.models.groupby("kind")[metric].mean()
        assert reading.estimate == pytest.approx(kinds["original"] - kinds["synthetic"])
        assert reading.basis == "seeds and test rows"
        assert reading.low < reading.estimate < reading.high
        assert (reading.subcase_low is None) == (metric == "mnli_matched")


def test_a_limit_of_accuracies_ends_at_1_and_one_of_d_prime_does_not(make_grid):
    right = {None: 0.6, "original": 1.0, "synthetic": 0.1, "biased_synthetic": 0.3}
    grid = read_grid(make_grid(seeds=[0, 1], starts=[0], sizes=[60], right=right))
    assert gap(grid, metric="hans_lo_entailment").high == 1
    assert gap(grid, metric="hans_lo_d_prime").high > 1


REPLICATES = {"seeds": range(6), "starts": [0], "sizes": [60], "generators": ["a", "b", "c"], "start_draws": 2}


def test_over_several_generators_the_generator_is_the_unit(make_grid):
    grid = read_grid(make_grid(**REPLICATES, own_sets=True))
    reading = gap(grid)
    assert (reading.unit, reading.units, reading.basis) == ("generators", 3, "generators")
    assert reading.shared == "2 starts, the generators' rows, the test rows"
    assert not reading.one_generator
    differences = [
        np.mean([grid.models.at[f"n0-{kind}-n60-s{seed}", "hans"] for seed in (generator, generator + 3)])
        for kind in ("original", "synthetic")
        for generator in range(3)
    ]
    expected = stats.ttest_rel(differences[:3], differences[3:]).confidence_interval()
    assert (reading.low, reading.high) == pytest.approx((max(expected.low, -1), min(expected.high, 1)))
    assert reading.within_low <= reading.estimate <= reading.within_high
    kinds = grid.models.groupby("kind")["hans"].mean()
    assert reading.estimate == pytest.approx(kinds["original"] - kinds["synthetic"])


@pytest.mark.parametrize(
    ("axes", "shared"),
    [
        ({"generator_rows": 40}, "2 starts, the generators' pool of rows, the test rows"),
        ({"external": {f"synthetic-{name}": f"org/{name}" for name in "abc"}}, "2 starts, the test rows"),
    ],
)
def test_what_generators_share_depends_on_where_their_rows_come_from(make_grid, axes, shared):
    assert gap(read_grid(make_grid(**REPLICATES, **axes, own_sets=True))).shared == shared


def test_without_synthetic_data_the_generators_do_not_count(make_grid):
    grid = read_grid(make_grid(**REPLICATES, own_sets=True))
    reading = read(grid, "hans", "original - start", same_cells(grid, "original", "start"), ABOVE_ZERO)
    assert (reading.unit, reading.units, reading.shared) == ("starts", 2, "")


def test_one_generator_says_nothing_of_others(make_grid):
    grid = read_grid(make_grid(seeds=[0, 1, 2], starts=[0], sizes=[60]))
    reading = gap(grid)
    assert reading.one_generator
    assert reading.shared == "one generator, the starts' rows, the sets"
    beside = read(grid, "hans", "original - start", same_cells(grid, "original", "start"), ABOVE_ZERO)
    assert not beside.one_generator
    assert beside.shared == "the starts' rows, the sets"


@given(st.floats(-1, 1), st.floats(1e-3, 0.5), st.integers(1, 30), st.floats(0.001, 0.5))
def test_a_verdict_says_what_the_interval_shows(estimate, error, df, margin):
    effect = t_interval(estimate, error, df)
    rules = {ABOVE_ZERO: (0, np.inf), within(margin): (-margin, margin), below(margin): (-np.inf, margin)}
    rules |= {not_below(margin): (-margin, np.inf)}
    for rule, (above, most) in rules.items():
        shows = UNDECIDED
        if effect.low > above and effect.high < most:
            shows = SUPPORTED
        elif effect.high < above or effect.low > most:
            shows = CONTRADICTED
        near = min(abs(limit - end) for limit in (above, most) for end in effect[1:3])
        assert verdict_of(*rule.p_values(effect)) == shows or near < 1e-9


def test_superiority_and_non_inferiority_are_two_questions():
    effect = t_interval(0.0, 0.005, 10)
    assert verdict_of(*ABOVE_ZERO.p_values(effect)) == UNDECIDED
    assert verdict_of(*not_below(0.02).p_values(effect)) == SUPPORTED
    assert verdict_of(*not_below(0.02).p_values(t_interval(-0.05, 0.005, 10))) == CONTRADICTED


def test_the_limit_to_be_told_from_is_the_nearest():
    assert within(0.02).nearest(0.03) == 0.02
    assert within(0.02).nearest(-0.01) == -0.02
    assert Rule(above=0.0).nearest(5.0) == 0


@given(st.lists(st.sampled_from([-1.0, 0.0, 1.0]), max_size=12))
def test_the_sign_test_has_two_sides_and_drops_ties(signs):
    signs = np.array(signs)
    assert sign_test(signs) == sign_test(-signs) == sign_test(signs[signs != 0])
    assert 0 < sign_test(signs) <= 1
