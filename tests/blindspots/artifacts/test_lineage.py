"""What lineage.json is made of: hashes that follow the content alone, and what ran where."""

from importlib.metadata import version

import pytest

from blindspots.artifacts.lineage import PACKAGES, code_commit, hardware, hash_file, hash_folder, hash_json, versions


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data/rows").write_text("one")
    return tmp_path


def test_a_hash_follows_every_file_and_its_place(folder):
    files, before = hash_folder(folder)
    assert files == {"data/rows": {"sha256": hash_file(folder / "data/rows"), "bytes": 3}}
    (folder / "data/rows").write_text("two")
    changed = hash_folder(folder)[1]
    (folder / "data/rows").rename(folder / "rows")
    assert len({before, changed, hash_folder(folder)[1]}) == 3


def test_card_and_lineage_do_not_count(folder):
    before = hash_folder(folder)
    (folder / "README.md").write_text("a card")
    (folder / "lineage.json").write_text("{}")
    assert hash_folder(folder) == before


def test_the_order_of_keys_does_not_count():
    assert hash_json({"a": 1, "b": [2]}) == hash_json({"b": [2], "a": 1}) != hash_json({"a": 1, "b": [3]})


def test_versions_and_hardware_are_those_of_this_run():
    assert {name: versions()[name] for name in PACKAGES} == {name: version(name) for name in PACKAGES}
    assert hardware()["cores"] >= 1
    assert hardware()["memory_gib"] > 0


def test_the_commit_is_a_hash_or_unknown():
    commit = code_commit()
    assert commit is None or len(commit.removesuffix("+changes")) == 40
