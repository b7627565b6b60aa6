"""Findings: a table of means and differences, and sentences on what moved."""

import shutil
from pathlib import Path

import pytest

from blindspots.config.paths import PAPER_POINTS
from blindspots.report.collect import read_grid
from blindspots.report.contrasts import Reading, compared
from blindspots.report.findings import findings, what_moved
from blindspots.report.points import read_points


def test_one_seed_names_the_largest_cell_and_says_that_it_decides_nothing(make_grid):
    grid = read_grid(make_grid())
    found = findings(grid, compared(grid))
    assert found.where == "At the start of 900 rows and 240 augmentation rows:"
    hans = dict(zip(found.table["kind"], found.table["HANS"]))
    biased, synthetic = (grid.models.at[f"n900-{kind}-n240-s0", "hans"] for kind in ("biased_synthetic", "synthetic"))
    assert hans["biased synthetic"] == f"{biased:.3f}".replace("0.", ".")
    assert hans["biased synthetic - synthetic"] == f"{biased - synthetic:+.3f}"
    assert not found.table.map(lambda cell: "[" in cell).any(axis=None)
    assert found.sentences[-1].startswith("One replicate decides nothing")


def test_several_seeds_have_means_and_intervals_over_all_places(make_grid):
    grid = read_grid(make_grid(seeds=[0, 1, 2]))
    readings = compared(grid)
    found = findings(grid, readings)
    assert found.where.startswith(
        "Means over 2 start sizes, 3 set sizes and 3 seeds; differences between kinds at the "
    )
    assert found.table["kind"].tolist() == [
        *("original", "synthetic", "biased synthetic"),
        *("synthetic - original", "biased synthetic - original", "biased synthetic - synthetic"),
    ]
    assert found.table.columns[1:].tolist() == [
        *("MNLI matched", "HANS", "HANS LO-non-entailment, probability", "HANS LO-entailment, probability"),
        "HANS LO AUROC",
    ]
    shown = found.table.set_index("kind")["HANS LO AUROC"]
    (auroc,) = [one for one in readings if (one.estimand, one.title) == ("synthetic - original", shown.name)]
    assert shown["synthetic - original"] == f"{auroc.estimate:+.3f} [{auroc.low:+.3f}, {auroc.high:+.3f}]"
    mean = grid.models.loc[grid.models["kind"] == "original", "hans_lo_auroc"].mean()
    assert shown["original"] == f"{mean:.3f}".replace("0.", ".")
    *sentences, last = found.sentences
    assert len(sentences) == 4
    assert sentences[2].startswith("With biased synthetic rather than synthetic data: on lexical overlap ")
    assert last.startswith("The intervals are over 3 seeds. They do not cover variation in what these share: one gen")


@pytest.mark.parametrize(
    ("missing", "used"),
    [
        (["n900-synthetic-n240-s1"], "5 of 6 places (a start and a set size) and 3 of 3 seeds"),
        ([f"n{start}-synthetic-n{size}-s2" for start in (0, 900) for size in (60, 120, 240)], "6 of 6 places"),
    ],
)
def test_a_difference_that_leaves_out_models_says_so(make_grid, missing, used):
    recipe = make_grid(seeds=[0, 1, 2])
    for name in missing:
        shutil.rmtree(Path(recipe.models) / name)
    grid = read_grid(recipe)
    said = [one for one in findings(grid, compared(grid)).sentences if one.startswith("Models are missing")]
    assert [one.split(" is over ")[0] for one in said] == [
        "Models are missing: synthetic - original",
        "Models are missing: biased synthetic - synthetic",
    ]
    assert all(used in one for one in said)
    assert len(missing) == 1 or all("2 of 3 seeds" in one for one in said)


