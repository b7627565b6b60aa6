"""What a grid must show before a difference of its HANS accuracies means anything."""

from dataclasses import dataclass

import pandas as pd

from blindspots.data.kinds import BIASED, SYNTHETIC
from blindspots.report.collect import LO_AUROC, LO_NE, P_LO_NE, START, Grid
from blindspots.report.contrasts import ABOVE_ZERO, SUPPORTED, Reading, read, same_cells
from blindspots.report.tables import reading_text

FLOOR, CEILING = 0.05, 0.95
CHANCE = 0.5


def at_an_end(reading: Reading) -> bool:
    """Whether an accuracy of a reading lies below FLOOR or above CEILING, from where it can hardly move."""
    means = [mean for mean in (reading.first_mean, reading.second_mean) if mean is not None]
    return any(mean < FLOOR or mean > CEILING for mean in means)


@dataclass
class Gate:
    """A condition, what was seen, and whether it is met; None where the grid can't tell.

    of_starts: whether it is one of the starts, without which no claim on HANS can be read; else it is C5's alone.
    """

    what: str
    seen: str
    passed: bool | None
    of_starts: bool = True


def gates(grid: Grid) -> list[Gate]:
    """The three gates: every trained start is off floor and ceiling and has some ability, and biased data have the
    effect that they must have."""
    trained = grid.models[(grid.models["kind"] == START) & (grid.models["start"] > 0)]
    accuracy, probability, ability = (_known(trained, name) for name in (LO_NE, P_LO_NE, LO_AUROC))
    room = accuracy.between(FLOOR, CEILING) | probability.between(FLOOR, CEILING).reindex(
        accuracy.index, fill_value=False
    )
    return [
        _of_starts(
            f"LO-non-entailment of every trained start, or its mean probability, lies between {FLOOR} and {CEILING}",
            grid.title(LO_NE),
            accuracy,
            room,
            sure=len(probability) == len(accuracy),
        ),
        _of_starts(
            f"every trained start tells entailed from other overlapping pairs: AUROC above {CHANCE}",
            grid.title(LO_AUROC),
            ability,
            ability > CHANCE,
        ),
        positive_control(grid),
    ]


def _known(models: pd.DataFrame, name: str) -> pd.Series:
    """A score of those models that have it."""
    return models[name].dropna() if name in models else pd.Series(dtype=float)


def _of_starts(what: str, title: str, values: pd.Series, passes: pd.Series, sure: bool = True) -> Gate:
    """A gate of every start; where what could still pass one is not known (not sure), none is said to fail."""
    if not len(values):
        return Gate(what, "not known", None)
    span = f"{title} from {values.min():.3f} to {values.max():.3f}"
    passed = True if passes.all() else False if sure else None
    return Gate(what, f"{int(passes.sum())} of {len(passes)} starts; {span}", passed)


def positive_control(grid: Grid) -> Gate:
    """Biased synthetic data lower the probability (without it, the accuracy) of LO-non-entailment."""
    pairs = same_cells(grid, SYNTHETIC, BIASED) if len(grid.models) else []
    readings = [read(grid, metric, "synthetic - biased synthetic", pairs, ABOVE_ZERO) for metric in (P_LO_NE, LO_NE)]
    known = [reading for reading in readings if reading.estimate is not None]
    return Gate(
        "biased synthetic data significantly lower LO-non-entailment, compared with synthetic data",
        reading_text(known[0]) if known else "not in this grid",
        known[0].verdict == SUPPORTED if known else None,
        of_starts=False,
    )
