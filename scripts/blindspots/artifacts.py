"""Artifact folders: each is a Hub repo on disk (files, card, `lineage.json`) that appears whole or not at all."""

import dataclasses
import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml
from filelock import FileLock, Timeout

from blindspots import hub
from blindspots.cards import licence, repo_type, write_card
from blindspots.errors import UserError
from blindspots.lineage import PLACEMENT_KEYS, code_commit, hardware, hash_folder, hash_json, versions
from blindspots.parsing import is_main_process
from blindspots.recipes import ArtifactRecipe
from blindspots.sources import Source


@dataclasses.dataclass
class OutputFolder:
    """Where an artifact goes and where it is made: `<parent>/.<name>.work` until it is whole."""

    final: Path
    kind: str
    started: float

    @property
    def work(self) -> Path:
        """What a restarted run goes on from: checkpoints, shards."""
        return self.final.parent / f".{self.final.name}.work"

    @property
    def checkpoints(self) -> Path:
        return self.work / "checkpoints"

    @property
    def staging(self) -> Path:
        """The artifact's files until they are published."""
        return self.work / "artifact"

    @property
    def replaced(self) -> Path:
        """The former artifact, while the new one takes its place."""
        return self.work / "replaced"


@contextmanager
def output_folder(recipe: ArtifactRecipe, kind: str) -> Iterator[OutputFolder]:
    """Lock an output folder for this run and prepare its work folder.

    Args:
        recipe: says where the artifact goes, and whether it is pushed.
        kind: a template of model_cards/ or data_cards/, such as `task_model`.

    Raises UserError where another run holds the lock and the recipe does not wait, where output_dir is no folder, and
    where a push is asked for that the Hub would refuse.
    """
    final = Path(recipe.output_dir).absolute()
    folder = OutputFolder(final, kind, time.time())
    if final.exists() and not final.is_dir():
        raise UserError(f"output_dir {recipe.output_dir} is a file; name a folder.")
    if recipe.push_to_hub and is_main_process():
        hub.preflight(dataclasses.asdict(recipe), artifact_name(final), final, repo_type(kind))
    if not is_main_process():
        with suppress(_AlreadyMade):
            yield folder
        return
    final.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(final.parent / f".{final.name}.lock", timeout=-1 if recipe.wait_for_lock else 0)
    try:
        with lock:
            if folder.replaced.exists() and not final.exists():  # killed between the two renames of _swap
                folder.replaced.rename(final)
            shutil.rmtree(folder.staging, ignore_errors=True)
            folder.staging.mkdir(parents=True)
            yield folder
    except _AlreadyMade:
        shutil.rmtree(folder.work, ignore_errors=True)
        print(f"{recipe.output_dir} is made from this recipe and these inputs already, and is only pushed.")
        hub.push(final, dataclasses.asdict(recipe), repo_type(kind))
    except Timeout:
        raise UserError(
            f"Another run is writing {recipe.output_dir}. Wait for it, or pass --wait_for_lock true."
        ) from None
    except OSError as error:
        if error.errno == 28:
            raise UserError(
                f"The disk is full; {recipe.output_dir} was left as it was. Free space and rerun."
            ) from error
        raise


def resume_or_clear(folder: OutputFolder, recipe: dict[str, Any], parents: dict[str, Source]) -> None:
    """Keep what an interrupted run left only where recipe and inputs are still the same; otherwise clear it.

    Where the finished artifact of this recipe and these inputs is to be pushed, the `with output_folder` block ends
    here and it is only pushed. Every process calls it, and none goes on before it is done.
    """
    from accelerate import PartialState

    described = {name: value for name, value in recipe.items() if name not in PLACEMENT_KEYS}
    records = [source.record(role) for role, source in parents.items()]
    if recipe["push_to_hub"] and _is_made(folder.final, hash_json(described), records):
        raise _AlreadyMade
    check_disk(folder.final.parent, estimated_bytes(recipe, parents))
    with PartialState().main_process_first():
        if not is_main_process():
            return
        run = hash_json([described, records])
        file = folder.work / "run"
        if file.is_file() and file.read_text() == run:
            return
        if any(path != folder.staging for path in folder.work.iterdir()):
            print(f"{folder.final}: an unfinished run of another recipe or input is cleared.")
        shutil.rmtree(folder.work)
        folder.staging.mkdir(parents=True)
        file.write_text(run)


