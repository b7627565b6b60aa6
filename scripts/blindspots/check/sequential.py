"""Tests over a growing number of seeds, at looks declared beforehand: harm, no harm, or how many seeds more."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike

from blindspots.evaluation.statistics import crossed_interval, holm, one_sided_p, seeds_for_power

HARMS, NO_HARM, UNDECIDED = "harms", "does not harm", "undecided"
# A distance from the margin of fewer standard deviations than this would take some 1,000 seeds.
NEAREST = 0.1


def spent(share: float, alpha: float) -> float:
    """Error that may have been spent after this share of the last look's seeds.

    Source: Lan & DeMets (1983), their spending function of Pocock's type.
    """
    return alpha * math.log(1 + (math.e - 1) * share)


def levels(looks: Sequence[int], alpha: float) -> list[float]:
    """Level of the tests at each look, what the spending function adds by then; they sum to alpha.

    The chance that any of several tests errs is at most the sum of their levels, however their results hang together.
    """
    totals = [0.0, *(spent(seeds / looks[-1], alpha) for seeds in looks)]
    return [after - before for before, after in pairwise(totals)]


@dataclass
class HeadlineVerdict:
    """What is known of one headline after a look.

    mean, original_mean: of the models tuned on the set and on original rows. estimate: their difference.
    low, high: an interval that holds for all headlines and looks together, by Bonferroni's rule; Holm's, which
        decides, may tell more. sd: of the difference, over seeds.
    p_harm, p_no_harm: of Student's one-sided tests against -margin, corrected by Holm for the number of headlines; the
        latter at least that of a test that the score on original rows lies above the margin.
    room: whether it does so significantly, so that it can fall by more than the margin.
    decided_at: seeds of the look that gave the verdict. more_seeds: from `SequentialTest.more_seeds`, of an undecided
        headline.
    """

    metric: str
    margin: float
    seeds: int
    mean: float
    original_mean: float
    estimate: float
    low: float
    high: float
    sd: float
    p_harm: float
    p_no_harm: float
    room: bool
    verdict: str = UNDECIDED
    decided_at: int | None = None
    more_seeds: int | None = None


class SequentialTest:
    """Two one-sided tests per headline at each look, each with its own alpha over all looks and headlines.

    HARMS: the difference lies below -margin. NO_HARM: it lies above, and the score on original rows, which can't fall
    below 0, lies above the margin. A verdict that was given stays.
    """

    def __init__(self, looks: Sequence[int], margins: Mapping[str, float], alpha: float) -> None:
        self.levels = dict(zip(looks, levels(looks, alpha)))
        self.margins = margins
        self.decided: dict[str, tuple[str, int]] = {}

    def look(self, scores: Mapping[str, tuple[ArrayLike, ArrayLike]]) -> list[HeadlineVerdict]:
        """Judge every headline.

        Args:
            scores: by headline, of the models tuned on the set and on original rows: each of shape [seeds], the seeds
                of one of the looks, in the same order.
        """
        found = [self._measured(metric, *scores[metric]) for metric in self.margins]
        level = self.levels[found[0].seeds]
        harm, no_harm = holm([one.p_harm for one in found]), holm([one.p_no_harm for one in found])
        for place, one in enumerate(found):
            one.p_harm, one.p_no_harm = harm[place], no_harm[place]
            if min(one.p_harm, one.p_no_harm) <= level:
                verdict = HARMS if one.p_harm <= level else NO_HARM
                self.decided.setdefault(one.metric, (verdict, one.seeds))
            if one.metric in self.decided:
                one.verdict, one.decided_at = self.decided[one.metric]
        return found

    def _measured(self, metric: str, own: ArrayLike, original: ArrayLike) -> HeadlineVerdict:
        own, original, margin = np.asarray(own, float), np.asarray(original, float), self.margins[metric]
        level = self.levels[len(own)] / len(self.margins)
        effect = crossed_interval(own, original, bound=1.0, level=1 - 2 * level)
        known = effect.standard_error, effect.df
        above_zero = crossed_interval(original, np.zeros_like(original))
        p_room = one_sided_p(above_zero.estimate, above_zero.standard_error, above_zero.df, margin)
        return HeadlineVerdict(
            metric,
            margin,
            len(own),
            float(own.mean()),
            float(original.mean()),
            *effect[:3],
            sd=float((own - original).std(ddof=1)),
            p_harm=one_sided_p(-effect.estimate, *known, margin),
            p_no_harm=max(p_room, one_sided_p(effect.estimate, *known, -margin)),
            room=p_room <= level,
        )

    def more_seeds(self, one: HeadlineVerdict) -> int | None:
        """About how many seeds would decide a headline, with 80% power at the last look's level, were the difference
        seen the true one; None where it lies so close to the margin that no sensible number would do, and where the
        score on original rows leaves no room for harm."""
        distance = abs(one.estimate + one.margin)
        if not one.room or distance < NEAREST * one.sd or distance == 0:
            return None
        last = list(self.levels.values())[-1] / len(self.margins)
        return max(1, seeds_for_power(distance, one.sd, alpha=2 * last) - one.seeds)


def overall(verdicts: Iterable[str]) -> str:
    """Of several verdicts together: HARMS where one is, NO_HARM where all are, else UNDECIDED."""
    found = set(verdicts)
    return HARMS if HARMS in found else UNDECIDED if UNDECIDED in found else NO_HARM
