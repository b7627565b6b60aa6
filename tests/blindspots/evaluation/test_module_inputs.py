"""Inputs of `evaluate` modules."""

import numpy as np
import pandas as pd
import pytest
import torch

from blindspots.evaluation.module_inputs import CheckedInputs, plain_values, refuse_bools


@pytest.mark.parametrize(
    "values",
    [
        [0, 1, 0],
        (0, 1, 0),
        np.array([0, 1, 0]),
        torch.tensor([0, 1, 0]),
        pd.Series([0, 1, 0]),
        [torch.tensor(0), np.int64(1), 0],
    ],
)
def test_equal_values_are_equal_whatever_holds_them(values):
    assert plain_values(values) == [0, 1, 0]
    assert {type(value) for value in plain_values(values)} == {int}


@pytest.mark.parametrize("values", [[0, True], np.array([False, True]), torch.tensor([False, True]), [np.bool_(True)]])
def test_a_bool_is_refused(values):
    with pytest.raises(ValueError, match=r"Row \d: predictions (True|False) is a bool"):
        refuse_bools("predictions", values)


@pytest.mark.parametrize("values", [["entailment", "True"], [0, 1.0, np.float32(2)], torch.tensor([0, 1])])
def test_names_and_ids_are_not_bools(values):
    assert refuse_bools("predictions", values) is None


class Failing:
    """As evaluate's modules: a call that fails leaves its half-written batch behind."""

    writer = None

    def add_batch(self, **columns):
        self.writer = columns
        if "bad" in columns.values():
            raise TypeError("mixed")


class Checked(CheckedInputs, Failing):
    pass


def test_a_call_that_fails_leaves_nothing_for_the_next_one():
    module = Checked()
    with pytest.raises(TypeError):
        module.add_batch(predictions="bad")
    assert module.writer is None
    module.add_batch(predictions="good")
    assert module.writer == {"predictions": "good"}
