"""Differences between places of a grid, with intervals, tests and the units that would decide them."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from blindspots.data.kinds import compared_kinds, label_of
from blindspots.data.test_sets import test_set
from blindspots.evaluation.statistics import Effect, crossed_interval, one_sided_p, seeds_for_power
from blindspots.report.collect import HANS, LO_NE, MNLI, START, Grid
from blindspots.report.design import GENERATOR, Design, design

SUPPORTED, CONTRADICTED, UNDECIDED = "supported", "contradicted", "undecided"
# Fewer equal signs than six cannot reach p < .05 in a two-sided sign test.
FEWEST_STARTS = 6
ALPHA = 0.05
# A difference so small is rounding; no number of units is worth naming for it.
NOTHING = 1e-6
# Sd over 100 re-runs of one BERT: McCoy et al. (2020), recomputed from its published accuracies by run.
PUBLISHED_SD = {MNLI: 0.0024, HANS: 0.024, LO_NE: 0.124}


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
    basis: what low and high let vary. unit, units: what is counted, such as generators, and how many there are.
    shared: what all units share, so that the interval says nothing of it. one_generator: whether the difference is
        one of synthetic data, and these come from one generator.
    within_low, within_high: limits for these generators, where low and high are over generators.
    subcase_low, subcase_high: limits where HANS's subcases vary too.
    wins of n: pairs (in every replicate) in which the first is above the second.
    starts_p: two-sided exact sign test with a start as the unit. unit_sd: of the difference, over units.
    needed: units to decide at 80% power, were the estimate the truth.
    p_supported, p_contradicted: one-sided, that of the rule and that of its opposite.
    """

    metric: str
    title: str
    estimand: str
    basis: str
    unit: str
    units: int
    shared: str = ""
    one_generator: bool = False
    estimate: float | None = None
    low: float | None = None
    high: float | None = None
    within_low: float | None = None
    within_high: float | None = None
    subcase_low: float | None = None
    subcase_high: float | None = None
    first_mean: float | None = None
    second_mean: float | None = None
    n_pairs: int = 0
    n_starts: int = 0
    wins: int = 0
    n: int = 0
    starts_p: float | None = None
    unit_sd: float | None = None
    needed: int | None = None
    p_supported: float = 1.0
    p_contradicted: float = 1.0
    verdict: str = UNDECIDED


@dataclass(frozen=True)
class Rule:
    """What a difference is held against: supported where it lies significantly above `above` and below `below`,
    contradicted where it lies significantly beyond one of them.

    needs_signs: from one seed it also needs a sign test of the starts.
    """

    above: float = -math.inf
    below: float = math.inf
    needs_signs: bool = False

    def p_values(self, effect: Effect) -> tuple[float, float]:
        """One-sided p that it is supported (two limits: of both tests, as in TOST) and that it is contradicted."""
        known = effect.standard_error, effect.df
        above = one_sided_p(effect.estimate, *known, self.above), one_sided_p(-effect.estimate, *known, -self.above)
        below = one_sided_p(-effect.estimate, *known, -self.below), one_sided_p(effect.estimate, *known, self.below)
        return max(above[0], below[0]), min(above[1], below[1])

    def nearest(self, estimate: float) -> float:
        """The limit that the estimate must be told from."""
        return min((self.above, self.below), key=lambda limit: abs(estimate - limit))


ABOVE_ZERO = Rule(above=0.0, needs_signs=True)


def within(margin: float) -> Rule:
    """Equivalence: the difference lies within -+ margin."""
    return Rule(above=-margin, below=margin)


def below(limit: float) -> Rule:
    """The difference lies below a limit."""
    return Rule(below=limit)


def not_below(margin: float) -> Rule:
    """Non-inferiority: the first is at most `margin` below the second."""
    return Rule(above=-margin)


def verdict_of(p_supported: float, p_contradicted: float, alpha: float = ALPHA) -> str:
    """The verdict of two one-sided p values; at alpha / 2, so that it says what the interval shows."""
    return SUPPORTED if p_supported <= alpha / 2 else CONTRADICTED if p_contradicted <= alpha / 2 else UNDECIDED


