"""Detectors of faulty turns, and dialogues with a planted fault, by which their precision and recall are measured."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import Pipeline, make_pipeline

from blindspots.config.source_recipes import CompareRecipe
from blindspots.data.dialogues import (
    FEWEST_WORDS,
    Dialogue,
    broken_off,
    content_words,
    keyword_flips,
    keyword_interruptions,
    repeated_turns,
)

FOLDS = 5
DIGRESSION = "digression"
FLIP, FLIP_BY_KEYWORD = "role flip", "role flip by keyword (as published)"
REPEAT, BROKEN = "repeated turn", "turn broken off"
INTERRUPTION = "interruption by keyword (as published)"
# A dialogue and its unit give the places of the turns that a detector flags.
Detector = Callable[[Dialogue, int], set[int]]
# A dialogue, its unit and a random generator give the dialogue with a fault, and where it is.
Planter = Callable[[Dialogue, int, np.random.Generator], tuple[Dialogue, int]]


@dataclass(frozen=True)
class Fault:
    """A kind of fault: what finds it and what plants it."""

    name: str
    detect: Detector
    plant: Planter


def faults(recipe: CompareRecipe, dialogues: Sequence[Dialogue], units: NDArray) -> list[Fault]:
    """The kinds of fault that the dialogues allow to look for.

    Those by keyword need the recipe's keywords; the others that learn need two units or more, and flips the same two
    roles throughout.
    """
    found = [
        Fault(REPEAT, lambda dialogue, _: repeated_turns(dialogue), plant_repeat),
        Fault(BROKEN, lambda dialogue, _: broken_off(dialogue), plant_break),
    ]
    several_units = len({unit for one, unit in zip(dialogues, units.tolist()) if one.turns}) > 1
    if several_units:
        plant = partial(plant_digression, dialogues, units)
        found.append(Fault(DIGRESSION, digression_detector(dialogues, units, recipe.seed), plant))
    roles = sorted({role for dialogue in dialogues for role in dialogue.roles})
    if len(roles) == 2 and several_units:
        found.append(Fault(FLIP, flip_detector(dialogues, units, roles[0]), plant_flip))
    if recipe.role_keywords:
        keywords, end = recipe.role_keywords, recipe.end_token
        found.append(Fault(FLIP_BY_KEYWORD, lambda one, _: keyword_flips(one, keywords), plant_flip))
        detect, plant = partial(_interruptions, keywords, end), partial(plant_interruption, keywords)
        found.append(Fault(INTERRUPTION, detect, plant))
    return found


def _interruptions(keywords: Mapping[str, str], end_token: str | None, dialogue: Dialogue, unit: int) -> set[int]:
    return keyword_interruptions(dialogue, keywords, end_token)


# Planting


def plant_repeat(dialogue: Dialogue, unit: int, rng: np.random.Generator) -> tuple[Dialogue, int]:
    """A turn is said again at the end, by the same role."""
    place = int(rng.integers(len(dialogue.turns)))
    return inserted(dialogue, len(dialogue.turns), dialogue.roles[place], dialogue.turns[place])


def plant_break(dialogue: Dialogue, unit: int, rng: np.random.Generator) -> tuple[Dialogue, int]:
    """A turn ends after half of its words."""
    place = int(rng.integers(len(dialogue.turns)))
    words = dialogue.turns[place].split()
    return replaced(dialogue, place, " ".join(words[: max(1, len(words) // 2)]))


def plant_digression(
    dialogues: Sequence[Dialogue], units: NDArray, dialogue: Dialogue, unit: int, rng: np.random.Generator
) -> tuple[Dialogue, int]:
    """A turn of a dialogue of another unit is said, by a role of this one."""
    others = [one for one, other in zip(dialogues, units.tolist()) if other != unit and one.turns]
    said = others[int(rng.integers(len(others)))].turns
    place = int(rng.integers(len(dialogue.turns))) + 1
    return inserted(dialogue, place, dialogue.roles[place - 1], said[int(rng.integers(len(said)))])


def plant_flip(dialogue: Dialogue, unit: int, rng: np.random.Generator) -> tuple[Dialogue, int]:
    """A role says what another one says next or before."""
    last = len(dialogue.turns) - 1
    pairs = [(place, near) for place in range(last + 1) for near in (place - 1, place + 1) if 0 <= near <= last]
    pairs = [(place, near) for place, near in pairs if dialogue.roles[near] != dialogue.roles[place]]
    place, near = pairs[int(rng.integers(len(pairs)))]
    return replaced(dialogue, place, dialogue.turns[near])


def plant_interruption(
    keywords: Mapping[str, str], dialogue: Dialogue, unit: int, rng: np.random.Generator
) -> tuple[Dialogue, int]:
    """A turn loses every keyword."""
    place = int(rng.integers(len(dialogue.turns)))
    turn = dialogue.turns[place]
    for word in keywords.values():
        turn = turn.replace(word, "")
    return replaced(dialogue, place, turn)


def inserted(dialogue: Dialogue, place: int, role: str, turn: str) -> tuple[Dialogue, int]:
    """The dialogue with one more turn."""
    roles, turns = list(dialogue.roles), list(dialogue.turns)
    roles.insert(place, role)
    turns.insert(place, turn)
    return Dialogue(dialogue.prompt, roles, turns), place


def replaced(dialogue: Dialogue, place: int, turn: str) -> tuple[Dialogue, int]:
    """The dialogue with another turn in a place."""
    turns = [*dialogue.turns[:place], turn, *dialogue.turns[place + 1 :]]
    return Dialogue(dialogue.prompt, list(dialogue.roles), turns), place


# Detectors that learn from the dialogues


def flip_detector(dialogues: Sequence[Dialogue], units: NDArray, first: str) -> Detector:
    """Flags turns that a classifier of words takes for the other role's, trained on the dialogues of other units."""
    folds = fold_of_units(units)
    models = {
        fold: _role_model([one for one, unit in zip(dialogues, units.tolist()) if folds[unit] != fold], first)
        for fold in set(folds.values())
    }

    def detect(dialogue: Dialogue, unit: int) -> set[int]:
        guessed = models[folds[unit]].predict(list(dialogue.turns))
        said = [role == first for role in dialogue.roles]
        return {place for place, (role, guess) in enumerate(zip(said, guessed)) if role != guess}

    return detect


