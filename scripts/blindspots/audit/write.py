"""The files of an audit, put in place together: audit.json, audit.md, audit.png."""

import math
from pathlib import Path
from typing import Any

from blindspots.artifacts.cards import write_card
from blindspots.artifacts.files import without_nan, write_json
from blindspots.artifacts.names import LINEAGE, read_lineage
from blindspots.artifacts.output_dir import checked_output, locked, whole_folder
from blindspots.artifacts.pictures import save_png
from blindspots.audit.figure import figure
from blindspots.audit.render import markdown

FILES = {"audit.json", "audit.md", "audit.png"}


def check_folder(folder: Path, inputs: dict[str, Path]) -> None:
    """Raise UserError where the audit can't go, see `checked_output`; <artifact>/audit may lie inside an input."""
    own = {key: path for key, path in inputs.items() if folder.absolute() != path.absolute() / "audit"}
    with locked(folder):
        checked_output(folder, "audit", strange_file, own)
    if artifact := _artifact(folder):
        read_lineage(artifact)


def strange_file(folder: Path) -> str | None:
    """A file of a folder that is not part of an audit, None where all are."""
    return next(iter(sorted({path.name for path in folder.iterdir()} - FILES)), None)


def write_audit(folder: Path, audit: dict[str, Any]) -> None:
    """Write the three files beside `folder` and swap them in; the card of an artifact around it is written again."""
    audit = rounded(without_nan(audit))
    with whole_folder(folder, "audit", strange_file) as new:
        write_json(new / "audit.json", audit)
        (new / "audit.md").write_text(markdown(audit), "utf-8")
        save_png(figure(audit), new / "audit.png", dpi=130)
    if artifact := _artifact(folder):
        with locked(artifact):
            write_card(artifact, read_lineage(artifact))


def _artifact(folder: Path) -> Path | None:
    """The artifact whose audit goes to `folder`, None where the folder is not <artifact>/audit."""
    artifact = folder.absolute().parent
    return artifact if folder.absolute().name == "audit" and (artifact / LINEAGE).is_file() else None


def rounded(value: Any) -> Any:
    """The value with six significant digits."""
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(item) for item in value]
    return float(f"{value:.6g}") if isinstance(value, float) and math.isfinite(value) else value
