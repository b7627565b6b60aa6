"""Intervals and paired tests for accuracies: arrays in, small records out.

This file imports nothing of the project: `evaluate_modules/*` link to it, so that a pushed module stands alone.
"""

import math
from bisect import bisect_left
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats
from sklearn.metrics import roc_auc_score
from statsmodels.stats.proportion import proportion_confint

_ROUNDING = 1e-12


class Interval(NamedTuple):
    """An estimate and the limits of its confidence interval."""

    estimate: float
    low: float
    high: float


class Effect(NamedTuple):
    """A difference with its interval, two-sided p, standard error and degrees of freedom."""

    estimate: float
    low: float
    high: float
    p: float
    standard_error: float
    df: float


def wilson(successes: int, n: int, level: float = 0.95) -> Interval:
    """A share and its Wilson score interval (Wilson 1927). Raises ValueError unless 0 <= successes <= n and n > 0."""
    if not 0 <= successes <= n or n == 0:
        raise ValueError(f"A share needs 0 <= successes <= n and n > 0, got {successes} of {n}.")
    low, high = proportion_confint(successes, n, alpha=1 - level, method="wilson")
    # Rounding may put a limit at 1e-17 beyond a share of 0 or 1.
    return Interval(successes / n, float(low) if successes else 0.0, float(high) if successes < n else 1.0)


def ratio_of_rates(count: int, n: int, reference_count: int, reference_n: int, level: float = 0.95) -> Interval:
    """How many times as frequent something is in one sample as in another, e.g. the S:O column of Table 1.

    The interval combines the Wilson intervals of the two rates (MOVER-R: Donner & Zou 2012), and so has width where a
    rate is 0 or 1. Where the reference has none the ratio is infinite (nan where neither has any) and the interval
    has no upper limit. Raises ValueError for an impossible count.
    """
    return ratio_of(wilson(count, n, level), wilson(reference_count, reference_n, level))


def ratio_of(first: Interval, second: Interval) -> Interval:
    """The ratio of two independent shares, from the interval of each, as in `ratio_of_rates`."""
    rate, low, high = first
    other, other_low, other_high = second
    product = rate * other
    least, most = low * (2 * rate - low), high * (2 * rate - high)
    other_least, other_most = other_low * (2 * other - other_low), other_high * (2 * other - other_high)
    root = [math.sqrt(max(0.0, product**2 - pair)) for pair in (least * other_most, most * other_least)]
    ratio = rate / other if other else math.inf if rate else math.nan
    return Interval(
        ratio,
        least / (product + root[0]) if rate else 0.0,
        (product + root[1]) / other_least if other else math.inf,
    )


def sum_of(parts: Sequence[Interval]) -> Interval:
    """The sum of independent estimates, from the interval of each (MOVER: Zou & Donner 2008)."""
    estimate, low, high = np.array(parts).T
    total = float(estimate.sum())
    return Interval(
        total, total - float(np.linalg.norm(estimate - low)), total + float(np.linalg.norm(high - estimate))
    )


def auroc(positive: ArrayLike, score: ArrayLike) -> float:
    """Area under the ROC curve of `score` for the `positive` rows (both of shape [rows]).

    Raises ValueError where all rows are of one class.
    """
    if np.unique(np.asarray(positive, dtype=bool)).size < 2:
        raise ValueError("AUROC needs rows of both classes.")
    return float(roc_auc_score(positive, score))


def signal_detection(hits: int, positive: int, false_alarms: int, negative: int) -> tuple[float, float]:
    """Sensitivity d' and criterion c of a yes-no decision (Macmillan & Creelman 2005).

    Args:
        hits, positive: rows called positive among the positive ones, e.g. entailment among entailed rows.
        false_alarms, negative: the same among the others.

    Half a case is added to each count (the log-linear rule of Hautus 1995), so that rates of 0 and 1 have a value. A
    model without ability has d' = 0; one that says yes too readily has c < 0. Raises ValueError without rows of a
    class.
    """
    if not (positive > 0 and negative > 0 and 0 <= hits <= positive and 0 <= false_alarms <= negative):
        raise ValueError(
            f"d' needs rows of both classes and no more calls than rows, got {hits} of {positive} and {false_alarms} "
            f"of {negative}."
        )
    hit, alarm = (
        float(stats.norm.ppf((calls + 0.5) / (rows + 1)))
        for calls, rows in ((hits, positive), (false_alarms, negative))
    )
    return hit - alarm, -(hit + alarm) / 2


