"""Instructions: planted faults, copies that are cut, leakage, and claims beside what people annotated."""

import pandas as pd
import pytest
from made_sources import claim, found, instruction_rows

from blindspots.config.errors import RecipeError, UserError


@pytest.fixture
def instructed(compared, tmp_path):
    """Compares a model's tasks with people's: instructed(rows, people's rows, **keys)."""

    def make(rows: pd.DataFrame, people: pd.DataFrame, **keys) -> dict:
        people.to_parquet(tmp_path / "people.parquet")
        defaults = {"data_type": "instructions", "reference": str(tmp_path / "people.parquet"), "self_bleu_texts": 5}
        return compared(rows, **(defaults | {"machine": "gpt"} | keys))

    return make


def test_planted_faults_are_counted_beside_peoples(instructed):
    comparison = instructed(instruction_rows(faults=12), instruction_rows(faults=0, seed=1))
    refusal = found(comparison, "signs", "refusal")
    assert (refusal["estimate"], refusal["reference"]["estimate"]) == (0.1, 0.0)
    assert refusal["difference"]["low"] > 0
    faults = claim(comparison, "Instructions of gpt show faults more often than people's")
    assert faults["verdict"] == "supported"
    samples = comparison["sections"]["signs"]["tables"]["samples of gpt"]
    assert {sample["sign"] for sample in samples} == {"refusal"}
    assert len(samples) == 5


def test_texts_are_shown_only_where_they_may_be(instructed):
    comparison = instructed(instruction_rows(faults=12), instruction_rows(faults=0, seed=1), show_texts=False)
    assert comparison["sections"]["signs"]["tables"] == {}


def test_without_an_input_column_a_missing_input_is_not_computed(instructed):
    people = instruction_rows(seed=1).drop(columns="input")
    keys = {"reference_fields": {"instruction": "instruction", "output": "output"}}
    section = instructed(instruction_rows(), people, **keys)["sections"]["signs"]
    assert not [one for one in section["findings"] if "missing" in one["what"]]
    assert section["notes"] == [
        "input that is asked for is missing: not computed, one of the sets has no column for it."
    ]


def test_where_a_copy_cuts_answers_their_ends_and_lengths_are_not_computed(instructed):
    people = instruction_rows(seed=1, words=60)
    people["output"] = people["output"].str[:150]
    comparison = instructed(instruction_rows(words=60), people)
    for section in ("signs", "lengths"):
        assert "the answers of human look cut at a length in this copy" in comparison["sections"][section]["notes"][0]
    assert [one["what"] for one in comparison["sections"]["lengths"]["findings"]] == ["instruction"]
    assert not [one for one in comparison["sections"]["signs"]["findings"] if one["what"] == "answer cut off"]


def test_near_duplicates_within_a_set_and_in_the_test_set(instructed, tmp_path):
    rows = instruction_rows()
    rows.loc[1, ["instruction", "input"]] = rows.loc[0, ["instruction", "input"]].str.upper()
    rows.loc[[2, 3]].to_json(tmp_path / "test.jsonl", orient="records", lines=True)
    comparison = instructed(rows, instruction_rows(seed=1), test_set=str(tmp_path / "test.jsonl"))
    assert found(comparison, "duplicates", "within the set")["estimate"] == pytest.approx(2 / 120)
    assert found(comparison, "duplicates", "in the test set")["estimate"] == pytest.approx(2 / 120)
    assert found(comparison, "duplicates", "in human")["estimate"] == 0
    without = instructed(rows, instruction_rows(seed=1))["sections"]["duplicates"]
    assert without["notes"] == ["In the test set: not computed, none is named with test_set."]


def test_half_of_few_annotated_rows_is_no_proof_of_half(instructed):
    keys = {"annotated": {"a": [109, 200], "b": [21, 200]}}
    comparison = instructed(instruction_rows(), instruction_rows(seed=1), **keys)
    half = claim(comparison, "At least half of the instructions are corrupt in some set (a)")
    assert (half["published"], half["verdict"]) == (0.545, "undecided")
    assert found(comparison, "annotated", "b")["high"] < 0.2
    assert comparison["sections"]["annotated"]["about"].startswith("Share of rows with an error")


def test_the_highest_of_several_annotated_sets_is_corrected_for_their_number(instructed):
    """115 of 200 lie significantly above a half alone, and not as the highest of four."""
    verdicts = []
    for sets in ("a", "abcd"):
        annotated = {name: [100, 200] for name in sets} | {"a": [115, 200]}
        comparison = instructed(instruction_rows(), instruction_rows(seed=1), annotated=annotated)
        verdicts.append(claim(comparison, "At least half of the instructions are corrupt in some set (a)")["verdict"])
    assert verdicts == ["supported", "undecided"]


@pytest.mark.parametrize(
    ("keys", "error", "message"),
    [
        ({"reference": None}, RecipeError, "reference is needed"),
        (
            {"fields": {"instruction": "instruction"}},
            RecipeError,
            "fields must name the columns of instruction and output",
        ),
        ({"annotated": {"a": [3, 2]}}, RecipeError, r"annotated: a must hold \[rows with errors, rows\]"),
        ({"annotated": {"a": ["few", 2]}}, RecipeError, r"annotated: a must hold \[rows with errors, rows\]"),
        ({"near_threshold": 70}, RecipeError, "near_threshold is a share"),
        (
            {"fields": {"instruction": "row", "output": "output"}},
            UserError,
            "row 0: the instruction is empty or not text",
        ),
    ],
)
def test_a_recipe_that_cannot_name_tasks_is_refused(instructed, keys, error, message):
    with pytest.raises(error, match=message):
        instructed(instruction_rows(), instruction_rows(seed=1), **keys)
