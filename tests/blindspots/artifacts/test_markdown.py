"""Foreign text stays text: in Markdown, in tables, in blocks of code and in a whole card."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rendered import embeds, shown_text, tokens

from blindspots.artifacts.files import markdown_table
from blindspots.artifacts.markdown import block, code, inline, without_embeds
from blindspots.config.errors import one_line


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("hans_lo_non_entailment", "hans_lo_non_entailment"),
        ("a|b", "a\\|b"),
        ("![x](http://y)", "![x\\](http\\://y)"),
        ("[x][y] [x]: z", "[x\\][y] [x\\]: z"),
        ("[-0.5, +0.5]", "[-0.5, +0.5]"),
        ("www.example.org", "www\\.example.org"),
        ("_so_ __called__", "\\_so\\_ \\_\\_called\\_\\_"),
        ("# a", "\\# a"),
        ("- a", "\\- a"),
        ("-0.5", "-0.5"),
        ("12. a", "12\\. a"),
        ("12.5 a", "12.5 a"),
        ("\x1b[31mred", "[31mred"),
        ("<img src=x>", "\\<img src=x\\>"),
        ("$x$ \\", "\\$x\\$ \\\\"),
        ("a\n# b", "a # b"),
    ],
)
def test_no_character_of_a_text_is_markup(text, shown):
    assert inline(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"), [("a", "`a`"), ("a`b", "`` a`b ``"), ("a|b\n", "`a\\|b`"), ("a```b", "```` a```b ````")]
)
def test_nothing_in_a_code_span_ends_it(text, shown):
    assert code(text) == shown


def test_nothing_in_a_block_ends_it():
    assert block("a: |\n  ```\n  # title\n", "yaml") == "````yaml\na: |\n  ```\n  # title\n\n````"


def test_an_audit_that_quotes_data_embeds_nothing():
    assert without_embeds("a ![x](y) <b> [z](w)") == "a ![x\\](y) \\<b> [z\\](w)"


MARKS = st.text(alphabet="[]()<>!\\ax1`:.|*_~-+=#&;$\"'/ \n\x1b", max_size=14)


@given(MARKS)
def test_a_renderer_shows_a_text_as_it_is(text):
    assert {token.type for token in tokens(inline(text))} <= {
        "paragraph_open",
        "inline",
        "text",
        "text_special",
        "paragraph_close",
    }
    assert shown_text(inline(text)) == one_line(text)


@given(MARKS, MARKS)
def test_a_renderer_shows_the_cells_of_a_table_as_they_are(name, text):
    table = markdown_table([{f"{name}x": text, "code": code(f"q{text}q")}])
    assert shown_text(table) == one_line(f"{name}x") + "code" + one_line(text) + one_line(f"q{text}q")
    assert not embeds(table)


@given(MARKS)
def test_what_was_escaped_stays_as_it_was(text):
    assert without_embeds(inline(text)) == inline(text)
