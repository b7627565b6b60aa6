"""Findings in sentences."""

import re

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
        assert re.search(r"The threshold on lexical overlap(, by the mean probabilities since .*)?: \w", sentence)
    assert last.startswith("The intervals are over 3 seeds, and say nothing beyond what these share: one generator, ")


def test_points_without_probabilities_are_told_by_their_accuracies():
    grid = read_points(PAPER_POINTS)
    _, *sentences, _ = findings(grid, compared(grid))
    assert all("HANS LO-non-entailment ." in sentence and "threshold" not in sentence for sentence in sentences)


def test_a_grid_without_two_kinds_has_no_finding(make_grid):
    grid = read_grid(make_grid(kinds=["original"]))
    assert findings(grid, compared(grid)) == []


def reading(name: str, limits: tuple[float, float], mean: float = 0.5) -> Reading:
    estimate = sum(limits) / 2
    return Reading(
        name, name, "a - b", "", "seeds", 3, "", False, estimate, *limits, first_mean=mean, second_mean=mean
    )


def moved(criterion: tuple[float, float], auroc: tuple[float, float]) -> str:
    return what_moved([reading("hans_lo_criterion", criterion), reading("hans_lo_auroc", auroc)])


def moved_at(mean: float, non_entailed: tuple[float, float], entailed: tuple[float, float]) -> str:
    """Accuracies that lie at `mean`, a criterion that tells nothing, and the mean probabilities of both sides."""
    nothing = [reading(name, (-0.5, 0.5), mean) for name in ("hans_lo_criterion", "hans_lo_non_entailment")]
    sides = [
        reading("hans_lo_non_entailment_probability", non_entailed),
        reading("hans_lo_entailment_probability", entailed),
    ]
    return what_moved([*nothing, *sides, reading("hans_lo_auroc", (-0.01, 0.01))])


def test_a_lower_criterion_with_an_auroc_about_0_is_a_shift_of_threshold():
    text = moved((-0.6, -0.2), (-0.01, 0.02))
    assert text.startswith("The threshold on lexical overlap: quicker to say entailment;")
    assert text.endswith("the ability (AUROC): no change was found.")


def test_a_lower_auroc_is_a_loss_of_ability():
    text = moved((-0.6, 0.2), (-0.05, -0.02))
    assert text.startswith("The threshold on lexical overlap: no shift was found;")
    assert text.endswith("the ability (AUROC): worse at telling the two apart.")


def test_where_an_accuracy_lies_at_its_floor_the_probabilities_of_both_sides_tell_of_the_threshold():
    lower, higher, unsure = (-0.2, -0.1), (0.1, 0.2), (-0.1, 0.1)
    words = "by the mean probabilities since an accuracy lies below 0.05 or above 0.95: "
    assert f"{words}quicker to say entailment;" in moved_at(0.01, lower, higher)
    assert f"{words}slower to say entailment;" in moved_at(0.99, higher, lower)
    for sides in ((lower, lower), (lower, unsure), (unsure, higher), (unsure, unsure)):
        assert f"{words}no shift was found;" in moved_at(0.01, *sides)
    assert "overlap: no shift was found;" in moved_at(0.5, lower, higher)


def test_what_moved_is_not_said_without_probabilities():
    assert what_moved([]) == ""
