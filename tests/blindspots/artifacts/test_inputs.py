"""Inputs: a folder or file as it is, and a clear line for what is neither folder nor repo."""

import json

import pytest

from blindspots.artifacts.files import hash_file, hash_folder
from blindspots.artifacts.inputs import Source, fetch
from blindspots.artifacts.lineage import licence
from blindspots.config.errors import UserError

LINEAGE = {
    "artifact": "rows",
    "artifact_type": "raw_synthetic",
    "content_sha256": "abc",
    "parents": [],
    "results": {},
    "files": {},
}


def test_a_folder_is_taken_as_it_is(tmp_path):
    (tmp_path / "data.txt").write_text("rows")
    source = fetch(str(tmp_path), "dataset")
    assert (source.path, source.revision) == (tmp_path, None)
    record = source.record("train")
    assert (record["role"], record["name"]) == ("train", str(tmp_path))
    assert record["content_sha256"] == hash_folder(tmp_path)[1]


def test_an_artifact_is_recorded_by_its_own_name_and_hash(tmp_path):
    (tmp_path / "lineage.json").write_text(json.dumps(LINEAGE | {"artifact": "demo-mnli", "content_sha256": "abc"}))
    record = fetch(str(tmp_path), "dataset").record("train")
    assert (record["artifact"], record["content_sha256"]) == ("demo-mnli", "abc")


@pytest.mark.parametrize("changed", ["other rows", None])
def test_an_artifact_that_was_changed_since_is_not_taken_for_what_its_lineage_says(tmp_path, changed):
    file = tmp_path / "rows.json"
    file.write_text("rows")
    stated = {"rows.json": {"sha256": hash_file(file), "bytes": 4}}
    (tmp_path / "lineage.json").write_text(json.dumps(LINEAGE | {"files": stated}))
    (tmp_path / "audit").mkdir()  # what was added describes the artifact
    (tmp_path / "audit/audit.md").write_text("")
    assert fetch(str(tmp_path), "dataset").record("train")["content_sha256"] == "abc"
    file.unlink() if changed is None else file.write_text(changed)
    with pytest.raises(
        UserError, match=r"rows\.json is not the file that lineage\.json describes\. Make the artifact"
    ):
        fetch(str(tmp_path), "dataset").record("train")


def test_files_of_a_repo_that_were_not_fetched_are_not_missed(tmp_path):
    stated = {"model.safetensors": {"sha256": "0" * 64, "bytes": 4}}
    (tmp_path / "lineage.json").write_text(json.dumps(LINEAGE | {"files": stated}))
    assert Source("org/model", tmp_path, "a" * 40, "model").record("start")["content_sha256"] == "abc"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[]", "can't be used: it is not a lineage"),
        ("null", "can't be used: it is not a lineage"),
        ('{"artifact": "demo-mn', "can't be read"),
        (json.dumps(LINEAGE | {"artifact": 3}), "its artifact is missing or not text"),
        (json.dumps(LINEAGE | {"content_sha256": None}), "its content_sha256 is missing or not text"),
        (json.dumps(LINEAGE | {"files": ["rows"]}), "its files is missing or not an object"),
        (json.dumps(LINEAGE | {"recipe": "x"}), "its recipe is not an object"),
    ],
    ids=["list", "null", "torn", "artifact", "content", "files", "recipe"],
)
def test_a_parent_whose_lineage_can_not_be_used_is_refused_in_one_line(tmp_path, content, said):
    (tmp_path / "lineage.json").write_text(content)
    source = fetch(str(tmp_path), "dataset")
    with pytest.raises(UserError, match=said) as told:
        source.record("train")
    assert str(told.value).startswith(str(tmp_path / "lineage.json"))
    assert str(told.value).endswith("Make the artifact again, or take this file out of the folder.")
    assert str(told.value).isprintable()


def test_a_dataset_may_be_a_file_and_is_recorded_by_its_content(tmp_path):
    file = tmp_path / "rows.tsv"
    hashes = []
    for text in ("a\n", "b\n"):
        file.write_text(text)
        source = fetch(str(file), "dataset")
        record = source.record("train")
        assert (source.path, source.revision, record["artifact"]) == (file, None, None)
        assert record["content_sha256"] == hash_file(file)
        assert licence([source], "augmentation_set") == "unknown"
        hashes.append(record["content_sha256"])
    assert len(set(hashes)) == 2
    with pytest.raises(UserError, match=r"rows\.tsv is a file; name the folder that holds the model"):
        fetch(str(file), "model")


def test_what_a_readme_says_counts_of_a_local_dataset_alone(tmp_path):
    (tmp_path / "README.md").write_text("---\nconfigs: [{config_name: x, data_files: rows.json}]\n---\n")
    assert "metadata_sha256" in Source("rows", tmp_path, None, "dataset").record("train")
    for source in (Source("org/rows", tmp_path, "a" * 40, "dataset"), Source("model", tmp_path, None, "model")):
        assert "metadata_sha256" not in source.record("train")


def test_rows_in_a_linked_folder_are_part_of_the_input(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "rows").mkdir()
    (tmp_path / "rows/data").symlink_to(tmp_path / "disk")
    hashes = []
    for text in ("a", "b"):
        (tmp_path / "disk/train.csv").write_text(text)
        hashes.append(fetch(str(tmp_path / "rows"), "dataset").record("train")["content_sha256"])
    assert hashes[0] != hashes[1]


@pytest.mark.parametrize("name", ["./nowhere", "/nowhere", "multi_nli", "a/b/c"])
def test_what_is_neither_folder_nor_repo_is_refused(name):
    with pytest.raises(UserError, match="is neither a folder here nor a Hub id"):
        fetch(name, "dataset")


def test_two_revisions_are_refused():
    with pytest.raises(UserError, match="pins v1, but the recipe's revision is v2; keep one"):
        fetch("org/rows@v1", "dataset", "v2")
