"""Plan, push, verify or collect a release: every artifact below a folder, and the evaluate modules, under one tag.

python scripts/release.py plan outputs/demo --hub_namespace my-name --hub_tag v0.1
python scripts/release.py push outputs/demo --hub_namespace my-name --hub_tag v0.1
python scripts/release.py verify --hub_namespace my-name --hub_tag v0.1
python scripts/release.py collect --hub_namespace my-name --hub_tag v0.1

The first word stands for --action, the folder after it for --folder.
"""

import dataclasses
import sys
from pathlib import Path

from blindspots.config.analysis_recipes import ReleaseRecipe
from blindspots.config.errors import RecipeError, UserError, one_line
from blindspots.config.parser import parse_recipe
from blindspots.config.processes import run_script

ACTIONS = ("plan", "push", "verify", "collect")


def with_keys(words: list[str]) -> list[str]:
    """`push FOLDER ...` as `--action push --folder FOLDER ...`."""
    if not words or words[0] not in ACTIONS:
        return words
    action, *rest = words
    folder = ["--folder", rest.pop(0)] if rest and Path(rest[0]).is_dir() else []
    return ["--action", action, *folder, *rest]


def print_plan(artifacts) -> None:
    """Print repos, sizes and licences."""
    for item in artifacts:
        licence = item.lineage["license"]
        licence = licence if isinstance(licence, str) else ", ".join(licence or ["unknown"])
        print(f"{item.repo_type:8} {item.lineage['artifact']:48} {item.size / 2**20:10.2f} MiB  {one_line(licence)}")
    print(f"{len(artifacts)} repos, {sum(item.size for item in artifacts) / 2**20:.2f} MiB")


def print_failures(released, recipe) -> None:
    """Print what is wrong. Raises UserError where anything is."""
    from blindspots.release.verify import failures_of_release

    count = 0
    for line in failures_of_release(released, recipe):
        print(one_line(line), flush=True)
        count += 1
    if count:
        raise UserError(f"{count} things are wrong with the release.")
    print(f"{len(released) - 1} repos are as they should be.")  # beside the manifest


def main() -> None:
    (recipe,) = parse_recipe(ReleaseRecipe, argv=with_keys(sys.argv[1:]))
    local = recipe.action in ("plan", "push")
    if local and not (recipe.folder and Path(recipe.folder).is_dir()):
        raise RecipeError(f"{recipe.action} needs a folder of artifacts; there is none at {recipe.folder}.")
    from blindspots.artifacts.retries import hub_errors_as_user_errors
    from blindspots.release.plan import collect, find_artifacts, find_modules, find_released, push_all

    with hub_errors_as_user_errors("Run it again later; what is done stays done."):
        if recipe.action in ("verify", "collect"):
            released = find_released(recipe.hub_namespace, recipe.hub_tag)
        else:
            artifacts = [*find_artifacts(Path(recipe.folder)), *find_modules(Path(recipe.modules))]
        if recipe.action == "plan":
            print_plan(artifacts)
        elif recipe.action == "push":
            push_all(artifacts, dataclasses.asdict(recipe))
        elif recipe.action == "verify":
            print_failures(released, dataclasses.asdict(recipe))
        else:
            title = f"{recipe.title} {recipe.hub_tag}"
            slug = collect(released, recipe.hub_namespace, title, recipe.hub_private_repo)
            print(f"{len(released)} repos are in the collection {slug}")


if __name__ == "__main__":
    run_script(main)
