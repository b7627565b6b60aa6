"""The files of a report, written whole: made in a folder beside the final one, which it then replaces."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from matplotlib import pyplot

from blindspots.artifacts.files import write_json
from blindspots.artifacts.output_dir import local_inputs, whole_folder
from blindspots.config.analysis_recipes import GridRecipe, ReportRecipe
from blindspots.report import figures, tables
from blindspots.report.claims import claims
from blindspots.report.claims_text import claims_markdown
from blindspots.report.collect import Grid
from blindspots.report.contrasts import compared
from blindspots.report.findings import Findings, findings
from blindspots.report.flips import flips, shown_examples, texts
from blindspots.report.gates import gates
from blindspots.report.kept import EXAMPLES, LINEAGES, write_lines
from blindspots.report.page import write_page
from blindspots.report.raw_rows import RAW_ROWS
from blindspots.report.readme import findings_markdown, readme
from blindspots.report.table1 import shown_table1
from blindspots.report.verdicts import Claim

# The recipe of a report, by which it can be made again from its folder.
RECIPE = "report.yaml"
FILES = frozenset(
    "README.md both_sides.png claims.json claims.md comparisons.csv doses.png examples.jsonl figure1.png figure1.svg "
    "findings.md grid.csv grid.tex index.html learning_curve.png lineage.jsonl predictions.parquet raw_rows.jsonl "
    "report.yaml seed_spread.png subcases.png table1.csv table1.tex".split()
)


def strange_file(folder: Path) -> str | None:
    """A file of a folder that is not part of a report, None where all are."""
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir())
    return next((name for name in names if "claims.json" not in names or name not in FILES), None)


def inputs(recipe: ReportRecipe) -> dict[str, Path]:
    """The files and folders here that a recipe reads."""
    written = {f"synthetic {number}": name for number, name in enumerate(recipe.synthetic or [])}
    return local_inputs(dataclasses.asdict(recipe), written)


def write_report(
    recipe: ReportRecipe, grid: Grid, table1: pd.DataFrame | None, examples: Sequence[dict[str, Any]] = ()
) -> tuple[Findings | None, list[Claim]]:
    """Write every file of the report to `recipe.output_dir`; returns the findings and the judged claims.

    Args:
        table1: from `table1.table1`, None where its datasets are not named.
        examples: rows of these datasets, from `raw_rows.raw_rows`.

    Raises UserError where output_dir is a file or holds something else than a former report.
    """
    words = texts(recipe, grid)
    changed = {name: flips(grid, name, words) for name in grid.models.index}
    judged, readings, passed = claims(grid, table1), compared(grid), gates(grid)
    found, comparisons = findings(grid, readings), tables.comparison_table(readings)
    shown = None if table1 is None else shown_table1(table1)
    with whole_folder(recipe.output_dir, "report", strange_file, inputs(recipe)) as folder:
        write_kept(folder, recipe, grid, changed, examples)
        write_tables(folder, grid, comparisons, table1)
        write_figures(folder, recipe, grid)
        write_json(folder / "claims.json", [dataclasses.asdict(claim) for claim in judged], flat_objects=True)
        (folder / "claims.md").write_text(claims_markdown(judged, passed), encoding="utf-8")
        (folder / "findings.md").write_text(findings_markdown(found), encoding="utf-8")
        write_page(folder, recipe.title, grid, found, comparisons, shown, examples, judged, passed, changed)
        text = readme(recipe, grid, found, comparisons, shown, judged, passed)
        (folder / "README.md").write_text(text, encoding="utf-8")
    return found, judged


def write_kept(
    folder: Path, recipe: ReportRecipe, grid: Grid, changed: dict[str, Any], examples: Sequence[dict[str, Any]]
) -> None:
    """What the report can be made from again: its recipe, predictions, lineage, rows that changed and raw rows."""
    keys = [field.name for field in dataclasses.fields(GridRecipe)] + ["title"]
    keys += [key for key in ("points", "table1_counts") if getattr(recipe, key)]
    values = {key: getattr(recipe, key) for key in keys}
    (folder / RECIPE).write_text(yaml.safe_dump(values, sort_keys=False, allow_unicode=True), encoding="utf-8")
    grid.rows.write(folder)
    lines = [*grid.lineages.values(), *grid.datasets]
    for name, records in {LINEAGES: lines, EXAMPLES: shown_examples(changed), RAW_ROWS: examples}.items():
        if records:
            write_lines(folder / name, records)


def write_tables(folder: Path, grid: Grid, comparisons: pd.DataFrame, table1: pd.DataFrame | None) -> None:
    """grid.csv (a row per model), grid.tex (a row per place of the grid), comparisons.csv, table1.csv and .tex."""
    grid.models.rename_axis("model").to_csv(folder / "grid.csv", float_format="%.6g")
    comparisons.to_csv(folder / "comparisons.csv", index=False)
    shown = {"grid": tables.grid_table(grid)}
    if table1 is not None:
        table1.to_csv(folder / "table1.csv", index=False, float_format="%.6g")
        shown["table1"] = shown_table1(table1)
    for name, table in shown.items():
        (folder / f"{name}.tex").write_text(tables.latex(table), encoding="utf-8")


def write_figures(folder: Path, recipe: ReportRecipe, grid: Grid) -> None:
    """figure1.png and .svg, learning_curve.png; where they say something, both_sides, doses, seed_spread, subcases."""
    made = {"learning_curve.png": figures.learning_curve(grid)}
    made["figure1.png"] = made["figure1.svg"] = figures.figure1(grid, recipe.title, bool(recipe.points))
    if grid.measured:
        made["both_sides.png"] = figures.figure1(grid, "Both sides of lexical overlap", metrics=grid.measured)
    if len(grid.models) and len(grid.axis("seed")) > 1:
        made["seed_spread.png"] = figures.seed_spread(grid)
    may_be = {"doses.png": figures.doses(grid), "subcases.png": figures.subcases(grid)}
    made |= {name: figure for name, figure in may_be.items() if figure is not None}
    for name, figure in made.items():
        figures.save(figure, folder / name)
    pyplot.close("all")
    figures.add_titles(folder / "figure1.svg", grid)
