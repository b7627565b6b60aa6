"""What rows are called: by a column that tells them apart, else by their number."""

from collections.abc import Sequence
from typing import Any

from blindspots.config.errors import one_line
from blindspots.config.processes import is_main_process


def as_text(value: Any) -> str:
    """A value as text; empty where it is missing, as None or as a NaN."""
    missing = value is None or (not hasattr(value, "__len__") and value != value)
    return "" if missing else str(value)


def row_ids(values: Sequence[Any] | None, numbers: Sequence[int], where: str, prefix: str = "") -> list[str]:
    """The ids of rows as text. Where they have none, or one of them lacks it, all go by their number.

    Args:
        values: the column of ids, None where there is none.
        numbers: of the rows in their file.
        prefix: put before a number.
    """
    found = [as_text(value) for value in values or []]
    if found and all(name.strip() for name in found):
        return found
    if found:
        note(f"{where}: a row has no id, so that all rows go by their number.")
    return [f"{prefix}{number}" for number in numbers]


def note(text: str) -> None:
    """Print a line, once where several processes read the same rows."""
    if is_main_process():
        print(one_line(text))


def repeated(names: Sequence[str]) -> str | None:
    """The first name that occurs a second time, None where each occurs once."""
    known = set()
    return next((name for name in names if name in known or known.add(name)), None)
