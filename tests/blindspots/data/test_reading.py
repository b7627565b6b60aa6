"""Splits of folders and files: which files they are, that each is read whole, and what is refused."""

import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import ClassLabel, Dataset, load_dataset
from hypothesis import given, settings
from hypothesis import strategies as st

from blindspots.artifacts.inputs import Source, fetch
from blindspots.config.errors import UserError
from blindspots.data.nli_datasets import read_split

TSV = "premise\thypothesis\tlabel\n"
POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 7\n"


@pytest.fixture
def write(tmp_path) -> Callable[..., Path]:
    """Writes files by their path below a new folder, and returns the folder."""

    def make(folder: str = "mine", **files: str | bytes) -> Path:
        for name, content in files.items():
            file = tmp_path / folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content if isinstance(content, bytes) else content.encode())
        return tmp_path / folder

    return make


def texts(source: Path | str, split: str = "train", config: str | None = None) -> list[str]:
    """The first column of a split."""
    rows = read_split(fetch(str(source), "dataset"), split, config)
    return rows[rows.column_names[0]][:]


def refused(message: str, *arguments) -> None:
    with pytest.raises(UserError, match=message) as error:
        texts(*arguments)
    assert "\n" not in str(error.value)


def row(text: str) -> str:
    """A line of JSON."""
    return json.dumps({"premise": text}) + "\n"


def readme(*configs: dict, **keys) -> str:
    """A README with metadata; JSON is YAML too."""
    return f"---\n{json.dumps({'configs': list(configs)} | keys)}\n---\n"


# Which files a split is


@pytest.mark.parametrize(
    ("files", "split"),
    [
        ({"train.jsonl": row("a"), "test.jsonl": row("b")}, "train"),
        ({"data/train.jsonl": row("a"), "data/dev.jsonl": row("b")}, "train"),
        ({"train.tsv": "premise\nb\n", "dev.tsv": "premise\na\n"}, "validation"),
        ({"train/x.csv": "premise\na\n", "test/x.csv": "premise\nb\n"}, "train"),
        ({"anything.jsonl": row("a")}, "train"),
        ({"data/new-00000-of-00001.jsonl": row("a"), "data/old-00000-of-00001.jsonl": row("b")}, "new"),
        ({"dev_matched.tsv": "premise\na\n", "dev_mismatched.tsv": "premise\nb\n"}, "validation_matched"),
        ({"dev_matched.tsv": "premise\nb\n", "dev_mismatched.tsv": "premise\na\n"}, "validation_mismatched"),
        ({"train.jsonl": row("a"), "LICENSE.txt": "b", "figure.png": "b"}, "train"),
    ],
)
def test_files_belong_to_a_split_by_their_names(write, files, split):
    assert texts(write(**files), split) == ["a"]


def test_the_parts_of_a_split_are_read_in_order(write):
    parts = {f"data/train-0000{part}-of-00003.jsonl": row(str(part)) for part in (2, 0, 1)}
    assert texts(write(**parts)) == ["0", "1", "2"]


def test_a_readme_says_which_files_are_a_split_of_a_config(write):
    one = {"config_name": "one", "data_files": [{"split": "train", "path": ["a.tsv", "more/*.tsv"]}]}
    two = {"config_name": "two", "data_files": "b.tsv", "default": True}
    files = {name: f"premise\n{name}\n" for name in ("a.tsv", "b.tsv", "more/c.tsv", "more/d.tsv")}
    folder = write(**files, **{"README.md": readme(one, two)})
    assert texts(folder) == texts(folder, "train", "two") == ["b.tsv"]
    assert texts(folder, "train", "one") == ["a.tsv", "more/c.tsv", "more/d.tsv"]
    refused("has no config three, split train: name one of its configs, one, two", folder, "train", "three")
    refused("has no split dev; it has train", folder, "dev")


def test_a_folder_of_a_config_holds_its_files(write):
    config = {"config_name": "one", "data_dir": "below"}
    folder = write(**{"README.md": readme(config), "below/train.jsonl": row("a"), "train.jsonl": row("b")})
    assert texts(folder) == ["a"]


