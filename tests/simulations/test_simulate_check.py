"""Checks of a dataset by simulation: false verdicts stay below alpha, and a planted effect is found."""

import pytest
import simulate_check
from simulate_check import ALPHA, World, simulated

from blindspots.artifacts.files import markdown_table
from blindspots.check.sequential import HARMS, NO_HARM


def test_verdicts_at_the_edge_of_the_margin_are_seldom_false():
    found = simulated(World((-1.0, -1.0)), checks=150)
    assert found[f"some {HARMS}"] <= 2 * ALPHA
    assert found[f"some {NO_HARM}"] <= 2 * ALPHA


def test_a_planted_harm_is_found_and_a_harmless_set_is_cleared():
    assert simulated(World((-4.0, 0.0), sd=0.5), checks=50)[HARMS] > 0.9
    assert simulated(World((0.0, 0.0), sd=0.25), checks=50)[NO_HARM] > 0.9


@pytest.mark.slow
def test_the_committed_table_is_made_again_and_keeps_alpha():
    text = simulate_check.FILE.read_text("utf-8")
    lines = [simulate_check.edge_line(world) for world in simulate_check.AT_THE_EDGE]
    assert markdown_table(lines).rstrip() in text
    for line in lines:
        assert float(line["false harm"]) <= ALPHA
        assert float(line["false no harm of a headline"]) <= ALPHA
    line = simulate_check.planted_line(simulate_check.PLANTED[-1])
    assert markdown_table([line]).splitlines()[-1] in text
