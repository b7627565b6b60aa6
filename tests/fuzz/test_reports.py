"""Predictions, kept reports, points and counts: a report has the numbers of its files, or one line names the file."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from blindspots.config.paths import PAPER_POINTS

from .damage import Bytes, byte_damages, json_damages
from .data_files import CELLS, TYPED
from .made_inputs import AXES, flag, put
from .model_folders import Replaced
from .reading import LABELS
from .running import OUT, Ending, attempt, scratch

LOGITS = [f"logit_{label}" for label in LABELS]
MODELS = ["n0-s0", "n0-original-n60-s0", "n0-synthetic-n60-s0"]
METRICS = ["mnli_matched", "hans", "hans_lo_non_entailment"]


@dataclass(frozen=True)
class Column:
    """A column of predictions that is dropped, renamed, or holds another value in one row or in all."""

    how: str
    name: str
    row: int = 0
    value: Any = None

    def __call__(self, table: pd.DataFrame) -> pd.DataFrame:
        if self.how == "drop":
            return table.drop(columns=self.name, errors="ignore")
        if self.how == "rename":
            return table.rename(columns={self.name: "other"})
        if self.how == "add":
            return table.assign(**{f"{self.name}_more": [self.value] * len(table)})
        column = table.get(self.name, pd.Series([None] * len(table))).astype(object).copy()
        if self.how == "all":
            column[:] = [self.value] * len(column)
        elif len(column):
            column.iat[self.row % len(column)] = self.value
        return table.assign(**{self.name: column})


@dataclass(frozen=True)
class Rows:
    """Predictions with other rows."""

    how: str

    def __call__(self, table: pd.DataFrame) -> pd.DataFrame:
        changed = {
            "none": lambda: table.iloc[:0],
            "fewer": lambda: table.iloc[1:],
            "twice": lambda: pd.concat([table, table]),
            "one_twice": lambda: pd.concat([table, table.iloc[:1]]),
            "turned": lambda: table.iloc[::-1],
            "float64": lambda: table.astype({name: "float64" for name in LOGITS if name in table}),
            "indexed": lambda: table.set_index("id") if "id" in table else table,
        }
        return changed[self.how]()


def predictions_damages() -> st.SearchStrategy[list[Callable]]:
    """Damages of predictions."""
    names = st.sampled_from(["id", "gold", "heuristic", "subcase", "genre", "cluster", *LOGITS])
    values = st.one_of(st.sampled_from(CELLS), st.sampled_from(TYPED), st.floats(-9, 9))
    hows = st.sampled_from(["drop", "rename", "add", "all", "one", "one"])
    column = st.builds(Column, hows, names, st.integers(0, 60), values)
    rows = st.sampled_from(["none", "fewer", "twice", "one_twice", "turned", "float64", "indexed"])
    table = st.lists(st.one_of(column, column, st.builds(Rows, rows)), min_size=1, max_size=2)
    replaced = st.builds(Replaced, st.sampled_from(["gone", "folder", "link", "loop", "twice"]))
    return st.one_of(table, table, st.lists(st.one_of(byte_damages(), replaced), min_size=1, max_size=1))


def damage_predictions(file: Path, damages: list) -> bool:
    """Damage a file of predictions; whether parquet can hold the result."""
    if isinstance(damages[0], Bytes):
        file.write_bytes(damages[0](file.read_bytes()))
    elif isinstance(damages[0], Replaced):
        damages[0](file)
    else:
        table = pd.read_parquet(file)
        for damage in damages:
            table = damage(table)
        try:
            table.to_parquet(file)
        except (TypeError, ValueError, OverflowError, NotImplementedError):
            return False
    return True


def accuracies(predictions: dict[str, pd.DataFrame]) -> dict[str, float]:
    """The three accuracies of a model's predictions, without any of the project's code."""
    found = {}
    for name, rows in predictions.items():
        assert rows["id"].is_unique
        assert rows["gold"].isin([*LABELS, "non-entailment"]).all()
        labels = np.array(LABELS)[rows[LOGITS].to_numpy(np.float64).argmax(axis=1)]
        if name == "hans":
            labels = np.where(labels == "entailment", "entailment", "non-entailment")
        right = labels == rows["gold"].to_numpy()
        found[name] = right.mean()
        if name == "hans":
            chosen = (rows["heuristic"] == "lexical_overlap") & (rows["gold"] == "non-entailment")
            found["hans_lo_non_entailment"] = right[chosen.to_numpy()].mean()
    return found


def require_grid(out: Path, wanted: dict[str, dict[str, float]]) -> None:
    """Raise AssertionError where grid.csv has other models or accuracies than these."""
    grid = pd.read_csv(out / "grid.csv", index_col="model")
    assert set(grid.index) == set(wanted)
    for model, accuracy in wanted.items():
        for metric in METRICS:
            shown = grid.loc[model, metric]
            assert abs(shown - accuracy[metric]) < 1e-5 if metric in accuracy else np.isnan(shown), (model, metric)


def words_of(**keys: Any) -> list[object]:
    """A report's command line."""
    return [word for key, value in (AXES | keys | {"output_dir": OUT}).items() for word in flag(key, value)]