@pytest.mark.parametrize(
    "pattern",
    [
        "/etc/passwd",
        "../other/train.jsonl",
        "data/../../other/train.jsonl",
        "file:///etc/passwd",
        "file:/etc/passwd",
        "https://example.org/train.jsonl",
        "zip://train.jsonl::/etc/x.zip",
    ],
)
@pytest.mark.parametrize("key", ["data_files", "data_dir"])
@pytest.mark.parametrize("file", ["README.md", ".huggingface.yaml"])
def test_a_readme_names_no_files_outside_its_folder(write, pattern, key, file):
    write("other", **{"train.jsonl": row("secret")})
    metadata = readme({"config_name": "one", "data_files": "train.jsonl"}, {"config_name": "two", key: pattern})
    content = metadata if file == "README.md" else metadata.replace("---\n", "")
    folder = write(**{file: content, "train.jsonl": row("a")})
    refused("its README names .*, which is outside the folder", folder, "train", "one")
    refused("which is outside the folder", write(**{"train.parquet": b"PAR1"}), "train", "one")


def test_a_readme_that_is_broken_is_named(write):
    refused(
        "mine: the metadata of its README can't be used", write(**{"README.md": "---\na: [\n---\n", "train.tsv": TSV})
    )
    config = {"config_name": "one", "data_files": "train.csv", "skiprows": 3}
    refused("its README sets skiprows", write(**{"README.md": readme(config), "train.csv": "premise\na\n"}))


def test_a_readme_names_the_labels_of_a_text_file_and_counts_its_rows(write):
    label = {"name": "label", "dtype": {"class_label": {"names": {"0": "neutral", "1": "entailment"}}}}
    split = {"name": "train", "num_bytes": 9, "num_examples": 3}
    card = readme(dataset_info={"features": [{"name": "premise", "dtype": "string"}, label], "splits": [split]})
    folder = write(**{"README.md": card, "train.tsv": "premise\tlabel\na\t1\nb\tneutral\nc\t-1\n"})
    rows = read_split(fetch(str(folder), "dataset"), "train")
    assert rows.features["label"] == ClassLabel(names=["neutral", "entailment"])
    assert rows["label"][:] == [1, 0, -1]
    write(**{"train.tsv": "premise\tlabel\na\t1\nb\tentails\nc\t0\n"})
    refused("split train, column label: Invalid string class label entails", folder)
    write(**{"train.tsv": "premise\tlabel\na\t1\nb\t1\n"})
    refused("2 rows, but its README states 3", folder)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            {"train.jsonl": row("a"), "train_stats.json": "{}"},
            r"files of several kinds, train\.jsonl, train_stats\.json",
        ),
        ({"train.tsv": "a\nb\n", "train.tsv.gz": b"x"}, r"files of several kinds, train\.tsv, train\.tsv\.gz"),
        ({"train.tsv": "a\nb\n", "train-1.parquet": b"x"}, "files of several kinds"),
        ({"train_train.tsv": "a\nb\n"}, r"train_train\.tsv would be read twice"),
        (
            {"train-1.tsv": "a\nb\n", "train-2.tsv": "c\nd\n"},
            r"mine: train-2\.tsv has columns c; .*train-1\.tsv has a",
        ),
        (
            {"train-1.jsonl": '{"a": 1}', "train-2.jsonl": '{"a": "b"}'},
            r"train-1\.jsonl: a column holds values of sever",
        ),
        (
            {"data/train-00001-of-00002.jsonl": row("a")},
            r"split train: 1 of 2 parts of train-00001-of-00002\.jsonl are there, so that rows are missing",
        ),
        ({"train.00000-of-00003.tsv": "a\nb\n", "train.00002-of-00003.tsv": "a\nb\n"}, "2 of 3 parts of train"),
        ({"data/train-00000-of-00002.parquet": b"PAR1"}, "1 of 2 parts of train"),
        ({"train.csv.zip": b"PK"}, r"train\.csv\.zip is none of \.tsv, "),
        ({"train.txt": "a"}, r"train\.txt is none of \.tsv, "),
        ({"train.tsv": TSV + "a\tb\n"}, r"mine: train\.tsv, line 2: 2 fields"),
        ({"train.tsv": ""}, r"mine: train\.tsv is empty"),
        ({"data/train.tsv": POINTER}, r"mine: data/train\.tsv is a pointer of Git LFS"),
        ({"train.parquet": POINTER}, r"mine: train\.parquet is a pointer of Git LFS"),
        ({"train.parquet": b""}, r"mine: train\.parquet is empty"),
        ({"train.parquet": b"PAR1 and no end"}, r"mine: train\.parquet can't be read"),
        ({"train.arrow": b"no arrow at all"}, r"mine, split train: can't be read"),
        ({"test.tsv": TSV}, "mine has no split train; it has test"),
        ({"mine.py": "x", "data/test-00000-of-00001.jsonl": row("a")}, "mine has no split train; it has test"),
        ({}, "mine has no split train: "),
    ],
)
def test_a_folder_whose_rows_cannot_all_be_read_is_one_line(write, files, message):
    write(**{".keep": ""})
    refused(message, write(**files))


