"""Cells and their names, and what each kind of augmentation set is made from."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blindspots.config.errors import RecipeError
from blindspots.config.recipes import GridRecipe
from blindspots.grid import Cell, check_axes, variant_flags, variant_parents

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
    ],
)
def test_a_wrong_axis_is_named(axes, message):
    with pytest.raises(RecipeError, match=message):
        check_axes(GridRecipe(**axes))


@pytest.mark.parametrize(
    ("variant", "flags", "parents"),
    [
        ("original", "--kind original", ["mnli"]),
        ("original_disjoint-n5000", "--kind original_disjoint --exclude_config n5000", ["mnli"]),
        ("original_disjoint-n0", "--kind original_disjoint", ["mnli"]),
        ("synthetic_g2", "--kind synthetic_g2 --synthetic out/synthetic_g2", ["synthetic_g2"]),
        ("biased_25", "--kind biased_25 --synthetic out/synthetic", ["synthetic"]),
        ("mixed_50", "--kind mixed_50 --synthetic out/synthetic", ["mnli", "synthetic"]),
        ("external_wanli", "--kind external_wanli --synthetic org/wanli", []),
    ],
)
def test_what_a_folder_of_variants_is_made_from(variant, flags, parents):
    external = {"wanli": "org/wanli"}
    assert variant_flags(variant, "out", external) == flags
    assert variant_parents(variant, external) == parents


def test_a_set_made_elsewhere_takes_the_place_of_the_generators():
    external = {"synthetic": "org/wanli"}
    assert variant_flags("biased_synthetic", "out", external) == ("--kind biased_synthetic --synthetic org/wanli")
    assert variant_parents("biased_synthetic", external) == []
    assert variant_parents("mixed_50", external) == ["mnli"]
    assert variant_parents("synthetic_t70", external) == ["synthetic_t70"]


def test_two_stage_starts_from_the_original_cell_and_is_tuned_on_synthetic_rows():
    cell = Cell(5000, 1, "two_stage", 900)
    assert (cell.parent_name, cell.variant) == ("n5000-original-n900-s1", "synthetic")
