"""The paper's seven claims, C1 to C7, each with its estimands and the rule of its verdict.

The rules below were written before any further tuned model of this repository was scored; the paper's own digitised
points were known. A claim is supported where all its deciding readings are, contradicted where one is, else undecided.

- Strong starts saw at least as many rows as the largest augmentation set holds; weak starts saw fewer.
- Accuracies within MARGIN of each other count as the same.
- Over several seeds an interval holds for re-training on the same sets by one generator, not for other generators.
- From one seed the unit is the start (see `contrasts.read`): cells of a start share it, sizes are nested, and all
  synthetic cells come from one generator, so the cells are not independent and their number is only described.
- Where a mean LO-non-entailment accuracy of a reading lies below FLOOR or above CEILING, the reading from the AUROC of
  entailed against non-entailed lexical-overlap rows decides in its place, and both are shown.

Source of the claims: Zhang & Pavlick (2025), sections 4 and 5.
"""

from dataclasses import dataclass, field

import pandas as pd
from statsmodels.stats.proportion import confint_proportions_2indep

from blindspots.data.kinds import BIASED, ORIGINAL, SYNTHETIC
from blindspots.report.collect import HANS, LO_NE, MNLI, PAPER_METRICS, START, Grid
from blindspots.report.contrasts import (
    ABOVE_ZERO,
    ALPHA,
    CONTRADICTED,
    LEXICAL_AUROC,
    SUPPORTED,
    UNDECIDED,
    Pair,
    Place,
    Reading,
    Rule,
    below,
    read,
    same_cells,
    within,
)

MARGIN = 0.02
FLOOR, CEILING = 0.05, 0.95
# C7: "only slightly" stronger, in the share of lexical-overlap pairs that are entailed.
SLIGHTLY = 0.05


@dataclass
class Claim:
    """A claim with its rule in words, the readings that decide it, and those that only stand beside it."""

    id: str
    statement: str
    rule: str
    deciding: list[Reading]
    beside: list[Reading] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    verdict: str = UNDECIDED


def combined(readings: list[Reading]) -> str:
    """Supported where all are, contradicted where one is, else undecided; undecided without readings."""
    verdicts = {reading.verdict for reading in readings}
    return CONTRADICTED if CONTRADICTED in verdicts else SUPPORTED if verdicts == {SUPPORTED} else UNDECIDED


def claims(grid: Grid, table1: pd.DataFrame | None) -> list[Claim]:
    """All seven claims, judged. `table1` is that of `tables.table1`, None where it was not made."""
    made = [weak_starts_gain, strong_starts_do_not, up_with_down, drop_at_largest, original_above, biased_is_worst]
    judged = [make(grid) for make in made]
    return [*judged, overlap_in_synthetic(table1)]


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
    pairs = same_cells(grid, SYNTHETIC, ORIGINAL, weak)
    reading = read(grid, MNLI, "synthetic - original", pairs, within(MARGIN))
    rule = (
        f"Over the weak starts, MNLI matched rises from the start to synthetic (interval above 0) and the mean of "
        f"synthetic - original lies within ±{MARGIN}. Contradicted where it falls or the difference is surely larger."
    )
    statement = "Weak starts gain on MNLI matched from synthetic data about as much as from original data."
    return _judged(Claim("C1", statement, rule, [gain, reading], notes=_named("Weak starts", weak)))


def strong_starts_do_not(grid: Grid) -> Claim:
    """C2."""
    _, strong = weak_and_strong(grid)
    readings = []
    for kind in (ORIGINAL, SYNTHETIC):
        reading = read(grid, MNLI, f"{kind} - start", same_cells(grid, kind, START, strong), below(MARGIN))
        readings.append(reading)
    rule = (
        f"Over the strong starts, the mean gain on MNLI matched lies below {MARGIN} for original and for synthetic; "
        "contradicted where one lies surely above."
    )
    statement = "Strong starts gain on MNLI matched from neither original nor synthetic data."
    return _judged(Claim("C2", statement, rule, readings, notes=_named("Strong starts", strong)))


