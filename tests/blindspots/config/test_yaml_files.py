"""Flat YAML files: what is read, and the one line that a file that cannot be read earns."""

import pytest

from blindspots.config.errors import RecipeError
from blindspots.config.yaml_files import read_yaml


def test_a_file_is_read_as_it_is_written(tmp_path):
    file = tmp_path / "recipe.yaml"
    file.write_text("seed: 1\ntest_sets: [hans]\nfolding: {neutral: [neutral, contradiction]}\n")
    assert read_yaml(file) == {
        "seed": 1,
        "test_sets": ["hans"],
        "folding": {"neutral": ["neutral", "contradiction"]},
    }


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
        ("- a\n", "must hold one `key: value` a line, not a list"),
    ],
)
def test_a_file_that_cannot_be_used_says_why(tmp_path, text, message):
    file = tmp_path / "recipe.yaml"
    file.write_text(text)
    with pytest.raises(RecipeError, match=message) as error:
        read_yaml(file)
    assert str(file) in str(error.value)
