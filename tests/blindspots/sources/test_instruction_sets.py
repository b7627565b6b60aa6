"""Instructions of people and of a model in train sets of equally many tokens."""

from dataclasses import replace

import pytest
from made_sources import instruction_rows

from blindspots.artifacts.inputs import fetch
from blindspots.config.errors import RecipeError, UserError
from blindspots.config.source_recipes import CompareRecipe, PrepareSourcesRecipe
from blindspots.data.instructions import Task
from blindspots.modeling.loading import load_tokenizer
from blindspots.sources.instruction_sets import prompt
from blindspots.sources.train_sets import train_sets


@pytest.fixture
def made(tmp_path, world):
    """The train sets of a model's 60 tasks and people's 60, the first two of which are in the test."""
    people = instruction_rows(60, seed=1, words=4)
    instruction_rows(60, words=8).to_parquet(tmp_path / "machine.parquet")
    people.to_parquet(tmp_path / "people.parquet")
    people.head(2).assign(answer="Yes.").to_parquet(tmp_path / "test.parquet")
    compare = CompareRecipe(
        output_dir="unused",
        data_type="instructions",
        dataset=str(tmp_path / "machine.parquet"),
        reference=str(tmp_path / "people.parquet"),
        test_set=str(tmp_path / "test.parquet"),
        machine="gpt",
    )
    recipe = PrepareSourcesRecipe(
        output_dir="unused",
        source_set="unused",
        tokenizer=str(world / "base"),
        train_tokens=2000,
        longest=300,
        test_rows=2,
        test_output="answer",
        seeds=[0, 1],
    )

    def make(**changed):
        return train_sets(replace(recipe, **changed), compare, fetch(compare.dataset, "dataset"))

    return make


def test_every_set_has_as_many_tokens(made, world):
    configs, counts = made()
    tokenizer = load_tokenizer(fetch(str(world / "base"), "model"))
    assert list(configs) == ["human-s0", "human-s1", "machine_gpt-s0", "machine_gpt-s1", "test"]
    for name, tokens in counts["tokens"].items():
        rows = configs[name]["train"]
        texts = [start + end for start, end in zip(rows["prompt"], rows["completion"])]
        assert sum(len(ids) + 1 for ids in tokenizer(texts)["input_ids"]) == tokens
        assert 1900 < tokens <= 2000
    assert len(configs["human-s0"]["train"]) > len(configs["machine_gpt-s0"]["train"])


def test_no_instruction_of_the_test_is_trained_on(made):
    configs, counts = made()
    trained = {unit for name in configs if name != "test" for unit in configs[name]["train"]["unit"]}
    assert trained.isdisjoint(configs["test"]["test"]["unit"])
    assert counts["human: no answer, or an instruction of the test"] == 2
    assert set(configs["test"]["test"]["completion"]) == {" Yes."}


def test_a_prompt_holds_the_input_where_there_is_one():
    assert prompt(Task("Add.", "1 2", "3")) == "Add.\n\n1 2\n\nAnswer:"
    assert prompt(Task("Add.", "", "3")) == prompt(Task("Add. ", None, "3")) == "Add.\n\nAnswer:"


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"train_tokens": 10**6}, UserError, "1000000 train_tokens are wanted, its rows of 300 tokens or less hold"),
        ({"test_rows": 3}, UserError, "test_rows: 3 rows are wanted, there are 2"),
        ({"tokenizer": None}, RecipeError, "Instructions need tokenizer and train_tokens"),
    ],
)
def test_what_can_not_be_drawn_is_an_error(made, changed, error, message):
    with pytest.raises(error, match=message):
        made(**changed)
