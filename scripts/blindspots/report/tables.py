"""The table of the grid and that of comparisons, as frames of text, in Markdown and in LaTeX."""

import numpy as np
import pandas as pd
from scipy import stats

from blindspots.artifacts.files import is_numeric, markdown_table
from blindspots.config.errors import one_line
from blindspots.data.kinds import label_of
from blindspots.data.test_sets import Headline
from blindspots.report.collect import START, Grid
from blindspots.report.contrasts import Reading
from blindspots.report.design import from_generator, generators

PLACE = ["start", "kind", "size"]
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
