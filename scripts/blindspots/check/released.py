"""What a check needs beside the sets, from a release: it is fetched in place of being made again."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from blindspots.artifacts.folder import resolved_recipe, strange_file
from blindspots.artifacts.inputs import Source, fetch
from blindspots.artifacts.lineage import artifact_name, repo_type, without_placement
from blindspots.artifacts.names import ALLOWED, LINEAGE, read_lineage
from blindspots.artifacts.output_dir import local_inputs, whole_folder
from blindspots.artifacts.remote import tag_commit
from blindspots.artifacts.retries import hub_errors_as_user_errors
from blindspots.config.analysis_recipes import CheckRecipe, GridRecipe
from blindspots.config.errors import UserError
from blindspots.config.parser import parse_recipe
from blindspots.config.paths import RECIPES
from blindspots.config.scripts import RECIPE_CLASSES
from blindspots.data.kinds import ORIGINAL
from blindspots.grid import Cell, cells, sets_of, start_config, starts

# The script that makes each type of artifact.
MADE_BY = {"prepared_mnli": "prepare_mnli", "augmentation_set": "build_variants", "task_model": "finetune_task"}
# Keys by which the workflow names what it made itself: it has other names in a release, and must be the same content.
OWN_INPUTS = {"original", "synthetic", "train_dataset"}
# Keys that change nothing of an artifact.
WITHOUT_EFFECT = {"report_to", "disable_tqdm"}


@dataclass(frozen=True)
class Wanted:
    """An artifact of the workflow: its folder, type and recipe, the keys that the workflow sets, and its parents."""

    folder: Path
    artifact_type: str
    recipe: dict[str, Any]
    parents: tuple[Path, ...] = ()


def wanted(recipe: CheckRecipe, grid: GridRecipe, shared: Path, own: Path) -> Iterator[Wanted]:
    """What a look needs beside the sets under check, parents first.

    Args:
        shared, own: folders of the model's grids and of its checks.
    """
    prepared = shared / "mnli"
    yield Wanted(prepared, "prepared_mnli", recipe_of(recipe, "prepare", "prepared_mnli"))
    for start in starts(grid):
        flags = ["--seed", start.seed]
        flags += ["--train_config", start_config(grid, start)] if start.start else ["--train_dataset", "null"]
        keys = recipe_of(recipe, "start", "task_model", *flags)
        yield Wanted(shared / "models" / start.name, "task_model", keys, (prepared,) if start.start else ())
    for cell in cells(grid):
        if cell.kind == ORIGINAL:
            sets = sets_of(grid, cell)
            variant, start = own / "variants" / sets.name, shared / "models" / Cell(cell.start, cell.seed).name
            flags = [*sets.flags(str(shared), {}).split(), "--sizes", cell.size]
            yield Wanted(
                variant, "augmentation_set", recipe_of(recipe, "variants", "augmentation_set", *flags), (prepared,)
            )
            flags = ["--seed", cell.seed, "--train_config", f"n{cell.size}", "--model_name_or_path", start]
            keys = recipe_of(recipe, "augment", "task_model", *flags)
            yield Wanted(own / "models" / cell.name, "task_model", keys, (start, variant))


def recipe_of(recipe: CheckRecipe, name: str, artifact_type: str, *flags: object) -> dict[str, Any]:
    """A recipe of the model with the flags that the workflow gives, as the artifact's lineage holds it."""
    argv = [str(RECIPES / recipe.model / f"{name}.yaml"), *map(str, flags)]
    return compared(resolved_recipe(*parse_recipe(*RECIPE_CLASSES[MADE_BY[artifact_type]], argv=argv)))


def compared(recipe: dict[str, Any]) -> dict[str, Any]:
    """The keys of a recipe that must be the same in a release."""
    return {key: value for key, value in without_placement(recipe).items() if key not in OWN_INPUTS | WITHOUT_EFFECT}


def place(recipe: CheckRecipe, artifacts: Iterator[Wanted]) -> None:
    """Fetch what is not there and was released from the same recipe and inputs; a line of each says where it is from.

    Raises UserError where the Hub does not answer, and for a released artifact that is damaged.
    """
    with hub_errors_as_user_errors("Leave hub_tag out to make everything here."):
        for one in artifacts:
            if not (one.folder / LINEAGE).is_file():
                print(f"{one.folder}: {placed(one, recipe)}", flush=True)


def placed(one: Wanted, recipe: CheckRecipe) -> str:
    """Fetch one artifact; returns where from, or why it is made here."""
    repo, kind = f"{recipe.hub_namespace}/{artifact_name(one.folder)}", repo_type(one.artifact_type)
    of_workflow = [value for value in one.recipe.values() if isinstance(value, str) and value.startswith("outputs/")]
    for folder in (*one.parents, *map(Path, of_workflow)):
        if not (folder / LINEAGE).is_file():
            return f"is made here, as {folder} is"
    if tag_commit(repo, recipe.hub_tag, kind) is None:
        return f"is made here, there is no {repo}@{recipe.hub_tag}"
    released = fetch(f"{repo}@{recipe.hub_tag}", kind)
    lineage = read_lineage(released.path)
    Source(repo, released.path, None, kind).record("released")  # its files are those of its lineage
    theirs = compared(lineage.get("recipe", {}))
    others = sorted(key for key in one.recipe.keys() | theirs.keys() if one.recipe.get(key) != theirs.get(key))
    if lineage["artifact_type"] != one.artifact_type or others:
        return f"is made here, {repo}@{recipe.hub_tag} has another {', '.join(others) or 'type'}"
    contents = {parent["content_sha256"] for parent in lineage["parents"]}
    for path in (*one.parents, *local_inputs(one.recipe).values()):
        if Source(str(path), path, None, kind).record("input")["content_sha256"] not in contents:
            return f"is made here, {repo}@{recipe.hub_tag} was made from another {path}"
    copy(released.path, lineage, one)
    return f"is {repo}@{released.revision}"


def copy(source: Path, lineage: dict[str, Any], one: Wanted) -> None:
    """Put the files of a released artifact in place; they count as made now, after the artifact's parents.

    Raises UserError for a file that an artifact of ours does not have.
    """
    for name in lineage["files"]:
        if not ALLOWED.fullmatch(name):
            raise UserError(f"{one.folder}: the release names a file {name!r}, which is none of an artifact's.")
    with whole_folder(
        one.folder, f"{one.artifact_type} artifact", lambda at: strange_file(at, one.artifact_type)
    ) as new:
        for name in [*lineage["files"], LINEAGE, "README.md"]:
            (new / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / name, new / name)
        os.utime(new / LINEAGE)
