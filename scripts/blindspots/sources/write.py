"""The files of a comparison, put in place together: comparison.json, README.md (page and card), comparison.png."""

from pathlib import Path
from typing import Any

from blindspots.artifacts.files import without_nan, write_json
from blindspots.artifacts.output_dir import checked_output, locked, whole_folder
from blindspots.artifacts.pictures import save_png
from blindspots.audit.write import rounded
from blindspots.sources.figure import figure
from blindspots.sources.render import markdown

FILES = {"comparison.json", "README.md", "comparison.png"}


def check_folder(folder: Path, inputs: dict[str, Path]) -> None:
    """Raise UserError where the comparison can't go, see `checked_output`."""
    with locked(folder):
        checked_output(folder, "comparison", strange_file, inputs)


def strange_file(folder: Path) -> str | None:
    """A file of a folder that is not part of a comparison, None where all are."""
    return next(iter(sorted({path.name for path in folder.iterdir()} - FILES)), None)


def write_comparison(folder: Path, comparison: dict[str, Any]) -> dict[str, Any]:
    """Write the three files beside `folder` and swap them in; returns what comparison.json holds."""
    comparison = rounded(without_nan(comparison))
    with whole_folder(folder, "comparison", strange_file) as new:
        write_json(new / "comparison.json", comparison, flat_objects=True)
        (new / "README.md").write_text(markdown(comparison), "utf-8")
        save_png(figure(comparison), new / "comparison.png", dpi=80)
    return comparison
