"""Measures of one text: how long, how varied, how hard to read, how formal it is, without a model.

This file imports nothing of the project: `evaluate_modules/*` link to it, so that a pushed module stands alone.
"""

import re
import string
from collections.abc import Sequence

import numpy as np

WORDS, SENTENCE_LENGTH, WORD_LENGTH = "words", "words per sentence", "letters per word"
READABILITY, DIFFERENT = "readability index", "different words"
INFORMAL, LONG_WORDS, NOUNS = "informal cues per 100 words", "long words per 100 words", "abstract nouns per 100 words"
MEASURES = {
    WORDS: "white-space tokens with a letter or digit",
    SENTENCE_LENGTH: "words over sentence ends",
    WORD_LENGTH: "letters and digits a word",
    READABILITY: "automated readability index (Senter & Smith 1967), about the school year that a text needs",
    DIFFERENT: "share of different words among {window} in a row, mean over all places (moving-average type-token "
    "ratio, Covington & McFall 2010)",
    INFORMAL: "contractions, pronouns of the first and second person, and exclamation marks",
    LONG_WORDS: "words of seven letters or more",
    NOUNS: "words of seven letters or more in -tion, -sion, -ment, -ness, -ity, -ance or -ence",
}
_SENTENCE_END = re.compile(r"(?<![.!?])[.!?]+(?=\s|$)|\n+")
_CONTRACTION = re.compile(r"\w['’](?:s|t|re|ve|ll|d|m)$", re.IGNORECASE)  # noqa: RUF001
_PRONOUNS = frozenset("i me my mine myself we us our ours ourselves you your yours yourself yourselves u".split())
_ABSTRACT = re.compile(r"\w{3,}(?:tion|sion|ment|ness|ity|ance|ence)s?$")
_MARKS = string.punctuation + "“”‘’«»…–—¿¡"  # noqa: RUF001

# A tenth of the texts, the longest, is held against the others.
_LONGEST = 0.9


def ends_without_mark(text: str) -> bool:
    """Whether a text ends in a letter or a comma, where a sentence does not."""
    end = text.rstrip()[-1:]
    return end.isalpha() or end == ","


def looks_cut(texts: Sequence[str]) -> bool:
    """Whether texts were cut at a length: the longest tenth ends in mid-sentence, and none is much longer than it.

    Cut copies of a set make its lengths and the ends of its texts say nothing of those who wrote them.
    """
    lengths = np.array([len(text) for text in texts])
    if lengths.size < 50:
        return False
    limit = np.quantile(lengths, _LONGEST)
    open_ended = np.array([ends_without_mark(text) for text in texts])
    longest, others = open_ended[lengths >= limit].mean(), open_ended[lengths < limit].mean()
    return bool(lengths.max() < 1.5 * limit and longest > 0.5 and longest > 1.5 * others)


def style(text: str, window: int) -> dict[str, float]:
    """The MEASURES of a text; nan where it is too short for one.

    Args:
        window: words in a row among which different ones are counted.
    """
    tokens = [word for token in text.split() if (word := token.strip(_MARKS))]
    if not tokens:
        return dict.fromkeys(MEASURES, float("nan")) | {WORDS: 0.0}
    n = len(tokens)
    letters = sum(character.isalnum() for word in tokens for character in word)
    sentences = max(1, sum(1 for part in _SENTENCE_END.split(text) if any(map(str.isalnum, part))))
    lower = [word.lower() for word in tokens]
    informal = sum(word in _PRONOUNS or _CONTRACTION.search(word) is not None for word in lower) + text.count("!")
    return {
        WORDS: float(n),
        SENTENCE_LENGTH: n / sentences,
        WORD_LENGTH: letters / n,
        READABILITY: 4.71 * letters / n + 0.5 * n / sentences - 21.43,
        DIFFERENT: different_words(lower, window),
        INFORMAL: 100 * informal / n,
        LONG_WORDS: 100 * sum(len(word) >= 7 for word in tokens) / n,
        NOUNS: 100 * sum(_ABSTRACT.match(word) is not None and len(word) >= 7 for word in lower) / n,
    }


def different_words(words: Sequence[str], window: int) -> float:
    """Share of different words among `window` in a row, mean over all places; nan for fewer words."""
    if len(words) < window:
        return float("nan")
    return (
        float(np.mean([len(set(words[start : start + window])) for start in range(len(words) - window + 1)])) / window
    )


def without_shared_start(first: str, second: str) -> tuple[str, str]:
    """Both texts without the words that they start with in common."""
    one, other = first.split(" "), second.split(" ")
    shared = next(
        (place for place, pair in enumerate(zip(one, other)) if pair[0] != pair[1]), min(len(one), len(other))
    )
    return " ".join(one[shared:]), " ".join(other[shared:])
