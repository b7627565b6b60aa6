"""The runs that an artifact was made by: one that continues an interrupted run has its code and time too."""

import json
from pathlib import Path
from typing import Any

from blindspots.artifacts.files import write_whole

RUNS = "runs.json"


def begin_run(work: Path, staging: Path, started: float, commit: str | None) -> list[dict[str, Any]]:
    """Note that a run begins, and return the interrupted ones that it continues, the first one first.

    Args:
        work: what a restarted run continues from, see `folder.OutputFolder`; staging is no part of it.
        started: time.time() at the start of the run.
        commit: of its code.

    Each of them has `code_commit` and `wall_time_s`: seconds up to the last file that it left, since nothing tells how
    long it went on.
    """
    file = work / RUNS
    runs = json.loads(file.read_text("utf-8")) if file.is_file() else []
    left = [path for path in work.rglob("*") if path != file and not path.is_relative_to(staging)]
    ended = max((path.stat().st_mtime for path in left), default=0.0)
    earlier = runs[:-1]
    if runs:
        last = runs[-1]
        seconds = round(max(0.0, ended - last["started"]), 1)
        earlier.append({"code_commit": last["code_commit"], "wall_time_s": seconds})
    write_whole(file, json.dumps([*earlier, {"code_commit": commit, "started": started}]))
    return earlier
