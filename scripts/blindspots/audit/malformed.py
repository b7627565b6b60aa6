"""Signs of rows that went wrong in the making: cut off, copied, or with words of the prompt left in."""

import re

from blindspots.data.nli import END_MARKER

LEFTOVER = "template text left in"
LABEL_WORD = "label word in the text"
CUT_PREMISE = "premise cut off"
CUT_HYPOTHESIS = "hypothesis cut off"
COPY = "hypothesis repeats the premise"
BROKEN = "broken characters"
RULES = {
    LEFTOVER: f'the end marker ("{END_MARKER}"), "Premise:", "Hypothesis:" or "This is an example where"',
    LABEL_WORD: "a form of entail, contradict, or the word neutral",
    CUT_PREMISE: "the premise ends in a comma, a hyphen, an opening bracket or a word that needs another, as `the`",
    CUT_HYPOTHESIS: "the same of the hypothesis",
    COPY: "premise and hypothesis are equal in lower case without punctuation",
    BROKEN: "a replacement or control character",
}
_LEFTOVER = re.compile(r"this is (?:an|the end of the) example|\bpremise:|\bhypothesis:")
_LABEL_WORD = re.compile(r"\b(?:entail(?:s|ed|ing|ment)?|contradict(?:s|ed|ing|ion|ory)?|neutral)\b")
_BROKEN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffd]")
_NEEDS_ANOTHER = frozenset(
    "a an the of and or but with from than because although if whether their our my your".split()
)
_OPEN_ENDS = (",", "-", "–", "—", "(", "[", "{", "/", "&")  # noqa: RUF001


def is_cut_off(text: str) -> bool:
    """Whether a text ends where a sentence can't."""
    last = text.split()[-1]
    return last.endswith(_OPEN_ENDS) or last.lower() in _NEEDS_ANOTHER


def signs(premise: str, hypothesis: str, same_words: bool) -> list[str]:
    """Which of RULES a pair shows.

    Args:
        same_words: whether premise and hypothesis have the same words.
    """
    both = f"{premise}\n{hypothesis}".lower()
    found = []
    if _LEFTOVER.search(both):
        found.append(LEFTOVER)
    if _LABEL_WORD.search(both):
        found.append(LABEL_WORD)
    if is_cut_off(premise):
        found.append(CUT_PREMISE)
    if is_cut_off(hypothesis):
        found.append(CUT_HYPOTHESIS)
    if same_words:
        found.append(COPY)
    if _BROKEN.search(both):
        found.append(BROKEN)
    return found
