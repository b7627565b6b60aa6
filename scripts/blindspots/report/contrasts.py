"""Differences between places of a grid, with intervals, sign tests and the seeds that would decide them."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy import stats

from blindspots.data.kinds import compared_kinds, label_of
from blindspots.data.test_sets import test_set
from blindspots.evaluation.statistics import seed_cluster_bootstrap, seeds_for_power
from blindspots.report.collect import HANS, LO_NE, MNLI, START, Grid

SUPPORTED, CONTRADICTED, UNDECIDED = "supported", "contradicted", "undecided"
# Fewer equal signs than six cannot reach p < .05 in a two-sided sign test.
FEWEST_STARTS = 6
ALPHA = 0.05
# A difference so small is rounding; no number of seeds is worth naming for it.
NOTHING = 1e-6
# Sd over 100 re-runs of one BERT: McCoy et al. (2020), recomputed from its published accuracies by run.
PUBLISHED_SD = {MNLI: 0.0024, HANS: 0.024, LO_NE: 0.124}
LEXICAL_AUROC = "auroc_lexical_overlap"


class Place(NamedTuple):
    """A kind of model and its augmentation rows; START has 0."""

    kind: str
    size: int


class Pair(NamedTuple):
    """Two places under one start; a contrast is the mean over its pairs of first minus second."""

    start: int
    first: Place
    second: Place


@dataclass
class Reading:
    """One estimate of a difference.

    metric, title: the score that is compared, and how tables call it.
    estimate, low, high: of the mean difference in the metric; the limits are None where nothing gives an interval.
    basis: what low and high resample. subcase_low, subcase_high: limits where HANS's subcases are resampled too.
    wins of n: pairs (in every seed) in which the first is above the second.
    starts_p: two-sided exact sign test with a start as the unit. seed_sd: of the difference, over seeds.
    seeds_needed: to decide at 80% power, were the estimate the truth.
    """

    metric: str
    title: str
    estimand: str
    basis: str
    n_seeds: int
    estimate: float | None = None
    low: float | None = None
    high: float | None = None
    subcase_low: float | None = None
    subcase_high: float | None = None
    first_mean: float | None = None
    second_mean: float | None = None
    n_pairs: int = 0
    n_starts: int = 0
    wins: int = 0
    n: int = 0
    starts_p: float | None = None
    seed_sd: float | None = None
    seeds_needed: int | None = None
    verdict: str = UNDECIDED


@dataclass(frozen=True)
class Rule:
    """How an interval is judged.

    judge(low, high) gives a verdict; target(estimate) is what the estimate must be distinguished from; a one-sided
    rule also needs a sign test where there is one seed.
    """

    judge: Callable[[float, float], str]
    target: Callable[[float], float]
    one_sided: bool = False


def verdict_of(supported: bool, contradicted: bool) -> str:
    """The verdict from its two exclusive conditions."""
    return SUPPORTED if supported else CONTRADICTED if contradicted else UNDECIDED


# Supported where the whole interval lies above zero, contradicted where it lies below.
ABOVE_ZERO = Rule(lambda low, high: verdict_of(low > 0, high < 0), lambda estimate: 0.0, one_sided=True)


def within(margin: float) -> Rule:
    """Supported where the whole interval lies within -+ margin, contradicted where it lies outside."""
    return Rule(
        lambda low, high: verdict_of(low > -margin and high < margin, low > margin or high < -margin),
        lambda estimate: math.copysign(margin, estimate),
    )


def below(limit: float) -> Rule:
    """Supported where the whole interval lies below the limit, contradicted where it lies above."""
    return Rule(lambda low, high: verdict_of(high < limit, low > limit), lambda estimate: limit)


def read(grid: Grid, metric: str, estimand: str, pairs: list[Pair], rule: Rule, level: float = 1 - ALPHA) -> Reading:
    """Estimate the mean over pairs of first minus second and judge it by a rule.

    With several seeds, which are paired, the interval resamples seeds and test rows together (by cluster); where
    the grid has no rows, or for an AUROC, seeds alone. HANS's subcases are taken as they are; a second interval, which
    does not decide, resamples them in place of rows, as if HANS had other subcases of their sort.
    With one seed it is the t-interval over the starts' differences, and no verdict rests on fewer than FEWEST_STARTS
    starts; a one-sided verdict then also needs their sign test.
    """
    pairs, seeds = _there(grid, metric, pairs)
    if not pairs:
        return Reading(metric, grid.title(metric), estimand, "no such models in every seed", len(seeds))
    first, second = _values(grid, metric, pairs, seeds, 1), _values(grid, metric, pairs, seeds, 2)
    difference = first - second
    by_start = _by_start(pairs, difference.mean(axis=0))
    reading = Reading(
        metric,
        grid.title(metric),
        estimand,
        "none: one seed, one start",
        len(seeds),
        estimate=float(difference.mean()),
        first_mean=float(first.mean()),
        second_mean=float(second.mean()),
        n_pairs=len(pairs),
        n_starts=len(by_start),
        wins=int((difference > 0).sum()),
        n=difference.size,
        starts_p=sign_test(by_start),
        seed_sd=float(difference.mean(axis=1).std(ddof=1)) if len(seeds) > 1 else None,
    )
    if len(seeds) > 1:
        _over_seeds(grid, reading, pairs, seeds, level)
        reading.verdict = rule.judge(reading.low, reading.high)
    elif len(by_start) > 1:
        _over_starts(reading, by_start, rule, level)
    reading.seeds_needed = _seeds_needed(reading, rule.target(reading.estimate))
    return reading


def _there(grid: Grid, metric: str, pairs: list[Pair]) -> tuple[list[Pair], list[int]]:
    """The pairs whose two models are there, and scored, in every seed that has any of the pairs; and these seeds."""
    if not len(grid.models):
        return [], []
    have = {
        seed: {pair for pair in pairs if all(_scored(grid, metric, pair.start, place, seed) for place in pair[1:])}
        for seed in grid.axis("seed")
    }
    seeds = [seed for seed, found in have.items() if found]
    return [pair for pair in pairs if seeds and all(pair in have[seed] for seed in seeds)], seeds


def _scored(grid: Grid, metric: str, start: int, place: Place, seed: int) -> bool:
    name = grid.name(start, *place, seed)
    return name is not None and not math.isnan(grid.models.at[name, metric])


def _values(grid: Grid, metric: str, pairs: list[Pair], seeds: list[int], side: int) -> np.ndarray:
    """The metric of one side of every pair, shape [seeds, pairs]."""
    return np.array(
        [[grid.models.at[grid.name(pair.start, *pair[side], seed), metric] for pair in pairs] for seed in seeds]
    )


def _by_start(pairs: list[Pair], differences: np.ndarray) -> np.ndarray:
    """Mean difference of each start, shape [starts]."""
    starts = np.array([pair.start for pair in pairs])
    return np.array([differences[starts == start].mean() for start in np.unique(starts)])


def sign_test(differences: np.ndarray) -> float:
    """Two-sided exact p that so many differences have one sign; ties are dropped, p is 1 where nothing is left."""
    wins, losses = int((differences > 0).sum()), int((differences < 0).sum())
    return float(stats.binomtest(wins, wins + losses).pvalue) if wins + losses else 1.0


def _over_starts(reading: Reading, by_start: np.ndarray, rule: Rule, level: float) -> None:
    """Fill in interval and verdict from one seed, with the start as the unit."""
    if np.ptp(by_start) > 0:
        interval = stats.ttest_1samp(by_start, 0).confidence_interval(level)
        reading.low, reading.high = float(interval.low), float(interval.high)
    else:
        reading.low = reading.high = float(by_start[0])
    reading.basis = "starts (one seed)"
    if len(by_start) >= FEWEST_STARTS and (not rule.one_sided or reading.starts_p < ALPHA):
        reading.verdict = rule.judge(reading.low, reading.high)


def _over_seeds(grid: Grid, reading: Reading, pairs: list[Pair], seeds: list[int], level: float) -> None:
    """Fill in the intervals over seeds, and over test rows where the rows are there."""
    rows = grid.chosen_rows(reading.metric)
    sides = []
    for side in (1, 2):
        names = [[grid.name(pair.start, *pair[side], seed) for pair in pairs] for seed in seeds]
        if rows is None:
            sides.append([[grid.models.loc[row, reading.metric].mean()] for row in names])
        else:
            own, chosen = rows
            sides.append([np.mean([grid.right[name, own][chosen] for name in row], axis=0) for row in names])
    first, second = map(np.array, sides)
    if rows is None:
        effect, reading.basis = seed_cluster_bootstrap(first, second, level=level), "seeds"
    else:
        clusters = grid.tests[rows[0]]["cluster"].to_numpy()[rows[1]]
        # Clusters that are named slices, such as HANS's subcases, are not a sample of clusters.
        named = test_set(rows[0]).cluster in test_set(rows[0]).slices
        units = np.arange(len(clusters)) if named else clusters
        effect, reading.basis = seed_cluster_bootstrap(first, second, units, level=level), "seeds and test rows"
        if named and len(set(clusters)) > 1:
            wide = seed_cluster_bootstrap(first, second, clusters, level=level)
            reading.subcase_low, reading.subcase_high = wide.low, wide.high
    reading.low, reading.high = effect.low, effect.high


def _seeds_needed(reading: Reading, target: float) -> int | None:
    """Seeds that distinguish the estimate from the target with 80% power, taking the estimate as the truth.

    From the observed sd of the paired difference; from one seed by the published sd of one model, seeds an arm, for
    a single pair of cells. None where that sd is not known or the estimate is the target.
    """
    distance, sd = abs(reading.estimate - target), reading.seed_sd
    if sd is None:
        sd = PUBLISHED_SD.get(reading.metric)
    if sd is None or distance < NOTHING:
        return None
    return seeds_for_power(distance, sd, alpha=ALPHA, paired=reading.seed_sd is not None)


def same_cells(grid: Grid, first: str, second: str, starts: list[int] | None = None) -> list[Pair]:
    """Every start and size with two kinds side by side; START is the start itself."""
    place = lambda kind, size: Place(kind, 0 if kind == START else size)  # noqa: E731
    return [
        Pair(start, place(first, size), place(second, size))
        for start in (grid.axis("start") if starts is None else starts)
        for size in grid.axis("size")
    ]


def compared(grid: Grid) -> list[Reading]:
    """Every pair of kinds that the registry compares, in every headline: the mean over starts and sizes of their
    difference, the first minus the second."""
    return [
        read(grid, metric.name, f"{label_of(kind)} - {label_of(other)}", same_cells(grid, kind, other), ABOVE_ZERO)
        for kind, other in compared_kinds(grid.kinds)
        for metric in grid.metrics
    ]
