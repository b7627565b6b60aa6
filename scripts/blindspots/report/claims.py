"""The paper's seven claims, C1 to C7, each with its estimands and the rule of its verdict.

- Strong starts saw at least as many rows as the largest augmentation set holds; weak starts saw fewer.
- Accuracies within MARGIN of each other count as the same.
- A claim is supported where all its deciding readings are, contradicted where one is, else undecided. One reading is
  enough to contradict, so that these p values are corrected for the number of readings (Holm); all must support,
  which needs no correction. Beside it stands the claim's p, corrected for the number of claims.
- Over several generators a claim about synthetic data is one about generators. From one it holds for that generator
  only, and the verdict says so.
- From one replicate the unit is the start (see `contrasts.read`): cells of a start share it and sizes are nested.
- Where a mean LO-non-entailment accuracy of a reading lies below FLOOR or above CEILING, the reading from the mean
  probability of the right class decides in its place, and both are shown.
- Claims on HANS need the gates of the starts (`gates.gates`), C5 also that biased data lower LO-non-entailment: where
  a start could show nothing, or no harm was seen where there must be some, they are uninterpretable.

Source of the claims: Zhang & Pavlick (2025), sections 4 and 5.
"""

import pandas as pd

from blindspots.config.paths import PAPER_POINTS
from blindspots.data.heuristics import WORD_RULES
from blindspots.data.kinds import BIASED, ORIGINAL, SYNTHETIC
from blindspots.evaluation.statistics import holm
from blindspots.report.collect import (
    HANS,
    LO_AUROC,
    LO_CRITERION,
    LO_E,
    LO_NE,
    MNLI,
    P_LO_E,
    P_LO_NE,
    PAPER_METRICS,
    START,
    Grid,
)
from blindspots.report.contrasts import (
    ABOVE_ZERO,
    ALPHA,
    CONTRADICTED,
    SUPPORTED,
    UNDECIDED,
    Pair,
    Place,
    Reading,
    Rule,
    below,
    not_below,
    read,
    same_cells,
    verdict_of,
    within,
)
from blindspots.report.gates import CEILING, FLOOR, at_an_end, gates
from blindspots.report.overlap import SLIGHTLY, overlap_readings
from blindspots.report.points import read_points
from blindspots.report.verdicts import UNINTERPRETABLE, Claim, judged

MARGIN = 0.02
BOTH_SIDES = (LO_E, P_LO_NE, P_LO_E, LO_AUROC, LO_CRITERION)


def claims(grid: Grid, table1: pd.DataFrame | None) -> list[Claim]:
    """All seven claims, judged. `table1` is that of `table1.table1`, None where it was not made."""
    on_hans = [up_with_down(grid), drop_at_largest(grid), original_above(grid), biased_is_worst(grid)]
    not_passed = [gate for gate in gates(grid) if gate.passed is False]
    for claim in on_hans:
        failed = [gate for gate in not_passed if gate.of_starts or claim.id == "C5"]
        if failed and claim.p is not None:
            seen = "; ".join(f"{gate.what} ({gate.seen})" for gate in failed)
            claim.notes.insert(0, f"By its readings alone it would be {claim.verdict}; not passed: {seen}.")
            claim.verdict, claim.p = UNINTERPRETABLE, None
    made = [weak_starts_gain(grid), strong_starts_do_not(grid), *on_hans, overlap_in_synthetic(table1)]
    known = [claim for claim in made if claim.p is not None]
    for claim, p in zip(known, holm([claim.p for claim in known])):
        claim.p_holm = p
    return made


def weak_and_strong(grid: Grid) -> tuple[list[int], list[int]]:
    """Starts below the largest augmentation size, and the others."""
    if not len(grid.models) or not grid.axis("size"):
        return [], []
    largest = grid.axis("size")[-1]
    return [s for s in grid.axis("start") if s < largest], [s for s in grid.axis("start") if s >= largest]


