"""Findings: their intervals are scipy's and statsmodels', and nothing is ever the share or the mean of nothing."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from blindspots.audit.findings import Moments, NotComputedError, mean, rate_ratio, share, welch
from blindspots.evaluation.statistics import ratio_of_rates, wilson

VALUES = st.lists(st.integers(-1000, 1000).map(lambda value: value / 10), min_size=2, max_size=30)
COUNTS = st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@given(VALUES, VALUES)
def test_the_difference_of_means_is_welchs(first, second):
    ours = welch(Moments.of(first), Moments.of(second))
    theirs = stats.ttest_ind(first, second, equal_var=False).confidence_interval(0.95)
    if not math.isnan(theirs.low):
        assert ours.low == pytest.approx(theirs.low, abs=1e-6, rel=1e-6)
        assert ours.high == pytest.approx(theirs.high, abs=1e-6, rel=1e-6)


@given(st.lists(st.integers(0, 9), min_size=2, max_size=50))
def test_counts_of_values_have_the_moments_of_the_values(values):
    counted = Moments.of_counts(range(10), np.bincount(values, minlength=10))
    assert counted.n == len(values)
    assert counted.mean == pytest.approx(np.mean(values))
    assert counted.variance == pytest.approx(np.var(values, ddof=1))


@given(COUNTS, COUNTS)
def test_a_share_lies_in_its_interval_and_so_does_the_difference(mine, other):
    found = share("share", *mine, other)
    assert found.value == wilson(*mine)
    for interval in (found.value, found.reference, found.contrast):
        assert interval.low - 1e-9 <= interval.estimate <= interval.high + 1e-9
    assert found.contrast.estimate == pytest.approx(mine[0] / mine[1] - other[0] / other[1])


def test_a_rate_ratio_is_that_of_table_1():
    assert rate_ratio("LO", 24_360, 631_992, (2_139, 130_541)).contrast == ratio_of_rates(
        24_360, 631_992, 2_139, 130_541
    )


def test_nothing_is_the_share_or_mean_of_nothing():
    for made in (lambda: share("x", 0, 0), lambda: mean("x", Moments.of([])), lambda: rate_ratio("x", 0, 0, (1, 2))):
        with pytest.raises(NotComputedError, match="there is no row"):
            made()


def test_a_single_value_has_a_mean_but_no_interval():
    low, high = mean("x", Moments.of([3.0])).value[1:]
    assert math.isnan(low)
    assert math.isnan(high)
