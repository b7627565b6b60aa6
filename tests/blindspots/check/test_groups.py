"""Groups of rows that might do harm."""

from datasets import Dataset

from blindspots.check.groups import groups
from blindspots.data.nli_datasets import PAIR_FEATURES

ROWS = [
    ("the old dog saw the cat in the park", "the dog saw the cat", 0),
    ("the old dog saw the cat in the park", "an animal saw another one", 0),
    ("the tall man ate the red apple at home", "the apple ate the man", 2),
    ("the old dog saw the cat in the park", "an animal saw another one", 1),
    ("birds sang", "the birds of this large garden sang loudly all day", 1),
]


def test_rows_are_grouped_by_overlap_length_and_likeness():
    premises, hypotheses, labels = map(list, zip(*ROWS))
    columns = {"id": list("abcde"), "premise": premises, "hypothesis": hypotheses, "label": labels}
    found = groups(Dataset.from_dict(columns, features=PAIR_FEATURES))
    members = {name: mask.nonzero()[0].tolist() for name, mask in found.items()}
    assert members["entailment with lexical overlap"] == [0]
    assert members["contradiction with lexical overlap"] == [2]
    assert members["neutral with lexical overlap"] == []
    assert members["near duplicates of an earlier row"] == [3]
    assert members["hypotheses of at most 5 words"] == [0, 1, 2, 3]
    assert 4 in members["hypotheses of 6 words or more"]
