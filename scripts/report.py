"""Report on a grid from its predictions alone: Figure 1, Table 1, the grid, the claims and a page.

python scripts/report.py recipes/demo/grid.yaml --models outputs/demo/models --original outputs/demo/mnli \
    --synthetic outputs/demo/synthetic --output_dir outputs/demo/report
"""

from pathlib import Path

from blindspots.config.analysis_recipes import ReportRecipe
from blindspots.config.errors import RecipeError, one_line
from blindspots.config.parser import parse_recipe
from blindspots.config.processes import run_script
from blindspots.data.test_sets import named_test_sets
from blindspots.grid import check_axes


def check(recipe: ReportRecipe) -> None:
    """Raise RecipeError where it is not clear what to report on."""
    if (recipe.points is None) == (recipe.models is None and recipe.kept is None):
        raise RecipeError(
            "Give models (a folder of model artifacts), kept (an earlier report) or both, or else points (a CSV)."
        )
    if (recipe.original is None) != (recipe.synthetic is None):
        raise RecipeError("Table 1 compares two datasets; name both original and synthetic, or neither.")
    if recipe.original and recipe.table1_counts:
        raise RecipeError("Table 1 is given twice, by original and synthetic and by table1_counts; keep one.")
    if recipe.synthetic and len(recipe.synthetic) != max(1, len(recipe.generators)):
        raise RecipeError(
            f"synthetic names {len(recipe.synthetic)} datasets and the grid has {max(1, len(recipe.generators))} "
            "generators; name what each of them wrote, in their order."
        )
    if not recipe.models and (named := named_test_sets(recipe)):
        raise RecipeError(f"{named[0].key} has no effect without models: a report that is kept has its own texts.")
    if not recipe.points:
        check_axes(recipe)


def main() -> None:
    (recipe,) = parse_recipe(ReportRecipe)
    check(recipe)
    from blindspots.artifacts.inputs import fetch
    from blindspots.artifacts.output_dir import checked_output, locked
    from blindspots.data.nli_datasets import pool_pairs
    from blindspots.report.collect import read_grid
    from blindspots.report.points import read_points
    from blindspots.report.raw_rows import raw_rows, read_raw_rows
    from blindspots.report.readme import findings_markdown
    from blindspots.report.table1 import heuristic_counts, read_counts, table1
    from blindspots.report.tables import grid_table, markdown
    from blindspots.report.write import inputs, strange_file, write_report

    with locked(recipe.output_dir):
        checked_output(recipe.output_dir, "report", strange_file, inputs(recipe))
    grid = read_points(Path(recipe.points)) if recipe.points else read_grid(recipe)
    kept_counts = Path(recipe.kept or "", "table1.csv")
    counts, examples = None, read_raw_rows(Path(recipe.kept)) if recipe.kept else []
    if recipe.table1_counts:
        counts = table1(read_counts(Path(recipe.table1_counts)))
    elif recipe.original:
        original, *written = [pool_pairs(fetch(name, "dataset")) for name in (recipe.original, *recipe.synthetic)]
        written = dict(zip(recipe.generators or [""], written))
        counts, examples = table1(heuristic_counts(original, written)), raw_rows(written, recipe.raw_rows)
    elif recipe.kept and kept_counts.is_file():
        counts = table1(read_counts(kept_counts))
    found, claims = write_report(recipe, grid, counts, examples)
    print(markdown(grid_table(grid)))
    for claim in claims:
        print(f"{claim.id} {claim.shown_verdict}: {claim.statement}")
    print("", findings_markdown(found), sep="\n")
    if grid.missing:
        print(f"missing from the grid, {len(grid.missing)}: {', '.join(grid.missing)}.")
    if grid.others:
        print(one_line(f"not of this grid and left out, {len(grid.others)}: {', '.join(grid.others)}."))
    print(f"report: {Path(recipe.output_dir) / 'index.html'}")


if __name__ == "__main__":
    run_script(main)
