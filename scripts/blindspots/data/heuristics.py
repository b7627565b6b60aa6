"""The three syntactic heuristics that HANS is built on: lexical overlap, subsequence, constituent.

Definitions: McCoy et al. (2019), table 1; each is a special case of the one before. Words are the lower-cased
white-space tokens of a text without the bare tokens `.` `?` `!`, as published (raw: `dogs.` is not `dogs`). With
`strip_punctuation` the punctuation around each word goes as well, and words that are nothing else vanish.

Their code looks for a subsequence of characters, so that `men left` is one of `women left`: `substring` is that rule.

This file imports nothing of the project: `evaluate_modules/*` link to it, so that a pushed module stands alone.
"""

import re
import string
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pandas as pd

LEXICAL_OVERLAP, SUBSEQUENCE, CONSTITUENT = HEURISTICS = ("lexical_overlap", "subsequence", "constituent")
# Subsequence as published, beside the three.
SUBSTRING = "substring"
RAW, STRIPPED = WORD_RULES = ("raw", "stripped")

_BARE_MARKS = frozenset(".?!")
_PUNCTUATION = string.punctuation + "“”‘’«»…–—¿¡"  # noqa: RUF001
_BRACKET = re.compile(r"\([^\s()]*|\)|[^\s()]+")
# How the Penn Treebank writes brackets and quotes inside a parse.
_TREEBANK = {"-lrb-": "(", "-rrb-": ")", "-lsb-": "[", "-rsb-": "]", "-lcb-": "{", "-rcb-": "}", "``": '"', "''": '"'}


def words(text: str, strip_punctuation: bool = False) -> list[str]:
    """The words of a text, in order, by the raw or the stripped rule."""
    tokens = text.lower().split()
    if strip_punctuation:
        return [word for token in tokens if (word := token.strip(_PUNCTUATION))]
    return [token for token in tokens if token not in _BARE_MARKS]


def lexical_overlap(premise: str, hypothesis: str, strip_punctuation: bool = False) -> bool:
    """Whether every word of the hypothesis is a word of the premise; False for a hypothesis without words."""
    wanted = words(hypothesis, strip_punctuation)
    return bool(wanted) and set(wanted).issubset(words(premise, strip_punctuation))


def subsequence(premise: str, hypothesis: str, strip_punctuation: bool = False) -> bool:
    """Whether the words of the hypothesis stand in the premise one after the other, in the same order."""
    wanted = words(hypothesis, strip_punctuation)
    return bool(wanted) and f" {' '.join(wanted)} " in f" {' '.join(words(premise, strip_punctuation))} "


def substring(premise: str, hypothesis: str, strip_punctuation: bool = False) -> bool:
    """Whether the hypothesis stands in the premise letter by letter, both as words joined by single spaces; it may
    begin and end within a word. The published rule of a subsequence."""
    wanted = words(hypothesis, strip_punctuation)
    return bool(wanted) and " ".join(wanted) in " ".join(words(premise, strip_punctuation))


def constituent(premise: str, hypothesis: str, premise_parse: str, strip_punctuation: bool = False) -> bool:
    """Whether the hypothesis is a subsequence of the premise and a complete subtree of its parse.

    Args:
        premise_parse: the premise in brackets, labelled as in the Penn Treebank or `( binary )`.

    The two are compared without white space, since a parse splits words (`do n't`) that a text does not.
    Raises ValueError for a parse whose brackets do not match.
    """
    if not subsequence(premise, hypothesis, strip_punctuation):
        return False
    wanted = "".join(words(hypothesis, strip_punctuation))
    return any(wanted == "".join(words(text, strip_punctuation)) for text in subtrees(premise_parse))


def subtrees(parse: str) -> Iterator[str]:
    """The text of every bracket of a parse, its leaves joined by single spaces.

    Raises ValueError where brackets do not match.
    """
    leaves: list[str] = []
    starts: list[int] = []
    for token in _BRACKET.findall(parse):
        if token.startswith("("):
            starts.append(len(leaves))
        elif token != ")":
            leaves.append(_TREEBANK.get(token.lower(), token))
        elif starts:
            yield " ".join(leaves[starts.pop() :])
        else:
            raise ValueError(f"The parse closes a bracket that it never opened: {parse[:80]!r}.")
    if starts:
        raise ValueError(f"The parse ends inside {len(starts)} open brackets: {parse[:80]!r}.")


def find_heuristics(
    premises: Sequence[str], hypotheses: Sequence[str], premise_parses: Sequence[str] | None = None
) -> pd.DataFrame:
    """All heuristics of a batch of pairs.

    Returns a boolean frame, one row per pair, columns (word rule, heuristic), SUBSTRING the last; constituent only
    where parses are given.

    Nearly all pairs leave at the first word: a hypothesis word that, stripped, is nowhere in the text of the premise
    rules out all of them, and only what passes that test is split into words.
    """
    found = (*(HEURISTICS if premise_parses is not None else HEURISTICS[:2]), SUBSTRING)
    columns = pd.MultiIndex.from_product([WORD_RULES, found], names=["words", "heuristic"])
    flags = np.zeros((len(premises), len(columns)), dtype=bool)
    for row in _candidates(premises, hypotheses):
        pair = premises[row], hypotheses[row]
        for column, (rule, heuristic) in enumerate(columns):
            stripped = rule == STRIPPED
            if heuristic == LEXICAL_OVERLAP:
                flags[row, column] = lexical_overlap(*pair, stripped)
            elif heuristic == SUBSEQUENCE:
                flags[row, column] = flags[row, column - 1] and subsequence(*pair, stripped)
            elif heuristic == SUBSTRING:
                flags[row, column] = substring(*pair, stripped)
            else:
                flags[row, column] = flags[row, column - 1] and constituent(*pair, premise_parses[row], stripped)
    return pd.DataFrame(flags, columns=columns)


def _candidates(premises: Iterable[str], hypotheses: Iterable[str]) -> Iterator[int]:
    """Rows whose hypothesis words all occur somewhere in the premise's text: necessary for every heuristic."""
    for row, (premise, hypothesis) in enumerate(zip(premises, hypotheses, strict=True)):
        text = premise.lower()
        for token in hypothesis.lower().split():
            if token.strip(_PUNCTUATION) not in text:
                break
        else:
            yield row


def count_heuristics(
    premises: Sequence[str],
    hypotheses: Sequence[str],
    labels: Sequence[str],
    premise_parses: Sequence[str] | None = None,
) -> pd.DataFrame:
    """How many pairs of each label follow each heuristic.

    Returns a frame indexed by (words, heuristic, label) with columns `count` and `n`, the rows of that label. Counts
    of further batches are added with `counts.add(more, fill_value=0)`.
    """
    by_label = find_heuristics(premises, hypotheses, premise_parses).groupby(np.asarray(labels, dtype=object))
    counts = by_label.sum().rename_axis("label").T.stack().astype(int).to_frame("count")
    counts["n"] = by_label.size().reindex(counts.index.get_level_values("label")).to_numpy()
    return counts
