"""What a check reads: columns and labels by name, guesses that are said, and mistakes in a line."""

import json

import pytest

from blindspots.check.sets import read_set, require_known_words, write_copy
from blindspots.config.analysis_recipes import CheckRecipe
from blindspots.config.errors import UserError
from blindspots.data.nli import LABELS
from blindspots.data.nli_datasets import pool_pairs


def made(gold, number: int, /, **names: str) -> dict:
    row = {"premise": f"the dog {number} runs", "hypothesis": f"a dog {number}", "label": gold}
    return {names.get(column, column): value for column, value in row.items()}


@pytest.fixture
def read(tmp_path):
    """read(rows, **keys) writes rows to mine.jsonl and reads them as a check does."""

    def run(rows, **keys):
        file = tmp_path / "mine.jsonl"
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return read_set(CheckRecipe(datasets=[], model="demo", starts=[0], size=6, **keys), str(file))

    return run


def rows(labels=LABELS, count: int = 9, **names: str) -> list[dict]:
    return [made(labels[number % 3], number, **names) for number in range(count)]


def test_a_file_is_read_and_named_by_its_rows(read):
    found = read(rows())
    assert (found.name, len(found.pairs)) == ("mine", 9)
    assert found.key.startswith("mine_")
    assert found.key == read(rows()).key != read(rows(count=12)).key


def test_columns_and_labels_that_are_guessed_are_said(read, capsys):
    names = {"premise": "sentence1", "hypothesis": "sentence2", "label": "gold_label"}
    found = read(rows(("Entailment", "neutral", "contradictory"), **names))
    assert found.pairs["label"][:3] == [0, 1, 2]
    said = capsys.readouterr().out
    assert "sentence1 is taken as the premise" in said
    assert "label contradictory is taken as contradiction" in said


def test_columns_and_labels_may_be_named(read):
    found = read(
        rows((2, 1, 0), premise="text"),
        premise_column="text",
        label_names={"2": "entailment", "1": "neutral", "0": "contradiction"},
    )
    assert found.pairs["label"][:3] == [0, 1, 2]


@pytest.mark.parametrize(
    ("given", "keys", "message"),
    [
        (rows((0, 1, 2)), {}, "labels are numbers, such as 0; say what they mean, as in --label_names"),
        (rows(("0", "1", "2")), {}, "labels are numbers, such as 0"),
        (rows(("entailment", "neutral", "maybe")), {}, "row 2: label 'maybe' is not one of entailment, neutral"),
        (
            rows(premise="text"),
            {},
            "no column premise; it has text, hypothesis, label. Name the premise's with --prem",
        ),
        (rows(), {"label_column": "gold"}, "has no column gold; it has premise, hypothesis, label"),
        (
            rows(count=3),
            {},
            "1 different rows of entailment; models are tuned on 6 rows, 2 of .* Pass --size 3 or less",
        ),
        (rows(("neutral",) * 3), {}, "0 different rows of entailment.* Add rows of that label"),
        ([*rows(), made(None, 10)], {}, "row 9: the label is missing"),
        ([*rows(), {**made("neutral", 10), "premise": " "}], {}, "row 9: the premise is empty or not text"),
    ],
)
def test_a_mistake_is_a_line_that_says_where(read, given, keys, message):
    with pytest.raises(UserError, match=message):
        read(given, **keys)


def test_rows_without_an_agreed_label_are_left_out_and_counted(read):
    found = read([*rows(), made("-", 10)])
    assert (len(found.pairs), found.left_out) == (9, {"without label": 1})


def test_a_set_of_another_language_is_refused(read):
    found = read(rows())
    require_known_words(found, found.pairs, "demo")
    foreign = found.pairs.map(lambda row: {"premise": "chien", "hypothesis": "chat"})
    with pytest.raises(UserError, match=r"100% of its words never occur in the original rows .* Name another recipe"):
        require_known_words(found, foreign, "demo")


def test_a_copy_is_a_dataset_of_its_rows_and_is_written_once(read, tmp_path):
    from blindspots.artifacts.inputs import fetch

    found = read(rows())
    for _ in range(2):
        write_copy(found, tmp_path / "copy")
    assert pool_pairs(fetch(str(tmp_path / "copy"), "dataset"))["premise"] == found.pairs["premise"]
