"""Small batches and dataset folders, made on the spot."""

from pathlib import Path

import pytest
from datasets import ClassLabel, Dataset

from blindspots.audit.rows import Batch
from blindspots.data.nli import LABELS


@pytest.fixture
def batch():
    """Makes a Batch of (premise, hypothesis, label) rows."""

    def make(*rows: tuple[str, str, str]) -> Batch:
        premises, hypotheses, labels = (list(column) for column in zip(*rows))
        return Batch(premises, hypotheses, labels, list(range(len(rows))))

    return make


@pytest.fixture
def folder(tmp_path):
    """Writes columns as the train split of a dataset folder; `label` as ClassLabel where it holds numbers."""

    def write(name: str, names=LABELS, **columns) -> Path:
        made = Dataset.from_dict(columns)
        if names and isinstance(columns.get("label", [""])[0], int):
            made = made.cast_column("label", ClassLabel(names=list(names)))
        (tmp_path / name / "data").mkdir(parents=True)
        made.to_parquet(tmp_path / name / "data" / "train-00000-of-00001.parquet")
        return tmp_path / name

    return write
