"""Labels by name, and the paper's two text templates with the inverse of the generator's.

This file imports nothing of the project: `evaluate_modules/*` link to it, so that a pushed module stands alone.
"""

import re

ENTAILMENT, NEUTRAL, CONTRADICTION = LABELS = ("entailment", "neutral", "contradiction")
NON_ENTAILMENT = "non-entailment"
HANS_LABELS = (ENTAILMENT, NON_ENTAILMENT)

# Zhang & Pavlick (2025): input of the task model T, one line, single spaces.
TASK_TEMPLATE = (
    "Please indicate the relationship between the premise and the hypothesis with entailment, neutral or "
    "contradiction. Premise: {premise} Hypothesis: {hypothesis} The relationship between premise and hypothesis is"
)
# The same paper: text that the generator G is trained on; it is prompted with the part up to the label.
GENERATOR_PROMPT = "This is an example where the relationship between the premise and the hypothesis is {label}."
GENERATOR_COMPLETION = " Premise: {premise} Hypothesis: {hypothesis} -- This is the end of the example."
END_MARKER = "-- This is the end of the example."

_PREMISE, _HYPOTHESIS = "Premise:", "Hypothesis:"
_PLACE = re.compile(r"\{(premise|hypothesis)\}")


def fold_for_hans(label: str) -> str:
    """Map a 3-way label name to HANS's two: neutral and contradiction both count as non-entailment.

    Source: McCoy et al. (2019), section 4. Raises ValueError for a name that is not an NLI label.
    """
    if label == ENTAILMENT:
        return ENTAILMENT
    if label in (NEUTRAL, CONTRADICTION, NON_ENTAILMENT):
        return NON_ENTAILMENT
    raise ValueError(f"{label!r} is not an NLI label; expected one of {', '.join((*LABELS, NON_ENTAILMENT))}.")


def one_line(text: str) -> str:
    """Collapse every run of white space to one space, as both templates ask."""
    return " ".join(text.split())


def is_template(text: str) -> bool:
    """Whether a text has a place for the premise, {premise}, and one for the hypothesis, {hypothesis}."""
    return {"premise", "hypothesis"} == set(_PLACE.findall(text))


def task_input(premise: str, hypothesis: str, template: str = TASK_TEMPLATE) -> str:
    """The text that a task model classifies."""
    texts = {"premise": one_line(premise), "hypothesis": one_line(hypothesis)}
    return _PLACE.sub(lambda place: texts[place[1]], template)


def generator_prompt(label: str) -> str:
    """The text that a generator continues, for one label name."""
    return GENERATOR_PROMPT.format(label=label)


def generator_completion(premise: str, hypothesis: str) -> str:
    """What a generator is to write after the prompt, the end marker included."""
    return GENERATOR_COMPLETION.format(premise=one_line(premise), hypothesis=one_line(hypothesis))


def parse_generated(completion: str) -> tuple[str, str] | None:
    """Premise and hypothesis of a generated completion, or None where either is missing or empty.

    The inverse of `generator_completion` for texts that do not hold the template's own words.
    Source: the paper's only filter, extraction succeeds and the end marker is there.
    """
    if not completion.lstrip().startswith(_PREMISE):
        return None
    text = completion.lstrip()[len(_PREMISE) :].lstrip()
    middle = _find_word(text, _HYPOTHESIS, 1)
    end = text.find(END_MARKER, middle + len(_HYPOTHESIS)) if middle >= 0 else -1
    if end < 0:
        return None
    premise, hypothesis = one_line(text[:middle]), one_line(text[middle + len(_HYPOTHESIS) : end])
    return (premise, hypothesis) if premise and hypothesis else None


def _find_word(text: str, word: str, start: int) -> int:
    """Where a word first stands after white space, -1 where it does not; linear in the text, unlike a pattern."""
    place = text.find(word, start)
    while place >= 0 and not text[place - 1].isspace():
        place = text.find(word, place + 1)
    return place
