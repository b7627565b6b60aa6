"""The grid table and Table 1, as frames of text and in CSV, Markdown and LaTeX."""

from itertools import product
from pathlib import Path

import evaluate
import numpy as np
import pandas as pd
from datasets import Dataset
from scipy import stats

from blindspots.artifacts.files import is_numeric, markdown_table
from blindspots.config.errors import UserError, one_line
from blindspots.config.paths import EVALUATE_MODULES
from blindspots.data.kinds import ORIGINAL, SYNTHETIC, label_of
from blindspots.data.nli import ENTAILMENT, LABELS
from blindspots.data.test_sets import Headline
from blindspots.evaluation.statistics import Interval, ratio_of_rates
from blindspots.report.collect import START, Grid
from blindspots.report.contrasts import Reading
from blindspots.report.design import from_generator, generators
from blindspots.report.points import read_table, whole_number

AUDIT = EVALUATE_MODULES / "heuristic_audit"
PLACE = ["start", "kind", "size"]
COUNTS = ["generator", "words", "label", "original_count", "original_n", "synthetic_count", "synthetic_n"]
WORDS = ["raw", "stripped"]
LEVEL = 0.95


def summary(grid: Grid, models: pd.DataFrame | None = None) -> pd.DataFrame:
    """Over the replicates of each place of the grid: their number `seeds`, and of each metric mean, sd, low, high.

    What is averaged are generators where sets come from several, else replicates. The limits are those of the 95%
    t-interval of the mean over these units, without test rows; sd and limits are nan for one unit.
    Index (start, kind, size), kinds in the registry's order; columns `seeds` and (metric, statistic) joined by `.`.

    Args:
        models: a part of grid.models, by default all.
    """
    models = grid.models if models is None else models
    written = generators(grid, models["seed"].tolist())
    unit = [
        name if name and from_generator(kind) else str(seed)
        for name, kind, seed in zip(written, models["kind"], models["seed"])
    ]
    order = models.assign(kind=pd.Categorical(models["kind"], [START, *grid.kinds]), unit=unit)
    table = order.groupby(PLACE, observed=True).size().to_frame("seeds")
    scores = [metric.name for metric in grid.shown]
    groups = order.groupby([*PLACE, "unit"], observed=True)[scores].mean().groupby(PLACE, observed=True)
    for metric in grid.shown:
        values = groups[metric.name]
        mean, sd, n = values.mean(), values.std(), values.count()
        margin = sd / np.sqrt(n) * stats.t.ppf((1 + LEVEL) / 2, (n - 1).where(n > 1))
        for name, column in {"mean": mean, "sd": sd, "low": mean - margin, "high": mean + margin}.items():
            table[f"{metric.name}.{name}"] = column.astype(float)
    return table


def band_units(grid: Grid) -> str:
    """What the intervals of `summary` are over, in words."""
    seeds = grid.axis("seed")
    written, starts = set(generators(grid, seeds)), grid.models.query("kind == @START").groupby("start").size()
    units = [f"{len(seeds)} seeds"]
    if written != {""}:
        units = [f"{len(written)} generators (synthetic data)", *units]
    if len(starts) and 1 < starts.max() < len(seeds):
        units.append(f"{starts.max()} starts")
    *others, last = units
    return f"{', '.join(others)} or {last}" if others else last


def grid_table(grid: Grid, metrics: list[Headline] | None = None) -> pd.DataFrame:
    """The numbers of every place of the grid: the mean, with the sd over units (see `summary`) of several.

    Args:
        metrics: by default the accuracies.
    """
    table = summary(grid).reset_index()
    several = bool(len(table)) and table["seeds"].max() > 1
    shown = pd.DataFrame(
        {
            "start": table["start"].map("{:,}".format),
            "further tuned on": table["kind"].astype(str).map(label_of),
            "rows": table["size"].map(lambda size: f"{size:,}" if size else ""),
        }
    )
    if several:
        shown["seeds"] = table["seeds"].astype(str)
    for metric in grid.metrics if metrics is None else metrics:
        shown[metric.title] = [
            accuracy(mean) + (f" ± {accuracy(sd)}" if sd == sd else "")
            for mean, sd in zip(table[f"{metric.name}.mean"], table[f"{metric.name}.sd"])
        ]
    return shown


