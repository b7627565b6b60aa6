"""The README's commands run as they stand, in a clone with shrunk demo recipes; its generated parts are up to date."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import fill_readmes

REPO_ROOT = Path(__file__).resolve().parent.parent
SMALLER = {
    "inputs.yaml": {"train_rows": 6000, "matched_rows": 150, "hans_rows": 240},
    "prepare.yaml": {"dev_rows_per_label": 10},
    "grid.yaml": {"starts": "[0, 39000]", "sizes": "[6, 12]"},
    "generator.yaml": {"num_train_epochs": 2},
    "synthesize.yaml": {"samples_per_label": 1536, "shard_rows": 512, "batch_size": 512},
    "start.yaml": {"hans_expected_rows": 240},
    "augment.yaml": {"hans_expected_rows": 240},
    "evaluate.yaml": {"hans_expected_rows": 240},
}


def commands(readme: Path, language: str) -> list[str]:
    """Each line of a README's ```bash blocks, or each whole ```python block."""
    blocks = re.findall(rf"```{language}\n(.*?)```", readme.read_text(), re.DOTALL)
    return blocks if language == "python" else [line for block in blocks for line in block.strip().splitlines()]


@pytest.fixture(scope="module")
def clone(tmp_path_factory) -> Path:
    """A copy of the tracked files with small demo recipes, and this environment as its .venv."""
    folder = tmp_path_factory.mktemp("clone")
    listed = subprocess.run(["git", "ls-files"], cwd=REPO_ROOT, capture_output=True, text=True, check=True)
    for name in listed.stdout.splitlines():
        if (REPO_ROOT / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(REPO_ROOT / name, folder / name, follow_symlinks=False)
    starts = "1200"
    for name, keys in SMALLER.items():
        recipe = folder / "recipes" / "demo" / name
        text = recipe.read_text()
        for key, value in keys.items():
            text, count = re.subn(rf"^{key}:.*$", f"{key}: {value}", text, flags=re.MULTILINE)
            assert count == 1, (name, key)
        recipe.write_text(text)
    for name in ("grid.yaml", "prepare.yaml", "start.yaml", "augment.yaml", "evaluate.yaml"):
        recipe = folder / "recipes" / "demo" / name
        recipe.write_text(recipe.read_text().replace("39000", starts))
    (folder / ".venv").symlink_to(sys.prefix)
    (folder / ".venv" / "installed").touch()
    return folder


def run(command: str, folder: Path) -> str:
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(command, shell=True, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    return done.stdout


def finished(folder: Path) -> dict[str, float]:
    """When each artifact below outputs/ was finished."""
    files = (folder / "outputs").rglob("lineage.json")
    return {str(file.parent.relative_to(folder / "outputs")): file.stat().st_mtime for file in files}


@pytest.mark.slow
def test_readme_commands_run_in_order(clone):
    table = run("make demo", clone)
    assert table.count("biased synthetic") == 4
    for name in ("figure1.png", "table1.md", "index.html"):
        assert (clone / "outputs" / "demo" / "report" / name).stat().st_size > 0
    for command in commands(clone / "README.md", "bash"):
        if command not in ("make demo", "make test"):
            run(command, clone)


@pytest.mark.slow
def test_demo_again_does_nothing_and_a_deleted_artifact_rebuilds_its_dependants_only(clone):
    if not (clone / "outputs" / "demo" / "report").is_dir():
        pytest.skip("the demo did not run")
    before = finished(clone)
    run("make demo", clone)
    assert finished(clone) == before
    shutil.rmtree(clone / "outputs" / "demo" / "variants" / "original")
    run("make demo", clone)
    after = finished(clone)
    rebuilt = {name for name in after if after[name] != before[name]}
    cells = {name for name in after if "-original-" in name}
    assert rebuilt == {"demo/variants/original", *cells}
    assert len(cells) == 4


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


def test_make_help_lists_every_target():
    listed = run("make help", REPO_ROOT)
    for target in ("demo", "grid", "test", "lint", "bench"):
        assert re.search(rf"^{target}\b", listed, re.MULTILINE)