def up_with_down(grid: Grid) -> Claim:
    """C3."""
    starts = grid.axis("start") if len(grid.models) else []
    level = 1 - ALPHA / (2 * max(1, len(starts)))
    readings, shows, cannot = [], [], []
    for start in starts:
        pairs = same_cells(grid, SYNTHETIC, START, [start])
        both = [
            read(grid, m, f"start {start:,}: synthetic - start", pairs, ABOVE_ZERO, level=level) for m in (MNLI, HANS)
        ]
        readings += both
        if (both[0].verdict, both[1].verdict) == (SUPPORTED, CONTRADICTED):
            shows.append(start)
        if both[0].verdict == CONTRADICTED or both[1].verdict == SUPPORTED:
            cannot.append(start)
    rule = (
        "A start shows the pattern where, of synthetic - start, MNLI matched lies surely above 0 and HANS surely "
        f"below (intervals corrected for {len(starts)} starts x 2). Supported where exactly one start shows it, "
        "20,000 if the grid has that start, and every other surely does not; contradicted where two or more show it, "
        "where all surely do not, or where only another start than 20,000 can."
    )
    claim = Claim(
        "C3", "Synthetic data raises MNLI matched while it lowers HANS only at the start of 20K rows.", rule, readings
    )
    possible = [start for start in starts if start not in cannot]
    expected = [20_000] if 20_000 in starts else starts
    if len(shows) > 1 or (starts and not set(possible) & set(expected)):
        claim.verdict = CONTRADICTED
    elif len(shows) == 1 and possible == shows and shows[0] in expected:
        claim.verdict = SUPPORTED
    seen = [
        f"{start:,}"
        for start, mnli, hans in zip(starts, readings[::2], readings[1::2])
        if mnli.estimate is not None and hans.estimate is not None and mnli.estimate > 0 > hans.estimate
    ]
    claim.notes = [f"By the estimates alone, MNLI up with HANS down is seen at: {', '.join(seen) or 'no start'}."]
    return claim


