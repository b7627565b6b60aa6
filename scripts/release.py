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

from blindspots.errors import RecipeError, UserError, run_script
from blindspots.parsing import parse_recipe
from blindspots.recipes import ReleaseRecipe

ACTIONS = ("plan", "push", "verify", "collect")


def with_keys(words: list[str]) -> list[str]:
    """`push FOLDER ...` as `--action push --folder FOLDER ...`."""
    if not words or words[0] not in ACTIONS:
        return words
    action, *rest = words
    folder = ["--folder", rest.pop(0)] if rest and Path(rest[0]).is_dir() else []
    return ["--action", action, *folder, *rest]


def plan(artifacts) -> None:
    """Print repos, sizes and licences."""
    for item in artifacts:
        licence = item.lineage["license"]
        licence = licence if isinstance(licence, str) else ", ".join(licence)
        print(f"{item.repo_type:8} {item.lineage['artifact']:48} {item.size / 2**20:10.2f} MiB  {licence}")
    print(f"{len(artifacts)} repos, {sum(item.size for item in artifacts) / 2**20:.2f} MiB")


def verify(released) -> None:
    """Print what is wrong. Raises UserError where anything is."""
    from tqdm import tqdm

    from blindspots.verification import failures

    found = [line for item in tqdm(released, desc="verify", leave=False) for line in failures(item)]
    print("\n".join(found) or f"{len(released)} repos are as they should be.")
    if found:
        raise UserError(f"{len(found)} things are wrong with the release.")


def main() -> None:
    (recipe,) = parse_recipe(ReleaseRecipe, argv=with_keys(sys.argv[1:]))
    local = recipe.action in ("plan", "push")
    if local and not (recipe.folder and Path(recipe.folder).is_dir()):
        raise RecipeError(f"{recipe.action} needs a folder of artifacts; there is none at {recipe.folder}.")
    from blindspots import release
    from blindspots.hub import told_to_the_user

    with told_to_the_user("Run it again later; what is done stays done."):
        if recipe.action in ("verify", "collect"):
            released = release.find_released(recipe.hub_namespace, recipe.hub_tag)
        else:
            artifacts = [*release.find_artifacts(Path(recipe.folder)), *release.find_modules(Path(recipe.modules))]
        if recipe.action == "plan":
            plan(artifacts)
        elif recipe.action == "push":
            release.push(artifacts, dataclasses.asdict(recipe))
        elif recipe.action == "verify":
            verify(released)
        else:
            title = f"{recipe.title} {recipe.hub_tag}"
            slug = release.collect(released, recipe.hub_namespace, title, recipe.hub_private_repo)
            print(f"{len(released)} repos are in the collection {slug}")


if __name__ == "__main__":
    run_script(main)
