"""Table 1: how frequent lexical overlap is in original and in synthetic data, by label."""

from itertools import product
from pathlib import Path
from typing import Any

import evaluate
import numpy as np
import pandas as pd
from datasets import Dataset

from blindspots.config.errors import UserError
from blindspots.config.paths import EVALUATE_MODULES
from blindspots.data.kinds import ORIGINAL, SYNTHETIC
from blindspots.data.nli import ENTAILMENT, LABELS
from blindspots.evaluation.statistics import Interval, ratio_of, ratio_of_rates, sum_of, wilson
from blindspots.report.points import read_table, whole_number

AUDIT = EVALUATE_MODULES / "heuristic_audit"
COUNTS = ["generator", "words", "label", "original_count", "original_n", "synthetic_count", "synthetic_n"]
WORDS = ["raw", "stripped"]
# The last two rows: all rows as they are, and the rates of the labels weighted by the original's shares of them.
ALL, STANDARDISED = "all", "all, labels as in original"
ABOUT = (
    f'"{STANDARDISED}" weights the rate of each label by its share in the original; "{ALL}" also depends on how many '
    "rows of each label a dataset has."
)
NOTHING = Interval(np.nan, np.nan, np.nan)


def heuristic_counts(original: Dataset, synthetic: dict[str, Dataset]) -> pd.DataFrame:
    """Lexical overlap by label in original and in raw synthetic data: the columns COUNTS, counted by the audit.

    Args:
        original: premise, hypothesis and label, as `pool_pairs` returns them.
        synthetic: the same of what each generator wrote, by the generator's name.
    """
    audit = evaluate.load(str(AUDIT), keep_in_memory=True)

    def counted(rows: Dataset) -> pd.DataFrame:
        labels = [LABELS[label] for label in rows["label"]]
        found = audit.compute(premise=rows["premise"][:], hypothesis=rows["hypothesis"][:], label=labels)
        return pd.DataFrame(found["rates"]).query("heuristic == 'lexical_overlap' and label != ''")

    sides, reference = (ORIGINAL, SYNTHETIC), counted(original)
    tables = [
        reference.merge(
            counted(rows), on=["words", "label"], how="outer", suffixes=[f"_{side}" for side in sides]
        ).assign(generator=name)
        for name, rows in synthetic.items()
    ]
    columns = {f"{what}_{side}": f"{side}_{what}" for side in sides for what in ("count", "n")}
    return pd.concat(tables).rename(columns=columns)[COUNTS].fillna(0)


def read_counts(path: Path) -> pd.DataFrame:
    """Counts of Table 1 from a CSV with the columns COUNTS, such as table1.csv of a report; generator may be missing.

    Raises UserError for another file.
    """
    counts = read_table(path, "counts")
    counts = counts if "generator" in counts else counts.assign(generator="")
    if not set(COUNTS) <= set(counts.columns):
        raise UserError(f"{path} has the columns {', '.join(counts.columns)}; Table 1 needs {', '.join(COUNTS)}.")
    counts = counts.loc[~counts["label"].isin([ALL, STANDARDISED]), COUNTS]
    for column in COUNTS[3:]:
        counts[column] = counts[column].map(whole_number)
    for number, row in counts.iterrows():
        _, words, label, *numbers = row
        if words not in WORDS or label not in LABELS:
            raise UserError(f"{path}, row {number + 1}: {words!r} and {label!r} are not words and label of Table 1.")
        if not all(isinstance(value, int) for value in numbers) or numbers[0] > numbers[1] or numbers[2] > numbers[3]:
            raise UserError(
                f"{path}, row {number + 1}: counts are whole numbers, none larger than its number of rows."
            )
    if counts.empty or counts.duplicated(["generator", "words", "label"]).any():
        raise UserError(f"{path} has no counts, or gives those of some words and label twice.")
    _require_all_labels(counts, path)
    return counts


def _require_all_labels(counts: pd.DataFrame, path: Path) -> None:
    """Raise UserError where a generator lacks entailment, or a label or rule of words that others have."""
    there = set(counts[["generator", "words", "label"]].itertuples(index=False, name=None))
    labels = [label for label in LABELS if label == ENTAILMENT or label in set(counts["label"])]
    for place in product(counts["generator"].unique(), counts["words"].unique(), labels):
        if place not in there:
            generator, words, label = place
            raise UserError(
                f"{path} has no counts of {label} by {words} words{f' for {generator}' if generator else ''}; give "
                "the same labels and rules of words for every generator."
            )


