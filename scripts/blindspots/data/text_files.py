"""Rows of .tsv, .csv, .json and .jsonl files: every one of them, or a line that says where the file is broken.

pandas and `datasets` join lines at quotes, split them at lone carriage returns and read "n/a" as a missing value; none
of the three is visible in the result.
"""

import csv
import gzip
import json
import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa

from blindspots.artifacts.files import parse_json
from blindspots.config.errors import UserError, one_line

BATCH_ROWS = 10_000
# One record by RFC 4180: a field with a quote in it stands in quotes, and there the quote is doubled.
_FIELD = r'(?:"[^"]*(?:""[^"]*)*"|[^",]*)'
_CSV_RECORD = re.compile(rf"{_FIELD}(?:,{_FIELD})*")
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_JSON_KINDS = {
    str: "text",
    int: "a number",
    float: "a number",
    bool: "true or false",
    list: "a list",
    dict: "an object",
}

Lines = Iterator[tuple[int, str]]


def ending(file: Path) -> str:
    """The ending that says how a file is read, such as .tsv or .tsv.gz, in lower case."""
    suffixes = [suffix.lower() for suffix in file.suffixes]
    return "".join(suffixes[-2:] if suffixes[-1:] == [".gz"] else suffixes[-1:])


def read_text_file(file: Path, where: str) -> pa.Table:
    """All rows of a text file with one of TEXT_ENDINGS.

    Columns of .tsv and .csv are text, and an empty field is an empty text; those of JSON have the types of its values.

    Args:
        where: name of the file, for messages.

    Raises UserError naming the line for what is not UTF-8, not gzip, not JSON or not CSV, and for a row whose fields
    are not those of the header; also for a file without rows.
    """
    tables = list(_FORMATS[ending(file)](_lines(file, where), where))
    if not tables:
        raise UserError(f"{where} has no rows.")
    return joined(tables, where)


def joined(tables: Iterable[pa.Table], where: str) -> pa.Table:
    """Tables one below the other. Raises UserError where a column has types that do not go together."""
    try:
        return pa.concat_tables(tables, promote_options="permissive")
    except pa.ArrowException as error:
        raise UserError(f"{where}: a column holds values of several types: {one_line(error)}") from None


def _lines(file: Path, where: str) -> Lines:
    """Number and text of each line with its end, which is a line feed: a lone carriage return is part of the text."""
    number = 0
    try:
        with (gzip.open if file.suffix.lower() == ".gz" else open)(file, "rb") as stream:
            for number, line in enumerate(stream, 1):
                yield number, line.decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError as error:
        byte = error.object[error.start]
        raise UserError(f"{where}, line {number}: byte 0x{byte:02x} is not UTF-8. Save the file as UTF-8.") from None
    except (EOFError, zlib.error, OSError) as error:
        raise UserError(f"{where} can't be read after line {number}: {one_line(error)}") from None


def _read_tsv(lines: Lines, where: str) -> Iterator[pa.Table]:
    """Lines of fields between tabs; a quote is a character like any other."""

    def records() -> Iterator[tuple[int, list[str]]]:
        line_end = "\n"
        for number, line in lines:
            if number == 1 and line.endswith("\r\n"):
                line_end = "\r\n"
            yield number, line.removesuffix(line_end).split("\t")

    return _with_header(records(), where)


def _read_csv(lines: Lines, where: str) -> Iterator[pa.Table]:
    return _with_header(_csv_records(lines, where), where)


def _csv_records(lines: Lines, where: str) -> Iterator[tuple[int, list[str]]]:
    """The first line and the fields of each record."""
    raw: list[str] = []

    def noted() -> Iterator[str]:
        for _, line in lines:
            raw.append(line)
            yield line

    reader = csv.reader(noted(), strict=True)
    while True:
        first = reader.line_num + 1
        raw.clear()
        try:
            fields = next(reader, None)
        except csv.Error as error:
            raise UserError(f"{where}, line {first}: not CSV by RFC 4180: {one_line(error)}.") from None
        if fields is None:
            return
        if not _CSV_RECORD.fullmatch("".join(raw).rstrip("\r\n")):
            raise UserError(
                f"{where}, line {first}: a quote stands in a field without quotes around it. Quote the field and "
                "double its quotes, or save the file as .tsv or .jsonl."
            )
        if len(fields) > 1 < len(raw) and all(line.count(",") == len(fields) - 1 for line in raw[:-1]):
            raise UserError(
                f"{where}, lines {first} to {reader.line_num}: one row if its quotes enclose a field, several rows if "
                "they are text. Save the file as .tsv or .jsonl."
            )
        yield first, fields or [""]


