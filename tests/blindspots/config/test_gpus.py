"""Which GPUs a process may use: those that a person or Slurm names, else those that nvidia-smi lists."""

import pytest

from blindspots.config.errors import UserError
from blindspots.config.gpus import visible_gpus


@pytest.mark.parametrize(
    ("given", "gpus"),
    [
        ("0", ["0"]),
        ("2, 5", ["2", "5"]),
        ("GPU-5e5b52a9,MIG-GPU-5e5b52a9/1/0", ["GPU-5e5b52a9", "MIG-GPU-5e5b52a9/1/0"]),
        ("1,-1,2", ["1"]),  # as CUDA reads it
        ("3,3", ["3"]),
        ("", []),
        ("NoDevFiles", []),
    ],
)
def test_the_list_of_the_environment_counts(monkeypatch, given, gpus):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", given)
    assert visible_gpus() == gpus


@pytest.fixture
def nvidia_smi(monkeypatch, tmp_path):
    """Make an nvidia-smi that runs a line of shell, the only program there is."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))

    def make(line: str) -> None:
        (tmp_path / "nvidia-smi").write_text(f"#!/bin/sh\n{line}\n")
        (tmp_path / "nvidia-smi").chmod(0o755)

    return make


def test_a_machine_without_nvidia_smi_has_none(nvidia_smi):
    assert visible_gpus() == []


def test_whole_gpus_of_nvidia_smi_are_numbered(nvidia_smi):
    nvidia_smi(
        "printf 'GPU 0: H100 (UUID: GPU-a)\\n  MIG 1g.10gb Device 0: (UUID: MIG-b)\\nGPU 1: H100 (UUID: GPU-c)\\n'"
    )
    assert visible_gpus() == ["0", "1"]


def test_a_driver_that_fails_is_one_line(nvidia_smi):
    nvidia_smi("echo 'Driver/library version\n mismatch'; exit 18")
    with pytest.raises(UserError, match=r"can't list the GPUs \(Driver/library version mismatch\); repair the driver"):
        visible_gpus()
