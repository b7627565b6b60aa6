"""What a report found: means, differences between kinds with their intervals, and what these say and hold for."""

from collections import Counter
from dataclasses import dataclass, replace

import pandas as pd

from blindspots.data.kinds import compared_kinds, label_of
from blindspots.evaluation.statistics import wilson
from blindspots.report.collect import HANS, LO_AUROC, LO_NE, MNLI, P_LO_E, P_LO_NE, START, Grid
from blindspots.report.contrasts import ABOVE_ZERO, PUBLISHED_SD, Pair, Place, Reading, read
from blindspots.report.design import GENERATOR, generators
from blindspots.report.tables import accuracy, difference

# What the table of findings has; the table of comparisons has the rest.
SUMMARY = (MNLI, HANS, P_LO_NE, P_LO_E, LO_AUROC)
# What tells a shift of the threshold from a change of ability.
BOTH_SIDES = {P_LO_NE, P_LO_E, LO_AUROC}
# So many models are named in a sentence.
SHOWN = 5


@dataclass(frozen=True)
class Findings:
    """What stands first in a report.

    where: what the numbers are means of.
    table: a row per kind with its means, then a row per pair of kinds with differences and intervals, as text.
    sentences: what these say of bias and ability, and what they hold for.
    """

    where: str
    table: pd.DataFrame
    sentences: list[str]


def findings(grid: Grid, readings: list[Reading]) -> Findings | None:
    """What was found of the pairs of kinds, None where there are none.

    Several replicates: means over all starts and sizes with their intervals. One: the largest start and size alone.

    Args:
        readings: from `contrasts.compared`.
    """
    several = len(grid.axis("seed")) > 1
    pairs: dict[str, list[Reading]] = {}
    for reading in readings if several else _at_the_largest(grid):
        if reading.estimate is not None:
            if reading.units < 2:  # an interval over the starts of one replicate is not like the others
                reading = replace(reading, low=None, high=None)
            pairs.setdefault(reading.estimand, []).append(reading)
    if not pairs:
        return None
    if several:
        where = (
            f"Means over {_count(grid, 'start', 'start size')}, {_count(grid, 'size', 'set size')} and "
            f"{_count(grid, 'seed', 'seed')}; differences between kinds at the same start, size and seed, 95% "
            "intervals in brackets."
        )
        sentences = [_sentence(name, moved) for name, pair in pairs.items() if (moved := what_moved(pair))]
        sentences += _left_out(grid, readings) + _uneven(grid, readings)
    else:
        where = f"At the start of {grid.axis('start')[-1]:,} rows and {grid.axis('size')[-1]:,} augmentation rows:"
        sentences = []
    sentences += _at_chance(grid)
    sentences.append(_how_sure(grid, [one for pair in pairs.values() for one in pair]))
    return Findings(where, _table(grid, pairs, several), sentences)


def _table(grid: Grid, pairs: dict[str, list[Reading]], several: bool) -> pd.DataFrame:
    """Of the measures those of SUMMARY; without probabilities, such as points of a figure, all."""
    models = grid.models
    if not several:
        models = models[(models["start"] == grid.axis("start")[-1]) & (models["size"] == grid.axis("size")[-1])]
    measures = [metric.name for metric in grid.shown]
    if set(measures) >= BOTH_SIDES:
        measures = [name for name in SUMMARY if name in measures]
    rows = []
    for kind in grid.kinds:
        means = models.loc[models["kind"] == kind, measures].mean()
        rows.append({"kind": label_of(kind)} | {grid.title(name): accuracy(means[name]) for name in measures})
    for estimand, readings in pairs.items():
        by_metric = {reading.metric: difference(reading) for reading in readings}
        rows.append({"kind": estimand} | {grid.title(name): by_metric.get(name, "") for name in measures})
    return pd.DataFrame(rows)


def _at_the_largest(grid: Grid) -> list[Reading]:
    """As `contrasts.compared`, at the largest start and size alone."""
    if not grid.axis("start") or not grid.axis("size"):
        return []
    start, size = grid.axis("start")[-1], grid.axis("size")[-1]
    return [
        read(
            grid,
            metric.name,
            f"{label_of(kind)} - {label_of(other)}",
            [Pair(start, Place(kind, size), Place(other, size))],
            ABOVE_ZERO,
        )
        for kind, other in compared_kinds(grid.kinds)
        for metric in grid.shown
    ]


def _count(grid: Grid, axis: str, name: str) -> str:
    count = len(grid.axis(axis))
    return f"{count} {name}{'' if count == 1 else 's'}"


