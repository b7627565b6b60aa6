"""Labelled texts and decided pairs as the training scripts read them."""

import pytest
from datasets import ClassLabel, Dataset

from blindspots.config.errors import UserError
from blindspots.data.people_rows import chosen_texts, decided_pairs, labelled_texts

TEXTS = {"id": ["a", "b"], "unit": ["u", "u"], "text": ["One\nline.", "Two."], "label": ["yes", "no"]}
PAIRS = {"text_1": ["a", "b"], "text_2": ["c", "d"], "label": ["second", "first"]}


def test_labels_keep_the_names_and_the_order_of_the_dataset():
    rows = Dataset.from_dict(TEXTS | {"label": [1, 0]}).cast_column("label", ClassLabel(names=["no", "yes"]))
    found = labelled_texts(rows, ["text"], "x")
    assert found.features["label"].names == ["no", "yes"]
    assert found[0] == {"id": "a", "unit": "u", "text": "One\nline.", "label": 1}


def test_labels_that_are_text_are_named_in_alphabetical_order():
    assert labelled_texts(Dataset.from_dict(TEXTS), ["text"], "x").features["label"].names == ["no", "yes"]


@pytest.mark.parametrize("names", [["no", "NO", "yes"], [" no", "yes"]])
def test_names_of_a_class_label_that_a_model_could_not_tell_apart_are_refused(names):
    rows = Dataset.from_dict(TEXTS | {"label": [0, 1]}).cast_column("label", ClassLabel(names=names))
    with pytest.raises(UserError, match=r"x: the label"):
        labelled_texts(rows, ["text"], "x")


def test_two_texts_stand_on_two_lines():
    rows = Dataset.from_dict(TEXTS | {"other": ["b", "c\nd"]})
    assert labelled_texts(rows, ["text", "other"], "x")["text"][:] == ["One line.\nb", "Two.\nc d"]


def test_a_row_without_a_unit_is_one_itself():
    rows = Dataset.from_dict({"text": ["a", "b"], "label": ["yes", "no"]})
    assert labelled_texts(rows, ["text"], "x")["unit"][:] == ["0", "1"]


@pytest.mark.parametrize(
    ("changed", "columns", "message"),
    [
        ({}, [], "text_columns names 0 columns"),
        ({}, ["words"], "x has no column words; it has id, unit, text, label"),
        ({"text": ["a", " "]}, ["text"], "x, row 1: the text is empty"),
        ({"label": [0, 1]}, ["text"], "x: labels have no names; give the column a ClassLabel"),
        ({"label": ["yes", None]}, ["text"], "x, row 1: the label is missing"),
        ({"label": ["yes", "yes"]}, ["text"], "x: every row has the label yes"),
        ({"id": ["a", "a"]}, ["text"], "x: id a occurs more than once"),
        ({"label": ["yes", "no "]}, ["text"], "x: the label 'no ' has white space around it"),
        ({"label": ["Yes", "yes"]}, ["text"], "x: the labels 'Yes' and 'yes' differ only in case"),
    ],
)
def test_a_text_that_can_not_be_used_is_an_error(changed, columns, message):
    with pytest.raises(UserError, match=message):
        labelled_texts(Dataset.from_dict(TEXTS | changed), columns, "x")


def test_pairs_keep_their_prompt_and_the_name_of_the_chosen_text():
    rows = decided_pairs(Dataset.from_dict(PAIRS | {"prompt": ["p\n", "q\n"], "writer": ["x", "y"]}), "x")
    assert rows[0] == {"prompt": "p\n", "text_1": "a", "text_2": "c", "id": "0", "unit": "0", "label": "second"}


@pytest.mark.parametrize(
    ("changed", "message"),
    [({"label": ["tie", "first"]}, "label 'tie' is not first or second"), ({"text_2": ["", "d"]}, "text_2 is empty")],
)
def test_a_pair_that_is_not_decided_is_an_error(changed, message):
    with pytest.raises(UserError, match=message):
        decided_pairs(Dataset.from_dict(PAIRS | changed), "x")


def test_a_train_row_of_pairs_has_a_chosen_and_a_rejected_text():
    assert chosen_texts(Dataset.from_dict({"chosen": ["a"], "rejected": ["b"], "id": ["1"]}), "x")[0] == {
        "chosen": "a",
        "rejected": "b",
    }
    with pytest.raises(UserError, match="x has no column rejected"):
        chosen_texts(Dataset.from_dict({"chosen": ["a"]}), "x")
