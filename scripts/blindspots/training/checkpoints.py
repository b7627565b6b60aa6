"""Which checkpoint of an interrupted run is whole."""

import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
from accelerate import PartialState
from safetensors import SafetensorError, safe_open

from blindspots.artifacts.folder import OutputFolder
from blindspots.config.processes import is_main_process, started_processes


def last_checkpoint(folder: OutputFolder) -> str | None:
    """The newest whole checkpoint of an interrupted run; a full disk or a kill may leave one cut short.

    Every process calls it. What is not whole is removed: it will be written again.
    """
    with PartialState().main_process_first():
        found = list(folder.checkpoints.glob("checkpoint-*"))
        whole = [path for path in found if path.name.split("-")[1].isdigit() and is_whole(path)]
        for path in set(found) - set(whole) if is_main_process() else ():
            shutil.rmtree(path)
    return str(max(whole, key=lambda path: int(path.name.split("-")[1]))) if whole else None


def is_whole(checkpoint: Path) -> bool:
    """Whether every file of a checkpoint is there and can be read to its end; trainer_state.json is written last."""
    try:
        if not _has_all_parts(checkpoint):
            return False
        json.loads((checkpoint / "trainer_state.json").read_text("utf-8"))
        for file in checkpoint.rglob("*"):
            if file.suffix == ".safetensors":
                with safe_open(file, "pt") as tensors:  # checks the header against the file's size
                    tensors.keys()
            elif file.suffix in (".pt", ".pth", ".bin"):
                with zipfile.ZipFile(file) as parts:  # as torch writes them
                    if parts.testzip():
                        return False
            elif file.suffix == ".npy":
                np.load(file)
    except (OSError, ValueError, EOFError, SafetensorError, zipfile.BadZipFile):
        return False
    return True


def _has_all_parts(checkpoint: Path) -> bool:
    """Whether weights, optimiser and scheduler are there, and what each process keeps of its own.

    Without its optimiser or its random state, transformers starts them afresh and says nothing.
    """
    names = [path.name for path in checkpoint.iterdir()]
    deepspeed = "global_step"  # one folder of all three
    of_all = (
        ("model", "adapter_model", "pytorch_model", deepspeed),
        ("optimizer", deepspeed),
        ("scheduler", deepspeed),
    )
    of_each = ("rng_state", "epoch_start")
    return all(any(name.startswith(part) for name in names) for part in of_all) and all(
        sum(name.startswith(part) for name in names) >= started_processes() for part in of_each
    )
