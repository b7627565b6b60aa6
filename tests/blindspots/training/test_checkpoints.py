"""Checkpoints of an interrupted run: those that count are whole."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from blindspots.artifacts.folder import OutputFolder
from blindspots.training.checkpoints import is_whole, last_checkpoint


def write_checkpoint(folder: Path) -> Path:
    """The files of a checkpoint, each readable."""
    folder.mkdir(parents=True)
    save_file({"weight": torch.ones(4)}, folder / "model.safetensors")
    for name in ("optimizer.pt", "scheduler.pt"):
        torch.save({"step": 1}, folder / name)
    torch.save({"python": 1}, folder / "rng_state.pth")
    np.save(folder / "epoch_start_0.npy", np.arange(8))
    (folder / "trainer_state.json").write_text('{"global_step": 1}')
    return folder


def test_the_last_checkpoint_is_the_newest_whole_one(tmp_path):
    folder = OutputFolder(tmp_path / "model", "task_model", 0)
    assert last_checkpoint(folder) is None
    for step in (5, 10, 100, 105):
        write_checkpoint(folder.checkpoints / f"checkpoint-{step}")
    (folder.checkpoints / "checkpoint-105" / "trainer_state.json").unlink()  # killed while it wrote 105
    (folder.checkpoints / "checkpoint-tmp").mkdir()
    assert last_checkpoint(folder) == str(folder.checkpoints / "checkpoint-100")


@pytest.mark.parametrize(
    "name", ["model.safetensors", "optimizer.pt", "rng_state.pth", "epoch_start_0.npy", "trainer_state.json"]
)
@pytest.mark.parametrize("share", [0, 0.5, 0.9])
def test_a_checkpoint_with_a_file_that_was_cut_short_does_not_count(tmp_path, name, share):
    folder = OutputFolder(tmp_path / "model", "task_model", 0)
    write_checkpoint(folder.checkpoints / "checkpoint-1")
    torn = write_checkpoint(folder.checkpoints / "checkpoint-2") / name
    whole = torn.read_bytes()
    torn.write_bytes(whole[: int(share * len(whole))])
    assert last_checkpoint(folder) == str(folder.checkpoints / "checkpoint-1")
    assert not torn.parent.exists()  # else what is left of it would be in the way of what is written there


@pytest.mark.parametrize("name", ["optimizer.pt", "rng_state.pth"])
def test_a_checkpoint_with_a_file_that_torch_could_not_read_does_not_count(tmp_path, name):
    checkpoint = write_checkpoint(tmp_path / "checkpoint-1")
    assert is_whole(checkpoint)
    content = (checkpoint / name).read_bytes()
    (checkpoint / name).write_bytes(content[100:])
    assert not is_whole(checkpoint)


@pytest.mark.parametrize(
    "name", ["model.safetensors", "optimizer.pt", "scheduler.pt", "rng_state.pth", "epoch_start_0.npy"]
)
def test_a_checkpoint_without_one_of_its_files_does_not_count(tmp_path, name):
    folder = OutputFolder(tmp_path / "model", "task_model", 0)
    write_checkpoint(folder.checkpoints / "checkpoint-1")
    (write_checkpoint(folder.checkpoints / "checkpoint-2") / name).unlink()
    assert last_checkpoint(folder) == str(folder.checkpoints / "checkpoint-1")


def test_a_checkpoint_that_one_of_two_processes_had_not_finished_does_not_count(tmp_path, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    checkpoint = write_checkpoint(tmp_path / "checkpoint-1")
    assert not is_whole(checkpoint)
    torch.save({"python": 1}, checkpoint / "rng_state_1.pth")
    np.save(checkpoint / "epoch_start_1.npy", np.arange(8))
    assert is_whole(checkpoint)
