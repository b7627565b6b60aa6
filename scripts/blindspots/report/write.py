"""The files of a report, written whole: made in a folder beside the final one, which it then replaces."""

import dataclasses
import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib import pyplot

from blindspots.errors import UserError
from blindspots.lineage import hash_json
from blindspots.recipes import ReportRecipe
from blindspots.report import figures, tables
from blindspots.report.claims import Claim, claims
from blindspots.report.claims_text import claims_markdown, verdicts_markdown
from blindspots.report.collect import AUROCS, METRICS, Grid
from blindspots.report.flips import flips, texts
from blindspots.report.page import write_page

# What makes a folder a static Space.
SPACE_CARD = """\
---
title: {title!r}
sdk: static
app_file: index.html
---

`index.html` is the whole report; `grid.*`, `table1.*`, `claims.*` and the figures are its parts as files. Made by
`scripts/report.py`.
"""


@contextmanager
def replaced_whole(folder: Path) -> Iterator[Path]:
    """Yield an empty folder that takes the place of `folder` when the block ends without an error.

    Raises UserError where `folder` is a file or holds something that is no report.
    """
    if folder.is_file():
        raise UserError(f"output_dir {folder} is a file; name a folder.")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / "results.json").is_file():
        raise UserError(f"output_dir {folder} holds files that are no report; name an empty or a new folder.")
    work = folder.absolute().parent / f".{folder.name}.work"
    shutil.rmtree(work, ignore_errors=True)
    (work / "new").mkdir(parents=True)
    yield work / "new"
    if folder.exists():
        folder.rename(work / "old")
    (work / "new").rename(folder)
    shutil.rmtree(work)


def write_report(recipe: ReportRecipe, grid: Grid, table1: pd.DataFrame | None) -> list[Claim]:
    """Write every file of the report to `recipe.output_dir`; returns the judged claims.

    Args:
        table1: from `tables.table1`, None where its datasets are not named.
    """
    words = texts(recipe, grid)
    changed = {name: flips(grid, name, words) for name in grid.models.index}
    judged = claims(grid, table1)
    with replaced_whole(Path(recipe.output_dir)) as folder:
        write_tables(folder, grid, table1)
        write_figures(folder, recipe, grid)
        write_json(folder / "results.json", {"models": results(grid), "missing": grid.missing, "others": grid.others})
        write_json(folder / "claims.json", [dataclasses.asdict(claim) for claim in judged])
        (folder / "claims.md").write_text(claims_markdown(judged), encoding="utf-8")
        (folder / "verdicts.md").write_text(verdicts_markdown(judged), encoding="utf-8")
        for name in grid.results:
            (folder / "cells").mkdir(exist_ok=True)
            write_json(folder / "cells" / f"{name}.json", {**grid.results[name], "changed": changed[name]})
        shown = None if table1 is None else tables.shown_table1(table1)
        write_page(folder, recipe.title, grid, shown, judged, changed)
        (folder / "README.md").write_text(SPACE_CARD.format(title=recipe.title), encoding="utf-8")
    return judged


# An object of plain values, indented.
_FLAT = re.compile(r"\{\n\s+([^{}\[\]]*?)\n\s+\}")


def write_json(file: Path, value: Any) -> None:
    """Write JSON for a reader and a diff: indented, an object of plain values on one line, nan as null."""
    text = json.dumps(_plain(value), indent=1, ensure_ascii=False, allow_nan=False)
    # A line break in the text of JSON is never part of a string.
    text = _FLAT.sub(lambda match: "{" + re.sub(r"\n\s+", " ", match[1]) + "}", text)
    file.write_text(text + "\n", encoding="utf-8")


def _plain(value: Any) -> Any:
    """The value with nan and infinity as None."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and value - value != 0 else value


def results(grid: Grid) -> list[dict[str, Any]]:
    """One entry a model: its place in the grid, scores, evaluated rows, hardware, wall time and lineage hash."""
    entries = []
    for name, row in zip(grid.models.index, grid.models.to_dict("records")):
        lineage = grid.lineages.get(name, {})
        entries.append(
            {
                "model": name,
                **{key: row[key] for key in ("start", "kind", "size", "seed", *METRICS, *AUROCS)},
                "rows": {test_set: len(rows) for test_set, rows in grid.tests.items()},
                "trained_on_rows": lineage.get("row_counts", {}).get("trained on"),
                "hardware": lineage.get("hardware"),
                "wall_time_s": lineage.get("wall_time_s"),
                "content_sha256": lineage.get("content_sha256"),
                "lineage_sha256": hash_json(lineage) if lineage else None,
            }
        )
    return entries


def write_tables(folder: Path, grid: Grid, table1: pd.DataFrame | None) -> None:
    """grid.csv (a row a model), grid.md and grid.tex (a row a place of the grid), table1.csv, .md and .tex."""
    grid.models.rename_axis("model").to_csv(folder / "grid.csv", float_format="%.6g")
    shown = {"grid": tables.grid_table(grid.models)}
    if table1 is not None:
        table1.to_csv(folder / "table1.csv", index=False, float_format="%.6g")
        shown["table1"] = tables.shown_table1(table1)
    for name, table in shown.items():
        (folder / f"{name}.md").write_text(tables.markdown(table), encoding="utf-8")
        (folder / f"{name}.tex").write_text(tables.latex(table), encoding="utf-8")


def write_figures(folder: Path, recipe: ReportRecipe, grid: Grid) -> None:
    """figure1.png and .svg, learning_curve.png, and, where they say something, seed_spread.png and subcases.png."""
    made = {"learning_curve.png": figures.learning_curve(grid)}
    made["figure1.png"] = made["figure1.svg"] = figures.figure1(grid, recipe.title, bool(recipe.points))
    if len(grid.models) and len(grid.axis("seed")) > 1:
        made["seed_spread.png"] = figures.seed_spread(grid)
    if (heat_map := figures.subcases(grid)) is not None:
        made["subcases.png"] = heat_map
    for name, figure in made.items():
        figures.save(figure, folder / name)
    pyplot.close("all")
    figures.add_titles(folder / "figure1.svg", grid)
