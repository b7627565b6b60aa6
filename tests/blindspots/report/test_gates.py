"""Gates: starts that could show an effect, and biased data that have it."""

import pytest

from blindspots.config.paths import PAPER_POINTS
from blindspots.report.collect import read_grid
from blindspots.report.gates import gates
from blindspots.report.points import read_points

AXES = {"seeds": [0, 1, 2, 3], "starts": [900], "sizes": [60]}


def passed(grid) -> list[bool | None]:
    return [gate.passed for gate in gates(grid)]


def test_the_papers_points_show_the_effect_of_biased_data_and_leave_the_ability_unknown():
    grid = read_points(PAPER_POINTS)
    # Two of its starts lie above .95, and their probabilities are not known.
    assert passed(grid) == [None, None, True]
    assert gates(grid)[0].seen == "3 of 5 starts; HANS LO-non-entailment from 0.641 to 0.965"
    assert gates(grid)[1].seen == "not known"
    assert gates(grid)[2].seen.startswith("HANS LO-non-entailment, synthetic - biased synthetic: +0.3")


def test_models_with_ability_and_a_harmful_biased_set_pass(make_grid):
    grid = read_grid(make_grid(**AXES, right={None: 0.7, "original": 0.8, "synthetic": 0.8, "biased_synthetic": 0.1}))
    assert passed(grid) == [True, True, True]


def test_starts_on_the_floor_or_without_ability_do_not(make_grid):
    grid = read_grid(make_grid(**AXES))
    assert passed(grid)[0] is True
    grid.models.loc["n900-s2", ["hans_lo_non_entailment", "hans_lo_non_entailment_probability"]] = 0.02
    grid.models.loc["n900-s3", "hans_lo_auroc"] = 0.45
    assert passed(grid)[:2] == [False, False]
    assert gates(grid)[0].seen.startswith("3 of 4 starts; HANS LO-non-entailment from 0.020 to ")


def test_a_mean_probability_off_its_bounds_is_enough(make_grid):
    grid = read_grid(make_grid(**AXES))
    starts = grid.models["kind"] == "start"
    grid.models.loc[starts, "hans_lo_non_entailment"] = 0.0
    grid.models.loc[starts, "hans_lo_non_entailment_probability"] = 0.2
    assert passed(grid)[0] is True


def test_biased_data_without_the_effect_are_no_control(make_grid):
    right = {None: 0.7, "original": 0.8, "synthetic": 0.8, "biased_synthetic": 0.8}
    assert passed(read_grid(make_grid(**AXES, right=right)))[2] is False


@pytest.mark.parametrize("axes", [{"kinds": ["original", "synthetic"]}, {"starts": [0]}])
def test_what_a_grid_does_not_have_is_not_known(make_grid, axes):
    assert None in passed(read_grid(make_grid(**(AXES | axes))))
