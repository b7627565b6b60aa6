"""How people and models that label the same items agree: alpha, agreement, matches beside baselines, divergence."""

import datasets
import evaluate
import numpy as np
import pandas as pd

from .agreement import best_recoding, difference, measures
from .label_counts import distributions
from .module_inputs import CheckedInputs, plain_values
from .statistics import Interval
from .unit_statistics import unit_interval

_DESCRIPTION = """\
Compares the labels that people and models gave the same items: Krippendorff's alpha of each source, agreement of a
model with a person beside that of one person with another, the majority and minority match of Das et al. (2024) beside
the baselines that they need (always the commonest label, shuffled labels, the most that is possible), Jensen-Shannon
divergence, total variation and entropy, each with an interval from a bootstrap of whole units. It also says whether a
source would agree better with another reading of its codes, as an inverted column does.
"""

_KWARGS_DESCRIPTION = """
Args:
    item (`list` of `str`): what is labelled, such as the id of a text.
    source (`list` of `str`): who labelled it: people, or a model's name.
    label (`list` of `str`): the label, one per row; an item may have several from one source.
    human (`str`, optional): the source that is people, "human".
    units (`list`, optional): what each row's item belongs to, such as its question or text; whole units are resampled.
        Without it every item is a unit.
    labels (`list` of `str`, optional): all labels in order; by default those that occur, sorted.
    ordered (`bool`, optional): whether the labels are in order; then alpha and agreement beyond chance are given with
        Krippendorff's ordinal distance too. Needs `labels`.
    level (`float`, optional): of the intervals, 0.95.
    resamples (`int`, optional): of the bootstrap, 2000.
    rng_seed (`int`, optional): of the bootstrap, 0.

All but the first three are given to `compute` itself, not to `add_batch`.

Returns:
    measures (`list` of `dict`): source, measure, baseline (None: the value alone), n (items), estimate, low, high; and
        beside a baseline baseline_estimate, difference, difference_low, difference_high. What has no value is None, as
        the alpha of labels that are all the same; a measure that no item allows, as alpha with one label per item, is
        left out.
    recodings (`list` of `dict`): for each model agreement beyond chance with its labels as they are (own), the
        reading of them (read_as, label -> label) under which it agrees best, and what that gains, with an interval for
        as many comparisons as readings were tried; None where they are best as they are.
    flips (`list` of `dict`): source, label (of people), and the share of each label of the model on such items.
    labels (`list` of `str`), n_items, n_units (`int`).

Raises ValueError for columns of different length, a missing value, an unknown label, a label in `labels` twice, an
item in two units, fewer than two units and a missing source.

Examples:
    >>> import evaluate
    >>> agreement = evaluate.load("evaluate_modules/label_agreement")
    >>> results = agreement.compute(
    ...     item=["a", "a", "a", "b", "b", "b", "c", "c", "c"],
    ...     source=["human", "human", "model"] * 3,
    ...     label=["no", "no", "no", "yes", "no", "no", "yes", "yes", "yes"],
    ... )
    >>> [round(row["estimate"], 3) for row in results["measures"] if row["measure"] == "Krippendorff's alpha"]
    [0.444]
    >>> [row["baseline_estimate"] for row in results["measures"] if row["measure"] == "majority match"]
    [0.3333333333333333, 0.3333333333333333, 0.6666666666666666]
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
@techreport{krippendorff-2011-computing,
  title = {Computing {K}rippendorff's Alpha-Reliability},
  author = {Krippendorff, Klaus},
  institution = {University of Pennsylvania},
  year = {2011}
}
"""


class LabelAgreement(CheckedInputs, evaluate.Measurement):
    """See the module's inputs description for arguments, result and errors."""

    def _info(self) -> evaluate.MeasurementInfo:
        return evaluate.MeasurementInfo(
            description=_DESCRIPTION,
            citation=_CITATION,
            inputs_description=_KWARGS_DESCRIPTION,
            features=datasets.Features({name: datasets.Value("string") for name in ("item", "source", "label")}),
            reference_urls=["https://arxiv.org/abs/2401.14698"],
        )

    def _compute(
        self,
        item,
        source,
        label,
        human="human",
        units=None,
        labels=None,
        ordered=False,
        level=0.95,
        resamples=2_000,
        rng_seed=0,
    ) -> dict:
        rows = checked_rows(item, source, label, units)
        if ordered and labels is None:
            raise ValueError("Labels that are in order must be given with `labels`.")
        labels = sorted(set(rows["label"])) if labels is None else plain_values(labels)
        if repeated := [name for name in labels if labels.count(name) > 1]:
            raise ValueError(f"labels names {repeated[0]!r} twice; keep one.")
        counts, unit_of = counted(rows, labels, human)
        settings = {"units": unit_of, "resamples": resamples, "level": level, "rng": rng_seed}
        models = [name for name in counts if name != human]
        return {
            "measures": [record(row, settings) for row in measures(counts, human, ordered) if row.value.n],
            "recodings": [recoding(name, counts[human], counts[name], labels, settings) for name in models],
            "flips": [row for name in models for row in flips(name, counts[human], counts[name], labels)],
            "labels": labels,
            "n_items": len(unit_of),
            "n_units": len(set(unit_of)),
        }


