"""What a report found, in sentences: differences between kinds with their intervals, and what these hold for."""

from blindspots.data.kinds import compared_kinds, label_of
from blindspots.report.collect import HANS, LO_AUROC, LO_CRITERION, LO_NE, MNLI, Grid
from blindspots.report.contrasts import ABOVE_ZERO, PUBLISHED_SD, Pair, Place, Reading, read
from blindspots.report.tables import accuracy


def findings(grid: Grid, readings: list[Reading]) -> list[str]:
    """Two sentences per pair of kinds, on accuracies and on bias and ability, then what they hold for.

    Several replicates: means over all starts and sizes with their intervals. One: the largest start and size alone.

    Args:
        readings: from `contrasts.compared`.
    """
    several = len(grid.axis("seed")) > 1
    pairs: dict[str, list[Reading]] = {}
    for reading in readings if several else _at_the_largest(grid):
        if reading.estimate is not None:
            pairs.setdefault(reading.estimand, []).append(reading)
    accuracies = [metric.name for metric in grid.metrics]
    sentences = [
        sentence
        for pair in pairs.values()
        for sentence in (
            _sentence([reading for reading in pair if reading.metric in accuracies]),
            what_moved([reading for reading in pair if reading.metric not in accuracies]),
        )
        if sentence
    ]
    if not sentences:
        return []
    if several:
        where = f"Means over {_count(grid, 'start')}, {_count(grid, 'size')} and {_count(grid, 'seed')}."
    else:
        where = f"At the start of {grid.axis('start')[-1]:,} rows and {grid.axis('size')[-1]:,} augmentation rows:"
    return [where, *sentences, _how_sure(grid, [reading for pair in pairs.values() for reading in pair])]


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


def _count(grid: Grid, axis: str) -> str:
    count = len(grid.axis(axis))
    return f"{count} {axis}{'' if count == 1 else 's'}"


def _sentence(pair: list[Reading]) -> str:
    """Both means, their difference and its interval, metric by metric."""
    if not pair:
        return ""
    first, second = pair[0].estimand.split(" - ", 1)
    return f"{first[0].upper()}{first[1:]} rather than {second} data: {'; '.join(map(_part, pair))}."


def _part(reading: Reading) -> str:
    return (
        f"{reading.title} {accuracy(reading.first_mean)} against {accuracy(reading.second_mean)} "
        f"({reading.estimate:+.3f}{_interval(reading)})"
    )


def what_moved(measured: list[Reading]) -> str:
    """Whether the threshold moved, or the ability to tell entailed overlapping pairs from others; empty without."""
    by_metric = {reading.metric: reading for reading in measured}
    if not {LO_CRITERION, LO_AUROC} <= by_metric.keys():
        return ""
    criterion, ability = by_metric[LO_CRITERION], by_metric[LO_AUROC]
    moved = _direction(criterion, "slower to say entailment", "quicker to say entailment")
    changed = _direction(ability, "better at telling the two apart", "worse at telling the two apart")
    seen = "; ".join(map(_part, measured))
    return (
        f"The same on lexical overlap: {seen}. The threshold: {moved or 'no shift was found'}; the ability (AUROC): "
        f"{changed or 'no change was found'}."
    )


def _direction(reading: Reading, up: str, down: str) -> str:
    """In which direction a reading surely goes, empty where it is not sure."""
    if reading.low is None or reading.low <= 0 <= reading.high:
        return ""
    return up if reading.low > 0 else down


def _interval(reading: Reading) -> str:
    return "" if reading.low is None else f", 95% interval {reading.low:+.3f} to {reading.high:+.3f}"


def _how_sure(grid: Grid, readings: list[Reading]) -> str:
    """What the intervals are over, and what they can't tell; of one replicate, what the spread over re-runs says."""
    if len(grid.axis("seed")) > 1:
        over = " or ".join(sorted({f"{reading.units} {reading.unit}" for reading in readings}))
        shared = {part for reading in readings for part in reading.shared.split(", ") if part}
        return f"The intervals are over {over}" + (
            f", and say nothing beyond what these share: {', '.join(sorted(shared))}." if shared else "."
        )
    shown = [metric for metric in (MNLI, HANS, LO_NE) if metric in [headline.name for headline in grid.metrics]]
    spread = ", ".join(f"{accuracy(PUBLISHED_SD[metric])} in {grid.title(metric)}" for metric in shown)
    return (
        f"One replicate decides nothing: over 100 re-runs of one BERT the standard deviation was {spread} (McCoy et "
        "al. 2020), and a difference of that size may be the seed alone."
    )
