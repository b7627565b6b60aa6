"""Keep what a grid measured: its report, and the lineage of every artifact without what the report holds already.

python scripts/keep_results.py --model demo --grid seeds
"""

import shutil
from pathlib import Path

from blindspots.config.errors import RecipeError
from blindspots.config.parser import parse_recipe
from blindspots.config.processes import run_script
from blindspots.config.recipes import KeepRecipe


def main() -> None:
    (recipe,) = parse_recipe(KeepRecipe)
    outputs = Path("outputs", recipe.model)
    report = outputs / ("report" if recipe.grid == "grid" else f"report_{recipe.grid}")
    kept = Path(recipe.results, recipe.model)
    if not (report / "results.json").is_file():
        raise RecipeError(f"There is no report at {report}; run make grid MODEL={recipe.model} GRID={recipe.grid}.")
    from blindspots.release.plan import find_artifacts
    from blindspots.report.write import write_json

    shutil.rmtree(kept, ignore_errors=True)
    shutil.copytree(report, kept)
    (kept / "lineage").mkdir()
    for artifact in find_artifacts(outputs):
        lineage = {key: value for key, value in artifact.lineage.items() if key != "results"}
        name = lineage["artifact"].removeprefix(f"{recipe.model}-")
        write_json(kept / "lineage" / f"{name}.json", lineage)
    print(f"{kept}: the report and {len(list((kept / 'lineage').iterdir()))} lineages")


if __name__ == "__main__":
    run_script(main)
