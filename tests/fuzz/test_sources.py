"""Comparisons of sources: strange recipes and rows of each type of data give the numbers of the rows, or one line."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made_sources import dialogue_rows, instruction_rows, labelled_rows, preference_rows, text_rows

from blindspots.config.parser import own_keys
from blindspots.config.source_recipes import CompareRecipe

from . import reading
from .damage import Bytes, byte_damages
from .data_files import CELLS, TYPED
from .recipe_text import RECIPE, Edit, edits, text_of
from .running import OUT, Ending, attempt, scratch
from .test_recipes import names_in

Rows = list[dict[str, Any]]
SCRIPT = "compare_sources"
# Keys of which a large number is a lot of work, and those that say where the output goes.
HEAVY = frozenset(["resamples", "self_bleu_texts"])
LEFT_OUT = frozenset(["output_dir"])


@dataclass(frozen=True)
class Type:
    """A type of data: its recipe beside `dataset`, its rows, and numbers of the page worked out from the rows alone.

    numbers: rows -> (section, finding) -> its estimate.
    """

    recipe: dict[str, Any]
    rows: pd.DataFrame
    numbers: Callable[[Rows], dict[tuple[str, str], float]]


def mean(values: list[float]) -> float:
    return sum(values) / len(values)


def agreement(rows: Rows) -> dict[tuple[str, str], float]:
    """How likely the model's label is that of a person, over the items that both labelled."""
    pairs = [(row["people"], row["model"]) for row in rows]
    several = [[cell if isinstance(cell, list) else [cell] for cell in pair] for pair in pairs]
    shares = [
        mean([str(one) == str(other) for one in people for other in model])
        for people, model in several
        if people and model
    ]
    return {("agreement", "model: agreement with a person, beside people"): mean(shares)}


def ties(rows: Rows) -> dict[tuple[str, str], float]:
    return {("decided", "human: ties"): mean([str(row["people"]) == "2" for row in rows])}


def lengths(rows: Rows) -> dict[tuple[str, str], float]:
    return {("lengths", "instruction"): mean([len(row["instruction"].split()) for row in rows])}


def success(rows: Rows) -> dict[tuple[str, str], float]:
    return {("success", "all"): mean([float(row["success"]) for row in rows])}


def words(rows: Rows) -> dict[tuple[str, str], float]:
    texts = [row["machine"] or "" for row in rows]
    if not all(any(map(str.isalnum, word)) for text in texts for word in text.split()):
        return {}  # what counts as a word is another matter
    return {("style", "machine: words, beside people"): mean([len(text.split()) for text in texts])}


SMALL = {"resamples": 100}
TYPES = {
    "task_labels": Type(
        {"sources": {"human": "people", "model": "model"}, "codes": {"0": "no", "1": "maybe", "2": "yes"}} | SMALL,
        labelled_rows(24).assign(model=lambda rows: rows["sharp"].map(lambda labels: labels[0]), unit=range(24)),
        agreement,
    ),
    "preferences": Type(
        {
            "sources": {"human": "people", "gpt": "model"},
            "codes": {"0": "first", "1": "second", "2": "tie"},
            "unit": ["question"],
        }
        | SMALL,
        preference_rows(60),
        ties,
    ),
    "instructions": Type(
        {"reference": "people.parquet", "test_set": "people.parquet", "self_bleu_texts": 3},
        instruction_rows(24),
        lengths,
    ),
    "dialogues": Type(
        {
            "unit": ["task"],
            "prompt_column": "prompt",
            "success_column": "success",
            "size_pattern": r"(\d+) steps",
            "role_keywords": {"user": "please", "assistant": "certainly"},
        }
        | SMALL,
        dialogue_rows(24),
        success,
    ),
    "free_text": Type(
        {"unit": ["prompt"], "sources": {"human": "people", "machine": "machine"}} | SMALL, text_rows(24), words
    ),
}


def recipe_of(name: str) -> dict[str, Any]:
    """A recipe of a type that works beside `rows` and people's rows."""
    return {"dataset": "rows.jsonl", "data_type": name} | TYPES[name].recipe


def records(name: str) -> Rows:
    """The rows of a type as plain values."""
    return json.loads(TYPES[name].rows.to_json(orient="records"))


def right(name: str, file: Path) -> Callable[[Path, Ending], None]:
    """What must hold of the comparison of a file whose recipe is that of its type."""

    def check(out: Path, ending: Ending) -> None:
        comparison, rows = json.loads((out / "comparison.json").read_text("utf-8")), reading.records(file)
        assert comparison["dataset"]["rows"] == len(rows)
        for (section, what), value in TYPES[name].numbers(rows).items():
            findings = {one["what"]: one["estimate"] for one in comparison["sections"][section].get("findings", [])}
            assert not findings or abs(findings[what] - value) <= 1e-5 * max(1, abs(value)), (what, value)

    return check


def compare(name: str, file: Path, recipe: bytes, kind: str, words: list[str], check: Callable) -> None:
    """Run the script on a file of rows beside people's rows."""
    folder = file.parent
    instruction_rows(24, seed=1).to_parquet(folder / "people.parquet")
    (folder / RECIPE).write_bytes(recipe)
    attempt(SCRIPT, f"{kind}, {name}", [RECIPE, "--output_dir", OUT], folder, words, check)