def test_a_difference_of_one_replicate_has_no_interval_and_says_nothing_sure(make_grid):
    recipe = make_grid(seeds=[0, 1, 2])
    for model in Path(recipe.models).glob("n*-synthetic-n*-s[12]"):
        shutil.rmtree(model)
    grid = read_grid(recipe)
    found = findings(grid, compared(grid))
    rows = found.table.set_index("kind")
    assert not rows.loc["synthetic - original"].str.contains("[", regex=False).any()
    assert rows.loc["biased synthetic - original"].str.contains("[", regex=False).all()
    said = [one for one in found.sentences if one.endswith("one replicate can't tell.")]
    assert [one.split(" data: ")[0] for one in said] == [
        "With synthetic rather than original",
        "With biased synthetic rather than synthetic",
    ]
    assert found.sentences[-1].startswith("The intervals are over 3 seeds.")


def test_generators_with_unequal_numbers_of_replicates_are_named(make_grid):
    axes = {"starts": [900], "sizes": [60], "generators": ["a", "b"], "own_sets": True}
    told = "The generators have 1 to 2 replicates each."
    for number, seeds in enumerate(([0, 1, 2], [0, 1, 2, 3])):
        grid = read_grid(make_grid(seeds=seeds, **axes))
        readings = compared(grid)
        assert any(one.startswith(told) for one in findings(grid, readings).sentences) == (number == 0)
        shutil.rmtree(grid.axes.models)


@pytest.mark.parametrize("right", [{"biased_synthetic": 0.9}, {}])
def test_models_at_chance_are_named(make_grid, right):
    """Of 30 rows with ten of each label, 30% right is chance and 90% is not."""
    all_right = dict.fromkeys((None, "original", "synthetic"), 0.9) | {"biased_synthetic": 0.3} | right
    grid = read_grid(make_grid(seeds=[0, 1], starts=[0], sizes=[60], right=all_right))
    said = [one for one in findings(grid, compared(grid)).sentences if "most frequent label" in one]
    names = "n0-biased_synthetic-n60-s0, n0-biased_synthetic-n60-s1"
    expected = (
        "Not significantly better on MNLI matched than always giving the most frequent label (.333), but in all "
        f"numbers: 2 of 6 trained models ({names})."
    )
    assert said == ([] if right else [expected])


def test_points_without_probabilities_are_told_by_their_accuracies():
    grid = read_points(PAPER_POINTS)
    found = findings(grid, compared(grid))
    assert found.table.columns[1:].tolist() == ["MNLI matched", "HANS", "HANS LO-non-entailment"]
    assert len(found.sentences) == 1


def test_a_grid_without_two_kinds_has_no_finding(make_grid):
    grid = read_grid(make_grid(kinds=["original"]))
    assert findings(grid, compared(grid)) is None


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
    [
        (LOWER, HIGHER, "models find entailment more probable, for entailed pairs and for others"),
        (HIGHER, LOWER, "models find entailment less probable, for entailed pairs and for others"),
    ]
    + [
        (*sides, "no shift of the threshold was found")
        for sides in [(LOWER, LOWER), (LOWER, UNSURE), (UNSURE, HIGHER), (UNSURE, UNSURE)]
    ],
)
def test_the_threshold_moved_where_both_sides_move_significantly_in_opposite_directions(non_entailed, entailed, words):
    text = moved(non_entailed, entailed, UNSURE)
    assert (
        text
        == f"On lexical overlap {words} (by the mean probabilities), and no change of ability was found (by AUROC)."
    )


def test_a_lower_auroc_is_a_loss_of_ability():
    assert moved(UNSURE, UNSURE, LOWER).endswith("and models tell entailed pairs from others worse (by AUROC).")
    assert moved(UNSURE, UNSURE, HIGHER).endswith("and models tell entailed pairs from others better (by AUROC).")


def test_one_replicate_cannot_tell_what_moved():
    names = ("hans_lo_non_entailment_probability", "hans_lo_entailment_probability", "hans_lo_auroc")
    readings = [Reading(name, name, "a - b", "", "seeds", 1, estimate=0.1) for name in names]
    assert what_moved(readings).endswith("or the ability, one replicate can't tell.")


def test_what_moved_is_not_said_without_probabilities():
    assert what_moved([]) == ""
