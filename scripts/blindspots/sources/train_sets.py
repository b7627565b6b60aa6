"""Train sets of equal rows and units from people and from models, and people's test set of other units.

Labels and choices: every source has labelled the same items, so that a train set of one source holds the items of
every other. Free text: a model's texts rewrite texts of people, which are its units.
"""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from datasets import ClassLabel, Dataset
from numpy.typing import NDArray

from blindspots.artifacts.inputs import Source
from blindspots.config.errors import RecipeError, UserError
from blindspots.config.source_recipes import (
    FREE_TEXT,
    INSTRUCTIONS,
    PREFERENCES,
    TASK_LABELS,
    CompareRecipe,
    PrepareSourcesRecipe,
)
from blindspots.data.people_rows import FIRST, SECOND, TEST
from blindspots.data.row_ids import as_text
from blindspots.data.source_rows import check_sources, filtered, read_columns, read_labels, read_rows, units
from blindspots.evaluation.cues import TIE
from blindspots.sources import pairs
from blindspots.sources.instruction_sets import instruction_sets

HUMAN, SAME_UNITS = "human", "human_same_units"
NOT_TRAINED = {
    "dialogues": "their claims are about success and the faults of turns; no set of people's dialogues on the same "
    "tasks is at hand to test on",
}
Configs = dict[str, dict[str, Dataset]]


class Items(NamedTuple):
    """What can be drawn.

    rows: the text columns of an item. units: what it belongs to. names: of the labels.
    counts: source -> how often it gave an item each label, shape [items, labels].
    """

    rows: pd.DataFrame
    units: NDArray
    names: list[str]
    counts: dict[str, NDArray]


def machine(source: str) -> str:
    """The kind of train set that is of a model, safe as a name of a file."""
    return "machine_" + re.sub(r"[^\w.-]", "_", source)


def train_sets(recipe: PrepareSourcesRecipe, compare: CompareRecipe, source: Source) -> tuple[Configs, dict[str, Any]]:
    """The configs of a dataset, <kind>-s<seed> and `test`, and the rows that are left out.

    Raises RecipeError for a type of data that is not trained on and for an unknown machine, UserError where the rows
    do not fit the recipes or are too few.
    """
    if compare.data_type in NOT_TRAINED:
        raise RecipeError(f"{compare.data_type} are not prepared here: {NOT_TRAINED[compare.data_type]}.")
    if compare.data_type == INSTRUCTIONS:
        return instruction_sets(recipe, compare, source, machine(compare.machine))
    if recipe.train_rows is None:
        raise RecipeError("train_rows is needed: the rows of each train set.")
    if compare.data_type == FREE_TEXT:
        return _of_texts(recipe, compare, source)
    check_sources(compare)
    read = {TASK_LABELS: _labelled_items, PREFERENCES: _pairs}[compare.data_type]
    return _of_items(recipe, compare, *read(recipe, compare, source))


def drawn(units: NDArray, rows: int, n_units: int | None, rng: np.random.Generator, what: str) -> NDArray:
    """Places of rows drawn at random: of so many units, and of each about as many.

    Args:
        units: what a row belongs to, shape [rows there are]. n_units: by default as many as the rows need.

    Raises UserError where rows or units are too few.
    """
    order = rng.permutation(len(units))
    shuffled = pd.Series(units[order])
    if n_units is not None:
        there = shuffled.unique()
        if len(there) < n_units or rows < n_units:
            raise UserError(f"{what}: {n_units} units are wanted, there are {len(there)} for {rows} rows.")
        of_them = shuffled.isin(there[:n_units]).to_numpy()
        order, shuffled = order[of_them], shuffled[of_them].reset_index(drop=True)
    if len(order) < rows:
        raise UserError(f"{what}: {rows} rows are wanted, there are {len(order)}; lower the rows or raise the units.")
    rank = shuffled.groupby(shuffled).cumcount().to_numpy()
    return order[np.argsort(rank, kind="stable")][:rows]


# Labels and choices


def _labelled_items(
    recipe: PrepareSourcesRecipe, compare: CompareRecipe, source: Source
) -> tuple[Items, dict[str, Any]]:
    """Texts with the labels of every source."""
    rows = read_rows(compare, source, [*compare.sources.values(), *recipe.text_columns])
    labels = read_labels(compare, rows, compare.inverted)
    return Items(rows[recipe.text_columns].reset_index(drop=True), labels.units, labels.names, labels.counts), {}


