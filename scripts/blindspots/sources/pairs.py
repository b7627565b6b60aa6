"""Pairs of texts that people and models chose from: a pair per row, or points of one text per row."""

import math
from collections.abc import Sequence
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from blindspots.artifacts.inputs import fetch
from blindspots.config.errors import UserError
from blindspots.config.source_recipes import CompareRecipe
from blindspots.data.heuristics import words
from blindspots.data.source_rows import Labels, as_texts, filtered, read_columns, read_labels, texts_of, units
from blindspots.evaluation.cues import CHOICES

LENGTH, LEXICON = "length", "lexicon"


class Pairs(NamedTuple):
    """Pairs of texts with the choices of every source.

    labels: whose names are CHOICES. cues: name -> first text's number minus the second's, shape [pairs].
    """

    labels: Labels
    cues: dict[str, NDArray]


def read_pairs(recipe: CompareRecipe, rows: pd.DataFrame, inverted: Sequence[str] = ()) -> Pairs:
    """The pairs of a recipe; `inverted` names sources whose first and second are exchanged.

    Raises UserError where the rows do not fit the recipe.
    """
    labels, first, second = read_choices(recipe, rows, inverted)
    return Pairs(labels, _cues(recipe, first, second))


def read_choices(
    recipe: CompareRecipe, rows: pd.DataFrame, inverted: Sequence[str] = ()
) -> tuple[Labels, pd.DataFrame, pd.DataFrame]:
    """The choices of every pair, and the rows that hold its first and its second text; errors as in `read_pairs`."""
    if recipe.points:
        first, second = _places_of_pairs(recipe, rows)
        counts = {source: _of_points(recipe, rows, source, first, second) for source in recipe.sources}
        labels = Labels(list(CHOICES), counts, units(rows, recipe.unit)[first], dict.fromkeys(counts, 0))
        return labels, rows.iloc[first], rows.iloc[second]
    labels = read_labels(recipe, rows, inverted, CHOICES)
    if recipe.item:
        labels, rows = _by_item(recipe, labels, rows)
    return labels, rows, rows


def _places_of_pairs(recipe: CompareRecipe, rows: pd.DataFrame) -> tuple[NDArray, NDArray]:
    """Places of the first and the second row of every pair of rows of one unit, in the order of the rows."""
    if not recipe.unit:
        raise UserError("With points, unit must name the column that the texts of a pair share, such as the question.")
    groups = pd.Series(range(len(rows))).groupby(units(rows, recipe.unit)).agg(list)
    pairs = [pair for places in groups for pair in combinations(places, 2)]
    if not pairs:
        raise UserError(f"{recipe.dataset}: no two rows share a {' or '.join(recipe.unit)}, so that there is no pair.")
    return tuple(np.array(pairs).T)


def _of_points(recipe: CompareRecipe, rows: pd.DataFrame, source: str, first: NDArray, second: NDArray) -> NDArray:
    """Counts of CHOICES of each pair: the text with more points, a tie where they are equal."""
    points = numbers(rows[recipe.sources[source]], f"{recipe.dataset}, {recipe.sources[source]}")
    apart = np.sign(points[first] - points[second])
    return np.stack([apart > 0, apart == 0, apart < 0], axis=1).astype(int)


def _by_item(recipe: CompareRecipe, labels: Labels, rows: pd.DataFrame) -> tuple[Labels, pd.DataFrame]:
    """Labels and rows with one row an item; a repeated source has one label of it.

    Raises UserError where the texts of an item, or the choices of a repeated source, differ.
    """
    names = pd.Series(list(zip(*(as_texts(rows[column]) for column in recipe.item))))
    item, first = pd.factorize(names)[0], ~names.duplicated().to_numpy()
    for column in recipe.text_columns:
        if rows[column].groupby(item).nunique().max() > 1:
            raise UserError(f"{recipe.dataset}: rows of one item ({', '.join(recipe.item)}) differ in {column}.")
    counts = {}
    for source, table in labels.counts.items():
        counts[source] = np.zeros((first.sum(), table.shape[1]), dtype=int)
        np.add.at(counts[source], item, table)
        if source in recipe.repeated:
            several = (counts[source] > 0).sum(axis=1) > 1
            if several.any():
                where = ", ".join(names[first].iloc[int(several.argmax())])
                raise UserError(f"{recipe.dataset}: {source} has several choices of item {where}; it is not repeated.")
            counts[source] = np.minimum(counts[source], 1)
    rows = rows[first]
    return Labels(labels.names, counts, units(rows, recipe.unit), labels.missing), rows


