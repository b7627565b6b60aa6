"""The Slurm profile: what the workflow asks a cluster for, seen by a made `sbatch` that only writes it down."""

import contextlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

REPO_ROOT = Path(__file__).resolve().parent.parent
ANSWERS = {"sacctmgr": "research", "sinfo": "gpu", "sacct": "", "squeue": "", "scancel": "", "scontrol": ""}
DEADLINE_S = 90


def test_a_submitted_start_carries_its_resources(tmp_path):
    pytest.importorskip("snakemake_executor_plugin_slurm", reason="snakemake-executor-plugin-slurm is not installed")
    for name, answer in ANSWERS.items():
        (tmp_path / name).write_text(f"#!/bin/sh\necho {answer}\n")
    (tmp_path / "sbatch").write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/calls\necho 1234\n')
    for name in (*ANSWERS, "sbatch"):
        (tmp_path / name).chmod(0o755)
    work = tmp_path / "work"
    shutil.copytree(REPO_ROOT / "recipes", work / "recipes")
    prepared = work / "outputs" / "smollm2-135m" / "mnli" / "lineage.json"
    prepared.parent.mkdir(parents=True)
    prepared.write_text("{}")
    environment = {**os.environ, "PATH": f"{tmp_path}:{Path(sys.executable).parent}:{os.environ['PATH']}"}
    command = [
        "snakemake",
        "--snakefile",
        REPO_ROOT / "Snakefile",
        "--directory",
        work,
        "--profile",
        REPO_ROOT / "profiles/slurm",
        "--config",
        "model=smollm2-135m",
        "--",
        "outputs/smollm2-135m/models/n391722-s0/lineage.json",
    ]
    with (tmp_path / "log").open("w") as log:
        running = subprocess.Popen(command, cwd=work, env=environment, stdout=log, stderr=log)
        try:
            end = time.monotonic() + DEADLINE_S
            while not (tmp_path / "calls").exists() and running.poll() is None and time.monotonic() < end:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    running.wait(timeout=0.2)
        finally:
            running.kill()
            running.wait()
    assert (tmp_path / "calls").exists(), (tmp_path / "log").read_text()[-2000:]
    asked = (tmp_path / "calls").read_text()
    assert "-t 23 " in asked  # 3 minutes and half a minute for each 10,000 of 391,722 rows
    assert "--mem 16000" in asked
    assert "--gpus=1" in asked
    assert "--nodes=1" in asked
    assert "--cpus-per-task=4" in asked
    assert "-p gpu" in asked