@pytest.mark.slow
@settings(max_examples=120, suppress_health_check=list(HealthCheck))
@given(model=st.sampled_from(MODELS), test=st.sampled_from(["hans", "mnli_matched"]), damages=predictions_damages())
def test_a_report_has_the_numbers_of_its_predictions(inputs, model, test, damages):
    check_predictions(inputs, (model, test, damages))


def check_predictions(inputs: Path, case: tuple) -> None:
    model, test, damages = case
    with scratch() as folder:
        put(inputs, folder, "models")
        file = folder / "models" / model / "predictions" / f"{test}.parquet"
        if not damage_predictions(file, damages):
            return

        def right(out: Path, ending: Ending) -> None:
            files = {name: sorted((folder / "models" / name / "predictions").glob("*.parquet")) for name in MODELS}
            read = {
                name: {file.stem: pd.read_parquet(file).reset_index() for file in found}
                for name, found in files.items()
            }
            require_grid(out, {name: accuracies(found) for name, found in read.items() if found})

        attempt("report", "predictions", words_of(models="models"), folder, [model, test], right)


@pytest.mark.slow
@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(case=st.data())
def test_a_kept_report_has_the_numbers_of_its_predictions(all_inputs, case):
    check_kept(all_inputs, case.draw(kept_cases()))


def kept_cases() -> st.SearchStrategy[tuple]:
    """A file of a kept report and its damages."""
    names = st.sampled_from(["prediction", "entailment", "model", "test_set", "gold", "id", "heuristic", "cluster"])
    values = st.one_of(st.sampled_from(CELLS), st.sampled_from(TYPED), st.integers(-5, 2000), st.sampled_from(LABELS))
    column = st.builds(
        Column, st.sampled_from(["drop", "rename", "add", "all", "one"]), names, st.integers(0, 200), values
    )
    rows = st.builds(Rows, st.sampled_from(["none", "fewer", "twice", "one_twice", "turned", "indexed"]))
    tables = st.tuples(st.just("predictions.parquet"), st.lists(st.one_of(column, rows), min_size=1, max_size=2))
    replaced = st.builds(Replaced, st.sampled_from(["gone", "folder", "link", "loop"]))
    files = st.sampled_from(["predictions.parquet", "lineage.jsonl", "report.yaml"])
    content = st.tuples(files, st.lists(st.one_of(byte_damages(), replaced), min_size=1, max_size=1))
    lines = st.tuples(
        st.just("lineage.jsonl"), st.lists(json_damages("model", "parents", "results"), min_size=1, max_size=1)
    )
    return st.one_of(tables, tables, content, lines)


def check_kept(inputs: Path, case: tuple) -> None:
    name, damages = case
    with scratch() as folder:
        put(inputs, folder, "kept")
        file = folder / "kept" / name
        if name == "lineage.jsonl" and not isinstance(damages[0], Bytes | Replaced):
            first, *others = file.read_bytes().splitlines(keepends=True)
            file.write_bytes(json.dumps(json.loads(damages[0](first))).encode() + b"\n" + b"".join(others))
        elif not damage_predictions(file, damages):
            return

        def right(out: Path, ending: Ending) -> None:
            table = pd.read_parquet(folder / "kept" / "predictions.parquet").reset_index()
            wanted = {}
            for model, part in table.groupby("model"):
                rows = {
                    test: found.assign(**{f"logit_{label}": (found["prediction"] == label) * 1.0 for label in LABELS})
                    for test, found in part.groupby("test_set")
                }
                wanted[model] = accuracies(rows)
            require_grid(out, wanted)
            before = pd.read_csv(inputs / "kept" / "grid.csv", index_col="model")
            assert set(before.index) >= set(wanted)

        recipe = [] if name == "report.yaml" else words_of(kept="kept")
        words = recipe or ["kept/report.yaml", "--kept", "kept", "--output_dir", OUT]
        attempt("report", "kept report", words, folder, ["kept", name, "The grid's axis", "Kind "], right)


@dataclass(frozen=True)
class Field:
    """A field of a table in CSV that holds another text."""

    line: int
    place: int
    text: str

    def __call__(self, content: bytes) -> bytes:
        lines = [line.split(b",") for line in content.splitlines()]
        line = lines[self.line % len(lines)]
        line[self.place % len(line)] = self.text.encode("utf-8", "replace")
        return b"\n".join(map(b",".join, lines)) + b"\n"


