"""The README's Python snippets run as they stand, its generated parts are up to date, and `make help` is whole."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import fill_readmes

REPO_ROOT = Path(__file__).resolve().parent.parent


def commands(readme: Path, language: str) -> list[str]:
    """Each line of a README's ```bash blocks, or each whole ```python block."""
    blocks = re.findall(rf"```{language}\n(.*?)```", readme.read_text(), re.DOTALL)
    return blocks if language == "python" else [line for block in blocks for line in block.strip().splitlines()]


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


def test_make_help_lists_every_target():
    listed = run("make help", REPO_ROOT)
    for target in ("demo", "grid", "test", "lint", "bench"):
        assert re.search(rf"^{target}\b", listed, re.MULTILINE)
