"""One pass over a dataset: everything that is counted on all rows, in memory that does not grow with them."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from blindspots.audit.findings import Moments, NotComputedError
from blindspots.audit.malformed import signs
from blindspots.audit.rows import ALL_LABELS, EMPTY, NOT_TEXT, UNKNOWN, Batch, Rows
from blindspots.config.errors import UserError
from blindspots.data.heuristics import count_heuristics, words
from blindspots.data.nli_datasets import NO_LABEL

ALL = "all"
PREMISE, HYPOTHESIS, OVERLAP = MEASURES = ("premise", "hypothesis", "overlap")
# Overlap, a share, is counted in steps of 1/OVERLAP_STEPS.
OVERLAP_STEPS = 1000
EXAMPLES = 3
SHOWN = 160


@dataclass
class Tally:
    """Counts of one dataset.

    read, usable: rows, and rows with two texts. problems: rows by PROBLEMS. labels: rows by label name, in the order
    of ALL_LABELS. signs: rows by malformed.RULES. examples: rows by problem or sign. unknown: unknown labels.
    histograms: by (MEASURES, label or ALL), rows with each number of words, or of overlap in steps: shape [bins].
    heuristics: frame of `count_heuristics`, with NO_LABEL for rows without label.
    """

    name: str
    why_unlabelled: str | None = None
    read: int = 0
    usable: int = 0
    problems: Counter = field(default_factory=Counter)
    labels: dict[str, int] = field(default_factory=dict)
    signs: Counter = field(default_factory=Counter)
    examples: dict[str, list[dict]] = field(default_factory=lambda: defaultdict(list))
    unknown: Counter = field(default_factory=Counter)
    histograms: dict[tuple[str, str], np.ndarray] = field(default_factory=dict)
    heuristics: pd.DataFrame | None = None

    def require_labels(self, several: bool = False) -> list[str]:
        """Labels that occur. Raises NotComputedError where there is none, or only one and `several` are needed."""
        if self.why_unlabelled:
            raise NotComputedError(f"{self.name} has no usable labels: {self.why_unlabelled}")
        if not self.labels:
            seen = ", ".join(f"{value} ({count:,})" for value, count in self.unknown.most_common(5)) or "none"
            raise NotComputedError(
                f"no row of {self.name} has a label that is known; its labels are {seen}. Map them with label_names"
            )
        if several and len(self.labels) == 1:
            raise NotComputedError(f"every label of {self.name} is {next(iter(self.labels))}; two classes are needed")
        return list(self.labels)

    def moments(self, measure: str, label: str = ALL) -> Moments:
        """Mean and spread of a measure: words, or for OVERLAP a share."""
        counts = self.histograms.get((measure, label), np.zeros(1, dtype=int))
        return Moments.of_counts(np.arange(counts.size) / (OVERLAP_STEPS if measure == OVERLAP else 1), counts)

    def heuristic(self, rule: str, heuristic: str, label: str = ALL) -> tuple[int, int]:
        """Rows that follow a heuristic, and rows, of a label or of all."""
        part = self.heuristics.loc[(rule, heuristic)]
        row = part.sum() if label == ALL else part.loc[label] if label in part.index else {"count": 0, "n": 0}
        return int(row["count"]), int(row["n"])


def tally(rows: Rows) -> Tally:
    """Count a dataset in one pass.

    Raises UserError where no row has two texts; the message says what the rows hold instead.
    """
    counts = Tally(rows.name, rows.why_unlabelled)
    labels: Counter = Counter()
    for batch in rows.batches(f"{rows.name}: counts"):
        counts.read += len(batch) + sum(reason in (EMPTY, NOT_TEXT) for _, reason, _ in batch.problems)
        counts.usable += len(batch)
        labels.update(batch.labels)
        _add_problems(counts, batch)
        if len(batch):
            _add_texts(counts, batch)
            more = count_heuristics(batch.premises, batch.hypotheses, batch.labels)
            counts.heuristics = more if counts.heuristics is None else counts.heuristics.add(more, fill_value=0)
    if not counts.usable:
        why = "not text" if counts.problems[NOT_TEXT] else "empty"
        raise UserError(
            f"{rows.name}: none of the {counts.read:,} rows has a premise and a hypothesis; the columns "
            f"{rows.columns.premise} and {rows.columns.hypothesis} are {why}. Name others with premise_column and "
            "hypothesis_column."
        )
    counts.labels = {label: labels[label] for label in ALL_LABELS if labels[label]}
    return counts


def _add_problems(counts: Tally, batch: Batch) -> None:
    for number, reason, value in batch.problems:
        counts.problems[reason] += 1
        if reason == UNKNOWN:
            counts.unknown[value] += 1
        _add_example(counts, reason, number, value)


def _add_example(counts: Tally, reason: str, number: int, *texts: str) -> None:
    if len(counts.examples[reason]) < EXAMPLES:
        shown = " / ".join(" ".join(text.split()) for text in texts)
        counts.examples[reason].append({"row": number, "text": shown[:SHOWN] + ("…" if len(shown) > SHOWN else "")})


def _add_texts(counts: Tally, batch: Batch) -> None:
    """Words, overlap and signs of malformed rows, from one splitting of each text."""
    measures = np.empty((len(MEASURES), len(batch)), dtype=np.int64)
    for row, (premise, hypothesis) in enumerate(zip(batch.premises, batch.hypotheses)):
        of_premise, of_hypothesis = words(premise, strip_punctuation=True), words(hypothesis, strip_punctuation=True)
        there = set(of_premise)
        shared = sum(word in there for word in of_hypothesis)
        overlap = round(OVERLAP_STEPS * shared / len(of_hypothesis)) if of_hypothesis else 0
        measures[:, row] = len(of_premise), len(of_hypothesis), overlap
        for sign in signs(premise, hypothesis, of_premise == of_hypothesis):
            counts.signs[sign] += 1
            _add_example(counts, sign, batch.numbers[row], premise, hypothesis)
    labels = np.array(batch.labels)
    parts = [(ALL, slice(None))] + [(label, labels == label) for label in set(batch.labels) - {NO_LABEL}]
    for measure, values in zip(MEASURES, measures):
        for label, part in parts:
            counts.histograms[measure, label] = _added(counts.histograms.get((measure, label)), values[part])


def _added(histogram: np.ndarray | None, values: np.ndarray) -> np.ndarray:
    """A histogram with more values, as long as the largest needs."""
    more = np.bincount(values, minlength=0 if histogram is None else histogram.size)
    if histogram is not None:
        more[: histogram.size] += histogram
    return more
