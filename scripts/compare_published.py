"""Compare runs that differ in their seed with published means over seeds.

python scripts/compare_published.py recipes/bert-base/published.yaml --models outputs/bert-base/models

Exit code 1 where the interval of a difference leaves out zero. One so wide that it can't fail is called `no power`.
"""

from pathlib import Path

from blindspots.config.analysis_recipes import PublishedRecipe
from blindspots.config.errors import UserError
from blindspots.config.parser import parse_recipe
from blindspots.config.processes import run_script


def main() -> None:
    (recipe,) = parse_recipe(PublishedRecipe)
    from blindspots.release.published import compare, published_scores, read_runs

    published = published_scores(recipe.scores, recipe.runs)
    runs = read_runs(Path(recipe.models), published)
    table = compare(runs, published)
    print(table.to_string(float_format=lambda value: f"{value:.4f}"))
    print(f"{len(runs)} runs: {', '.join(runs.index)}. Published: {recipe.source}")
    outside = table.index[table["within"] == "no"].tolist()
    if outside:
        raise UserError(f"The mean differs from the published one: {', '.join(outside)}.")


if __name__ == "__main__":
    run_script(main)
