"""The models of a check: cells of the workflow, made once and kept. Starts are those of every grid of the model."""

import math
import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import yaml

from blindspots.artifacts.names import LINEAGE
from blindspots.check import released
from blindspots.check.sets import CheckedSet
from blindspots.config.analysis_recipes import CheckRecipe, GridRecipe, ReportRecipe
from blindspots.config.errors import RecipeError, UserError
from blindspots.config.parser import parse_recipe
from blindspots.config.paths import RECIPES
from blindspots.config.recipes import PrepareRecipe, TaskRecipe
from blindspots.data.kinds import BIASED, ORIGINAL, SYNTHETIC
from blindspots.data.test_sets import Headline, named_test_sets
from blindspots.grid import Cell, cells
from blindspots.report.collect import Grid, read_grid


def task_recipe(recipe: CheckRecipe) -> TaskRecipe:
    """How the models of the check are tuned and evaluated."""
    task, *_ = parse_recipe(
        TaskRecipe, "TrainingArguments", "ModelConfig", argv=[str(RECIPES / recipe.model / "augment.yaml")]
    )
    return task


def known_headlines(recipe: CheckRecipe) -> dict[str, Headline]:
    """By name, what the model's test sets measure as a share: accuracies, mean probabilities and AUROC."""
    tests = named_test_sets(task_recipe(recipe))
    shown = [headline for found in tests for headline in (*found.shown, *found.measured)]
    return {headline.name: headline for headline in shown if headline.is_share}


def margins(recipe: CheckRecipe) -> dict[str, float]:
    """The margin of each headline that is judged. Raises RecipeError for a headline that there is not."""
    known = known_headlines(recipe)
    judged = recipe.headlines or [name for name, headline in known.items() if headline.measure == "accuracy"]
    for key, names in (("headlines", judged), ("margins", recipe.margins)):
        for name in names:
            if name not in known or (key == "margins" and name not in judged):
                there = known if key == "headlines" else judged
                raise RecipeError(f"{key}: {name} is not a headline of this check; there are {', '.join(there)}.")
    return {name: recipe.margins.get(name, recipe.margin) for name in judged}


def check_starts(recipe: CheckRecipe) -> None:
    """Raise RecipeError for a start that no grid of the model has: its prepared data would be made again for it."""
    (prepared,) = parse_recipe(PrepareRecipe, argv=[str(RECIPES / recipe.model / "prepare.yaml")])
    possible = [0, *prepared.start_sizes]
    for start in recipe.starts:
        if start not in possible:
            raise RecipeError(
                f"starts: recipes/{recipe.model}/prepare.yaml has no start_sizes {start}; its starts are "
                f"{', '.join(map(str, possible))}."
            )


def cells_folder(recipe: CheckRecipe) -> Path:
    """Where the sets and cells of all checks of this model and size are."""
    return Path("outputs", f"{recipe.model}-check-n{recipe.size}")


def original_rows(recipe: CheckRecipe) -> Path:
    """The prepared MNLI of the model."""
    return Path("outputs", recipe.model, "mnli")


def axes(recipe: CheckRecipe, sets: Sequence[CheckedSet], seeds: int) -> GridRecipe:
    """The grid of a look: each seed has a start and draws of its own, of original rows too."""
    external = {found.key: str(cells_folder(recipe) / "sets" / found.key) for found in sets}
    return GridRecipe(
        starts=recipe.starts,
        kinds=[ORIGINAL, *(found.kind for found in sets), *([BIASED] if recipe.biased else [])],
        sizes=[recipe.size],
        seeds=list(range(seeds)),
        own_sets=True,
        external=external | ({SYNTHETIC: str(original_rows(recipe))} if recipe.biased else {}),
    )


def place_released(recipe: CheckRecipe, grid: GridRecipe, of_look: bool) -> None:
    """Fetch what was released of a look, or before the first one of the original rows alone."""
    if recipe.hub_tag is None:
        return
    artifacts = released.wanted(recipe, grid, Path("outputs", recipe.model), cells_folder(recipe))
    released.place(recipe, artifacts if of_look else islice(artifacts, 1))


def make_original_rows(recipe: CheckRecipe) -> None:
    """Have the workflow prepare MNLI, unless it was released."""
    place_released(recipe, axes(recipe, [], 1), of_look=False)
    run_workflow(recipe, axes(recipe, [], 1), [str(original_rows(recipe) / LINEAGE)])


def make_models(recipe: CheckRecipe, sets: Sequence[CheckedSet], seeds: int) -> Grid:
    """Have the workflow make every model of a look that was not released, and read what they predicted."""
    grid = axes(recipe, sets, seeds)
    place_released(recipe, grid, of_look=True)
    folder = cells_folder(recipe)
    run_workflow(recipe, grid, [str(folder / "models" / cell.name / LINEAGE) for cell in cells(grid)])
    return read_grid(ReportRecipe(**vars(grid), models=str(folder / "models"), output_dir="unused"))


def seed_means(grid: Grid, metric: str, kind: str, recipe: CheckRecipe) -> list[float]:
    """A metric of the models of a kind, mean over starts: shape [seeds].

    Raises UserError where the test set has no row of the headline.
    """
    names = [[grid.name(start, kind, recipe.size, seed) for start in recipe.starts] for seed in grid.axes.seeds]
    values = [float(grid.models.loc[of_seed, metric].mean()) for of_seed in names]
    if any(map(math.isnan, values)):
        raise UserError(f"The test set has no row of {grid.title(metric)}; name other headlines.")
    return values


def start_name(recipe: CheckRecipe) -> str:
    """Name of the first replicate of the largest start."""
    return Cell(max(recipe.starts), 0).name


def label_model(recipe: CheckRecipe) -> Path:
    """The first model that the check tuned on original rows alone."""
    return cells_folder(recipe) / "models" / Cell(max(recipe.starts), 0, ORIGINAL, recipe.size).name


def run_workflow(recipe: CheckRecipe, grid: GridRecipe, targets: Sequence[str]) -> None:
    """Run snakemake for some targets; each step prints a line. Raises UserError where it stops."""
    if not Path("Snakefile").is_file():
        raise UserError("There is no Snakefile here; run the check from the folder of the repository.")
    folder = cells_folder(recipe)
    folder.mkdir(parents=True, exist_ok=True)
    config = {"model": recipe.model, "cells": str(folder), "axes": vars(grid)}
    (folder / "workflow.yaml").write_text(yaml.safe_dump(config, sort_keys=False, allow_unicode=True))
    command = [sys.executable, "-m", "snakemake", "--quiet", "all", "--cores", str(recipe.cores or "all")]
    command += ["--configfile", str(folder / "workflow.yaml"), *shlex.split(recipe.workflow_arguments or "")]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    sys.stdout.flush()
    done = subprocess.run([*command, "--", *targets], env=os.environ | {"PATH": path})
    if done.returncode:
        raise UserError(
            "The workflow stopped, for what its last lines say. Run the check again once that is fixed: what is "
            "finished is kept."
        )
