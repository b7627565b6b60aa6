"""The claims as text: claims.md, and the tables that the page and the README show."""

import pandas as pd

from blindspots.artifacts.markdown import inline
from blindspots.report import claims as rules
from blindspots.report.claims import Claim
from blindspots.report.contrasts import Reading
from blindspots.report.tables import markdown

PREFACE = f"""\
How the claims are judged. The rules were written before any further tuned model of this repository was scored; the
paper's own digitised points were known. Strong starts saw at least as many rows as the largest augmentation set
holds, weak starts saw fewer. Accuracies within {rules.MARGIN} of each other count as the same. Intervals are 95%,
except where a rule says that they are corrected. Over several seeds they resample seeds and test rows, and
hold for re-training on the same sets by one generator and for HANS's own subcases; "over subcases too" resamples
these as well and does not decide. From one seed they are t-intervals with a start as the
unit, and no verdict rests on fewer than six starts. Where LO-non-entailment lies below {rules.FLOOR} or above
{rules.CEILING}, the AUROC of entailed against non-entailed lexical-overlap rows decides, and both readings are shown.
"Seeds needed" would decide the reading with 80% power if the estimate were the truth: from the observed spread of
the paired difference, or, from one seed, seeds per arm for a single pair of cells from the spread of 100 re-runs of
one BERT (McCoy et al. 2020: sd .0024 on MNLI, .024 on HANS, .124 on LO-non-entailment).
It counts seeds alone: the part of an interval that comes from the test rows stays however many seeds there are."""

# So many readings are shown in a cell of a table.
FEW = 8


def readings_table(claim: Claim) -> pd.DataFrame:
    """A row per reading, the deciding ones first, all as text."""
    rows = [(True, reading) for reading in claim.deciding] + [(False, reading) for reading in claim.beside]
    table = pd.DataFrame([_row(reading, decides) for decides, reading in rows])
    return table.loc[:, (table != "").any()]


def _row(reading: Reading, decides: bool) -> dict[str, str]:
    return {
        "metric": reading.title,
        "estimand": reading.estimand,
        "estimate": "" if reading.estimate is None else f"{reading.estimate:+.3f}",
        "interval": _limits(reading.low, reading.high),
        "interval over": reading.basis,
        "over subcases too": _limits(reading.subcase_low, reading.subcase_high),
        "seeds": str(reading.n_seeds),
        "above 0": f"{reading.wins} of {reading.n}" if reading.n else "",
        "seeds needed": "" if reading.seeds_needed is None else f"{reading.seeds_needed:,}",
        "reading": reading.verdict,
        "decides": "yes" if decides else "no",
    }


def _limits(low: float | None, high: float | None) -> str:
    return "" if low is None else f"[{low:+.3f}, {high:+.3f}]"


def verdicts_markdown(claims: list[Claim]) -> str:
    """A row per claim, with the readings that decide it where they are no more than FEW."""
    rows = [
        {"claim": c.id, "statement": c.statement, "verdict": c.verdict, "decided by": _decided_by(c)} for c in claims
    ]
    return markdown(pd.DataFrame(rows))


def _decided_by(claim: Claim) -> str:
    """The deciding readings of a claim as one line."""
    known = [reading for reading in claim.deciding if reading.estimate is not None]
    if len(known) > FEW:
        return f"{len(known)} readings, see claims.md"
    return "; ".join(f"{r.title}, {r.estimand}: {r.estimate:+.3f} {_limits(r.low, r.high)}".strip() for r in known)


def claims_markdown(claims: list[Claim]) -> str:
    """claims.md: a table of the verdicts, then each claim with its rule, readings and notes."""
    parts = ["# The paper's claims", PREFACE, verdicts_markdown(claims)]
    for claim in claims:
        parts += [f"## {claim.id}: {claim.verdict}", inline(claim.statement), f"Rule: {inline(claim.rule)}"]
        if claim.deciding or claim.beside:
            parts.append(markdown(readings_table(claim)))
        parts.append("\n".join(f"- {inline(note)}" for note in claim.notes))
    return "\n\n".join(part.rstrip("\n") for part in parts if part) + "\n"
