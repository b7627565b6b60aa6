"""What a report found, in sentences: differences between kinds with their intervals, and how much they can decide."""

from blindspots.data.kinds import compared_kinds, label_of
from blindspots.report.collect import HANS, LO_NE, MNLI, Grid
from blindspots.report.contrasts import ABOVE_ZERO, PUBLISHED_SD, Pair, Place, Reading, read
from blindspots.report.tables import accuracy


def findings(grid: Grid, readings: list[Reading]) -> list[str]:
    """One sentence per pair of kinds that were compared, then what the number of seeds allows to conclude.

    Several seeds: means over all starts and sizes with their intervals. One seed: the largest start and size alone.

    Args:
        readings: from `contrasts.compared`.
    """
    several = len(grid.axis("seed")) > 1
    pairs: dict[str, list[Reading]] = {}
    for reading in readings if several else _at_the_largest(grid):
        if reading.estimate is not None:
            pairs.setdefault(reading.estimand, []).append(reading)
    sentences = [_sentence(pair) for pair in pairs.values()]
    if not sentences:
        return []
    if several:
        where = f"Means over {_count(grid, 'start')}, {_count(grid, 'size')} and {_count(grid, 'seed')}."
    else:
        where = f"At the start of {grid.axis('start')[-1]:,} rows and {grid.axis('size')[-1]:,} augmentation rows:"
    return [where, *sentences, _how_sure(grid)]


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
        for metric in grid.metrics
    ]


def _count(grid: Grid, axis: str) -> str:
    count = len(grid.axis(axis))
    return f"{count} {axis}{'' if count == 1 else 's'}"


def _sentence(pair: list[Reading]) -> str:
    """Both means, their difference and its interval, metric by metric."""
    first, second = pair[0].estimand.split(" - ", 1)
    parts = [
        f"{reading.title} {accuracy(reading.first_mean)} against {accuracy(reading.second_mean)} "
        f"({reading.estimate:+.3f}{_interval(reading)})"
        for reading in pair
    ]
    return f"{first[0].upper()}{first[1:]} rather than {second} data: {'; '.join(parts)}."


def _interval(reading: Reading) -> str:
    return "" if reading.low is None else f", 95% interval {reading.low:+.3f} to {reading.high:+.3f}"


def _how_sure(grid: Grid) -> str:
    """What the spread over re-runs says about a grid of so many seeds."""
    seeds = len(grid.axis("seed"))
    if seeds > 1:
        return (
            f"The intervals hold for re-training with other seeds ({seeds} here) on the same sets; they say nothing "
            "about other sets or generators."
        )
    shown = [metric for metric in (MNLI, HANS, LO_NE) if metric in [headline.name for headline in grid.metrics]]
    spread = ", ".join(f"{accuracy(PUBLISHED_SD[metric])} in {grid.title(metric)}" for metric in shown)
    return (
        f"One seed decides nothing: over 100 re-runs of one BERT the standard deviation was {spread} (McCoy et al. "
        "2020), and a difference of that size may be the seed alone."
    )
