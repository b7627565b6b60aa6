"""The comparison as a script: each type from recipe to page, and each bad input a line."""

import json
import re
from pathlib import Path

import pandas as pd
import pytest
from made_sources import dialogue_rows, instruction_rows, labelled_rows, preference_rows, text_rows

from blindspots.config.errors import RecipeError, UserError
from blindspots.config.source_recipes import DATA_TYPES
from blindspots.sources.render import markdown

REPO_ROOT = Path(__file__).resolve().parents[1]
RESULTS = REPO_ROOT / "results" / "sources"
COMMITTED = sorted(file.parent.name for file in RESULTS.glob("*/comparison.json"))
LABELS = """
data_type: task_labels
sources: {human: people, sharp: sharp}
codes: {0: no, 1: maybe, 2: yes}
unit: [text_id]
resamples: 200
"""
PREFERENCES = """
data_type: preferences
sources: {human: people, gpt: model}
codes: {0: first, 1: second, 2: tie}
unit: [question]
resamples: 200
"""
INSTRUCTIONS = """
data_type: instructions
reference: OUT/people.parquet
test_set: OUT/people.parquet
self_bleu_texts: 5
annotated: {some set: [3, 20]}
"""
DIALOGUES = r"""
data_type: dialogues
unit: [task]
prompt_column: prompt
success_column: success
size_pattern: (\d+) steps
role_keywords: {user: please, assistant: certainly}
judged: {digressing: [35, 66], other: [97, 134]}
resamples: 200
"""
FREE_TEXT = """
data_type: free_text
unit: [prompt]
sources: {human: people, machine: machine}
group_columns: [model]
shared_prefix: true
resamples: 200
"""


@pytest.fixture
def run(tmp_path, script):
    """Runs a recipe on rows and returns what comparison.json holds."""

    def make(rows, recipe: str, *arguments) -> dict:
        rows.to_parquet(tmp_path / "rows.parquet")
        (tmp_path / "recipe.yaml").write_text(
            f"dataset: OUT/rows.parquet\noutput_dir: OUT/out\n{recipe}".replace("OUT", str(tmp_path))
        )
        script("compare_sources", tmp_path / "recipe.yaml", *arguments)
        return json.loads((tmp_path / "out/comparison.json").read_text())

    return make


@pytest.mark.parametrize(
    ("rows", "recipe"),
    [
        (labelled_rows(60), LABELS),
        (preference_rows(90), PREFERENCES),
        (instruction_rows(80), INSTRUCTIONS),
        (dialogue_rows(40), DIALOGUES),
        (text_rows(40), FREE_TEXT),
    ],
    ids=["task_labels", "preferences", "instructions", "dialogues", "free_text"],
)
def test_from_recipe_to_page(tmp_path, run, rows, recipe):
    instruction_rows(80, seed=1).to_parquet(tmp_path / "people.parquet")
    comparison = run(rows, recipe)
    assert (tmp_path / "out/README.md").read_text() == markdown(comparison)
    assert (tmp_path / "out/comparison.png").stat().st_size > 10_000
    assert not [name for name, section in comparison["sections"].items() if "not_computed" in section]


def test_claims_and_notes_are_told(tmp_path, run, capsys):
    run(labelled_rows(60), LABELS)
    told = capsys.readouterr().out
    assert "sharp's labels over-represent the majority's: supported; +" in told
    assert f"comparison: {tmp_path}/out/README.md" in told


def test_the_same_rows_give_the_same_numbers_and_replace_the_former(run):
    first, again = (run(labelled_rows(40), LABELS) for _ in range(2))
    assert first == again


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (("--row_filter", "{text_id: 99}"), UserError, "no row has text_id 99"),
        (("--unit", "question"), UserError, "has no column question"),
        (("--data_type", "free_text"), RecipeError, "codes has no effect: data_type is free_text"),
        (
            ("--codes", "{0: false, 1: maybe, 2: true}"),
            RecipeError,
            "codes: 0 wants str, got False; put text in quotes",
        ),
        (("--human", "crowd"), UserError, "name the columns of crowd"),
    ],
)
def test_a_mistake_stops_the_run_before_anything_is_written(tmp_path, run, arguments, error, message):
    with pytest.raises(error, match=message):
        run(labelled_rows(20), LABELS, *arguments)
    assert not (tmp_path / "out").exists()


# The committed comparisons


def committed(name: str) -> dict:
    return json.loads((RESULTS / name / "comparison.json").read_text())


def test_every_recipe_has_a_committed_comparison():
    assert sorted(file.stem for file in (REPO_ROOT / "recipes/sources").glob("*.yaml")) == COMMITTED
    assert {committed(name)["data_type"] for name in COMMITTED} == set(DATA_TYPES)


@pytest.mark.parametrize("name", COMMITTED)
def test_a_committed_page_is_rendered_from_its_json(name):
    comparison = committed(name)
    assert (RESULTS / name / "README.md").read_text() == markdown(comparison)
    assert re.fullmatch("[0-9a-f]{40}", comparison["code_commit"])
    assert not [one for one in comparison["sections"].values() if one.get("failed")]
    assert comparison["licence"] != "unknown"
    assert comparison["limits"]
    assert not re.search(r"/(home|root|tmp|work)/", json.dumps(comparison))


def test_no_text_of_a_set_with_hate_speech_is_committed(shared):
    texts = pd.read_parquet(shared / "sources/task_labels/labels.parquet")["text"]
    long = {text for text in texts if len(text) > 20}
    for name in ("sbic", "ghc", "sentiment", "social_chemistry"):
        page = json.dumps(committed(name), ensure_ascii=False)
        assert not [text for text in long if text in page]
