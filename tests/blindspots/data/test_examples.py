"""Examples: the texts of the templates, as token ids or as prompt and completion."""

import pytest
from datasets import Dataset

from blindspots.artifacts.inputs import fetch
from blindspots.data.examples import generator_examples, generator_texts, task_examples, task_texts
from blindspots.data.nli import END_MARKER, LABELS, generator_completion, generator_prompt, task_input
from blindspots.data.nli_datasets import nli_pairs, read_split
from blindspots.modeling.loading import load_tokenizer


@pytest.fixture(scope="module")
def pairs(world) -> Dataset:
    rows = nli_pairs(read_split(fetch(str(world / "corpus/mnli"), "dataset"), "train"), "mnli")
    return rows.select(range(12))


def test_a_task_model_reads_the_template(pairs):
    expected = [task_input(row["premise"], row["hypothesis"]) for row in pairs]
    assert task_texts(pairs) == task_texts(pairs[:]) == expected


def test_a_text_stands_for_a_pair_only_where_there_is_none():
    """A test set may have a column that is called text beside its pairs."""
    pair = {"premise": ["A dog ran."], "hypothesis": ["A dog."]}
    for rows in (pair | {"text": ["a passage"]}, Dataset.from_dict(pair | {"text": ["a passage"]})):
        assert task_texts(rows) == [task_input("A dog ran.", "A dog.")]
        assert task_texts(rows, None) == [("A dog ran.", "A dog.")]
    assert task_texts({"text": ["a passage"]}) == ["a passage"]


def test_a_label_is_the_id_that_the_head_gives_its_name(world, pairs):
    tokenizer = load_tokenizer(fetch(str(world / "start"), "model"))
    label2id = {"contradiction": 0, "entailment": 1, "neutral": 2}
    examples = task_examples(pairs, tokenizer, label2id)
    assert len(set(pairs["label"])) == len(LABELS)
    assert examples["labels"][:] == [label2id[LABELS[label]] for label in pairs["label"]]
    assert examples["input_ids"][:] == tokenizer(task_texts(pairs))["input_ids"]
    assert "premise" not in examples.column_names


def test_a_generator_reads_the_prompt_and_what_is_to_be_written(pairs):
    whole, parts = generator_examples(pairs, "text"), generator_examples(pairs, "completion")
    assert [row["prompt"] + row["completion"] for row in parts] == whole["text"][:]
    assert parts[0]["prompt"] == generator_prompt("entailment")
    assert parts[0]["completion"] == generator_completion(pairs[0]["premise"], pairs[0]["hypothesis"])
    assert all(text.endswith(END_MARKER) for text in whole["text"])
    assert (whole.column_names, parts.column_names) == (["text"], ["prompt", "completion"])


def test_the_text_of_an_example_is_whole_however_it_is_written(pairs):
    whole, parts = generator_examples(pairs, "text"), generator_examples(pairs, "completion")
    assert generator_texts(parts) == generator_texts(whole) == whole["text"][:]
