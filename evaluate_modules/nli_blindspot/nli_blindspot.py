"""Accuracy of an NLI model on MNLI matched and on HANS, with every slice and its interval."""

import warnings

import datasets
import evaluate
import numpy as np
import pandas as pd

from .heuristics import HEURISTICS
from .module_inputs import CheckedInputs
from .nli import ENTAILMENT, HANS_LABELS, LABELS, NON_ENTAILMENT
from .statistics import auroc, signal_detection, wilson

# The paper's two test sets: MNLI's public matched dev set (Williams et al. 2018), HANS's evaluation set (McCoy et al.
# 2019).
PAPER = {
    "mnli_matched": {"labels": LABELS, "rows": 9_815, "headlines": {"mnli_matched": {}}},
    "hans": {
        "labels": HANS_LABELS,
        "folding": {NON_ENTAILMENT: ("neutral", "contradiction")},
        "rows": 30_000,
        "allowed": {"heuristic": HEURISTICS},
        "headlines": {
            "hans": {},
            "hans_lo_non_entailment": {"heuristic": HEURISTICS[0], "label": NON_ENTAILMENT},
            "hans_lo_entailment": {"heuristic": HEURISTICS[0], "label": ENTAILMENT},
        },
        "both_sides": {"hans_lo": {"heuristic": HEURISTICS[0]}},
    },
}
SLICES = (
    ["test_set"],
    ["test_set", "label"],
    ["test_set", "heuristic"],
    ["test_set", "heuristic", "label"],
    ["test_set", "heuristic", "subcase", "label"],
    ["test_set", "genre"],
    ["test_set", "genre", "label"],
)

_DESCRIPTION = """\
Scores 3-way NLI predictions on MNLI matched and on HANS, where neutral and contradiction both count as
non-entailment, or on other test sets that are described to it. Returns the three accuracies of Zhang & Pavlick
(2025): MNLI matched, HANS, and HANS's non-entailed lexical-overlap rows, which is where a model that follows lexical
overlap fails; beside the latter the entailed overlap rows, since a model that says entailment less often gains on the
one what it loses on the other; and every slice of them (heuristic, label, subcase, MNLI genre) with its number of rows
and its 95% Wilson interval.
"""

_KWARGS_DESCRIPTION = """
Args:
    predictions (`list` of `str` or `int`): predicted labels, by name (entailment, neutral, contradiction; on HANS also
        non-entailment) or by id in the order 0 entailment, 1 neutral, 2 contradiction.
    references (`list` of `str`): gold labels, by name.
    test_set (`list` of `str`): `mnli_matched` or `hans`, of each row.
    heuristic (`list` of `str`): lexical_overlap, subsequence or constituent on HANS; empty on MNLI.
    subcase (`list` of `str`): HANS's subcase of each row; empty on MNLI.
    genre (`list` of `str`, optional): MNLI's genre of each row; empty on HANS.
    entailment_score (`list` of `float`, optional): the model's probability of entailment, of each row.
    other_slices (`dict` of `list`, optional): further columns by which accuracy is split, by name.
    test_sets (`dict` of `dict`, optional): the test sets that may occur, in place of the paper's two. Each has
        `labels`, its own gold labels; `headlines`, name -> slice ({} for the whole set); and where needed `folding`,
        own label -> predicted labels that count as it; `rows` of the complete set; `allowed`, values of a column;
        `both_sides`, name -> slice in which entailed and other rows are told apart.

`genre`, `entailment_score`, `other_slices` and `test_sets` are given to `compute` itself, not to `add_batch`.

Returns:
    mnli_matched, hans, hans_lo_non_entailment, hans_lo_entailment (`float`), or the headlines of `test_sets`:
        accuracies; None for a set that is not there.
    slices (`list` of `dict`): test_set, heuristic, subcase, label (empty: not split by it), n, accuracy, low, high;
        with `genre` also genre, and so with each of `other_slices`.
    scores (`list` of `dict`, with `entailment_score` only): test_set, heuristic, label, n, auroc of entailed against
        non-entailed rows (None for rows of one label), and mean_probability of the right one of the two. Not for test
        sets without the label entailment.
    both_sides (`list` of `dict`, with `entailment_score` only): name, test_set, n; accuracy and mean_probability of
        the right one of the two, each a `dict` by gold label; and what sums up both sides: auroc and d_prime, the
        ability to tell them apart, and criterion, below 0 for a model that is quick to say entailment. A slice
        without rows of either label is left out.

Raises ValueError for columns of different length, a missing value, an unknown label, test set or heuristic, and a
score outside 0 to 1. Warns where a class is never predicted and where a test set is not complete.

Examples:
    >>> import evaluate
    >>> blindspot = evaluate.load("evaluate_modules/nli_blindspot")
    >>> results = blindspot.compute(
    ...     predictions=["entailment", "neutral", "entailment", "contradiction"],
    ...     references=["entailment", "contradiction", "non-entailment", "non-entailment"],
    ...     test_set=["mnli_matched", "mnli_matched", "hans", "hans"],
    ...     heuristic=["", "", "lexical_overlap", "lexical_overlap"],
    ...     subcase=["", "", "ln_passive", "ln_passive"],
    ... )
    >>> results["mnli_matched"], results["hans"], results["hans_lo_non_entailment"]
    (0.5, 0.5, 0.5)
    >>> results["slices"][-1]["subcase"], results["slices"][-1]["n"], round(results["slices"][-1]["low"], 3)
    ('ln_passive', 2, 0.095)
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
@inproceedings{williams-etal-2018-broad,
  title = {A Broad-Coverage Challenge Corpus for Sentence Understanding through Inference},
  author = {Williams, Adina and Nangia, Nikita and Bowman, Samuel},
  booktitle = {Proceedings of the 2018 Conference of the North American Chapter of the Association for Computational
    Linguistics: Human Language Technologies},
  pages = {1112--1122},
  year = {2018},
  doi = {10.18653/v1/N18-1101}
}
"""