def table1(counts: pd.DataFrame) -> pd.DataFrame:
    """Table 1 as numbers: COUNTS, both rates, and S:O, the ratio of the rates, with its interval over rows.

    Rows by generator, words (raw as published, then stripped) and label, in the order of LABELS; then ALL, and
    STANDARDISED, where synthetic data have a rate without a count: in ALL, data with more entailed rows seem to have
    more overlap by that alone.
    Source: Zhang & Pavlick (2025), table 1, without STANDARDISED.
    """
    total = counts.groupby(["generator", "words"], as_index=False).sum(numeric_only=True).assign(label=ALL)
    table = pd.concat([counts, total], ignore_index=True)[COUNTS].astype(dict.fromkeys(COUNTS[3:], int))
    for side in (ORIGINAL, SYNTHETIC):
        table[f"{side}_rate"] = table[f"{side}_count"] / table[f"{side}_n"]
    sides = [f"{side}_{what}" for side in (SYNTHETIC, ORIGINAL) for what in ("count", "n")]
    ratios = [_ratio(*row) for row in table[sides].itertuples(index=False)]
    table[["ratio", "low", "high"]] = pd.DataFrame(ratios, index=table.index)
    table = table.astype(dict.fromkeys(COUNTS[3:], "Int64"))  # whole numbers, of which some may be missing
    parts = [part.set_index("label") for _, part in table.groupby(["generator", "words"])]
    table = pd.concat([table, pd.DataFrame(map(_standardised, parts)).astype(table.dtypes)], ignore_index=True)
    table["label"] = pd.Categorical(table["label"], [*LABELS, ALL, STANDARDISED])
    table["words"] = pd.Categorical(table["words"], WORDS)
    return table.sort_values(["generator", "words", "label"]).reset_index(drop=True)


def _ratio(count: int, n: int, reference_count: int, reference_n: int) -> Interval:
    """The ratio of the rates; nan where a side has no row of the label."""
    return ratio_of_rates(count, n, reference_count, reference_n) if n and reference_n else NOTHING


def _standardised(part: pd.DataFrame) -> dict[str, Any]:
    """The row STANDARDISED of one generator and rule of words."""
    row = part.loc[ALL].to_dict() | {"label": STANDARDISED, "synthetic_count": pd.NA, "synthetic_n": pd.NA}
    rate, ratio = NOTHING, NOTHING
    if rates := weighted_rates(part):
        rate = sum_of([*rates.values()])
        ratio = ratio_of(rate, wilson(row["original_count"], row["original_n"]))
    return row | {"synthetic_rate": rate.estimate, "ratio": ratio.estimate, "low": ratio.low, "high": ratio.high}


def weighted_rates(part: pd.DataFrame) -> dict[str, Interval]:
    """The rate of each label in synthetic data, times the label's share of the original; together STANDARDISED's.

    Args:
        part: rows of Table 1 of one generator and rule of words, by label.

    Empty where synthetic data have no row of one of the original's labels.
    """
    labels = [label for label in LABELS if label in part.index and part.at[label, "original_n"]]
    if not labels or not part.loc[labels, "synthetic_n"].all():
        return {}
    shares = part.loc[labels, "original_n"] / part.at[ALL, "original_n"]
    rates = (wilson(*part.loc[label, ["synthetic_count", "synthetic_n"]]) for label in labels)
    return {label: Interval(*(share * limit for limit in rate)) for label, share, rate in zip(labels, shares, rates)}


def shown_table1(table: pd.DataFrame) -> pd.DataFrame:
    """Table 1 as text: count / rows (rate) of both, and S:O with its 95% interval over rows."""
    rows = table.to_dict("records")
    several = {"generator": [row["generator"] for row in rows]} if table["generator"].nunique() > 1 else {}

    def side(row: dict[str, Any], name: str) -> str:
        count = "" if pd.isna(row[f"{name}_n"]) else f"{row[f'{name}_count']:,} / {row[f'{name}_n']:,} "
        return f"{count}({row[f'{name}_rate']:.3%})"

    return pd.DataFrame(
        several
        | {
            "words": [row["words"] for row in rows],
            "label": [row["label"] for row in rows],
            "original": [side(row, "original") for row in rows],
            "synthetic": [side(row, "synthetic") for row in rows],
            "S:O": [f"{row['ratio']:.3f} [{row['low']:.2f}, {row['high']:.2f}]" for row in rows],
        }
    )