def weak_starts_gain(grid: Grid) -> Claim:
    """C1."""
    weak, _ = weak_and_strong(grid)
    gain = read(grid, MNLI, "synthetic - start", same_cells(grid, SYNTHETIC, START, weak), ABOVE_ZERO)
    rule = (
        f"Over the weak starts, MNLI matched rises from the start to synthetic (significantly above 0) and the mean "
        f"of synthetic - original lies within ±{MARGIN} (two one-sided tests). Contradicted where it falls or the "
        "difference is significantly larger."
    )
    statement = "Weak starts gain on MNLI matched from synthetic data about as much as from original data."
    notes = _named("Weak starts", weak)
    if PAPER_POINTS.is_file():
        paper = _as_much(read_points(PAPER_POINTS)).estimate
        notes.append(f"The margin lies where the paper's own difference lies ({paper:+.3f}): it decides this claim.")
    return judged(Claim("C1", statement, rule, [gain, _as_much(grid)], notes=notes))


def _as_much(grid: Grid) -> Reading:
    pairs = same_cells(grid, SYNTHETIC, ORIGINAL, weak_and_strong(grid)[0])
    return read(grid, MNLI, "synthetic - original", pairs, within(MARGIN))


def strong_starts_do_not(grid: Grid) -> Claim:
    """C2."""
    _, strong = weak_and_strong(grid)
    readings = [
        read(grid, MNLI, f"{kind} - start", same_cells(grid, kind, START, strong), below(MARGIN))
        for kind in (ORIGINAL, SYNTHETIC)
    ]
    rule = (
        f"Over the strong starts, the mean gain on MNLI matched lies significantly below {MARGIN} for original and "
        "for synthetic; contradicted where one lies significantly above."
    )
    statement = "Strong starts gain on MNLI matched from neither original nor synthetic data."
    return judged(Claim("C2", statement, rule, readings, notes=_named("Strong starts", strong)))


def up_with_down(grid: Grid) -> Claim:
    """C3."""
    starts = grid.axis("start") if len(grid.models) else []
    rule = (
        "A start shows the pattern where, of synthetic - start, MNLI matched lies significantly above 0 and HANS "
        f"significantly below (intervals corrected for {len(starts)} starts x 2). Supported where exactly one start "
        "shows it, 20,000 if the grid has that start, and no other can (MNLI matched significantly below 0 or HANS "
        "significantly above); contradicted where two or more show it, where none can, or where only another start "
        "than 20,000 can."
    )
    statement = "Synthetic data raises MNLI matched while it lowers HANS only at the start of 20K rows."
    claim = Claim("C3", statement, rule, [])
    if len(starts) == 1:
        claim.notes = ["The grid has one start: it cannot show that only one of several has the pattern."]
        return claim
    tests = 2 * max(1, len(starts))
    for start in starts:
        pairs, estimand = same_cells(grid, SYNTHETIC, START, [start]), f"start {start:,}: synthetic - start"
        claim.deciding += [
            read(grid, metric, estimand, pairs, ABOVE_ZERO, level=1 - ALPHA / tests) for metric in (MNLI, HANS)
        ]
    claim.verdict = _pattern(starts, claim.deciding, ALPHA / tests)
    if starts:
        claim.p = _pattern_p(starts, claim.deciding, claim.verdict)
    seen = [
        f"{start:,}"
        for start, mnli, hans in zip(starts, claim.deciding[::2], claim.deciding[1::2])
        if mnli.estimate is not None and hans.estimate is not None and mnli.estimate > 0 > hans.estimate
    ]
    claim.notes = [f"By the estimates alone, MNLI up with HANS down is seen at: {', '.join(seen) or 'no start'}."]
    return claim


