"""Findings in sentences."""

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
    assert last.startswith("One replicate decides nothing")


def test_several_seeds_have_intervals_over_all_places(make_grid):
    grid = read_grid(make_grid(seeds=[0, 1, 2]))
    first, *sentences, last = findings(grid, compared(grid))
    assert first == "Means over 2 starts, 3 sizes and 3 seeds; 95% intervals in brackets."
    for sentence in sentences:
        assert sentence.count("[") == 5
        assert "HANS LO-non-entailment, probability ." in sentence
        assert "The threshold on lexical overlap: " in sentence
    assert last.startswith("The intervals are over 3 seeds, and say nothing beyond what these share: one generator, ")


def test_points_without_probabilities_are_told_by_their_accuracies():
    grid = read_points(PAPER_POINTS)
    _, *sentences, _ = findings(grid, compared(grid))
    assert all("HANS LO-non-entailment ." in sentence and "threshold" not in sentence for sentence in sentences)


def test_a_grid_without_two_kinds_has_no_finding(make_grid):
    grid = read_grid(make_grid(kinds=["original"]))
    assert findings(grid, compared(grid)) == []


def moved(criterion: tuple[float, float], auroc: tuple[float, float]) -> str:
    limits = {"hans_lo_criterion": criterion, "hans_lo_auroc": auroc}
    return what_moved(
        [
            Reading(name, name, "a - b", "", "seeds", 3, "", False, sum(both) / 2, *both, first_mean=0, second_mean=0)
            for name, both in limits.items()
        ]
    )


def test_a_lower_criterion_with_an_auroc_about_0_is_a_shift_of_threshold():
    text = moved((-0.6, -0.2), (-0.01, 0.02))
    assert text.startswith("The threshold on lexical overlap: quicker to say entailment;")
    assert text.endswith("the ability (AUROC): no change was found.")


def test_a_lower_auroc_is_a_loss_of_ability():
    text = moved((-0.6, 0.2), (-0.05, -0.02))
    assert text.startswith("The threshold on lexical overlap: no shift was found;")
    assert text.endswith("the ability (AUROC): worse at telling the two apart.")


def test_what_moved_is_not_said_without_probabilities():
    assert what_moved([]) == ""