def read(grid: Grid, metric: str, estimand: str, pairs: list[Pair], rule: Rule, level: float = 1 - ALPHA) -> Reading:
    """Estimate the mean over pairs of first minus second and judge it by a rule.

    What varies is the unit of the grid's design (see `design`): several generators alone, by Student's t; replicates
    crossed with test rows (by cluster), where the grid has rows and the metric is a mean over them. HANS's subcases
    are taken as they are; a second interval, which does not decide, lets them vary, as if HANS had others of their
    sort.
    From one replicate it is the t-interval over the starts' differences, and no verdict rests on fewer than
    FEWEST_STARTS starts; one of superiority then also needs their sign test.
    """
    pairs, seeds = _there(grid, metric, pairs)
    made_of = [kind for pair in pairs for kind, _ in pair[1:]]
    found = design(grid, seeds, made_of)
    reading = Reading(metric, grid.title(metric), estimand, "", found.unit, found.units, found.shared)
    reading.one_generator = found.one_generator
    if not pairs:
        reading.basis = "no such models in every replicate"
        return reading
    first, second = (_values(grid, metric, pairs, seeds, side) for side in (1, 2))
    by_unit = found.means(first - second).mean(axis=1)
    by_start = _by_start(pairs, found.means(first - second).mean(axis=0))
    reading.estimate, reading.basis = float(by_unit.mean()), "none: one replicate, one start"
    reading.first_mean, reading.second_mean = (float(found.means(side).mean()) for side in (first, second))
    reading.n_pairs, reading.n_starts = len(pairs), len(by_start)
    reading.wins, reading.n = int((first > second).sum()), first.size
    reading.starts_p = sign_test(by_start)
    if found.units > 1:
        reading.unit_sd = float(by_unit.std(ddof=1))
        _over_units(grid, reading, pairs, seeds, found, rule, level)
    elif len(by_start) > 1:
        _over_starts(reading, by_start, rule, bound=_bound(grid, metric), level=level)
    reading.needed = _needed(reading, rule.nearest(reading.estimate))
    return reading


def _there(grid: Grid, metric: str, pairs: list[Pair]) -> tuple[list[Pair], list[int]]:
    """The pairs whose two models are there, and scored, in every replicate that has any of them; these replicates."""
    if not len(grid.models) or metric not in grid.models:
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


def _judge(reading: Reading, effect: Effect, rule: Rule, level: float) -> None:
    reading.low, reading.high = effect.low, effect.high
    reading.p_supported, reading.p_contradicted = rule.p_values(effect)
    reading.verdict = verdict_of(reading.p_supported, reading.p_contradicted, 1 - level)


def _bound(grid: Grid, metric: str) -> float:
    """What no difference in a metric can exceed: 1 for shares and probabilities."""
    shares = [headline.is_share for headline in grid.shown if headline.name == metric]
    return 1.0 if all(shares) else math.inf


def _over_starts(reading: Reading, by_start: np.ndarray, rule: Rule, bound: float, level: float) -> None:
    """Fill in interval and verdict from one replicate, with the start as the unit."""
    effect = crossed_interval(by_start, np.zeros_like(by_start), bound=bound, level=level)
    _judge(reading, effect, rule, level)
    reading.basis = "starts (one replicate)"
    if len(by_start) < FEWEST_STARTS or (rule.needs_signs and reading.starts_p >= ALPHA):
        reading.verdict, reading.p_supported, reading.p_contradicted = UNDECIDED, 1.0, 1.0


