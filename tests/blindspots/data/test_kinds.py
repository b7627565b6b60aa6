"""The registry of augmentation kinds: names, what sets are drawn from, and how a report tells kinds apart."""

import re

import numpy as np
import pytest
from datasets import Dataset
from hypothesis import given
from hypothesis import strategies as st

from blindspots.config.errors import RecipeError
from blindspots.data.augmentation import biased_rows
from blindspots.data.heuristics import STRIPPED
from blindspots.data.kinds import FAMILIES, compared_kinds, in_order, kind_of, label_of, position, styles
from blindspots.data.nli_datasets import PAIR_FEATURES

# Names of each family, in the order of tables: what their sets are drawn from, raw data, label.
NAMES = {
    "original": (("original",), None, "original"),
    "original_disjoint": (("original",), None, "original, rows new to the start"),
    "synthetic": (("synthetic",), "synthetic", "synthetic"),
    "synthetic_g2": (("synthetic",), "synthetic_g2", "synthetic, generation 2"),
    "synthetic_t100": (("synthetic",), "synthetic_t100", "synthetic, temperature 1"),
    "synthetic_t70": (("synthetic",), "synthetic_t70", "synthetic, temperature 0.7"),
    "biased_25": (("synthetic",), "synthetic", "synthetic, 25% biased"),
    "biased_synthetic": (("synthetic",), "synthetic", "biased synthetic"),
    "mixed_25": (("original", "synthetic"), "synthetic", "original and 25% synthetic"),
    "two_stage": (("synthetic",), "synthetic", "original, then synthetic"),
    "external_super_gen": (("synthetic",), "external_super_gen", "super_gen (external)"),
    "external_wanli": (("synthetic",), "external_wanli", "wanli (external)"),
}
# Up to nine kinds of one family in a report.
SOME = st.lists(
    st.one_of(
        st.sampled_from(["original", "original_disjoint", "synthetic", "biased_synthetic", "two_stage"]),
        st.sampled_from([f"{stem}_{percent}" for stem in ("biased", "mixed") for percent in (5, 25, 50, 100)]),
        st.sampled_from(["synthetic_t50", "synthetic_t70", "synthetic_g2", "synthetic_g3"]),
        st.sampled_from([f"external_{name}" for name in ("a", "b", "c_d", "wanli", "supergen")]),
    ),
    unique=True,
)


def pairs(*rows: tuple[str, str, int]) -> Dataset:
    columns = {
        "id": [str(row) for row in range(len(rows))],
        "premise": [premise for premise, _, _ in rows],
        "hypothesis": [hypothesis for _, hypothesis, _ in rows],
        "label": [label for _, _, label in rows],
    }
    return Dataset.from_dict(columns, features=PAIR_FEATURES)


POOLS = {
    "original": pairs(("a dog ran", "a dog", 0), ("a dog ran", "a cat", 1)),
    "synthetic": pairs(("a dog ran", "a cat", 0), ("a dog ran", "dog ran", 2), ("a dog ran", "no dog", 2)),
}

# Names


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_a_kind(name):
    kind = kind_of(name)
    assert (kind.name, (kind.pools, kind.raw, kind.label)) == (name, NAMES[name])
    assert label_of(name) == kind.label
    assert (kind.raw is None) == ("synthetic" not in kind.pools)


def test_every_family_is_tested_and_says_what_it_is():
    assert {position(name)[0] for name in NAMES} == set(range(len(FAMILIES)))
    assert all(family.about for family in FAMILIES)


@given(SOME)
def test_a_name_belongs_to_one_family(names):
    for name in (*names, *NAMES):
        assert sum(re.fullmatch(family.pattern, name) is not None for family in FAMILIES) == 1


NOT_KINDS = ["", "biased", "mixed", "mixed_", "mixed_a", "mixed_-5", "synthetic_t70_g2", "external_", "Original", "n0"]
NOT_KINDS += ["mixed_025", "mixed_0", "biased_0", "synthetic_g1", "synthetic_t0"]


@pytest.mark.parametrize("name", NOT_KINDS)
def test_another_name_is_refused_with_those_that_there_are(name):
    with pytest.raises(
        RecipeError, match=rf"There is no augmentation kind '{name}'; the kinds are .*mixed.*two_stage"
    ):
        kind_of(name)
    assert label_of(name) == name


@pytest.mark.parametrize("name", ["mixed_101", "biased_125"])
def test_a_share_is_at_most_all_of_a_set(name):
    with pytest.raises(RecipeError, match=r"asks for \d+ per cent; a share is at most 100"):
        kind_of(name)
    assert kind_of(name.split("_")[0] + "_100")