# Recipes


def known_keys() -> dict[str, Any]:
    return {name: key for name, key in own_keys(CompareRecipe).items() if name not in LEFT_OUT}


@pytest.mark.slow
@pytest.mark.parametrize("name", TYPES)
@settings(max_examples=40, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_recipe_of_a_comparison_is_followed_or_refused(name, data):
    check_recipe(name, data.draw(edits(recipe_of(name), known_keys(), HEAVY)))


def check_recipe(name: str, changes: list[Edit | Bytes]) -> None:
    content = text_of(recipe_of(name), changes)
    keys = [edit.key for edit in changes if isinstance(edit, Edit) if edit.key]
    words = [RECIPE, *known_keys(), *names_in(content), *keys, "rows.jsonl", "Column"]

    def check(out: Path, ending: Ending) -> None:
        comparison = json.loads((out / "comparison.json").read_text("utf-8"))
        assert comparison["dataset"]["rows"] <= len(records(name))
        assert not [one for one in comparison["sections"].values() if one.get("failed")]

    with scratch() as folder:
        (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in records(name)))
        compare(name, folder / "rows.jsonl", content, "recipe", words, check)


# Rows


@dataclass(frozen=True)
class Change:
    """One value of the rows is another one, a column is gone or holds another's values, or only some rows are left."""

    how: str
    column: int = 0
    row: int = 0
    value: Any = None

    def __call__(self, rows: Rows) -> Rows:
        names = sorted(rows[0]) if rows else []
        if not names:
            return rows
        column, other = names[self.column % len(names)], names[self.row % len(names)]
        if self.how == "drop":
            return [{name: value for name, value in row.items() if name != column} for row in rows]
        if self.how == "copy":
            return [row | {column: row[other]} for row in rows]
        if self.how == "some":
            return rows[: self.row % 4]
        chosen = range(len(rows)) if self.how == "every" else [self.row % len(rows)]
        return [row | {column: self.value} if place in chosen else row for place, row in enumerate(rows)]


def changes() -> st.SearchStrategy[list[Change]]:
    values = st.one_of(st.sampled_from(CELLS), st.sampled_from(TYPED), st.text(max_size=6), st.integers(-2, 4))
    hows = st.sampled_from(["one", "one", "one", "every", "drop", "copy", "some"])
    return st.lists(st.builds(Change, hows, st.integers(0, 9), st.integers(0, 60), values), min_size=1, max_size=2)


def content_of(rows: Rows, ending: str) -> bytes | None:
    """The rows as a file; None where the format can't hold them."""
    try:
        if ending == "jsonl":
            return "".join(json.dumps(row) + "\n" for row in rows).encode()
        stream = pa.BufferOutputStream()
        pq.write_table(pa.Table.from_pylist(rows), stream)
        return stream.getvalue().to_pybytes()
    except (TypeError, ValueError, OverflowError, pa.ArrowException):
        return None


@pytest.mark.slow
@pytest.mark.parametrize("name", TYPES)
@settings(max_examples=40, suppress_health_check=list(HealthCheck))
@given(ending=st.sampled_from(["jsonl", "parquet"]), case=st.one_of(changes(), changes(), byte_damages()))
def test_a_comparison_has_the_numbers_of_its_rows(name, ending, case):
    check_rows(name, ending, case)


def check_rows(name: str, ending: str, case: list[Change] | Bytes) -> None:
    rows = records(name)
    for change in case if isinstance(case, list) else []:
        rows = change(rows)
    content = content_of(rows, ending)
    if content is None:
        return
    with scratch() as folder:
        file = folder / f"rows.{ending}"
        file.write_bytes(case(content) if isinstance(case, Bytes) else content)
        recipe = text_of(recipe_of(name) | {"dataset": file.name}, [])
        compare(name, file, recipe, f"data file, {ending}", [file.name, "Column"], right(name, file))


# On which the script failed once.
FOUND_RECIPES = [
    ("instructions", [Edit("set", "annotated", "{a: [few, 2]}")]),
    ("preferences", [Edit("set", "cues", "{a: [[x], y]}")]),
    ("free_text", [Edit("set", "sources", "{human: people, machine: [machine]}")]),
    ("dialogues", [Edit("set", "role_keywords", "{user: 3}")]),
    ("dialogues", [Edit("set", "prompt_column", "turns")]),
    ("dialogues", [Edit("set", "unit", "[roles]")]),
    ("task_labels", [Edit("set", "row_filter", "{people: 1}")]),
]


@pytest.mark.parametrize("name", TYPES)
def test_an_undamaged_comparison_has_the_numbers_of_its_rows(name):
    check_rows(name, "parquet", [])


@pytest.mark.parametrize(("name", "changes"), FOUND_RECIPES)
def test_a_recipe_on_which_a_comparison_failed_once(name, changes):
    check_recipe(name, changes)


def test_a_missing_code_beside_whole_numbers_is_refused_by_its_row():
    check_rows("task_labels", "jsonl", [Change("one", 0, 3, None)])
