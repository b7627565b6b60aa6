"""Rows of any NLI dataset, streamed from disk in batches, with other column and label names mapped to ours."""

import difflib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from datasets import ClassLabel, Dataset
from tqdm import tqdm

from blindspots.artifacts.inputs import Source
from blindspots.config.errors import UserError
from blindspots.data.nli import LABELS, NON_ENTAILMENT
from blindspots.data.nli_datasets import NO_LABEL, OTHER_COLUMNS, with_our_columns
from blindspots.data.reading import load_split

ALL_LABELS = (*LABELS, NON_ENTAILMENT)
BATCH_ROWS = 20_000
# Why a row is left out, or goes without a label.
EMPTY, NOT_TEXT, UNLABELLED, UNKNOWN = PROBLEMS = ("empty text", "not text", "no label", "unknown label")


def shown_name(source: Source) -> str:
    """How a report names an input: as given, but a folder elsewhere on the machine by its last part only."""
    return source.path.resolve().name if source.name.startswith(("/", ".", "~")) else source.name


@dataclass(frozen=True)
class Columns:
    """Names of a dataset's columns, and of its labels where they are not ours: {name in the dataset: our name}."""

    premise: str = "premise"
    hypothesis: str = "hypothesis"
    label: str = "label"
    label_names: dict[str, str] = field(default_factory=dict)


@dataclass
class Batch:
    """Usable rows: texts, label names (NO_LABEL where there is none) and row numbers, equally long.

    problems: (row number, one of PROBLEMS, what was there) of the rows that are left out or go without a label.
    """

    premises: list[str] = field(default_factory=list)
    hypotheses: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    problems: list[tuple[int, str, str]] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.numbers)

    def select(self, rows: list[int]) -> "Batch":
        """The rows at these places of the batch."""
        columns = (self.premises, self.hypotheses, self.labels, self.numbers)
        return Batch(*([column[row] for row in rows] for column in columns))


@dataclass
class Rows:
    """One split of a dataset on disk.

    name: how the report calls it.
    why_unlabelled: why no row has a label, None where rows may have one.
    chosen: numbers of the rows that are read, ascending; None for all.
    """

    name: str
    dataset: Dataset
    columns: Columns
    why_unlabelled: str | None = None
    chosen: list[int] | None = None

    def __len__(self) -> int:
        return len(self.dataset if self.chosen is None else self.chosen)

    @cached_property
    def named(self) -> Callable[[Any], str]:
        """Turns a value of the label column into a label name, NO_LABEL or an unknown name."""
        if self.why_unlabelled:
            return lambda value: NO_LABEL
        feature = self.dataset.features[self.columns.label]
        names = feature.names if isinstance(feature, ClassLabel) else None
        mapping = self.columns.label_names
        known: dict[Any, str] = {}

        def name(value: Any) -> str:
            if isinstance(value, str | int | None) and value in known:
                return known[value]
            shown = NO_LABEL if value in (None, "", -1, "-1") else str(value)
            if names and isinstance(value, int) and 0 <= value < len(names):
                shown = names[value]
            found = mapping.get(shown, mapping.get(str(value), shown)).strip().lower()
            if isinstance(value, str | int | None):
                known[value] = found
            return found

        return name

    def batches(self, description: str = "", rows: list[int] | None = None) -> Iterator[Batch]:
        """Every chosen row (or those of the given numbers) once, in order, under a progress bar."""
        columns = [self.columns.premise, self.columns.hypothesis]
        columns += [] if self.why_unlabelled else [self.columns.label]
        data, rows = self.dataset.select_columns(columns), self.chosen if rows is None else rows
        data = data if rows is None else data.select(rows)
        with tqdm(total=len(data), desc=description, unit="row", unit_scale=True, leave=False) as bar:
            for start in range(0, len(data), BATCH_ROWS):
                part = data.with_format("arrow")[start : start + BATCH_ROWS]
                numbers = range(start, start + len(part)) if rows is None else rows[start : start + len(part)]
                yield self._batch([column.to_pylist() for column in part.columns], numbers)
                bar.update(len(part))

    def _batch(self, columns: list[list], numbers) -> Batch:
        premises, hypotheses = columns[:2]
        labels = columns[2] if len(columns) == 3 else [None] * len(premises)
        batch = Batch()
        for premise, hypothesis, value, number in zip(premises, hypotheses, labels, numbers):
            if not (isinstance(premise, str) and isinstance(hypothesis, str)):
                batch.problems.append((number, NOT_TEXT, repr((premise, hypothesis))))
                continue
            if not (premise.strip() and hypothesis.strip()):
                batch.problems.append((number, EMPTY, repr((premise, hypothesis))))
                continue
            label = self.named(value)
            if label not in ALL_LABELS:
                batch.problems.append((number, UNLABELLED if label == NO_LABEL else UNKNOWN, repr(value)))
                label = NO_LABEL
            batch.premises.append(premise)
            batch.hypotheses.append(hypothesis)
            batch.labels.append(label)
            batch.numbers.append(number)
        return batch

    def sample(self, size: int, seed: int) -> Batch:
        """The usable ones of `size` rows drawn without replacement, in random order; all rows of a smaller set."""
        drawn = np.random.default_rng(seed).permutation(len(self))[:size]
        drawn = drawn if self.chosen is None else np.array(self.chosen)[drawn]
        whole = Batch()
        for part in self.batches(f"{self.name}: sample", sorted(drawn.tolist())):
            for column, more in zip(
                (whole.premises, whole.hypotheses, whole.labels, whole.numbers),
                (part.premises, part.hypotheses, part.labels, part.numbers),
            ):
                column.extend(more)
        place = {number: row for row, number in enumerate(whole.numbers)}
        return whole.select([place[number] for number in drawn.tolist() if number in place])


