"""Reading NLI data: labels by name, and a clear line for each kind of bad row."""

import pytest
from datasets import ClassLabel, Dataset, Features, Value

from blindspots.artifacts.inputs import Source
from blindspots.config.errors import UserError
from blindspots.data.nli import LABELS
from blindspots.data.nli_datasets import PAIR_FEATURES, nli_pairs, read_split, write_configs

TEXT = {"premise": Value("string"), "hypothesis": Value("string")}


def rows(names: list[str], labels: list) -> Dataset:
    feature = ClassLabel(names=names) if names else (Value("string") if isinstance(labels[0], str) else Value("int64"))
    columns = {"premise": [f"p{i}" for i in range(len(labels))], "hypothesis": ["h"] * len(labels), "label": labels}
    return Dataset.from_dict(columns, features=Features({**TEXT, "label": feature}))


def test_a_permuted_label_order_is_mapped_by_name():
    pairs = nli_pairs(rows(["contradiction", "entailment", "neutral"], [0, 1, 2]), "here")
    assert [LABELS[label] for label in pairs["label"]] == ["contradiction", "entailment", "neutral"]
    assert pairs.features == PAIR_FEATURES


def test_label_names_may_be_text():
    assert nli_pairs(rows([], ["Neutral", "entailment"]), "here")["label"] == [1, 0]


@pytest.mark.parametrize("column", ["gold_label", "gold"])
def test_a_label_column_of_another_name_is_known(column):
    named = rows([], ["neutral", "entailment"]).rename_column("label", column)
    assert nli_pairs(named, "here")["label"] == [1, 0]
    both = named.add_column("label", ["contradiction", "contradiction"])
    assert nli_pairs(both, "here")["label"] == [2, 2]
    with pytest.raises(UserError, match=f"has no column label; it has .*{column}_"):
        nli_pairs(named.rename_column(column, f"{column}_of_somebody"), "here")


def test_rows_without_a_gold_label_are_left_out_where_that_is_asked_for():
    assert nli_pairs(rows(list(LABELS), [0, -1, 2]), "here", unlabelled=True)["id"] == ["0", "2"]
    with pytest.raises(UserError, match="here, row 1: the label is missing"):
        nli_pairs(rows(list(LABELS), [0, -1, 2]), "here")


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        (rows(["yes", "no"], [0, 1]), "label 'yes' is not one of entailment, neutral, contradiction"),
        (rows([], [0, 1]), "labels are int64 without names"),
        (rows([], ["0", "1"]), "row 0: label '0' is not one of"),
        (rows(list(LABELS), [0]).remove_columns("premise"), "has no column premise; it has hypothesis, label"),
        (
            rows(list(LABELS), [0, 1]).map(lambda row, i: {"hypothesis": " " * i or "h"}, with_indices=True),
            "row 1: the hypothesis is empty",
        ),
    ],
)
def test_a_bad_row_is_named(dataset, message):
    with pytest.raises(UserError, match=message):
        nli_pairs(dataset, "here")


def test_text_that_is_a_number_is_refused():
    dataset = Dataset.from_dict({"premise": [1], "hypothesis": ["h"], "label": ["neutral"]})
    with pytest.raises(UserError, match="row 0: the premise is empty or not text"):
        nli_pairs(dataset, "here")


def test_text_that_is_missing_is_refused():
    dataset = Dataset.from_dict({"premise": ["p", None], "hypothesis": ["h", "h"], "label": ["neutral", "neutral"]})
    with pytest.raises(UserError, match="row 1: the premise is empty or not text"):
        nli_pairs(dataset, "here")


# Files as GLUE, SNLI and HANS have them


GLUE = {
    "index": list("0123"),
    "pairID": ["a", "b", "c", "d"],
    "sentence1_parse": ["(S p)"] * 4,
    "sentence1": ["a dog ran", "a cat sat", "no cat sat", "p"],
    "sentence2": ["a dog", "a cat", "cats sat", "h"],
    "label1": ["neutral"] * 4,
    "gold_label": ["entailment", "-", "contradiction", "neutral"],
}


def test_the_columns_of_glue_are_taken_and_rows_without_an_agreed_label_are_counted(capsys):
    counts = {}
    pairs = nli_pairs(Dataset.from_dict(GLUE), "dev.tsv", row_counts=counts)
    assert pairs["id"] == ["a", "c", "d"]
    assert pairs["premise"] == ["a dog ran", "no cat sat", "p"]
    assert [LABELS[label] for label in pairs["label"]] == ["entailment", "contradiction", "neutral"]
    assert counts == {"without label": 1}
    assert capsys.readouterr().out.splitlines() == [
        "dev.tsv: sentence1 is taken as the premise, sentence2 is taken as the hypothesis, gold_label is taken as the "
        "label.",
        "dev.tsv: 1 of 4 rows have no gold label and are left out.",
    ]


def test_the_columns_of_fewgen_are_taken(capsys):
    """Its gen-train.json is one JSON list of such rows."""
    rows = Dataset.from_list([{"text1": "a dog ran", "text2": "a dog", "label": "entailment"}])
    pair = {"premise": "a dog ran", "hypothesis": "a dog", "label": LABELS.index("entailment")}
    assert nli_pairs(rows, "gen-train.json")[0] == {"id": "0"} | pair
    assert "text1 is taken as the premise, text2 is taken as the hypothesis" in capsys.readouterr().out


def test_columns_of_our_names_come_before_those_of_glue(capsys):
    ours = {"premise": ["p"] * 4, "hypothesis": ["h"] * 4, "label": ["neutral"] * 4}
    pairs = nli_pairs(Dataset.from_dict(GLUE | ours), "both.tsv")
    assert (set(pairs["premise"]), len(pairs)) == ({"p"}, 4)
    assert capsys.readouterr().out == ""


def test_a_label_that_is_missing_is_refused_beside_those_that_are_not_agreed_on():
    rows = Dataset.from_dict(GLUE | {"gold_label": ["entailment", "-", None, "neutral"]})
    with pytest.raises(UserError, match=r"dev\.tsv, row 2: the label is missing"):
        nli_pairs(rows, "dev.tsv")


def test_a_bad_row_behind_one_without_a_label_keeps_its_number():
    rows = Dataset.from_dict(GLUE | {"sentence2": ["h", "h", "h", " "]})
    with pytest.raises(UserError, match=r"dev\.tsv, row 3: the hypothesis is empty"):
        nli_pairs(rows, "dev.tsv")


def source(world, name):
    return Source(name, world / "corpus" / name, None, "dataset")


def test_a_split_that_is_not_there_is_named(world):
    with pytest.raises(UserError, match="mnli has no split test"):
        read_split(source(world, "mnli"), "test")


def test_a_rebuilt_folder_is_read_again(tmp_path):
    for names in (["a"], ["b", "c"]):
        dataset = Dataset.from_dict(
            {"id": names, "premise": names, "hypothesis": names, "label": [0] * len(names)}, features=PAIR_FEATURES
        )
        write_configs(tmp_path, {"n1": {"train": dataset}})
        assert read_split(Source("x", tmp_path, None, "dataset"), "train")["id"] == names
