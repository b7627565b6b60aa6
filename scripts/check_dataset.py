"""Does tuning on your data make a model less robust? A verdict per test set, over as many seeds as it takes.

python scripts/check_dataset.py recipes/check/demo.yaml my_rows.jsonl

Exit codes: 0 no harm, 1 harm, 3 undecided, 2 an error.
"""

import dataclasses
import sys
from itertools import takewhile
from pathlib import Path

from blindspots.config.analysis_recipes import CheckRecipe
from blindspots.config.parser import parse_recipe
from blindspots.config.processes import run_script

DEFAULT_RECIPE = "recipes/check/demo.yaml"
ERROR = 2


def arguments(words: list[str]) -> list[str]:
    """The command line as the parser takes it: words before the first key are datasets, but for a recipe's file."""
    named = list(takewhile(lambda word: not word.startswith("-"), words))
    keys = words[len(named) :]
    recipes = [word for word in named if word.endswith(".yaml")]
    datasets = [word for word in named if word not in recipes]
    if not recipes and not {"--config", "--help", "-h"} & set(keys):
        print(f"recipe: {DEFAULT_RECIPE}")
        recipes = [DEFAULT_RECIPE]
    return [*recipes, *(["--datasets", *datasets] if datasets else []), *keys]


def main() -> None:
    (recipe,) = parse_recipe(CheckRecipe, argv=arguments(sys.argv[1:]))
    import datasets

    from blindspots.artifacts.output_dir import checked_output, local_inputs, locked
    from blindspots.check.render import explanation_lines, lines, strange_file, write_check
    from blindspots.check.run import check_recipe, exit_code, explain_sets, prepare, read_sets, run_check
    from blindspots.config.errors import one_line

    datasets.disable_progress_bars()
    check_recipe(recipe)
    sets = read_sets(recipe)
    folder = Path(recipe.output_dir or f"outputs/checks/{'-'.join(found.key for found in sets)}")
    with locked(folder):
        checked_output(folder, "check", strange_file, local_inputs(dataclasses.asdict(recipe)))
    prepare(recipe, sets)

    def after_look(result) -> None:
        write_check(folder, result)
        print(*map(one_line, lines(result)), sep="\n", flush=True)

    result = run_check(recipe, sets, after_look)
    if recipe.explain:
        explain_sets(result, sets)
        write_check(folder, result)
        print(*map(one_line, explanation_lines(result)), sep="\n")
    print(f"{result.verdict}: {result.stopped}; page: {folder / 'index.html'}")
    sys.exit(exit_code(result.verdict))


if __name__ == "__main__":
    run_script(main, error_code=ERROR)
