"""Sections that come from the counts of all rows: rows, labels, heuristics, lengths, overlap, malformed rows."""

import numpy as np
from scipy.spatial.distance import jensenshannon
from scipy.stats import chi2_contingency
from scipy.stats.contingency import association

from blindspots.audit.findings import Finding, NotComputedError, Section, in_order, mean, rate_ratio, share
from blindspots.audit.malformed import RULES
from blindspots.audit.render import SHARES_DIFFER
from blindspots.audit.rows import ALL_LABELS, PROBLEMS
from blindspots.audit.tally import ALL, HYPOTHESIS, OVERLAP, PREMISE, Tally
from blindspots.data.heuristics import LEXICAL_OVERLAP, SUBSEQUENCE, SUBSTRING, WORD_RULES
from blindspots.evaluation.statistics import Interval

RESAMPLES = 2_000
# A label's share that differs by more than this from the reference's is pointed out.
SHARE_MARGIN = 0.05


def label_balance(counts: Tally, reference: Tally, seed: int) -> Section:
    """Share of each label, and the drift from the reference: chi-square, Cramér's V and Jensen-Shannon divergence.

    The intervals of the last two are percentiles over resampled counts. Raises NotComputedError without labels.
    """
    section = Section(
        "Share of each label among the labelled rows (Wilson interval; difference by Newcombe's method). Drift: "
        "chi-square test of the two label counts, Cramér's V, and the Jensen-Shannon divergence in bits (0: equal, "
        f"1: disjoint), with percentile intervals of {RESAMPLES:,} multinomial resamples, widened to the estimate; "
        "chance alone keeps both above 0."
    )
    labels = counts.require_labels()
    n = sum(counts.labels.values())
    try:
        compared = comparable_labels(counts, reference)
    except NotComputedError as why:
        section.notes.append(f"Drift not computed: {why}.")
        section.findings = [share(label, counts.labels[label], n) for label in labels]
        return section
    other_n = sum(reference.labels.values())
    for label in compared:
        other = reference.labels.get(label, 0), other_n
        section.findings.append(share(label, counts.labels.get(label, 0), n, other))
    apart = max(abs(counts.labels.get(label, 0) / n - reference.labels.get(label, 0) / other_n) for label in compared)
    if apart > SHARE_MARGIN:
        section.notes.append(
            f"{SHARES_DIFFER}, by up to {100 * apart:.0f} points: numbers of all labels together, and the share that "
            "is entailed among overlapping rows, depend on that too. Read those by label, or set match_labels: true."
        )
    table = np.array([[tally.labels.get(label, 0) for label in compared] for tally in (counts, reference)])
    if len(compared) == 1:
        section.notes.append(f"Drift not computed: every label of both sets is {compared[0]}.")
        return section
    test = chi2_contingency(table, correction=False)
    section.details = {
        "chi_square": float(test.statistic),
        "degrees_of_freedom": int(test.dof),
        "p": float(test.pvalue),
    }
    section.notes.append(
        f"Chi-square {test.statistic:.1f} with {test.dof} degrees of freedom, p {_p(float(test.pvalue))}."
    )
    section.findings += drift(table, seed)
    if len(labels) == 1:
        section.notes.append(f"Every label of {counts.name} is {labels[0]}.")
    return section


def _p(p: float) -> str:
    return f"{p:.3f}" if p >= 0.001 else "< 0.001"


def drift(table: np.ndarray, seed: int) -> list[Finding]:
    """Cramér's V and Jensen-Shannon divergence of two rows of label counts, shape [2, labels], with intervals."""
    rng = np.random.default_rng(seed)
    drawn = np.stack([rng.multinomial(row.sum(), row / row.sum(), RESAMPLES) for row in table], axis=1)
    findings = []
    for what, measure in (("Cramér's V", cramers_v), ("Jensen-Shannon divergence", divergence)):
        low, high = np.quantile([measure(one) for one in drawn], [0.025, 0.975])
        value = measure(table)
        # Near 0 every resample may lie above the estimate.
        interval = Interval(value, min(float(low), value), max(float(high), value))
        findings.append(Finding(what, interval, int(table.sum())))
    return findings


def cramers_v(table: np.ndarray) -> float:
    """Of two rows of label counts; labels that neither has do not count."""
    table = table[:, table.sum(axis=0) > 0]
    return float(association(table, method="cramer")) if table.shape[1] > 1 else 0.0


def divergence(table: np.ndarray) -> float:
    """Jensen-Shannon divergence of two rows of counts, in bits."""
    return float(jensenshannon(*table, base=2) ** 2)


