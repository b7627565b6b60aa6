"""What became of models that were trained on models' data: accuracies, differences and the claims that they decide."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from blindspots.config.source_recipes import FREE_TEXT, INSTRUCTIONS, PREFERENCES, TASK_LABELS
from blindspots.evaluation.statistics import Interval, crossed_interval
from blindspots.sources.claims import Claim
from blindspots.sources.train_sets import HUMAN, SAME_UNITS, machine
from blindspots.sources.trained import TrainedSet

UNINTERPRETABLE = "uninterpretable"
WHAT = {TASK_LABELS: "labels", PREFERENCES: "choices", FREE_TEXT: "texts", INSTRUCTIONS: "instructions"}


@dataclass(frozen=True)
class TrainedClaim(Claim):
    """A claim about two models; learned: whether one of them is significantly better than one that learned nothing."""

    learned: bool = True

    @property
    def verdict(self) -> str:
        """As of any claim, but uninterpretable where neither model learned: who learned nothing can lose nothing."""
        return super().verdict if self.learned else UNINTERPRETABLE


def results(sets: list[TrainedSet]) -> dict[str, Any]:
    """Everything that a report shows, as trained.json holds it."""
    return {
        "sets": [record(one) for one in sets],
        "claims": [{"set": one.name, **claim.record()} for one in sets for claim in claims(one, sets)],
    }


def record(trained: TrainedSet) -> dict[str, Any]:
    """What was trained on, how and where, and how the models of each kind do on people's rows."""
    models = list(trained.models.values())
    counts = trained.lineage["row_counts"]
    start = next(parent for parent in models[0]["parents"] if parent["role"] in ("start", "base"))
    return {
        "name": trained.name,
        "title": trained.settings["title"] or trained.name,
        "data_type": trained.settings["data_type"],
        "split_by": trained.recipe["split_by"],
        "trained_by": "tokens" if trained.recipe["train_tokens"] else "rows",
        "train_size": trained.recipe["train_tokens"] or trained.recipe["train_rows"],
        "train_units": {kind: counts["units"][f"{kind}-s{trained.seeds[0]}"] for kind in trained.kinds},
        "trained_on": {kind: _rows_used(trained, kind) for kind in trained.kinds},
        "test_rows": len(trained.test),
        "test_units": int(trained.test["unit"].nunique()),
        "seeds": trained.seeds,
        "missing": trained.missing,
        "model": start["artifact"] or start["name"],
        "trained_for": _length(models[0]["recipe"]),
        "minutes": round(sum(model["wall_time_s"] for model in models) / 60, 1),
        "finished": max(model["finished"] for model in models)[:10],
        "hardware": models[0]["hardware"],
        "code_commit": models[0]["code_commit"],
        "limits": trained.recipe["limits"],
        "commonest": _commonest(trained),
        "score": {kind: _interval(trained, trained.score[kind])._asdict() for kind in trained.kinds},
        "loss": {kind: _interval(trained, trained.loss[kind], math.inf)._asdict() for kind in trained.kinds},
    }


def _length(recipe: dict[str, Any]) -> str:
    """How long a model was trained; Trainer's default is 3 epochs."""
    steps = recipe.get("max_steps")
    return f"{steps} steps" if steps else f"{recipe.get('num_train_epochs', 3):g} epochs"


def _commonest(trained: TrainedSet) -> float | None:
    """Share of the commonest answer of people; None of instructions."""
    if trained.settings["data_type"] == INSTRUCTIONS:
        return None
    return float(trained.test["gold"].value_counts(normalize=True).iloc[0])


def _of_nothing(trained: TrainedSet) -> tuple[str, np.ndarray]:
    """What a model that learned nothing reaches, in words and by row, shape [rows].

    Always the commonest label; half of the pairs, since a reward model scores a text without knowing its place.
    """
    gold = trained.test["gold"]
    if trained.settings["data_type"] == PREFERENCES:
        return "guessing reaches", np.full(len(gold), 0.5)
    return "always the commonest answer reaches", (gold == gold.value_counts().index[0]).to_numpy(dtype=float)


def _learned(trained: TrainedSet, kind: str) -> bool:
    """Whether a kind of model is right significantly more often than one that learned nothing, row by row."""
    nothing = np.tile(_of_nothing(trained)[1], (len(trained.seeds), 1))
    return difference(trained, trained.score[kind], nothing).low > 0


def _rows_used(trained: TrainedSet, kind: str) -> list[int]:
    """Rows that the model of each seed was trained on: those that were not too long."""
    return [trained.models[kind, seed]["row_counts"]["trained on"] for seed in trained.seeds]


def _interval(trained: TrainedSet, values: np.ndarray, bound: float = 1.0) -> Interval:
    """Mean over seeds and rows, with both drawn at random; values lie between 0 and `bound`."""
    found = difference(trained, values, np.zeros_like(values), bound)
    return Interval(found.estimate, max(found.low, 0.0), found.high)


