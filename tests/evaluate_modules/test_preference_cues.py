"""The measurement: effects of a planted cue, the published method, and bad input."""

from pathlib import Path

import evaluate
import numpy as np
import pytest

MODULE = str(Path(__file__).resolve().parents[2] / "evaluate_modules" / "preference_cues")


@pytest.fixture(scope="module")
def cues():
    return evaluate.load(MODULE)


def pairs(n: int = 200) -> dict:
    rng = np.random.default_rng(0)
    length = rng.normal(size=n)
    human, model = (np.where(rng.random(n) < 1 / (1 + np.exp(-b * length)), "first", "second") for b in (0, 2))
    return {"human": human.tolist(), "model": model.tolist(), "length": length.tolist(), "units": [*range(n // 2)] * 2}


def test_a_model_that_follows_length_where_people_do_not(cues):
    results = cues.compute(**pairs())
    length = results["effects"][1]
    assert (length["cue"], results["n"], results["n_units"]) == ("length", 200, 100)
    assert length["human"]["low"] < 0 < length["human"]["high"]
    assert length["difference"]["low"] > 0.5
    assert length["difference"]["p"] < 1e-6
    assert [row["r"] > 0.3 for row in results["pearson"]] == [False, True]


def test_position_can_be_left_out(cues):
    assert [effect["cue"] for effect in cues.compute(**pairs(), position=False)["effects"]] == ["length"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"human": ["first"] * 199 + ["both"]}, "Row 199: human 'both' is not one of first, tie, second"),
        ({"length": [1.0]}, "There are 1 values of length for 200 pairs"),
        ({"length": [1.0] * 199 + ["2"]}, "Row 199: length '2' is not a finite number"),
        ({"units": [1]}, "There are 1 units for 200 pairs"),
        ({"units": [1] * 200}, "at least two units"),
    ],
)
def test_bad_input_is_an_error_that_says_where(cues, change, message):
    with pytest.raises(ValueError, match=message):
        cues.compute(**(pairs() | change))


def test_choices_without_a_cue_are_refused(cues):
    with pytest.raises(ValueError, match="No cue is given"):
        cues.compute(human=["first", "second"], model=["first", "tie"])