def comparable_labels(counts: Tally, reference: Tally) -> list[str]:
    """Labels of either set, in order. Raises NotComputedError where a set has none, or for a 2-way and a 3-way set."""
    both = counts.require_labels(), reference.require_labels()
    labels = in_order({*both[0], *both[1]}, ALL_LABELS)
    if "non-entailment" in labels and {"neutral", "contradiction"} & {*labels}:
        raise NotComputedError(
            f"{counts.name} is labelled {', '.join(both[0])}, {reference.name} {', '.join(both[1])}"
        )
    return labels


def heuristics(counts: Tally, reference: Tally) -> Section:
    """Table 1 of Zhang & Pavlick (2025): rate of each heuristic by label, and the ratio to the reference's (S:O)."""
    section = Section(
        "Share of rows whose hypothesis follows a heuristic of HANS (McCoy et al. 2019), by label; ratio to the "
        "reference's share (S:O in table 1 of Zhang & Pavlick 2025; interval from the Wilson limits of both). "
        "raw: words as published, `dogs.` is not `dogs`; stripped: punctuation around words removed. subsequence: "
        "of whole words; substring: as its published code has it, which may begin and end within a word.",
    )
    for rule in WORD_RULES:
        for heuristic in (LEXICAL_OVERLAP, SUBSEQUENCE, SUBSTRING):
            for label in (ALL, *counts.labels):
                what = f"{heuristic}, {rule}, {label}"
                pair = counts.heuristic(rule, heuristic, label), reference.heuristic(rule, heuristic, label)
                section.findings.append(rate_ratio(what, *pair[0], pair[1]))
            entailed = [
                (tally.heuristic(rule, heuristic, "entailment")[0], _labelled(tally, rule, heuristic))
                for tally in (counts, reference)
            ]
            if entailed[0][1]:
                section.findings.append(share(f"{heuristic}, {rule}: entailed among those", *entailed[0], entailed[1]))
    if not counts.labels or not reference.labels:
        section.notes.append("By label: only what both sets have; see the section on labels.")
    return section


def _labelled(counts: Tally, rule: str, heuristic: str) -> int:
    return sum(counts.heuristic(rule, heuristic, label)[0] for label in counts.labels)


def lengths(counts: Tally, reference: Tally) -> Section:
    """Words of premises and hypotheses, all and by label."""
    section = Section(
        "Mean number of words per text (white-space tokens, punctuation stripped; Welch's interval).", "words"
    )
    for text in (PREMISE, HYPOTHESIS):
        for label in (ALL, *counts.labels):
            pair = counts.moments(text, label), reference.moments(text, label)
            section.findings.append(mean(f"{text}, {label}", *pair))
    for text in (PREMISE, HYPOTHESIS):
        rows = [{"of": tally.name, **_quantiles(tally.histograms[text, ALL])} for tally in (counts, reference)]
        section.tables[f"words of the {text}, quantiles"] = rows
    return section


def _quantiles(histogram: np.ndarray) -> dict[str, int]:
    cumulative = np.cumsum(histogram)
    places = {"5%": 0.05, "25%": 0.25, "median": 0.5, "75%": 0.75, "95%": 0.95, "longest": 1.0}
    return {name: int(np.searchsorted(cumulative, place * cumulative[-1])) for name, place in places.items()}


def overlap(counts: Tally, reference: Tally) -> Section:
    """Share of the hypothesis' words that the premise has too."""
    section = Section(
        "Mean share of a hypothesis' words that are words of its premise (punctuation stripped; Welch's interval)."
    )
    for label in (ALL, *counts.labels):
        section.findings.append(mean(label, counts.moments(OVERLAP, label), reference.moments(OVERLAP, label)))
    return section


def malformed(counts: Tally, reference: Tally) -> Section:
    """Rows that can't be used, and usable rows that look broken; the reference's rate tells how much a sign says."""
    section = Section(
        "Share of all rows that are left out or go without a label, and of usable rows that show a sign of a fault. A "
        "sign is not proof: the reference's share is how often sound rows show it. "
        + "; ".join(f"{sign}: {meaning}" for sign, meaning in RULES.items())
        + "."
    )
    for problem in PROBLEMS:
        other = reference.problems[problem], reference.read
        section.findings.append(share(problem, counts.problems[problem], counts.read, other))
    for sign in RULES:
        other = reference.signs[sign], reference.usable
        section.findings.append(share(sign, counts.signs[sign], counts.usable, other))
    section.tables["examples"] = [
        {"sign": sign, **example} for sign in (*PROBLEMS, *RULES) for example in counts.examples.get(sign, [])
    ]
    return section