@contextmanager
def opened(source: Source, name: str, split: str, columns: Columns, config: str | None = None) -> Iterator[Rows]:
    """Open a split for reading; parquet stays on disk, memory-mapped through a cache that goes when the block ends.

    Raises UserError where config, split or a text column is not there, where a file is broken, where a label column
    other than the default is named but not there, and where label_names maps to something that is not one of our
    labels.
    """
    with TemporaryDirectory(ignore_cleanup_errors=True) as cache:
        by_default = [ours for ours in OTHER_COLUMNS if getattr(columns, ours) == ours]
        dataset = with_our_columns(load_split(source, name, split, config, cache), name, by_default)
        check_columns(dataset, columns, f"{name} {split}")
        yield Rows(name, dataset, columns, why_unlabelled(dataset, columns))


def check_columns(dataset: Dataset, columns: Columns, where: str) -> None:
    """Raise UserError for a missing text column, a label column that is named but missing, or a strange label name."""
    default = Columns()
    for key in ("premise", "hypothesis", "label"):
        column = getattr(columns, key)
        if column in dataset.column_names or (key == "label" and column == default.label):
            continue
        near = difflib.get_close_matches(column, dataset.column_names, 1)
        hint = f"; did you mean {near[0]}?" if near else "."
        raise UserError(
            f"{where} has no column {column}{hint} It has {', '.join(dataset.column_names)}: name the {key}'s "
            f"with {key}_column (reference_{key}_column for the reference)."
        )
    for name, ours in columns.label_names.items():
        if ours not in ALL_LABELS:
            raise UserError(f"label_names maps {name} to {ours!r}, which is not one of {', '.join(ALL_LABELS)}.")
    if len(dataset) == 0:
        raise UserError(f"{where} has no rows.")


def why_unlabelled(dataset: Dataset, columns: Columns) -> str | None:
    """Why a dataset's rows have no label that can be named; None where they may."""
    if columns.label not in dataset.column_names:
        return f"there is no column {columns.label}, only {', '.join(dataset.column_names)}; name it with label_column"
    feature = dataset.features[columns.label]
    dtype = getattr(feature, "dtype", "struct")
    if dtype == "bool":
        return f"the labels in column {columns.label} are true and false, which name no label"
    if not isinstance(feature, ClassLabel) and "int" in str(dtype) and not columns.label_names:
        return (
            f"the labels in column {columns.label} are numbers without names; give them with label_names, "
            "as in '{0: entailment, 1: neutral, 2: contradiction}'"
        )
    return None
