"""What a report found, in sentences: differences between kinds with their intervals, and how much they can decide."""

from blindspots.report.collect import HANS, LO_NE, MNLI, Grid
from blindspots.report.contrasts import PUBLISHED_SD, Reading
from blindspots.report.tables import accuracy


def findings(grid: Grid, readings: list[Reading]) -> list[str]:
    """One sentence per pair of kinds that were compared, then what the number of seeds allows to conclude.

    Args:
        readings: from `contrasts.compared`.
    """
    pairs: dict[str, list[Reading]] = {}
    for reading in readings:
        if reading.estimate is not None:
            pairs.setdefault(reading.estimand, []).append(reading)
    sentences = [_sentence(pair) for pair in pairs.values()]
    if sentences:
        sentences.append(_how_sure(grid))
    return sentences


def _sentence(pair: list[Reading]) -> str:
    """Both means, their difference and its interval, metric by metric."""
    first, second = pair[0].estimand.split(" - ", 1)
    parts = [
        f"{reading.title} {accuracy(reading.first_mean)} against {accuracy(reading.second_mean)} "
        f"({reading.estimate:+.3f}{_interval(reading)})"
        for reading in pair
    ]
    return f"Tuned further on {first} rather than {second} data: {'; '.join(parts)}."


def _interval(reading: Reading) -> str:
    if reading.low is None:
        return ", no interval"
    return f", 95% interval {reading.low:+.3f} to {reading.high:+.3f} over {reading.basis}"


def _how_sure(grid: Grid) -> str:
    """What the spread over re-runs says about a grid of so many seeds."""
    seeds = len(grid.axis("seed"))
    spread = ", ".join(
        f"{PUBLISHED_SD[metric]:.4g} in {grid.title(metric)}"
        for metric in (MNLI, HANS, LO_NE)
        if metric in [headline.name for headline in grid.metrics]
    )
    if seeds == 1:
        return (
            f"One seed decides nothing: over 100 re-runs of one BERT the standard deviation was {spread} (McCoy et "
            "al. 2020). A difference of that size may be the seed alone."
        )
    return (
        f"The intervals hold for re-training with other seeds ({seeds} here) on the same sets; they say nothing about "
        "other sets or generators."
    )