def comparison_table(readings: list[Reading]) -> pd.DataFrame:
    """Kinds compared with one another: a row per pair and metric, as text; readings without models are left out."""
    return pd.DataFrame(
        [
            {
                "difference": reading.estimand,
                "metric": reading.title,
                "first": accuracy(reading.first_mean),
                "second": accuracy(reading.second_mean),
                "estimate": f"{reading.estimate:+.3f}",
                "interval": limits(reading.low, reading.high),
                "over": reading.basis,
                "units": str(reading.units),
                "shared": reading.shared,
                "pairs": str(reading.n_pairs),
            }
            for reading in readings
            if reading.estimate is not None
        ]
    )


def accuracy(value: float) -> str:
    """Three decimals without the leading zero, as the paper prints; empty for nan."""
    if value != value:
        return ""
    shown = f"{round(value, 9) + 0:.3f}"  # one text, in whatever order a mean was summed; 0 has no sign
    return shown.replace("0.", ".", 1) if abs(value) < 1 else shown


def limits(low: float | None, high: float | None) -> str:
    """An interval in brackets; empty without one."""
    return "" if low is None else f"[{low:+.3f}, {high:+.3f}]"


def difference(reading: Reading) -> str:
    """An estimate and its interval."""
    return f"{reading.estimate:+.3f} {limits(reading.low, reading.high)}".rstrip()


def reading_text(reading: Reading) -> str:
    """The same with what is compared, and in what."""
    return f"{reading.title}, {reading.estimand}: {difference(reading)}"


def markdown(table: pd.DataFrame) -> str:
    """A frame as a pipe table."""
    return markdown_table(table.to_dict("records"), table.columns.tolist())


def latex(table: pd.DataFrame) -> str:
    """A booktabs table; ± becomes \\pm."""
    align = "".join("r" if is_numeric(map(str, table[column])) else "l" for column in table)
    table = table.map(one_line).rename(columns=one_line)
    return table.to_latex(index=False, column_format=align, escape=True).replace("±", r"$\pm$")


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
    counts = counts.loc[counts["label"] != "all", COUNTS]
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

    Rows by generator, words (raw as published, then stripped) and label, in the order of LABELS, then all labels
    together.
    Source: Zhang & Pavlick (2025), table 1.
    """
    total = counts.groupby(["generator", "words"], as_index=False).sum(numeric_only=True).assign(label="all")
    table = pd.concat([counts, total])[COUNTS].astype(dict.fromkeys(COUNTS[3:], int))
    table["label"] = pd.Categorical(table["label"], [*LABELS, "all"])
    table["words"] = pd.Categorical(table["words"], WORDS)
    table = table.sort_values(["generator", "words", "label"]).reset_index(drop=True)
    table["original_rate"] = table["original_count"] / table["original_n"]
    table["synthetic_rate"] = table["synthetic_count"] / table["synthetic_n"]
    ratios = [
        _ratio(*row)
        for row in table[
            [f"{side}_{what}" for side in ("synthetic", "original") for what in ("count", "n")]
        ].itertuples(index=False)
    ]
    return table.assign(ratio=[r.estimate for r in ratios], low=[r.low for r in ratios], high=[r.high for r in ratios])


def _ratio(count: int, n: int, reference_count: int, reference_n: int) -> Interval:
    """The ratio of the rates; nan where a side has no row of the label."""
    if not n or not reference_n:
        return Interval(np.nan, np.nan, np.nan)
    return ratio_of_rates(count, n, reference_count, reference_n)


def shown_table1(table: pd.DataFrame) -> pd.DataFrame:
    """Table 1 as text: count / rows (rate) of both, and S:O with its 95% interval over rows."""
    rows = table.to_dict("records")
    several = {"generator": [row["generator"] for row in rows]} if table["generator"].nunique() > 1 else {}
    side = lambda row, name: f"{row[f'{name}_count']:,} / {row[f'{name}_n']:,} ({row[f'{name}_rate']:.3%})"  # noqa: E731
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
