"""What rows are called and which of them share a cluster, where a column of it has gaps or says the same of many."""

import json
import re

import pytest
from datasets import ClassLabel, Dataset, Features, Value
from hypothesis import given
from hypothesis import strategies as st

from blindspots.artifacts.inputs import fetch
from blindspots.config.errors import UserError
from blindspots.data import test_sets
from blindspots.data.nli import LABELS
from blindspots.data.nli_datasets import label_names, nli_pairs
from blindspots.data.row_ids import repeated, row_ids
from blindspots.data.test_set_rows import read_test_set

HANS, MNLI = test_sets.test_set("hans"), test_sets.test_set("mnli_matched")
HANS_ROW = {"premise": "p", "hypothesis": "h", "heuristic": "constituent", "subcase": "s"}


@pytest.fixture
def write(tmp_path):
    """Writes three MNLI-like rows with other columns, and returns the file as an input."""

    def make(name: str = "rows.jsonl", **columns):
        values = {"premise": list("pqr"), "hypothesis": list("hij"), "label": list(LABELS), **columns}
        rows = [dict(zip(values, row)) for row in zip(*values.values())]
        if name.endswith(".jsonl"):
            text = "".join(json.dumps(row) + "\n" for row in rows)
        else:
            text = "".join("\t".join(map(str, row)) + "\n" for row in [values, *(row.values() for row in rows)])
        (tmp_path / name).write_text(text)
        return fetch(str(tmp_path / name), "dataset")

    return make


@given(st.lists(st.text(min_size=1).filter(str.strip), min_size=1), st.data())
def test_ids_are_the_columns_where_it_has_no_gap(ids, data):
    numbers = list(range(5, 5 + len(ids)))
    assert row_ids(ids, numbers, "here") == ids
    gap = data.draw(st.sampled_from(range(len(ids))))
    for missing in (None, "", " ", float("nan")):
        holed = [*ids[:gap], missing, *ids[gap + 1 :]]
        assert row_ids(holed, numbers, "here", "ex") == row_ids(None, numbers, "here", "ex")
    assert row_ids(None, numbers, "here", "ex") == [f"ex{number}" for number in numbers]


@given(st.lists(st.sampled_from("abcdef")))
def test_the_first_repeated_name_is_found(names):
    found = repeated(names)
    assert (found is None) == (len(set(names)) == len(names))
    if found is not None:
        again = [place for place, name in enumerate(names) if name in names[:place]]
        assert found == names[again[0]]


def test_rows_go_by_their_number_where_an_id_is_missing(write, capsys):
    assert read_test_set(MNLI, write(pairID=["a", None, "c"]))["id"] == ["0", "1", "2"]
    line = r"\S*rows\.jsonl validation_matched: a row has no id, so that all rows go by their number\.\n"
    assert re.fullmatch(line, capsys.readouterr().out)
    assert read_test_set(MNLI, write("rows.tsv", pairID=["a", "", "c"]))["id"] == ["0", "1", "2"]
    assert read_test_set(MNLI, write(pairID=[3, 1, 2]))["id"] == ["3", "1", "2"]


def test_a_repeated_id_of_a_test_set_is_refused(write):
    for ids in (["a", "b", "b"], [7, 8, 8], ["None"] * 3):
        with pytest.raises(UserError, match=f"id {ids[-1]} occurs more than once"):
            read_test_set(MNLI, write(pairID=ids))


def test_repeated_ids_of_training_rows_give_way_to_the_row_numbers(capsys):
    columns = {"premise": list("pqr"), "hypothesis": list("hij"), "label": ["neutral", "-", "neutral"]}
    for ids, named in ((["a", "b", "a"], "id a occurs more than once"), (["a", "b", None], "a row has no id")):
        pairs = nli_pairs(Dataset.from_dict(columns | {"id": ids}), "mine", unlabelled=True)
        assert pairs["id"][:] == ["0", "2"]
        assert capsys.readouterr().out.splitlines() == [
            "mine: 1 of 3 rows have no gold label and are left out.",
            f"mine: {named}, so that all rows go by their number.",
        ]
    assert nli_pairs(Dataset.from_dict(columns | {"id": list("aab")}), "mine", unlabelled=True)["id"][:] == ["a", "b"]


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.tsv"])
def test_a_row_without_a_cluster_stands_alone(write, name):
    missing = None if name == "rows.jsonl" else ""
    rows = read_test_set(MNLI, write(name, promptID=["7", missing, missing]))
    assert rows["cluster"][:] == ["7", "row 1 without promptID", "row 2 without promptID"]
    assert read_test_set(MNLI, write(promptID=[None] * 3, genre=["travel", None, None]))["genre"] == ["travel", "", ""]


def test_hans_goes_by_its_pair_ids_where_it_has_them(write, world):
    heuristics = {"heuristic": ["constituent"] * 3, "subcase": list("sst")}
    heuristics["label"] = ["Entailment", "NON-ENTAILMENT", "entailment"]
    shuffled = write(pairID=["ex2", "ex0", "ex1"], **heuristics)
    rows = read_test_set(HANS, shuffled, 3)
    assert (rows["id"][:], rows["gold"][:2]) == (["ex2", "ex0", "ex1"], ["entailment", "non-entailment"])
    assert read_test_set(HANS, write(**heuristics), 3)["id"] == ["ex0", "ex1", "ex2"]
    demo = read_test_set(HANS, fetch(str(world / "corpus/hans"), "dataset"), 60)
    assert demo["id"] == [f"ex{row}" for row in range(60)]


def test_a_test_set_may_call_its_labels_gold_label(tmp_path):
    rows = [{**HANS_ROW, "gold_label": label} for label in ("non-entailment", "entailment")]
    (tmp_path / "hans.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    read = read_test_set(HANS, fetch(str(tmp_path / "hans.jsonl"), "dataset"), 2)
    assert read["gold"][:] == ["non-entailment", "entailment"]


def test_true_and_false_are_no_labels():
    rows = Dataset.from_dict({"label": [True, False]})
    for names in (None, {True: "entailment", "false": "neutral"}):
        with pytest.raises(UserError, match="here: labels are bool without names"):
            label_names(rows, LABELS, "here", names)


def test_labels_are_known_in_any_case_by_text_and_by_class_label():
    names = ["NEUTRAL", " Contradiction ", "Entailment"]
    text = Dataset.from_dict({"label": names})
    named = Dataset.from_dict({"label": [0, 1, 2]}, features=Features({"label": ClassLabel(names=names)}))
    for rows in (text, named):
        assert label_names(rows, LABELS, "here") == ["neutral", "contradiction", "entailment"]
    large = Dataset.from_dict({"label": names}, features=Features({"label": Value("large_string")}))
    assert label_names(large, LABELS, "here") == ["neutral", "contradiction", "entailment"]
