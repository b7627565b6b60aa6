"""An artifact that is made again, in another process, is the same: every file, and so its content hash."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent

MAKE = """
import sys
from pathlib import Path

from hub.tiny_grid import make_tiny_grid, script

make_tiny_grid(Path(), Path(sys.argv[1]))
rows = {"train_dataset": "outputs/demo/mnli", "train_config": "n100", "max_steps": 2}
modules = "[q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj]"
lora = rows | {"model_name_or_path": "outputs/demo/base", "use_peft": True, "lora_target_modules": modules}
recipe, out = "recipes/demo/task.yaml", "outputs/demo/adapters"
script("finetune_task", recipe, **lora, output_dir=f"{out}/task")
script("finetune_task", recipe, **rows, model_name_or_path=f"{out}/task", output_dir=f"{out}/further")
script("finetune_generator", recipe, **lora, output_dir=f"{out}/generator")
script("merge_generator", generator=f"{out}/generator", output_dir=f"{out}/merged")
"""


def lineages(world: Path, folder: Path, **environment: str) -> dict[str, dict]:
    """The lineage of everything that scripts make in a process of its own, by folder."""
    folder.mkdir()
    paths = {"PYTHONPATH": f"{TESTS}:{TESTS.parent / 'scripts'}"}
    command = [sys.executable, "-c", MAKE, str(world / "generator")]
    done = subprocess.run(command, cwd=folder, env=os.environ | paths | environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    files = sorted(folder.glob("outputs/**/lineage.json"))
    return {str(file.parent.relative_to(folder)): json.loads(file.read_text()) for file in files}


@pytest.fixture(scope="module")
def twice(world, tmp_path_factory) -> tuple[dict[str, dict], dict[str, dict]]:
    """Sets are in another order in each process; the second may read the Hub, of which it needs nothing."""
    folder = tmp_path_factory.mktemp("twice")
    first = lineages(world, folder / "first", PYTHONHASHSEED="1", HF_HUB_OFFLINE="1")
    return first, lineages(world, folder / "second", PYTHONHASHSEED="2", HF_HUB_OFFLINE="0")


def test_every_file_is_the_same(twice):
    first, second = twice
    assert {record["artifact_type"] for record in first.values()} >= {"task_model", "generator", "augmentation_set"}
    differing = {
        f"{folder}/{name}"
        for folder in first.keys() | second.keys()
        for name in first[folder]["files"].keys() | second[folder]["files"].keys()
        if first[folder]["files"].get(name) != second[folder]["files"].get(name)
    }
    assert differing == set()


def test_so_is_its_content_hash_and_that_of_its_parents(twice):
    first, second = twice
    for folder, record in first.items():
        assert record["content_sha256"] == second[folder]["content_sha256"]
        parents = [[parent["content_sha256"] for parent in made[folder]["parents"]] for made in twice]
        assert parents[0] == parents[1]
