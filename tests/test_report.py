"""report.py as a user runs it."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from made_grid import AXES, folder_of, make_grid  # noqa: F401

from blindspots.artifacts.output_dir import locked

REPO_ROOT = Path(__file__).resolve().parent.parent


def report(*arguments) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, REPO_ROOT / "scripts" / "report.py", *map(str, arguments)], capture_output=True, text=True
    )


def test_a_grids_report_from_axes_in_a_recipe(make_grid, tmp_path):  # noqa: F811
    recipe = make_grid(starts=[0], sizes=[60], leave_out=["n0-original-n60-s0"])
    axes = tmp_path / "grid.yaml"
    axes.write_text(yaml.safe_dump(AXES | {"starts": [0], "sizes": [60]}))
    done = report(axes, "--models", recipe.models, "--output_dir", tmp_path / "report")
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "report" / "README.md").read_text()
    assert "| 0 | synthetic | 60 |" in text
    assert "| 0 | synthetic | 60 |" in done.stdout
    assert "missing from the grid, 1: n0-original-n60-s0." in done.stdout
    assert (tmp_path / "report" / "index.html").is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Give models (a folder of model artifacts), kept (an earlier report) or both, or else points (a CSV)."),
        (["--models", "a", "--points", "b"], "or else points"),
        (["--kept", "a", "--points", "b"], "or else points"),
        (["--models", "a", "--original", "b"], "name both original and synthetic"),
        (["--models", "a", "--original", "b", "--synthetic", "c", "--table1_counts", "d"], "given twice"),
        (["--models", "a", "--original", "b", "--synthetic", "c", "d"], "2 datasets and the grid has 1 generators"),
        (
            ["--models", "a", "--original", "b", "--synthetic", "c", "--generators", "g1", "g2"],
            "1 datasets and the grid has 2 generators; name what each of them wrote, in their order",
        ),
        (["--modles", "a"], "modles is not a key of this script; the nearest is models"),
        (["--models", "a", "--seeds", "0", "0"], "seeds holds 0 twice"),
    ],
)
def test_a_command_that_cannot_be_run_ends_with_one_line(tmp_path, arguments, message):
    done = report(*arguments, "--output_dir", tmp_path / "report")
    assert done.returncode == 2
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_predictions_of_different_rows_end_with_one_line(make_grid, folder_of, tmp_path):  # noqa: F811
    recipe = make_grid(starts=[0], sizes=[60])
    (folder_of("n0-synthetic-n60-s0") / "predictions" / "hans.parquet").unlink()
    done = report("--models", recipe.models, "--starts", 0, "--sizes", 60, "--output_dir", tmp_path / "report")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("error: n0-synthetic-n60-s0 has no predictions of hans")
    assert not (tmp_path / "report").exists()


def test_a_report_waits_for_another_one_of_the_same_folder(make_grid, tmp_path):  # noqa: F811
    recipe = make_grid(starts=[0], sizes=[60])
    words = ["--models", recipe.models, "--starts", 0, "--sizes", 60, "--output_dir", tmp_path / "report"]
    command = [sys.executable, REPO_ROOT / "scripts" / "report.py", *words]
    with locked(tmp_path / "report"):
        second = subprocess.Popen([*map(str, command)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        said = second.stdout.readline()
        assert not (tmp_path / "report").exists()
    _, errors = second.communicate()
    assert said == f"{tmp_path / 'report'}: waiting for another run that is writing it.\n"
    assert second.returncode == 0, errors
    assert (tmp_path / "report" / "index.html").is_file()
    assert not list(tmp_path.glob(".*"))


def test_help_names_every_key_before_anything_heavy_is_loaded():
    script = str(REPO_ROOT / "scripts" / "report.py")
    code = (
        "import runpy, sys\n"
        f"sys.argv = ['report.py', '--help']; sys.path.insert(0, {str(REPO_ROOT / 'scripts')!r})\n"
        f"try: runpy.run_path({script!r}, run_name='__main__')\n"
        "except SystemExit: print(sorted({'torch', 'pandas', 'matplotlib', 'transformers'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "[]", done.stderr
    for key in ("--points", "--models", "--starts", "--seeds", "--table1_counts"):
        assert key in done.stdout