def _pairs(recipe: PrepareSourcesRecipe, compare: CompareRecipe, source: Source) -> tuple[Items, dict[str, Any]]:
    """Pairs with the choices of every source, and how many ties of each are left out."""
    rows = read_rows(compare, source, [*pairs.columns(compare), *recipe.prompt_columns])
    labels, first, second = pairs.read_choices(compare, rows, compare.inverted)
    columns = compare.text_columns * (2 if compare.points else 1)
    texts = {"text_1": first[columns[0]].to_numpy(), "text_2": second[columns[1]].to_numpy()}
    if recipe.prompt_columns:
        parts = zip(*(first[column].map(as_text) for column in recipe.prompt_columns))
        texts = {"prompt": ["\n".join(filter(str.strip, row)) + "\n" for row in parts], **texts}
    tie = labels.names.index(TIE)
    decided = {name: np.delete(counts, tie, axis=1) for name, counts in labels.counts.items()}
    ties = {
        name: int(((counts[:, tie] > 0) & ~decided[name].any(axis=1)).sum()) for name, counts in labels.counts.items()
    }
    return Items(pd.DataFrame(texts), labels.units, [FIRST, SECOND], decided), {
        "pairs": len(first),
        "ties left out": ties,
    }


def _of_items(
    recipe: PrepareSourcesRecipe, compare: CompareRecipe, items: Items, left_out: dict[str, Any]
) -> tuple[Configs, dict[str, Any]]:
    """Sets of the same items, labelled by each source."""
    items = _with_text(items)
    wanted = _machines(recipe, [name for name in compare.sources if name != compare.human])
    kinds = {HUMAN: compare.human, **{machine(name): name for name in wanted}}
    unit_of = items.units if recipe.split_by == "unit" else np.arange(len(items.units))
    by_people = np.flatnonzero(items.counts[compare.human].any(axis=1))
    rng = np.random.default_rng([recipe.test_seed, 0])
    chosen = drawn(unit_of[by_people], recipe.test_rows, recipe.test_units, rng, "test_rows")
    test = by_people[np.sort(chosen)]
    labelled_by_all = np.logical_and.reduce([items.counts[name].any(axis=1) for name in kinds.values()])
    pool = np.flatnonzero(labelled_by_all & ~np.isin(unit_of, unit_of[test]))
    configs: Configs = {}
    for seed in recipe.seeds:
        rng = np.random.default_rng([seed, 0])
        rows = pool[drawn(unit_of[pool], recipe.train_rows, recipe.train_units, rng, "train_rows")]
        for number, (kind, name) in enumerate(kinds.items()):
            labels = _one_label(items.counts[name][rows], np.random.default_rng([seed, 1 + number]))
            configs[f"{kind}-s{seed}"] = {"train": _dataset(compare, items, rows, labels)}
    labels = _one_label(items.counts[compare.human][test], np.random.default_rng([recipe.test_seed, 1]))
    configs[TEST] = {TEST: _dataset(compare, items, test, labels, of_test=True)}
    return configs, {**left_out, "items with a label of every source": int(labelled_by_all.sum())}


def _with_text(items: Items) -> Items:
    """The items without an empty text."""
    kept = np.logical_and.reduce([items.rows[name].map(as_text).str.strip() != "" for name in items.rows]).astype(bool)
    counts = {source: counts[kept] for source, counts in items.counts.items()}
    return Items(items.rows[kept].reset_index(drop=True), items.units[kept], items.names, counts)


def _one_label(counts: NDArray, rng: np.random.Generator) -> NDArray:
    """One of the labels of each item, drawn at random: shape [items]."""
    upper = counts.cumsum(axis=1) / counts.sum(axis=1, keepdims=True)
    return (rng.random(len(counts))[:, None] >= upper).sum(axis=1)


def _dataset(compare: CompareRecipe, items: Items, rows: NDArray, labels: NDArray, of_test: bool = False) -> Dataset:
    """Rows as the training scripts read them; a train set of pairs holds the chosen and the rejected text."""
    texts = {name: items.rows[name].iloc[rows].tolist() for name in items.rows}
    columns = {"id": list(map(str, rows)), "unit": list(map(str, items.units[rows]))}
    if compare.data_type == PREFERENCES and not of_test:
        both = [texts.pop("text_1"), texts.pop("text_2")]
        texts["chosen"] = [both[label][row] for row, label in enumerate(labels)]
        texts["rejected"] = [both[1 - label][row] for row, label in enumerate(labels)]
        return Dataset.from_dict(columns | texts)
    return _labelled(columns | texts, labels.tolist(), items.names)