def fields() -> st.SearchStrategy[Callable[[bytes], bytes]]:
    """Damages of a table in CSV."""
    texts = [
        "",
        " ",
        "nan",
        "NaN",
        "inf",
        "-1",
        "0",
        "1",
        "1.5",
        "0.5",
        "1e3",
        "1_000",
        "99999999999999999999",
        "x",
        "none",
    ]
    texts += [
        "original",
        "synthetic",
        "true",
        "1,2",
        '"',
        '"1"',
        "5000.0",
        " 5000",
        "0x10",
        "é",
        "a\rb",
        "a\0b",
        "-0",
        "٣",
    ]
    field = st.builds(
        Field, st.integers(0, 40), st.integers(0, 9), st.one_of(st.sampled_from(texts), st.text(max_size=4))
    )
    return st.one_of(field, field, field, byte_damages())


@pytest.mark.slow
@settings(max_examples=80, suppress_health_check=list(HealthCheck))
@given(damage=fields())
def test_points_are_those_of_the_file(damage):
    check_points(damage)


def check_points(damage: Callable[[bytes], bytes]) -> None:
    with scratch() as folder:
        lines = PAPER_POINTS.read_bytes().splitlines(keepends=True)
        (folder / "points.csv").write_bytes(damage(b"".join(lines[:8])))

        def right(out: Path, ending: Ending) -> None:
            text = (folder / "points.csv").read_text("utf-8-sig")
            header, *rows = [line.split(",") for line in text.split("\n") if line.strip("\r")]
            points = [dict(zip(header, row, strict=True)) for row in rows]
            grid = pd.read_csv(out / "grid.csv", index_col="model")
            assert len(grid) == len(points)
            for point, (_, shown) in zip(points, grid.iterrows()):
                assert float(point["starting_train_size"]) == shown["start"]
                assert abs(float(point["mnli_matched"]) - shown["mnli_matched"]) < 1e-5

        words = ["--points", "points.csv", "--output_dir", OUT]
        attempt("report", "points", words, folder, ["points.csv"], right)


@pytest.mark.slow
@settings(max_examples=40, suppress_health_check=list(HealthCheck))
@given(damage=fields())
def test_counts_are_those_of_the_file(inputs, damage):
    check_counts(inputs, damage)


COUNTS = """words,label,original_count,original_n,synthetic_count,synthetic_n
raw,entailment,10,100,20,100
raw,neutral,5,100,6,100
raw,contradiction,4,100,8,100
stripped,entailment,12,100,22,100
stripped,neutral,6,100,7,100
stripped,contradiction,5,100,9,100
"""


def check_counts(inputs: Path, damage: Callable[[bytes], bytes]) -> None:
    with scratch() as folder:
        put(inputs, folder, "models")
        (folder / "counts.csv").write_bytes(damage(COUNTS.encode()))

        def right(out: Path, ending: Ending) -> None:
            text = (folder / "counts.csv").read_text("utf-8-sig")
            header, *rows = [line.split(",") for line in text.split("\n") if line.strip("\r")]
            given = [dict(zip(header, row, strict=True)) for row in rows]
            table = pd.read_csv(out / "table1.csv")
            for row in given:
                if row["label"] == "all":
                    continue
                shown = table[(table["words"] == row["words"]) & (table["label"] == row["label"])]
                assert len(shown) == 1
                for column in header[2:]:
                    assert float(row[column]) == shown[column].iloc[0]

        words = words_of(models="models", table1_counts="counts.csv")
        attempt("report", "counts of Table 1", words, folder, ["counts.csv"], right)


# Predictions, points and counts on which a script failed once: with a traceback, or, of rows that are there twice and
# of a table's unknown words, in silence.
FOUND = [
    (check_predictions, ("n0-s0", "hans", [Bytes("pointer")])),
    (check_predictions, ("n0-s0", "hans", [Bytes("empty")])),
    (check_predictions, ("n0-s0", "hans", [Replaced("link")])),
    (check_predictions, ("n0-s0", "hans", [Replaced("twice")])),
    (check_predictions, ("n0-s0", "hans", [Rows("none")])),
    (check_predictions, ("n0-s0", "hans", [Rows("twice")])),
    (check_predictions, ("n0-s0", "hans", [Rows("one_twice")])),
    (check_predictions, ("n0-s0", "hans", [Column("drop", "cluster")])),
    (check_predictions, ("n0-s0", "hans", [Column("one", "gold", 3, "maybe")])),
    (check_predictions, ("n0-s0", "hans", [Column("all", "id", 0, 0)])),
    (check_predictions, ("n0-s0", "mnli_matched", [Column("all", "logit_neutral", 0, "1")])),
    (check_predictions, ("n0-s0", "mnli_matched", [Column("one", "logit_neutral", 4, float("nan"))])),
    (check_counts, Field(1, 0, "sripped")),
    (check_counts, Field(1, 2, "1.5")),
    (check_counts, Field(1, 2, "101")),
]


@pytest.mark.parametrize(("check", "case"), FOUND)
def test_a_file_on_which_a_report_failed_once(inputs, check, case):
    check(inputs, case)


@pytest.mark.parametrize("damage", [Bytes("utf16"), Bytes("empty"), Field(3, 0, "9" * 20), Field(3, 3, "1_0")])
def test_points_on_which_a_report_failed_once(damage):
    check_points(damage)
