"""Files: JSON without NaN, Markdown tables, hashes that follow the content alone."""

import hashlib
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blindspots.artifacts.files import (
    hash_file,
    hash_folder,
    hash_json,
    json_text,
    markdown_table,
    without_nan,
    write_json,
    write_whole,
)
from blindspots.artifacts.markdown import code
from blindspots.config.errors import UserError

PLAIN = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
VALUES = st.recursive(PLAIN, lambda part: st.lists(part) | st.dictionaries(st.text(), part), max_leaves=12)


# JSON


@given(VALUES, st.none() | st.integers(0, 3), st.booleans())
def test_json_reads_back_as_it_was(value, indent, flat):
    text = json_text(value, indent, flat)
    assert json.loads(text) == value
    assert text.endswith("\n")


def test_what_is_not_a_number_is_null():
    assert json_text({"a": [math.nan, 1.5], "b": (math.inf, -math.inf)}, indent=None) == (
        '{"a": [null, 1.5], "b": [null, null]}\n'
    )
    assert without_nan({"a": [math.nan, "nan", 2]}) == {"a": [None, "nan", 2]}


def test_an_object_of_plain_values_is_one_line_where_that_is_asked_for():
    rows = [{"name": "Cramér's V", "text": "a { b\n c"}, {"name": "x", "parts": {"n": 1, "share": None}}]
    assert json_text(rows[0], flat_objects=False).count("\n") == 4
    assert '{"n": 1, "share": null}' in json_text(rows, flat_objects=True)
    assert json_text([{"a": 1, "b": "é"}], flat_objects=True) == '[\n {"a": 1, "b": "é"}\n]\n'


def test_a_file_is_utf_8(tmp_path):
    write_json(tmp_path / "x.json", {"name": "Cramér"})
    assert (tmp_path / "x.json").read_bytes() == '{\n "name": "Cramér"\n}\n'.encode()


def test_a_text_that_can_not_be_written_leaves_the_old_one(tmp_path, monkeypatch):
    file = tmp_path / "README.md"
    write_whole(file, "old")

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("pathlib.Path.replace", killed)
        with pytest.raises(KeyboardInterrupt):
            write_whole(file, "new")
    assert file.read_text() == "old"
    write_whole(file, "new")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("README.md", "new")]


# Tables


def test_a_table_sets_numbers_right_and_words_left():
    rows = [{"name": "one", "share": "1.5%"}, {"name": "2", "share": "–"}]  # noqa: RUF001
    assert markdown_table(rows) == "| name | share |\n| --- | ---: |\n| one | 1.5% |\n| 2 | – |\n"  # noqa: RUF001


def test_a_table_may_have_no_rows_or_a_part_of_the_columns():
    assert markdown_table([]) == ""
    assert markdown_table([], ["a"]) == "| a |\n| ---: |\n"
    assert markdown_table([{"a": 1, "b": "x"}], ["b"]) == "| b |\n| --- |\n| x |\n"


def test_a_cell_is_text_unless_it_is_markdown_already():
    rows = [{"a|b": "x | ![i](http://e) <b> `c` $d$", "code": code("x|y"), "n": 1}]
    head, align, line = markdown_table(rows).splitlines()
    assert head == "| a\\|b | code | n |"
    assert align == "| --- | --- | ---: |"
    assert line == "| x \\| ![i\\](http\\://e) \\<b\\> \\`c\\` \\$d\\$ | `x\\|y` | 1 |"


# Hashes


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data/rows").write_text("one")
    return tmp_path


def test_a_hash_follows_every_file_and_its_place(folder):
    files, before = hash_folder(folder)
    assert files == {"data/rows": {"sha256": hash_file(folder / "data/rows"), "bytes": 3}}
    assert files["data/rows"]["sha256"] == hashlib.sha256(b"one").hexdigest()
    (folder / "data/rows").write_text("two")
    changed = hash_folder(folder)[1]
    (folder / "data/rows").rename(folder / "rows")
    assert len({before, changed, hash_folder(folder)[1]}) == 3


def test_card_and_lineage_do_not_count(folder):
    before = hash_folder(folder)
    (folder / "README.md").write_text("a card")
    (folder / "lineage.json").write_text("{}")
    assert hash_folder(folder) == before


def test_a_linked_folder_counts_as_if_it_lay_there(folder, tmp_path_factory):
    disk = tmp_path_factory.mktemp("disk")
    (disk / "deep").mkdir()
    (disk / "deep/rows").write_text("two")
    (folder / "linked").symlink_to(disk)
    (folder / "again").symlink_to(disk / "deep")
    linked = hash_folder(folder)
    assert linked[0].keys() == {"data/rows", "linked/deep/rows", "again/rows"}
    (disk / "deep/rows").write_text("three")
    assert hash_folder(folder)[1] != linked[1]
    (disk / "deep/rows").write_text("two")
    (folder / "linked").unlink()
    (folder / "again").unlink()
    for name in ("linked/deep", "again"):
        (folder / name).mkdir(parents=True)
        (folder / name / "rows").write_text("two")
    assert hash_folder(folder) == linked


@pytest.mark.parametrize("target", [".", "..", "data"])
def test_a_link_to_a_folder_around_it_is_refused(folder, target):
    (folder / "data/loop").symlink_to((folder / target).resolve())
    with pytest.raises(UserError, match=r"data/loop.* is a link back to .*Remove the link"):
        hash_folder(folder)


def test_two_folders_that_link_to_each_other_are_refused(folder):
    (folder / "other").mkdir()
    (folder / "data/other").symlink_to(folder / "other")
    (folder / "other/data").symlink_to(folder / "data")
    with pytest.raises(UserError, match="is a link back to"):
        hash_folder(folder)


def test_caches_do_not_count(folder):
    before = hash_folder(folder)
    (folder / "data/.cache/huggingface").mkdir(parents=True)
    (folder / "data/.cache/huggingface/rows.lock").write_text("")
    assert hash_folder(folder) == before


def test_the_order_of_keys_does_not_count():
    assert hash_json({"a": 1, "b": [2]}) == hash_json({"b": [2], "a": 1}) != hash_json({"a": 1, "b": [3]})