def _with_header(records: Iterator[tuple[int, list[str]]], where: str) -> Iterator[pa.Table]:
    """Tables of text from records, the first of which names the columns. A blank line is not a row.

    Raises UserError for a repeated name and for a row with more or fewer fields.
    """
    columns = next(records, (1, []))[1]
    if repeated := next((name for name in columns if columns.count(name) > 1), None):
        raise UserError(f"{where}: the header names column {repeated!r} twice.")
    if any("\r" in name for name in columns):
        raise UserError(f"{where}: the header holds a carriage return. Save the file with line feeds as line ends.")
    while batch := list(islice(records, BATCH_ROWS)):
        rows = [(number, fields) for number, fields in batch if fields != [""] or len(columns) == 1]
        for number, fields in rows:
            if len(fields) != len(columns):
                raise UserError(
                    f"{where}, line {number}: {len(fields)} fields where the header names {len(columns)}: "
                    f"{', '.join(columns)}."
                )
        if rows:
            texts = zip(*(fields for _, fields in rows))
            yield pa.table({name: pa.array(column, pa.string()) for name, column in zip(columns, texts)})


def _read_json_lines(lines: Lines, where: str) -> Iterator[pa.Table]:
    def rows() -> Iterator[tuple[str, Any]]:
        for number, line in lines:
            if line.strip():
                yield f"line {number}", _parsed(line, f"{where}, line {number}")

    return _json_tables(rows(), where)


def _read_json(lines: Lines, where: str) -> Iterator[pa.Table]:
    """A list of objects, or an object per line."""
    text = "".join(line for _, line in lines)
    if not text.lstrip().startswith("["):
        return _read_json_lines(enumerate(text.split("\n"), 1), where)
    rows = enumerate(_parsed(text, where), 1)
    return _json_tables(((f"item {number}", row) for number, row in rows), where)


def _parsed(text: str, where: str) -> Any:
    try:
        value = parse_json(text)
        if _SURROGATE.search(text):
            json.dumps(value, ensure_ascii=False).encode()  # half of a pair is no character
    except (ValueError, RecursionError) as error:
        raise UserError(f"{where}: not JSON: {one_line(error)}") from None
    return value


def _json_tables(rows: Iterator[tuple[str, Any]], where: str) -> Iterator[pa.Table]:
    """Tables of objects; a key that an object lacks is null there."""
    kinds: dict[str, tuple[str, str]] = {}
    while batch := list(islice(rows, BATCH_ROWS)):
        for place, row in batch:
            _check_object(row, kinds, where, place)
        names = dict.fromkeys(name for _, row in batch for name in row)
        try:
            yield pa.table({name: [row.get(name) for _, row in batch] for name in names})
        except (pa.ArrowException, OverflowError) as error:
            raise UserError(f"{where}, {batch[0][0]} to {batch[-1][0]}: {one_line(error)}") from None


def _check_object(row: Any, kinds: dict[str, tuple[str, str]], where: str, place: str) -> None:
    """Raise UserError for what is not an object and for a value of another kind than the column's first one.

    Args:
        kinds: kind and place of the first value of each column; new columns are added.
    """
    if not isinstance(row, dict):
        raise UserError(f"{where}, {place}: not a JSON object.")
    for name, value in row.items():
        if value is None:
            continue
        kind = _JSON_KINDS[type(value)]
        expected, first = kinds.setdefault(name, (kind, place))
        if kind != expected:
            raise UserError(f"{where}, {place}: {name} is {kind}, but {expected} in {first}.")


_PLAIN: dict[str, Callable[[Lines, str], Iterator[pa.Table]]] = {
    ".tsv": _read_tsv,
    ".csv": _read_csv,
    ".jsonl": _read_json_lines,
    ".ndjson": _read_json_lines,
    ".json": _read_json,
}
_FORMATS = _PLAIN | {f"{name}.gz": read for name, read in _PLAIN.items()}
TEXT_ENDINGS = tuple(_FORMATS)