def _cues(recipe: CompareRecipe, first: pd.DataFrame, second: pd.DataFrame) -> dict[str, NDArray]:
    """Every cue of the pairs whose first and second text are in these rows."""
    columns = recipe.text_columns * (2 if recipe.points else 1)
    shown = [texts_of(part[column]) for part, column in zip((first, second), columns)]
    tokens = [[words(text, strip_punctuation=True) for text in column] for column in shown]
    found = {LENGTH: _apart([[math.log1p(len(text)) for text in side] for side in tokens])}
    if recipe.lexicon:
        weights = read_lexicon(recipe)
        strongest = [[max((weights.get(word, 0.0) for word in text), default=0.0) for text in side] for side in tokens]
        found[LEXICON] = _apart(strongest)
    for name, column in recipe.cues.items():
        pair = column if isinstance(column, list) else [column] * 2
        sides = [numbers(part[one], f"{recipe.dataset}, {one}") for part, one in zip((first, second), pair)]
        found[name] = _apart(sides)
    return found


def _apart(sides: Sequence[Any]) -> NDArray:
    return np.asarray(sides[0], dtype=float) - np.asarray(sides[1], dtype=float)


def numbers(values: pd.Series, where: str) -> NDArray:
    """A column of numbers, of a list its mean. Raises UserError for what is no number, with its row."""
    found = np.empty(len(values))
    for place, (row, value) in enumerate(values.items()):
        try:
            each = np.asarray(value, dtype=float)
            found[place] = each.mean() if each.size else np.nan
        except (TypeError, ValueError):
            found[place] = np.nan
        if not np.isfinite(found[place]):
            raise UserError(f"{where}, row {row}: {value!r} is not a number.")
    return found


def read_lexicon(recipe: CompareRecipe) -> dict[str, float]:
    """Word -> how strong it is, whatever its sign. Raises UserError where the lexicon can't be read."""
    word, weight = recipe.lexicon_columns
    source = fetch(recipe.lexicon, "dataset")
    rows = read_columns(source, "train", None, [word, weight, *recipe.lexicon_filter])
    rows = filtered(rows, recipe.lexicon_filter, source.name, "lexicon_filter")
    strength = np.abs(numbers(rows[weight], f"{source.name}, {weight}"))
    return pd.Series(strength, as_texts(rows[word]).str.lower()).groupby(level=0).max().to_dict()


def columns(recipe: CompareRecipe) -> list[str]:
    """The columns that the rows must have. Raises UserError where the recipe does not name them as it must."""
    wanted, shape = (1, "one column") if recipe.points else (2, "two columns, [first, second]")
    if len(recipe.text_columns) != wanted:
        raise UserError(f"text_columns must name {shape}, not {', '.join(recipe.text_columns)}.")
    if recipe.points and (recipe.codes or recipe.inverted or recipe.item or recipe.position):
        raise UserError("With points, codes, inverted and item have no effect, and position must be false.")
    of_cues = []
    for name, column in recipe.cues.items():
        named = [column] if isinstance(column, str) else column
        if not isinstance(named, list) or len(named) != wanted or not all(isinstance(one, str) for one in named):
            raise UserError(f"cues: {name} must name {shape}, not {column}.")
        of_cues += named
    return [*recipe.sources.values(), *recipe.text_columns, *recipe.item, *of_cues]
