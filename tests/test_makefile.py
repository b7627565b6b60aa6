"""The targets of the Makefile that only say what they would do, or that remove something."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

REPO_ROOT = Path(__file__).resolve().parent.parent
LOCKS = ("requirements.lock", "requirements-gpu.lock")


@pytest.fixture
def folder(tmp_path) -> Path:
    """The Makefile beside an environment that it installed from requirements.lock."""
    for name in ("Makefile", *LOCKS):
        shutil.copy(REPO_ROOT / name, tmp_path)
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv/installed").write_text("requirements.lock\n")
    return tmp_path


def make(folder: Path, *arguments: str) -> str:
    environment = {name: value for name, value in os.environ.items() if name not in ("LOCK", "MODEL", "GRID")}
    done = subprocess.run(["make", *arguments], cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_another_lock_file_is_installed_in_an_environment_without_the_packages_of_the_last(folder):
    assert "pip install" not in make(folder, "-n", "test")
    lock = "LOCK=requirements-gpu.lock"
    would_do = make(folder, "-n", "test", lock)
    assert "-m venv --clear .venv" in would_do
    assert "--requirement requirements-gpu.lock" in would_do
    (folder / "python").write_text("#!/bin/sh\nmkdir -p .venv/bin && ln -sf /bin/true .venv/bin/pip\n")
    (folder / "python").chmod(0o755)
    make(folder, ".venv/installed", lock, "PYTHON=./python")
    assert "pip install" not in make(folder, "-n", "test", lock)
    assert "--requirement requirements.lock" in make(folder, "-n", "test")


def test_a_changed_lock_file_is_installed_into_the_environment_that_there_is(folder):
    after = (folder / ".venv/installed").stat().st_mtime + 1
    os.utime(folder / "requirements.lock", (after, after))
    would_do = make(folder, "-n", "test")
    assert "--requirement requirements.lock" in would_do
    assert "--clear" not in would_do


@pytest.mark.parametrize(
    ("model", "grid", "kept"),
    [
        ("demo", "replicates", "results/demo"),
        ("demo", "grid", "results/demo-grid"),
        ("demo", "doses", "results/demo-doses"),
        ("smollm2-135m-fewgen", "grid", "results/smollm2-135m-fewgen"),
        ("smollm2-135m-generators", "first", "results/smollm2-135m-generators-first"),
    ],
)
def test_no_two_grids_are_kept_in_one_folder(folder, model, grid, kept):
    report = f"outputs/{model}/report" + (f"_{grid}" if grid != "grid" else "")
    would_do = make(folder, "-n", "results", f"MODEL={model}", f"GRID={grid}")
    assert f"{report}/report.yaml --kept {report} --output_dir {kept} >" in would_do


def test_clean_removes_the_demo_and_no_record_of_what_other_models_were_made_from(folder):
    for name in ("outputs/demo", "outputs/demo-check-n600", "outputs/mine", ".snakemake/metadata"):
        (folder / name).mkdir(parents=True)
    make(folder, "clean")
    assert [path.name for path in (folder / "outputs").iterdir()] == ["mine"]
    assert (folder / ".snakemake/metadata").is_dir()
