"""A comparison in Markdown, from what comparison.json holds: its page and card."""

from pathlib import PurePosixPath
from typing import Any

import yaml

from blindspots.artifacts.files import markdown_table
from blindspots.artifacts.markdown import Markdown, block, code, inline
from blindspots.audit.render import NOT_SHARES, NOTHING, cell, interval

TITLES = {
    "alpha": "Alpha",
    "agreement": "Agreement with a person",
    "matches": "Majority and minority",
    "distributions": "Distributions",
    "codes": "Are codes inverted?",
    "codes as published": "Are codes inverted? As published",
    "decided": "Decided pairs",
    "decided as published": "Decided pairs, codes as published",
    "cues": "Cues",
    "cues as published": "Cues, codes and method as published",
    "cues by the published method": "Cues by the published method, codes corrected",
    "signs": "Signs of faults",
    "lengths": "Lengths",
    "diversity": "Diversity",
    "duplicates": "Duplicates and leakage",
    "annotated": "Errors that people found",
    "rates": "Faults",
    "detectors": "How well faults are found",
    "success": "Success",
    "success and digression": "Success and digression",
    "judged": "Success and digression, as the paper judged it",
    "style": "Style",
    "flips": "Labels of the model by people's",
}
PREFACE = (
    "First-order comparison: the data as they are, before any training. Every number has a 95% interval in "
    "brackets, by unit: {units:,} units of what rows share. Beside a baseline stand its value and the difference."
)
HOW_JUDGED = (
    "Claims of Das et al. (2024), *Under the Surface* (arXiv 2401.14698), that these data bear on. Published: the "
    "paper's own number, where it gives one. As published, here: the same number by the paper's method on these "
    "data. Corrected: what decides; a claim is supported or contradicted where the whole interval lies on one side "
    "of 0, else undecided."
)


def markdown(comparison: dict[str, Any]) -> str:
    """The page of a comparison, with the metadata of a card."""
    data = comparison["dataset"]
    tags = ["synthetic-data", "first-order-comparison", comparison["data_type"]]
    front = yaml.safe_dump({"pretty_name": title(comparison), "tags": tags}, sort_keys=False)
    kind = comparison["data_type"].replace("_", " ")
    parts = [
        f"---\n{front}---",
        f"# {inline(title(comparison))}: {kind} of people and models",
        PREFACE.format(units=data["units"]),
        conditions(comparison),
        block(yaml.safe_dump(comparison["settings"], sort_keys=False, allow_unicode=True).strip(), "yaml"),
        "![The findings with their intervals](comparison.png)",
        "## Claims",
        HOW_JUDGED,
        markdown_table([claim_row(claim) for claim in comparison["claims"]]) or "None of them is about these data.",
        "## What a reader must know",
        "\n".join(f"- {inline(one)}" for one in (*comparison["limits"], f"Licence: {comparison['licence']}.")),
    ]
    for key, section in comparison["sections"].items():
        parts += [f"## {TITLES[key]}", *section_parts(section)]
    return "\n\n".join(part.rstrip("\n") for part in parts if part) + "\n"


def title(comparison: dict[str, Any]) -> str:
    """How a comparison is called."""
    return comparison["title"] or PurePosixPath(comparison["dataset"]["name"]).stem


def conditions(comparison: dict[str, Any]) -> str:
    """What was measured, by which code, where and when."""
    data, machine = comparison["dataset"], comparison["hardware"]
    alone = f" ({data['rows_without_unit']:,} rows have none and stand alone)" if data["rows_without_unit"] else ""
    rows = {
        "data": Markdown(f"{code(data['name'])}, {inline(data['split'])}, version {version(data)}"),
        "rows, units": f"{data['rows']:,}, {data['units']:,}{alone}",
        **{key: Markdown(f"{code(one['name'])}, version {version(one)}") for key, one in comparison["inputs"].items()},
        "code": code(comparison["code_commit"] or "unknown"),
        "measured": f"{comparison['date']} on {machine['cores']} cores of {machine['cpu']}",
    }
    return markdown_table([{"": name, "what": value} for name, value in rows.items()])


def version(data: dict[str, Any]) -> Markdown:
    """Hub commit of an input, or the start of its hash."""
    return code(data["revision"] or data["content_sha256"][:16])


def claim_row(claim: dict[str, Any]) -> dict[str, str]:
    """A claim as a row of a table."""
    unit = claim["unit"]
    repeated, corrected = claim["repeated"], claim["corrected"]
    shown = NOTHING if repeated is None else f"{interval(repeated, unit)} {claim['repeated_as']}"
    decides = NOTHING if corrected is None else f"{interval(corrected, unit, signed=True)} {claim['corrected_as']}"
    if claim["needed"] is not None:
        decides += f" {interval(claim['needed'], unit, signed=True)}"
    return {
        "claim": claim["statement"],
        "published": NOTHING if claim["published"] is None else number(claim["published"], unit),
        "as published, here": shown,
        "corrected": decides,
        "verdict": Markdown(f"**{claim['verdict']}**"),
        "what moved it": claim["moved_by"],
    }


def number(value: float, unit: str) -> str:
    """A published number in the unit of its interval."""
    return f"{100 * value:.1f}%" if unit == "share" else f"{value:.3g}"


def overview(comparisons: dict[str, dict[str, Any]]) -> str:
    """The claims of several comparisons in one table, but for those without a published and a corrected number.

    Args:
        comparisons: by the name of the folder that holds them, which the table links to.
    """
    rows = []
    for name, comparison in comparisons.items():
        for claim in comparison["claims"]:
            if claim["published"] is not None or claim["corrected"] is not None:
                link = Markdown(f"[{inline(title(comparison))}]({name})")
                rows.append({"data": link, **claim_row(claim)})
    return markdown_table(rows)


def section_parts(section: dict[str, Any]) -> list[str]:
    """The paragraphs of one section."""
    if "not_computed" in section:
        return [f"not computed: {inline(section['not_computed'].rstrip('.'))}."]
    parts = [section["about"], *map(inline, section["notes"])]
    parts.append(markdown_table([finding_row(finding, section["unit"]) for finding in section["findings"]]))
    for name, rows in section["tables"].items():
        if rows:
            shown = [{key: cell(value) for key, value in one.items()} for one in rows]
            parts += [f"**{inline(name)}**", markdown_table(shown)]
    return parts


def finding_row(finding: dict[str, Any], unit: str) -> dict[str, str]:
    """A finding as a row of a table."""
    reference, apart = finding["reference"], finding.get("difference")
    unit = "number" if finding["what"].startswith(NOT_SHARES) else unit
    return {
        "finding": finding["what"],
        "n": f"{finding['n']:,}",
        "value": interval(finding, unit),
        "beside": interval(reference, unit) if reference else NOTHING,
        "difference": interval(apart, unit, signed=True) if apart else NOTHING,
    }
