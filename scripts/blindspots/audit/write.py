"""The files of an audit, put in place together: audit.json, audit.md, audit.png."""

import json
import math
import shutil
from pathlib import Path
from typing import Any

from blindspots.audit.figure import figure
from blindspots.audit.render import markdown
from blindspots.cards import write_card
from blindspots.errors import UserError

FILES = {"audit.json", "audit.md", "audit.png"}


def check_folder(folder: Path) -> None:
    """Raise UserError where the output folder is a file or holds anything but an audit."""
    if folder.is_file():
        raise UserError(f"output_dir {folder} is a file; name a folder.")
    if folder.is_dir() and (strange := sorted({path.name for path in folder.iterdir()} - FILES)):
        raise UserError(f"output_dir {folder} holds {strange[0]}, which is no part of an audit; name an empty folder.")


def write_audit(folder: Path, audit: dict[str, Any]) -> None:
    """Write the three files beside `folder` and swap them in; the card of an artifact around it is made anew."""
    folder = folder.absolute()
    work = folder.parent / f".{folder.name}.work"
    shutil.rmtree(work, ignore_errors=True)
    new = work / "new"
    new.mkdir(parents=True)
    audit = plain(audit)
    (new / "audit.json").write_text(json.dumps(audit, indent=1, ensure_ascii=False, allow_nan=False) + "\n", "utf-8")
    (new / "audit.md").write_text(markdown(audit), "utf-8")
    figure(audit).savefig(new / "audit.png", dpi=130, metadata={"Software": None})
    if folder.exists():
        folder.rename(work / "old")
    new.rename(folder)
    shutil.rmtree(work)
    lineage = folder.parent / "lineage.json"
    if folder.name == "audit" and lineage.is_file():
        write_card(folder.parent, json.loads(lineage.read_text()))


def plain(value: Any) -> Any:
    """The value as JSON has it: six digits, nan and infinity as None."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    return value
