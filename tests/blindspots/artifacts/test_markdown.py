"""Foreign text stays text: in Markdown, in tables, in blocks of code and in a whole card."""

import pytest

from blindspots.artifacts.markdown import block, code, inline, without_embeds


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("hans_lo_non_entailment", "hans_lo_non_entailment"),
        ("a|b", "a\\|b"),
        ("![x](http://y)", "!\\[x\\](http://y)"),
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
    assert without_embeds("a ![x](y) <b> [z](w)") == "a !\\[x]\\(y) &lt;b> [z]\\(w)"
