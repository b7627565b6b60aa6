"""Flat YAML files: what is read, and the one line that a file that cannot be read earns."""

import math

import pytest

from blindspots.config.errors import RecipeError
from blindspots.config.yaml_files import parse_yaml, read_yaml


def test_a_file_is_read_as_it_is_written(tmp_path):
    file = tmp_path / "recipe.yaml"
    file.write_text("seed: 1\ntest_sets: [hans]\nfolding: {neutral: [neutral, contradiction]}\n")
    assert read_yaml(file) == {
        "seed": 1,
        "test_sets": ["hans"],
        "folding": {"neutral": ["neutral", "contradiction"]},
    }


@pytest.mark.parametrize("name", ["Yes", "No", "on", "n", "true", "0", "010", "1.0", "1e3", "null", "~", "2020-01-01"])
def test_a_key_is_text_as_it_is_written(name):
    assert parse_yaml(f"{{{name}: entailment}}", "x") == {name: "entailment"}
    assert parse_yaml(f"a:\n  {name}: entailment\n", "x") == {"a": {name: "entailment"}}


def test_values_but_yes_and_no_are_what_yaml_makes_of_them():
    text = "[yes, No, on, OFF, true, FALSE, trueish, 1, 1.5, null, 'true', n]"
    assert parse_yaml(text, "x") == ["yes", "No", "on", "OFF", True, False, "trueish", 1, 1.5, None, "true", "n"]


@pytest.mark.parametrize("text", "010 0250 00 08 0x10 0b1 1_000 1:30 1_0.5 1:30.5 010.5".split())
def test_a_number_that_is_not_decimal_is_text(text):
    assert parse_yaml(text, "x") == text
    assert parse_yaml(f"[{text}]", "x") == [text]


@pytest.mark.parametrize(
    ("text", "value"),
    [("0", 0), ("-1", -1), ("+3", 3), ("10", 10), (".5", 0.5), ("5.", 5.0), ("1.0e-3", 0.001), ("-0.5E+2", -50.0)],
)
def test_a_decimal_number_is_a_number(text, value):
    found = parse_yaml(text, "x")
    assert (found, type(found)) == (value, type(value))


def test_a_tag_makes_no_number_of_what_is_not_decimal():
    assert parse_yaml("[!!int '10', !!float 1, !!float 1e-5, !!float .inf]", "x") == [10, 1.0, 1e-5, math.inf]
    for text in ("!!int 010", "!!int 1:30", "!!int 1_000", "!!float 1:30.5", "!!float '0x10'"):
        with pytest.raises(RecipeError, match=r"x holds a value that can't be read: .* is not a decimal number"):
            parse_yaml(text, "x")


def test_a_mapping_may_be_used_again():
    assert parse_yaml("a: &a {1: x, b: y}\nc: {<<: *a, b: z}\n", "x")["c"] == {"1": "x", "b": "z"}


def test_a_missing_file_names_the_nearest(tmp_path):
    (tmp_path / "augment.yaml").write_text("seed: 1\n")
    with pytest.raises(RecipeError, match=r"There is no recipe at .*augmnt\.yaml\. Did you mean .*augment\.yaml\?"):
        read_yaml(tmp_path / "augmnt.yaml")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seed: !!python/object/apply:os.getpid []\n", "not valid YAML"),  # would run code
        ("seed: 1\nseed: 1\n", "seed is given two values; keep one"),
        ("headlines:\n  a: 1\n  a: 2\n", "a is given two values; keep one"),
        ("# only a comment\n", "is empty"),
        ("- a\n", "must hold one `key: value` per line, not a list"),
    ],
)
def test_a_file_that_cannot_be_used_says_why(tmp_path, text, message):
    file = tmp_path / "recipe.yaml"
    file.write_text(text)
    with pytest.raises(RecipeError, match=message) as error:
        read_yaml(file)
    assert str(file) in str(error.value)
