"""How much more frequent lexical overlap is in synthetic data, and how it is tied to entailment: over generators where
Table 1 has several, over the rows of one where it has one."""

import math
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from blindspots.data.nli import ENTAILMENT
from blindspots.evaluation.statistics import Interval, one_sided_p, ratio_of, sum_of, t_interval, wilson
from blindspots.report.contrasts import ABOVE_ZERO, ALPHA, Reading, Rule, verdict_of
from blindspots.report.design import GENERATOR
from blindspots.report.table1 import ALL, STANDARDISED, weighted_rates

# C7: "only slightly" stronger, in the share of lexical-overlap pairs that are entailed.
SLIGHTLY = 0.05
OVERLAP = "lexical_overlap"


def overlap_readings(table1: pd.DataFrame, words: str) -> list[Reading]:
    """The ratio of the rates, all labels together, and the difference of the entailed shares, synthetic - original.

    The labels of synthetic data are weighted by their shares in the original: data that are entailed more often have
    more overlap, and more entailed pairs among the overlapping ones, by that alone.

    Args:
        table1: from `table1.table1`.
        words: rule of words, raw or stripped.
    """
    tables = [part.set_index("label") for _, part in table1[table1["words"] == words].groupby("generator", sort=False)]
    if not tables:
        return []
    ratio = _reading(
        f"ratio of rates, synthetic : original, {words}, labels as in original",
        ABOVE_ZERO,
        [_log_ratio(one) for one in tables],
    )
    for name in ("estimate", "low", "high"):  # a ratio is judged by its logarithm
        if getattr(ratio, name) is not None:
            setattr(ratio, name, math.exp(getattr(ratio, name)))
    slightly = Rule(above=0.0, below=SLIGHTLY)
    estimand = f"entailed share of LO, synthetic - original, {words}, labels as in original"
    return [ratio, _reading(estimand, slightly, [_entailed_share(one) for one in tables])]


class Measured(NamedTuple):
    """What one generator's rows say, and the standard error of the original data's part in it."""

    estimate: float
    low: float
    high: float
    original_error: float


NOT_MEASURED = Measured(math.nan, math.nan, math.nan, math.nan)


def _log_ratio(table: pd.DataFrame) -> Measured:
    """Of the rates of overlap; not measured where a side has none."""
    row = table.loc[STANDARDISED]
    if not row["original_count"] or not row["synthetic_rate"] > 0:
        return NOT_MEASURED
    error = math.sqrt((1 - row["original_rate"]) / row["original_count"])
    return Measured(*(math.log(row[name]) for name in ("ratio", "low", "high")), error)


def _entailed_share(table: pd.DataFrame) -> Measured:
    """Of the overlapping rows; not measured where a side has none."""
    rates, entailed, overlapping = weighted_rates(table), *table.loc[[ENTAILMENT, ALL], "original_count"]
    if not overlapping or ENTAILMENT not in rates or not any(rate.estimate for rate in rates.values()):
        return NOT_MEASURED
    others = sum_of([Interval(0.0, 0.0, 0.0), *(rate for label, rate in rates.items() if label != ENTAILMENT)])
    odds = ratio_of(others, rates[ENTAILMENT])
    share = Interval(*(1 / (1 + limit) for limit in (odds.estimate, odds.high, odds.low)))
    original = wilson(entailed, overlapping)
    error = math.sqrt(original.estimate * (1 - original.estimate) / overlapping)
    return Measured(*sum_of([share, Interval(-original.estimate, -original.high, -original.low)]), error)


def _reading(estimand: str, rule: Rule, by_generator: list[Measured]) -> Reading:
    """A reading over generators and the original data's rows; of one generator, with the interval over rows alone."""
    units, several = len(by_generator), len(by_generator) > 1
    reading = Reading(OVERLAP, "lexical overlap", estimand, "", GENERATOR, units, one_generator=not several)
    estimates = np.array([one.estimate for one in by_generator])
    if not np.isfinite(estimates).all():
        reading.basis = "none: a side has no overlapping row, or synthetic data lack a label"
        return reading
    reading.estimate = float(estimates.mean())
    if several:
        reading.basis, reading.unit_sd = f"{GENERATOR} and original rows", float(estimates.std(ddof=1))
        between, original = estimates.var(ddof=1) / units, by_generator[0].original_error ** 2
        # Satterthwaite's degrees of freedom are too many where few generators happen to lie close together.
        effect = t_interval(reading.estimate, math.sqrt(between + original), units - 1)
        reading.low, reading.high = effect.low, effect.high
        reading.p_supported, reading.p_contradicted = rule.p_values(effect)
    else:
        reading.basis = "rows of the two datasets"
        _, reading.low, reading.high, _ = by_generator[0]
        reading.p_supported, reading.p_contradicted = _p_values(rule, *by_generator[0][:3])
    reading.verdict = verdict_of(reading.p_supported, reading.p_contradicted)
    return reading


def _p_values(rule: Rule, estimate: float, low: float, high: float) -> tuple[float, float]:
    """As `Rule.p_values`, from an interval that is longer on one side: each side has its own standard error."""
    z = stats.norm.ppf(1 - ALPHA / 2)
    down, up = (estimate - low) / z, (high - estimate) / z
    supported = max(
        one_sided_p(estimate, down, math.inf, rule.above), one_sided_p(-estimate, up, math.inf, -rule.below)
    )
    contradicted = min(
        one_sided_p(-estimate, up, math.inf, -rule.above), one_sided_p(estimate, down, math.inf, rule.below)
    )
    return supported, contradicted
