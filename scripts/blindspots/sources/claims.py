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

    @property
    def verdict(self) -> str:
        """Supported or contradicted where the whole interval lies on one side of 0, else undecided."""
        if self.corrected is None:
            return UNDECIDED
        low, high = sorted((self.sign * self.corrected.low, self.sign * self.corrected.high))
        return SUPPORTED if low > 0 else CONTRADICTED if high < 0 else UNDECIDED

    def record(self) -> dict[str, Any]:
        """As comparison.json holds it."""
        intervals = {name: getattr(self, name) for name in ("repeated", "corrected")}
        shown = {name: None if one is None else one._asdict() for name, one in intervals.items()}
        return {**vars(self), **shown, "verdict": self.verdict}


class Questions(NamedTuple):
    """What a comparison asks: sections by name, and the claims that their findings decide."""

    sections: dict[str, Callable[[], Section]]
    claims: Callable[[], Iterable[Claim]]
