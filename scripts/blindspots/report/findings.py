"""What a report found, in sentences: differences between kinds with their intervals, and what these hold for."""

from blindspots.data.kinds import compared_kinds, label_of
from blindspots.report.collect import HANS, LO_AUROC, LO_NE, MNLI, P_LO_E, P_LO_NE, Grid
from blindspots.report.contrasts import ABOVE_ZERO, PUBLISHED_SD, Pair, Place, Reading, read
from blindspots.report.tables import accuracy

# What a sentence names of each comparison; the table of comparisons has the rest.
SUMMARY = (MNLI, HANS, P_LO_NE, P_LO_E, LO_AUROC)


def findings(grid: Grid, readings: list[Reading]) -> list[str]:
    """A sentence per pair of kinds, on accuracies, bias and ability, then what they hold for.

    Several replicates: means over all starts and sizes with their intervals. One: the largest start and size alone.

    Args:
        readings: from `contrasts.compared`.
    """
    several = len(grid.axis("seed")) > 1
    pairs: dict[str, list[Reading]] = {}
    for reading in readings if several else _at_the_largest(grid):
        if reading.estimate is not None:
            pairs.setdefault(reading.estimand, []).append(reading)
    if not pairs:
        return []
    if several:
        where = (
            f"Means over {_count(grid, 'start', 'start size')}, {_count(grid, 'size', 'set size')} and "
            f"{_count(grid, 'seed', 'seed')}; 95% intervals in brackets."
        )
    else:
        where = f"At the start of {grid.axis('start')[-1]:,} rows and {grid.axis('size')[-1]:,} augmentation rows:"
    return [where, *map(_sentence, pairs.values()), _how_sure(grid, [one for pair in pairs.values() for one in pair])]


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


def _sentence(pair: list[Reading]) -> str:
    """Both means, their difference and its interval, metric by metric; of the measures those of SUMMARY.

    Without probabilities there are the accuracies alone.
    """
    first, second = pair[0].estimand.split(" - ", 1)
    chosen = [reading for name in SUMMARY for reading in pair if reading.metric == name]
    moved = what_moved(pair)
    words = f"{first[0].upper()}{first[1:]} rather than {second} data: "
    return words + "; ".join(map(_part, chosen if moved else pair)) + "." + (f" {moved}" if moved else "")


def _part(reading: Reading) -> str:
    interval = "" if reading.low is None else f" [{reading.low:+.3f}, {reading.high:+.3f}]"
    return (
        f"{reading.title} {accuracy(reading.first_mean)} against {accuracy(reading.second_mean)} "
        f"({reading.estimate:+.3f}{interval})"
    )


def what_moved(readings: list[Reading]) -> str:
    """Whether the threshold moved, or the ability to tell entailed overlapping pairs from others; empty without.

    A shift of the threshold surely raises the mean probability of one side and surely lowers that of the other. The
    criterion beside them is made of accuracies, which hardly move near the ends of their scale.
    """
    by_metric = {reading.metric: reading for reading in readings}
    if not {P_LO_NE, P_LO_E, LO_AUROC} <= by_metric.keys():
        return ""
    if by_metric[LO_AUROC].low is None:
        return "Whether the threshold on lexical overlap moved, or the ability, one replicate can't tell."
    slower, quicker = "slower to say entailment", "quicker to say entailment"
    first, second = _direction(by_metric[P_LO_NE], slower, quicker), _direction(by_metric[P_LO_E], quicker, slower)
    moved = first if first == second else ""
    changed = _direction(by_metric[LO_AUROC], "better at telling the two apart", "worse at telling the two apart")
    return (
        f"The threshold on lexical overlap, by the mean probabilities: {moved or 'no shift was found'}; the ability "
        f"(AUROC): {changed or 'no change was found'}."
    )


def _direction(reading: Reading, up: str, down: str) -> str:
    """In which direction a reading surely goes, empty where it is not sure."""
    if reading.low is None or reading.low <= 0 <= reading.high:
        return ""
    return up if reading.low > 0 else down


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
