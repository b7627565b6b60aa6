"""How far choices between two texts follow cues such as length: people's, a model's, and how far these are apart.

A choice is 1 for the first text, 0 for the second and 0.5 for a tie, or the mean of several people's. A cue is a
number of the first text minus that of the second.

This file imports nothing of the project: `evaluate_modules/*` link to it, so that a pushed module stands alone.
"""

import math
import warnings
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
import statsmodels.api as sm
from numpy.typing import NDArray
from scipy.linalg import block_diag
from scipy.stats import pearsonr, t
from statsmodels.tools.sm_exceptions import ConvergenceWarning, PerfectSeparationWarning

FIRST, TIE, SECOND = CHOICES = ("first", "tie", "second")
POSITION = "position"
# Codes as published: 0 and 1 for the two texts, 2 for neither.
_NEITHER = 2
# Units in which a cue must vary: with fewer, errors clustered by unit are far too small.
FEWEST = 5
# As close to 0 or 1 as a probability comes that is still an estimate.
SURE = 1e-6


class Estimate(NamedTuple):
    """An estimate, the limits of its interval, and its two-sided p."""

    estimate: float
    low: float
    high: float
    p: float


UNKNOWN = Estimate(*[math.nan] * 4)


class CueEffect(NamedTuple):
    """Log-odds of choosing the first text per standard deviation of a cue, and the model's minus people's."""

    cue: str
    people: Estimate
    model: Estimate
    difference: Estimate


def choices(counts: NDArray) -> NDArray:
    """Mean choice of each pair from counts of CHOICES, shape [pairs, 3]; nan where there is none."""
    n = counts.sum(axis=1)
    return np.where(n > 0, counts @ np.array([1, 0.5, 0]) / np.where(n > 0, n, 1), np.nan)


def cue_effects(
    people: NDArray,
    model: NDArray,
    cues: Mapping[str, NDArray],
    units: NDArray,
    position: bool = True,
    level: float = 0.95,
) -> list[CueEffect]:
    """Effect of each cue beside the others on the choices of people and of a model, on the pairs that both have.

    Args:
        people, model: choices from 0 to 1, nan where there is none: shape [pairs].
        cues: name -> first text's number minus the second's, shape [pairs]; one that does not vary is left out.
        units: what a pair belongs to, such as its question: shape [pairs].
        position: whether the order of the texts means something; then how far the first is chosen, other cues being
            equal, comes first as POSITION. Without it both orders of a pair give the same.

    Fractional logistic regression (Papke & Wooldridge 1996), so that ties count as half a choice, with errors
    clustered by unit; people and model are fitted together, so that their difference is that on the same pairs.
    Student's t has one degree of freedom less than there are units in which the cue is not at its median. UNKNOWN are
    a cue that has fewer than FEWEST of these, whose errors would be far too small, and all cues where choices follow
    them without exception, so that no finite effect fits best.
    Raises ValueError for fewer than two units with choices of both.
    """
    used = np.isfinite(people) & np.isfinite(model)
    people, model, units = people[used], model[used], np.asarray(units)[used]
    if np.unique(units).size < 2:
        raise ValueError(
            "Cue effects need pairs of at least two units that both people and the model have chosen from."
        )
    cues = {name: values[used] / values[used].std() for name, values in cues.items() if values[used].std() > 0}
    varied = {name: np.unique(units[values != np.median(values)]).size for name, values in cues.items()}
    columns = {name: values for name, values in cues.items() if varied[name] >= FEWEST}
    if position:
        columns, varied = {POSITION: np.ones(len(units))} | columns, {POSITION: np.unique(units).size} | varied
    found = {}
    if columns and not any(_separated(chosen, columns) for chosen in (people, model)):
        df = np.array([varied[name] for name in columns]) - 1
        found = dict(zip(columns, _fit(people, model, units, columns, df, level)))
    return [CueEffect(name, *found.get(name, [UNKNOWN] * 3)) for name in varied]


def _separated(chosen: NDArray, columns: Mapping[str, NDArray]) -> bool:
    """Whether some choices follow the cues without exception: their probabilities come as close to 0 or 1 as asked."""
    with warnings.catch_warnings(), np.errstate(over="ignore"):
        warnings.simplefilter("ignore", (PerfectSeparationWarning, ConvergenceWarning))
        fitted = sm.GLM(chosen, np.stack(list(columns.values()), axis=1), family=sm.families.Binomial()).fit()
        return not fitted.converged or bool(np.abs(fitted.fittedvalues - 0.5).max() > 0.5 - SURE)


def _fit(
    people: NDArray, model: NDArray, units: NDArray, columns: Mapping[str, NDArray], df: NDArray, level: float
) -> Iterator[tuple[Estimate, Estimate, Estimate]]:
    """For each column the effect on people, on the model, and the latter minus the former."""
    design = np.stack(list(columns.values()), axis=1)
    fitted = sm.GLM(np.concatenate([people, model]), block_diag(design, design), family=sm.families.Binomial()).fit(
        cov_type="cluster", cov_kwds={"groups": np.tile(np.unique(units, return_inverse=True)[1], 2)}
    )
    one = np.eye(len(columns))
    none = np.zeros_like(one)
    return zip(*(_estimates(fitted, np.hstack(parts), df, level) for parts in ((one, none), (none, one), (-one, one))))


def _estimates(fitted, contrasts: NDArray, df: NDArray, level: float) -> list[Estimate]:
    test = fitted.t_test(contrasts)
    effects, errors = np.ravel(test.effect), np.ravel(test.sd)
    margins, p_values = t.ppf((1 + level) / 2, df) * errors, 2 * t.sf(np.abs(effects) / errors, df)
    rows = zip(effects, effects - margins, effects + margins, p_values, strict=True)
    return [Estimate(*map(float, row)) for row in rows]


def pearson_of_codes(choice: NDArray, cue: NDArray, level: float = 0.95) -> Estimate:
    """Pearson's r of codes, as published: 0 first, 1 second, 2 a tie for the choice, and likewise for the larger cue.

    Args:
        choice: 1, 0.5 or 0. cue: first text's number minus the second's. Both of shape [pairs].

    The codes are names, not numbers, so that r has no meaning beyond its sign; it is here to be compared with what
    Das et al. (2024) report. All nan where a code does not vary.
    """
    chosen = np.select([choice == 1, choice == 0], [0, 1], _NEITHER)
    larger = np.select([cue > 0, cue < 0], [0, 1], _NEITHER)
    if len(choice) < 4 or np.ptp(chosen) == 0 or np.ptp(larger) == 0:
        return UNKNOWN
    found = pearsonr(larger, chosen)
    low, high = found.confidence_interval(level)
    return Estimate(float(found.statistic), float(low), float(high), float(found.pvalue))
