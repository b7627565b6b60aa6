"""Faults of a dialogue, turn by turn: flipped roles, interruptions, repeated turns, digressions."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

from blindspots.data.heuristics import words
from blindspots.data.text_style import ends_without_mark

SHORTEST_WORD, FEWEST_WORDS = 4, 5
ALIKE = 0.9


class Dialogue(NamedTuple):
    """A dialogue: what it is about (empty where that is not given), and roles and turns, equally many."""

    prompt: str
    roles: Sequence[str]
    turns: Sequence[str]


def keyword_flips(dialogue: Dialogue, keywords: Mapping[str, str]) -> set[int]:
    """Turns that hold the keyword of another role: the published rule for flipped roles."""
    return {
        place
        for place, (role, turn) in enumerate(zip(dialogue.roles, dialogue.turns))
        if any(other in turn for name, other in keywords.items() if name != role)
    }


def keyword_interruptions(dialogue: Dialogue, keywords: Mapping[str, str], end_token: str | None) -> set[int]:
    """Turns with no keyword of any role and no end token: the published rule for interruptions."""
    known = [*keywords.values(), *([end_token] if end_token else [])]
    return {place for place, turn in enumerate(dialogue.turns) if not any(word in turn for word in known)}


def broken_off(dialogue: Dialogue) -> set[int]:
    """Turns that end without a mark."""
    return {place for place, turn in enumerate(dialogue.turns) if turn.strip() and ends_without_mark(turn)}


def repeated_turns(dialogue: Dialogue) -> set[int]:
    """Turns whose content words are nearly those of an earlier turn (Jaccard)."""
    found, earlier = set(), []
    for place, turn in enumerate(dialogue.turns):
        content = set(content_words(turn))
        if len(content) >= FEWEST_WORDS:
            if any(len(content & other) >= ALIKE * len(content | other) for other in earlier):
                found.add(place)
            earlier.append(content)
    return found


def content_words(text: str) -> list[str]:
    """The words of a text that say what it is about: of four letters or more, and no stop words."""
    found = words(text, strip_punctuation=True)
    return [word for word in found if len(word) >= SHORTEST_WORD and word not in ENGLISH_STOP_WORDS]
