"""Launching on free GPUs, which are made up; in accelerate's place a job that says what it sees."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch.distributed.run
from accelerate.commands.launch import launch_command, launch_command_parser
from made_accelerate import made_accelerate

import launch
from blindspots.config import gpus
from blindspots.config.paths import ACCELERATE_CONFIGS

SCRIPT = Path(launch.__file__)
# Prints its GPUs and arguments, and ends when its stdin does.
JOB = """
import os, sys
print(os.environ["CUDA_VISIBLE_DEVICES"], *sys.argv[1:], flush=True)
sys.stdin.read()
"""


@pytest.fixture
def start(tmp_path):
    """Start a job: start(GPUs, variable=value, ...) returns its process; the machine has eight GPUs."""
    made_accelerate(tmp_path, JOB)
    jobs = []

    def run(gpus: int, **variables: str) -> subprocess.Popen:
        machine = {"CUDA_VISIBLE_DEVICES": "0,1,2,3,4,5,6,7", "TMPDIR": str(tmp_path), "PYTHONPATH": str(tmp_path)}
        outer = {name: value for name, value in os.environ.items() if name != "SLURM_JOB_ID"}
        command = [sys.executable, SCRIPT, "--gpus", str(gpus), "script.py", "recipe.yaml"]
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        jobs.append(subprocess.Popen(command, env=outer | machine | variables, text=True, **pipes))
        return jobs[-1]

    yield run
    for job in jobs:
        job.kill()
        job.communicate()


def seen(job: subprocess.Popen) -> str:
    """The GPUs that a job sees, once it runs."""
    return job.stdout.readline().split(" ")[0]


def test_eight_jobs_run_on_eight_gpus_and_a_ninth_waits_for_one_that_ends(start):
    jobs = {seen(job): job for job in [start(1) for _ in range(8)]}
    assert sorted(jobs) == list("01234567")
    ninth = start(1)
    assert ninth.stderr.readline() == "waiting for 1 free GPU(s) of 0,1,2,3,4,5,6,7\n"
    jobs["5"].kill()  # which leaves it no time to give anything back
    assert seen(ninth) == "5"


def test_a_job_of_several_gpus_waits_for_as_many_and_holds_none_meanwhile(start):
    machine = {"CUDA_VISIBLE_DEVICES": "2,GPU-1b2c,MIG-3d4e"}
    small = [start(1, **machine)]
    assert seen(small[0]) == "2"
    large = start(3, **machine)
    assert large.stderr.readline().startswith("waiting for 3 free GPU(s)")
    small += [start(1, **machine), start(1, **machine)]
    assert sorted(map(seen, small[1:])) == ["GPU-1b2c", "MIG-3d4e"]
    for job in small:
        job.kill()
    assert seen(large) == "2,GPU-1b2c,MIG-3d4e"


def test_a_job_of_several_gpus_has_a_process_on_each(start):
    job = start(8)
    visible, *words = job.stdout.readline().split()
    assert visible == "0,1,2,3,4,5,6,7"
    config = str(ACCELERATE_CONFIGS / "multi_gpu.yaml")
    assert words == ["--config_file", config, "--num_processes", "8", "script.py", "recipe.yaml"]


def test_slurm_jobs_number_their_own_gpus_from_0(start):
    ours = [start(1, CUDA_VISIBLE_DEVICES="0", SLURM_JOB_ID=job) for job in ("17", "18")]
    assert [seen(job) for job in ours] == ["0", "0"]
    assert start(1, CUDA_VISIBLE_DEVICES="0", SLURM_JOB_ID="17").stderr.readline().startswith("waiting for 1 free")


def test_more_gpus_than_there_are_is_one_line(start):
    job = start(2, CUDA_VISIBLE_DEVICES="3")
    assert job.stderr.read() == (
        "error: 2 GPU(s) are asked for, and 1 can be seen here (CUDA_VISIBLE_DEVICES, nvidia-smi); ask for fewer.\n"
    )
    assert job.wait() == 1


@pytest.fixture
def launched(monkeypatch):
    """Run launch.py in this process up to the command that it would become: its words and environment."""

    def run(*words: str) -> tuple[list[str], dict[str, str]]:
        monkeypatch.setattr("sys.argv", ["launch.py", *words])
        monkeypatch.setattr(launch, "take_gpus", lambda count: [str(gpu) for gpu in range(count)])
        monkeypatch.setattr(os, "environ", dict(os.environ))
        became = []
        monkeypatch.setattr(os, "execv", lambda program, command: became.extend(command))
        launch.main()
        return became, os.environ

    return run


def test_without_gpus_a_script_runs_on_the_cpu(launched):
    command, environment = launched("--gpus", "0", "--threads", "3", "script.py", "recipe.yaml", "--gpus", "7")
    assert command == [sys.executable, "script.py", "recipe.yaml", "--gpus", "7"]
    assert (environment["CUDA_VISIBLE_DEVICES"], environment["OMP_NUM_THREADS"]) == ("", "3")


def test_the_cpu_needs_no_driver(monkeypatch):
    monkeypatch.setattr(gpus, "visible_gpus", pytest.fail)
    assert gpus.take_gpus(0) == []


def test_processes_share_out_the_threads(launched):
    command, environment = launched("--gpus", "2", "--threads", "9", "--multi_gpu_config", "zero3.yaml", "script.py")
    assert command[3:] == ["--config_file", "zero3.yaml", "--num_processes", "2", "script.py"]
    assert (environment["CUDA_VISIBLE_DEVICES"], environment["OMP_NUM_THREADS"]) == ("0,1", "4")


def test_one_gpu_has_settings_of_its_own(launched):
    command, _ = launched("--multi_gpu_config", "zero3.yaml", "script.py")
    assert command[3:5] == ["--config_file", str(ACCELERATE_CONFIGS / "single_gpu.yaml")]


@pytest.mark.parametrize("name", ["multi_gpu", "zero2", "zero3", "fsdp2"])
def test_two_runs_on_one_machine_talk_on_two_ports(monkeypatch, name):
    ports = []
    monkeypatch.setattr(torch.distributed.run, "run", lambda arguments: ports.append(int(arguments.master_port)))
    for _ in range(2):
        words = ["--config_file", str(ACCELERATE_CONFIGS / f"{name}.yaml"), "--num_processes", "2", "script.py"]
        launch_command(launch_command_parser().parse_args(words))
    assert 0 < ports[0] != ports[1] > 0
