"""Counts of all rows: they do not depend on batches, and say what heuristic_audit and scipy say."""

import math
from pathlib import Path

import evaluate
import numpy as np
import pytest

from blindspots.artifacts.inputs import fetch
from blindspots.audit import balance
from blindspots.audit import rows as rows_module
from blindspots.audit.findings import NotComputedError
from blindspots.audit.rows import Columns, opened
from blindspots.audit.tally import ALL, HYPOTHESIS, OVERLAP, PREMISE, tally
from blindspots.config.errors import UserError
from blindspots.data.nli import LABELS
from blindspots.demo.corpus import mnli_like

REPO_ROOT = Path(__file__).resolve().parents[3]


def counted(path, columns=None):
    with opened(fetch(str(path), "dataset"), path.name, "train", columns or Columns()) as rows:
        return tally(rows)


def found(section) -> dict:
    return {finding.what: finding for finding in section.findings}


@pytest.fixture
def corpora(folder):
    """Two demo corpora as folders, and their rows."""
    made = {}
    for seed in (1, 2):
        rows = mnli_like(90, 3, seed)["train"]
        columns = {name: rows[name][:] for name in ("premise", "hypothesis", "label")}
        made[seed] = folder(f"corpus{seed}", rows.features["label"].names, **columns), rows
    return made


def test_heuristics_are_those_of_the_measurement_module(corpora):
    columns = {}
    for prefix, (_, rows) in zip(("", "reference_"), corpora.values()):
        names = rows.features["label"].names
        columns |= {f"{prefix}{name}": rows[name][:] for name in ("premise", "hypothesis")}
        columns[f"{prefix}label"] = [names[label] for label in rows["label"]]
    theirs = evaluate.load(str(REPO_ROOT / "evaluate_modules/heuristic_audit")).compute(**columns)
    ours = found(balance.heuristics(*(counted(path) for path, _ in corpora.values())))
    compared = 0
    for row in theirs["ratios"]:
        one = ours[f"{row['heuristic']}, {row['words']}, {row['label'] or ALL}"]
        assert (one.value.estimate, one.n) == (row["count"] / row["n"], row["n"])
        assert (one.contrast.low, one.contrast.high) == (row["low"], math.inf if row["high"] is None else row["high"])
        compared += 1
    assert compared == 24
    for row in theirs["entailed"]:
        if row["n"]:
            assert ours[f"{row['heuristic']}, {row['words']}: entailed among those"].value.low == row["low"]


def test_counts_do_not_depend_on_the_batches(corpora, monkeypatch):
    path = corpora[1][0]
    whole = counted(path)
    monkeypatch.setattr(rows_module, "BATCH_ROWS", 7)
    parts = counted(path)
    assert (whole.labels, whole.usable, whole.signs) == (parts.labels, parts.usable, parts.signs)
    assert (whole.heuristics.sort_index() == parts.heuristics.sort_index()).all(axis=None)
    assert all((whole.histograms[key] == parts.histograms[key]).all() for key in whole.histograms)


@pytest.mark.parametrize("batch", [1, 50])
def test_texts_of_thousands_of_words_count_as_long_as_they_are(folder, monkeypatch, batch):
    monkeypatch.setattr(rows_module, "BATCH_ROWS", batch)
    premises = [" ".join(["word"] * words) for words in (3000, 10, 5000)]
    counts = counted(folder("long", premise=premises, hypothesis=["a b"] * 3, label=[0, 1, 2]))
    assert counts.moments(PREMISE).mean == pytest.approx(8010 / 3)
    assert counts.moments(PREMISE, "contradiction").mean == 5000
    section = balance.lengths(counts, counts)
    assert section.tables["words of the premise, quantiles"][0]["longest"] == 5000


