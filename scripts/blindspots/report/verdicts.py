"""A claim and how its readings are combined to a verdict."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from blindspots.evaluation.statistics import holm
from blindspots.report.contrasts import ALPHA, CONTRADICTED, SUPPORTED, UNDECIDED, Reading

UNINTERPRETABLE = "uninterpretable"


@dataclass
class Claim:
    """A claim with its rule in words, the readings that decide it, and those that only stand beside it.

    p: two-sided, of the claim as a whole; p_holm: corrected for the number of claims. None without readings.
    """

    id: str
    statement: str
    rule: str
    deciding: list[Reading]
    beside: list[Reading] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    verdict: str = UNDECIDED
    p: float | None = None
    p_holm: float | None = None

    @property
    def shown_verdict(self) -> str:
        """The verdict, and for what it holds."""
        one_generator = any(reading.one_generator for reading in self.deciding)
        decided = self.verdict in (SUPPORTED, CONTRADICTED)
        return self.verdict + (" for this generator only" if decided and one_generator else "")


def read_claim(saved: Mapping[str, Any]) -> Claim:
    """A claim as `claims.json` has it."""
    readings = {part: [Reading(**reading) for reading in saved[part]] for part in ("deciding", "beside")}
    return Claim(**saved | readings)


def judged(claim: Claim) -> Claim:
    """Correct what contradicts the claim for the number of readings, and combine them."""
    known = [reading for reading in claim.deciding if reading.estimate is not None]
    corrected = holm([reading.p_contradicted for reading in known])
    for reading, p in zip(known, corrected):
        if reading.verdict == CONTRADICTED and p > ALPHA / 2:
            reading.verdict = UNDECIDED
    claim.verdict = combined(claim.deciding)
    if known:
        supported = max(reading.p_supported for reading in known) if len(known) == len(claim.deciding) else 1.0
        claim.p = min(1.0, 2 * min(supported, *corrected))
    return claim


def combined(readings: list[Reading]) -> str:
    """Supported where all are, contradicted where one is, else undecided; undecided without readings."""
    verdicts = {reading.verdict for reading in readings}
    return CONTRADICTED if CONTRADICTED in verdicts else SUPPORTED if verdicts == {SUPPORTED} else UNDECIDED
