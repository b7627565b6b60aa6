"""A check fetches what was released of its starts, where it would have made the same."""

import os
import shutil
from pathlib import Path

import pytest

from blindspots.artifacts.names import read_lineage
from blindspots.check import released as module
from blindspots.config.analysis_recipes import CheckRecipe, GridRecipe

from .conftest import RELEASE
from .tiny_grid import SIZE, START, TRAINING

pytestmark = pytest.mark.hub

TESTS = "test_sets: [mnli_matched, hans]\nmnli: {out}/corpus/mnli\nhans: {out}/corpus/hans\nhans_expected_rows: 60\n"
PATHS = "output_dir: unused\ntrain_dataset: unused\n"
RECIPES = {
    "prepare": f"mnli: {{out}}/corpus/mnli\ndev_rows_per_label: 5\nstart_sizes: [{START}]\noutput_dir: unused\n",
    "start": f"{TRAINING}{TESTS}{PATHS}model_name_or_path: {{out}}/base\n",
    "variants": "kind: synthetic\nsynthetic: unused\noriginal: unused\noutput_dir: unused\n",
    "augment": f"{TRAINING}{TESTS}{PATHS}",
}


@pytest.fixture
def mine(tiny_grid, tmp_path) -> Path:
    """A folder with recipes like those that the release was made from, and nothing that was made."""
    folder = tmp_path / "mine"
    (folder / "recipes/demo").mkdir(parents=True)
    for name, text in RECIPES.items():
        (folder / f"recipes/demo/{name}.yaml").write_text(text.format(out=tiny_grid / "outputs/demo"))
    return folder


def place(folder: str, seeds: int) -> dict[str, str]:
    """In a process of its own: where each artifact of a look is from."""
    os.chdir(folder)
    module.RECIPES = Path("recipes")
    namespace, tag = RELEASE[1::2]
    recipe = CheckRecipe(datasets=["a"], model="demo", starts=[START], size=SIZE, hub_namespace=namespace, hub_tag=tag)
    grid = GridRecipe(starts=[START], kinds=["original"], sizes=[SIZE], seeds=list(range(seeds)), own_sets=True)
    artifacts = module.wanted(recipe, grid, Path("outputs/demo"), Path("outputs/demo-check-n30"))
    return {str(one.folder): module.placed(one, recipe) for one in artifacts if not one.folder.exists()}


def test_rows_and_start_are_fetched_and_what_was_not_released_is_made(released, mine, tiny_grid):
    placed = released.call(place, str(mine), 2)
    for name in ("outputs/demo/mnli", "outputs/demo/models/n100-s0"):
        made, theirs = read_lineage(mine / name), read_lineage(tiny_grid / name)
        assert made["content_sha256"] == theirs["content_sha256"]
        assert all(
            (mine / name / file).read_bytes() == (tiny_grid / name / file).read_bytes() for file in made["files"]
        )
        assert placed.pop(name).startswith("is blindspots/demo-")
    assert placed["outputs/demo/models/n100-s1"] == "is made here, there is no blindspots/demo-models-n100-s1@v0.1"
    last = "outputs/demo-check-n30/models/n100-original-n30-s0"
    assert placed[last] == "is made here, as outputs/demo-check-n30/variants/original-n100-r0 is"
    assert all(line.startswith("is made here") for line in placed.values())
    assert not any((mine / name).exists() for name in placed)


def test_what_was_made_otherwise_is_made_again(released, mine):
    file = mine / "recipes/demo/start.yaml"
    file.write_text(file.read_text().replace("1e-3", "2e-3"))
    placed = released.call(place, str(mine), 1)
    start = "outputs/demo/models/n100-s0"
    assert placed[start] == "is made here, blindspots/demo-models-n100-s0@v0.1 has another learning_rate"
    assert not (mine / start).exists()


def test_what_was_made_from_other_rows_is_made_again(released, mine, tiny_grid):
    shutil.copytree(tiny_grid / "outputs/demo/synthetic", mine / "outputs/demo/mnli")
    placed = released.call(place, str(mine), 1)
    start = "outputs/demo/models/n100-s0"
    assert placed[start].endswith("@v0.1 was made from another outputs/demo/mnli")
    assert not (mine / start).exists()