def test_kinds_of_several_stages_and_of_new_rows_say_so():
    assert (kind_of("two_stage").after, kind_of("two_stage").sets_of) == ("original", "synthetic")
    assert [name for name in NAMES if kind_of(name).own_rows] == ["original_disjoint"]
    assert [name for name in NAMES if kind_of(name).after] == ["two_stage"]


# Sets


@pytest.mark.parametrize("name", NAMES)
def test_the_shares_of_a_set_add_up_and_cover_rows_of_the_pools(name):
    kind = kind_of(name)
    if kind.parts is None:
        return
    pools = {pool: POOLS[pool] for pool in kind.pools}
    parts = kind.parts(pools, STRIPPED)
    assert sum(share for share, _ in parts) == pytest.approx(1)
    for _, rows in parts:
        assert rows.dtype == bool
        assert len(rows) == sum(map(len, pools.values()))


def test_a_mixed_set_draws_its_share_from_the_synthetic_rows():
    (originals, original), (synthetics, synthetic) = kind_of("mixed_25").parts(POOLS, STRIPPED)
    assert (originals, synthetics) == (0.75, 0.25)
    assert original.tolist() == [True, True, False, False, False]
    assert synthetic.tolist() == [False, False, True, True, True]


@pytest.mark.parametrize(("name", "share"), [("biased_25", 0.25), ("biased_synthetic", 1), ("biased_100", 1)])
def test_a_biased_set_draws_its_share_from_the_biased_rows_and_the_rest_from_all(name, share):
    pools = {"synthetic": POOLS["synthetic"]}
    (biased_share, biased), (rest_share, rest) = kind_of(name).parts(pools, STRIPPED)
    assert (biased_share, rest_share) == (share, 1 - share)
    assert biased.tolist() == biased_rows(pools["synthetic"]).tolist() == [False, False, True]
    assert np.all(rest)
    assert kind_of(name).biased_percent == 100 * share


def test_only_a_synthetic_set_as_it_comes_and_biased_ones_have_a_percent_of_biased_rows():
    with_percent = {name: kind_of(name).biased_percent for name in NAMES}
    assert {name: percent for name, percent in with_percent.items() if percent is not None} == {
        "synthetic": 0,
        "biased_25": 25,
        "biased_synthetic": 100,
    }


# Reports


def test_kinds_are_listed_by_family_each_once():
    assert in_order([*reversed(NAMES), "original"]) == list(NAMES)
    assert in_order(["mixed_25", "external_a", "synthetic", "original", "synthetic"]) == [
        "original",
        "synthetic",
        "mixed_25",
        "external_a",
    ]


@given(SOME)
def test_labels_and_styles_of_a_report_are_distinct(names):
    assert len({label_of(name) for name in names}) == len(names)
    found = styles(names)
    assert list(found) == in_order(names)
    assert len({tuple(map(str, style.values())) for style in found.values()}) == len(names)
    # In greyscale print too.
    assert len({(style["marker"], str(style["linestyle"])) for style in found.values()}) == len(names)


def test_the_first_kind_of_a_family_has_the_familys_own_style():
    for name in NAMES:
        assert styles([name]) == {name: dict(kind_of(name).style)}
    assert styles(["external_a", "external_b"])["external_a"] == dict(kind_of("external_a").style)


def test_the_less_of_a_set_is_drawn_biased_the_paler_its_colour():
    light = [int(kind_of(f"biased_{percent}").style["color"][3:5], 16) for percent in (25, 50, 75, 100)]
    assert light == sorted(set(light), reverse=True)
    assert kind_of("biased_100").style["color"] == kind_of("biased_synthetic").style["color"] == "#D55E00"


@given(SOME)
def test_each_pair_of_kinds_is_compared_once_and_never_a_kind_with_itself(names):
    found = compared_kinds(names)
    assert len({frozenset(pair) for pair in found}) == len(found)
    assert all(len(set(pair)) == 2 and set(pair) <= set(names) for pair in found)
    if "original" in names:  # every other kind is held against it
        assert {name for name, other in found if other == "original"} == set(names) - {"original"}


def test_a_kind_is_compared_with_what_it_is_made_from_and_with_its_rivals():
    assert compared_kinds(["original", "synthetic", "biased_synthetic"]) == [
        ("synthetic", "original"),
        ("biased_synthetic", "original"),
        ("biased_synthetic", "synthetic"),
    ]
    assert compared_kinds(["biased_25", "biased_synthetic"]) == [("biased_25", "biased_synthetic")]
    assert compared_kinds(["external_b", "external_a"]) == [("external_a", "external_b")]
    assert compared_kinds(["mixed_25", "mixed_50"]) == []