def test_lengths_and_overlap_by_hand(folder):
    path = folder("mine", premise=["The dog ran .", "A cat"], hypothesis=["The dog slept!", "A"], label=[0, 2])
    counts = counted(path)
    assert counts.moments(HYPOTHESIS).mean == 2
    assert counts.moments(OVERLAP, "entailment").mean == pytest.approx(2 / 3, abs=1e-3)
    assert counts.moments(OVERLAP, "neutral").n == 0
    section = balance.lengths(counts, counts)
    assert found(section)["premise, all"].contrast.estimate == 0
    assert section.tables["words of the premise, quantiles"][0]["longest"] == 3


def test_drift_is_scipys_and_nothing_for_equal_counts():
    table = np.array([[500, 300, 200], [500, 300, 200]])
    v, js = balance.drift(table, 0)
    assert v.value.estimate == pytest.approx(0, abs=1e-12)
    assert js.value.estimate == pytest.approx(0, abs=1e-12)
    v, js = balance.drift(np.array([[10, 0], [0, 10]]), 0)
    assert v.value.estimate == pytest.approx(1)
    assert js.value.estimate == pytest.approx(1)


def columns_of(labels, texts=("a dog ran", "a dog")):
    return {"premise": [texts[0]] * len(labels), "hypothesis": [texts[1]] * len(labels), "label": labels}


def test_one_class_data_have_a_balance_and_the_report_says_so(folder):
    one, all_three = (
        counted(folder("one", **columns_of([1] * 20))),
        counted(folder("three", **columns_of([0, 1, 2] * 9))),
    )
    section = balance.label_balance(one, all_three, 0)
    assert found(section)["neutral"].value.estimate == 1
    assert found(section)["entailment"].contrast.estimate == pytest.approx(-1 / 3)
    assert "Every label of one is neutral." in section.notes
    assert "every label of both sets is neutral" in balance.label_balance(one, one, 0).notes[0]


def test_another_label_set_of_the_reference_is_named(folder):
    two = counted(folder("two", ("entailment", "non-entailment"), **columns_of([0, 1] * 5)))
    three = counted(folder("three", **columns_of([0, 1, 2] * 5)))
    note = balance.label_balance(three, two, 0).notes[0]
    assert "two entailment, non-entailment" in note
    assert {one.what for one in balance.label_balance(three, two, 0).findings} == set(LABELS)


def test_without_labels_or_with_unknown_ones_the_reason_is_given(folder):
    texts = {"premise": ["a"], "hypothesis": ["b"]}
    with pytest.raises(NotComputedError, match="no column label, only premise, hypothesis"):
        counted(folder("none", **texts)).require_labels()
    with pytest.raises(NotComputedError, match=r"its labels are 'yes' \(1\). Map them with label_names"):
        counted(folder("unknown", **texts, label=["yes"])).require_labels()


def test_heuristics_need_no_labels(folder):
    unlabelled = counted(folder("none", premise=["a dog ran"] * 3, hypothesis=["a dog"] * 3))
    section = balance.heuristics(unlabelled, unlabelled)
    assert found(section)["lexical_overlap, raw, all"].value.estimate == 1
    assert section.notes


def test_malformed_rows_are_counted_with_examples(folder):
    texts = ["A dog ran.", "", None, "It ran over the"]
    counts = counted(
        folder("bad", premise=texts, hypothesis=["It ran."] * 4, label=["neutral", "neutral", "neutral", "x"])
    )
    section = balance.malformed(counts, counts)
    counted_as = {what: round(one.value.estimate * one.n) for what, one in found(section).items()}
    assert counted_as["empty text"] == counted_as["not text"] == counted_as["unknown label"] == 1
    assert counted_as["premise cut off"] == 1
    assert {one["sign"] for one in section.tables["examples"]} == {
        "empty text",
        "not text",
        "unknown label",
        "premise cut off",
    }


@pytest.mark.parametrize(("premise", "why"), [([1, 2], "not text"), ([" ", ""], "empty")])
def test_a_dataset_without_a_single_pair_of_texts_is_an_error(folder, premise, why):
    with pytest.raises(UserError, match=f"none of the 2 rows.*are {why}.*premise_column"):
        counted(folder("bad", premise=premise, hypothesis=["a", "b"], label=[0, 1]))
