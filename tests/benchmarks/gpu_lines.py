"""The lines of bench_gpu.py: each is measured on its own and kept at once, and none takes another with it."""

import gc
import json
import os
import time
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import torch
from results_table import write_readme

from blindspots.artifacts.lineage import code_commit, hardware, versions

# A line's name, and what measures it and returns its other columns.
Task = tuple[str, Callable[[], dict]]
MINUTES = 9.0  # measurements that have not begun by then are left out, and the table says so


class Record:
    """Rewrites gpu.json and the README beside it, with the lines that are there so far."""

    def __init__(self, folder: Path):
        self.folder, self.started, self.load = folder, time.time(), os.getloadavg()

    def __call__(self, lines: list[dict]) -> None:
        record = {
            "date": datetime.now(UTC).date().isoformat(),
            "commit": code_commit(),
            "hardware": hardware(),
            "load_average": {"start": self.load, "end": os.getloadavg()},
            "versions": versions(),
            "model": "random weights in the shapes of Llama-2-7B and SmolLM2-135M",
            "rows": "lengths of real rows where ../shared is, else of the demo corpus",
            "wall_time_s": round(time.time() - self.started),
            "results": lines,
        }
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "gpu.json").write_text(json.dumps(record, indent=2) + "\n")
        write_readme(self.folder)


def measure(tasks: list[Task], keep: Callable[[list[dict]], None]) -> list[dict]:
    """A line of each task; one that fails or comes too late says so in its place.

    Args:
        keep: is given the lines after each task, so that nothing is lost where the process ends.
    """
    started, lines = time.time(), []
    for name, task in tasks:
        if time.time() - started > 60 * MINUTES:
            lines.append(not_measured(name, "the time was up"))
            keep(lines)
            continue
        try:
            lines.append({"measured": name} | task())
        except Exception as error:  # a line that can't be measured takes no other with it
            traceback.clear_frames(error.__traceback__)  # they hold the model
            lines.append(not_measured(name, f"{type(error).__name__}: {' '.join(str(error).split())[:160]}"))
        if torch.accelerator.is_available():
            gc.collect()
            torch.accelerator.empty_cache()
        keep(lines)
        print(f"{name}: {time.time() - started:.0f} s", flush=True)
    return lines


def not_measured(name: str, why: str) -> dict:
    """The line of a task without a result."""
    return {"measured": name, "value": "not measured", "note": why}
