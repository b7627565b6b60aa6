"""Intervals and paired tests for accuracies: arrays in, small records out.

This file imports nothing of the project: `evaluate_modules/*` link to it, so that a pushed module stands alone.
"""

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats
from sklearn.metrics import roc_auc_score
from statsmodels.stats.power import TTestIndPower, TTestPower
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

_CELLS = 2**22  # resampling weights held at once: 32 MiB
_ROUNDING = 1e-12


class Interval(NamedTuple):
    """An estimate and the limits of its confidence interval."""

    estimate: float
    low: float
    high: float


class Effect(NamedTuple):
    """A difference with its interval, two-sided p and standard error."""

    estimate: float
    low: float
    high: float
    p: float
    standard_error: float


def wilson(successes: int, n: int, level: float = 0.95) -> Interval:
    """A share and its Wilson score interval (Wilson 1927). Raises ValueError unless 0 <= successes <= n and n > 0."""
    if not 0 <= successes <= n or n == 0:
        raise ValueError(f"A share needs 0 <= successes <= n and n > 0, got {successes} of {n}.")
    low, high = proportion_confint(successes, n, alpha=1 - level, method="wilson")
    # Rounding may put a limit at 1e-17 beyond a share of 0 or 1.
    return Interval(successes / n, float(low) if successes else 0.0, float(high) if successes < n else 1.0)


def ratio_of_rates(count: int, n: int, reference_count: int, reference_n: int, level: float = 0.95) -> Interval:
    """How many times as frequent something is in one sample as in another, e.g. the S:O column of Table 1.

    The interval is that of the log ratio with half a count added to both (Walter 1975), so that it exists where a
    count is zero: then the estimate is 0, infinite (none in the reference) or nan (none in either).
    Raises ValueError for an impossible count.
    """
    rates = wilson(count, n).estimate, wilson(reference_count, reference_n).estimate
    low, high = confint_proportions_2indep(
        count,
        n,
        reference_count,
        reference_n,
        method="log-adjusted",
        compare="ratio",
        alpha=1 - level,
        correction=False,
    )
    if reference_count:
        return Interval(rates[0] / rates[1], float(low), float(high))
    return Interval(math.inf if count else math.nan, float(low), float(high))


def auroc(positive: ArrayLike, score: ArrayLike) -> float:
    """Area under the ROC curve of `score` for the `positive` rows (both of shape [rows]).

    Raises ValueError where all rows are of one class.
    """
    if np.unique(np.asarray(positive, dtype=bool)).size < 2:
        raise ValueError("AUROC needs rows of both classes.")
    return float(roc_auc_score(positive, score))


