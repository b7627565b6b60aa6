"""A comparison as one figure: a panel per section, from what comparison.json holds."""

from typing import Any

from matplotlib import pyplot
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from blindspots.audit.figure import DATASET, FONT, REFERENCE, dots
from blindspots.config.errors import one_line
from blindspots.sources.render import TITLES, title

MOST_PANELS = 4


def figure(comparison: dict[str, Any]) -> Figure:
    """The findings of the first sections with their intervals, and what stands beside them."""
    sections = {name: one for name, one in comparison["sections"].items() if one.get("findings")}
    panels = list(sections.items())[:MOST_PANELS]
    sizes = [3 + len(section["findings"]) for _, section in panels] or [1]
    with pyplot.rc_context(FONT):
        figsize = (8, 0.5 + 0.17 * sum(sizes))
        made, axes = pyplot.subplots(len(sizes), figsize=figsize, height_ratios=sizes, layout="constrained")
        for axis, (name, section) in zip(made.axes, panels):
            findings = section["findings"]
            dots(axis, findings, [one_line(one["what"]) for one in findings], percent=section["unit"] == "share")
            if section["unit"] == "share":
                axis.xaxis.set_major_formatter(PercentFormatter(1))  # with as many decimals as its ticks need
            axis.set_title(TITLES[name], loc="left", fontweight="bold")
            axis.grid(axis="both", color="0.92")
            axis.set_axisbelow(True)
        if not panels:
            axes.set_axis_off()
        styles = [{key: style[key] for key in ("color", "marker")} for style in (DATASET, REFERENCE)]
        handles = [pyplot.Line2D([], [], linestyle="", **style) for style in styles]
        made.legend(
            handles, [one_line(title(comparison)), "beside it"], loc="outside upper center", ncols=2, frameon=False
        )
    return made
