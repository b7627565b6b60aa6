"""A check as lines for the terminal, as JSON and as one static page that needs no network."""

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

from blindspots.artifacts.files import write_json
from blindspots.artifacts.output_dir import whole_folder
from blindspots.audit.render import TITLES as AUDIT_TITLES
from blindspots.audit.render import headlines, row
from blindspots.check.explain import Removal
from blindspots.check.run import CheckResult, SetResult
from blindspots.check.sequential import HARMS, NO_HARM, UNDECIDED, HeadlineVerdict
from blindspots.report.contrasts import Reading
from blindspots.report.page import templates
from blindspots.report.tables import accuracy

FILES = {"index.html", "verdict.json"}
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src 'self'; base-uri 'none'; form-action 'none'"
PAGE = templates(Path(__file__).parent).get_template("check.html.j2")
# The classes of a verdict in the style of the pages.
MARKS = {NO_HARM: "supported", UNDECIDED: "undecided"}


def shown_verdict(line: HeadlineVerdict) -> str:
    """The verdict of a headline, and what would decide it."""
    if line.decided_at:
        return f"{line.verdict} (at {line.decided_at} seeds)"
    if not line.room:
        return f"{line.verdict}: on original rows it lies within the margin of 0, so that harm could not be seen"
    if line.more_seeds is None:
        return f"{line.verdict}: the difference lies at the margin, and no sensible number of seeds would tell"
    return f"{line.verdict}, needs about {line.more_seeds} more seed{'s' if line.more_seeds > 1 else ''}"


def cells(line: HeadlineVerdict, titles: dict[str, str]) -> dict[str, str]:
    """A headline as a row of a table."""
    return {
        "headline": titles[line.metric],
        "tuned on the set": accuracy(line.mean),
        "on original rows": accuracy(line.original_mean),
        "difference": f"{line.estimate:+.3f}",
        "interval": f"{line.low:+.3f} to {line.high:+.3f}",
        "harmed below": f"{-line.margin:+.3f}",
        "verdict": shown_verdict(line),
    }


def beside_cells(reading: Reading) -> dict[str, str]:
    """What is not judged, as a row of a table."""
    known = reading.low is not None
    return {
        "measure": reading.title,
        "tuned on the set": f"{reading.first_mean:.3f}",
        "on original rows": f"{reading.second_mean:.3f}",
        "difference": f"{reading.estimate:+.3f}",
        "95% interval": f"{reading.low:+.3f} to {reading.high:+.3f}" if known else "",
    }


def lines(result: CheckResult) -> list[str]:
    """The verdicts as lines of text."""
    found = []
    for one in with_control(result):
        found.append(f"{one.name}: {one.verdict}")
        for line in one.headlines:
            shown = cells(line, result.titles)
            against = f"{shown['tuned on the set']} against {shown['on original rows']}"
            found.append(
                f"  {shown['headline']}: {against}, {shown['difference']} ({shown['interval']}), harmed below "
                f"{shown['harmed below']}: {shown['verdict']}"
            )
        if one.moved:
            found.append(f"  {one.moved}")
    return found + ([control_note(result)] if result.planted else [])


def removal_cells(removal: Removal, titles: dict[str, str]) -> dict[str, str]:
    """What leaving out a group does, as a row of a table."""
    return {
        "without": removal.group,
        "rows left out": f"{removal.rows:,}",
        "headline": titles[removal.metric],
        "whole set": accuracy(removal.whole),
        "without them": accuracy(removal.without),
        "difference": f"{removal.estimate:+.3f}",
        "interval": f"{removal.low:+.3f} to {removal.high:+.3f}",
        "p, corrected": f"{removal.p:.3f}",
    }


def blame(one: SetResult) -> str:
    """Which groups are to blame, in a sentence or two; empty where that was not asked."""
    if one.explained is None:
        return ""
    first, *others = dict.fromkeys(removal.group for removal in one.explained.removals if removal.helps) or [None]
    if first is None:
        return f"No group of rows was found to do harm over {one.explained.seeds} seeds."
    also = f" They gain less per row left out without: {'; '.join(others)}." if others else ""
    return f"Models are significantly better without one group: {first}.{also}"


def explanation_lines(result: CheckResult) -> list[str]:
    """What was found of the rows that do harm, as lines of text."""
    found = []
    for one in result.sets:
        found.append(f"{one.name}: {blame(one)}")
        for removal in one.explained.removals:
            shown = removal_cells(removal, result.titles)
            found.append(
                f"  without {removal.group} ({removal.rows:,} rows): {shown['headline']} {shown['difference']} "
                f"({shown['interval']})"
            )
        found += [f"  {group}: not tried: {why}" for group, why in one.explained.not_tried.items()]
        found += [f"  the set without that group: {one.cleaned}"] if one.cleaned else []
    return found


def with_control(result: CheckResult) -> list[SetResult]:
    """The sets, then the planted bias where there is one."""
    return [*result.sets, *([result.planted] if result.planted else [])]


def control_note(result: CheckResult) -> str:
    """What the planted bias says of the check itself; empty without."""
    if result.planted is None:
        return ""
    if result.planted.verdict == HARMS:
        return "The planted bias was found: a check of these seeds can see harm of its size."
    return "The planted bias was not found by now, so that this check could overlook harm of its size."


def record(result: CheckResult) -> dict[str, Any]:
    """What verdict.json holds."""
    values = dataclasses.asdict(result)
    titles = values.pop("titles")
    for one in [*values["sets"], *filter(None, [values["planted"]])]:
        for line in one["headlines"]:
            line["title"] = titles[line["metric"]]
    return {"verdict": result.verdict, **values}


def write_check(folder: Path, result: CheckResult) -> None:
    """Write page, verdict and audits in place of what the folder held of a former check."""
    with whole_folder(folder, "check", strange_file) as new:
        for one in result.sets:
            if one.audit:
                shutil.copytree(one.audit, new / f"audit-{one.kind}")
        write_json(new / "verdict.json", record(result))
        (new / "index.html").write_text(page(result), encoding="utf-8")


def page(result: CheckResult) -> str:
    """The text of index.html."""
    titles = result.titles
    return PAGE.render(
        policy=POLICY,
        result=result,
        recipe=result.recipe,
        sets=with_control(result),
        names=", ".join(one.name for one in result.sets),
        marks=MARKS,
        control=control_note(result),
        headline_rows=lambda one: [cells(line, titles) for line in one.headlines],
        beside_rows=lambda one: list(map(beside_cells, one.beside)),
        removal_rows=lambda one: [removal_cells(removal, titles) for removal in one.explained.removals],
        audit_rows=audit_rows,
        blame=blame,
    )


def audit_rows(folder: str) -> list[dict[str, str]]:
    """The findings of an audit that tell most."""
    sections = json.loads(Path(folder, "audit.json").read_text("utf-8"))["sections"]
    return [row(finding, name, AUDIT_TITLES[name]) for name, finding in headlines(sections)]


def strange_file(folder: Path) -> str | None:
    """A file of a folder that is not part of a check, None where all are."""
    names = sorted(path.name for path in folder.iterdir())
    own = "verdict.json" in names
    return next(
        (name for name in names if not own or (name not in FILES and not name.startswith("audit-"))),
        None,
    )
