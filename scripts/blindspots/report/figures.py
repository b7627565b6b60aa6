"""Figures of a grid: Figure 1, learning curves of the starts, spread over seeds, HANS by subcase.

Colours are Okabe and Ito's, legible to the colour-blind; every kind also has its own marker and line style, so that
a greyscale print tells them apart. Files carry no date and no random ids: equal input gives equal bytes.
"""

from itertools import cycle
from pathlib import Path
from textwrap import fill
from xml.etree import ElementTree

import matplotlib
import numpy as np
import pandas as pd

from blindspots.artifacts.pictures import save_png
from blindspots.config.errors import one_line
from blindspots.config.paths import PAPER_POINTS
from blindspots.data.heuristics import HEURISTICS
from blindspots.data.kinds import kind_of, label_of, styles
from blindspots.data.test_sets import ACCURACY, Headline
from blindspots.report.collect import START, Grid
from blindspots.report.points import read_points
from blindspots.report.tables import band_units, summary

matplotlib.use("Agg")
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure

# Okabe and Ito (2008), for curves of metrics.
METRIC_STYLES = [
    {"color": color, "marker": marker}
    for color, marker in zip(["#0072B2", "#E69F00", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#000000"], "o^sDvPX")
]
PAPER_STYLE = {"color": "0.55", "linewidth": 0.8, "markersize": 3, "markerfacecolor": "white", "zorder": 1}
START_STYLE = {"color": "black", "marker": "*"}
SVG = "{http://www.w3.org/2000/svg}"
matplotlib.rcParams |= {
    "svg.hashsalt": "blindspots",
    "svg.fonttype": "none",
    "text.parse_math": False,  # a title with $ is no formula
    "font.size": 9,
    "axes.grid": True,
    "grid.color": "0.92",
    "axes.axisbelow": True,
}


def save(figure: Figure, file: Path) -> None:
    """Write a PNG or an SVG, the same bytes for the same figure."""
    if file.suffix == ".svg":
        figure.savefig(file, metadata={"Date": None, "Creator": None})
    else:
        save_png(figure, file, dpi=100)


def figure1(grid: Grid, title: str, from_figure: bool = False, metrics: list[Headline] | None = None) -> Figure:
    """The paper's Figure 1: a column per start, a row per metric; the start is the point at 0 and the dashed line.

    Means over replicates, with the 95% t-interval of the mean as a band where there are several (see `summary`).

    Args:
        from_figure: the grid itself was read off a figure; the figure says so.
        metrics: rows of the figure, by default the accuracies.
    """
    metrics = grid.metrics if metrics is None else metrics
    table, starts, by_kind = summary(grid), grid.axis("start"), styles(grid.kinds)
    several = len(starts) > 1
    shape = (len(metrics), len(starts)) if several else (1, len(metrics))  # of one start, metrics side by side
    size = (2.1 + 2.1 * shape[1], 1.3 + 2.1 * shape[0])
    sharey = "row" if several else False
    figure, lines = pyplot.subplots(
        *shape, sharex=True, sharey=sharey, squeeze=False, figsize=size, layout="constrained"
    )
    panels = lines.reshape(len(metrics), -1)
    paper = None if from_figure else _paper_points(grid)
    for row, metric in zip(panels, metrics):
        name = fill(one_line(metric.title), 24)
        row[0].set_ylabel(f"{name}\naccuracy" if metric.measure == ACCURACY else name)
        for panel, start in zip(row, starts):
            if paper is not None and f"{metric.name}.mean" in paper:
                _curves(panel, paper, start, metric, {kind: style | PAPER_STYLE for kind, style in by_kind.items()})
            main = {kind: {"markersize": 5, **style} for kind, style in by_kind.items()}
            _curves(panel, table, start, metric, main, True)
    for panel, start in zip(lines[0], cycle(starts)):
        panel.set_title("random head" if start == 0 else f"start: {start:,} rows", fontsize=9)
    for panel in lines[-1]:
        panel.set_xlabel("augmentation rows")
    _axes(panels, grid.axis("size"), [metric.is_share for metric in metrics])
    figure.suptitle(
        fill(one_line(title), int(11 * size[0])) + ("\n(points read off the published figure)" if from_figure else ""),
        fontsize=10,
    )
    _legend(figure, grid, paper is not None)
    return figure


def _paper_points(grid: Grid) -> pd.DataFrame | None:
    """The paper's digitised points, where the grid has starts of theirs and the same sizes."""
    if not PAPER_POINTS.is_file():
        return None
    paper = read_points(PAPER_POINTS)
    same = set(paper.axis("start")) & set(grid.axis("start")) and paper.axis("size") == grid.axis("size")
    return summary(paper) if same else None


def _curves(
    panel: Axes, table: pd.DataFrame, start: int, metric: Headline, by_kind: dict[str, dict], main: bool = False
) -> None:
    """The start as a dashed line and, kind by kind, its curve from the start over the sizes."""
    if start not in table.index.get_level_values("start"):
        return
    part = table.loc[start]
    origin = part.xs(START, level="kind") if START in part.index.get_level_values("kind") else part.iloc[:0]
    if main and len(origin):
        panel.axhline(
            origin[f"{metric.name}.mean"].iloc[0], color="0.35", linestyle=(0, (4, 3)), linewidth=0.8, zorder=1
        )
    for kind in part.index.get_level_values("kind").unique():
        if kind not in by_kind:
            continue
        curve, style = pd.concat([origin, part.xs(kind, level="kind")]), by_kind[kind]
        sizes, mean = curve.index.to_numpy(), curve[f"{metric.name}.mean"].to_numpy()
        panel.plot(sizes, mean, gid=f"curve.{start}.{kind}.{metric.name}" if main else None, **style)
        if main:
            _band(panel, sizes, curve, metric, style["color"])
    if main and len(origin):
        panel.plot([0], origin[f"{metric.name}.mean"], markersize=8, linestyle="none", zorder=4, **START_STYLE)


def _band(panel: Axes, x: np.ndarray | pd.Series, table: pd.DataFrame, metric: Headline, color: str) -> None:
    """The interval of the mean; that of a share ends at 0 and 1, where Student's t does not."""
    limits = [table[f"{metric.name}.{limit}"].fillna(table[f"{metric.name}.mean"]) for limit in ("low", "high")]
    if metric.is_share:
        limits = [limit.clip(0, 1) for limit in limits]
    panel.fill_between(x, *limits, alpha=0.2, linewidth=0, color=color)


def _axes(panels: np.ndarray, sizes: list[int], shares: list[bool]) -> None:
    """Ticks at the sizes, and shares no further than a little beyond 0 and 1, whatever the bands do."""
    panels[0, 0].set_xticks([0, *sizes], [_short(size) for size in (0, *sizes)])
    if sizes:
        panels[0, 0].set_xlim(-0.06 * sizes[-1], 1.06 * sizes[-1])
    for panel, is_share in zip(panels[:, 0], shares):
        low, high = panel.get_ylim()
        if is_share:
            panel.set_ylim(max(low, -0.03), min(high, 1.03))


def _short(size: int) -> str:
    return f"{size / 1000:.3g}K" if size >= 1000 else f"{size:,}"


def _legend(figure: Figure, grid: Grid, with_paper: bool) -> None:
    by_kind = styles(grid.kinds)
    lines = [pyplot.Line2D([], [], label=label_of(kind), **style) for kind, style in by_kind.items()]
    lines.append(pyplot.Line2D([], [], linestyle=(0, (4, 3)), linewidth=0.8, label="start", **START_STYLE))
    if with_paper:
        style = next(iter(by_kind.values())) | PAPER_STYLE
        lines.append(pyplot.Line2D([], [], label="the paper's, read off its figure (error about .003)", **style))
    note = "one replicate: no band"
    if len(grid.models) and len(grid.axis("seed")) > 1:
        note = f"band: 95% interval of the mean over {band_units(grid)}"
    columns = min(len(lines), max(2, int(figure.get_figwidth() / 1.8)))
    if columns == 2:
        note = fill(note, 45)
    figure.legend(handles=lines, loc="outside lower center", ncols=columns, title=note, frameon=False)


def add_titles(svg: Path, grid: Grid) -> None:
    """Give each point of Figure 1's SVG a <title>, what a browser shows on hover, and the name of its cell's group."""
    ElementTree.register_namespace("", SVG.strip("{}"))
    ElementTree.register_namespace("xlink", "http://www.w3.org/1999/xlink")
    table = summary(grid)
    tree = ElementTree.parse(svg)
    for group in tree.iter(f"{SVG}g"):
        if not (group.get("id") or "").startswith("curve."):
            continue
        _, start, kind, metric = group.get("id").split(".", 3)
        part = table.loc[int(start)]
        places = [(START, 0)] if (START, 0) in part.index else []
        places += [place for place in part.index if place[0] == kind]
        for place, point in zip(places, group.iter(f"{SVG}use")):
            row, rows = part.loc[place], f", {place[1]:,} rows" if place[1] else ""
            point.set("class", "point")
            point.set("data-place", f"{start} {place[0]} {place[1]}")
            value = f"{grid.title(metric)} {row[f'{metric}.mean']:.3f} ({_replicates(int(row['seeds']))})"
            title = ElementTree.SubElement(point, f"{SVG}title")
            title.text = one_line(f"start {int(start):,}, {label_of(place[0])}{rows}: {value}")
    tree.write(svg, encoding="utf-8", xml_declaration=True)


def _replicates(count: int) -> str:
    return "1 replicate" if count == 1 else f"{count} replicates"


def learning_curve(grid: Grid) -> Figure:
    """The starts alone: the accuracies by rows of MNLI, on a logarithmic axis that begins at 0."""
    table = summary(grid, grid.models[grid.models["kind"] == START]).reset_index()
    figure, panel = pyplot.subplots(figsize=(5.5, 4.2), layout="constrained")
    lines = []
    for number, metric in enumerate(grid.metrics):
        style = METRIC_STYLES[number % len(METRIC_STYLES)]
        lines += panel.plot(table["start"], table[f"{metric.name}.mean"], label=one_line(metric.title), **style)
        _band(panel, table["start"], table, metric, style["color"])
    positive = [start for start in table["start"] if start]
    panel.set_xscale("symlog", linthresh=min(positive, default=1))
    panel.set_xticks(table["start"], [_short(start) for start in table["start"]])
    panel.minorticks_off()
    panel.set(xlabel="rows of MNLI that the start was tuned on", ylabel="accuracy", title="Starting models")
    # A legend made by itself leaves out titles that begin with _.
    figure.legend(handles=lines, loc="outside lower center", ncols=2, frameon=False)
    return figure


def seed_spread(grid: Grid) -> Figure:
    """Every model as a point, a row per place of the grid, so that the spread over seeds can be seen."""
    table, by_kind = summary(grid), styles(grid.kinds)
    size = (3 * len(grid.metrics), 1.6 + 0.2 * len(table))
    figure, panels = pyplot.subplots(
        1, len(grid.metrics), sharey=True, squeeze=False, figsize=size, layout="constrained"
    )
    heights = {place: -row for row, place in enumerate(table.index)}
    for panel, metric in zip(panels[0], grid.metrics):
        for place, models in grid.models.groupby(["start", "kind", "size"]):
            style = by_kind.get(place[1], START_STYLE)
            values = models[metric.name]
            points = {"color": style["color"], "marker": style["marker"], "markerfacecolor": "none"}
            panel.plot(values, [heights[place]] * len(values), linestyle="none", **points)
        panel.set(title=one_line(metric.title), xlabel="accuracy, a point per seed")
        panel.locator_params(axis="x", nbins=4)  # more labels of four digits overlap
    panels[0, 0].set_yticks(list(heights.values()), [_place(*place) for place in heights], fontsize=7)
    return figure


def _place(start: int, kind: str, size: int) -> str:
    return f"start {start:,}" + ("" if kind == START else f" + {label_of(kind)} {size:,}")


def doses(grid: Grid) -> Figure | None:
    """Dose and response: every score by the biased share of a set, a line per start and size.

    None for a grid without a share between none and all. The band is that of Figure 1.
    """
    percents = {kind: kind_of(kind).biased_percent for kind in grid.kinds}
    percents = {kind: percent for kind, percent in percents.items() if percent is not None}
    if not set(percents.values()) - {0, 100}:
        return None
    table = summary(grid).reset_index()
    table = table[table["kind"].isin(percents)]
    table = table.assign(percent=table["kind"].astype(str).map(percents)).sort_values("percent")
    metrics = [metric for metric in grid.shown if metric.is_share]
    columns = min(4, len(metrics))
    size = (3 * columns, 0.9 + 2.4 * -(-len(metrics) // columns))
    figure, panels = pyplot.subplots(
        -(-len(metrics) // columns), columns, sharex=True, squeeze=False, figsize=size, layout="constrained"
    )
    for panel in panels.flat[len(metrics) :]:
        panel.remove()
    for panel, metric in zip(panels.flat, metrics):
        for number, ((start, rows), line) in enumerate(table.groupby(["start", "size"])):
            style, x = METRIC_STYLES[number % len(METRIC_STYLES)], line["percent"]
            panel.plot(x, line[f"{metric.name}.mean"], label=f"start {start:,}, sets of {rows:,} rows", **style)
            _band(panel, x, line, metric, style["color"])
        panel.set_title(one_line(metric.title), fontsize=9)
        panel.set_xticks(sorted(set(percents.values())))
    for panel in panels.flat[len(metrics) - columns : len(metrics)]:
        panel.tick_params(labelbottom=True)  # with the lowest row not full, some are not in it
    figure.supxlabel("percent of each label drawn biased", fontsize=9)
    note = f"band: 95% interval of the mean over {band_units(grid)}" if len(grid.axis("seed")) > 1 else None
    handles = panels.flat[0].get_legend_handles_labels()[0]
    figure.legend(handles=handles, loc="outside upper center", title=note, frameon=False)
    return figure


def subcases(grid: Grid) -> Figure | None:
    """Heat map: a row per place of the grid (mean over seeds), a column per subcase; None without predictions."""
    rows = [
        {**slice_, "name": name}
        for name, results in grid.results.items()
        for slice_ in results["slices"]
        if slice_["subcase"]
    ]
    if not rows:
        return None
    columns = ["label", "heuristic", "subcase"]
    places = grid.models.rename_axis("name").reset_index()[["name", "start", "kind", "size"]]
    slices = pd.DataFrame(rows)[["name", *columns, "accuracy"]].merge(places, on="name")
    slices["heuristic"] = pd.Categorical(slices["heuristic"], HEURISTICS)
    table = slices.pivot_table(index=["start", "kind", "size"], columns=columns, values="accuracy", observed=True)
    order = [place for place in summary(grid).index if place in table.index]
    table = table.loc[order]
    smallest = table.columns.to_frame(index=False).groupby(["label", "heuristic"], observed=True).size().min()
    width = max(0.36, 0.95 / smallest)  # inches: the names of the groups stand above their columns
    size = (3.2 + width * table.shape[1], 3.2 + 0.22 * len(table))
    figure, panel = pyplot.subplots(figsize=size, layout="constrained")
    image = panel.imshow(table, vmin=0, vmax=1, cmap="cividis", aspect="auto")
    panel.set_yticks(range(len(table)), [_place(*place) for place in table.index], fontsize=7)
    panel.set_xticks(range(table.shape[1]), [one_line(column[2]) for column in table.columns], rotation=90, fontsize=7)
    panel.grid(False)
    if table.size <= 2000:
        for (row, column), value in np.ndenumerate(table.to_numpy()):
            color = "white" if value < 0.55 else "black"
            panel.text(column, row, f"{100 * value:.0f}", ha="center", va="center", fontsize=5.5, color=color)
    _group_columns(panel, table.columns)
    figure.colorbar(image, ax=panel, label="accuracy (mean over seeds)", shrink=0.7)
    return figure


def _group_columns(panel: Axes, columns: pd.MultiIndex) -> None:
    """Name the label and heuristic of the columns above them, with a line between the groups."""
    groups = pd.Series(range(len(columns)), index=columns).groupby(level=["label", "heuristic"], observed=True)
    for (label, heuristic), at in groups:
        group = f"{heuristic.replace('_', ' ')}\n{one_line(label)}"
        panel.text(at.mean(), -0.7, group, ha="center", va="bottom", fontsize=7)
        if at.max() < len(columns) - 1:
            panel.axvline(at.max() + 0.5, color="white", linewidth=2)