def _pattern(starts: list[int], readings: list[Reading], alpha: float) -> str:
    """The verdict of C3 from MNLI and HANS of each start, each judged at alpha."""
    judged = [verdict_of(reading.p_supported, reading.p_contradicted, alpha) for reading in readings]
    by_start = dict(zip(starts, zip(judged[::2], judged[1::2])))
    shows = [start for start, both in by_start.items() if both == (SUPPORTED, CONTRADICTED)]
    possible = [start for start, (mnli, hans) in by_start.items() if mnli != CONTRADICTED and hans != SUPPORTED]
    expected = [20_000] if 20_000 in starts else starts
    if len(shows) > 1 or (starts and not set(possible) & set(expected)):
        return CONTRADICTED
    return SUPPORTED if len(shows) == 1 and possible == shows and shows[0] in expected else UNDECIDED


def _pattern_p(starts: list[int], readings: list[Reading], verdict: str) -> float:
    """The least level at which the pattern leads to a verdict, corrected for the number of readings."""
    levels = sorted(2 * p for reading in readings for p in (reading.p_supported, reading.p_contradicted))
    found = [level for level in levels if _pattern(starts, readings, level) == verdict != UNDECIDED]
    return min(1.0, len(readings) * found[0]) if found else 1.0


def drop_at_largest(grid: Grid) -> Claim:
    """C4."""
    sizes = grid.axis("size") if len(grid.models) else []
    rule = (
        "At the largest start, HANS after synthetic data of the middle size lies significantly below that of the "
        "smallest and below that of the largest size; contradicted where it lies significantly above one of them."
    )
    claim = Claim(
        "C4", "At the start of 392K rows HANS falls and rises again with the size of synthetic data.", rule, []
    )
    if len(sizes) < 3:
        claim.notes = ["The grid has fewer than three sizes: it cannot show a fall and a rise."]
        return claim
    start, middle = grid.axis("start")[-1], sizes[len(sizes) // 2]
    for other in (sizes[0], sizes[-1]):
        pairs = [Pair(start, Place(SYNTHETIC, other), Place(SYNTHETIC, middle))]
        estimand = f"start {start:,}: synthetic {other:,} - synthetic {middle:,}"
        claim.deciding.append(read(grid, HANS, estimand, pairs, ABOVE_ZERO))
    return judged(claim)


def original_above(grid: Grid) -> Claim:
    """C5."""
    pairs, estimand = same_cells(grid, ORIGINAL, SYNTHETIC), "original - synthetic"
    claim = Claim(
        "C5",
        "Original data leaves HANS at least as high as synthetic data does.",
        (
            f"Over all starts and sizes, original - synthetic on HANS lies significantly above -{MARGIN} "
            "(non-inferiority); contradicted where it lies significantly below. Whether it lies above 0 (superiority) "
            "is a test of its own, which stands beside."
        ),
        [read(grid, HANS, f"{estimand}, against -{MARGIN}", pairs, not_below(MARGIN))],
    )
    beside = [read(grid, metric, estimand, pairs, ABOVE_ZERO) for metric in (HANS, MNLI, LO_NE, *BOTH_SIDES)]
    claim.beside = [reading for reading in beside if reading.estimate is not None]
    claim.notes = [_signs(reading) for reading in claim.beside if reading.metric in PAPER_METRICS]
    return judged(claim)


def biased_is_worst(grid: Grid) -> Claim:
    """C6."""
    claim = Claim(
        "C6",
        "Biased synthetic data is the worst nearly everywhere; LO-non-entailment falls toward 0.",
        (
            "Over all starts and sizes, original - biased and synthetic - biased lie significantly above 0 on all "
            "three metrics, and LO-non-entailment after biased data is significantly lower at the largest than at the "
            "smallest size."
        ),
        [],
    )
    for metric in PAPER_METRICS:
        for kind in (ORIGINAL, SYNTHETIC):
            pairs, estimand = same_cells(grid, kind, BIASED), f"{kind} - biased synthetic"
            _add(claim, grid, read(grid, metric, estimand, pairs, ABOVE_ZERO), pairs, ABOVE_ZERO)
    sizes = grid.axis("size") if len(grid.models) else []
    if len(sizes) > 1:
        pairs = [Pair(start, Place(BIASED, sizes[0]), Place(BIASED, sizes[-1])) for start in grid.axis("start")]
        estimand = f"biased synthetic {sizes[0]:,} - biased synthetic {sizes[-1]:,}"
        _add(claim, grid, read(grid, LO_NE, estimand, pairs, ABOVE_ZERO), pairs, ABOVE_ZERO)
    for kind in (ORIGINAL, SYNTHETIC):
        pairs, estimand = same_cells(grid, kind, BIASED), f"{kind} - biased synthetic"
        beside = [read(grid, metric, estimand, pairs, ABOVE_ZERO) for metric in BOTH_SIDES]
        claim.beside += [reading for reading in beside if reading.estimate is not None]
    claim.notes += [_worst_share(grid)]
    return judged(claim)


def _add(claim: Claim, grid: Grid, reading: Reading, pairs: list[Pair], rule: Rule) -> None:
    """Add a reading; where LO-non-entailment sits at its floor or ceiling its mean probability decides instead."""
    if reading.metric == LO_NE and at_an_end(reading):
        estimand = f"{reading.estimand} (an accuracy lies below {FLOOR} or above {CEILING})"
        decides = read(grid, P_LO_NE, estimand, pairs, rule)
        if decides.estimate is not None:
            claim.beside.append(reading)
            reading = decides
    claim.deciding.append(reading)


def overlap_in_synthetic(table1: pd.DataFrame | None) -> Claim:
    """C7, from Table 1 by the raw rule of words, as published; the stripped rule stands beside."""
    claim = Claim(
        "C7",
        "Lexical overlap is more frequent in synthetic data; its tie to entailment is only slightly stronger.",
        (
            "The ratio of the rates of lexical overlap, synthetic to original, lies significantly above 1 for all "
            "labels together, and of the overlapping pairs the share that is entailed is significantly higher in "
            f"synthetic data, by significantly less than {SLIGHTLY}. Labels of synthetic data are weighted by their "
            "shares in the original. Words raw, as published; by words stripped of punctuation beside."
        ),
        [],
    )
    if table1 is None:
        claim.notes = ["Table 1 was not made: name original and synthetic."]
        return claim
    claim.deciding, claim.beside = (overlap_readings(table1, rule) for rule in WORD_RULES)
    if not claim.beside:
        claim.notes = ["Counts by the stripped rule were not given."]
    return judged(claim)


def _named(what: str, starts: list[int]) -> list[str]:
    return [f"{what}: {', '.join(f'{start:,}' for start in starts) or 'none in this grid'}."]


def _signs(reading: Reading) -> str:
    """How many pairs have the first above the second, and what a sign test makes of it."""
    cells = "cells" if reading.n == reading.n_pairs else f"(cells x {reading.n // reading.n_pairs} replicates)"
    return (
        f"{reading.title}: {reading.estimand} is above 0 in {reading.wins} of {reading.n} {cells}, "
        f"mean {reading.estimate:+.3f}. Sign test with a start as the unit ({reading.n_starts}): p = "
        f"{reading.starts_p:.2g}."
    )


def _worst_share(grid: Grid) -> str:
    """In how many places (start, size, replicate, metric) biased synthetic data is the lowest of the three kinds."""
    models = grid.models[grid.models["kind"] != START]
    worst = total = 0
    for metric in PAPER_METRICS:
        table = models.pivot_table(index=["start", "size", "seed"], columns="kind", values=metric, observed=True)
        if set(table) >= {ORIGINAL, SYNTHETIC, BIASED}:
            table = table[[ORIGINAL, SYNTHETIC, BIASED]].dropna()
            worst += int((table[BIASED] < table[[ORIGINAL, SYNTHETIC]].min(axis=1)).sum())
            total += len(table)
    return (
        f"Biased synthetic data is the lowest of the three kinds in {worst} of {total} cells x metrics x replicates."
    )