def _labelled(columns: Mapping[str, list], labels: list[int], names: list[str]) -> Dataset:
    return Dataset.from_dict({**columns, "label": labels}).cast_column("label", ClassLabel(names=names))


def _machines(recipe: PrepareSourcesRecipe, there: list[str]) -> list[str]:
    """The models of the recipe. Raises RecipeError for one that is not among those there are."""
    if unknown := [name for name in recipe.machines if name not in there]:
        raise RecipeError(f"machines names {unknown[0]}; the models are {', '.join(there)}.")
    return recipe.machines or there


# Free text


def _of_texts(recipe: PrepareSourcesRecipe, compare: CompareRecipe, source: Source) -> tuple[Configs, dict[str, Any]]:
    """A model's texts, people's texts from the same units, and people's own texts, with the labels of the data."""
    by, own = _text_columns(recipe, compare)
    columns = [*compare.sources.values(), by, recipe.label_column, recipe.people_column]
    columns += [*compare.unit, *compare.row_filter, *recipe.people_filter, *recipe.test_filter]
    everything = read_columns(source, compare.dataset_split, compare.dataset_config, columns)
    made = filtered(everything, compare.row_filter, source.name, "row_filter")
    people = filtered(everything, recipe.people_filter, source.name, "people_filter")
    test = filtered(everything, recipe.test_filter, source.name, "test_filter")
    names = sorted(set(everything[recipe.label_column].map(as_text)) - {""})
    known = set(made[compare.sources[compare.human]]) | set(people[recipe.people_column])
    unseen = test[~test[recipe.people_column].isin(known)]
    writers = _machines(recipe, list(dict.fromkeys(made[by])))
    configs: Configs = {}
    for seed in recipe.seeds:
        rng = np.random.default_rng([seed, 0])
        of_people = people.iloc[drawn(np.arange(len(people)), recipe.train_rows, None, rng, "people_filter")]
        configs[f"{HUMAN}-s{seed}"] = {"train": _texts(recipe, of_people, recipe.people_column, names)}
        for number, writer in enumerate(writers):
            rows = made[made[by] == writer]
            rng = np.random.default_rng([seed, 1 + number])
            rows = rows.iloc[drawn(units(rows, compare.unit), recipe.train_rows, recipe.train_units, rng, writer)]
            ending = "" if len(writers) == 1 else machine(writer).removeprefix("machine")
            for kind, column in ((machine(writer), own), (SAME_UNITS + ending, compare.sources[compare.human])):
                configs[f"{kind}-s{seed}"] = {"train": _texts(recipe, rows, column, names, compare.unit)}
    rng = np.random.default_rng([recipe.test_seed, 0])
    chosen = unseen.iloc[np.sort(drawn(np.arange(len(unseen)), recipe.test_rows, None, rng, "test_rows"))]
    configs[TEST] = {TEST: _texts(recipe, chosen, recipe.people_column, names)}
    return configs, {"test rows left out, since train rows hold their text": len(test) - len(unseen)}


def _text_columns(recipe: PrepareSourcesRecipe, compare: CompareRecipe) -> tuple[str, str]:
    """The column that names a text's writer, and that of its text. Raises RecipeError where the recipes name none."""
    machines = [column for name, column in compare.sources.items() if name != compare.human]
    if len(compare.group_columns) != 1 or len(machines) != 1 or compare.human not in compare.sources:
        raise RecipeError("Free text needs one column of a model's text in sources, and its writer in group_columns.")
    if not recipe.people_filter or not recipe.test_filter:
        raise RecipeError("Free text needs people_filter and test_filter: which rows are people's own texts.")
    return compare.group_columns[0], machines[0]


def _texts(recipe: PrepareSourcesRecipe, rows: pd.DataFrame, column: str, names: list[str], unit=()) -> Dataset:
    """Rows as the training scripts read them; a text without a unit is one itself."""
    texts = rows[column].map(as_text).tolist()
    units_ = ["\n".join(map(as_text, row)) for row in rows[list(unit)].to_numpy()] if unit else texts
    labels = [names.index(as_text(label)) for label in rows[recipe.label_column]]
    ids = [f"{number}-{place}" for place, number in enumerate(rows.index)]
    return _labelled(
        {"id": ids, "unit": pd.factorize(pd.Series(units_))[0].astype(str).tolist(), "text": texts}, labels, names
    )
