"""Cells and their names, and what each kind of augmentation set is made from."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blindspots.config.analysis_recipes import GridRecipe
from blindspots.config.errors import RecipeError
from blindspots.grid import (
    Cell,
    cells,
    check_axes,
    grid_of,
    parent_of,
    raw_sets,
    sets_of,
    start_config,
    start_of,
    starts,
)

kinds = st.sampled_from(["original", "biased_25", "mixed_50", "two_stage", "original_disjoint", "synthetic_t70"])
numbers = st.integers(0, 400_000)


@given(numbers, numbers, kinds, numbers)
def test_a_name_and_its_cell_are_inverse(start, seed, kind, size):
    for cell in (Cell(start, seed), Cell(start, seed, kind, size)):
        assert Cell.from_name(cell.name) == cell


@pytest.mark.parametrize("name", ["5-s0", "n5-synthetic-s0", "../n5-s0", "n5-s0\n"])
def test_another_name_is_refused(name):
    with pytest.raises(RecipeError, match="is not the name of a cell"):
        Cell.from_name(name)


def test_a_name_with_another_kind_is_refused():
    with pytest.raises(RecipeError, match="There is no augmentation kind 'nonsense'"):
        Cell.from_name("n5-nonsense-n3-s0")


@pytest.mark.parametrize(
    ("axes", "message"),
    [
        ({"seeds": [0, 0]}, "seeds holds 0 twice"),
        ({"sizes": []}, "sizes is empty"),
        ({"starts": [-1]}, "whole numbers"),
        ({"kinds": ["syntetic"]}, "'syntetic'"),
        ({"kinds": ["external_wanli"]}, "needs its dataset"),
        ({"kinds": ["two_stage", "synthetic"]}, "two_stage continues from original; add that to the axis kinds"),
        ({"kinds": ["biased_125"]}, "at most 100"),
        ({"generators": ["G 1"]}, "'G 1' needs a name of small letters"),
        ({"generators": ["a", "a"]}, "generators holds a twice"),
    ],
)
def test_a_wrong_axis_is_named(axes, message):
    with pytest.raises(RecipeError, match=message):
        check_axes(GridRecipe(**axes))


def test_axes_in_a_mapping_are_read_as_those_of_a_recipe():
    grid = grid_of({"starts": ["5000"], "own_sets": "no", "generator_rows": None}, "axes")
    assert (grid.starts, grid.own_sets, grid.generator_rows) == ([5000], False, None)


@pytest.mark.parametrize(
    ("axes", "message"),
    [
        ({"sizess": [60]}, "axes: sizess is not an axis of a grid; there are starts, kinds, sizes,"),
        ({"own_sets": "perhaps"}, "axes: own_sets wants bool, got 'perhaps'"),
        ({"start_draws": 0}, "axes: start_draws is at least 1; got 0"),
        ({"external": {"mine": 1}}, "axes: external: mine wants str, got 1"),
        (["starts"], "axes wants a mapping such as"),
        (None, "axes wants a mapping such as"),
    ],
)
def test_a_mapping_that_is_no_axes_is_refused(axes, message):
    with pytest.raises(RecipeError, match=message):
        grid_of(axes, "axes")


@pytest.mark.parametrize(
    ("cell", "name", "flags", "parents"),
    [
        (Cell(5000, 0, "original", 9), "original", "--kind original", ["mnli"]),
        (
            Cell(5000, 0, "original_disjoint", 9),
            "original_disjoint-n5000",
            "--kind original_disjoint --exclude_config n5000",
            ["mnli"],
        ),
        (Cell(0, 0, "original_disjoint", 9), "original_disjoint-n0", "--kind original_disjoint", ["mnli"]),
        (
            Cell(5000, 1, "synthetic_g2", 9),
            "synthetic_g2",
            "--kind synthetic_g2 --synthetic out/synthetic_g2",
            ["synthetic_g2"],
        ),
        (Cell(5000, 0, "biased_25", 9), "biased_25", "--kind biased_25 --synthetic out/synthetic", ["synthetic"]),
        (Cell(5000, 0, "mixed_50", 9), "mixed_50", "--kind mixed_50 --synthetic out/synthetic", ["mnli", "synthetic"]),
        (Cell(5000, 0, "external_wanli", 9), "external_wanli", "--kind external_wanli --synthetic org/wanli", []),
    ],
)
def test_what_the_sets_of_a_cell_are_made_from(cell, name, flags, parents):
    external = {"wanli": "org/wanli"}
    sets = sets_of(GridRecipe(external=external), cell)
    assert sets.name == name
    assert sets.flags("out", external) == flags
    assert sets.parents(external) == parents


def test_a_set_made_elsewhere_takes_the_place_of_the_generators():
    external = {"synthetic": "org/wanli"}

    def sets(kind):
        return sets_of(GridRecipe(external=external), Cell(5000, 0, kind, 9))

    assert sets("biased_synthetic").flags("out", external) == "--kind biased_synthetic --synthetic org/wanli"
    assert sets("biased_synthetic").parents(external) == []
    assert sets("mixed_50").parents(external) == ["mnli"]
    assert sets("synthetic_t70").parents(external) == ["synthetic_t70"]
    assert sets("mixed_50").datasets("out", external) == ["out/mnli", "org/wanli"]
    assert sets("synthetic_t70").datasets("out", external) == ["out/synthetic_t70"]


@pytest.mark.parametrize(
    ("kinds", "generators", "raw"),
    [
        (["original"], [], []),
        (["original", "biased_25", "synthetic_t70"], [], ["synthetic"]),
        (["original", "synthetic_t70"], [], ["synthetic_t70"]),
        (["original", "external_wanli"], [], ["external_wanli"]),
        (["external_wanli", "external_lingnli"], [], []),  # which of them is not clear
        (["external_wanli", "synthetic"], ["b", "a"], ["synthetic-b", "synthetic-a"]),
        (["synthetic_t70"], ["b", "a"], ["synthetic_t70-b", "synthetic_t70-a"]),
        (["external_wanli"], ["b", "a"], []),
        (["synthetic"], ["b", "a", "c"], []),  # three generators and two replicates
    ],
)
def test_table_1_counts_a_set_of_each_generator_in_their_order(kinds, generators, raw):
    assert raw_sets(GridRecipe(kinds=kinds, generators=generators, seeds=[1, 0])) == raw


def test_two_stage_starts_from_the_original_cell_and_is_tuned_on_synthetic_rows():
    grid, cell = GridRecipe(), Cell(5000, 1, "two_stage", 900)
    assert (parent_of(grid, cell).name, sets_of(grid, cell).name) == ("n5000-original-n900-s1", "synthetic")


REPLICATES = GridRecipe(
    starts=[700],
    kinds=["original_disjoint", "synthetic", "external_wanli"],
    sizes=[60],
    seeds=list(range(6)),
    generators=["a", "b", "c"],
    start_draws=2,
    own_sets=True,
    external={"synthetic-b": "b.json", "wanli": "org/wanli"},
)


def test_every_generator_meets_every_start_once():
    met = {(sets_of(REPLICATES, cell).raw, start_of(REPLICATES, cell).name) for cell in cells(REPLICATES)}
    assert {raw for raw in met if raw[0] and raw[0].startswith("synthetic")} == {
        (f"synthetic-{name}", f"n700-s{draw}") for name in "abc" for draw in (0, 1)
    }
    assert [start.name for start in starts(REPLICATES)] == ["n700-s0", "n700-s1"]
    assert start_config(REPLICATES, Cell(700, 1)) == "n700-d1"


def test_every_replicate_draws_its_own_sets():
    found = {kind: sets_of(REPLICATES, Cell(700, 4, kind, 60)) for kind in REPLICATES.kinds}
    names = [found[kind].name for kind in REPLICATES.kinds]
    assert names == ["original_disjoint-n700-d1-r4", "synthetic-b-n700-r4", "external_wanli-n700-r4"]
    assert found["synthetic"].flags("out", REPLICATES.external) == "--kind synthetic --synthetic b.json --seed 4000700"
    assert found["synthetic"].parents(REPLICATES.external) == []
    assert "--exclude_config n700-d1" in found["original_disjoint"].flags("out", {})
    everything = [sets_of(REPLICATES, cell) for cell in cells(REPLICATES)]
    assert len({sets.name for sets in everything}) == len(everything)


def test_without_own_sets_those_of_one_generator_are_shared():
    grid = GridRecipe(generators=["a", "b"], seeds=[0, 1, 2])
    assert [sets_of(grid, Cell(5000, r, "synthetic", 9)).name for r in grid.seeds] == [
        "synthetic-a",
        "synthetic-b",
        "synthetic-a",
    ]
