"""Artifact folders: each is a Hub repo on disk (files, card, `lineage.json`) that appears whole or not at all."""

import dataclasses
import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from blindspots.artifacts.cards import write_card
from blindspots.artifacts.files import hash_json, write_json
from blindspots.artifacts.inputs import Source
from blindspots.artifacts.lineage import (
    accelerate_settings,
    artifact_name,
    code_commit,
    describe,
    parent_records,
    without_placement,
)
from blindspots.artifacts.names import LINEAGE, checked_lineage, is_folder_name, read_lineage
from blindspots.artifacts.output_dir import (
    apply_umask,
    checked_output,
    full_disk_in_words,
    local_inputs,
    locked,
    recover_folder,
    swap_folder,
    work_folder,
)
from blindspots.artifacts.runs import begin_run
from blindspots.config.errors import UserError
from blindspots.config.processes import is_main_process, started_processes
from blindspots.config.recipes import ArtifactRecipe

# What audit_dataset.py adds to an artifact.
AUDIT_FILE = re.compile(r"audit/audit\.(json|md|png)")
ARTIFACT_FILE = re.compile(
    r"(data|predictions)/([\w.-]+/)?[\w.-]+\.parquet|[\w.-]+\.(safetensors|json|jinja|model)|README\.md|recipe\.yaml"
)


@dataclasses.dataclass
class OutputFolder:
    """Where an artifact goes and where it is made: `<parent>/.<name>.work` until it is whole.

    output_dir: as the recipe names it. commit: of the code that began the run; the first process, which saves, knows.
    earlier: the interrupted runs that this one continues, see `runs.begin_run`.
    """

    output_dir: Path
    artifact_type: str
    started: float
    commit: str | None = None
    earlier: list[dict[str, Any]] = dataclasses.field(default_factory=list)

    @property
    def name(self) -> str:
        return artifact_name(self.output_dir)

    @cached_property
    def final(self) -> Path:
        """The folder itself, links followed."""
        return Path(os.path.realpath(self.output_dir))

    @property
    def work(self) -> Path:
        """What a restarted run continues from: checkpoints, shards."""
        return work_folder(self.final)

    @property
    def checkpoints(self) -> Path:
        return self.work / "checkpoints"

    @property
    def staging(self) -> Path:
        """The artifact's files until they are saved."""
        return self.work / "artifact"

    @property
    def replaced(self) -> Path:
        """The former artifact, while the new one takes its place."""
        return self.work / "replaced"


@contextmanager
def output_folder(recipe: ArtifactRecipe, artifact_type: str, *libraries: dict[str, Any]) -> Iterator[OutputFolder]:
    """Lock an output folder for this run and prepare its work folder.

    Args:
        recipe: says where the artifact goes, and names inputs.
        artifact_type: a template of model_cards/ or data_cards/, such as `task_model`.
        libraries: further keys that may name inputs.

    Raises UserError where another run holds the lock and the recipe does not wait, and where the artifact can't go:
    see `checked_output`. Only an empty folder or a former artifact of the same type is replaced. Also for a folder
    whose name no artifact can have: nothing could be made from it.
    """
    folder = OutputFolder(Path(recipe.output_dir), artifact_type, time.time())
    if not is_folder_name(folder.name):
        raise UserError(
            f"output_dir {recipe.output_dir}: {folder.name!r} can't be the name of an artifact; name a folder that "
            "begins with a letter or digit."
        )
    inputs = local_inputs(dataclasses.asdict(recipe), *libraries)
    what = f"{artifact_type} artifact"
    if not is_main_process():
        yield folder
        return
    folder.commit = code_commit()
    with locked(recipe.output_dir, recipe.wait_for_lock), full_disk_in_words(recipe.output_dir):
        checked_output(recipe.output_dir, what, lambda there: strange_file(there, artifact_type), inputs)
        folder.started = time.time()  # without the wait for another run
        recover_folder(folder.final, folder.replaced)
        shutil.rmtree(folder.staging, ignore_errors=True)
        folder.staging.mkdir(parents=True)
        yield folder


def strange_file(folder: Path, artifact_type: str) -> str | None:
    """A file of a folder that is not part of an artifact of this type, None where all are."""
    found = (path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir())
    there = sorted(path.relative_to(folder).as_posix() for path in found)
    if LINEAGE not in there and _has_card(folder, artifact_type):
        # Snakemake removes lineage.json, which it knows as the output of the job, before it runs the job again.
        return next(
            (name for name in there if not (ARTIFACT_FILE.fullmatch(name) or AUDIT_FILE.fullmatch(name))), None
        )
    try:
        lineage = read_lineage(folder)
        own = {LINEAGE, "README.md", *lineage["files"]} if lineage["artifact_type"] == artifact_type else set()
    except UserError:
        own = set()
    return next((name for name in there if name not in own and not (own and AUDIT_FILE.fullmatch(name))), None)


