"""Intervals with whole units resampled: never narrower for rows of one unit, and held by independent formulas."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blindspots.evaluation.statistics import wilson
from blindspots.evaluation.unit_statistics import cluster_bootstrap, unit_bootstrap, unit_interval, unit_share


def test_unit_bootstrap_of_a_mean_is_the_cluster_bootstrap():
    rng = np.random.default_rng(0)
    units = rng.integers(0, 30, 200)
    values = rng.random(200) + rng.random(30)[units]
    parts = np.stack([values, np.ones(200)], axis=1)
    ours = unit_bootstrap(parts, lambda totals: totals[..., 0] / totals[..., 1], units)
    theirs = cluster_bootstrap(values, np.zeros(200), units)
    assert ours.estimate == pytest.approx(theirs.estimate)
    assert ours.standard_error == pytest.approx(theirs.standard_error, rel=0.1)


def test_a_statistic_without_a_value_is_nan_and_so_are_its_limits():
    with np.errstate(invalid="ignore"):
        found = unit_bootstrap(np.zeros((5, 2)), lambda totals: totals[..., 0] / totals[..., 1], range(5))
    assert np.isnan(found).all()


@given(st.lists(st.booleans(), min_size=1, max_size=200))
def test_a_share_of_single_rows_is_wilsons(hits):
    assert unit_share(hits, range(len(hits))) == pytest.approx(wilson(sum(hits), len(hits)))


def test_rows_that_repeat_their_unit_do_not_narrow_a_share():
    hits = np.array([1, 0, 0, 1, 0, 1, 1, 0, 0, 0])
    once, tenfold = unit_share(hits, range(10)), unit_share(np.repeat(hits, 10), np.repeat(range(10), 10))
    assert tenfold.estimate == once.estimate
    assert tenfold.low <= once.low < once.high <= tenfold.high
    assert unit_share(np.zeros(100), np.repeat(range(10), 10)).high == pytest.approx(wilson(0, 10).high)


def test_a_share_holds_the_truth_though_units_are_alike():
    rng, held = np.random.default_rng(0), 0
    for _ in range(300):
        units = np.repeat(np.arange(25), rng.integers(1, 15, 25))
        chance = rng.beta(1, 3, 25)
        found = unit_share(rng.random(units.size) < chance[units], units)
        held += found.low <= 0.25 <= found.high
    assert held >= 0.92 * 300


def test_no_variation_is_no_certainty():
    parts = np.tile([1.0, 1.0], (20, 1))
    measure = SimpleNamespace(parts=parts, of=lambda t: t[..., 0] / t[..., 1], is_share=False, bounds=(0, 1))
    assert unit_interval(measure, range(20)) == pytest.approx((1, wilson(20, 20).low, 1))
