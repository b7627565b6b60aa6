"""index.html: the report as one static page that needs no network, no server and no other file."""

import base64
import gzip
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from blindspots.artifacts.lineage import without_placement
from blindspots.data.kinds import label_of
from blindspots.data.test_sets import Headline
from blindspots.report.claims_text import GATES, PREFACE, readings_table
from blindspots.report.collect import Grid
from blindspots.report.findings import Findings
from blindspots.report.gates import Gate
from blindspots.report.raw_rows import COLUMNS
from blindspots.report.table1 import ABOUT
from blindspots.report.verdicts import Claim

HERE = Path(__file__).parent
PICTURES = {
    "doses.png": "Dose and response: scores by the share of a synthetic set that is biased",
    "both_sides.png": "Both sides of lexical overlap: mean probability of the right class, ability and threshold",
    "learning_curve.png": "The starts by rows of MNLI",
    "seed_spread.png": "Spread over seeds",
    "subcases.png": "HANS by subcase, in percent",
}
NUMBERS = ("n", "accuracy", "low", "high")
# The page loads nothing, and runs the one script whose hash is here.
POLICY = (
    "default-src 'none'; script-src 'sha256-{hash}'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
    "form-action 'none'"
)
# Of a lineage the page shows all but what it shows elsewhere.
SHOWN_ELSEWHERE = ("model", "recipe", "files")


def templates(folder: Path = HERE) -> Environment:
    """The templates of a folder, and of this one; whatever they are filled with is escaped."""
    loader = FileSystemLoader([folder, HERE])
    return Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined)


def write_page(
    folder: Path,
    title: str,
    grid: Grid,
    findings: Findings | None,
    comparisons: pd.DataFrame,
    table1: pd.DataFrame | None,
    examples: Sequence[dict[str, Any]],
    claims: list[Claim],
    gates: list[Gate],
    changed: dict[str, Any],
) -> None:
    """Write folder/index.html from what the folder already holds and from the models' details.

    Args:
        findings: from `findings.findings`.
        comparisons: from `tables.comparison_table`.
        table1: from `table1.shown_table1`, or None.
        examples: from `raw_rows.raw_rows`.
        changed: by model, from `flips.flips`.
    """
    environment = templates()
    script = Path(__file__).with_name("page.js").read_text(encoding="utf-8")
    svg = (folder / "figure1.svg").read_text(encoding="utf-8")
    titles = {metric.name: metric.title for metric in grid.shown}
    models = {name: details(grid, name, changed.get(name)) for name in grid.models.index}
    page = environment.get_template("page.html.j2").render(
        policy=POLICY.format(hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()),
        script=script,
        title=title,
        metrics=titles,
        gates=gates,
        about_gates=GATES,
        findings=findings,
        comparisons=comparisons,
        figure=svg[svg.index("<svg") :],
        pictures=[
            (caption, _embedded(folder / file)) for file, caption in PICTURES.items() if (folder / file).is_file()
        ],
        table1=table1,
        about_table1=ABOUT,
        examples=_by_generator(examples),
        claims=[(claim, readings_table(claim)) for claim in claims],
        preface=PREFACE,
        tests={grid.title(name): len(rows) for name, rows in grid.tests.items()},
        missing=grid.missing,
        others=grid.others,
        models=[model(grid, name) for name in grid.models.index],
        details=_packed({"metrics": titles, "models": models}),
    )
    (folder / "index.html").write_text(page, encoding="utf-8")


def _by_generator(examples: Sequence[dict[str, Any]]) -> dict[str, pd.DataFrame]:
    """The raw rows of each generator as a table."""
    rows = pd.DataFrame(examples, columns=list(COLUMNS))
    return {name: part.drop(columns="generator") for name, part in rows.groupby("generator", sort=False)}


def _embedded(picture: Path) -> str:
    return f"data:image/png;base64,{base64.b64encode(picture.read_bytes()).decode()}"


def _packed(value: Any) -> str:
    """JSON, gzipped, in base64: hundreds of models fit into a page that a browser opens at once."""
    return base64.b64encode(gzip.compress(json.dumps(value).encode(), mtime=0)).decode()


def model(grid: Grid, name: str) -> dict[str, Any]:
    """One row of the page's grid; a metric that was not evaluated is None."""
    row = grid.models.loc[name]
    overall = {
        slice_["test_set"]: slice_
        for slice_ in grid.results.get(name, {}).get("slices", [])
        if not any(value for key, value in slice_.items() if key not in ("test_set", *NUMBERS))
    }
    return {
        "name": name,
        "start": int(row["start"]),
        "kind": label_of(row["kind"]),
        "size": int(row["size"]),
        "seed": int(row["seed"]),
        "place": f"{row['start']} {row['kind']} {row['size']}",
        "values": [_value(metric, row[metric.name], overall.get(metric.name)) for metric in grid.shown],
    }


def _value(metric: Headline, value: float, overall: dict[str, Any] | None) -> dict[str, Any]:
    """A number of a model's row; one that is no share has no bar."""
    known = None if value != value else float(value)
    return {"value": known, "hover": _hover(overall), "bar": metric.is_share}


def _hover(overall: dict[str, Any] | None) -> str:
    if overall is None:
        return ""
    return f"{overall['n']:,} rows, 95% interval over rows {overall['low']:.3f} to {overall['high']:.3f}"


def details(grid: Grid, name: str, changed: dict[str, Any] | None) -> dict[str, Any]:
    """What a click on a model shows: slices, AUROCs, recipe, lineage, changed rows."""
    results, whole = grid.results.get(name, {}), grid.lineages.get(name, {})
    lineage = {key: value for key, value in whole.items() if key not in SHOWN_ELSEWHERE}
    slices = [list(slice_.values()) for slice_ in results.get("slices", [])]
    scores = [
        [row["test_set"], row["heuristic"], row["n"], row["auroc"]]
        for row in results.get("scores", [])
        if row["auroc"] is not None
    ]
    return {
        "keys": list(results["slices"][0]) if slices else [],
        "slices": [[round(value, 4) if isinstance(value, float) else value for value in row] for row in slices],
        "scores": [[*row[:3], round(row[3], 4)] for row in scores],
        "recipe": _yaml(without_placement(whole.get("recipe", {}))),
        "lineage": _yaml(lineage),
        "changed": changed,
    }


def _yaml(value: Any) -> str:
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=100) if value else ""