def _over_units(
    grid: Grid, reading: Reading, pairs: list[Pair], seeds: list[int], found: Design, rule: Rule, level: float
) -> None:
    """Fill in the intervals over generators and for these alone, or over replicates; and over subcases."""
    sides = [_row_values(grid, reading.metric, pairs, seeds, side) for side in (1, 2)]
    rows = _row_units(grid, reading.metric)
    units, limits = [found.means(side) for side in sides], {"bound": _bound(grid, reading.metric), "level": level}
    if found.unit == GENERATOR:
        effect, reading.basis = crossed_interval(*(side.mean(axis=1) for side in units), **limits), GENERATOR
        if found.fewest_replicates > 1:
            own = crossed_interval(*sides, rows.units, groups=found.members, strata=rows.strata, **limits)
            reading.within_low, reading.within_high = own.low, own.high
    else:
        effect = crossed_interval(*units, rows.units, strata=rows.strata, **limits)
        reading.basis = found.unit + ("" if rows.units is None else " and test rows")
    if found.unit == GENERATOR or rows.units is None:
        reading.shared = ", ".join(filter(None, (reading.shared, "the test rows")))
    _judge(reading, effect, rule, level)
    if rows.subcases is not None:
        wide = crossed_interval(*units, rows.subcases, **limits)
        reading.subcase_low, reading.subcase_high = wide.low, wide.high


class RowUnits(NamedTuple):
    """How test rows vary: as which clusters, within which strata, and the subcases; each of shape [rows] or None."""

    units: np.ndarray | None = None
    strata: np.ndarray | None = None
    subcases: np.ndarray | None = None


def _row_units(grid: Grid, metric: str) -> RowUnits:
    """Clusters that are named slices, such as HANS's subcases, are not a sample of clusters: rows vary in each."""
    rows = grid.chosen_rows(metric)
    if rows is None:
        return RowUnits()
    clusters = grid.tests[rows[0]]["cluster"].to_numpy()[rows[1]]
    counts = pd.Series(clusters).value_counts()
    if test_set(rows[0]).cluster not in test_set(rows[0]).slices:
        return RowUnits(clusters) if len(counts) > 1 else RowUnits()
    each = np.arange(len(clusters)) if counts.min() > 1 else None
    return RowUnits(each, None if each is None else clusters, clusters if len(counts) > 1 else None)


def _row_values(grid: Grid, metric: str, pairs: list[Pair], seeds: list[int], side: int) -> np.ndarray:
    """The rows' values of one side, means over pairs: shape [seeds, rows]; without rows the metric: [seeds, 1]."""
    if grid.chosen_rows(metric) is None:
        return _values(grid, metric, pairs, seeds, side).mean(axis=1, keepdims=True)
    return np.array(
        [
            np.mean([grid.row_values(grid.name(pair.start, *pair[side], seed), metric) for pair in pairs], axis=0)
            for seed in seeds
        ]
    )


def _needed(reading: Reading, target: float) -> int | None:
    """Units that distinguish the estimate from the target with 80% power, taking the estimate as the truth.

    From the observed sd of the paired difference; from one replicate by the published sd of one model, seeds per arm,
    for a single pair of cells. None where that sd is not known or the estimate is the target.
    """
    distance, sd = abs(reading.estimate - target), reading.unit_sd
    if sd is None:
        sd = PUBLISHED_SD.get(reading.metric)
    if sd is None or distance < NOTHING:
        return None
    return seeds_for_power(distance, sd, alpha=ALPHA, paired=reading.unit_sd is not None)


def same_cells(grid: Grid, first: str, second: str, starts: list[int] | None = None) -> list[Pair]:
    """Every start and size with two kinds side by side; START is the start itself."""
    place = lambda kind, size: Place(kind, 0 if kind == START else size)  # noqa: E731
    return [
        Pair(start, place(first, size), place(second, size))
        for start in (grid.axis("start") if starts is None else starts)
        for size in grid.axis("size")
    ]


def compared(grid: Grid) -> list[Reading]:
    """Every pair of kinds that the registry compares, in every headline and what is measured beside: the mean over
    starts and sizes of their difference, the first minus the second."""
    return [
        read(grid, metric.name, f"{label_of(kind)} - {label_of(other)}", same_cells(grid, kind, other), ABOVE_ZERO)
        for kind, other in compared_kinds(grid.kinds)
        for metric in grid.shown
    ]
