"""What is committed in results/ is made again from the predictions, lineage and recipes that are committed with it."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

REPO_ROOT = Path(__file__).resolve().parent.parent
RESULTS = REPO_ROOT / "results"
REPORTS = sorted(file.parent for file in RESULTS.rglob("report.yaml"))
TRAINED = RESULTS / "sources" / "trained"


@pytest.mark.parametrize("folder", REPORTS, ids=lambda folder: str(folder.relative_to(RESULTS)))
def test_a_report_is_made_again_byte_for_byte(folder, tmp_path):
    recipe = folder / "report.yaml"
    source = [] if "points" in yaml.safe_load(recipe.read_text()) else ["--kept", folder]
    command = [sys.executable, "scripts/report.py", recipe, *source, "--output_dir", tmp_path / "again"]
    done = subprocess.run([*map(str, command)], cwd=REPO_ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    committed = {file.relative_to(folder) for file in folder.rglob("*") if file.is_file()}
    made = {file.relative_to(tmp_path / "again") for file in (tmp_path / "again").rglob("*") if file.is_file()}
    assert made == committed
    different = [
        name for name in sorted(made) if (folder / name).read_bytes() != (tmp_path / "again" / name).read_bytes()
    ]
    assert not different


def test_the_report_on_models_of_sources_is_made_again_byte_for_byte(tmp_path, script):
    script("report_sources", "--kept", TRAINED, "--output_dir", tmp_path / "again")
    for file in sorted(TRAINED.iterdir()):
        assert (tmp_path / "again" / file.name).read_bytes() == file.read_bytes(), file.name


def test_every_folder_of_results_is_made_from_something_committed():
    for folder in (path for path in RESULTS.iterdir() if path.is_dir()):
        made = any(list(folder.rglob(name)) for name in ("report.yaml", "audit.json", "comparison.json", "cpu.json"))
        assert made, folder
    assert len(REPORTS) >= 2


def test_results_are_few_and_small():
    files = [file for file in RESULTS.rglob("*") if file.is_file()]
    assert len(files) < 180
    assert sum(file.stat().st_size for file in files) < 16 * 2**20
