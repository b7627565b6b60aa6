"""Findings in sentences."""

import re

import pytest

from blindspots.config.paths import PAPER_POINTS
from blindspots.report.collect import read_grid
from blindspots.report.contrasts import Reading, compared
from blindspots.report.findings import findings, what_moved
from blindspots.report.points import read_points


def test_one_seed_names_the_largest_cell_and_says_that_it_decides_nothing(make_grid):
    grid = read_grid(make_grid())
    first, *sentences, last = findings(grid, compared(grid))
    assert first == "At the start of 900 rows and 240 augmentation rows:"
    assert len(sentences) == 3
    biased, synthetic = (grid.models.at[f"n900-{kind}-n240-s0", "hans"] for kind in ("biased_synthetic", "synthetic"))
    wanted = f"HANS {biased:.3f} against {synthetic:.3f} ({biased - synthetic:+.3f})".replace(" 0.", " .")
    assert sentences[2].startswith("Biased synthetic rather than synthetic data: ")
    assert wanted in sentences[2]
    assert "[" not in "".join(sentences)
    assert all(sentence.endswith("or the ability, one replicate can't tell.") for sentence in sentences)
    assert last.startswith("One replicate decides nothing")


def test_several_seeds_have_intervals_over_all_places(make_grid):
    grid = read_grid(make_grid(seeds=[0, 1, 2]))
    first, *sentences, last = findings(grid, compared(grid))
    assert first == "Means over 2 start sizes, 3 set sizes and 3 seeds; 95% intervals in brackets."
    for sentence in sentences:
        assert sentence.count("[") == 5
        assert "HANS LO-non-entailment, probability ." in sentence
        assert re.search(r"The threshold on lexical overlap, by the mean probabilities: \w", sentence)
    assert last.startswith("The intervals are over 3 seeds, and say nothing beyond what these share: one generator, ")


def test_points_without_probabilities_are_told_by_their_accuracies():
    grid = read_points(PAPER_POINTS)
    _, *sentences, _ = findings(grid, compared(grid))
    assert all("HANS LO-non-entailment ." in sentence and "threshold" not in sentence for sentence in sentences)


def test_a_grid_without_two_kinds_has_no_finding(make_grid):
    grid = read_grid(make_grid(kinds=["original"]))
    assert findings(grid, compared(grid)) == []


def reading(name: str, limits: tuple[float, float]) -> Reading:
    return Reading(name, name, "a - b", "", "seeds", 3, "", False, sum(limits) / 2, *limits)


LOWER, HIGHER, UNSURE = (-0.2, -0.1), (0.1, 0.2), (-0.1, 0.1)


def moved(non_entailed: tuple[float, float], entailed: tuple[float, float], auroc: tuple[float, float]) -> str:
    """What is said of the mean probabilities of both sides and of AUROC."""
    probabilities = [
        reading("hans_lo_non_entailment_probability", non_entailed),
        reading("hans_lo_entailment_probability", entailed),
    ]
    return what_moved([*probabilities, reading("hans_lo_auroc", auroc)])


@pytest.mark.parametrize(
    ("non_entailed", "entailed", "words"),
    [(LOWER, HIGHER, "quicker to say entailment"), (HIGHER, LOWER, "slower to say entailment")]
    + [
        (*sides, "no shift was found")
        for sides in [(LOWER, LOWER), (LOWER, UNSURE), (UNSURE, HIGHER), (UNSURE, UNSURE)]
    ],
)
def test_the_threshold_moved_where_both_sides_surely_move_in_opposite_directions(non_entailed, entailed, words):
    text = moved(non_entailed, entailed, UNSURE)
    assert text.startswith(f"The threshold on lexical overlap, by the mean probabilities: {words};")
    assert text.endswith("the ability (AUROC): no change was found.")


def test_a_lower_auroc_is_a_loss_of_ability():
    assert moved(UNSURE, UNSURE, LOWER).endswith("the ability (AUROC): worse at telling the two apart.")
    assert moved(UNSURE, UNSURE, HIGHER).endswith("the ability (AUROC): better at telling the two apart.")


def test_what_moved_is_not_said_without_probabilities():
    assert what_moved([]) == ""
