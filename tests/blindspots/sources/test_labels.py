"""Task labels: a model that follows the majority, one that ignores the text, and inverted codes."""

import numpy as np
import pytest
from made_sources import claim, found, labelled_rows

from blindspots.config.errors import RecipeError, UserError

KEYS = {
    "data_type": "task_labels",
    "sources": {"human": "people", "sharp": "sharp", "random": "random"},
    "codes": {0: "no", 1: "maybe", 2: "yes"},
    "unit": ["text_id"],
}


@pytest.fixture
def comparison(compared):
    return compared(labelled_rows(), **KEYS, published={"sharp: majority match": 0.9})


def test_every_section_is_computed_with_intervals(comparison):
    assert list(comparison["sections"]) == ["alpha", "agreement", "matches", "distributions", "codes", "flips"]
    for section in comparison["sections"].values():
        assert "not_computed" not in section
        for finding in section["findings"]:
            assert finding["low"] <= finding["estimate"] <= finding["high"]
    assert comparison["dataset"]["units"] == 200


def test_a_model_that_always_follows_the_majority_over_represents_it(comparison):
    majority = claim(comparison, "sharp's labels over-represent the majority's")
    assert (majority["verdict"], majority["published"]) == ("supported", 0.9)
    assert majority["corrected"]["low"] > 0
    assert claim(comparison, "sharp's labels under-represent the minority's")["verdict"] == "supported"
    assert found(comparison, "distributions", "sharp: entropy of 3 labels, beside people")["difference"]["high"] < 0


def test_labels_that_ignore_the_text_are_reported_and_decide_nothing(comparison):
    notes = comparison["sections"]["alpha"]["notes"]
    assert [note for note in notes if note.startswith("random: its labels of an item agree neither")]
    assert not [note for note in notes if note.startswith("sharp")]
    for word in ("over-represent the majority's", "under-represent the minority's"):
        undecided = claim(comparison, f"random's labels {word}")
        assert (undecided["verdict"], undecided["corrected"]) == ("undecided", None)
    assert abs(found(comparison, "alpha", "random: Krippendorff's alpha")["estimate"]) < 0.1


def test_a_high_match_stands_beside_that_of_a_constant_and_of_shuffled_labels(comparison):
    always = found(comparison, "matches", "random: majority match, beside always the commonest label")
    shuffled = found(comparison, "matches", "random: majority match, beside shuffled")
    assert always["reference"]["estimate"] > 0.4
    assert abs(shuffled["difference"]["estimate"]) < 0.1


def test_inverted_codes_are_found_and_both_readings_are_shown(compared):
    rows = labelled_rows()
    rows["sharp"] = [[2 - label for label in labels] for labels in rows["sharp"]]
    wrong = compared(rows, **KEYS)
    (note,) = wrong["sections"]["codes"]["notes"]
    assert note.startswith("sharp and human agree better with no as yes, yes as no")
    right = compared(rows, **KEYS, inverted=["sharp"])
    assert not right["sections"]["codes"]["notes"]
    assert right["sections"]["codes as published"]["notes"] == [note]
    assert claim(right, "sharp's labels over-represent the majority's")["verdict"] == "supported"
    assert claim(wrong, "sharp's labels over-represent the majority's")["verdict"] == "contradicted"


def test_three_people_have_no_minority_that_a_fourth_could_be_held_against(compared):
    minority = claim(compared(labelled_rows(people=3), **KEYS), "sharp's labels under-represent the minority's")
    assert (minority["verdict"], minority["corrected"]) == ("undecided", None)
    assert "without four people" in minority["moved_by"]


def test_one_label_each_has_agreement_but_no_alpha(compared):
    rows = labelled_rows()
    rows = rows.assign(**{name: rows[name].str[0] for name in ("people", "sharp", "random")})
    comparison = compared(rows, **KEYS)
    assert "human: alpha not computed, it has one label per item." in comparison["sections"]["alpha"]["notes"]
    assert found(comparison, "alpha", "sharp: agreement beyond chance")["low"] > 0.2
    assert claim(comparison, "sharp's labels over-represent the majority's")["verdict"] == "undecided"


def test_units_of_ten_copies_widen_every_interval(compared):
    rows = labelled_rows(40)
    many = rows.loc[np.repeat(rows.index, 10)].reset_index(drop=True)
    one, ten = (compared(many, **(KEYS | {"unit": unit})) for unit in ([], ["text_id"]))
    for name in ("alpha", "agreement", "matches"):
        for narrow, wide in zip(one["sections"][name]["findings"], ten["sections"][name]["findings"]):
            assert narrow["estimate"] == pytest.approx(wide["estimate"])
            assert wide["high"] - wide["low"] >= narrow["high"] - narrow["low"]


def test_rows_of_one_unit_are_refused(compared):
    with pytest.raises(UserError, match="all rows are one unit of text_id; intervals need several"):
        compared(labelled_rows(20).assign(text_id=1), **KEYS)


def test_a_published_number_of_something_else_is_refused(compared):
    with pytest.raises(
        RecipeError, match="published names 'sharp: majority'; these data can give sharp: majority match"
    ):
        compared(labelled_rows(20), **KEYS, published={"sharp: majority": 0.9})
