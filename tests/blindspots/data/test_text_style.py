"""Measures of a text, and whether a copy of a set cuts its texts."""

import numpy as np
import pytest

from blindspots.data.text_style import ends_without_mark, looks_cut


@pytest.mark.parametrize(
    ("text", "open_ended"), [("Done.", False), ("not don", True), ("one, ", True), ('"Yes!"', False)]
)
def test_an_end_without_a_mark(text, open_ended):
    assert ends_without_mark(text) == open_ended


@pytest.fixture
def texts() -> list[str]:
    """200 texts of whole sentences, of 20 to 1,000 characters."""
    rng = np.random.default_rng(0)
    return ["A whole sentence is. " * size for size in rng.integers(1, 50, 200)]


def test_texts_cut_at_a_length_are_found(texts):
    assert looks_cut([text[:300] for text in texts])


def test_whole_texts_are_not_even_without_marks(texts):
    assert not looks_cut(texts)
    assert not looks_cut([text.rstrip(". ") for text in texts])
    assert not looks_cut(["cut off" for _ in range(20)])
