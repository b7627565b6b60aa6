"""A key of a recipe: a dataclass field with its meaning and limits."""

import copy
import dataclasses
from typing import Any


def key(
    help: str,
    default: Any = dataclasses.MISSING,
    choices: tuple[str, ...] = (),
    minimum: int | None = None,
    group: str | None = None,
) -> Any:
    """A dataclass field with its meaning and limits (of each item of a list); without a default it is required."""
    metadata = {"help": help, "choices": choices, "minimum": minimum, "group": group}
    if isinstance(default, list | dict):
        return dataclasses.field(default_factory=lambda: copy.copy(default), metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)
