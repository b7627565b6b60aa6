"""Inputs: a folder or file as it is, and a clear line for what is neither folder nor repo."""

import pytest

from blindspots.artifacts.files import hash_file, hash_folder
from blindspots.artifacts.inputs import fetch
from blindspots.artifacts.lineage import licence
from blindspots.config.errors import UserError


def test_a_folder_is_taken_as_it_is(tmp_path):
    (tmp_path / "data.txt").write_text("rows")
    source = fetch(str(tmp_path), "dataset")
    assert (source.path, source.revision) == (tmp_path, None)
    record = source.record("train")
    assert (record["role"], record["name"]) == ("train", str(tmp_path))
    assert record["content_sha256"] == hash_folder(tmp_path)[1]


def test_an_artifact_is_recorded_by_its_own_name_and_hash(tmp_path):
    (tmp_path / "lineage.json").write_text('{"artifact": "demo-mnli", "content_sha256": "abc"}')
    record = fetch(str(tmp_path), "dataset").record("train")
    assert (record["artifact"], record["content_sha256"]) == ("demo-mnli", "abc")


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


@pytest.mark.parametrize("name", ["./nowhere", "/nowhere", "multi_nli", "a/b/c"])
def test_what_is_neither_folder_nor_repo_is_refused(name):
    with pytest.raises(UserError, match="is neither a folder here nor a Hub id"):
        fetch(name, "dataset")


def test_two_revisions_are_refused():
    with pytest.raises(UserError, match="pins v1, but the recipe's revision is v2; keep one"):
        fetch("org/rows@v1", "dataset", "v2")
