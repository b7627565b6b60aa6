"""ROUGE-L: the longest common subsequence of words of a text and a reference."""

import re

# As the library rouge_score splits texts: lower-cased runs of ASCII letters and digits, here without stemming.
_WORD = re.compile(r"[a-z0-9]+")


def rouge_l(text: str, reference: str) -> float:
    """F1 of the longest common subsequence of words (Lin 2004), 0 where either text has none."""
    words, wanted = (_WORD.findall(one.lower()) for one in (text, reference))
    common = common_subsequence(words, wanted)
    return 2 * common / (len(words) + len(wanted)) if common else 0.0


def common_subsequence(first: list[str], second: list[str]) -> int:
    """Words of the longest sequence that stands in both, in order, with gaps allowed."""
    longest = [0] * (len(second) + 1)
    for word in first:
        before = 0  # the entry up and to the left
        for place, other in enumerate(second, 1):
            above = longest[place]
            longest[place] = before + 1 if word == other else max(above, longest[place - 1])
            before = above
    return longest[-1]
