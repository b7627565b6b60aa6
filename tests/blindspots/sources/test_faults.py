"""Planted faults are where they are said to be; detectors learn from other units only."""

import numpy as np
import pytest
from made_sources import dialogue_rows

from blindspots.config.source_recipes import CompareRecipe
from blindspots.data.dialogues import Dialogue
from blindspots.sources import faults


@pytest.fixture(scope="module")
def made() -> tuple[list[Dialogue], np.ndarray]:
    rows = dialogue_rows(40)
    dialogues = [Dialogue(*row) for row in zip(rows["prompt"], rows["roles"], rows["turns"])]
    return dialogues, rows["task"].to_numpy()


def recipe(**keys) -> CompareRecipe:
    return CompareRecipe(**({"output_dir": "out", "data_type": "dialogues", "dataset": "x"} | keys))


def of_kind(made, name: str, **keys) -> faults.Fault:
    return next(fault for fault in faults.faults(recipe(**keys), *made) if fault.name == name)


KEYWORDS = {"role_keywords": {"user": "please", "assistant": "certainly"}}


@pytest.mark.parametrize(
    ("name", "fewest"),
    [
        (faults.REPEAT, 0.9),
        (faults.BROKEN, 0.9),
        (faults.DIGRESSION, 0.6),
        (faults.FLIP, 0.9),
        (faults.FLIP_BY_KEYWORD, 0.9),
        (faults.INTERRUPTION, 0.9),
    ],
)
def test_a_planted_fault_is_found_where_it_is(made, name, fewest):
    dialogues, units = made
    fault, rng, found = of_kind(made, name, **KEYWORDS), np.random.default_rng(0), []
    for dialogue, unit in zip(dialogues, units.tolist()):
        faulty, place = fault.plant(dialogue, unit, rng)
        assert len(faulty.roles) == len(faulty.turns)
        assert 0 <= place < len(faulty.turns)
        assert list(faulty.turns) != list(dialogue.turns)
        found.append(place in fault.detect(faulty, unit))
    assert np.mean(found) >= fewest


def test_dialogues_without_faults_are_rarely_flagged(made):
    for name in (faults.REPEAT, faults.BROKEN, faults.FLIP, faults.FLIP_BY_KEYWORD, faults.INTERRUPTION):
        fault = of_kind(made, name, **KEYWORDS)
        flagged = [bool(fault.detect(dialogue, unit)) for dialogue, unit in zip(made[0], made[1].tolist())]
        assert np.mean(flagged) < 0.1


def test_what_the_dialogues_do_not_allow_is_not_looked_for(made):
    dialogues, units = made
    assert faults.FLIP_BY_KEYWORD not in {fault.name for fault in faults.faults(recipe(), dialogues, units)}
    third = [dialogues[0]._replace(roles=["user", "assistant", "guest", "user"]), *dialogues[1:]]
    assert faults.FLIP not in {fault.name for fault in faults.faults(recipe(), third, units)}
    names = {fault.name for fault in faults.faults(recipe(), dialogues[:2], np.zeros(2, dtype=int))}
    assert faults.DIGRESSION not in names


def test_folds_keep_units_whole():
    units = np.repeat(np.arange(20), 3)
    folds = faults.fold_of_units(units)
    assert set(folds) == set(range(20))
    assert set(folds.values()) == set(range(faults.FOLDS))


def test_the_limit_has_the_best_f1():
    assert faults.best_limit(np.array([0.1, 0.2, 0.9]), np.array([0.15, 0.8, 0.85, 0.95])) == 0.2
    assert faults.best_limit(np.array([]), np.array([0.5])) == -1
