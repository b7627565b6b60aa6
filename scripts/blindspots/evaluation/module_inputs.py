"""Inputs of `evaluate` modules as plain values, and modules that a refused input leaves as they were.

This file imports nothing of the project: `evaluate_modules/*` link to it, so that a pushed module stands alone.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np


def plain_values(values: Iterable[Any]) -> list:
    """Values of a list, array, tensor or series as Python's own, so that equal ones are equal."""
    if hasattr(values, "tolist"):
        return values.tolist()
    return [value.item() if hasattr(value, "item") else value for value in values]


def refuse_bools(name: str, values: Iterable[Any]) -> None:
    """Raise ValueError for a bool, which would otherwise pass as label 0 or 1."""
    for row, value in enumerate(plain_values(values)):
        if isinstance(value, bool | np.bool_):
            raise ValueError(f"Row {row}: {name} {value} is a bool; give a label's name or its id.")


class CheckedInputs:
    """Put before an `evaluate` module class: refuses bools, and a call that fails does not spoil the next one.

    evaluate 0.4.6 keeps the half-written batch and the feature types of a failed call.
    """

    def add_batch(self, **columns: Any) -> None:
        """Add a batch of inputs, by column. Raises ValueError for a bool."""
        for name, values in columns.items():
            if values is not None:
                refuse_bools(name, values)
        self._or_reset(super().add_batch, **columns)

    def add(self, **values: Any) -> None:
        """Add one row of inputs. Raises ValueError for a bool."""
        for name, value in values.items():
            refuse_bools(name, [value])
        self._or_reset(super().add, **values)

    def compute(self, **columns: Any) -> dict | None:
        """Compute the results of the inputs, and of what was added before."""
        return self._or_reset(super().compute, **columns)

    def _or_reset(self, call: Any, **arguments: Any) -> Any:
        try:
            return call(**arguments)
        except Exception:
            self.writer = self.buf_writer = self.selected_feature_format = self.data = None
            raise
