"""The Kubernetes profile: what the workflow asks a cluster for, and a step that runs in a made-up cluster."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

pytest.importorskip("snakemake_executor_plugin_cluster_generic", reason="the extra `kubernetes` is not installed")

REPO_ROOT = Path(__file__).resolve().parent.parent
# In kubectl's place: a new Job is kept as job.yaml and runs at once; it has succeeded if the artifact is there.
KUBECTL = """#!{python}
import subprocess, sys
from pathlib import Path
import yaml
if sys.argv[1] == "create":
    Path("job.yaml").write_text(sys.stdin.read())
    container = yaml.safe_load(Path("job.yaml").read_text())["spec"]["template"]["spec"]["containers"][0]
    with open("pod.log", "w") as log:
        code = subprocess.run({command}, cwd=container["workingDir"], stdout=log, stderr=log).returncode
    Path("state").write_text("1/" if code == 0 else "/1")
    print("job.batch/blindspots-x7k2p")
elif sys.argv[1:3] == ["get", "job.batch/blindspots-x7k2p"]:
    print(Path("state").read_text())
"""


@pytest.fixture
def run(tmp_path):
    """Run the workflow in a clone up to a target; each Job runs its own command or, in its place, another."""
    for name in ("scripts", "recipes", "profiles", "model_cards", "data_cards"):
        shutil.copytree(REPO_ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(REPO_ROOT / "Snakefile", tmp_path)
    path = f"{tmp_path}:{Path(sys.executable).parent}:{os.environ['PATH']}"

    def workflow(target: str, *flags: str, command: str = 'container["command"]') -> subprocess.CompletedProcess:
        (tmp_path / "kubectl").write_text(KUBECTL.format(python=sys.executable, command=command))
        (tmp_path / "kubectl").chmod(0o755)
        words = ["snakemake", "--profile", "profiles/kubernetes", "--seconds-between-status-checks", "1", *flags]
        return subprocess.run(
            [*words, "--", target], cwd=tmp_path, env=os.environ | {"PATH": path}, capture_output=True, text=True
        )

    return workflow


def test_a_step_runs_in_a_pod_that_shares_the_folder(run, tmp_path):
    done = run("outputs/demo/corpus/hans/lineage.json", "--config", "model=demo")
    assert done.returncode == 0, done.stderr + (tmp_path / "pod.log").read_text()
    assert {file.name for file in (tmp_path / "outputs/demo/corpus/hans").iterdir()} >= {"README.md", "data"}
    pod = yaml.safe_load((tmp_path / "job.yaml").read_text())["spec"]["template"]["spec"]
    assert pod["containers"][0]["resources"] == {"limits": {"memory": "8000M"}, "requests": {"cpu": 1}}


def test_a_start_asks_for_its_gpu_and_a_failed_job_is_reported(run, tmp_path):
    prepared = tmp_path / "outputs/smollm2-135m/mnli/lineage.json"
    prepared.parent.mkdir(parents=True)
    prepared.write_text("{}")
    target = "outputs/smollm2-135m/models/n391722-s0/lineage.json"
    done = run(target, "--config", "model=smollm2-135m", command='["false"]')
    assert done.returncode == 1
    assert "Error in rule start" in done.stderr
    pod = yaml.safe_load((tmp_path / "job.yaml").read_text())["spec"]["template"]["spec"]
    assert pod["activeDeadlineSeconds"] == 23 * 60  # 3 minutes and half a minute for each 10,000 of 391,722 rows
    assert pod["containers"][0]["workingDir"] == str(tmp_path)
    assert pod["containers"][0]["resources"] == {
        "limits": {"memory": "16000M", "nvidia.com/gpu": 1},
        "requests": {"cpu": 4},
    }