def _has_card(folder: Path, artifact_type: str) -> bool:
    """Whether a folder has a recipe, and a card whose tags name the artifact type."""
    try:
        head = (folder / "README.md").read_text("utf-8").split("---")[1]
        tags = yaml.safe_load(head)["tags"]
    except (OSError, ValueError, KeyError, TypeError, IndexError, yaml.YAMLError):
        return False
    return (folder / "recipe.yaml").is_file() and artifact_type in tags


def only_to_push(folder: OutputFolder, recipe: dict[str, Any], parents: dict[str, Source]) -> bool:
    """Whether a push is asked for of an artifact that this recipe made from these inputs before.

    Every process calls it; the first one removes the work folder where the answer is yes.
    """
    if not recipe["push_to_hub"] or not (folder.final / LINEAGE).is_file():
        return False
    lineage = read_lineage(folder.final)
    made = lineage.get("recipe_sha256"), lineage.get("parents")
    if made != (hash_json(without_placement(recipe)), parent_records(parents)):
        return False
    if is_main_process():
        shutil.rmtree(folder.work, ignore_errors=True)
        print(f"{folder.final} was made from this recipe and these inputs before; it is only pushed.")
    return True


def resume_or_clear(
    folder: OutputFolder, recipe: dict[str, Any], parents: dict[str, Source], same_processes: bool = True
) -> None:
    """Keep what an interrupted run left only where recipe and inputs are still the same; otherwise clear it.

    Every process calls it, and none continues before it is done.

    Args:
        same_processes: whether what was left depends on the number and kind of devices and on the engine, as
            checkpoints do: each process keeps its own random state and, under ZeRO and FSDP, its own part.

    Raises UserError where the disk is too small.
    """
    import torch
    from accelerate import PartialState

    check_disk(folder.final.parent, estimated_bytes(recipe, parents))
    with PartialState().main_process_first():
        if not is_main_process():
            return
        devices = [started_processes(), str(torch.accelerator.current_accelerator()), accelerate_settings()]
        run = hash_json([without_placement(recipe), parent_records(parents), devices if same_processes else []])
        file = folder.work / "run"
        if not file.is_file() or file.read_bytes() != run.encode():
            if any(path != folder.staging for path in folder.work.iterdir()):
                print(
                    f"{folder.final}: an unfinished run of another recipe, input, process count or engine is cleared."
                )
            shutil.rmtree(folder.work)
            folder.staging.mkdir(parents=True)
            file.write_text(run)
        folder.earlier = begin_run(folder.work, folder.staging, folder.started, folder.commit)


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


def resolved_recipe(recipe: ArtifactRecipe, *libraries: dict[str, Any]) -> dict[str, Any]:
    """The recipe as it ran: our keys with their defaults, the library keys that were given.

    Keys of test sets that have no value are left out: a further file in recipes/test_sets changes no recipe.
    """
    of_test_sets = {field.name for field in dataclasses.fields(recipe) if field.metadata["group"]}
    values = dataclasses.asdict(recipe)
    values = {name: value for name, value in values.items() if value is not None or name not in of_test_sets}
    for arguments in libraries:
        values |= arguments
    return dict(sorted(values.items()))


def save_artifact(
    folder: OutputFolder,
    recipe: dict[str, Any],
    parents: dict[str, Source],
    row_counts: dict[str, Any],
    results: dict[str, Any] | None = None,
    model: dict[str, Any] | None = None,
) -> None:
    """Write recipe, lineage and card beside the staged files, then put the folder in place of the old one.

    Args:
        folder: of this run; its staging folder holds the artifact's files.
        recipe: from `resolved_recipe`.
        parents: role -> Source of each input.
        row_counts: rows read, used and left out, by name.
        results: metrics by test set, as `scoring.score` gives them.
        model: of a model, how it was trained beyond its recipe (`training`), and its `precision`: by `trained` and
            `evaluated`, how base weights were held (`base`) and computed (`compute`), and the dtype of trained weights
            (`weights`) or of the head (`head`); of a task model and of predictions also `input`, the `template` that
            rows were written in, None for pairs.

    Raises UserError where somebody's file came into the old folder meanwhile, see `swap_folder`.
    """
    staging = folder.staging
    described = yaml.safe_dump(without_placement(recipe), sort_keys=False, allow_unicode=True)
    (staging / "recipe.yaml").write_text(described)
    lineage = describe(
        staging,
        folder.name,
        folder.artifact_type,
        recipe,
        parents,
        row_counts,
        results,
        model,
        folder.started,
        folder.commit,
        folder.earlier,
    )
    checked_lineage(lineage, LINEAGE)  # what is written here can be read by all that take the artifact
    write_json(staging / LINEAGE, lineage, indent=2)
    write_card(staging, lineage)
    apply_umask(staging)
    swap_folder(staging, folder.final, folder.replaced, lambda there: strange_file(there, folder.artifact_type))
    shutil.rmtree(folder.work)
    print(f"{folder.final}: {folder.artifact_type} saved in {lineage['wall_time_s']} s")