def difference(trained: TrainedSet, first: np.ndarray, second: np.ndarray, bound: float = 1.0) -> Interval:
    """Mean of the first minus the second, both of shape [seeds, rows], paired; over seeds and units.

    bound: no difference can exceed it; that of a loss has none.
    """
    return Interval(*crossed_interval(first, second, trained.test["unit"], bound=bound)[:3])


def claims(trained: TrainedSet, sets: list[TrainedSet]) -> Iterator[Claim]:
    """That a model trained on a model's data does worse on people's: one for each model, of sets split by unit."""
    if trained.recipe["split_by"] != "unit":
        return
    for kind in trained.kinds:
        if not kind.startswith("machine_"):
            continue
        if trained.settings["data_type"] == INSTRUCTIONS:
            yield _of_instructions(trained, kind)
            continue
        reference = _reference(trained, kind)
        repeated, repeated_as = _as_published(trained, kind, sets)
        name = kind.removeprefix("machine_")
        learned = any(_learned(trained, one) for one in (kind, reference))
        yield TrainedClaim(
            statement=f"A model trained on {name}'s {WHAT[trained.settings['data_type']]} does worse on people's data "
            "than one trained on people's",
            published=trained.recipe["published"],
            published_as="",
            repeated=repeated,
            repeated_as=repeated_as,
            corrected=difference(trained, trained.score[kind], trained.score[reference]),
            corrected_as="accuracy on people's rows of unseen units, the model's minus people's, rows and units equal",
            sign=-1,
            moved_by=_moved(trained, kind, reference)
            + ("" if learned else "; neither model significantly beats it, so that a difference says nothing"),
            learned=learned,
        )


def _of_instructions(trained: TrainedSet, kind: str) -> Claim:
    """By the likelihood of people's answers; ROUGE-L of one answer, the paper's measure, stands beside it."""
    model, people = (float(trained.loss[name].mean()) for name in (kind, HUMAN))
    return Claim(
        statement=f"A model trained on {kind.removeprefix('machine_')}'s instructions does worse on people's answers "
        "than one trained on people's",
        published=trained.recipe["published"],
        published_as="",
        repeated=difference(trained, trained.score[kind], trained.score[HUMAN]),
        repeated_as="ROUGE-L of the model's answers, the model's minus people's, tokens equal",
        corrected=difference(trained, trained.loss[kind], trained.loss[HUMAN], math.inf),
        corrected_as="nats per token of people's answers, the model's minus people's, tokens equal",
        sign=1,
        moved_by=f"likelihood in place of ROUGE-L; trained on people's {people:.3f}, on the model's {model:.3f} nats",
        unit="number",
    )


def _reference(trained: TrainedSet, kind: str) -> str:
    """The kind of people's rows that has the units of a model's."""
    own = f"{SAME_UNITS}{kind.removeprefix('machine')}"
    return next((name for name in (own, SAME_UNITS) if name in trained.kinds), HUMAN)


def _as_published(trained: TrainedSet, kind: str, sets: list[TrainedSet]) -> tuple[Interval | None, str]:
    """The difference under the published coding, split or units; None where these are as corrected."""
    of_model, of_people = trained.score[kind], trained.score[HUMAN]
    inverted = {
        HUMAN if name == trained.settings["human"] else machine(name) for name in trained.settings.get("inverted", [])
    }
    if (HUMAN in inverted) != (kind in inverted):
        # Read as published, people's labels turn round in training and test, and the model's do not.
        return difference(trained, 1 - of_model, of_people), "difference in accuracy, codes as published"
    by_row = [
        one for one in sets if one.recipe["split_by"] == "row" and _same_source(one, trained) and kind in one.score
    ]
    if by_row:
        (one,) = by_row
        return difference(one, one.score[kind], one.score[HUMAN]), "difference in accuracy, split by row as published"
    if _reference(trained, kind) != HUMAN:
        return difference(
            trained, of_model, of_people
        ), "difference in accuracy, people's rows from units of their own"
    return None, ""


def _same_source(one: TrainedSet, other: TrainedSet) -> bool:
    return one.recipe["source_set"] == other.recipe["source_set"]


def _moved(trained: TrainedSet, kind: str, reference: str) -> str:
    parts = []
    if trained.settings.get("inverted"):
        parts.append(f"codes of {' and '.join(trained.settings['inverted'])} inverted")
    of_model, of_people = (float(trained.score[name].mean()) for name in (kind, reference))
    parts.append(f"trained on people's {of_people:.3f}, on the model's {of_model:.3f}")
    if reference != HUMAN:
        parts.append(f"on people's from units of their own {float(trained.score[HUMAN].mean()):.3f}")
    words, nothing = _of_nothing(trained)
    parts.append(f"{words} {nothing.mean():.3f}")
    return "; ".join(parts)
