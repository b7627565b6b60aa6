"""An audit in Markdown, from what audit.json holds."""

from typing import Any

from blindspots.artifacts.files import markdown_table
from blindspots.artifacts.markdown import code, inline
from blindspots.config.errors import one_line
from blindspots.data.heuristics import WORD_RULES

# The few findings that tell most, in the order of the summary: section and start of the finding's name.
HEADLINES = (
    ("labels", "Jensen-Shannon divergence"),
    *(("heuristics", f"lexical_overlap, {words}, all") for words in WORD_RULES),
    *(("heuristics", f"lexical_overlap, {words}, entailment") for words in WORD_RULES),
    *(("heuristics", f"lexical_overlap, {words}: entailed among those") for words in WORD_RULES),
    ("lengths", "hypothesis, all"),
    ("overlap", "all"),
    ("overlap", "entailment"),
    ("overlap", "neutral"),
    ("diversity", "distinct-2"),
    ("diversity", "self-BLEU"),
    ("hypothesis only", "all"),
    ("duplicates", "within: same pair, normalised"),
    ("duplicates", "within: near duplicate"),
    ("duplicates", "in MNLI train: same premise"),
    ("duplicates", "in MNLI train: near duplicate"),
    ("duplicates", "in MNLI dev: near duplicate"),
    ("duplicates", "in HANS: near duplicate"),
    ("label noise", "agrees, all"),
    ("malformed", "hypothesis repeats the premise"),
)
TITLES = {
    "comparability": "Common words",
    "labels": "Label balance",
    "heuristics": "Heuristics of HANS",
    "lengths": "Lengths",
    "overlap": "Premise-hypothesis overlap",
    "diversity": "Diversity",
    "duplicates": "Duplicates and leakage",
    "hypothesis only": "Hypothesis-only accuracy",
    "n-grams": "N-grams tied to each label",
    "label noise": "Label noise",
    "malformed": "Malformed rows",
}
# Start of a note on labels that also stands below the summary.
SHARES_DIFFER = "The shares of labels differ from the reference's"
NOT_SHARES = ("Cramér's V", "Jensen-Shannon divergence", "self-BLEU")
NOTHING = "–"  # noqa: RUF001


def markdown(audit: dict[str, Any]) -> str:
    """The whole report, with headings of level 2 and 3 so that a card can hold it."""
    data, reference, sections = audit["dataset"], audit["reference"], audit["sections"]
    parts = [
        f"## First-order audit: {inline(data['name'])} against {inline(reference['name'])}",
        "The data as they are, before any training. Every number has a 95% interval in brackets; they treat rows as "
        "independent, which rows of one premise are not.",
        markdown_table(
            [
                {
                    "": role,
                    "name": code(one["name"]),
                    "split": one["split"],
                    "rows": f"{one['rows']:,}" + (f" of {one['of_rows']:,}" if "of_rows" in one else ""),
                    "labels": ", ".join(f"{label} {count:,}" for label, count in one["labels"].items()) or "none",
                    "version": code(one["revision"] or one["content_sha256"][:16]),
                }
                for role, one in (("dataset", data), ("reference", reference))
            ]
        ),
        "![Labels, heuristics, lengths, overlap, hypothesis-only accuracy and duplicates](audit.png)",
        "### At a glance",
        markdown_table([row(finding, name, TITLES[name]) for name, finding in headlines(sections)]),
        *[inline(note) for note in sections["labels"].get("notes", []) if note.startswith(SHARES_DIFFER)],
    ]
    for name, section in sections.items():
        parts += [f"### {TITLES[name]}", *section_parts(name, section)]
    settings = ", ".join(f"{key} {value}" for key, value in audit["settings"].items())
    parts.append(f"Settings: {inline(settings)}. The numbers in full: `audit.json`.")
    return "\n\n".join(part.rstrip("\n") for part in parts if part) + "\n"


def headlines(sections: dict[str, dict]) -> list[tuple[str, dict]]:
    """The findings of HEADLINES that are there, with the section of each."""
    return [
        (name, finding)
        for name, start in HEADLINES
        for finding in sections[name].get("findings", [])
        if finding["what"].startswith(start)
    ]


def section_parts(name: str, section: dict[str, Any]) -> list[str]:
    """The paragraphs of one section."""
    if "not_computed" in section:
        return [f"not computed: {inline(section['not_computed'].rstrip('.'))}."]
    parts = [
        section["about"],
        *map(inline, section["notes"]),
        markdown_table([row(finding, name) for finding in section["findings"]]),
    ]
    for title, rows in section["tables"].items():
        if rows:
            parts += [
                f"**{inline(title)}**",
                markdown_table([{key: cell(value) for key, value in one.items()} for one in rows]),
            ]
    return parts


def row(finding: dict[str, Any], section: str, title: str = "") -> dict[str, str]:
    """A finding as a row of a table."""
    unit = "words" if section == "lengths" else "number" if finding["what"].startswith(NOT_SHARES) else "share"
    reference = finding["reference"]
    shown = {
        "finding": f"{title}: {finding['what']}" if title else finding["what"],
        "n": f"{finding['n']:,}",
        "dataset": interval(finding, unit),
        "reference": interval(reference, unit) if reference else NOTHING,
    }
    if finding.get("ratio"):
        return shown | {"difference or ratio": f"× {interval(finding['ratio'], 'ratio')}"}  # noqa: RUF001
    apart = finding.get("difference")
    return shown | {"difference or ratio": interval(apart, unit, signed=True) if apart else NOTHING}


def interval(value: dict[str, Any], unit: str, signed: bool = False) -> str:
    """An estimate and its limits: a share in percent (a difference of shares in points), anything else as it is."""
    numbers = [value[key] for key in ("estimate", "low", "high")]
    sign = "+" if signed else ""
    if unit == "share":
        digits = 2 if max((abs(x) for x in numbers if x is not None), default=1) < 0.1 else 1
        shown = [NOTHING if x is None else f"{100 * x:{sign}.{digits}f}" for x in numbers]
        symbol = " pp" if signed else "%"
    else:
        digits = {"words": 2, "ratio": 2, "number": 4}[unit]
        shown, symbol = [NOTHING if x is None else f"{x:{sign}.{digits}f}" for x in numbers], ""
    return f"{shown[0]}{symbol} [{shown[1]}, {shown[2]}]"


def cell(value: Any) -> str:
    """A value of a table as text, which is cut."""
    if value is None:
        return NOTHING
    if isinstance(value, float):
        return f"{value:.2f}"
    text = f"{value:,}" if isinstance(value, int) else one_line(value)
    return text if len(text) <= 160 else text[:159] + "…"


def overview(audits: dict[str, dict[str, Any]]) -> str:
    """A column per dataset, a row per finding of HEADLINES: the first audit's reference, then each dataset's value.

    In parentheses is how far that is from the reference as the dataset's own audit measures it.

    Args:
        audits: by the name that the column gets; all against the same reference.
    """
    rows: dict[str, dict[str, str]] = {}
    for name, audit in audits.items():
        for section, finding in headlines(audit["sections"]):
            shown = row(finding, section, TITLES[section])
            first = {"finding": shown["finding"], "reference": shown["reference"]}
            apart = shown["difference or ratio"].split(" [")[0]
            value = shown["dataset"] + ("" if apart == NOTHING else f" ({apart})")
            rows.setdefault(shown["finding"], first)[name] = value
    return markdown_table(
        [{key: one.get(key, NOTHING) for key in ("finding", "reference", *audits)} for one in rows.values()]
    )
