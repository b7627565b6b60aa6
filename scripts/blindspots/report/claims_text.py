"""The claims as text: claims.md, and the tables that the page and the README show."""

import pandas as pd

from blindspots.artifacts.markdown import inline
from blindspots.report import claims as rules
from blindspots.report.contrasts import CONTRADICTED, SUPPORTED, Reading
from blindspots.report.gates import CEILING, FLOOR, Gate
from blindspots.report.overlap import OVERLAP
from blindspots.report.tables import limits, markdown, reading_text
from blindspots.report.verdicts import Claim

PREFACE = f"""\
How the claims are judged. Strong starts saw at least as many rows as the largest augmentation set holds, weak starts
saw fewer. Accuracies within {rules.MARGIN} of each other count as the same. Intervals are 95%, except where a rule
says that they are corrected. They let vary what "interval over" names and say nothing of what "shared" names. A claim
about synthetic data is one about generators, and is decided over generators where there are several; "these
generators" is the interval over replicates for these alone. With one generator it holds for that generator only.
HANS's subcases are taken as they are; "over subcases too" lets them vary and does not decide. From one replicate the
intervals are t-intervals with a start as the unit, and no verdict rests on fewer than six starts. A claim is supported
where all its deciding readings are. One reading is enough to contradict it, so that contradictions are corrected for
the number of readings (Holm); p is that of the claim, and beside it corrected for the number of claims. Where
LO-non-entailment lies below {FLOOR} or above {CEILING}, the mean probability of the right class decides, and both
readings are shown. A lower accuracy on one side of lexical overlap with a higher one on the other is a shift of
threshold: criterion below 0 means quick to say entailment, AUROC .5 no ability to tell the two apart. "Needed" would
decide the reading with 80% power if the estimate were the truth: from the observed spread of the paired difference
over units, or, from one replicate, seeds per arm for a single pair of cells from the spread of 100 re-runs of one BERT
(McCoy et al. 2020: sd .0024 on MNLI, .024 on HANS, .124 on LO-non-entailment). It counts units alone: the part of an
interval that comes from the test rows stays however many there are. Coverage of the intervals, false verdicts and
power by simulation: make statistics."""

GATES = "What the grid must show before a difference on HANS means anything (C3 to C6; the last for C5 alone):"
# So many readings are shown in a cell of a table.
FEW = 8


def readings_table(claim: Claim) -> pd.DataFrame:
    """A row per reading, the deciding ones first, all as text."""
    rows = [(True, reading) for reading in claim.deciding] + [(False, reading) for reading in claim.beside]
    table = pd.DataFrame([_row(reading, decides) for decides, reading in rows])
    return table.loc[:, (table != "").any()]


def _row(reading: Reading, decides: bool) -> dict[str, str]:
    unit = reading.unit if reading.unit_sd is not None else "seeds"
    return {
        "metric": reading.title,
        "estimand": reading.estimand,
        "estimate": "" if reading.estimate is None else f"{reading.estimate:+.3f}",
        "interval": limits(reading.low, reading.high),
        "reading": reading.verdict if decides or reading.metric == OVERLAP else sign(reading),
        "decides": "yes" if decides else "no",
        "interval over": over(reading),
        "shared": reading.shared,
        "these generators": limits(reading.within_low, reading.within_high),
        "over subcases too": limits(reading.subcase_low, reading.subcase_high),
        "above 0": f"{reading.wins} of {reading.n}" if reading.n else "",
        "needed": "" if reading.needed is None else f"{reading.needed:,} {unit}",
    }


def sign(reading: Reading) -> str:
    """On which side of 0 a reading that decides nothing lies significantly, empty for neither."""
    return {SUPPORTED: "above 0", CONTRADICTED: "below 0"}.get(reading.verdict, "")


def over(reading: Reading) -> str:
    """What an interval lets vary, with the number of units where it is over units."""
    of_units = reading.unit_sd is not None
    return f"{reading.units} {reading.basis}" if of_units else reading.basis


def verdicts_markdown(claims: list[Claim]) -> str:
    """A row per claim, with the readings that decide it where they are no more than FEW."""
    rows = [
        {"claim": c.id, "statement": c.statement, "verdict": c.shown_verdict}
        | {"p": _p(c.p), "p, all claims": _p(c.p_holm), "decided by": _decided_by(c)}
        for c in claims
    ]
    return markdown(pd.DataFrame(rows))


def _p(p: float | None) -> str:
    return "" if p is None else "< .001" if p < 0.001 else f"{p:.3f}".removeprefix("0")


def gates_markdown(gates: list[Gate]) -> str:
    """A row per gate."""
    met = {True: "passed", False: "not passed", None: "not known"}
    return markdown(pd.DataFrame([{"gate": g.what, "seen": g.seen, "": met[g.passed]} for g in gates]))


def _decided_by(claim: Claim) -> str:
    """The deciding readings of a claim as one line."""
    known = [reading for reading in claim.deciding if reading.estimate is not None]
    if len(known) > FEW:
        return f"{len(known)} readings, see claims.md"
    return "; ".join(reading_text(reading) for reading in known)


def claims_markdown(claims: list[Claim], gates: list[Gate]) -> str:
    """claims.md: a table of the verdicts and the gates, then each claim with its rule, readings and notes."""
    parts = ["# The paper's claims", PREFACE, verdicts_markdown(claims)]
    parts += [GATES, gates_markdown(gates)]
    for claim in claims:
        parts += [f"## {claim.id}: {claim.shown_verdict}", inline(claim.statement), f"Rule: {inline(claim.rule)}"]
        if claim.deciding or claim.beside:
            parts.append(markdown(readings_table(claim)))
        parts.append("\n".join(f"- {inline(note)}" for note in claim.notes))
    return "\n\n".join(part.rstrip("\n") for part in parts if part) + "\n"
