"""Files of rows with damaged bytes or strange values: what is read is what an independent reading finds in them."""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from . import reading
from .damage import Json, byte_damages
from .data_files import FORMATS, Arrow, arrow_files, columns, content_of, table_damages
from .made_inputs import TRAINING, flag, put
from .running import OUT, Ending, attempt, scratch

DATA = "rows"


@dataclass(frozen=True)
class Reader:
    """A script that reads a file of rows.

    words: its command line, without the output; keys: what the file is named as; reads: further inputs.
    right: (output, what it printed, rows of the file) -> raises AssertionError where the output is not made of them.
    """

    words: dict[str, Any]
    keys: str
    reads: tuple[str, ...]
    right: Callable[[Path, Ending, list[dict]], None]


def lineage(out: Path) -> dict[str, Any]:
    return json.loads((out / "lineage.json").read_text("utf-8"))


def prepared(out: Path, ending: Ending, rows: list[dict]) -> None:
    found = reading.pairs(rows)
    texts = Counter(pair[:2] for pair in found if pair[2] != reading.NO_LABEL)
    once = {pair: 1 for pair in reading.labelled(found) if texts[pair[:2]] == 1}
    assert reading.artifact_pairs(*out.glob("data/full/*.parquet")) == once
    assert lineage(out)["row_counts"]["read"] == len(rows)


def drawn(out: Path, ending: Ending, rows: list[dict]) -> None:
    found = reading.labelled(reading.pairs(rows))
    part = reading.artifact_pairs(out / "data/n6/train-00000-of-00001.parquet")
    assert part.total() == 6
    assert part.keys() <= found.keys()
    assert set(part.values()) == {1}
    assert lineage(out)["row_counts"]["drawn from"] == len(rows) == found.total()


def evaluated(out: Path, ending: Ending, rows: list[dict]) -> None:
    found = reading.pairs(rows)
    predictions = pd.read_parquet(out / "predictions/mnli_matched.parquet")
    assert predictions["gold"].tolist() == [label for _, _, label in found]
    assert lineage(out)["row_counts"] == {"mnli_matched": len(rows)}
    right = (
        predictions[[f"logit_{label}" for label in reading.LABELS]].to_numpy().argmax(1)
        == predictions["gold"].map(reading.LABELS.index)
    ).mean()
    assert abs(lineage(out)["results"]["mnli_matched"] - right) < 1e-9
    if "pairID" in rows[0] and all(str(row["pairID"] or "").strip() for row in rows):
        assert predictions["id"].tolist() == [str(row["pairID"]) for row in rows]


def trained(out: Path, ending: Ending, rows: list[dict]) -> None:
    assert reading.labelled(reading.pairs(rows)).total() == len(rows)
    counts = lineage(out)["row_counts"]
    assert counts["trained on"] + counts["too long"] == len(rows)


def audited(out: Path, ending: Ending, rows: list[dict]) -> None:
    audit = json.loads((out / "audit.json").read_text("utf-8"))["dataset"]
    usable = [
        row for row in rows if all(isinstance(row[key], str) and row[key].strip() for key in ("premise", "hypothesis"))
    ]
    assert (audit["rows"], audit["usable_rows"]) == (len(rows), len(usable))


def tokenised(out: Path, ending: Ending, rows: list[dict]) -> None:
    assert lineage(out)["row_counts"] == {"tokenizer trained on": len(rows)}
    assert all(row[key].strip() for row in rows for key in ("premise", "hypothesis"))


READERS = {
    "prepare_mnli": Reader({"start_sizes": [3], "dev_rows_per_label": 1}, "mnli", (), prepared),
    "build_variants": Reader({"kind": "original", "sizes": [6]}, "original", (), drawn),
    "evaluate_task": Reader({"model": "start"}, "mnli", ("start",), evaluated),
    "finetune_task": Reader({"model_name_or_path": "base"} | TRAINING, "train_dataset", ("base",), trained),
    "finetune_generator": Reader(
        {"model_name_or_path": "base", "bf16": False} | TRAINING, "train_dataset", ("base",), trained
    ),
    "audit_dataset": Reader(
        {"reference": "mnli", "sample_rows": 12, "self_bleu_texts": 3}, "dataset", ("mnli",), audited
    ),
    "make_demo_inputs": Reader({"part": "base"}, "corpus", (), tokenised),
}


def files() -> st.SearchStrategy[tuple]:
    """A format, damages of the table and a damage of the bytes, one of the two at least."""
    tables = st.lists(table_damages(), min_size=1, max_size=2)
    either = st.one_of(
        st.tuples(tables, st.none()), st.tuples(tables, st.none()), st.tuples(st.just([]), byte_damages())
    )
    return st.tuples(st.sampled_from(FORMATS), either)


@pytest.mark.slow
@pytest.mark.parametrize("script", READERS)
@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(case=files())
def test_a_file_is_read_whole_or_refused(inputs, script, case):
    check_file(inputs, script, case)


@pytest.mark.slow
@pytest.mark.parametrize("script", READERS)
@settings(max_examples=25, suppress_health_check=list(HealthCheck))
@given(case=arrow_files())
def test_a_schema_is_understood_or_refused(inputs, script, case):
    check_content(inputs, script, case.ending, case.content())


def check_file(inputs: Path, script: str, case: tuple) -> None:
    ending, (tables, damage) = case
    table = columns()
    for change in tables:
        table = change(table)
    content = content_of(table, ending)
    if content is not None:
        check_content(inputs, script, ending, damage(content) if damage else content)


def check_content(inputs: Path, script: str, ending: str, content: bytes) -> None:
    reader = READERS[script]
    with scratch() as folder:
        put(inputs, folder, *reader.reads)
        file = folder / f"{DATA}.{ending}"
        file.write_bytes(content)
        keys = reader.words | {reader.keys: file.name, "output_dir": OUT}
        attempt(
            script,
            f"data file, {ending}",
            [word for key, value in keys.items() for word in flag(key, value)],
            folder,
            [DATA, "A set of", *reader.words],
            lambda out, ending: reader.right(out, ending, reading.records(file)),
        )


# Metadata that `datasets` does not expect, on which a script failed once.
FOUND = [
    Arrow("arrow", {}, metadata=Json(0, 7, "info")),
    Arrow("arrow", {}, metadata=Json(5, None)),
    Arrow("arrow", {}, metadata=Json(3, True)),
    Arrow("parquet", {}, metadata=Json(677, "")),
    Arrow("parquet", {}, metadata=Json(686, 68)),
]


@pytest.mark.parametrize("case", FOUND)
def test_a_schema_on_which_a_script_failed_once(inputs, case):
    check_content(inputs, "prepare_mnli", case.ending, case.content())
