"""The text of files: JSON without NaN, Markdown tables, hashes. Each once."""

import hashlib
import json
import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from blindspots.artifacts.markdown import Markdown, inline
from blindspots.config.errors import UserError

# Written after the files that they describe.
UNHASHED = {"lineage.json", "README.md"}
# An object of plain values in indented JSON. A line break in the text of JSON is never part of a string.
_FLAT_OBJECT = re.compile(r"\{\n\s+([^{}\[\]]*?)\n\s+\}")


def without_nan(value: Any) -> Any:
    """The value with NaN and infinity as None, as JSON needs it."""
    if isinstance(value, dict):
        return {key: without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_nan(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def parse_json(text: str | bytes) -> Any:
    """The value of a JSON text. Raises ValueError for a broken one and for an object that names a key twice."""
    return json.loads(text, object_pairs_hook=_distinct)


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError(f"an object names a key twice: {', '.join(name for name, _ in pairs)}")
    return found


def json_text(value: Any, indent: int | None = 1, flat_objects: bool = False) -> str:
    """The text of a JSON file: UTF-8, NaN as null, a line break at the end.

    Args:
        indent: spaces per level; None writes one line.
        flat_objects: write an object of plain values on one line, for readers and diffs.
    """
    text = json.dumps(without_nan(value), indent=indent, ensure_ascii=False, allow_nan=False)
    if flat_objects:
        text = _FLAT_OBJECT.sub(lambda match: "{" + re.sub(r"\n\s+", " ", match[1]) + "}", text)
    return text + "\n"


def write_json(file: Path, value: Any, indent: int | None = 1, flat_objects: bool = False) -> None:
    """Write `json_text` to a file."""
    file.write_text(json_text(value, indent, flat_objects), encoding="utf-8")


def write_whole(file: Path, text: str) -> None:
    """Write a text file that a reader, or another writer, finds either as it was or as it will be."""
    new = file.with_name(f".{file.name}.new")
    new.write_text(text, encoding="utf-8")
    new.replace(file)


def markdown_table(rows: Sequence[dict[str, Any]], columns: Sequence[str] | None = None) -> Markdown:
    """Rows with the same keys as a pipe table; a column without letters is set right. Empty for no rows and columns.

    Cells and names of columns are escaped, but for those that are Markdown already.

    Args:
        columns: names of the columns, by default the keys of the first row.
    """
    columns = list(rows[0]) if columns is None and rows else list(columns or [])
    if not columns:
        return Markdown()
    align = ["---:" if is_numeric(str(row[column]) for row in rows) else "---" for column in columns]
    lines = [columns, map(Markdown, align), *([row[column] for column in columns] for row in rows)]
    return Markdown("\n".join("| " + " | ".join(map(_cell, line)) + " |" for line in lines) + "\n")


def _cell(value: Any) -> Markdown:
    return value if isinstance(value, Markdown) else inline(value)


def is_numeric(texts: Iterator[str]) -> bool:
    """Whether no text of a column holds a letter."""
    return not any(character.isalpha() for text in texts for character in text)


def hash_file(path: Path) -> str:
    """sha256 of a file, in hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def hash_json(value: Any) -> str:
    """sha256 of a value's canonical JSON, in hex."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def hash_folder(folder: Path) -> tuple[dict[str, dict[str, Any]], str]:
    """sha256 and bytes of every file but the card and the lineage, and one hash of them all. Links are followed.

    Raises UserError for a link that leads back to a folder around it.
    """
    files = {
        path.relative_to(folder).as_posix(): {"sha256": hash_file(path), "bytes": path.stat().st_size}
        for path in _paths(folder)
        if path.is_file() and path.name not in UNHASHED
    }
    return files, hash_json({name: file["sha256"] for name, file in files.items()})


def _paths(folder: Path, above: frozenset[Path] = frozenset()) -> Iterator[Path]:
    """All but folders below a folder, in order, without caches. Linked folders are read, as `datasets` reads them."""
    real = folder.resolve()
    if real in above:
        raise UserError(f"{folder} is a link back to {real}, which it lies in, so it has no end. Remove the link.")
    for path in sorted(path for path in folder.iterdir() if path.name != ".cache"):
        if path.is_dir():
            yield from _paths(path, above | {real})
        else:
            yield path