def mcnemar_exact(only_first: int, only_second: int) -> float:
    """Two-sided p of McNemar's exact test: rows that only the first or only the second model gets right.

    Source: McNemar (1947) in its binomial form. Two models that never differ give p = 1.
    """
    if only_first < 0 or only_second < 0:
        raise ValueError(f"Counts cannot be negative, got {only_first} and {only_second}.")
    differing = only_first + only_second
    return float(stats.binomtest(only_first, differing).pvalue) if differing else 1.0


def crossed_interval(
    first: ArrayLike,
    second: ArrayLike,
    clusters: ArrayLike | None = None,
    *,
    groups: ArrayLike | None = None,
    strata: ArrayLike | None = None,
    paired: bool = True,
    bound: float = math.inf,
    level: float = 0.95,
) -> Effect:
    """Mean of `first` minus mean of `second` over units crossed with clusters of rows, both drawn at random.

    Args:
        first, second: score of each row in each unit (a seed, a replicate, a generator): shape [units, rows], the same
            rows for every unit; or [units], one number per unit.
        clusters: what a row belongs to: shape [rows]; rows of one cluster are not independent. None: the rows are
            not a sample, and units alone vary.
        groups: what a unit belongs to, where these groups are not a sample either, such as named generators: shape
            [units]. The estimate is then the mean of the groups' means, and units vary within their group.
        strata: the same of the clusters, such as HANS's subcases: shape [rows].
        paired: whether unit i of both models shares its start or data; else the units of the two may differ in number.
        bound: no difference can exceed it, 1 for accuracies; the limits are cut there.

    The variance is that of a two-way random model: of units, plus of clusters, less of their interaction, which is in
    both (Cameron, Gelbach & Miller 2011), and never less than one of the two alone. Student's t has Satterthwaite's
    degrees of freedom: close to units - 1 where units vary most, many where rows do, one for two units. From one unit
    only rows vary. Coverage by simulation: results/statistics.md. Where all clusters are alike and there is a bound,
    clusters that were not drawn may lie at it: at most the share that is the upper Wilson limit of none in as many.
    Raises ValueError where nothing is drawn twice, and for paired units of different number.
    """
    values, weights, arms = _units(first, second, paired, groups)
    sums, sizes = cluster_sums(values, np.zeros(values.shape[1]) if clusters is None else clusters)
    kinds = np.zeros(sizes.size) if strata is None else _first_of(strata, clusters)
    # Sums rather than products of BLAS, whose last digit depends on the processor.
    estimate = float((weights * sums.sum(axis=1)).sum() / sizes.sum())
    parts = (weights[:, None] * sums - sizes * estimate / len(sums)) / sizes.sum()
    several = len(sums) > 1, clusters is not None
    if not any(several):
        raise ValueError("There is one unit and no cluster of rows: nothing to take an interval from.")
    over_units, df_units = _centred(parts.sum(axis=1), arms) if several[0] else (np.zeros(1), 1)
    over_rows, df_rows = _centred(parts.sum(axis=0), kinds) if several[1] else (np.zeros(1), 1)
    both = _centred(_centred(parts, arms)[0].T, kinds)[0] if all(several) else np.zeros(1)
    variances = np.array([(over_units**2).sum(), (over_rows**2).sum(), (both**2).sum()])
    variance = max(variances[0] + variances[1] - variances[2], *variances[:2])
    spread = (variances**2 / np.array([df_units, df_rows, df_units * df_rows])).sum()
    df = variance**2 / spread if spread else math.inf
    if (several[0] and df_units < 2) or (several[1] and df_rows < 2):
        df = 1  # Satterthwaite's rule is too liberal for two units: coverage .90
    error = math.sqrt(variance)
    if error < _ROUNDING and several[1] and math.isfinite(bound):
        df = sizes.size - 1
        error = wilson(0, sizes.size, level).high * (bound + abs(estimate)) / float(stats.t.ppf((1 + level) / 2, df))
    return t_interval(estimate, error, df, bound, level)


def _units(
    first: ArrayLike, second: ArrayLike, paired: bool, groups: ArrayLike | None
) -> tuple[NDArray, NDArray, NDArray]:
    """Values of every unit, shape [units, rows], its weight in the estimate and what it is compared within."""
    first, second = (np.asarray(side, dtype=float) for side in (first, second))
    first, second = (side[:, None] if side.ndim == 1 else side for side in (first, second))
    if not paired:
        arms = np.repeat([0, 1], [len(first), len(second)])
        weights = np.concatenate([np.full(len(first), 1 / len(first)), np.full(len(second), -1 / len(second))])
        return np.concatenate([first, second]), weights, arms
    if len(first) != len(second):
        raise ValueError(f"The models have {len(first)} and {len(second)} units, which cannot be pairs.")
    _, index, counts = np.unique(
        np.zeros(len(first)) if groups is None else np.asarray(groups), return_inverse=True, return_counts=True
    )
    return first - second, 1 / (len(counts) * counts[index]), index


