"""How often HANS's heuristics hold in an NLI dataset, by label, and how much more often than in another."""

import datasets
import evaluate
import numpy as np
import pandas as pd

from .heuristics import count_heuristics
from .module_inputs import CheckedInputs
from .nli import ENTAILMENT, LABELS, NON_ENTAILMENT
from .statistics import ratio_of_rates, wilson

_DESCRIPTION = """\
Counts the pairs of an NLI dataset whose hypothesis follows one of the three syntactic heuristics of HANS (lexical
overlap, subsequence and, where a parse of the premise is given, constituent), by label. With a second dataset it gives
the ratio of the two rates: table 1 of Zhang & Pavlick (2025) for any dataset. Words are taken raw as published
(lower-cased white-space tokens, the bare tokens . ? ! dropped) and, beside that, with the punctuation around them
stripped.
"""

_KWARGS_DESCRIPTION = """
Args:
    premise, hypothesis (`list` of `str`): the pairs.
    label (`list` of `str`): entailment, neutral, contradiction or non-entailment.
    premise_parse (`list` of `str`, optional): bracketed parses of the premises, Penn Treebank or binary; with them the
        constituent heuristic is counted too.
    reference_premise, reference_hypothesis, reference_label, reference_premise_parse (`list` of `str`, optional): a
        second dataset to compare with.
    level (`float`, optional): of the intervals, 0.95.

All but the first three are given to `compute` itself, not to `add_batch`.

Returns:
    n (`int`): pairs.
    rates (`list` of `dict`): words (raw, stripped), heuristic, label (empty: all), count, n, rate, low, high (Wilson).
    entailed (`list` of `dict`): words, heuristic, count of entailed pairs among the n that follow the heuristic, rate,
        low, high (all None where n is 0).
    ratios (`list` of `dict`, with a second dataset only): words, heuristic, label, count, n, reference_count,
        reference_n, ratio of the rates, low, high (from the Wilson limits of both rates). Where the heuristic never
        holds in the second dataset there is neither ratio nor upper limit: both are None, `low` still bounds it. The
        ratio over all labels also depends on how many rows of each label the datasets have.

Raises ValueError for columns of different length, a missing value, an unknown label and a broken parse.

Examples:
    >>> import evaluate
    >>> audit = evaluate.load("evaluate_modules/heuristic_audit")
    >>> results = audit.compute(
    ...     premise=["The doctor saw the actor .", "The doctor saw the actor .", "Some dogs sleep."],
    ...     hypothesis=["The actor saw the doctor .", "The doctor slept .", "Dogs sleep"],
    ...     label=["contradiction", "neutral", "entailment"],
    ... )
    >>> [(row["words"], row["count"], row["n"]) for row in results["rates"]
    ...     if row["heuristic"] == "lexical_overlap" and row["label"] == ""]
    [('raw', 1, 3), ('stripped', 2, 3)]
"""

_CITATION = """\
@inproceedings{zhang-pavlick-2025-synthetic,
  title = {Does Training on Synthetic Data Make Models Less Robust?},
  author = {Zhang, Lingze and Pavlick, Ellie},
  booktitle = {The Sixth Workshop on Insights from Negative Results in NLP},
  pages = {79--85},
  year = {2025},
  doi = {10.18653/v1/2025.insights-1.8}
}
@inproceedings{mccoy-etal-2019-right,
  title = {Right for the Wrong Reasons: Diagnosing Syntactic Heuristics in Natural Language Inference},
  author = {McCoy, Tom and Pavlick, Ellie and Linzen, Tal},
  booktitle = {Proceedings of the 57th Annual Meeting of the Association for Computational Linguistics},
  pages = {3428--3448},
  year = {2019},
  doi = {10.18653/v1/P19-1334}
}
"""


