"""Preferences: a model that follows length, an inverted column shown both ways, claims that need two intervals."""

import math

import pytest
from made_sources import claim, found, preference_rows

KEYS = {
    "data_type": "preferences",
    "sources": {"human": "people", "gpt": "model"},
    "codes": {0: "first", 1: "second", 2: "tie"},
    "unit": ["question"],
    "cues": {"entailment": ["good_1", "good_2"]},
}


@pytest.fixture
def comparison(compared):
    return compared(preference_rows(), **KEYS)


def test_every_section_is_computed(comparison):
    assert list(comparison["sections"]) == ["alpha", "agreement", "decided", "cues", "cues as published", "codes"]
    assert not [name for name, section in comparison["sections"].items() if "not_computed" in section]
    assert comparison["dataset"]["units"] == 100


def test_a_model_that_follows_length_is_found(comparison):
    length = found(comparison, "cues", "gpt: length, beside people")
    assert length["difference"]["low"] > 0.5
    assert length["reference"]["low"] < 0 < length["reference"]["high"]
    assert found(comparison, "cues", "gpt: entailment, beside people")["reference"]["low"] > 0.3


def test_ties_and_decided_pairs(comparison):
    rows = preference_rows()
    decided = rows[rows["people"] != 2]
    same = found(comparison, "decided", "gpt: same choice as people")
    assert (same["n"], same["estimate"]) == (len(decided), (decided["people"] == decided["model"]).mean())
    assert found(comparison, "decided", "human: ties")["estimate"] == (rows["people"] == 2).mean()


def test_an_inverted_column_is_found_and_shown_both_ways(compared, comparison):
    keys = KEYS | {"sources": {"human": "turned", "gpt": "model"}}
    wrong, right = compared(preference_rows(), **keys), compared(preference_rows(), **keys, inverted=["human"])
    (note,) = wrong["sections"]["codes"]["notes"]
    assert note.startswith("gpt and human agree better with first as second, second as first")
    assert right["sections"]["codes as published"]["notes"] == [note]
    assert not right["sections"]["codes"]["notes"]
    for name in ("alpha", "decided", "cues"):
        assert right["sections"][name]["findings"] == comparison["sections"][name]["findings"]
    same = "gpt: same choice as people"
    assert found(right, "decided as published", same)["estimate"] < 0.5 < found(right, "decided", same)["estimate"]
    assert found(right, "cues as published", "human: r of entailment")["estimate"] < 0
    assert found(right, "cues by the published method", "human: r of entailment")["estimate"] > 0
    assert "codes of human inverted" in right["claims"][0]["moved_by"]


def test_a_difference_without_an_effect_of_the_model_supports_nothing(compared):
    """People turn from the cue and the model ignores it: the two differ, but the model does not lean on it."""
    rows = preference_rows().assign(good_1=lambda table: -table["good_1"])
    rows["model"] = preference_rows(seed=5)["model"]
    lean = claim(compared(rows, **KEYS), "gpt leans more on entailment than people do")
    assert lean["corrected"]["low"] > 0
    assert lean["needed"]["low"] < 0
    assert lean["verdict"] == "undecided"


@pytest.mark.parametrize("rare", [True, False])
def test_an_effect_that_cannot_be_told_supports_nothing_and_the_page_says_why(compared, rare):
    """A cue of one pair, or a model that always takes the first text."""
    rows = preference_rows()
    rows = rows.assign(good_1=rows["good_1"].where(rows.index == 0, 0.0)) if rare else rows.assign(model=0)
    comparison = compared(rows, **KEYS)
    lean = claim(comparison, "gpt leans more on entailment than people do")
    assert math.isnan(lean["corrected"]["low"])
    assert lean["verdict"] == "undecided"
    assert lean["moved_by"].startswith("No effect can be told for a cue that varies in fewer than 5 units")
    assert comparison["sections"]["cues"]["notes"] == [lean["moved_by"]]
    assert math.isnan(found(comparison, "cues", "gpt: length, beside people")["estimate"]) == (not rare)


def test_published_numbers_stand_beside_ours(compared):
    comparison = compared(preference_rows(), **KEYS, published={"gpt: r of entailment": 0.2})
    lean = claim(comparison, "gpt leans more on entailment than people do")
    assert lean["published"] == 0.2
    assert lean["repeated"]["estimate"] == pytest.approx(
        found(comparison, "cues as published", "gpt: r of entailment")["estimate"]
    )


def test_without_a_shown_order_position_is_not_computed(compared):
    section = compared(preference_rows(), **KEYS, position=False)["sections"]["cues"]
    assert not [one for one in section["findings"] if "position" in one["what"]]
    assert section["notes"] == ["position is not computed: the order of the texts is not the one that was shown."]


def test_where_people_and_model_share_no_two_units_nothing_is_claimed(compared):
    rows = preference_rows(60)
    rows["model"] = [choice if row < 3 else -1 for row, choice in enumerate(rows["model"])]
    comparison = compared(rows, **KEYS, missing_codes=[-1])
    assert comparison["sections"]["cues"]["not_computed"].startswith("Cue effects need pairs of at least two units")
    assert comparison["claims"] == []