def cluster_sums(values: NDArray, clusters: ArrayLike) -> tuple[NDArray, NDArray]:
    """Sum of each cluster, shape [units, clusters], and its number of rows, shape [clusters]."""
    names, index = np.unique(np.asarray(clusters), return_inverse=True)
    if values.shape[1] != index.size:
        raise ValueError(f"There are {index.size} clusters for {values.shape[1]} rows; name the cluster of every row.")
    sums = np.stack([np.bincount(index, weights=row, minlength=names.size) for row in values])
    return sums, np.bincount(index)


def _first_of(strata: ArrayLike, clusters: ArrayLike) -> NDArray:
    """The stratum of each cluster, that of its first row: shape [clusters]."""
    return np.asarray(strata)[np.unique(clusters, return_index=True)[1]]


def _centred(parts: NDArray, groups: NDArray) -> tuple[NDArray, int]:
    """Residuals of the first axis from the mean of each group, scaled so that their squares add up to the variance of
    the sum, and their degrees of freedom. Raises ValueError for a group of one."""
    residuals = np.empty_like(parts)
    for group in np.unique(groups):
        own = groups == group
        if own.sum() < 2:
            raise ValueError("An interval needs at least two units, and two clusters of rows, in each group.")
        residuals[own] = (parts[own] - parts[own].mean(axis=0)) * math.sqrt(own.sum() / (own.sum() - 1))
    return residuals, len(parts) - np.unique(groups).size


def t_interval(
    estimate: float, standard_error: float, df: float, bound: float = math.inf, level: float = 0.95
) -> Effect:
    """Interval and two-sided p of an estimate by Student's t; the limits are cut at -+ bound."""
    margin = float(stats.t.ppf((1 + level) / 2, df)) * standard_error
    low, high = max(estimate - margin, -bound), min(estimate + margin, bound)
    p = 2 * min(one_sided_p(sign * estimate, standard_error, df, 0.0) for sign in (1, -1))
    return Effect(estimate, low, high, min(p, 1.0), standard_error, float(df))


def one_sided_p(estimate: float, standard_error: float, df: float, limit: float) -> float:
    """P of Student's t-test that the truth lies above `limit`, by an estimate, its standard error and its degrees of
    freedom. An estimate without error is sure of its side."""
    if math.isinf(limit):
        return float(limit > 0)
    distance = estimate - limit
    if standard_error < _ROUNDING:
        return 1.0 if distance < _ROUNDING else 0.0
    return float(stats.t.sf(distance / standard_error, df))


def power_of_t(effect: float, sd: float, units: int, alpha: float = 0.05, paired: bool = True) -> float:
    """Chance that a two-sided t-test over so many units (per arm, unless paired) finds an effect.

    Args:
        sd: standard deviation over units: of the difference if paired, else of one arm; above 0.
    """
    df, scale = (units - 1, units) if paired else (2 * units - 2, units / 2)
    # The square of t is F, whose noncentral form has no gaps in scipy; that of t has.
    limit = stats.f.isf(alpha, 1, df)
    return float(stats.ncf.sf(limit, 1, df, scale * (effect / sd) ** 2))


def seeds_for_power(
    effect: float, sd: float, power: float = 0.8, alpha: float = 0.05, paired: bool = True
) -> int | None:
    """How many seeds, or other units (per arm, unless paired), a two-sided t-test needs to find an effect.

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
    enough = 2
    while power_of_t(effect, sd, enough, alpha, paired) < power:
        enough *= 2
    numbers = range(2, enough + 1)
    return numbers[bisect_left(numbers, power, key=lambda number: power_of_t(effect, sd, number, alpha, paired))]


def holm(p_values: Sequence[float]) -> list[float]:
    """P values corrected for their number (Holm 1979), in the order given; the chance of any false one is kept."""
    corrected, least = [1.0] * len(p_values), 0.0
    for rank, place in enumerate(np.argsort(p_values)):
        least = corrected[place] = max(least, min(1.0, (len(p_values) - rank) * p_values[place]))
    return corrected
