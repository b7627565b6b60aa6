"""The grid table and Table 1, as frames of text and in CSV, Markdown and LaTeX."""

from pathlib import Path

import evaluate
import numpy as np
import pandas as pd
from scipy import stats

from blindspots.artifacts.files import is_numeric, markdown_table
from blindspots.artifacts.inputs import fetch
from blindspots.config.errors import UserError, one_line
from blindspots.config.paths import EVALUATE_MODULES
from blindspots.data.kinds import label_of
from blindspots.data.nli import LABELS
from blindspots.data.nli_datasets import pool_pairs
from blindspots.evaluation.statistics import Interval, ratio_of_rates
from blindspots.report.collect import START, Grid
from blindspots.report.contrasts import Reading

AUDIT = EVALUATE_MODULES / "heuristic_audit"
PLACE = ["start", "kind", "size"]
COUNTS = ["words", "label", "original_count", "original_n", "synthetic_count", "synthetic_n"]
LEVEL = 0.95


def summary(grid: Grid, models: pd.DataFrame | None = None) -> pd.DataFrame:
    """Over the seeds of each place of the grid: seeds, and of each metric mean, sd, low, high.

    The limits are those of the 95% t-interval of the mean over seeds; sd and limits are nan for one seed.
    Index (start, kind, size), kinds in the registry's order; columns `seeds` and (metric, statistic) joined by `.`.

    Args:
        models: a part of grid.models, by default all.
    """
    models = grid.models if models is None else models
    order = models.assign(kind=pd.Categorical(models["kind"], [START, *grid.kinds]))
    groups = order.groupby(PLACE, observed=True)
    table = groups.size().to_frame("seeds")
    for metric in grid.metrics:
        scores = groups[metric.name]
        mean, sd, n = scores.mean(), scores.std(), scores.count()
        margin = sd / np.sqrt(n) * stats.t.ppf((1 + LEVEL) / 2, (n - 1).where(n > 1))
        for name, values in {"mean": mean, "sd": sd, "low": mean - margin, "high": mean + margin}.items():
            table[f"{metric.name}.{name}"] = values.astype(float)
    return table


def grid_table(grid: Grid) -> pd.DataFrame:
    """The accuracies of every place of the grid: the mean, with the seeds' sd where there are several."""
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
    for metric in grid.metrics:
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
                "interval": "" if reading.low is None else f"[{reading.low:+.3f}, {reading.high:+.3f}]",
                "over": reading.basis,
                "pairs": str(reading.n_pairs),
                "seeds": str(reading.n_seeds),
            }
            for reading in readings
            if reading.estimate is not None
        ]
    )


def accuracy(value: float) -> str:
    """Three decimals without the leading zero, as the paper prints; empty for nan."""
    return "" if value != value else f"{value:.3f}".removeprefix("0")


def markdown(table: pd.DataFrame) -> str:
    """A frame as a pipe table."""
    return markdown_table(table.to_dict("records"), table.columns.tolist())


def latex(table: pd.DataFrame) -> str:
    """A booktabs table; ± becomes \\pm."""
    align = "".join("r" if is_numeric(map(str, table[column])) else "l" for column in table)
    table = table.map(one_line).rename(columns=one_line)
    return table.to_latex(index=False, column_format=align, escape=True).replace("±", r"$\pm$")


def heuristic_counts(original: str, synthetic: str) -> pd.DataFrame:
    """Lexical overlap by label in prepared MNLI and in raw synthetic data: the columns COUNTS, counted by the audit.

    Args:
        original, synthetic: Hub id or folder of a dataset with a split train; of ours, its config `full` is counted.
    """
    pairs = [_pairs(name) for name in (original, synthetic)]
    audit = evaluate.load(str(AUDIT), keep_in_memory=True)
    rates = [
        pd.DataFrame(audit.compute(**columns)["rates"]).query("heuristic == 'lexical_overlap' and label != ''")
        for columns in pairs
    ]
    table = rates[0].merge(rates[1], on=["words", "label"], how="outer", suffixes=("_original", "_synthetic"))
    table = table.rename(
        columns={f"{what}_{side}": f"{side}_{what}" for side in ("original", "synthetic") for what in ("count", "n")}
    )
    return table[COUNTS].fillna(0)


def _pairs(name: str) -> dict[str, list]:
    rows = pool_pairs(fetch(name, "dataset"))
    return {
        "premise": rows["premise"][:],
        "hypothesis": rows["hypothesis"][:],
        "label": [LABELS[label] for label in rows["label"]],
    }


def read_counts(path: Path) -> pd.DataFrame:
    """Counts of Table 1 from a CSV with the columns COUNTS, such as table1.csv of a report.

    Raises UserError for another file.
    """
    if not path.is_file():
        raise UserError(f"There are no counts at {path}.")
    counts = pd.read_csv(path)
    if not set(COUNTS) <= set(counts.columns):
        raise UserError(f"{path} has the columns {', '.join(counts.columns)}; Table 1 needs {', '.join(COUNTS)}.")
    return counts.loc[counts["label"] != "all", COUNTS]


def table1(counts: pd.DataFrame) -> pd.DataFrame:
    """Table 1 as numbers: COUNTS, both rates, and S:O, the ratio of the rates, with its interval (log ratio).

    Rows by words (raw as published, then stripped) and label, in the order of LABELS, then all labels together.
    Source: Zhang & Pavlick (2025), table 1.
    """
    total = counts.groupby("words", as_index=False).sum(numeric_only=True).assign(label="all")
    table = pd.concat([counts, total])[COUNTS].astype(dict.fromkeys(COUNTS[2:], int))
    table["label"] = pd.Categorical(table["label"], [*LABELS, "all"])
    table["words"] = pd.Categorical(table["words"], ["raw", "stripped"])
    table = table.sort_values(["words", "label"]).reset_index(drop=True)
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
    """Table 1 as text: count / rows (rate) of both, and S:O with its 95% interval."""
    rows = table.to_dict("records")
    side = lambda row, name: f"{row[f'{name}_count']:,} / {row[f'{name}_n']:,} ({row[f'{name}_rate']:.3%})"  # noqa: E731
    return pd.DataFrame(
        {
            "words": [row["words"] for row in rows],
            "label": [row["label"] for row in rows],
            "original": [side(row, "original") for row in rows],
            "synthetic": [side(row, "synthetic") for row in rows],
            "S:O": [f"{row['ratio']:.3f} [{row['low']:.2f}, {row['high']:.2f}]" for row in rows],
        }
    )