def mcnemar_exact(only_first: int, only_second: int) -> float:
    """Two-sided p of McNemar's exact test: rows that only the first or only the second model gets right.

    Source: McNemar (1947) in its binomial form. Two models that never differ give p = 1.
    """
    if only_first < 0 or only_second < 0:
        raise ValueError(f"Counts cannot be negative, got {only_first} and {only_second}.")
    differing = only_first + only_second
    return float(stats.binomtest(only_first, differing).pvalue) if differing else 1.0


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
    percentiles are too narrow for few units (Hesterberg 2015), and a HANS heuristic has 5 subcases a label.
    Raises ValueError for arrays of different length and for fewer than two clusters.
    """
    first, second = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    sums, sizes = _cluster_sums((first - second)[None], clusters)
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
    sums, sizes = _cluster_sums(parts.T, units)
    kinds, counts = np.unique(sums, axis=1, return_counts=True)
    rng, values = np.random.default_rng(rng), []
    for start in range(0, resamples, step := max(1, _CELLS // counts.size)):
        drawn = rng.multinomial(sizes.size, counts / sizes.size, size=min(step, resamples - start))
        with np.errstate(divide="ignore", invalid="ignore"):
            values.append(statistic(drawn @ kinds.T))
    values = np.concatenate(values)
    known = values[np.isfinite(values)]
    if not math.isfinite(estimate) or known.size < 0.95 * values.size:
        return Effect(estimate, math.nan, math.nan, math.nan, math.nan)
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
    (sums,), sizes = _cluster_sums(hits[None], units)
    independent = float(sizes.size)
    if 0 < rate < 1 and 1 < sizes.size < n:
        spread = float(((sums - rate * sizes) ** 2).sum()) * sizes.size / (sizes.size - 1) / n**2
        tail = (1 + level) / 2
        independent = min(n, rate * (1 - rate) / spread) if spread else n
        independent *= float((stats.norm.ppf(tail) / stats.t.ppf(tail, sizes.size - 1)) ** 2)
    low, high = proportion_confint(rate * independent, independent, alpha=1 - level, method="wilson")
    return Interval(rate, min(max(float(low), 0.0), rate), max(min(float(high), 1.0), rate))


def seed_cluster_bootstrap(
    first: ArrayLike,
    second: ArrayLike,
    clusters: ArrayLike | None = None,
    paired_seeds: bool = True,
    resamples: int = 2_000,
    level: float = 0.95,
    rng: np.random.Generator | int = 0,
) -> Effect:
    """Mean of `first` minus mean of `second` over several seeds, with seeds and clusters of rows resampled.

    Args:
        first, second: right (1) or wrong (0), or any score: shape [seeds, rows], the same rows for every seed.
        clusters: what a row belongs to: shape [rows]; None resamples seeds alone, as for one number per seed.
        paired_seeds: whether seed i of both models shares its start or data and is drawn as a pair; else each model's
            seeds are drawn by themselves, and may differ in number.

    Seeds and clusters are drawn independently and crossed (Owen 2007: on average never too narrow). Interval as in
    `cluster_bootstrap`, with n the fewest of seeds and clusters.
    Raises ValueError for fewer than two seeds or clusters and for paired seeds of different number.
    """
    first, second = np.atleast_2d(np.asarray(first, dtype=float)), np.atleast_2d(np.asarray(second, dtype=float))
    if paired_seeds and len(first) != len(second):
        raise ValueError(f"The models have {len(first)} and {len(second)} seeds, which cannot be pairs.")
    arms = [first - second] if paired_seeds else [first, -second]
    labels = np.zeros(first.shape[1]) if clusters is None else clusters
    sums, sizes = zip(*(_cluster_sums(arm, labels) for arm in arms))
    means = _bootstrap_means(sums, sizes[0], resamples, np.random.default_rng(rng))
    units = [len(arm) for arm in arms] + ([] if clusters is None else [sizes[0].size])
    return _effect(first.mean() - second.mean(), means, min(units), level)


def _cluster_sums(values: NDArray, clusters: ArrayLike) -> tuple[NDArray, NDArray]:
    """Sum of each cluster, shape [seeds, clusters], and its number of rows, shape [clusters]."""
    names, index = np.unique(np.asarray(clusters), return_inverse=True)
    if values.shape[1] != index.size:
        raise ValueError(f"There are {index.size} clusters for {values.shape[1]} rows; name the cluster of every row.")
    sums = np.stack([np.bincount(index, weights=row, minlength=names.size) for row in values])
    return sums, np.bincount(index)


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
    return Effect(float(estimate), float(estimate) - margin, float(estimate) + margin, p, error)


def seeds_for_power(
    effect: float, sd: float, power: float = 0.8, alpha: float = 0.05, paired: bool = True
) -> int | None:
    """How many seeds (per arm, unless paired) a two-sided t-test needs to find an effect.

    Args:
        sd: standard deviation over seeds: of the difference if paired, else of one arm.

    Returns None for an effect of zero, which no number of seeds would find; never fewer than 2.
    """
    if sd < 0 or not math.isfinite(effect + sd):
        raise ValueError(f"Effect and standard deviation must be finite, the latter not negative: {effect}, {sd}.")
    if effect == 0:
        return None
    if sd == 0:
        return 2
    test, size = (TTestPower() if paired else TTestIndPower()), abs(effect) / sd
    enough = 2
    while test.power(size, enough, alpha) < power:
        enough *= 2
    # solve_power fails to converge for large and for tiny effects; power grows with the number, so bisect it.
    numbers = range(2, enough + 1)
    return numbers[bisect_left(numbers, power, key=lambda number: test.power(size, number, alpha))]
