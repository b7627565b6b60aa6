"""README.md of a report: every number as text, and what it was measured with. It is the card of a static Space."""

from typing import Any

import pandas as pd
import yaml

from blindspots.artifacts.markdown import inline
from blindspots.config.analysis_recipes import ReportRecipe
from blindspots.report.claims_text import GATES, gates_markdown, verdicts_markdown
from blindspots.report.collect import Grid
from blindspots.report.findings import Findings
from blindspots.report.gates import Gate
from blindspots.report.table1 import ABOUT
from blindspots.report.tables import grid_table, markdown
from blindspots.report.verdicts import Claim

SPACE = {"sdk": "static", "app_file": "index.html"}
AGAIN = """\
`index.html` is the whole report. It is made from `predictions.parquet` (a line per model and row: predicted label and
probability of entailment in thousandths) and `lineage.jsonl` (a line per model and dataset: recipe, inputs, code,
hardware, file hashes), and can be made again from them:

    python scripts/report.py <this folder>/report.yaml --kept <this folder> --output_dir <another folder>
"""


def readme(
    recipe: ReportRecipe,
    grid: Grid,
    findings: Findings | None,
    comparisons: pd.DataFrame,
    table1: pd.DataFrame | None,
    claims: list[Claim],
    gates: list[Gate],
) -> str:
    """The text of README.md.

    Args:
        comparisons: from `tables.comparison_table`.
        table1: from `table1.shown_table1`, or None.
    """
    parts = [
        f"---\n{yaml.safe_dump({'title': recipe.title} | SPACE, sort_keys=False, allow_unicode=True, width=1000)}---",
        f"# {inline(recipe.title)}",
        findings_markdown(findings),
        "![Figure 1: accuracy by start and augmentation set](figure1.png)",
        conditions(grid) if grid.lineages else "The points were read off a figure: there are no predictions here.",
        AGAIN if grid.lineages else "",
        "## The paper's claims",
        verdicts_markdown(claims) + "\nRules, readings and notes: `claims.md`.",
        GATES,
        gates_markdown(gates),
    ]
    if len(comparisons):
        parts += ["## Kinds compared", markdown(comparisons)]
    parts += ["## All places of the grid", markdown(grid_table(grid))]
    if grid.measured:
        about = (
            "Both sides of lexical overlap: mean probability of the right class, AUROC and d' (ability), criterion "
            "(below 0: quick to say entailment)."
        )
        parts += [about, markdown(grid_table(grid, grid.measured))]
    if table1 is not None:
        parts += ["## Lexical overlap by label (Table 1)", ABOUT, markdown(table1)]
    return "\n\n".join(part.rstrip("\n") for part in parts if part) + "\n"


def findings_markdown(findings: Findings | None) -> str:
    """findings.md: what the numbers are of, the numbers, then a bullet per sentence; empty where there is none."""
    if findings is None:
        return ""
    sentences = (f"- {inline(sentence)}" for sentence in findings.sentences)
    return "\n".join([inline(findings.where), "", markdown(findings.table), *sentences]) + "\n"


def conditions(grid: Grid) -> str:
    """Models, rows, seeds, hardware, dates and code of what was measured."""
    models = list(grid.lineages.values())
    rows = ", ".join(f"{len(rows):,} of {grid.title(name)}" for name, rows in grid.tests.items())
    runs = [run for model in models for run in (model, *model.get("earlier_runs", []))]
    hours = sum(model.get("wall_time_s", 0) for model in models) / 3600
    lines = [
        f"{len(models)} models, seeds {_listed(grid.axis('seed'))}. Evaluated rows: {rows}.",
        f"Base: {_listed(base_models(models))}.",
        f"Hardware: {_listed({_machine(model.get('hardware') or {}) for model in models})}; {hours:.1f} hours of wall "
        "time in all jobs.",
        f"Made {_listed({str(model.get('finished'))[:10] for model in models})}; commit "
        f"{_listed({str(run.get('code_commit'))[:12] for run in runs})}.",
    ]
    if grid.missing:
        lines.append(f"Missing from the grid: {len(grid.missing)} models.")
    return "\n".join(f"- {inline(line)}" for line in lines)


def base_models(models: list[dict[str, Any]]) -> set[str]:
    """The models that the starts were tuned from, with their commits."""
    own = {model.get("artifact") for model in models}
    parents = [parent for model in models for parent in model.get("parents", []) if parent["role"] == "start"]
    return {
        parent["name"] + (f"@{parent['revision'][:12]}" if parent["revision"] else f" ({parent.get('artifact')})")
        for parent in parents
        if parent.get("artifact") not in own or parent.get("artifact") is None
    }


def _machine(hardware: dict[str, Any]) -> str:
    gpus = hardware.get("gpus") or []
    return f"{', '.join(gpus) or hardware.get('cpu', 'unknown')}, {hardware.get('cores', '?')} cores"


def _listed(values: Any) -> str:
    return ", ".join(map(str, sorted(values))) or "none"
