"""Make one cell of a released grid again: pull its start and dataset, tune, evaluate, compare with it and the paper.

python scripts/reproduce_cell.py recipes/smollm2-135m/grid.yaml --start 5000 --kind synthetic --size 18020 \
    --hub_namespace my-name --hub_tag v1.0

With --from-release the released model is only evaluated again, and must predict every row as it did. Compared are the
accuracies, the mean probabilities and the rows that are predicted differently. Exit code 1 where one lies outside the
tolerance (two runs of one cell: by the released seeds' spread, or with one seed by the sampling error of the test set)
or, from the release, a row differs. A tolerance so wide that it can't fail is called `no power`.
"""

import shlex
import subprocess
import sys
from pathlib import Path

from blindspots.config.analysis_recipes import ReproduceRecipe
from blindspots.config.errors import RecipeError, UserError
from blindspots.config.parser import parse_recipe
from blindspots.config.processes import run_script
from blindspots.grid import Cell, check_axes

SCRIPTS = Path(__file__).parent


def chosen_cell(recipe: ReproduceRecipe) -> Cell:
    """The cell that is asked for. Raises RecipeError where the grid has no such cell."""
    check_axes(recipe)
    seed = recipe.seeds[0] if recipe.seed is None else recipe.seed
    axes = {"start": recipe.starts, "kind": recipe.kinds, "size": recipe.sizes}
    for name, axis in axes.items():
        if getattr(recipe, name) not in axis:
            raise RecipeError(f"The grid has no {name} {getattr(recipe, name)}; it has {', '.join(map(str, axis))}.")
    return Cell(recipe.start, seed, recipe.kind, recipe.size)


def model_name(recipe: ReproduceRecipe, words: list[str]) -> str:
    """The first part of the released repos' names: the key model, else the folder of the grid's recipe."""
    grids = [Path(word) for word in words if word.endswith(".yaml")]
    if recipe.model is None and not grids:
        raise RecipeError("Name the grid's recipe, recipes/<model>/grid.yaml, or give --model.")
    return recipe.model or grids[0].absolute().parent.name


def run(launch: str, script: str, *words: str, **keys: object) -> None:
    """Run one of the scripts to its end. Raises UserError where it fails."""
    flags = [f"--{key}={value}" for key, value in keys.items()]
    launcher = [sys.executable] if launch == "python" else shlex.split(launch)
    done = subprocess.run([*launcher, str(SCRIPTS / script), *words, *flags])
    if done.returncode:
        raise UserError(f"{script} failed with exit code {done.returncode}; its error is above.")


def show(table) -> None:
    """Print the comparison; `-` where the paper has no such point."""
    print(table.to_string(float_format=lambda value: f"{value:.4f}", na_rep="-"))


def main() -> None:
    words = [word.replace("--from-release", "--from_release") for word in sys.argv[1:]]
    (recipe,) = parse_recipe(ReproduceRecipe, argv=words)
    cell, name = chosen_cell(recipe), model_name(recipe, words)
    from blindspots.artifacts.inputs import fetch
    from blindspots.artifacts.remote import remote_lineage
    from blindspots.artifacts.retries import hub_errors_as_user_errors
    from blindspots.evaluation.scoring import read_predictions
    from blindspots.release import outside, reproduce

    what = f"{name}-{cell.name}-evaluated" if recipe.from_release else f"{name}-{cell.name}"
    output = Path(recipe.output_dir or f"outputs/reproduced/{what}")
    released = fetch(f"{recipe.hub_namespace}/{name}-models-{cell.name}@{recipe.hub_tag}", "model")
    with hub_errors_as_user_errors("Run it again later."):
        lineage = remote_lineage(released.name, released.revision, "model")
        if lineage is None:
            raise UserError(f"{released.name}@{recipe.hub_tag} has no lineage.json, so that its inputs are unknown.")
        training = {} if recipe.from_release else reproduce.TRAINING_INPUTS
        inputs = reproduce.pinned_inputs(lineage, training | reproduce.TEST_INPUTS)
        by_seed = reproduce.released_predictions(recipe, name, cell)
    for folder in (released.path, *by_seed.values()):
        read_predictions(folder)  # what can't be compared with is found before the work
    if recipe.from_release:
        script, keys = "evaluate_task.py", outside.evaluation_keys(released.path / "recipe.yaml")
        inputs |= {"model": f"{released.name}@{released.revision}", "model_revision": released.revision}
    else:
        script, keys = "finetune_task.py", outside.training_keys(released.path / "recipe.yaml", inputs)
    with outside.recipe_file(keys | inputs) as file:
        run(recipe.launch, script, str(file), output_dir=output)

    paper = reproduce.paper_point(Path(recipe.points), cell)
    table = reproduce.comparison(output, released.path, by_seed, cell.seed, paper)
    show(table)
    powerless = table.index[table["within"] == "no power"].tolist()
    if powerless:
        print(
            f"No power: in {', '.join(powerless)} two runs of this cell may differ by more than {reproduce.LARGE}, or "
            "too few seeds were released to say by how much."
        )
    print(f"{cell.name}, released with {len(by_seed)} seed(s): {released.name}@{released.revision}")
    if recipe.from_release:
        rows, largest = reproduce.differing_rows(output, released.path)
        print(f"{rows} rows are predicted differently; the largest difference of a logit is {largest:.2g}")
        if rows:
            raise UserError(f"{rows} rows are predicted differently from the released predictions.")
    outside = table.index[table["within"] == "no"].tolist()
    if outside:
        raise UserError(f"Outside the tolerance: {', '.join(outside)}.")


if __name__ == "__main__":
    run_script(main)
