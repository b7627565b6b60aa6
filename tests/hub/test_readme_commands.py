"""The README's sections on publishing and pulling, in their order, with the smallest grid in place of the demo's."""

import re
import shlex
from pathlib import Path

import pytest
from test_readme import REPO_ROOT, YOURS, commands

from .tiny_grid import KIND, SIZE, START

pytestmark = pytest.mark.hub

README = REPO_ROOT / "README.md"


def shrunken(text: str) -> str:
    """The text with the tiny grid's namespace, start and size."""
    text = text.replace(YOURS, "blindspots").replace("39000", str(START)).replace("2000", str(SIZE))
    return text.replace("demo-variants-synthetic", f"demo-variants-{KIND}")


@pytest.fixture
def clone(tiny_grid, tmp_path) -> Path:
    """A folder like the tiny grid's, for commands that write below outputs/."""
    (tmp_path / "clone/outputs").mkdir(parents=True)
    for name in ("scripts", "evaluate_modules", "results", "recipes", "outputs/demo"):
        (tmp_path / "clone" / name).symlink_to(tiny_grid / name)
    return tmp_path / "clone"


def run_snippet(snippet: str) -> dict:
    left: dict = {}
    exec(snippet, left)
    return {"rows": left["rows"].num_rows, "model": type(left["model"]).__name__}


def test_publishing_and_pulling(hub, clone, tmp_path):
    shown = commands(README, "bash", on_the_hub=True)
    scripts = [Path(command.split()[1]).name for command in shown]
    assert scripts == ["release.py"] * 4 + ["reproduce_cell.py"] * 2
    for command in shown:
        python, *words = shlex.split(shrunken(command))
        assert python == "python"
        done = hub.run(*words, cwd=clone, home=tmp_path / "cache")
        assert done.returncode == 0, command + done.stdout + done.stderr
    (snippet,) = commands(README, "python", on_the_hub=True)
    assert hub.call(run_snippet, shrunken(snippet)) == {
        "rows": {"train": SIZE},
        "model": "LlamaForSequenceClassification",
    }


def test_a_single_run_pushes_its_artifact(hub, clone):
    (flags,) = re.findall(rf"`(--push_to_hub.*{YOURS}.*)`", README.read_text())
    words = [*shlex.split(shrunken(flags)), "--output_dir", "outputs/rows"]
    done = hub.run(
        "scripts/make_demo_inputs.py", "--part", "mnli", "--train_rows", 9, "--matched_rows", 3, *words, cwd=clone
    )
    assert done.returncode == 0, done.stderr
    assert hub.store.repo("datasets", "blindspots/rows").refs("tags").keys() == {"v0.1"}
