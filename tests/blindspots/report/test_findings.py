"""Findings in sentences."""

from blindspots.report.collect import read_grid
from blindspots.report.contrasts import compared
from blindspots.report.findings import findings


def test_one_seed_names_the_largest_cell_and_says_that_it_decides_nothing(make_grid):
    grid = read_grid(make_grid())
    first, *sentences, last = findings(grid, compared(grid))
    assert first == "At the start of 900 rows and 240 augmentation rows:"
    assert len(sentences) == 3
    biased, synthetic = (grid.models.at[f"n900-{kind}-n240-s0", "hans"] for kind in ("biased_synthetic", "synthetic"))
    wanted = f"HANS {biased:.3f} against {synthetic:.3f} ({biased - synthetic:+.3f})".replace(" 0.", " .")
    assert sentences[2].startswith("Biased synthetic rather than synthetic data: ")
    assert wanted in sentences[2]
    assert "95%" not in "".join(sentences)
    assert last.startswith("One seed decides nothing")


def test_several_seeds_have_intervals_over_all_places(make_grid):
    grid = read_grid(make_grid(seeds=[0, 1, 2]))
    first, *sentences, last = findings(grid, compared(grid))
    assert first == "Means over 2 starts, 3 sizes and 3 seeds."
    assert all(sentence.count("95% interval") == 3 for sentence in sentences)
    assert "other seeds (3 here)" in last


def test_a_grid_without_two_kinds_has_no_finding(make_grid):
    grid = read_grid(make_grid(kinds=["original"]))
    assert findings(grid, compared(grid)) == []