def checked_rows(item, source, label, units) -> pd.DataFrame:
    """One row per label: item, source, label, unit. Raises ValueError for a bad row."""
    columns = {"item": item, "source": source, "label": label, "units": item if units is None else units}
    columns = {name: plain_values(column) for name, column in columns.items()}
    for name, column in columns.items():
        if len(column) != len(label):
            raise ValueError(f"There are {len(column)} {name} for {len(label)} labels.")
    rows = pd.DataFrame(columns)
    if rows.isna().any(axis=None):
        name = rows.columns[rows.isna().any()][0]
        raise ValueError(f"Row {rows[name].isna().idxmax()} has no value in {name}.")
    several = rows.groupby("item")["units"].nunique()
    if (several > 1).any():
        raise ValueError(f"Item {several.idxmax()!r} is in two units; an item belongs to one.")
    return rows


def counted(rows: pd.DataFrame, labels: list[str], human: str) -> tuple[dict[str, np.ndarray], list]:
    """Counts of each source, people first, shape [items, labels], and the unit of each item."""
    bad = rows.loc[~rows["label"].isin(labels), "label"]
    if len(bad):
        raise ValueError(f"Row {bad.index[0]}: label {bad.iloc[0]!r} is not one of {', '.join(map(str, labels))}.")
    sources = list(dict.fromkeys(rows["source"]))
    if human not in sources or len(sources) < 2:
        raise ValueError(
            f"The sources are {', '.join(sources)}; {human} and a model are needed. Name people's with human."
        )
    items = rows.drop_duplicates("item").set_index("item")["units"]
    counts = {}
    for name in [human, *(source for source in sources if source != human)]:
        part = rows[rows["source"] == name]
        table = pd.crosstab(part["item"], part["label"]).reindex(index=items.index, columns=labels, fill_value=0)
        counts[name] = table.to_numpy()
    return counts, items.tolist()


def record(row, settings: dict) -> dict:
    """One measure with its interval and, beside a baseline, that of the difference."""
    found = {"source": row.source, "measure": row.measure, "baseline": row.baseline, "n": row.value.n}
    found |= unit_interval(row.value, **settings)._asdict()
    if row.reference is not None:
        apart = unit_interval(difference(row.value, row.reference), **settings)
        found["baseline_estimate"] = unit_interval(row.reference, **settings).estimate
        found |= dict(zip(("difference", "difference_low", "difference_high"), apart))
    return {name: without_nan(value) for name, value in found.items()}


def without_nan(value):
    """None for a number that is not there."""
    return None if isinstance(value, float) and not np.isfinite(value) else value


def recoding(source: str, people: np.ndarray, model: np.ndarray, labels: list[str], settings: dict) -> dict:
    """Whether a model would agree better with people under another reading of its labels."""
    found = best_recoding(people, model)
    row = {"source": source, "own": without_nan(unit_interval(found.own, **settings).estimate)}
    if found.gain is None:
        return row | {"read_as": None, "gain": None, "low": None, "high": None}
    level = 1 - (1 - settings["level"]) / found.tried
    interval: Interval = unit_interval(found.gain, **settings | {"level": level})
    gain, low, high = map(without_nan, interval)
    read_as = {labels[i]: labels[j] for i, j in enumerate(found.order)}
    return row | {"read_as": read_as, "gain": gain, "low": low, "high": high}


def flips(source: str, people: np.ndarray, model: np.ndarray, labels: list[str]) -> list[dict]:
    """The model's labels on items by the label of a person: one row per label of people."""
    both = distributions(people).T @ distributions(model)
    return [
        {"source": source, "label": label, **dict(zip(labels, (row / row.sum()).tolist()))}
        for label, row in zip(labels, both)
        if row.sum()
    ]