def drop_at_largest(grid: Grid) -> Claim:
    """C4."""
    sizes = grid.axis("size") if len(grid.models) else []
    rule = (
        "At the largest start, HANS after synthetic data of the middle size lies surely below that of the smallest "
        "and below that of the largest size; contradicted where it surely lies above one of them."
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
    return _judged(claim)


def original_above(grid: Grid) -> Claim:
    """C5."""
    pairs = same_cells(grid, ORIGINAL, SYNTHETIC)
    hans, *beside = [read(grid, metric, "original - synthetic", pairs, ABOVE_ZERO) for metric in (HANS, MNLI, LO_NE)]
    rule = "Over all starts and sizes, the mean of original - synthetic on HANS lies surely above 0."
    claim = Claim("C5", "Original data leaves HANS at least as high as synthetic data does.", rule, [hans], beside)
    _, extra = at_bounds(grid, beside[1], pairs, ABOVE_ZERO)
    claim.beside += extra
    claim.notes = [_signs(reading) for reading in (hans, *claim.beside) if reading.estimate is not None]
    claim.notes.append(
        "The cells of a start share it, the sizes are nested and all synthetic sets come from one generator: cells "
        "are not independent, and with the generator as the unit there is one, and no test."
    )
    return _judged(claim)


def biased_is_worst(grid: Grid) -> Claim:
    """C6."""
    claim = Claim(
        "C6",
        "Biased synthetic data is the worst nearly everywhere; LO-non-entailment falls toward 0.",
        (
            "Over all starts and sizes, original - biased and synthetic - biased lie surely above 0 on all three "
            "metrics, and LO-non-entailment after biased data is surely lower at the largest than at the smallest "
            f"size, or at the largest size below {FLOOR}."
        ),
        [],
    )
    for metric in PAPER_METRICS:
        for kind in (ORIGINAL, SYNTHETIC):
            pairs = same_cells(grid, kind, BIASED)
            reading = read(grid, metric, f"{kind} - biased synthetic", pairs, ABOVE_ZERO)
            decides, extra = at_bounds(grid, reading, pairs, ABOVE_ZERO) if metric == LO_NE else (reading, [])
            claim.deciding.append(decides)
            claim.beside += [other for other in (reading, *extra) if other is not decides]
    sizes = grid.axis("size") if len(grid.models) else []
    if len(sizes) > 1:
        pairs = [Pair(start, Place(BIASED, sizes[0]), Place(BIASED, sizes[-1])) for start in grid.axis("start")]
        fall = read(grid, LO_NE, f"biased synthetic {sizes[0]:,} - biased synthetic {sizes[-1]:,}", pairs, ABOVE_ZERO)
        if fall.second_mean is not None and fall.second_mean < FLOOR and fall.n_seeds > 1:
            fall.verdict = SUPPORTED
            claim.notes.append(f"LO-non-entailment has arrived at {fall.second_mean:.3f} at the largest size.")
        claim.deciding.append(fall)
    claim.notes += [_worst_share(grid)]
    return _judged(claim)


def at_bounds(grid: Grid, reading: Reading, pairs: list[Pair], rule: Rule) -> tuple[Reading, list[Reading]]:
    """The reading that decides, and the one from the AUROC where an accuracy sits at its floor or ceiling."""
    means = [mean for mean in (reading.first_mean, reading.second_mean) if mean is not None]
    if not any(mean < FLOOR or mean > CEILING for mean in means):
        return reading, []
    estimand = f"{reading.estimand} (AUROC: an accuracy lies below {FLOOR} or above {CEILING})"
    scored = read(grid, LEXICAL_AUROC, estimand, pairs, rule)
    return (reading, []) if scored.estimate is None else (scored, [scored])


def overlap_in_synthetic(table1: pd.DataFrame | None) -> Claim:
    """C7, from Table 1 by the raw rule of words, as published."""
    claim = Claim(
        "C7",
        "Lexical overlap is more frequent in synthetic data; its tie to entailment is only slightly stronger.",
        (
            "The ratio of the rates of lexical overlap, synthetic to original, lies surely above 1 for all labels "
            "together, and of the overlapping pairs the share that is entailed is surely higher in synthetic data, by "
            f"surely less than {SLIGHTLY}."
        ),
        [],
    )
    claim.notes = ["One generator and one synthetic dataset: the intervals are over its rows, not over generators."]
    if table1 is None:
        claim.notes = ["Table 1 was not made: name original and synthetic."]
        return claim
    raw = table1[table1["words"] == "raw"].set_index("label")
    ratio = raw.loc["all"]
    more = ABOVE_ZERO.judge(ratio["low"] - 1, ratio["high"] - 1)
    claim.deciding.append(_counted("ratio of rates, synthetic : original", *ratio[["ratio", "low", "high"]], more))
    shares = [int(raw.loc[row, f"{side}_count"]) for side in (SYNTHETIC, ORIGINAL) for row in ("entailment", "all")]
    if shares[1] and shares[3]:
        low, high = confint_proportions_2indep(*shares, compare="diff", method="newcomb")
        slight = (
            CONTRADICTED if high < 0 or low > SLIGHTLY else SUPPORTED if low > 0 and high < SLIGHTLY else UNDECIDED
        )
        difference = shares[0] / shares[1] - shares[2] / shares[3]
        claim.deciding.append(_counted("entailed share of LO, synthetic - original", difference, low, high, slight))
    return _judged(claim)


def _counted(estimand: str, estimate: float, low: float, high: float, verdict: str) -> Reading:
    limits = {"estimate": float(estimate), "low": float(low), "high": float(high)}
    return Reading(
        "lexical_overlap", "lexical overlap", estimand, "rows of the two datasets", 1, **limits, verdict=verdict
    )


def _judged(claim: Claim) -> Claim:
    claim.verdict = combined(claim.deciding)
    return claim


def _named(what: str, starts: list[int]) -> list[str]:
    return [f"{what}: {', '.join(f'{start:,}' for start in starts) or 'none in this grid'}."]


def _signs(reading: Reading) -> str:
    """How many pairs have the first above the second, and what a sign test makes of it."""
    cells = "cells" if reading.n_seeds == 1 else f"(cells x {reading.n_seeds} seeds)"
    return (
        f"{reading.title}: {reading.estimand} is above 0 in {reading.wins} of {reading.n} {cells}, "
        f"mean {reading.estimate:+.3f}. Sign test with a start as the unit ({reading.n_starts}): p = "
        f"{reading.starts_p:.2g}."
    )


def _worst_share(grid: Grid) -> str:
    """In how many places (start, size, seed, metric) biased synthetic data is the lowest of the three kinds."""
    models = grid.models[grid.models["kind"] != START]
    worst = total = 0
    for metric in PAPER_METRICS:
        table = models.pivot_table(index=["start", "size", "seed"], columns="kind", values=metric, observed=True)
        if set(table) >= {ORIGINAL, SYNTHETIC, BIASED}:
            table = table[[ORIGINAL, SYNTHETIC, BIASED]].dropna()
            worst += int((table[BIASED] < table[[ORIGINAL, SYNTHETIC]].min(axis=1)).sum())
            total += len(table)
    return f"Biased synthetic data is the lowest of the three kinds in {worst} of {total} cells x metrics x seeds."
