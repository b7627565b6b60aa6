"""Measures of a text, and whether a copy of a set cuts its texts."""

import numpy as np
import pytest

from blindspots.data.text_style import (
    DIFFERENT,
    INFORMAL,
    LONG_WORDS,
    NOUNS,
    READABILITY,
    SENTENCE_LENGTH,
    WORD_LENGTH,
    WORDS,
    different_words,
    ends_without_mark,
    looks_cut,
    style,
    without_shared_start,
)


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


def test_the_measures_of_a_text_by_hand():
    text = "I can't see it! The government's commitment was an illusion of clarity."
    found = style(text, window=4)
    assert found[WORDS] == 12
    assert found[SENTENCE_LENGTH] == 6
    letters = sum(map(str.isalnum, text))
    assert found[WORD_LENGTH] == pytest.approx(letters / 12)
    assert found[READABILITY] == pytest.approx(4.71 * letters / 12 + 0.5 * 6 - 21.43)
    # I, can't, government's and the exclamation mark.
    assert found[INFORMAL] == pytest.approx(100 * 4 / 12)
    # government's, commitment, illusion, clarity.
    assert found[LONG_WORDS] == pytest.approx(100 * 4 / 12)
    # commitment, illusion, clarity.
    assert found[NOUNS] == pytest.approx(100 * 3 / 12)
    assert found[DIFFERENT] == 1


def test_different_words_are_counted_in_a_moving_window():
    assert different_words("a b a b c".split(), 3) == pytest.approx((2 + 2 + 3) / 9)
    assert np.isnan(different_words(["a"], 2))


def test_a_text_without_words_has_no_style():
    found = style(" ... ", window=2)
    assert found.pop(WORDS) == 0
    assert np.isnan(list(found.values())).all()


@pytest.mark.parametrize(
    ("first", "second", "left"),
    [
        ("In the end he won.", "In the end she lost.", ("he won.", "she lost.")),
        ("In the ending", "In the end", ("ending", "end")),
        ("Same text", "Same text", ("", "")),
        ("Other", "words", ("Other", "words")),
        ("A prompt", "A prompt and more", ("", "and more")),
    ],
)
def test_a_shared_start_is_cut_at_whole_words(first, second, left):
    assert without_shared_start(first, second) == left