def fold_of_units(units: NDArray) -> dict[int, int]:
    """The fold of each unit; no unit is in two."""
    places = np.zeros(len(units))
    folds = GroupKFold(min(FOLDS, len(set(units.tolist())))).split(places, groups=units)
    return {int(unit): fold for fold, (_, test) in enumerate(folds) for unit in units[test]}


def _role_model(dialogues: Sequence[Dialogue], first: str) -> Pipeline:
    turns = [turn for dialogue in dialogues for turn in dialogue.turns]
    roles = [role == first for dialogue in dialogues for role in dialogue.roles]
    return make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True), LogisticRegression(C=10, max_iter=1000)
    ).fit(turns, roles)


def digression_detector(dialogues: Sequence[Dialogue], units: NDArray, seed: int) -> Detector:
    """Flags turns that are unlike the prompt and the other turns; the limit is set on planted digressions.

    Alike is the cosine of tf-idf weights of content words, known from all dialogues. The limit has the best F1 on
    digressions planted in half of the units, see `calibration`.
    """
    whole = [" ".join([dialogue.prompt, *dialogue.turns]) for dialogue in dialogues]
    weights = TfidfVectorizer(analyzer=content_words, sublinear_tf=True).fit(whole)
    rng, planted, others = np.random.default_rng(seed), [], []
    for dialogue, unit in zip(dialogues, units.tolist()):
        if unit in calibration(units) and dialogue.turns:
            faulty, place = plant_digression(dialogues, units, dialogue, unit, rng)
            alike = likeness(faulty, weights)
            planted.append(alike[place])
            others += [*alike[:place], *alike[place + 1 :]]
    limit = best_limit(np.array(planted), np.array(others))
    return lambda dialogue, _: set(np.flatnonzero(likeness(dialogue, weights) <= limit).tolist())


def likeness(dialogue: Dialogue, weights: TfidfVectorizer) -> NDArray:
    """Cosine of each turn with the prompt and the other turns together: shape [turns]; 1 for one of few words."""
    turns = weights.transform(list(dialogue.turns)).toarray()
    rest = turns.sum(axis=0) + weights.transform([dialogue.prompt]).toarray()[0] - turns
    lengths = np.linalg.norm(turns, axis=1) * np.linalg.norm(rest, axis=1)
    cosines = (turns * rest).sum(axis=1) / np.where(lengths > 0, lengths, 1)
    short = np.array([len(content_words(turn)) < FEWEST_WORDS for turn in dialogue.turns])
    return np.where(short, 1.0, cosines)


def calibration(units: NDArray) -> set[int]:
    """The units on which detectors are set: every second one."""
    return set(np.unique(units)[::2].tolist())


def best_limit(planted: NDArray, others: NDArray) -> float:
    """The likeness up to which flagged turns have the best F1: planted ones found, others not; none without any."""
    limits = np.unique(planted)
    if not limits.size:
        return -1.0
    hits = np.array([(planted <= limit).sum() for limit in limits])
    flagged = hits + np.array([(others <= limit).sum() for limit in limits])
    return float(limits[np.argmax(2 * hits / (flagged + planted.size))])
