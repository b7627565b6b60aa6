"""Rows of any dataset: columns and labels under other names, and a word on each row that can't be used."""

import pytest

from blindspots.artifacts.inputs import Source, fetch
from blindspots.audit.rows import EMPTY, NOT_TEXT, UNKNOWN, UNLABELLED, Columns, opened, shown_name
from blindspots.config.errors import UserError
from blindspots.data.nli_datasets import NO_LABEL


def read(folder, columns=None):
    """All rows of a folder as one batch."""
    with opened(fetch(str(folder), "dataset"), "mine", "train", columns or Columns()) as rows:
        (batch,) = rows.batches()
        return batch, rows


def test_columns_and_labels_under_other_names_are_mapped(folder):
    path = folder("mine", sentence1=["a", "b", "c"], sentence2=["d", "e", "f"], gold=["E", "N", "C"])
    names = {"E": "entailment", "N": "neutral", "C": "contradiction"}
    batch, _ = read(path, Columns("sentence1", "sentence2", "gold", names))
    assert (batch.premises, batch.labels) == (["a", "b", "c"], ["entailment", "neutral", "contradiction"])


def test_the_columns_of_glue_are_taken_unless_others_are_named(folder, capsys):
    path = folder("mine", sentence1=["a", "b"], sentence2=["c", "d"], gold_label=["neutral", "-"])
    batch, _ = read(path)
    assert (batch.premises, batch.hypotheses, batch.labels) == (["a", "b"], ["c", "d"], ["neutral", NO_LABEL])
    assert [(row, why) for row, why, _ in batch.problems] == [(1, UNLABELLED)]
    assert capsys.readouterr().out == (
        "mine: sentence1 is taken as the premise, sentence2 is taken as the hypothesis, gold_label is taken as the "
        "label.\n"
    )
    batch, _ = read(path, Columns("sentence2", "sentence1", "gold_label"))
    assert (batch.premises, batch.hypotheses) == (["c", "d"], ["a", "b"])
    assert capsys.readouterr().out == ""


def test_numbers_without_names_are_labels_only_when_they_are_named(folder):
    path = folder("mine", names=None, premise=["a", "b"], hypothesis=["c", "d"], label=[2, 0])
    batch, rows = read(path)
    assert batch.labels == [NO_LABEL, NO_LABEL]
    assert "numbers without names" in rows.why_unlabelled
    batch, rows = read(path, Columns(label_names={"0": "entailment", "2": "contradiction"}))
    assert (batch.labels, rows.why_unlabelled) == (["contradiction", "entailment"], None)


def test_true_and_false_are_no_labels(folder):
    batch, rows = read(folder("mine", names=None, premise=["a"], hypothesis=["c"], label=[True]))
    assert batch.labels == [NO_LABEL]
    assert rows.why_unlabelled == "the labels in column label are true and false, which name no label"


def test_every_row_of_a_text_file_is_read_and_a_broken_one_named(tmp_path):
    file = tmp_path / "mine.tsv"
    lines = ["premise\thypothesis\tlabel", '"a\tn/a\tneutral', 'b "\tnull\t-']
    file.write_text("\n".join(lines))
    batch, _ = read(file)
    assert (batch.premises, batch.hypotheses, batch.labels) == (['"a', 'b "'], ["n/a", "null"], ["neutral", NO_LABEL])
    file.write_text("\n".join([*lines, "c"]))
    with pytest.raises(UserError, match="mine, line 4: 1 fields where the header names 3"):
        read(file)


def test_a_permuted_class_label_is_mapped_by_name(folder):
    names = ("contradiction", "entailment", "neutral")
    batch, _ = read(folder("mine", names, premise=["a", "b"], hypothesis=["c", "d"], label=[0, 1]))
    assert batch.labels == ["contradiction", "entailment"]


def test_each_row_that_cannot_be_used_is_named_with_its_reason(folder):
    path = folder(
        "mine",
        premise=["a", " ", None, "b", "c"],
        hypothesis=["d", "e", "f", "g", "h"],
        label=["entailment", "neutral", "neutral", "maybe", ""],
    )
    batch, _ = read(path)
    assert [(row, why) for row, why, _ in batch.problems] == [(1, EMPTY), (2, NOT_TEXT), (3, UNKNOWN), (4, UNLABELLED)]
    assert (batch.numbers, batch.labels) == ([0, 3, 4], ["entailment", NO_LABEL, NO_LABEL])


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (Columns(premise="premises"), "did you mean premise.*premise_column"),
        (Columns(hypothesis="text"), "no column text.*It has premise, hypothesis, label"),
        (Columns(label="gold"), "no column gold"),
        (Columns(label_names={"0": "entails"}), "maps 0 to 'entails'"),
    ],
)
def test_a_name_that_is_not_there_is_one_line(folder, columns, message):
    path = folder("mine", premise=["a"], hypothesis=["b"], label=[0])
    with pytest.raises(UserError, match=message):
        read(path, columns)


def test_a_missing_split_names_the_dataset(folder):
    path = folder("mine", premise=["a"], hypothesis=["b"])
    with (
        pytest.raises(UserError, match="mine has no split dev"),
        opened(fetch(str(path), "dataset"), "mine", "dev", Columns()),
    ):
        pass


def test_a_sample_is_fixed_by_its_seed_and_holds_no_row_twice(folder):
    path = folder("mine", premise=[f"p{i}" for i in range(50)], hypothesis=["h"] * 50, label=[0] * 50)
    with opened(fetch(str(path), "dataset"), "mine", "train", Columns()) as rows:
        one, same, other = (rows.sample(20, seed).numbers for seed in (1, 1, 2))
        assert one == same != other
        assert len(set(one)) == 20
        assert sorted(rows.sample(99, 0).numbers) == list(range(50))
        assert rows.sample(20, 1).premises == [f"p{number}" for number in one]


def test_a_report_never_names_a_folder_of_this_machine(tmp_path):
    assert shown_name(Source(str(tmp_path / "mine"), tmp_path / "mine", None, "dataset")) == "mine"
    assert shown_name(Source("../elsewhere/mine", tmp_path / "mine", None, "dataset")) == "mine"
    assert shown_name(Source("nyu-mll/multi_nli", tmp_path, None, "dataset")) == "nyu-mll/multi_nli"
