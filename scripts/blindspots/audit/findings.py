"""What an audit reports: a number with its interval, the reference's beside it, and how far they are apart."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats
from statsmodels.stats.proportion import confint_proportions_2indep

from blindspots.evaluation.statistics import Interval, ratio_of_rates, wilson

DIFFERENCE, RATIO = "difference", "ratio"
LEVEL = 0.95


class NotComputedError(Exception):
    """Why a section or a comparison of an audit says nothing, in one sentence."""


class Moments(NamedTuple):
    """Count, mean and variance (n - 1 in the denominator) of a sample."""

    n: int
    mean: float
    variance: float

    @classmethod
    def of(cls, values: ArrayLike) -> "Moments":
        """Of single values, shape [n]."""
        values = np.asarray(values, dtype=float)
        return cls.of_counts(values, np.ones(values.size, dtype=int))

    @classmethod
    def of_counts(cls, values: ArrayLike, counts: ArrayLike) -> "Moments":
        """Of values that occur `counts` times each: both of shape [values]."""
        values, counts = np.asarray(values, dtype=float), np.asarray(counts)
        n = int(counts.sum())
        if n == 0:
            return cls(0, math.nan, math.nan)
        mean = float(values @ counts / n)
        return cls(n, mean, float((values - mean) ** 2 @ counts / (n - 1)) if n > 1 else math.nan)

    @property
    def interval(self) -> Interval:
        """The mean with its 95% t-interval; limits are nan for fewer than two values."""
        if self.n < 2:
            return Interval(self.mean, math.nan, math.nan)
        margin = float(stats.t.ppf((1 + LEVEL) / 2, self.n - 1)) * math.sqrt(self.variance / self.n)
        return Interval(self.mean, self.mean - margin, self.mean + margin)


@dataclass(frozen=True)
class Finding:
    """One row of a report; what there is no number for is None.

    contrast: the dataset's value minus (difference) or over (ratio) the reference's.
    """

    what: str
    value: Interval
    n: int
    reference: Interval | None = None
    reference_n: int | None = None
    contrast: Interval | None = None
    contrast_kind: str = DIFFERENCE

    def record(self) -> dict[str, Any]:
        """As audit.json holds it."""
        return {
            "what": self.what,
            "n": self.n,
            **self.value._asdict(),
            "reference": None if self.reference is None else {"n": self.reference_n, **self.reference._asdict()},
            self.contrast_kind: None if self.contrast is None else self.contrast._asdict(),
        }


@dataclass
class Section:
    """One question of the audit.

    about: how it was measured, in one or two sentences. tables: name -> rows with the same keys. details: other
    numbers. notes: what a reader must know, such as a comparison that was not computed.
    """

    about: str
    unit: str = "share"
    findings: list[Finding] = field(default_factory=list)
    tables: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def record(self) -> dict[str, Any]:
        """As audit.json holds it."""
        return {**vars(self), "findings": [finding.record() for finding in self.findings]}


def share(what: str, count: int, n: int, reference: tuple[int, int] | None = None) -> Finding:
    """A share with its Wilson interval; against (count, n) of the reference the difference (Newcombe 1998).

    Raises NotComputedError for a share of nothing.
    """
    if n == 0:
        raise NotComputedError(f"there is no row to take the share of: {what}")
    if reference is None or reference[1] == 0:
        return Finding(what, wilson(count, n), n)
    other, other_n = reference
    low, high = confint_proportions_2indep(count, n, other, other_n, method="newcomb", compare="diff")
    apart = Interval(count / n - other / other_n, float(low), float(high))
    return Finding(what, wilson(count, n), n, wilson(other, other_n), other_n, apart)


def rate_ratio(what: str, count: int, n: int, reference: tuple[int, int]) -> Finding:
    """A share as in `share`, against the reference by the ratio of the two: the S:O column of Table 1."""
    if n == 0:
        raise NotComputedError(f"there is no row to take the rate of: {what}")
    other, other_n = reference
    if other_n == 0:
        return Finding(what, wilson(count, n), n, contrast_kind=RATIO)
    ratio = ratio_of_rates(count, n, other, other_n)
    return Finding(what, wilson(count, n), n, wilson(other, other_n), other_n, ratio, RATIO)


def mean(what: str, values: Moments, reference: Moments | None = None) -> Finding:
    """A mean with its t-interval; against the reference the difference with Welch's interval."""
    if values.n == 0:
        raise NotComputedError(f"there is no row to take the mean of: {what}")
    if reference is None or reference.n == 0:
        return Finding(what, values.interval, values.n)
    return Finding(what, values.interval, values.n, reference.interval, reference.n, welch(values, reference))


def welch(first: Moments, second: Moments) -> Interval:
    """Difference of two means with Welch's 95% interval; limits are nan where a sample has fewer than two values."""
    apart = first.mean - second.mean
    if min(first.n, second.n) < 2:
        return Interval(apart, math.nan, math.nan)
    parts = first.variance / first.n, second.variance / second.n
    if sum(parts) == 0:
        return Interval(apart, apart, apart)
    weight = parts[0] / sum(parts)
    freedom = 1 / (weight**2 / (first.n - 1) + (1 - weight) ** 2 / (second.n - 1))
    margin = float(stats.t.ppf((1 + LEVEL) / 2, freedom)) * math.sqrt(sum(parts))
    return Interval(apart, apart - margin, apart + margin)


def in_order(labels: Sequence[str], order: Sequence[str]) -> list[str]:
    """The labels that occur, in the order of `order`."""
    return [label for label in order if label in labels]