def _sentence(estimand: str, moved: str) -> str:
    """What a difference between two kinds says, from `what_moved`."""
    first, second = estimand.split(" - ", 1)
    return f"With {first} rather than {second} data: {moved[0].lower()}{moved[1:]}"


def what_moved(readings: list[Reading]) -> str:
    """Whether the threshold moved, or the ability to tell entailed overlapping pairs from others; empty without.

    The threshold has moved where the mean probability of one side rises significantly and that of the other falls
    significantly. The criterion beside them is made of accuracies, which hardly move near the ends of their scale.
    """
    by_metric = {reading.metric: reading for reading in readings}
    if not by_metric.keys() >= BOTH_SIDES:
        return ""
    if by_metric[LO_AUROC].low is None:
        return "Whether the threshold on lexical overlap moved, or the ability, one replicate can't tell."
    less, more = map("models find entailment {} probable, for entailed pairs and for others".format, ("less", "more"))
    first, second = _direction(by_metric[P_LO_NE], less, more), _direction(by_metric[P_LO_E], more, less)
    bias = first if first and first == second else "no shift of the threshold was found"
    better, worse = (f"models tell entailed pairs from others {how}" for how in ("better", "worse"))
    ability = _direction(by_metric[LO_AUROC], better, worse) or "no change of ability was found"
    return f"On lexical overlap {bias} (by the mean probabilities), and {ability} (by AUROC)."


def _left_out(grid: Grid, readings: list[Reading]) -> list[str]:
    """A sentence for each pair of kinds whose difference leaves out places or seeds, since models are missing."""
    places, seeds = len(grid.axis("start")) * len(grid.axis("size")), len(grid.axis("seed"))
    found = {}
    for reading in readings:
        used = (reading.n_pairs, reading.n // max(reading.n_pairs, 1))
        if used != (places, seeds):
            found[reading.estimand] = (
                f"Models are missing: {reading.estimand} is over {used[0]} of {places} places (a start and a set "
                f"size) and {used[1]} of {seeds} seeds. The means above it are over all models that are there."
            )
    return list(found.values())


def _uneven(grid: Grid, readings: list[Reading]) -> list[str]:
    """A sentence where some generators have more replicates than others."""
    counts = Counter(generators(grid, grid.axis("seed"))).values()
    if min(counts) == max(counts) or all(reading.unit != GENERATOR for reading in readings):
        return []
    return [
        f"The generators have {min(counts)} to {max(counts)} replicates each. A difference over generators is the "
        "mean of their own differences: not quite that of the means above it, in which each replicate counts once."
    ]


def _at_chance(grid: Grid) -> list[str]:
    """A sentence naming the trained models whose accuracy on MNLI can't be told from that of one constant label."""
    if MNLI not in grid.tests:
        return []
    constant = grid.tests[MNLI]["gold"].value_counts(normalize=True).max()
    trained = [name for name, model in grid.models.iterrows() if model["start"] or model["kind"] != START]
    right = {name: grid.right[name, MNLI] for name in trained}
    failed = [name for name, rows in right.items() if wilson(int(rows.sum()), len(rows)).low <= constant]
    if not failed:
        return []
    named = ", ".join(failed[:SHOWN]) + (f" and {len(failed) - SHOWN} more" if len(failed) > SHOWN else "")
    return [
        f"Not significantly better on {grid.title(MNLI)} than always giving the most frequent label "
        f"({accuracy(constant)}), but in all numbers: {len(failed)} of {len(trained)} trained models ({named})."
    ]


def _direction(reading: Reading, up: str, down: str) -> str:
    """In which direction a reading goes, empty where its interval holds 0."""
    if reading.low is None or reading.low <= 0 <= reading.high:
        return ""
    return up if reading.low > 0 else down


def _how_sure(grid: Grid, readings: list[Reading]) -> str:
    """What the intervals are over, and what they can't tell; of one replicate, what the spread over re-runs says."""
    over = " or ".join(sorted({f"{reading.units} {reading.unit}" for reading in readings if reading.units > 1}))
    if over:
        shared = {part for reading in readings for part in reading.shared.split(", ") if part}
        return f"The intervals are over {over}" + (
            f". They do not cover variation in what these share: {', '.join(sorted(shared))}." if shared else "."
        )
    shown = [metric for metric in (MNLI, HANS, LO_NE) if metric in [headline.name for headline in grid.metrics]]
    spread = ", ".join(f"{accuracy(PUBLISHED_SD[metric])} in {grid.title(metric)}" for metric in shown)
    return (
        f"One replicate decides nothing: over 100 re-runs of one BERT the standard deviation was {spread} (McCoy et "
        "al. 2020), and a difference of that size may be the seed alone."
    )
