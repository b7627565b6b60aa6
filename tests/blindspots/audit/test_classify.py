"""Classifiers on the labels: the hypothesis alone, and a task model."""

import numpy as np
import pytest

from blindspots.artifacts.inputs import fetch
from blindspots.audit import classify
from blindspots.audit.findings import NotComputedError
from blindspots.audit.tally import Tally
from blindspots.config.analysis_recipes import AuditRecipe
from blindspots.data.nli import LABELS

RECIPE = AuditRecipe(output_dir="unused", dataset="unused", reference="unused", label_model_rows=30)


def given_away(batch, rows=90):
    """Rows whose hypothesis names its label, and rows whose hypothesis says nothing."""
    words = dict(zip(LABELS, ("indeed", "perhaps", "never")))
    telling = [(f"p{i}", f"{words[LABELS[i % 3]]} a dog ran", LABELS[i % 3]) for i in range(rows)]
    silent = [(f"p{i}", "a dog ran", LABELS[i % 3]) for i in range(rows)]
    return batch(*telling), batch(*silent)


def counts_of(sample) -> Tally:
    return Tally("mine", labels={label: sample.labels.count(label) for label in LABELS if label in sample.labels})


def test_labels_that_the_hypothesis_gives_away_are_guessed_without_the_premise(batch):
    telling, silent = given_away(batch)
    section = classify.hypothesis_only(telling, silent, counts_of(telling), counts_of(silent), seed=0)
    (everything, *by_label) = section.findings
    assert everything.value.estimate == 1
    assert everything.reference.low < 1 / 3 + 0.05
    assert everything.contrast.low > 0
    assert [one.what for one in by_label] == list(LABELS)
    assert section.details["rows_per_label"] == 30


def test_rows_of_one_premise_do_not_help_each_other(batch):
    rows = batch(*[(f"p{i // 3}", f"w{i // 3}", LABELS[i // 3 % 3]) for i in range(90)])
    section = classify.hypothesis_only(rows, rows, counts_of(rows), counts_of(rows), seed=0)
    assert section.findings[0].value.low < 0.4


def test_one_class_or_few_rows_are_not_computed(batch):
    one = batch(*[("p", "a dog", "neutral")] * 9)
    with pytest.raises(NotComputedError, match="every label of mine is neutral"):
        classify.hypothesis_only(one, one, counts_of(one), counts_of(one), 0)
    few = batch(*[("p", "a dog", label) for label in LABELS])
    with pytest.raises(NotComputedError, match="a label has 1 rows"):
        classify.hypothesis_only(few, few, counts_of(few), counts_of(few), 0)


def test_a_reference_with_other_labels_is_left_out_and_named(batch):
    telling, _ = given_away(batch)
    other = batch(*[(f"p{i}", "a dog", "entailment") for i in range(9)])
    section = classify.hypothesis_only(telling, other, counts_of(telling), counts_of(other), 0)
    assert section.findings[0].reference is None
    assert "its labels are entailment" in section.notes[0]


def test_without_a_task_model_the_section_says_so(batch):
    rows = batch(("p", "h", "neutral"))
    with pytest.raises(NotComputedError, match="label_model"):
        classify.label_noise(rows, rows, counts_of(rows), RECIPE, None)


def test_a_task_model_names_the_rows_it_disputes(world, batch):
    telling, _ = given_away(batch)
    model = fetch(str(world / "start"), "model")
    section = classify.label_noise(telling, telling, counts_of(telling), RECIPE, model)
    everything = section.findings[0]
    assert everything.n == 30
    assert everything.value == everything.reference
    disputed = section.tables["most disputed rows"]
    assert disputed
    assert all(row["label"] != row["model"] and row["probability of the label"] < 0.5 for row in disputed)
    assert str(world) not in section.about


def test_predictions_are_folded_for_two_labels():
    logits = np.log([[0.4, 0.3, 0.3], [0.6, 0.2, 0.2]])
    right, probabilities = classify.judge(logits, ["non-entailment", "entailment"])
    assert right.tolist() == [True, True]
    assert probabilities[0] == pytest.approx([0.4, 0.6])
