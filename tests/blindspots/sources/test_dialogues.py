"""Dialogues: rates and detectors, success within sizes, what size alone could make, and rows that do not fit."""

import numpy as np
import pytest
from made_sources import claim, dialogue_rows, found
from statsmodels.stats.contingency_tables import StratifiedTable, Table2x2

from blindspots.config.errors import RecipeError, UserError
from blindspots.evaluation.unit_statistics import unit_interval
from blindspots.sources.dialogues import by_size_alone, mantel_haenszel

KEYS = {
    "data_type": "dialogues",
    "unit": ["task"],
    "prompt_column": "prompt",
    "success_column": "success",
    "size_pattern": r"(\d+) steps",
}


def test_every_section_is_computed(compared):
    rows = dialogue_rows()
    rows.at[7, "turns"] = [*rows.at[7, "turns"][:2], *rows.at[7, "turns"][:2]]
    comparison = compared(rows, **KEYS, judged={"digressing": [35, 66], "other": [97, 134]})
    sections = comparison["sections"]
    assert list(sections) == ["rates", "detectors", "success", "success and digression", "judged"]
    assert not [name for name, section in sections.items() if "not_computed" in section]
    assert found(comparison, "detectors", "role flip: recall")["low"] > 0.8
    assert found(comparison, "rates", "role flip")["estimate"] < 0.1
    assert [one["what"] for one in sections["success"]["findings"]] == ["all", "size 2", "size 5"]
    assert found(comparison, "rates", "repeated turn")["estimate"] == pytest.approx(1 / 80)
    flagged = [one["turn"] for one in sections["rates"]["tables"]["flagged turns"] if one["fault"] == "repeated turn"]
    assert flagged == [2, 3]


def test_texts_are_shown_only_where_they_may_be(compared):
    assert compared(dialogue_rows(30), **KEYS, show_texts=False)["sections"]["rates"]["tables"] == {}


def test_without_counts_sizes_and_success_sections_say_what_is_missing(compared):
    keys = {"data_type": "dialogues", "unit": ["task"]}
    sections = compared(dialogue_rows(30), **keys)["sections"]
    assert "success_column" in sections["success"]["not_computed"]
    assert "judged" in sections["judged"]["not_computed"]
    comparison = compared(dialogue_rows(30), **keys, success_column="success")
    (note,) = comparison["sections"]["success and digression"]["notes"]
    assert note.startswith("within sizes: not computed")
    assert claim(comparison, "Dialogues that digress fail more often")["published"] is None


def test_the_published_difference_is_made_again_from_its_counts(compared):
    comparison = compared(dialogue_rows(60), **KEYS, judged={"digressing": [35, 66], "other": [97, 134]})
    digress = claim(comparison, "Dialogues that digress fail more often")
    assert round(digress["published"], 3) == -0.194
    assert digress["repeated"]["high"] < 0
    assert "size of tasks alone" in digress["moved_by"]


@pytest.fixture(scope="module")
def strata():
    """Exposure goes with the stratum, success with the stratum alone."""
    rng = np.random.default_rng(0)
    sizes = rng.integers(0, 3, 1500)
    exposed, success = rng.random(1500) < 0.2 + 0.25 * sizes, rng.random(1500) < 0.9 - 0.3 * sizes
    return exposed, success, sizes


def value(measure) -> float:
    return float(measure.of(measure.parts.sum(axis=0)))


def table(exposed, success) -> np.ndarray:
    return np.array([[(e & s).sum() for s in (success, ~success)] for e in (exposed, ~exposed)])


def test_mantel_haenszel_is_that_of_statsmodels(strata):
    exposed, success, sizes = strata
    theirs = StratifiedTable([table(exposed[sizes == size], success[sizes == size]) for size in range(3)])
    ours = mantel_haenszel(exposed, success, sizes)
    assert value(ours) == pytest.approx(theirs.logodds_pooled)
    interval = unit_interval(ours, np.arange(1500))
    assert interval[1:] == pytest.approx(theirs.logodds_pooled_confint(), abs=0.05)
    assert interval.low < 0 < interval.high


def test_a_crude_odds_ratio_takes_size_for_an_effect(strata):
    exposed, success, _ = strata
    crude = mantel_haenszel(exposed, success, np.zeros(1500))
    assert value(crude) == pytest.approx(Table2x2(table(exposed, success)).log_oddsratio)
    assert unit_interval(crude, np.arange(1500)).high < -0.5


def test_size_alone_makes_its_largest_difference_where_the_largest_tasks_are_exposed():
    success, sizes = np.array([1, 1, 1, 0, 1, 0, 0, 0]), np.array([2, 2, 2, 2, 3, 3, 5, 5])
    # Three exposed: both of size 5, which never succeed, and half of the two of size 3.
    assert value(by_size_alone(success, sizes, 3)) == pytest.approx((0 + 0 + 0.5) / 3 - (0.5 + 3) / 5)
    assert value(by_size_alone(np.ones(8), sizes, 3)) == 0


@pytest.mark.parametrize(
    ("keys", "error", "message"),
    [
        ({"prompt_column": None}, RecipeError, "size_pattern needs prompt_column"),
        ({"size_pattern": "steps"}, RecipeError, "size_pattern must have one group"),
        ({"size_pattern": "(steps"}, RecipeError, "is no regular expression: missing"),
        ({"size_pattern": "(steps)"}, UserError, "size_pattern finds no number in prompt"),
        ({"judged": {"with": [1, 2]}}, RecipeError, "judged must hold digressing and other"),
        ({"judged": {"digressing": [1, 2], "other": ["one", 2]}}, RecipeError, r"each \[successes, dialogues\]"),
        ({"turns_column": "prompt"}, UserError, "row 0: prompt is no list of texts"),
        ({"success_column": "task"}, UserError, "task 2 is neither 0 nor 1"),
        ({"success_column": "turns"}, UserError, "is neither 0 nor 1"),
    ],
)
def test_rows_and_keys_that_do_not_fit_are_refused(compared, keys, error, message):
    with pytest.raises(error, match=message):
        compared(dialogue_rows(20), **(KEYS | keys))


def test_roles_and_turns_must_be_equally_many(compared):
    rows = dialogue_rows(20)
    rows.at[3, "turns"] = rows.at[3, "turns"][:-1]
    with pytest.raises(UserError, match="row 3: 4 roles for 3 turns"):
        compared(rows, **KEYS)