class NliBlindspot(CheckedInputs, evaluate.Metric):
    """See the module's inputs description for arguments, result and errors."""

    def _info(self) -> evaluate.MetricInfo:
        columns = {name: datasets.Value("string") for name in ("references", "test_set", "heuristic", "subcase")}
        return evaluate.MetricInfo(
            description=_DESCRIPTION,
            citation=_CITATION,
            inputs_description=_KWARGS_DESCRIPTION,
            features=[
                datasets.Features({"predictions": datasets.Value("string"), **columns}),
                # Ids; as int64 they would let 0.7 pass as 0.
                datasets.Features({"predictions": datasets.Value("float64"), **columns}),
            ],
            reference_urls=["https://aclanthology.org/2025.insights-1.8", "https://aclanthology.org/P19-1334"],
        )

    def _compute(
        self,
        predictions,
        references,
        test_set,
        heuristic,
        subcase,
        genre=None,
        entailment_score=None,
        other_slices=None,
        test_sets=None,
    ) -> dict:
        known = PAPER if test_sets is None else test_sets
        columns = {
            "prediction": predictions,
            "label": references,
            "test_set": test_set,
            "heuristic": heuristic,
            "subcase": subcase,
            **({"genre": genre} if genre is not None else {}),
            **(other_slices or {}),
        }
        rows = checked_rows(columns, known)
        warn_of_gaps(rows, known)
        rows["right"] = rows["prediction"] == rows["label"]
        results = {
            name: accuracy(rows[chosen(rows, test_set, part)])
            for test_set, entry in known.items()
            for name, part in entry["headlines"].items()
        }
        results["slices"] = slices(rows, list(other_slices or {}))
        if entailment_score is not None:
            scored = scored_rows(rows, entailment_score, known)
            results["scores"] = scores(scored)
            results["both_sides"] = both_sides(scored, known)
        return results


def chosen(rows: pd.DataFrame, test_set: str, part: dict) -> pd.Series:
    """Which rows belong to a test set and have the values of a slice: boolean of shape [rows]."""
    found = rows["test_set"] == test_set
    for column, value in part.items():
        found &= rows[column] == value
    return found


def checked_rows(columns: dict, known: dict) -> pd.DataFrame:
    """One row per prediction, labels by name and folded as the test set says. Raises ValueError naming a bad row."""
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"The columns differ in length: {', '.join(f'{k} {v}' for k, v in lengths.items())}.")
    rows = pd.DataFrame(columns)
    if rows.isna().any(axis=None):
        column = rows.columns[rows.isna().any()][0]
        raise ValueError(f"Row {rows[column].isna().idxmax()} has no {column}; predict every row of the test sets.")
    require(rows, "test_set", tuple(known))
    if pd.api.types.is_numeric_dtype(rows["prediction"]):
        require(rows, "prediction", range(len(LABELS)))
        rows["prediction"] = rows["prediction"].map(dict(enumerate(LABELS)))
    for name, entry in known.items():
        of_set = rows["test_set"] == name
        for column, values in entry.get("allowed", {}).items():
            require(rows[of_set], column, values)
        folded = {label: own for own, labels in entry.get("folding", {}).items() for label in labels}
        for column in ("prediction", "label"):
            require(rows[of_set], column, tuple(dict.fromkeys((*LABELS, *entry["labels"]))))
            rows[column] = rows[column].where(~of_set, rows[column].replace(folded))
    return rows


