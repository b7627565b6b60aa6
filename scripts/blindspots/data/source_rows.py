"""Rows that people and models labelled or wrote: the part that is asked for, their units and their labels.

What rows share (a text, a question, a source sentence, a puzzle) is their unit: splits, folds and bootstraps go by it.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from blindspots.artifacts.inputs import Source
from blindspots.config.errors import UserError
from blindspots.config.source_recipes import CompareRecipe
from blindspots.data.nli_datasets import read_split, require_columns
from blindspots.data.row_ids import as_text

SHOWN_VALUES = 10


class Labels(NamedTuple):
    """The labels of several sources on the same items.

    names: of the labels, in order. counts: source -> how often it gave each label, shape [items, labels].
    units: what an item belongs to, shape [items]. missing: source -> labels that stand for none.
    """

    names: list[str]
    counts: dict[str, NDArray]
    units: NDArray
    missing: dict[str, int]


def read_rows(recipe: CompareRecipe, source: Source, columns: Iterable[str]) -> pd.DataFrame:
    """The rows of the recipe's dataset that its row_filter lets through, numbered as in the file.

    Args:
        columns: that the rows must have, beside those of the recipe's unit and row_filter.

    Raises UserError for a column that is not there, and where no row is left.
    """
    wanted = [*columns, *recipe.unit, *recipe.row_filter]
    rows = read_columns(source, recipe.dataset_split, recipe.dataset_config, wanted)
    return filtered(rows, recipe.row_filter, source.name, "row_filter")


def read_columns(source: Source, split: str, config: str | None, columns: Iterable[str]) -> pd.DataFrame:
    """The named columns of a split. Raises UserError for one that is not there, and where there are no rows."""
    where = f"{source.name} {split}"
    dataset = read_split(source, split, config)
    columns = list(dict.fromkeys(columns))
    require_columns(dataset, columns, where)
    if not len(dataset):
        raise UserError(f"{where} has no rows.")
    table = dataset.select_columns(columns).with_format("arrow")[:]
    return table.to_pandas(integer_object_nulls=True)  # beside a missing value, 0 would become 0.0


def as_texts(values: pd.Series) -> pd.Series:
    """A column as text, empty where a value is missing. Raises UserError where it holds lists, objects or bytes."""
    if values.map(lambda value: isinstance(value, list | dict | np.ndarray | bytes)).any():
        raise UserError(f"Column {values.name} holds lists or bytes, where a text or a number per row is needed.")
    return values.map(as_text)


def texts_of(values: pd.Series) -> list[str]:
    """A column of texts, empty where one is missing. Raises UserError where a value is something else."""
    for row, value in values.items():
        if not isinstance(value, str) and as_text(value) != "":
            raise UserError(f"Column {values.name}, row {row}: {value!r} is not text.")
    return values.map(as_text).tolist()


def filtered(rows: pd.DataFrame, wanted: Mapping[str, Any], where: str, key: str) -> pd.DataFrame:
    """The rows with a value, or one of the values, in each column. Raises UserError for a value that no row has."""
    for column, value in wanted.items():
        values = as_texts(rows[column])
        known = list(map(as_text, value if isinstance(value, list) else [value]))
        if absent := [one for one in known if one not in set(values)]:
            there = ", ".join(sorted(set(values))[:SHOWN_VALUES])
            raise UserError(f"{where}: no row has {column} {absent[0]}; {key} can name {there}.")
        rows = rows[values.isin(known)]
    return rows


def units(rows: pd.DataFrame, columns: Sequence[str]) -> NDArray:
    """The unit of each row as a number: rows that share a value of any of the columns are one; by default each is.

    An empty value is shared with no row, see `without_unit`.
    """
    edges, offset = [], len(rows)
    for column in columns:
        codes, names = pd.factorize(as_texts(rows[column]).where(lambda text: text.str.strip() != ""))
        edges.append(np.stack([np.flatnonzero(codes >= 0), codes[codes >= 0] + offset]))
        offset += len(names)
    first, second = np.concatenate([np.zeros((2, 0), dtype=int), *edges], axis=1)
    graph = coo_matrix((np.ones(first.size), (first, second)), shape=(offset, offset))
    return pd.factorize(connected_components(graph, directed=False)[1][: len(rows)])[0]


def without_unit(rows: pd.DataFrame, columns: Sequence[str]) -> int:
    """How many rows have no value in any of the columns, so that each is a unit of its own."""
    empty = [as_texts(rows[column]).str.strip() == "" for column in columns]
    return int(np.logical_and.reduce(empty).sum()) if empty else 0


def label_counts(
    values: pd.Series, codes: Mapping[str, str], missing: Sequence[str], names: Sequence[str], where: str
) -> tuple[NDArray, int]:
    """How often each row has each label, shape [rows, labels], and how many codes stand for no label.

    Args:
        values: one code or a list of them in each row.
        codes: code -> label. missing: codes that stand for no label.
        names: of the labels, in order.

    Raises UserError for a code that is in neither, with its row.
    """
    place = {code: names.index(label) for code, label in codes.items()}
    counts, without = np.zeros((len(values), len(names)), dtype=int), 0
    for row, (number, value) in enumerate(values.items()):
        for one in value if isinstance(value, list | tuple | np.ndarray) else [value]:
            code = as_text(one)
            if code in place:
                counts[row, place[code]] += 1
            elif code in missing:
                without += 1
            else:
                raise UserError(
                    f"{where}, row {number}: {code!r} is not a label. Its labels are {', '.join(codes)}; name it in "
                    "codes, or in missing_codes where it stands for none."
                )
    return counts, without


def read_labels(
    recipe: CompareRecipe, rows: pd.DataFrame, inverted: Sequence[str] = (), names: Sequence[str] = ()
) -> Labels:
    """The labels of every source of a recipe.

    Args:
        inverted: sources whose labels are read in reverse order.
        names: the only labels that codes may stand for, in order; by default those of the recipe's codes.

    Raises UserError for a source without a single label, and for an unknown code or label.
    """
    codes = {as_text(code): label for code, label in recipe.codes.items()}
    missing = list(map(as_text, recipe.missing_codes))
    names = list(names) or list(dict.fromkeys(codes.values()))
    if not codes or not set(codes.values()) <= set(names):
        labels = f", one of {', '.join(names)}" if names else ""
        raise UserError(f"codes must name the label of each code{labels}.")
    counts, without = {}, {}
    for source, column in recipe.sources.items():
        found, without[source] = label_counts(rows[column], codes, missing, names, f"{recipe.dataset}, {column}")
        if not found.any():
            raise UserError(f"{recipe.dataset}: {source} has no label in column {column}.")
        counts[source] = found[:, ::-1] if source in inverted else found
    return Labels(names, counts, units(rows, recipe.unit), without)


def check_sources(recipe: CompareRecipe) -> None:
    """Raise UserError where sources do not name people and another, or inverted names none of them."""
    if recipe.human not in recipe.sources or len(recipe.sources) < 2:
        named = ", ".join(recipe.sources) or "none"
        raise UserError(f"sources names {named}; name the columns of {recipe.human} (people) and of another source.")
    if unknown := [name for name in recipe.inverted if name not in recipe.sources]:
        raise UserError(f"inverted names {unknown[0]}, which is not one of the sources {', '.join(recipe.sources)}.")
