"""Dataset folders that nobody meant: of each file all rows are read or none, or one line says why it can't be."""

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from . import reading
from .damage import Bytes, Json, byte_damages, json_damages
from .data_files import columns, content_of
from .made_inputs import flag
from .model_folders import Replaced
from .running import OUT, Ending, attempt, scratch
from .test_data_files import lineage

TRAIN = [
    "train.jsonl",
    "train.csv",
    "train.tsv.gz",
    "train.parquet",
    "TRAIN.CSV",
    "mnli_train.json",
    "data/train-00000-of-00001.parquet",
    "data/full/train-00000-of-00001.parquet",
    "data/train/part.jsonl",
    "rows.csv",
    "train.arrow",
]
OTHERS = [
    "dev.jsonl",
    "validation.csv",
    "test.tsv",
    "train_old.csv",
    "train.ndjson",
    "data/train-00001-of-00002.parquet",
    "data/validation-00000-of-00001.parquet",
    "data/n6/train-00000-of-00001.parquet",
    ".hidden.csv",
    "metadata.jsonl",
    "extra/train.csv",
]
ASIDE = {
    "notes.txt": b"notes\n",
    "LICENSE": b"MIT\n",
    "train.csv.bak": b"a,b\n",
    "data/.gitkeep": b"",
    "lineage.json": b"{}",
    ".huggingface.yaml": b"license: mit\n",
    "dataset_infos.json": b"{}",
    "train.py": b"raise SystemExit\n",
}


@dataclass(frozen=True)
class Folder:
    """A dataset folder.

    train: the file of the split that is asked for; others: of other splits, or of nobody's; aside: files without rows.
    readme: metadata of the README, none without a README; damages: of the README or of a file, by name.
    """

    train: str
    others: list[str] = field(default_factory=list)
    aside: list[str] = field(default_factory=list)
    readme: dict[str, Any] | None = None
    damaged: str | None = None
    damage: Any = None

    def write(self, folder: Path) -> None:
        """Write it, the rows of each file with texts of their own."""
        for number, name in enumerate([self.train, *self.others]):
            table = columns()
            table["premise"] = [f"File {number}: {text}" for text in table["premise"]]
            if self.readme and "features" in str(self.readme):
                table["label"] = [reading.LABELS.index(label) for label in table["label"]]
            file = folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content_of(table, name.partition(".")[2].lower()))
        for name in self.aside:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(ASIDE[name])
        if self.readme is not None:
            (folder / "README.md").write_bytes(b"---\n" + yaml.safe_dump(self.readme).encode() + b"---\n\nRows.\n")
        if self.damaged and (folder / self.damaged).is_file():
            self._damage(folder / self.damaged)

    def _damage(self, file: Path) -> None:
        if isinstance(self.damage, Json):
            readme = yaml.safe_load(self.damage(json_of(self.readme)))
            file.write_bytes(b"---\n" + yaml.safe_dump(readme).encode() + b"---\n\nRows.\n")
        elif isinstance(self.damage, Bytes):
            file.write_bytes(self.damage(file.read_bytes()))
        else:
            self.damage(file)


def json_of(value: Any) -> bytes:
    """A document of plain values as JSON."""
    return json.dumps(value).encode()


def readmes(train: str) -> list[dict[str, Any] | None]:
    """Metadata that READMEs hold."""
    names = {"0": "entailment", "1": "neutral", "2": "contradiction"}
    features = [
        {"name": "pairID", "dtype": "string"},
        {"name": "premise", "dtype": "string"},
        {"name": "hypothesis", "dtype": "string"},
        {"name": "genre", "dtype": "string"},
        {"name": "label", "dtype": {"class_label": {"names": names}}},
    ]
    files = [{"split": "train", "path": train}]
    info = {"features": features, "splits": [{"name": "train", "num_bytes": 1000, "num_examples": 18}]}
    return [
        None,
        {"license": "mit"},
        {"configs": [{"config_name": "full", "data_files": files}]},
        {"configs": [{"config_name": "default", "data_files": files, "default": True}], "dataset_info": info},
        {"configs": [{"config_name": "a", "data_files": files}, {"config_name": "b", "data_files": "*.csv"}]},
        {"dataset_info": info},
    ]


def folders() -> st.SearchStrategy[Folder]:
    """Dataset folders, most of them with something that does not belong or a damage."""
    subset = lambda names: st.lists(st.sampled_from(names), max_size=2, unique=True)  # noqa: E731

    @st.composite
    def draw(draw) -> Folder:
        train = draw(st.sampled_from(TRAIN))
        others, aside = draw(subset([name for name in OTHERS if name != train])), draw(subset(list(ASIDE)))
        readme = draw(st.sampled_from(readmes(train)))
        replaced = st.builds(Replaced, st.sampled_from(["gone", "folder", "link", "loop", "twice"]))
        of_file = st.tuples(st.sampled_from([train, *others]), st.one_of(byte_damages(), replaced))
        of_readme = st.tuples(st.just("README.md"), st.one_of(byte_damages(), json_damages("configs", "dataset_info")))
        damaged, damage = draw(st.one_of(st.just((None, None)), of_readme if readme else of_file, of_file))
        return Folder(train, others, aside, readme, damaged, damage)

    return draw()


def check_folder(case: Folder) -> None:
    with scratch() as folder:
        (folder / "rows").mkdir()
        case.write(folder / "rows")
        keys = {"mnli": "rows", "start_sizes": [3], "dev_rows_per_label": 1, "output_dir": OUT}

        def right(out: Path, ending: Ending) -> None:
            found = reading.artifact_pairs(*out.glob("data/full/*.parquet"))
            files = {name: rows_of(folder / "rows" / name) for name in [case.train, *case.others]}
            read = [name for name, rows in files.items() if rows & found]
            wanted = Counter()
            for name in read:
                wanted += files[name]
            assert found == {pair: 1 for pair, count in wanted.items() if count == 1}, f"parts of {read} were read"
            assert lineage(out)["row_counts"]["read"] == wanted.total()
            if case.damaged is None and not case.others and case.train != "rows.csv":
                assert read == [case.train]

        words = [word for key, value in keys.items() for word in flag(key, value)]
        attempt("prepare_mnli", "dataset folder", words, folder, ["rows", "A set of"], right)


def rows_of(file: Path) -> Counter:
    """The pairs of one file, labels of numbers by their order; none where it can't be read."""
    try:
        rows = reading.pairs(reading.records(file))
    except Exception:
        return Counter()
    names = {str(number): name for number, name in enumerate(reading.LABELS)}
    return Counter((premise, hypothesis, names.get(label, label)) for premise, hypothesis, label in rows)


@pytest.mark.slow
@settings(max_examples=250, suppress_health_check=list(HealthCheck))
@given(case=folders())
def test_a_folder_is_read_file_by_file_or_refused(case):
    check_folder(case)


@pytest.mark.parametrize("damage", [Json(8, 8), Json(503, False)])
def test_a_config_whose_name_is_no_text(damage):
    check_folder(Folder("train.arrow", readme=readmes("train.arrow")[4], damaged="README.md", damage=damage))
