"""`lineage.json`: from what, by what code, on what machine an artifact was made."""

import hashlib
import json
import os
import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

PACKAGES = (
    "accelerate",
    "datasets",
    "deepspeed",
    "evaluate",
    "huggingface_hub",
    "peft",
    "torch",
    "transformers",
    "trl",
)
# Keys that say where an artifact goes, not what it is.
PLACEMENT_KEYS = {"output_dir", "wait_for_lock", "push_to_hub", "hub_namespace", "hub_name", "hub_tag",
                  "hub_private_repo"}  # fmt: skip
# Written after the files that they describe.
UNHASHED = {"lineage.json", "README.md"}


def hash_file(path: Path) -> str:
    """sha256 of a file, in hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def hash_json(value: Any) -> str:
    """sha256 of a value's canonical JSON, in hex."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def hash_folder(folder: Path) -> tuple[dict[str, dict[str, Any]], str]:
    """sha256 and bytes of every file but the card and the lineage, and one hash of the whole."""
    files = {
        path.relative_to(folder).as_posix(): {"sha256": hash_file(path), "bytes": path.stat().st_size}
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in UNHASHED and ".cache" not in path.relative_to(folder).parts
    }
    return files, hash_json({name: file["sha256"] for name, file in files.items()})


def code_commit() -> str | None:
    """The commit of the scripts, with `+changes` where the tree differs from it; None outside a git checkout."""
    folder = Path(__file__).parent
    run = lambda *args: subprocess.run(["git", "-C", folder, *args], capture_output=True, text=True)  # noqa: E731
    commit = run("rev-parse", "HEAD")
    if commit.returncode:
        return None
    changed = run("status", "--porcelain", "--untracked-files=no").stdout.strip()
    return commit.stdout.strip() + ("+changes" if changed else "")


def hardware() -> dict[str, Any]:
    """CPU, cores, memory in GiB, and GPUs where torch is loaded and sees any."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    machine = {"cpu": _cpu_name(), "cores": os.cpu_count(), "memory_gib": round(memory, 1), "gpus": []}
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        machine["gpus"] = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return machine


def _cpu_name() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def versions() -> dict[str, str]:
    """Python's version and those of the packages that decide a result."""
    installed = {name: metadata.version(name) for name in PACKAGES}
    return {"python": platform.python_version(), **installed}
