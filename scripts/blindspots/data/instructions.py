"""Signs that an instruction or its answer went wrong in the making. A sign is not proof: read the samples."""

import re
from typing import NamedTuple

from blindspots.data.heuristics import words
from blindspots.data.text_style import ends_without_mark

EMPTY, MISSING_INPUT, REPEATS = "empty answer", "input that is asked for is missing", "answer repeats the instruction"
REFUSAL, RESIDUE, CUT, NO_MARK = "refusal", "template text left in", "answer cut off", "no mark at the end"
RULES = {
    EMPTY: "no answer",
    MISSING_INPUT: "the instruction speaks of the following, given or this text, list or the like, holds none, and "
    "the input is empty",
    REPEATS: "the answer is the instruction, or starts with it",
    REFUSAL: "the answer says that it can't be given, or comes from an AI",
    RESIDUE: "<noinput>, ###, [INST], or Instruction: or Response: at the start of a line",
    CUT: "the answer ends in a comma, an opening bracket or a word that needs another",
    NO_MARK: "an answer of 30 words or more in several sentences ends without a mark",
}
# Signs that people's sound rows show too often to be counted as faults.
WEAK = (NO_MARK,)
# Signs that say nothing where a copy of the data cuts its texts.
OF_THE_END = (CUT, NO_MARK)
_THING = (
    r"(?:text|sentences?|paragraphs?|passages?|article|list|numbers|words|data ?set|data|table|code|poem|story|"
    r"e-?mail|input|dialog(?:ue)?|conversation|document|equation|expression|statements?|phrases?|essay|review|image|options|"
    r"items|information|string|quote|tweet|reference)"
)
_ASKS = re.compile(
    rf"\b(?:the following|(?:in|from|given|using|of|with) (?:this|these|the given|the provided)|given (?:an? |the )?"
    rf"reference) (?:\w+ ){{0,2}}{_THING}\b|\b{_THING} (?:given )?(?:below|above)\b",
    re.IGNORECASE,
)
# What an instruction holds that brings its own input: a colon, a quotation, a list, a second sentence.
_OWN = re.compile(r":\s*\S|[\"“”`]|\n|,.*,|\([^()\n]*\)|\d|[.?!]\s+(?:\S+\s+){2}")
_REFUSES = re.compile(
    r"\bas an? (?:ai|(?:large )?language model)\b|^\W*(?:n/?a|no ?(?:in|out)put)\b"
    r"|^\W*(?:i'?m |i am )?(?:sorry|unfortunately)\b[^.]*\b(?:can(?:not|'t)|can not|unable|not able|not possible)\b"
    r"|^\W*i (?:cannot|can't|can not|am unable to|am not able to|do not have (?:access|enough))\b",
    re.IGNORECASE,
)
_LEFT_IN = re.compile(
    r"<no ?(?:in|out)put>|###|\[/?inst\]|<\|\w+\|>|^[^\S\n]*(?:instruction|response) ?\d*:",
    re.IGNORECASE | re.MULTILINE,
)
_NEEDS_ANOTHER = frozenset(
    "a an the of and or but with from than because although if whether their our my your".split()
)
_LONG = 30


class Task(NamedTuple):
    """An instruction with its answer. input: None where the data have no such column."""

    instruction: str
    input: str | None
    output: str


def signs(task: Task) -> list[str]:
    """Which of RULES a task shows; MISSING_INPUT only where the data have an input."""
    if not task.output.strip():
        return [EMPTY, *([MISSING_INPUT] if _lacks_input(task) else [])]
    found = {
        MISSING_INPUT: _lacks_input(task),
        REPEATS: _repeats(task),
        REFUSAL: _REFUSES.search(task.output) is not None,
        RESIDUE: any(_LEFT_IN.search(text) for text in (task.instruction, task.output)),
        CUT: _is_cut_off(task.output),
        NO_MARK: _has_no_mark(task.output),
    }
    return [sign for sign, shown in found.items() if shown]


def _lacks_input(task: Task) -> bool:
    if task.input is None or task.input.strip():
        return False
    return _ASKS.search(task.instruction) is not None and _OWN.search(task.instruction) is None


def _repeats(task: Task) -> bool:
    asked, answered = (words(text, strip_punctuation=True) for text in (task.instruction, task.output))
    return len(asked) > 2 and answered[: len(asked)] == asked


def _is_cut_off(text: str) -> bool:
    *before, last = text.split()
    # A list of words may end in any of them.
    in_a_list = not before or before[-1].endswith(",")
    return last.endswith((",", "(", "[", "{", "&")) or (last in _NEEDS_ANOTHER and not in_a_list)


def _has_no_mark(text: str) -> bool:
    return len(text.split()) >= _LONG and ". " in text and ends_without_mark(text) and "\n" not in text
