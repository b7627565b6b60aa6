"""A broken file in recipes/test_sets ends every script with one line."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPO_ROOT = Path(__file__).resolve().parent.parent
GOOD = "title: Mine\ndataset: someone/mine\nsplit: test\nrows: 3\n"


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("mine", "title: [", "is not valid YAML"),
        ("mine", GOOD + "key: hans\n", "have the same key, hans"),
        ("mine", GOOD + "key: two words\n", "must consist of letters"),
        ("model", GOOD, "model is another key of this script"),
        ("mine", GOOD + "colour: red\n", "colour is not a key of a test set"),
    ],
)
def test_one_line_says_what_is_wrong(tmp_path, name, text, message):
    for folder in ("scripts", "recipes"):
        shutil.copytree(REPO_ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "recipes/test_sets" / f"{name}.yaml").write_text(text)
    words = ["scripts/evaluate_task.py", "--model", "x", "--test_sets", "hans", name, "--output_dir", "y"]
    environment = os.environ | {"HF_HUB_OFFLINE": "1"}
    done = subprocess.run([sys.executable, *words], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 2
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1