def estimated_bytes(recipe: dict[str, Any], parents: dict[str, Source]) -> int:
    """Bytes that a run may write: all weights of its models once as artifact and, with two moments, as checkpoint.

    An adapter is taken as a tenth of its base model.
    """
    models = [source.path for source in parents.values() if source.repo_type == "model"]
    weights = sum(file.stat().st_size for path in models for file in path.glob("*.safetensors"))
    return 4 * weights // (10 if recipe.get("use_peft") else 1)


def check_disk(folder: Path, needed: int) -> None:
    """Raise UserError where less than `needed` bytes are free below `folder`."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise UserError(
            f"{folder} has {free / 2**30:.1f} GiB free, this run may write {needed / 2**30:.1f} GiB; make room."
        )


class _AlreadyMade(Exception):  # noqa: N818
    """The artifact that a run is to make is there already; ends the run's `with output_folder` block."""


def _is_made(final: Path, recipe_sha256: str, parents: list[dict[str, Any]]) -> bool:
    file = final / "lineage.json"
    lineage = json.loads(file.read_text()) if file.is_file() else {}
    return (lineage.get("recipe_sha256"), lineage.get("parents")) == (recipe_sha256, parents)


def resolved_recipe(recipe: ArtifactRecipe, *libraries: dict[str, Any]) -> dict[str, Any]:
    """The recipe as it ran: our keys with their defaults, the library keys that were given."""
    values = dataclasses.asdict(recipe)
    for arguments in libraries:
        values |= arguments
    return dict(sorted(values.items()))


def artifact_name(output_dir: Path) -> str:
    """Name of an artifact and of its repo: the path below outputs/, joined by hyphens; elsewhere the folder's name."""
    parts = output_dir.parts
    below = parts[len(parts) - parts[::-1].index("outputs") :] if "outputs" in parts else parts[-1:]
    return "-".join(below)


def publish(
    folder: OutputFolder,
    recipe: dict[str, Any],
    parents: dict[str, Source],
    row_counts: dict[str, Any],
    results: dict[str, Any] | None = None,
) -> Path:
    """Write recipe, lineage and card beside the staged files, then put the folder in place of the old one.

    Args:
        folder: of this run; its staging folder holds the artifact's files.
        recipe: from `resolved_recipe`.
        parents: role -> Source of each input.
        row_counts: rows read, used and left out, by name.
        results: metrics by test set, as `prediction.score` gives them.
    """
    described = {name: value for name, value in recipe.items() if name not in PLACEMENT_KEYS}
    (folder.staging / "recipe.yaml").write_text(yaml.safe_dump(described, sort_keys=False, allow_unicode=True))
    files, content = hash_folder(folder.staging)
    lineage = {
        "artifact": artifact_name(folder.final),
        "kind": folder.kind,
        "license": licence(parents.values(), folder.kind),
        "content_sha256": content,
        "recipe": recipe,
        "recipe_sha256": hash_json(described),
        "parents": [source.record(role) for role, source in parents.items()],
        "code_commit": code_commit(),
        "versions": versions(),
        "hardware": hardware(),
        "processes": int(os.environ.get("WORLD_SIZE", "1")),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "wall_time_s": round(time.time() - folder.started, 1),
        "row_counts": row_counts,
        "results": results or {},
        "files": files,
    }
    (folder.staging / "lineage.json").write_text(hub.to_json(lineage))
    write_card(folder.staging, lineage)
    _swap(folder)
    if recipe["push_to_hub"]:
        hub.push(folder.final, recipe, repo_type(folder.kind))
    print(f"{folder.final}: {folder.kind} saved in {lineage['wall_time_s']} s")
    return folder.final


def _swap(folder: OutputFolder) -> None:
    shutil.rmtree(folder.replaced, ignore_errors=True)
    if folder.final.exists():
        folder.final.rename(folder.replaced)
    folder.staging.rename(folder.final)
    shutil.rmtree(folder.work)
