"""How far people's and a model's choices between two texts follow cues such as length, and how far they are apart."""

import datasets
import evaluate
import numpy as np

from .cues import CHOICES, Estimate, choices, cue_effects, pearson_of_codes
from .module_inputs import CheckedInputs, plain_values

_DESCRIPTION = """\
Measures how far choices between two texts follow cues: the effect of each cue on people's and on a model's choices of
the same pairs, beside the other cues, by fractional logistic regression with errors clustered by unit, the difference
of the two, and how far the first text is chosen when the cues are equal. Ties are half a choice. It also gives
Pearson's r of the codes of choice and cue as Das et al. (2024) report it, for comparison.
"""

_KWARGS_DESCRIPTION = """
Args:
    human, model (`list` of `str`): what people and the model chose of each pair: first, second or tie.
    units (`list`, optional): what a pair belongs to, such as its question. Without it every pair is a unit.
    position (`bool`, optional): whether the order of the texts is the one that was shown, True; then its effect is the
        first cue.
    level (`float`, optional): of the intervals, 0.95.
    Every further keyword (`list` of `float`) is a cue: a number of the first text minus that of the second.

All but the first two are given to `compute` itself, not to `add_batch`.

Returns:
    effects (`list` of `dict`): cue; human, model and difference (model minus human), each with estimate, low, high and
        p: log-odds of choosing the first text per standard deviation of the cue. All None for a cue that varies in
        fewer than five units, and for every cue where choices follow them without exception.
    pearson (`list` of `dict`): source, cue, r, low, high of the codes, as published.
    ties (`dict`): source -> share of ties.
    n, n_units (`int`).

Raises ValueError for columns of different length, an unknown choice, a cue that is not a finite number, no cue, and
fewer than two units.

Examples:
    >>> import evaluate
    >>> cues = evaluate.load("evaluate_modules/preference_cues")
    >>> results = cues.compute(
    ...     human=["first", "second", "first", "second", "tie", "first"],
    ...     model=["first", "first", "first", "second", "second", "tie"],
    ...     length=[12, -3, 4, -8, 1, -2],
    ... )
    >>> [effect["cue"] for effect in results["effects"]], results["ties"]["human"]
    (['position', 'length'], 0.16666666666666666)
    >>> results["effects"][1]["human"]["estimate"] > results["effects"][1]["model"]["estimate"]
    True
"""

_CITATION = """\
@article{das-etal-2024-surface,
  title = {Under the Surface: Tracking the Artifactuality of {LLM}-Generated Data},
  author = {Das, Debarati and De Langis, Karin and Martin-Boyle, Anna and Kim, Jaehyung and Lee, Minhwa and
    Kim, Zae Myung and others},
  journal = {arXiv preprint arXiv:2401.14698},
  year = {2024},
  doi = {10.48550/arXiv.2401.14698}
}
@article{papke-wooldridge-1996-econometric,
  title = {Econometric methods for fractional response variables with an application to 401(k) plan participation
    rates},
  author = {Papke, Leslie E. and Wooldridge, Jeffrey M.},
  journal = {Journal of Applied Econometrics},
  volume = {11},
  number = {6},
  pages = {619--632},
  year = {1996}
}
"""


class PreferenceCues(CheckedInputs, evaluate.Measurement):
    """See the module's inputs description for arguments, result and errors."""

    def _info(self) -> evaluate.MeasurementInfo:
        return evaluate.MeasurementInfo(
            description=_DESCRIPTION,
            citation=_CITATION,
            inputs_description=_KWARGS_DESCRIPTION,
            features=datasets.Features({name: datasets.Value("string") for name in ("human", "model")}),
            reference_urls=["https://arxiv.org/abs/2401.14698"],
        )

    def _compute(self, human, model, units=None, position=True, level=0.95, **cues) -> dict:
        chosen = {"human": numbers_of("human", human), "model": numbers_of("model", model)}
        n = len(human)
        units = plain_values(range(n) if units is None else units)
        if len(units) != n:
            raise ValueError(f"There are {len(units)} units for {n} pairs.")
        if not cues:
            raise ValueError("No cue is given: add a list of numbers by name, such as length=[...].")
        apart = {name: checked_cue(name, values, n) for name, values in cues.items()}
        effects = cue_effects(*chosen.values(), apart, units, position, level)
        return {
            "effects": [
                {"cue": effect.cue}
                | {name: known(one) for name, one in zip(("human", "model", "difference"), effect[1:])}
                for effect in effects
            ],
            "pearson": [
                {"source": source, "cue": name, **pearson(values, cue, level)}
                for source, values in chosen.items()
                for name, cue in apart.items()
            ],
            "ties": {source: float((values == 0.5).mean()) for source, values in chosen.items()},
            "n": n,
            "n_units": len(set(units)),
        }


def numbers_of(name: str, column: list[str]) -> np.ndarray:
    """Choices as numbers. Raises ValueError for an unknown one."""
    for row, choice in enumerate(column):
        if choice not in CHOICES:
            raise ValueError(f"Row {row}: {name} {choice!r} is not one of {', '.join(CHOICES)}.")
    return choices(np.array([[choice == one for one in CHOICES] for choice in column], dtype=int))


def checked_cue(name: str, values: list, n: int) -> np.ndarray:
    """A cue as numbers. Raises ValueError for another length and for what is no finite number."""
    values = plain_values(values)
    if len(values) != n:
        raise ValueError(f"There are {len(values)} values of {name} for {n} pairs.")
    for row, value in enumerate(values):
        if isinstance(value, bool) or not isinstance(value, int | float) or not np.isfinite(value):
            raise ValueError(f"Row {row}: {name} {value!r} is not a finite number.")
    return np.array(values, dtype=float)


def known(estimate: Estimate) -> dict:
    """An estimate by the names of its fields, None for what is not known."""
    return {name: value if np.isfinite(value) else None for name, value in estimate._asdict().items()}


def pearson(chosen: np.ndarray, cue: np.ndarray, level: float) -> dict:
    """r of the codes and its interval; None where a code does not vary."""
    found = known(pearson_of_codes(chosen, cue, level))
    return {"r": found["estimate"], "low": found["low"], "high": found["high"]}