# Parquet, as the library reads it


def test_parquet_is_read_as_the_library_reads_it(world, tmp_path):
    for name, split in (("mnli", "train"), ("mnli", "validation_matched"), ("hans", "validation")):
        folder = world / "corpus" / name
        ours = read_split(Source(name, folder, None, "dataset"), split)
        theirs = load_dataset(str(folder), split=split, cache_dir=str(tmp_path))
        assert (ours.features, ours.split, ours[:]) == (theirs.features, theirs.split, theirs[:])
    assert len(texts(world / "corpus/mnli", "train[:10]")) == 10
    refused("has no config full, split train: it has no configs", world / "corpus/mnli", "train", "full")


@settings(max_examples=10)
@given(
    st.lists(st.sampled_from(["n/a", "", 'a "', "a\rb", "a\nb"]) | st.text(st.characters(exclude_categories=["Cs"])))
)
def test_rows_in_parquet_are_read_as_written(written):
    written = [*written, "last"]
    with TemporaryDirectory() as folder:
        Dataset.from_dict({"premise": written}).to_parquet(f"{folder}/train.parquet")
        assert texts(folder) == texts(f"{folder}/train.parquet", "validation") == written


# Files, and names that mean something to the library


@pytest.mark.parametrize("name", ["rows.jsonl", "rows [1].jsonl", "train.jsonl"])
@pytest.mark.parametrize("split", ["train", "validation_matched"])
def test_a_file_is_the_split_that_is_asked_for(write, name, split):
    folder = write(**{name: row("a") + row("b"), "test.jsonl": row("c")})
    assert texts(folder / name, split) == ["a", "b"]
    refused(rf"is a file and so the split {split} itself; it has no config full", folder / name, split, "full")


@pytest.mark.parametrize("name", ["rows.parquet", "rows [1].parquet"])
def test_a_parquet_file_is_the_split_that_is_asked_for(tmp_path, name):
    Dataset.from_dict({"premise": ["a"]}).to_parquet(tmp_path / name)
    assert texts(tmp_path / name, "validation") == ["a"]


def test_an_arrow_file_is_read(tmp_path):
    Dataset.from_dict({"premise": ["a"]}).save_to_disk(tmp_path)
    (file,) = tmp_path.glob("*.arrow")
    assert texts(file) == ["a"]


def test_a_file_of_another_kind_is_refused_with_those_that_are_read(write):
    refused(
        r"rows\.txt is none of \.tsv, .*\.parquet.* Name a file of fields", write(**{"rows.txt": "a"}) / "rows.txt"
    )


@pytest.mark.parametrize("name", ["json", "csv", "text", "parquet", "arrow", "imagefolder"])
def test_a_relative_path_that_is_a_builders_name_is_that_folder(write, monkeypatch, name):
    write("json", **{"train.jsonl": row("neighbour")})
    folder = write(name, **{"train.jsonl": row("a") + row("b")})
    monkeypatch.chdir(folder.parent)
    assert texts(name) == texts(os.path.join(".", name)) == ["a", "b"]


def test_a_relative_folder_of_parquet_may_have_a_builders_name(tmp_path, monkeypatch):
    for name in ("parquet", "other"):
        (tmp_path / name).mkdir()
        Dataset.from_dict({"premise": [name]}).to_parquet(tmp_path / name / "train.parquet")
    monkeypatch.chdir(tmp_path)
    assert texts("parquet") == texts("parquet/train.parquet") == ["parquet"]


