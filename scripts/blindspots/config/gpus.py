"""The GPUs of this machine, and taking free ones: a lock on each that ends with the job, however the job ends."""

import fcntl
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from blindspots.config.errors import UserError

# As CUDA reads CUDA_VISIBLE_DEVICES: a number, or what a UUID starts with. It ends at anything else, such as -1.
DEVICE = re.compile(r"\d+|(GPU|MIG)-[\w/-]+")
SECONDS_BETWEEN_TRIES = 1


def visible_gpus() -> list[str]:
    """The NVIDIA GPUs that a process may use, in the words of CUDA_VISIBLE_DEVICES.

    Those of CUDA_VISIBLE_DEVICES where a person or Slurm has set it, else all that nvidia-smi lists. Raises UserError
    where nvidia-smi is there and fails.
    """
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    if given is not None:
        names = [name.strip() for name in given.split(",")]
        wrong = next((place for place, name in enumerate(names) if not DEVICE.fullmatch(name)), len(names))
        return list(dict.fromkeys(names[:wrong]))
    if shutil.which("nvidia-smi") is None:
        return []
    listed = subprocess.run(["nvidia-smi", "--list-gpus"], capture_output=True, text=True)
    if listed.returncode:
        said = " ".join((listed.stdout + listed.stderr).split())
        raise UserError(f"nvidia-smi can't list the GPUs ({said}); repair the driver, or set CUDA_VISIBLE_DEVICES.")
    return [str(index) for index, _ in enumerate(re.findall(r"^GPU \d+:", listed.stdout, re.MULTILINE))]


def take_gpus(count: int) -> list[str]:
    """Wait until so many visible GPUs are free of our jobs, and lock them.

    The locks pass on to the command that this process becomes and end with it. They hold among the jobs of one user,
    and of one Slurm job where there is one: Slurm numbers the GPUs of each of its jobs from 0. Raises UserError where
    fewer GPUs are visible.
    """
    visible = visible_gpus() if count else []
    if count > len(visible):
        raise UserError(
            f"{count} GPU(s) are asked for, and {len(visible)} can be seen here (CUDA_VISIBLE_DEVICES, nvidia-smi); "
            "ask for fewer."
        )
    folder = Path(tempfile.gettempdir(), f"blindspots-gpus-{os.getuid()}-{os.environ.get('SLURM_JOB_ID', 'here')}")
    folder.mkdir(mode=0o700, exist_ok=True)
    taken = _lock_free(visible, count, folder)
    if taken is None:
        print(f"waiting for {count} free GPU(s) of {','.join(visible)}", file=sys.stderr, flush=True)
    while taken is None:
        time.sleep(SECONDS_BETWEEN_TRIES)
        taken = _lock_free(visible, count, folder)
    return taken


def _lock_free(gpus: list[str], count: int, folder: Path) -> list[str] | None:
    """So many of the GPUs, locked; None where fewer are free, with none locked."""
    held: dict[str, int] = {}
    with Path(folder, "choosing").open("w") as choosing:
        fcntl.flock(choosing, fcntl.LOCK_EX)  # else two jobs could each hold a part and wait for the other
        for gpu in gpus:
            if len(held) < count and (file := _lock(folder / gpu.replace("/", "_"))) is not None:
                held[gpu] = file
        if len(held) < count:
            for file in held.values():
                os.close(file)
            return None
    return list(held)


def _lock(path: Path) -> int | None:
    """A descriptor that holds the lock of a file and passes on to a command; None where another holds it."""
    file = os.open(path, os.O_CREAT | os.O_WRONLY, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(file)
        return None
    os.set_inheritable(file, True)
    return file
