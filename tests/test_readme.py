"""The README's commands run in a clone with a shrunken demo, its snippets as they stand; its parts are up to date."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from queue import Queue
from threading import Thread

import pytest
import yaml

import fill_readmes
from blindspots.artifacts import output_dir
from blindspots.artifacts.output_dir import locked

REPO_ROOT = Path(__file__).resolve().parent.parent


# A namespace on the Hub; what names it is run by tests/hub/test_readme_commands.py.
YOURS = "your-name"


def commands(readme: Path, language: str, on_the_hub: bool = False) -> list[str]:
    """Each line of a README's ```bash blocks, or each whole ```python block, with the Hub or without."""
    blocks = re.findall(rf"```{language}\n(.*?)```", readme.read_text(), re.DOTALL)
    found = blocks if language == "python" else [line for block in blocks for line in block.strip().splitlines()]
    return [command for command in found if (YOURS in command) == on_the_hub]


# The demo's recipes at a size that takes a minute or two: a generator of 6,000 rows fills unbiased sets only.
SHRUNKEN = {
    "inputs": {"train_rows": 6000, "matched_rows": 120, "hans_rows": 120},
    "prepare": {"start_sizes": [3000]},
    "start": {"train_config": "n3000", "hans_expected_rows": 120},
    "synthesize": {"samples_per_label": 512, "shard_rows": 512, "batch_size": 512},
    "variants": {"sizes": [60, 120]},
    "audit": {"label_model": "outputs/demo/models/n3000-s0", "sample_rows": 100},
    "augment": {
        "model_name_or_path": "outputs/demo/models/n3000-s0",
        "train_config": "n120",
        "hans_expected_rows": 120,
    },
    "evaluate": {"model": "outputs/demo/models/n3000-s0", "hans_expected_rows": 120},
    "grid": {"starts": [0, 3000], "kinds": ["original", "synthetic"], "sizes": [60, 120]},
    "replicates": {"starts": [0, 3000], "kinds": ["original"], "sizes": [60], "seeds": [0, 1]},
}


@pytest.fixture(scope="module")
def clone(tmp_path_factory) -> Path:
    """The tracked files with a shrunken demo, and this environment as its own."""
    if not Path(sys.prefix, "installed").exists():
        pytest.skip("not in the environment that make installs")
    folder = tmp_path_factory.mktemp("clone")
    tracked = subprocess.run(["git", "ls-files"], cwd=REPO_ROOT, capture_output=True, text=True, check=True)
    for name in tracked.stdout.splitlines():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(REPO_ROOT / name, folder / name)
    for name, values in SHRUNKEN.items():
        file = folder / f"recipes/demo/{name}.yaml"
        file.write_text(yaml.safe_dump(yaml.safe_load(file.read_text()) | values, sort_keys=False))
    (folder / ".venv").symlink_to(sys.prefix)
    return folder


def made(folder: Path) -> dict[str, int]:
    """When each artifact below outputs/demo was made."""
    return {
        str(file.parent.relative_to(folder)): file.stat().st_mtime_ns
        for file in sorted(folder.glob("outputs/demo/**/lineage.json"))
    }


def run(command: str, folder: Path) -> str:
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(command, shell=True, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    return done.stdout


def test_readme_snippets_run(capsys):
    snippets = commands(REPO_ROOT / "README.md", "python")
    assert snippets
    for snippet in snippets:
        exec(compile(snippet.replace('"evaluate_modules/', f'"{REPO_ROOT}/evaluate_modules/'), "README", "exec"), {})
    assert "1.0" in capsys.readouterr().out


@pytest.mark.parametrize("readme", fill_readmes.READMES, ids=lambda path: str(path.relative_to(REPO_ROOT)))
def test_generated_parts_are_up_to_date(readme):
    text = readme.read_text()
    assert fill_readmes.filled(text) == text, "run python scripts/fill_readmes.py"


def test_a_readme_that_is_being_written_is_waited_for(tmp_path, monkeypatch):
    readme = tmp_path / "README.md"
    readme.write_text("<!-- kinds -->\n<!-- end -->\n")
    monkeypatch.setattr("sys.argv", ["fill_readmes.py"])
    monkeypatch.setattr(fill_readmes, "READMES", (readme,))
    told, second = Queue(), Thread(target=fill_readmes.main)
    monkeypatch.setattr(output_dir, "print", lambda text, **_: told.put(text), raising=False)
    with locked(readme):
        second.start()
        assert "waiting for another run" in told.get(timeout=60)
        readme.write_text("# What the first one wrote\n<!-- kinds -->\n<!-- end -->\n")
    second.join()
    text = readme.read_text()
    assert text.startswith("# What the first one wrote\n<!-- kinds -->\n| kind |")
    assert [path.name for path in tmp_path.iterdir()] == ["README.md"]


def test_readme_commands_run_in_order(clone):
    shown = [command for command in commands(REPO_ROOT / "README.md", "bash") if command != "make test"]
    assert shown[0] == "make demo"
    told = run(shown[0], clone)
    steps = re.findall(r"^\d\d:\d\d:\d\d  (\S+)  \d+ s$", told, re.MULTILINE)
    assert {"base", "generator", "n3000-synthetic-n120-s0", "report"} <= set(steps)
    assert len(steps) == len(set(steps))
    assert "| synthetic - original | " in told
    assert "- One replicate decides nothing" in told
    assert {"figure1.png", "table1.csv", "index.html"} <= {file.name for file in clone.glob("outputs/demo/report/*")}
    for command in shown[1:]:
        run(command, clone)
    assert shown[-1] == "make results MODEL=demo GRID=replicates"
    kept = yaml.safe_load((clone / "results/demo/report.yaml").read_text())
    assert {axis: kept[axis] for axis in SHRUNKEN["replicates"]} == SHRUNKEN["replicates"]


def test_a_deleted_artifact_is_made_again_with_what_depends_on_it_and_nothing_else(clone):
    """Needs the demo that the test above made."""
    before = made(clone)
    shutil.rmtree(clone / "outputs/demo/variants/original")
    run("make demo", clone)
    after = made(clone)
    assert before.keys() == after.keys()
    changed = {name for name in after if after[name] != before[name] and "my-" not in name}
    cells = {f"outputs/demo/models/n{start}-original-n{size}-s0" for start in (0, 3000) for size in (60, 120)}
    assert changed == cells | {"outputs/demo/variants/original"}
    run("make demo", clone)
    assert made(clone) == after


def test_make_help_lists_every_target():
    listed = run("make help", REPO_ROOT)
    for target in ("demo", "grid", "test", "lint", "bench"):
        assert re.search(rf"^{target}\b", listed, re.MULTILINE)
