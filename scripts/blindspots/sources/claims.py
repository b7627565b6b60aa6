"""The claims of Das et al. (2024): as published, by their own method on the data at hand, and corrected."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from blindspots.audit.findings import Section
from blindspots.evaluation.statistics import Interval

SUPPORTED, CONTRADICTED, UNDECIDED = "supported", "contradicted", "undecided"


@dataclass(frozen=True)
class Claim:
    """A claim about these data, shown twice.

    published: the paper's own number, None where it gives none. published_as: its name in a recipe's `published`.
    repeated: the same number by the paper's method on these data. repeated_as: what it is.
    corrected: what decides, None where nothing here can. corrected_as: what it is; the claim says it is
        positive (sign 1) or negative (sign -1).
    needed: another interval that must lie on the same side for the claim to be supported, None where none must.
    moved_by: why the two differ, or why nothing can be decided.
    """

    statement: str
    published: float | None
    published_as: str
    repeated: Interval | None
    repeated_as: str
    corrected: Interval | None
    corrected_as: str
    sign: int
    moved_by: str
    unit: str = "share"
    needed: Interval | None = None

    @property
    def verdict(self) -> str:
        """Supported or contradicted where the whole interval lies on one side of 0, else undecided."""
        if self.corrected is None:
            return UNDECIDED
        low, high = self._along(self.corrected)
        if low > 0 and (self.needed is None or self._along(self.needed)[0] > 0):
            return SUPPORTED
        return CONTRADICTED if high < 0 else UNDECIDED

    def _along(self, interval: Interval) -> list[float]:
        """The limits of an interval in the direction of the claim."""
        return sorted((self.sign * interval.low, self.sign * interval.high))

    def record(self) -> dict[str, Any]:
        """As comparison.json holds it."""
        intervals = {name: getattr(self, name) for name in ("repeated", "corrected", "needed")}
        shown = {name: None if one is None else one._asdict() for name, one in intervals.items()}
        return {**vars(self), **shown, "verdict": self.verdict}


class Questions(NamedTuple):
    """What a comparison asks: sections by name, and the claims that their findings decide."""

    sections: dict[str, Callable[[], Section]]
    claims: Callable[[], Iterable[Claim]]
