"""Text files: every row comes back as it was written, or a line says where the file is broken."""

import csv
import gzip
import json
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from datasets import Dataset
from hypothesis import example, given
from hypothesis import strategies as st

from blindspots.config.errors import UserError
from blindspots.data.text_files import TEXT_ENDINGS, ending, read_text_file

COLUMNS = ["premise", "hypothesis"]
HEADER = "premise\thypothesis\tlabel\n"
# Whatever UTF-8 can hold: among it quotes, carriage returns, U+2028, NUL and the words that pandas takes for missing.
WORDS = ["n/a", "null", "None", "NaN", "", '"', '""', '"a', 'a"', "a\r", "\r", "\u2028", "\x85", "1", "-"]


def rows(without: str = "") -> st.SearchStrategy[list[tuple[str, str]]]:
    """Rows of two texts without some characters."""
    character = st.characters(exclude_categories=["Cs"], exclude_characters=without)
    texts = st.sampled_from(WORDS) | st.text(character, max_size=12)
    return st.lists(st.tuples(texts, texts), min_size=1, max_size=8)


def read_back(name: str, content: bytes) -> list[tuple]:
    with TemporaryDirectory() as folder:
        file = Path(folder, name)
        file.write_bytes(gzip.compress(content, mtime=0) if name.endswith(".gz") else content)
        table = read_text_file(file, name)
        assert table.column_names == COLUMNS
        return list(zip(*(table[column].to_pylist() for column in COLUMNS)))


@pytest.mark.parametrize("name", ["rows.tsv", "rows.tsv.gz"])
@given(rows("\n\t"), st.booleans())
@example([("a", "b\r")], True)
@example([('"Go away , he said', "n/a"), ('He said no "', "null"), ("", "")], False)
def test_tab_separated_rows_are_read_as_written(name, written, last_line_ends):
    lines = "\n".join(map("\t".join, [COLUMNS, *written])) + ("\n" if last_line_ends else "")
    assert read_back(name, lines.encode()) == written


@given(rows("\n\t"))
def test_tab_separated_lines_may_end_as_on_windows(written):
    text = "".join("\t".join(row) + "\r\n" for row in [COLUMNS, *written])
    assert read_back("rows.tsv", b"\xef\xbb\xbf" + text.encode()) == written


@pytest.mark.parametrize("name", ["rows.csv", "rows.csv.gz"])
@given(rows("\n"), st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
def test_rows_in_csv_are_read_as_written(name, written, quoting):
    with TemporaryDirectory() as folder:
        file = Path(folder, "rows")
        with file.open("w", newline="", encoding="utf-8") as stream:
            csv.writer(stream, quoting=quoting).writerows([COLUMNS, *written])
        assert read_back(name, file.read_bytes()) == written


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.ndjson.gz", "rows.json"])
@given(rows(), st.booleans())
def test_rows_in_json_lines_are_read_as_written(name, written, ascii_only):
    lines = [json.dumps(dict(zip(COLUMNS, row)), ensure_ascii=ascii_only) + "\n" for row in written]
    assert read_back(name, "".join(lines).encode()) == written


@given(rows())
def test_a_json_list_is_read_item_by_item(written):
    items = [dict(zip(COLUMNS, row)) for row in written]
    assert read_back("rows.json", json.dumps(items, indent=1).encode()) == written


def test_more_rows_than_one_batch_are_read_in_order(tmp_path):
    numbers = [str(number) for number in range(25_001)]
    (tmp_path / "rows.tsv").write_text("a\tb\n" + "".join(f"{number}\tx\n" for number in numbers))
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps({"a": number}) + "\n" for number in numbers))
    for name in ("rows.tsv", "rows.jsonl"):
        assert read_text_file(tmp_path / name, name)["a"].to_pylist() == numbers


def test_blank_lines_are_no_rows(tmp_path):
    texts = {"a.tsv": "a\tb\n\n1\t2\n\n", "a.csv": "a,b\n\n1,2\n\n", "a.jsonl": '{"a":"1","b":"2"}\n \n'}
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
        assert read_text_file(tmp_path / name, name).to_pylist() == [{"a": "1", "b": "2"}]


def test_quotes_in_csv_may_hold_commas_and_lines(tmp_path):
    (tmp_path / "a.csv").write_text('a,b,c\n"one, ""two""\nthree",x,y\n')
    assert read_text_file(tmp_path / "a.csv", "a.csv").to_pylist() == [{"a": 'one, "two"\nthree', "b": "x", "c": "y"}]


