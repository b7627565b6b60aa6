"""Groups of rows that might do harm."""

import numpy as np
import pytest
from datasets import Dataset

from blindspots.artifacts.inputs import fetch
from blindspots.check import groups as module
from blindspots.check.groups import clusters, disputed_labels, groups
from blindspots.data.nli_datasets import PAIR_FEATURES
from blindspots.evaluation.prediction import predict_logits

ROWS = [
    ("the old dog saw the cat in the park", "the dog saw the cat", 0),
    ("the old dog saw the cat in the park", "an animal saw another one", 0),
    ("the tall man ate the red apple at home", "the apple ate the man", 2),
    ("the old dog saw the cat in the park", "an animal saw another one", 1),
    ("birds sang", "the birds of this large garden sang loudly all day", 1),
]


@pytest.fixture
def pairs() -> Dataset:
    premises, hypotheses, labels = map(list, zip(*ROWS))
    columns = {"id": list("abcde"), "premise": premises, "hypothesis": hypotheses, "label": labels}
    return Dataset.from_dict(columns, features=PAIR_FEATURES)


def test_rows_are_grouped_by_overlap_length_and_likeness(pairs):
    found = groups(pairs, np.array([False, False, True, False, False]))
    members = {name: mask.nonzero()[0].tolist() for name, mask in found.items()}
    assert members["entailment with lexical overlap"] == [0]
    assert members["contradiction with lexical overlap"] == [2]
    assert members["neutral with lexical overlap"] == []
    assert members["near duplicates of an earlier row"] == [3]
    assert members["hypotheses of at most 5 words"] == [0, 1, 2, 3]
    assert 4 in members["hypotheses of 6 words or more"]
    assert members["labels that a model of original rows disputes"] == [2]


def test_each_row_is_in_one_cluster_which_is_named_by_its_words():
    texts = [(f"the {noun} slept", f"a {noun} slept") for noun in ("dog", "pilot", "violin") for _ in range(20)]
    found = dict(clusters(texts, seed=0))
    members = {name: mask.nonzero()[0].tolist() for name, mask in found.items()}
    for place, noun in enumerate(("dog", "pilot", "violin")):
        (of_noun,) = [rows for name, rows in members.items() if noun in name]
        assert of_noun == list(range(20 * place, 20 * place + 20))


@pytest.mark.parametrize("texts", [[("a", "b")], [("?", "!")] * 9], ids=["few rows", "no words"])
def test_rows_without_clusters_are_no_group_and_that_is_said(texts, capsys):
    assert not dict(clusters(texts, seed=0))
    assert "not a group" in capsys.readouterr().out


@pytest.mark.filterwarnings("ignore:Number of distinct clusters")
def test_rows_that_are_all_alike_are_no_cluster():
    assert not dict(clusters([("a dog", "a cat")] * 9, seed=0))


def test_labels_are_disputed_where_the_model_finds_another_one_likelier(pairs, world, monkeypatch):
    model = fetch(str(world / "start"), "model")
    seen = []
    monkeypatch.setattr(module, "predict_logits", lambda *given: seen.append(predict_logits(*given)) or seen[-1])
    disputed = disputed_labels(pairs, model, batch_tokens=1024)
    assert disputed.tolist() == (seen[0].argmax(axis=1) != np.array([0, 0, 2, 1, 1])).tolist()
    assert disputed.any()
