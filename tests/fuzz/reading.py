"""What a file of rows holds, read without any of the project's code: what an accepted input is compared with."""

import csv
import gzip
import io
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

LABELS = ("entailment", "neutral", "contradiction")
NO_LABEL = "-"


def records(file: Path) -> list[dict[str, Any]]:
    """The rows of a file, with the names of labels that its metadata gives numbers."""
    content, name = file.read_bytes(), file.name.lower()
    if name.endswith(".gz"):
        content, name = gzip.decompress(content), name.removesuffix(".gz")
    if name.endswith((".parquet", ".arrow")):
        return _from_arrow(content, name)
    text = content.decode("utf-8-sig")
    if name.endswith(".tsv"):
        end = "\r\n" if text.partition("\n")[0].endswith("\r") else "\n"
        rows = [line.removesuffix("\r") if end == "\r\n" else line for line in text.split("\n")]
        header, *rows = [row.split("\t") for row in rows]
        return [dict(zip(header, row, strict=True)) for row in rows if row != [""] or len(header) == 1]
    if name.endswith(".csv"):
        header, *rows = csv.reader(io.StringIO(text, newline=""), strict=True)
        return [dict(zip(header, row, strict=True)) for row in rows if row]
    if name.endswith(".json") and text.lstrip().startswith("["):
        return json.loads(text)
    return [json.loads(line) for line in text.split("\n") if line.strip()]


def _from_arrow(content: bytes, name: str) -> list[dict[str, Any]]:
    if name.endswith(".parquet"):
        table = pq.read_table(io.BytesIO(content))
    else:
        try:
            table = pa.ipc.open_stream(content).read_all()
        except pa.ArrowInvalid:
            table = pa.ipc.open_file(content).read_all()
    assert len(set(table.column_names)) == len(table.column_names), "two columns of one name"
    info = json.loads((table.schema.metadata or {}).get(b"huggingface", b"{}")).get("info")
    features = (info.get("features") or {}) if isinstance(info, dict) else {}
    rows = table.to_pylist()
    for column, feature in features.items():
        if feature.get("_type") == "ClassLabel":
            for row in rows:
                row[column] = _named(row[column], feature["names"])
    return rows


def _named(value: Any, names: list[str]) -> Any:
    return names[value] if isinstance(value, int) and 0 <= value < len(names) else value


def pairs(rows: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    """Premise, hypothesis and label of each row; the label as a name in small letters, NO_LABEL where it has none."""
    column = next(name for name in ("label", "gold_label", "gold") if any(name in row for row in rows))
    return [(row["premise"], row["hypothesis"], _label(row.get(column))) for row in rows]


def _label(value: Any) -> str:
    return NO_LABEL if value in (None, "", -1, "-1", "-") else str(value).strip().lower()


def labelled(rows: list[tuple[str, str, str]]) -> Counter:
    """The pairs that have a label, with how often each is there."""
    return Counter(row for row in rows if row[2] != NO_LABEL)


def artifact_pairs(*files: Path) -> Counter:
    """The pairs of the parquet files of an artifact."""
    return Counter(pair for file in files for pair in pairs(records(file)))