class HeuristicAudit(CheckedInputs, evaluate.Measurement):
    """See the module's inputs description for arguments, result and errors."""

    def _info(self) -> evaluate.MeasurementInfo:
        return evaluate.MeasurementInfo(
            description=_DESCRIPTION,
            citation=_CITATION,
            inputs_description=_KWARGS_DESCRIPTION,
            features=datasets.Features(
                {name: datasets.Value("string") for name in ("premise", "hypothesis", "label")}
            ),
            reference_urls=["https://aclanthology.org/2025.insights-1.8", "https://aclanthology.org/P19-1334"],
        )

    def _compute(
        self,
        premise,
        hypothesis,
        label,
        premise_parse=None,
        reference_premise=None,
        reference_hypothesis=None,
        reference_label=None,
        reference_premise_parse=None,
        level=0.95,
    ) -> dict:
        counts = counted(premise, hypothesis, label, premise_parse, "")
        results = {"n": len(label), "rates": rates(counts, level), "entailed": entailed(counts, level)}
        reference = (reference_premise, reference_hypothesis, reference_label)
        if any(column is not None for column in (*reference, reference_premise_parse)):
            if any(column is None for column in reference):
                raise ValueError("A second dataset needs reference_premise, reference_hypothesis and reference_label.")
            results["ratios"] = ratios(counts, counted(*reference, reference_premise_parse, "reference_"), level)
        return results


def counted(premise, hypothesis, label, premise_parse, prefix: str) -> pd.DataFrame:
    """Counts by (words, heuristic, label), with label "" for all rows. Raises ValueError for bad columns."""
    columns = {"premise": premise, "hypothesis": hypothesis, "label": label}
    if premise_parse is not None:
        columns["premise_parse"] = premise_parse
    columns = {name: list(column) for name, column in columns.items()}
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"The columns differ in length: {', '.join(f'{prefix}{k} {v}' for k, v in lengths.items())}.")
    for name, column in columns.items():
        for row, value in enumerate(column):
            if not isinstance(value, str):
                raise ValueError(f"Row {row}: {prefix}{name} is {value!r}, not text. Mend or drop the row.")
            if name == "label" and value not in (*LABELS, NON_ENTAILMENT):
                expected = ", ".join((*LABELS, NON_ENTAILMENT))
                raise ValueError(f"Row {row}: {prefix}label {value!r} is not one of {expected}.")
    counts = count_heuristics(*columns.values())
    total = (
        counts.groupby(level=["words", "heuristic"], sort=False).sum().assign(label="").set_index("label", append=True)
    )
    return pd.concat([total, counts])


def rates(counts: pd.DataFrame, level: float) -> list[dict]:
    """Each count as a share of its rows, with its Wilson interval."""
    return [
        dict(zip(counts.index.names, key)) | with_interval(int(row["count"]), int(row["n"]), level)
        for key, row in counts.iterrows()
    ]


def entailed(counts: pd.DataFrame, level: float) -> list[dict]:
    """Of the pairs that follow a heuristic, the share that is entailed: how far it pays to follow it."""
    found = []
    for (words, heuristic), part in counts["count"].groupby(level=["words", "heuristic"], sort=False):
        right = int(part.get((words, heuristic, ENTAILMENT), 0))
        share = with_interval(right, int(part[words, heuristic, ""]), level)
        found.append({"words": words, "heuristic": heuristic, **share})
    return found


def with_interval(count: int, n: int, level: float) -> dict:
    """A count, its base, its share and the share's interval; None for a share of nothing."""
    rate, low, high = wilson(count, n, level) if n else (None, None, None)
    return {"count": count, "n": n, "rate": rate, "low": low, "high": high}


def ratios(counts: pd.DataFrame, reference: pd.DataFrame, level: float) -> list[dict]:
    """Ratio of the rates for every heuristic and label that both datasets have."""
    found = []
    for key, row in counts.join(reference, rsuffix="_reference", how="inner").astype(int).iterrows():
        count, n, reference_count, reference_n = row.tolist()
        ratio, low, high = ratio_of_rates(count, n, reference_count, reference_n, level)
        found.append(
            dict(zip(counts.index.names, key))
            | {"count": count, "n": n, "reference_count": reference_count, "reference_n": reference_n}
            | {"ratio": ratio if np.isfinite(ratio) else None, "low": low, "high": high if np.isfinite(high) else None}
        )
    return found