def require(rows: pd.DataFrame, column: str, allowed) -> None:
    """Raise ValueError naming the first row whose value is not allowed."""
    bad = rows.loc[~rows[column].isin(list(allowed)), column]
    if len(bad):
        expected = ", ".join(map(str, allowed))
        raise ValueError(f"Row {bad.index[0]}: {column} {bad.tolist()[0]!r} is not one of {expected}.")


def warn_of_gaps(rows: pd.DataFrame, known: dict) -> None:
    """Warn where a test set is not complete and where a class that it holds is never predicted."""
    for test_set, part in rows.groupby("test_set"):
        entry = known[test_set]
        if len(part) != entry.get("rows", len(part)):
            complete = f"the complete set has {entry['rows']:,}"
            warnings.warn(f"{test_set}: {len(part):,} rows, {complete}; the numbers are of these rows.", stacklevel=2)
        never = [label for label in entry["labels"] if label in set(part["label"]) - set(part["prediction"])]
        if never:
            warnings.warn(f"{test_set}: the model never predicts {' or '.join(never)}.", stacklevel=2)


def accuracy(rows: pd.DataFrame) -> float | None:
    """Share of right predictions; None without rows."""
    return float(rows["right"].mean()) if len(rows) else None


def slices(rows: pd.DataFrame, others: list[str]) -> list[dict]:
    """Number of rows, accuracy and 95% Wilson interval of every slice; an empty key is one not split by."""
    keys = [key for key in ("test_set", "heuristic", "subcase", "genre", *others, "label") if key in rows]
    found = []
    for names in (*SLICES, *(["test_set", name, *label] for name in others for label in ([], ["label"]))):
        if not set(names) <= set(keys):
            continue
        split = rows[(rows[names] != "").all(axis=1)]
        for values, right in split.groupby(names, sort=False)["right"]:
            estimate, low, high = wilson(int(right.sum()), len(right))
            found.append(
                dict.fromkeys(keys, "")
                | dict(zip(names, values))
                | {"n": len(right), "accuracy": estimate, "low": low, "high": high}
            )
    return found


def scored_rows(rows: pd.DataFrame, entailment_score, known: dict) -> pd.DataFrame:
    """The rows with `score`, `right_probability` and the label as one of two.

    Rows of a test set whose labels do not tell entailed rows from others are left out. Raises ValueError for a score
    that is no probability.
    """
    if len(entailment_score) != len(rows):
        raise ValueError(f"There are {len(entailment_score)} entailment scores for {len(rows)} rows.")
    score = np.asarray(entailment_score, dtype=float)
    bad = np.flatnonzero(~((score >= 0) & (score <= 1)))
    if len(bad):
        raise ValueError(f"Row {bad[0]}: entailment score {score[bad[0]]} is not a probability (0 to 1).")
    entailed = rows["label"] == ENTAILMENT
    rows = rows.assign(
        score=score,
        right_probability=np.where(entailed, score, 1 - score),
        label=np.where(entailed, ENTAILMENT, NON_ENTAILMENT),
    )
    return rows[[ENTAILMENT in known[name]["labels"] for name in rows["test_set"]]]


def scores(rows: pd.DataFrame) -> list[dict]:
    """AUROC and mean probability of the right class of each test set, HANS heuristic and label of these."""
    found = []
    for names in (["test_set"], ["test_set", "label"], ["test_set", "heuristic"], ["test_set", "heuristic", "label"]):
        split = rows[(rows[names] != "").all(axis=1)]
        for values, part in split.groupby(names, sort=False):
            both = part["label"].nunique() == 2
            found.append(
                {"test_set": "", "heuristic": "", "label": ""}
                | dict(zip(names, values))
                | {
                    "n": len(part),
                    "auroc": auroc(part["label"] == ENTAILMENT, part["score"]) if both else None,
                    "mean_probability": float(part["right_probability"].mean()),
                }
            )
    return found


def both_sides(rows: pd.DataFrame, known: dict) -> list[dict]:
    """Accuracy and mean probability of the right class by gold label, AUROC, d' and criterion of each such slice."""
    found = []
    for test_set, entry in known.items():
        for name, part in entry.get("both_sides", {}).items():
            own = rows[chosen(rows, test_set, part)]
            if own["label"].nunique() < 2:
                continue
            by_label = own.groupby("label")
            right, n = by_label["right"].sum(), by_label.size()
            d_prime, criterion = signal_detection(
                right[ENTAILMENT], n[ENTAILMENT], n[NON_ENTAILMENT] - right[NON_ENTAILMENT], n[NON_ENTAILMENT]
            )
            found.append(
                {"name": name, "test_set": test_set, "n": len(own)}
                | {"accuracy": by_label["right"].mean().to_dict()}
                | {"mean_probability": by_label["right_probability"].mean().to_dict()}
                | {"auroc": auroc(own["label"] == ENTAILMENT, own["score"]), "d_prime": d_prime}
                | {"criterion": criterion}
            )
    return found
