"""Intervals of what is summed over rows, with whole units resampled: texts, questions, puzzles.

This file imports only the one beside it: `evaluate_modules/*` link to both, so that a pushed module stands alone.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from .statistics import Effect, Interval, cluster_sums, wilson

_CELLS = 2**22  # resampling weights held at once: 32 MiB
_ROUNDING = 1e-12


def cluster_bootstrap(
    first: ArrayLike,
    second: ArrayLike,
    clusters: ArrayLike,
    resamples: int = 2_000,
    level: float = 0.95,
    rng: np.random.Generator | int = 0,
) -> Effect:
    """Mean of `first` minus mean of `second` on the same rows, with whole clusters resampled.

    Args:
        first, second: right (1) or wrong (0), or any score, of each row: shape [rows].
        clusters: what a row belongs to, e.g. its premise or its HANS subcase: shape [rows].

    Rows of one cluster are not independent, so the unit is the cluster. The interval is the estimate -+ t times the
    standard deviation of the resampled means, with clusters - 1 degrees of freedom and the factor sqrt(n / (n - 1)):
    percentiles are too narrow for few units (Hesterberg 2015), and a HANS heuristic has 5 subcases per label.
    Raises ValueError for arrays of different length and for fewer than two clusters.
    """
    first, second = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    sums, sizes = cluster_sums((first - second)[None], clusters)
    means = _bootstrap_means([sums], sizes, resamples, np.random.default_rng(rng))
    return _effect(first.mean() - second.mean(), means, sizes.size, level)


def unit_bootstrap(
    parts: ArrayLike,
    statistic: Callable[[NDArray], NDArray],
    units: ArrayLike,
    resamples: int = 2_000,
    level: float = 0.95,
    rng: np.random.Generator | int = 0,
) -> Effect:
    """A statistic of sums over rows, such as an agreement coefficient, with whole units resampled.

    Args:
        parts: what is summed over the rows: shape [rows, parts].
        statistic: turns sums of shape [..., parts] into values of shape [...].
        units: what a row belongs to, e.g. its text or its question: shape [rows].

    Interval as in `cluster_bootstrap`. All is nan where the statistic of all rows has no value, as an agreement
    coefficient of labels that are all the same; the limits are where more than one resample in twenty has none.
    Raises ValueError for fewer than two units.
    """
    parts = np.asarray(parts, dtype=float)
    with np.errstate(divide="ignore", invalid="ignore"):
        estimate = float(statistic(parts.sum(axis=0)))
    sums, sizes = cluster_sums(parts.T, units)
    distinct, counts = np.unique(sums, axis=1, return_counts=True)
    rng, values = np.random.default_rng(rng), []
    for start in range(0, resamples, step := max(1, _CELLS // counts.size)):
        drawn = rng.multinomial(sizes.size, counts / sizes.size, size=min(step, resamples - start))
        with np.errstate(divide="ignore", invalid="ignore"):
            values.append(statistic(drawn @ distinct.T))
    values = np.concatenate(values)
    known = values[np.isfinite(values)]
    if not math.isfinite(estimate) or known.size < 0.95 * values.size:
        return Effect(estimate, *[math.nan] * 5)
    return _effect(estimate, known, sizes.size, level)


def unit_interval(
    measure: Any, units: ArrayLike, resamples: int = 2_000, level: float = 0.95, rng: int = 0
) -> Interval:
    """A measure with its interval within its bounds, by `unit_share` or `unit_bootstrap`.

    Args:
        measure: has parts, of, is_share and bounds as `agreement.Measure` does.
        units: what a row of its parts belongs to.

    Where all units are alike, the limits are as far off as the upper one of a share of 0 in as many units.
    """
    if measure.is_share:
        used = measure.parts[:, 1] > 0
        return unit_share(measure.parts[used, 0], np.asarray(units)[used], level)
    found = unit_bootstrap(measure.parts, measure.of, units, resamples, level, rng)
    limits = np.array(found[1:3])
    if found.standard_error < _ROUNDING:
        limits += np.array([-1, 1]) * wilson(0, len(np.unique(units)), level).high
    return Interval(found.estimate, *np.clip(limits, *measure.bounds).tolist())


def unit_share(hits: ArrayLike, units: ArrayLike, level: float = 0.95) -> Interval:
    """A share of rows and its Wilson interval, wider where rows of one unit are alike.

    Args:
        hits: 1, 0, or the share of a row that counts: shape [rows].
        units: what a row belongs to: shape [rows].

    The interval is that of n rows over the design effect (Kish 1965), which is the variance of the mean between units
    over that of independent rows, at least 1, and of fewer still as Student's t of few units is wider than the normal
    distribution (Korn & Graubard 1998); for a share of 0 or 1 every unit is one row.
    Raises ValueError where there is no row.
    """
    hits = np.asarray(hits, dtype=float)
    if not hits.size:
        raise ValueError("A share needs a row.")
    rate, n = float(hits.mean()), hits.size
    (sums,), sizes = cluster_sums(hits[None], units)
    independent = float(sizes.size)
    if 0 < rate < 1 and 1 < sizes.size < n:
        spread = float(((sums - rate * sizes) ** 2).sum()) * sizes.size / (sizes.size - 1) / n**2
        tail = (1 + level) / 2
        independent = min(n, rate * (1 - rate) / spread) if spread else n
        independent *= float((stats.norm.ppf(tail) / stats.t.ppf(tail, sizes.size - 1)) ** 2)
    low, high = proportion_confint(rate * independent, independent, alpha=1 - level, method="wilson")
    return Interval(rate, min(max(float(low), 0.0), rate), max(min(float(high), 1.0), rate))


def _bootstrap_means(arms: Sequence[NDArray], sizes: NDArray, resamples: int, rng: np.random.Generator) -> NDArray:
    """Means of resampled data, shape [resamples]: in each, every arm's seeds and the common clusters are drawn again.

    Args:
        arms: sums of the clusters, each of shape [seeds, clusters]; the mean is of their total.

    Clusters with equal sums and size are drawn as one, which is the same distribution with far fewer numbers.
    """
    distinct, counts = np.unique(np.vstack([*arms, sizes]), axis=1, return_counts=True)
    *sums, sizes = np.split(distinct, np.cumsum([len(arm) for arm in arms]))
    means = []
    for start in range(0, resamples, step := max(1, _CELLS // counts.size)):
        n = min(step, resamples - start)
        drawn = rng.multinomial(counts.sum(), counts / counts.sum(), size=n)
        total = sum(
            rng.multinomial(len(arm), np.full(len(arm), 1 / len(arm)), size=n) @ arm / len(arm) for arm in sums
        )
        means.append((total * drawn).sum(axis=1) / (drawn @ sizes[0]))
    return np.concatenate(means)


def _effect(estimate: float, means: NDArray, units: int, level: float) -> Effect:
    """Interval and p from the spread of resampled means, by Student's t with units - 1 degrees of freedom."""
    if units < 2:
        raise ValueError("A bootstrap needs at least two seeds or clusters to resample.")
    error = float(means.std(ddof=1)) * math.sqrt(units / (units - 1))
    margin = float(stats.t.ppf((1 + level) / 2, units - 1)) * error
    if error < _ROUNDING:
        p = 1.0 if abs(estimate) < _ROUNDING else 0.0
    else:
        p = float(2 * stats.t.sf(abs(estimate) / error, units - 1))
    return Effect(float(estimate), float(estimate) - margin, float(estimate) + margin, p, error, units - 1)
