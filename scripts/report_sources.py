"""Report on models that were trained on people's and on models' data, from their predictions alone.

python scripts/report_sources.py recipes/sources/trained/report.yaml

Writes predictions.parquet, lineage.jsonl, trained.json and README.md.
"""

from pathlib import Path

from blindspots.config.errors import RecipeError
from blindspots.config.parser import parse_recipe
from blindspots.config.processes import run_script
from blindspots.config.source_recipes import ReportSourcesRecipe


def check(recipe: ReportSourcesRecipe) -> None:
    """Raise RecipeError where it is not clear what to report on."""
    if (recipe.models is None) == (recipe.kept is None):
        raise RecipeError("Give exactly one of models (a folder of model artifacts) and kept (an earlier report).")
    if bool(recipe.sets) != bool(recipe.models):
        raise RecipeError("sets names the train sets of models; name both, or kept alone.")


def main() -> None:
    (recipe,) = parse_recipe(ReportSourcesRecipe)
    check(recipe)
    from blindspots.artifacts.files import without_nan, write_json
    from blindspots.artifacts.output_dir import whole_folder
    from blindspots.audit.write import rounded
    from blindspots.sources.second_order import results
    from blindspots.sources.second_order_page import page, title
    from blindspots.sources.trained import read_kept, read_models, strange_file, trained_sets, write_kept

    if recipe.kept:
        rows, lineages = read_kept(Path(recipe.kept))
    else:
        rows, lineages = read_models(Path(recipe.models), map(Path, recipe.sets))
    report = rounded(without_nan(results(list(trained_sets(rows, lineages)))))
    with whole_folder(recipe.output_dir, "report", strange_file) as new:
        write_kept(new, rows, lineages)
        write_json(new / "trained.json", report, flat_objects=True)
        (new / "README.md").write_text(page(report), "utf-8")
    for claim in report["claims"]:
        print(f"{title(report, claim['set'])}: {claim['statement']}: {claim['verdict']}")
    print(f"report: {Path(recipe.output_dir) / 'README.md'}")


if __name__ == "__main__":
    run_script(main)
