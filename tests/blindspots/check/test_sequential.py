"""Looks, levels and verdicts over a growing number of seeds."""

import numpy as np
import pytest

from blindspots.check.render import shown_verdict
from blindspots.check.sequential import HARMS, NO_HARM, UNDECIDED, SequentialTest, levels, overall

LOOKS = (3, 5, 8)
NOISE = np.array([0.001, -0.001, 0.002, -0.002, 0.0, 0.001, -0.001, 0.0])


def look(test: SequentialTest, seeds: int, **differences: float):
    """A look at headlines whose differences vary little about the given ones."""
    scores = {name: (0.5 + value + NOISE[:seeds], np.full(seeds, 0.5)) for name, value in differences.items()}
    return {one.metric: one for one in test.look(scores)}


def test_the_levels_of_the_looks_sum_to_alpha_whatever_they_are():
    for looks in (LOOKS, (12,), (2, 3, 4, 5)):
        assert sum(levels(looks, 0.05)) == pytest.approx(0.05)
        assert min(levels(looks, 0.05)) > 0


def test_a_clear_harm_and_a_clear_absence_of_it_are_told_at_the_first_look():
    found = look(SequentialTest(LOOKS, {"a": 0.02, "b": 0.02}, 0.05), 3, a=-0.2, b=0.1)
    assert (found["a"].verdict, found["a"].decided_at) == (HARMS, 3)
    assert (found["b"].verdict, found["b"].decided_at) == (NO_HARM, 3)
    assert found["a"].estimate == pytest.approx(-0.2, abs=0.01)
    assert found["a"].low < found["a"].estimate < found["a"].high < -0.02


def test_a_drop_within_the_margin_does_no_harm():
    assert look(SequentialTest(LOOKS, {"a": 0.05}, 0.05), 5, a=-0.02)["a"].verdict == NO_HARM


@pytest.mark.parametrize(
    ("original", "own"),
    [
        ([0.012, 0.017, 0.015, 0.013, 0.016], [0.0] * 5),  # the set takes all that there is
        ([0.0] * 5, [0.0] * 5),
        ([0.012, 0.017, 0.015, 0.013, 0.016], [0.014, 0.015, 0.016, 0.015, 0.014]),
        ([0.0, 0.1, 0.0, 0.05, 0.0], [0.0, 0.1, 0.0, 0.05, 0.0]),  # above the margin, but not significantly
    ],
)
def test_where_the_original_score_lies_within_the_margin_of_0_no_harm_is_never_told(original, own):
    test = SequentialTest(LOOKS, {"a": 0.02}, 0.05)
    for seeds in (3, 5):
        (found,) = test.look({"a": (own[:seeds], original[:seeds])})
        assert (found.verdict, found.room, test.more_seeds(found)) == (UNDECIDED, False, None)
        assert "harm could not be seen" in shown_verdict(found)


def test_the_margin_of_each_headline_is_its_own():
    found = look(SequentialTest(LOOKS, {"a": 0.02, "b": 0.2}, 0.05), 5, a=-0.1, b=-0.1)
    assert (found["a"].verdict, found["b"].verdict) == (HARMS, NO_HARM)


def test_an_undecided_headline_says_about_how_many_seeds_are_missing():
    spread = np.array([0.04, -0.05, 0.03, -0.02, 0.05])
    test = SequentialTest((5, 8), {"near": 0.02, "far": 0.02}, 0.05)
    scores = {"near": (0.5 - 0.01 + spread, np.full(5, 0.5)), "far": (0.5 + 0.01 + spread, np.full(5, 0.5))}
    near, far = test.look(scores)
    assert near.verdict == far.verdict == UNDECIDED
    assert test.more_seeds(near) > test.more_seeds(far) > 0


def test_a_difference_at_the_margin_needs_no_sensible_number_of_seeds():
    spread = np.array([0.01, -0.01, 0.02, -0.02, 0.0])
    test = SequentialTest((5,), {"a": 0.02}, 0.05)
    (found,) = test.look({"a": (0.48 + spread, np.full(5, 0.5))})
    assert (found.verdict, test.more_seeds(found)) == (UNDECIDED, None)


def test_a_verdict_stays_whatever_later_looks_show():
    test = SequentialTest(LOOKS, {"a": 0.02}, 0.05)
    assert look(test, 3, a=-0.2)["a"].decided_at == 3
    later = look(test, 5, a=0.2)["a"]
    assert (later.verdict, later.decided_at, later.estimate > 0) == (HARMS, 3, True)


def test_more_headlines_make_each_verdict_harder():
    spread = np.array([0.03, -0.03, 0.02, -0.01, 0.01])
    scores = {name: (0.5 - 0.075 + spread, np.full(5, 0.5)) for name in "abcdefgh"}
    (alone,) = SequentialTest((5, 12), {"a": 0.02}, 0.05).look({"a": scores["a"]})
    first = SequentialTest((5, 12), dict.fromkeys("abcdefgh", 0.02), 0.05).look(scores)[0]
    assert first.p_harm > alone.p_harm
    assert (first.low, first.high) < (alone.low, 1.0)


def test_of_a_set_one_harm_is_enough_and_no_harm_needs_all():
    assert overall([NO_HARM, UNDECIDED, HARMS]) == HARMS
    assert overall([NO_HARM, UNDECIDED]) == UNDECIDED
    assert overall([NO_HARM, NO_HARM]) == NO_HARM


def test_seeds_that_are_no_look_are_refused():
    with pytest.raises(KeyError):
        look(SequentialTest(LOOKS, {"a": 0.02}, 0.05), 4, a=0.0)
