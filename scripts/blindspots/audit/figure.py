"""The audit as one figure of six panels, from what audit.json holds.

Colours are Okabe and Ito's; dataset and reference also differ in marker and hatching.
"""

from collections.abc import Callable
from typing import Any

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator, PercentFormatter, StrMethodFormatter

from blindspots.audit.render import TITLES
from blindspots.config.errors import one_line
from blindspots.data.heuristics import RAW, STRIPPED, SUBSTRING

DATASET, REFERENCE = STYLES = (
    {"color": "#E69F00", "marker": "o", "hatch": ""},
    {"color": "#0072B2", "marker": "s", "hatch": "///"},
)
FONT = {"font.size": 8}
matplotlib.rcParams["text.parse_math"] = False  # a name with $ is no formula
# A ratio of 0 has no place on a logarithmic axis.
LEAST_RATIO = 1e-3


def figure(audit: dict[str, Any]) -> Figure:
    """Label shares, S:O ratios, hypothesis lengths, overlap, hypothesis-only accuracy, duplicates."""
    names = [one_line(audit[role]["name"]) for role in ("dataset", "reference")]
    panels: dict[str, Callable[[Axes, dict], None]] = {
        "labels": labels,
        "heuristics": heuristics,
        "lengths": lengths,
        "overlap": overlap,
        "hypothesis only": hypothesis_only,
        "duplicates": duplicates,
    }
    with pyplot.rc_context(FONT):
        made, axes = pyplot.subplots(2, 3, figsize=(11, 6.4), layout="constrained")
        for axis, (name, draw) in zip(axes.flat, panels.items()):
            section = audit["sections"][name]
            axis.set_title(TITLES[name], loc="left", fontweight="bold")
            if "not_computed" in section:
                axis.text(0.5, 0.5, "not computed", ha="center", va="center", transform=axis.transAxes, color="0.4")
                axis.set_axis_off()
                continue
            draw(axis, section)
            axis.grid(axis="both", color="0.92")
            axis.set_axisbelow(True)
        handles = [
            pyplot.Line2D([], [], color=style["color"], marker=style["marker"], linestyle="") for style in STYLES
        ]
        made.legend(handles, names, loc="outside upper center", ncols=2, frameon=False)
    return made


def dots(axis: Axes, findings: list[dict], names: list[str], percent: bool = True) -> None:
    """Value and reference of each finding with their intervals, one below the other."""
    for offset, style, key in ((0.15, DATASET, None), (-0.15, REFERENCE, "reference")):
        there = [(row, one[key] if key else one) for row, one in enumerate(findings) if key is None or one[key]]
        for row, one in there:
            bar(axis, len(findings) - 1 - row + offset, one, style)
    _rows(axis, names)
    if percent:
        axis.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))


def bar(axis: Axes, y: float, value: dict, style: dict) -> None:
    """A point with its interval."""
    low, high = (value["estimate"] if value[key] is None else value[key] for key in ("low", "high"))
    axis.plot([low, high], [y, y], color=style["color"], linewidth=1.4)
    axis.plot([value["estimate"]], [y], color=style["color"], marker=style["marker"], markersize=5, linestyle="")


def _rows(axis: Axes, names: list[str]) -> None:
    axis.set_yticks(range(len(names)), names[::-1])
    axis.set_ylim(-0.6, len(names) - 0.4)


def labels(axis: Axes, section: dict) -> None:
    """Share of each label."""
    shares = [one for one in section["findings"] if not one["what"].startswith(("Cramér", "Jensen"))]
    dots(axis, shares, [one["what"] for one in shares])
    axis.set_xlabel("share of labelled rows")
    axis.set_xlim(0, 1.1 * max(one["high"] for one in shares))


def heuristics(axis: Axes, section: dict) -> None:
    """Ratio of the rates by label, log axis, by both rules of words (raw: full, stripped: open marks).

    Where the reference has none there is no point, and a mark at the lower limit.
    """
    ratios = {one["what"]: one["ratio"] for one in section["findings"] if one.get("ratio")}
    names = [name for name in ratios if ", raw, " in name and not name.startswith(SUBSTRING)]
    for row, name in enumerate(names):
        for offset, rule, fill in ((0.15, RAW, DATASET["color"]), (-0.15, STRIPPED, "white")):
            ratio = ratios[name.replace(f", {RAW}, ", f", {rule}, ")]
            y, style = len(names) - 1 - row + offset, {"color": DATASET["color"], "markerfacecolor": fill}
            if ratio["high"] is None:
                axis.plot([ratio["low"]], [y], marker=">", markersize=5, **style)
                continue
            axis.plot([max(ratio["low"], LEAST_RATIO), ratio["high"]], [y, y], color=style["color"], linewidth=1.4)
            if ratio["estimate"]:
                axis.plot([ratio["estimate"]], [y], marker="o", markersize=5, **style)
    _rows(axis, [name.replace(", raw,", ",").replace("lexical_overlap", "LO") for name in names])
    axis.axvline(1, color=REFERENCE["color"], linestyle="--", linewidth=1)
    axis.set_xscale("log")
    axis.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axis.xaxis.set_minor_formatter("")
    axis.set_xlabel("rate / reference's rate (words raw: full, stripped: open)")


def lengths(axis: Axes, section: dict) -> None:
    """5, 25, 50, 75 and 95% quantiles of the words of each text."""
    places, names = [], []
    for title, rows in section["tables"].items():
        for one, style in zip(rows, STYLES):
            places.append((one, style))
            names.append(title.split()[3].rstrip(",") if style is DATASET else "")
    for row, (one, style) in enumerate(places):
        stats = {"whislo": one["5%"], "q1": one["25%"], "med": one["median"], "q3": one["75%"], "whishi": one["95%"]}
        box = axis.bxp(
            [stats],
            positions=[len(places) - 1 - row],
            orientation="horizontal",
            widths=0.6,
            showfliers=False,
            patch_artist=True,
            medianprops={"color": "black"},
        )
        box["boxes"][0].set(facecolor=style["color"], alpha=0.8, hatch=style["hatch"])
    _rows(axis, names)
    axis.set_xlabel("words per text (whiskers: 5% and 95%)")


def overlap(axis: Axes, section: dict) -> None:
    """Mean share of hypothesis words in the premise."""
    dots(axis, section["findings"], [one["what"] for one in section["findings"]])
    axis.set_xlabel("share of the hypothesis' words in the premise")


def hypothesis_only(axis: Axes, section: dict) -> None:
    """Accuracy without the premise, and chance."""
    dots(axis, section["findings"], [one["what"] for one in section["findings"]])
    axis.axvline(section["details"]["chance"], color="0.4", linestyle=":", linewidth=1.2)
    axis.set_xlabel("accuracy without the premise (dotted: chance)")


def duplicates(axis: Axes, section: dict) -> None:
    """Rows that occur again, within the set and in the others."""
    wanted = ("within: same pair, normalised", "within: near", "in MNLI", "in HANS")
    found = [one for one in section["findings"] if one["what"].startswith(wanted)]
    found = [one for one in found if not one["what"].endswith(("letter by letter", "same hypothesis, normalised"))]
    dots(axis, found, [one["what"].replace(", normalised", "").replace(" of another row", "") for one in found])
    axis.set_xscale("symlog", linthresh=1e-3)
    axis.set_xlim(0, 1)
    axis.set_xticks([0, 1e-3, 1e-2, 1e-1, 1], ["0", "0.1%", "1%", "10%", "100%"])
    axis.xaxis.set_minor_locator(NullLocator())
    axis.set_xlabel("share of rows")
