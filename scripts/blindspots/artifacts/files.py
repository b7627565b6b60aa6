"""Files: a folder that takes the place of another, JSON without NaN, Markdown tables, hashes. Each once."""

import hashlib
import json
import math
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from blindspots.config.errors import UserError

# Written after the files that they describe.
UNHASHED = {"lineage.json", "README.md"}
# An object of plain values in indented JSON. A line break in the text of JSON is never part of a string.
_FLAT_OBJECT = re.compile(r"\{\n\s+([^{}\[\]]*?)\n\s+\}")


def swap_folder(new: Path, final: Path, replaced: Path) -> None:
    """Rename `new` to `final`; what was there is kept at `replaced`, from where `recover_folder` brings it back."""
    shutil.rmtree(replaced, ignore_errors=True)
    if final.exists():
        final.rename(replaced)
    new.rename(final)


def recover_folder(final: Path, replaced: Path) -> None:
    """Bring a former folder back where a run was killed between the two renames of `swap_folder`."""
    if replaced.exists() and not final.exists():
        replaced.rename(final)


def work_folder(final: Path) -> Path:
    """Where the files of `final` are made until they are whole: `.<name>.work` beside it."""
    return final.parent / f".{final.name}.work"


@contextmanager
def whole_folder(final: Path, what: str, belongs: Callable[[Path], bool]) -> Iterator[Path]:
    """Yield an empty folder that takes the place of `final` when the block ends without an error.

    Args:
        what: name of what `final` holds, for messages, such as "report".
        belongs: whether a non-empty folder that is there is a former one of the same sort, which may be replaced.

    Raises UserError where `final` is a file or holds something else.
    """
    check_replaceable(final, what, belongs)
    final = final.absolute()
    work = work_folder(final)
    recover_folder(final, work / "replaced")
    shutil.rmtree(work, ignore_errors=True)
    (work / "new").mkdir(parents=True)
    yield work / "new"
    swap_folder(work / "new", final, work / "replaced")
    shutil.rmtree(work)


def check_replaceable(final: Path, what: str, belongs: Callable[[Path], bool]) -> None:
    """Raise UserError where `final` is a file, or a folder with other files than those of a former `what`."""
    if final.is_file():
        raise UserError(f"output_dir {final} is a file; name a folder.")
    if final.is_dir() and any(final.iterdir()) and not belongs(final):
        raise UserError(f"output_dir {final} holds files that are not of a former {what}; name an empty folder.")


def without_nan(value: Any) -> Any:
    """The value with NaN and infinity as None, as JSON needs it."""
    if isinstance(value, dict):
        return {key: without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_nan(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


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


def markdown_table(rows: Sequence[dict[str, Any]], columns: Sequence[str] | None = None) -> str:
    """Rows with the same keys as a pipe table; a column without letters is set right. Empty for no rows and columns.

    Args:
        columns: names of the columns, by default the keys of the first row.
    """
    columns = list(rows[0]) if columns is None and rows else list(columns or [])
    if not columns:
        return ""
    align = ["---:" if is_numeric(str(row[column]) for row in rows) else "---" for column in columns]
    lines = [columns, align, *([row[column] for column in columns] for row in rows)]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines) + "\n"


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
    """sha256 and bytes of every file but the card and the lineage, and one hash of them all."""
    files = {
        path.relative_to(folder).as_posix(): {"sha256": hash_file(path), "bytes": path.stat().st_size}
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in UNHASHED and ".cache" not in path.relative_to(folder).parts
    }
    return files, hash_json({name: file["sha256"] for name, file in files.items()})