# Real rows


@pytest.mark.parametrize(
    ("folder", "split", "count"),
    [("nyu-mll/multi_nli", "validation_matched", 9_815), ("jhu-cogsci/hans", "validation", 30_000)],
)
def test_real_rows_written_as_tab_separated_text_are_all_read(shared, tmp_path, folder, split, count):
    (file,) = (shared / "hub/datasets" / folder / "data").glob(f"{split}-*")
    columns = ["premise", "hypothesis"]
    frame = pd.read_parquet(file)[columns]
    lines = ["\t".join(columns), *(f"{one}\t{other}" for one, other in zip(frame["premise"], frame["hypothesis"]))]
    (tmp_path / f"{split}.tsv").write_bytes("\n".join(lines).encode())
    rows = read_split(fetch(str(tmp_path / f"{split}.tsv"), "dataset"), split)
    assert len(rows) == count
    for column in columns:
        assert rows[column][:] == frame[column].tolist()


# Splits without rows


def parquet(rows: int) -> bytes:
    table = pa.table({"premise": [f"row {row}" for row in range(rows)]}, schema=pa.schema({"premise": pa.string()}))
    sink = io.BytesIO()
    pq.write_table(table, sink)
    return sink.getvalue()


def test_a_parquet_split_without_rows_names_its_file(write):
    folder = write(**{"data/train-00000-of-00001.parquet": parquet(0)})
    refused(r"mine: data/train-00000-of-00001\.parquet: split train has no rows", folder)
    refused(r"train-00000-of-00001\.parquet: split train has no rows", folder / "data/train-00000-of-00001.parquet")


def test_a_parquet_split_with_other_rows_than_the_readme_states_is_refused(write):
    info = "dataset_info:\n  splits:\n  - {name: train, num_bytes: 1, num_examples: 3}"
    folder = write(**{"README.md": f"---\n{info}\n---\n", "data/train-00000-of-00001.parquet": parquet(2)})
    refused("mine, split train: 2 rows, but its README states 3. Fetch the files again", folder)


@pytest.mark.parametrize(("number", "stated"), [(3, True), (-2, True), (3, False)])
def test_a_label_of_parquet_without_a_name_is_refused(tmp_path, number, stated):
    """Whether the README or the file itself names the labels; the library compares neither with the numbers."""
    names = ["entailment", "neutral", "contradiction"]
    named = Dataset.from_dict({"label": [0, -1, None]}).cast_column("label", ClassLabel(names=names))
    table = named.data.table.set_column(0, "label", pa.array([0, -1, number]))
    folder = tmp_path / "mine"
    folder.mkdir()
    pq.write_table(
        table.replace_schema_metadata(None if stated else named.data.schema.metadata), folder / "train.parquet"
    )
    if stated:
        feature = {"name": "label", "dtype": {"class_label": {"names": dict(zip("012", names))}}}
        files = {"config_name": "default", "data_files": [{"split": "train", "path": "train.parquet"}]}
        (folder / "README.md").write_text(readme(files, dataset_info={"features": [feature]}))
    refused(f"mine.*split train: label {number} has no name; the names are entailment, neutral, contradiction", folder)
    pq.write_table(named.data.table, folder / "train.parquet")
    assert texts(folder) == [0, -1, None]


def test_an_arrow_file_without_rows_says_so(tmp_path):
    schema = pa.schema({"premise": pa.string()})
    with pa.OSFile(str(tmp_path / "rows.arrow"), "wb") as file, pa.ipc.new_stream(file, schema):
        pass
    refused(r"rows\.arrow: split train has no rows", tmp_path / "rows.arrow")


def test_an_empty_file_or_split_beside_rows_is_no_hindrance(write):
    files = {f"data/train-0000{part}-of-00003.parquet": parquet(rows) for part, rows in enumerate((0, 2, 0))}
    folder = write(**files, **{"data/validation-00000-of-00001.parquet": parquet(0)})
    assert texts(folder) == ["row 0", "row 1"]
    refused("split validation has no rows", folder, "validation")