def test_columns_of_json_have_the_types_of_their_values(tmp_path):
    rows = [{"id": 1, "label": None}, {"id": None, "label": "neutral", "more": [1.5]}, {"label": "-"}]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    table = read_text_file(tmp_path / "a.jsonl", "a.jsonl")
    columns = {"id": [1, None, None], "label": [None, "neutral", "-"], "more": [None, [1.5], None]}
    assert Dataset(table).to_dict() == columns


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.tsv", HEADER + "a\tb\tc\na\tb\n", "a.tsv, line 3: 2 fields where the header names 3: premise, hyp"),
        ("a.tsv", HEADER + "a\tb\tc\td\n", "a.tsv, line 2: 4 fields where the header names 3"),
        ("a.tsv", "a\tb\ta\n1\t2\t3\n", "a.tsv: the header names column 'a' twice"),
        ("a.tsv", "a\tb\r1\t2\r", "a.tsv: the header holds a carriage return"),
        ("a.tsv", HEADER, "a.tsv has no rows"),
        ("a.tsv", HEADER.encode() + b"caf\xe9\tb\tc\n", "a.tsv, line 2: byte 0xe9 is not UTF-8"),
        ("a.tsv", HEADER.encode("utf-16"), "a.tsv, line 1: byte 0xff is not UTF-8"),
        ("a.csv", "a,b,c\n1,2,3\n1,2\n", "a.csv, line 3: 2 fields where the header names 3"),
        ("a.csv", 'a,b\n1,2\n"x,y\nz,w\n', "a.csv, line 3: not CSV by RFC 4180: unexpected end of data"),
        ("a.csv", 'a,b\n"x"y,z\n', "a.csv, line 2: not CSV by RFC 4180"),
        ("a.csv", 'a,b\n1,2\nhe said "no",z\n', "a.csv, line 3: a quote stands in a field without quotes around it"),
        ("a.csv", "a,b\n1,x\ry,2\n", "a.csv, line 2: not CSV by RFC 4180"),
        ("a.csv", 'a,b\n"x,y\nz,w\nno ",v\n', "a.csv, lines 2 to 4: one row if its quotes enclose a field, several"),
        ("a.jsonl", '{"a": 1}\n[1]\n', "a.jsonl, line 2: not a JSON object"),
        ("a.jsonl", '{"a": 1}\n{"a": 1\n', "a.jsonl, line 2: not JSON"),
        ("a.jsonl", '{"a": 1}\n{"a": "x"}\n', "a.jsonl, line 2: a is text, but a number in line 1"),
        ("a.jsonl", '{"a": "x"}\n{"a": NaN}\n', "a.jsonl, line 2: a is a number, but text in line 1"),
        ("a.jsonl", '{"a": 1}\n{"a": true}\n', "a.jsonl, line 2: a is true or false, but a number in line 1"),
        ("a.jsonl", '{"a": [1]}\n{"a": ["x"]}\n', "a.jsonl, line 1 to line 2: "),
        ("a.jsonl", '{"a": 1, "a": 2}\n', "a.jsonl, line 1: not JSON: an object names a key twice: a, a"),
        ("a.jsonl", '{"a": "\\ud800"}\n', "a.jsonl, line 1: not JSON: .*surrogates not allowed"),
        ("a.jsonl", '{"a": 9999999999999999999999}\n', "a.jsonl, line 1 to line 1: "),
        ("a.json", '[{"a": 1}, 2]', "a.json, item 2: not a JSON object"),
        ("a.json", "[]", "a.json has no rows"),
        ("a.tsv.gz", HEADER, r"a.tsv.gz can't be read after line 0: Not a gzipped file"),
        ("a.tsv.gz", gzip.compress(HEADER.encode() * 9, mtime=0)[:-9], r"a.tsv.gz can't be read after line \d: "),
        ("a.tsv.gz", gzip.compress(b"", mtime=0), "a.tsv.gz has no rows"),
    ],
)
def test_a_broken_file_is_one_line_that_names_file_and_line(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UserError, match=message) as error:
        read_text_file(tmp_path / name, name)
    assert "\n" not in str(error.value)


def test_an_ending_says_how_a_file_is_read():
    names = {"a.TSV": ".tsv", "v1.0.csv.gz": ".csv.gz", "a": "", "a.gz": ".gz", "x.parquet": ".parquet"}
    assert {name: ending(Path(name)) for name in names} == names
    assert ".jsonl.gz" in TEXT_ENDINGS
