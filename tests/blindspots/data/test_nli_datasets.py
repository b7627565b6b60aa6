"""Reading NLI data: labels by name, and a clear line for each kind of bad row."""

import pytest
from datasets import ClassLabel, Dataset, Features, Value

from blindspots.artifacts.inputs import Source
from blindspots.config.errors import UserError
from blindspots.data.nli import LABELS
from blindspots.data.nli_datasets import (
    PAIR_FEATURES,
    hans_test,
    mnli_test,
    nli_pairs,
    read_split,
    stratified,
    write_configs,
)

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
    with pytest.raises(UserError, match="row 1: label '-'"):
        nli_pairs(rows(list(LABELS), [0, -1, 2]), "here")


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        (rows(["yes", "no"], [0, 1]), "label 'yes' is not one of entailment, neutral, contradiction"),
        (rows([], [0, 1]), "labels are int64 without names"),
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
    with pytest.raises(UserError, match="row 0: the premise is empty or no text"):
        nli_pairs(dataset, "here")


def test_text_that_is_missing_is_refused():
    dataset = Dataset.from_dict({"premise": ["p", None], "hypothesis": ["h", "h"], "label": ["neutral", "neutral"]})
    with pytest.raises(UserError, match="row 1: the premise is empty or no text"):
        nli_pairs(dataset, "here")


def source(world, name):
    return Source(name, world / "corpus" / name, None, "dataset")


def test_hans_keeps_its_order_and_a_wrong_row_count_is_refused(world):
    test = hans_test(source(world, "hans"), 60)
    assert test["id"][:2] == ["ex0", "ex1"]
    assert set(test["gold"]) == {"entailment", "non-entailment"}
    with pytest.raises(UserError, match="60 rows where HANS has 30000"):
        hans_test(source(world, "hans"), 30_000)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"heuristic": "overlap"}, "row 0: heuristic 'overlap' is not one of lexical_overlap, subsequence, constitue"),
        ({"label": "neutral"}, "row 0: label 'neutral' is not one of entailment, non-entailment"),
        ({"hypothesis": ""}, "row 0: the hypothesis is empty"),
    ],
)
def test_a_bad_row_of_hans_is_named(tmp_path, change, message):
    row = {"premise": "p", "hypothesis": "h", "label": "entailment", "heuristic": "constituent", "subcase": "c"}
    write_configs(tmp_path, {"default": {"validation": Dataset.from_list([row | change])}})
    with pytest.raises(UserError, match=message):
        hans_test(Source("mine", tmp_path, None, "dataset"), 1)


def test_hans_without_its_columns_is_refused(tmp_path):
    rows = Dataset.from_list([{"premise": "p", "hypothesis": "h", "label": "entailment"}])
    write_configs(tmp_path, {"default": {"validation": rows}})
    with pytest.raises(UserError, match="mine validation has no column heuristic"):
        hans_test(Source("mine", tmp_path, None, "dataset"), 1)


def test_mnli_rows_of_one_premise_share_a_cluster(world):
    test = mnli_test(source(world, "mnli")).to_pandas()
    assert test.groupby("premise")["cluster"].nunique().max() == 1
    assert set(test["gold"]) == set(LABELS)


def test_a_split_that_is_not_there_is_named(world):
    with pytest.raises(UserError, match="mnli has no split test"):
        read_split(source(world, "mnli"), "test")


def test_a_rebuilt_folder_is_read_anew(tmp_path):
    for names in (["a"], ["b", "c"]):
        dataset = Dataset.from_dict(
            {"id": names, "premise": names, "hypothesis": names, "label": [0] * len(names)}, features=PAIR_FEATURES
        )
        write_configs(tmp_path, {"n1": {"train": dataset}})
        assert read_split(Source("x", tmp_path, None, "dataset"), "train")["id"] == names


def test_a_stratified_part_keeps_shares_and_order(world):
    test = hans_test(source(world, "hans"), 60)
    part = stratified(test, 30, "heuristic")
    assert [part["heuristic"][:].count(name) for name in ("lexical_overlap", "subsequence", "constituent")] == [10] * 3
    numbers = [int(name[2:]) for name in part["id"]]
    assert numbers == sorted(numbers)
    assert stratified(test, 30, "heuristic")["id"] == part["id"]
    with pytest.raises(UserError, match="61 rows are wanted"):
        stratified(test, 61, "heuristic")
