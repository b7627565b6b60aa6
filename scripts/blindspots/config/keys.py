"""A key of a recipe: a dataclass field with its meaning and limits."""

import copy
import dataclasses
from typing import Any

# numpy's limit.
LARGEST_SEED = 2**32 - 1


def key(
    help: str,
    default: Any = dataclasses.MISSING,
    choices: tuple[str, ...] = (),
    minimum: int | None = None,
    maximum: int | None = None,
    group: str | None = None,
) -> Any:
    """A dataclass field with its meaning and limits (of each item of a list); without a default it is required."""
    metadata = {"help": help, "choices": choices, "minimum": minimum, "maximum": maximum, "group": group}
    if isinstance(default, list | dict):
        return dataclasses.field(default_factory=lambda: copy.copy(default), metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def seed_key(help: str, default: Any) -> Any:
    """A field for one or several seeds."""
    return key(help, default, minimum=0, maximum=LARGEST_SEED)
