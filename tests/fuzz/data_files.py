"""Files of rows, valid and with values that nobody meant, in every format that the scripts read."""

import csv
import gzip
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from datasets import ClassLabel, Dataset
from hypothesis import strategies as st

from .damage import Json, json_damages

LABELS = ("entailment", "neutral", "contradiction")
TEXT_FORMATS = ("tsv", "csv", "jsonl", "json", "tsv.gz", "csv.gz", "jsonl.gz", "json.gz", "ndjson")
FORMATS = (*TEXT_FORMATS, "parquet", "arrow")

Columns = dict[str, list]


def columns(rows: int = 18) -> Columns:
    """Rows in MNLI's columns, six of each label, with commas, quotes and letters beyond ASCII in them."""
    names = ["artist", "doctor", "café owner", "judge", "student", 'so-called "senator"']
    return {
        "pairID": [f"{row}{LABELS[row % 3][0]}" for row in range(rows)],
        "premise": [f"The {names[row % 6]}, number {row}, slept." for row in range(rows)],
        "hypothesis": [f"Number {row} {'slept' if row % 2 else 'ran'}." for row in range(rows)],
        "genre": ["fiction", "travel"] * (rows // 2),
        "label": [LABELS[row % 3] for row in range(rows)],
    }


def rows_of(table: Columns) -> int:
    """The number of rows."""
    return len(next(iter(table.values()), []))


# What a cell may hold beside its text.
CELLS = [
    None,
    "",
    " ",
    "n/a",
    "null",
    "NaN",
    "nan",
    "None",
    "true",
    "-",
    "-1",
    "0",
    "1e5",
    "007",
    '"',
    '""',
    'a "quoted" word',
    '"all of it"',
    "a,b",
    "a\tb",
    "a\nb",
    "a\rb",
    "a\r\nb",
    "a\0b",
    "a\x0bb",
    "a\x1cb",
    "a\x85b",
    "a\u2028b",
    "\ufeff",
    "\u202e",
    "é",
    "e\u0301",
    "日本",
    "🙂",
    "\\",
    "\\n",
    "=1+1",
    "Entailment",
    "NEUTRAL ",
    "non-entailment",
    "maybe",
    "x" * 3000,
    "word " * 400,
]
# What the cells of a typed column may hold.
TYPED = [
    0,
    1,
    2,
    -1,
    3,
    2**40,
    2**70,
    -(2**70),
    0.5,
    float("nan"),
    float("inf"),
    True,
    False,
    b"x",
    [],
    ["a"],
    {"a": 1},
    {},
]


@dataclass(frozen=True)
class Cell:
    """One cell of a column, or all of them, hold another value."""

    column: str
    row: int
    value: Any
    every: bool = False

    def __call__(self, table: Columns) -> Columns:
        cells = list(table.get(self.column, [None] * rows_of(table)))
        chosen = range(len(cells)) if self.every else [self.row % len(cells)] if cells else []
        for row in chosen:
            cells[row] = self.value
        return table | {self.column: cells}


@dataclass(frozen=True)
class Shape:
    """Another set of columns or rows."""

    how: str
    column: str
    other: str

    def __call__(self, table: Columns) -> Columns:
        if self.how == "drop":
            return {name: cells for name, cells in table.items() if name != self.column}
        if self.how == "rename":
            return {self.other if name == self.column else name: cells for name, cells in table.items()}
        if self.how == "copy":
            return table | {self.other: table.get(self.column, ["x"] * rows_of(table))}
        if self.how == "numbers":
            numbers = {name: number for number, name in enumerate(LABELS)}
            return table | {"label": [numbers.get(cell, cell) for cell in table["label"]]}
        rows = {"none": 0, "one": 1, "two": 2, "twice": None}[self.how]
        return {name: cells * 2 if rows is None else cells[:rows] for name, cells in table.items()}


# Types of Arrow's that text may have, and others.
TYPES = {
    "large": pa.large_string(),
    "view": pa.string_view(),
    "dictionary": pa.dictionary(pa.int8(), pa.string()),
    "binary": pa.binary(),
    "list": pa.list_(pa.string()),
    "struct": pa.struct({"text": pa.string()}),
    "map": pa.map_(pa.string(), pa.string()),
    "time": pa.timestamp("s"),
    "float": pa.float32(),
    "null": pa.null(),
    "decimal": pa.decimal128(5),
}


WRAPPED = {
    "list": lambda cell: [cell],
    "struct": lambda cell: {"text": cell},
    "map": lambda cell: [("text", cell)],
    "null": lambda cell: None,
    "time": lambda cell: 0,
    "float": lambda cell: 0.5,
    "decimal": lambda cell: 1,
}


@dataclass(frozen=True)
class Arrow:
    """A parquet or arrow file of rows whose schema nobody meant.

    types: by column, one of TYPES; twice: a column that is there twice; metadata: damage of what `datasets` writes of
    the label's names; index: whether pandas' index is kept; codec: compression of parquet; parts: row groups.
    """

    ending: str
    types: dict[str, str]
    twice: str | None = None
    metadata: Json | None = None
    index: bool = False
    codec: str = "snappy"
    parts: int = 1

    def content(self) -> bytes:
        table = pa.Table.from_pydict(columns())
        if self.metadata:
            table = _with_label_names(table, self.metadata)
        for name, kind in self.types.items():
            if name == "label" and self.metadata:
                continue
            cells = [WRAPPED.get(kind, lambda cell: cell)(cell) for cell in table[name].to_pylist()]
            table = table.set_column(table.column_names.index(name), name, pa.array(cells, TYPES[kind]))
        if self.index:
            frame = table.to_pandas()
            table = pa.Table.from_pandas(frame.set_index("pairID"), preserve_index=True)
        if self.twice:
            table = table.append_column(self.twice, table[self.twice])
        return _written(table, self.ending, self.codec, len(table) // self.parts)


def _with_label_names(table: pa.Table, damage: Json) -> pa.Table:
    numbers = pa.array([LABELS.index(label) for label in table["label"].to_pylist()])
    table = table.set_column(table.column_names.index("label"), "label", numbers)
    dataset = Dataset(table).cast_column("label", ClassLabel(names=list(LABELS)))
    metadata = damage(dataset.data.schema.metadata[b"huggingface"])
    return table.replace_schema_metadata({b"huggingface": metadata})


def _written(table: pa.Table, ending: str, codec: str = "snappy", part_rows: int | None = None) -> bytes:
    stream = io.BytesIO()
    if ending == "parquet":
        pq.write_table(table, stream, compression=codec, row_group_size=part_rows)
    else:
        make = pa.ipc.new_stream if codec == "snappy" else pa.ipc.new_file
        with make(stream, table.schema) as writer:
            writer.write_table(table, max_chunksize=part_rows)
    return stream.getvalue()


def arrow_files() -> st.SearchStrategy[Arrow]:
    """Parquet and arrow files whose schema nobody meant."""
    names = st.sampled_from(["premise", "hypothesis", "label", "pairID", "genre"])
    types = st.dictionaries(names, st.sampled_from(sorted(TYPES)), max_size=2)
    return st.builds(
        Arrow,
        st.sampled_from(["parquet", "arrow"]),
        types,
        st.one_of(st.none(), st.none(), names),
        st.one_of(st.none(), json_damages("info")),
        st.booleans(),
        st.sampled_from(["snappy", "gzip", "zstd", "brotli", "none"]),
        st.integers(1, 3),
    )


def table_damages() -> st.SearchStrategy[Callable[[Columns], Columns]]:
    """Damages of rows and columns."""
    names = [
        "pairID",
        "premise",
        "hypothesis",
        "genre",
        "label",
        "promptID",
        "id",
        "idx",
        "cluster",
        "text",
        "gold_label",
    ]
    cell = st.one_of(st.sampled_from(CELLS), st.sampled_from(CELLS), st.sampled_from(TYPED), st.text(max_size=6))
    rows = st.integers(0, 40)
    main = st.sampled_from(["premise", "hypothesis", "label", "pairID"])
    shapes = ["drop", "rename", "copy", "none", "one", "two", "twice", "numbers"]
    return st.one_of(
        st.builds(Cell, main, rows, cell),
        st.builds(Cell, main, rows, cell),
        st.builds(Cell, st.sampled_from(names), rows, cell, st.booleans()),
        st.builds(Shape, st.sampled_from(shapes), st.sampled_from(names), st.sampled_from(names)),
    )


def content_of(table: Columns, ending: str) -> bytes | None:
    """The bytes of a file of these columns; None where the format can't hold them."""
    if ending.endswith(".gz"):
        content = content_of(table, ending.removesuffix(".gz"))
        return None if content is None else gzip.compress(content, mtime=0)
    try:
        if ending in ("parquet", "arrow"):
            return _binary(table, ending)
        rows = [dict(zip(table, cells)) for cells in zip(*table.values())]
        if ending in ("jsonl", "ndjson"):
            return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()
        if ending == "json":
            return json.dumps(rows, indent=1).encode()
        return _separated(table, ending)
    except (TypeError, ValueError, OverflowError, pa.ArrowException):
        return None


def _separated(table: Columns, ending: str) -> bytes:
    lines = [list(table), *zip(*table.values())]
    texts = [["" if cell is None else str(cell) for cell in line] for line in lines]
    if ending == "tsv":
        return "".join("\t".join(line) + "\n" for line in texts).encode()
    stream = io.StringIO(newline="")
    csv.writer(stream, lineterminator="\n").writerows(texts)
    return stream.getvalue().encode()


def _binary(table: Columns, ending: str) -> bytes:
    arrow = pa.table({name: pa.array(cells) for name, cells in table.items()})
    labels = table.get("label")
    if labels and all(type(label) is int for label in labels) and max(labels) < 3 and min(labels) >= -1:
        dataset = Dataset(arrow).cast_column("label", ClassLabel(names=list(LABELS)))  # as `datasets` writes it
        arrow = arrow.replace_schema_metadata(dataset.data.schema.metadata)
    return _written(arrow, ending)
