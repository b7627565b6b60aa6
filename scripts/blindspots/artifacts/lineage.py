"""`lineage.json`: from what, by what code, on what machine an artifact was made."""

import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from huggingface_hub import RepoCard
from yaml import YAMLError

from blindspots.artifacts.files import hash_folder, hash_json
from blindspots.artifacts.inputs import Source
from blindspots.config.errors import one_line
from blindspots.config.paths import MODEL_CARDS, ROOT
from blindspots.config.processes import engine, started_processes

# Those that decide a result.
PACKAGES = (
    "accelerate",
    "bitsandbytes",
    "datasets",
    "deepspeed",
    "evaluate",
    "huggingface_hub",
    "peft",
    "torch",
    "transformers",
    "trl",
)
# What `accelerate launch` hands on of its config; the precision of a run is the recipe's.
ACCELERATE_SETTING = re.compile(r"ACCELERATE_(USE|DEEPSPEED|DYNAMO|GRADIENT)_\w+|FSDP_(?!CPU_RAM)\w+")
# Where code is shown commit by commit, as git writes the place.
PUBLIC_REPOSITORY = re.compile(
    r"(https://([^@/]*@)?|git@)(?P<host>github\.com|gitlab\.com|huggingface\.co)[/:](?P<path>[\w./-]+?)(\.git)?/?"
)
# Keys that say where an artifact is made or goes, not what it is.
PLACEMENT_KEYS = frozenset(
    "output_dir wait_for_lock push_to_hub hub_namespace hub_name hub_tag hub_private_repo server_url".split()
)
# Where a file decides what runs, whether or not git knows it.
CODE = ("scripts", "recipes/test_sets")
# A mirror of Llama 2 may state no licence; Meta's applies all the same.
LLAMA_2 = re.compile(r"llama-?2", re.IGNORECASE)


def describe(
    staging: Path,
    name: str,
    artifact_type: str,
    recipe: dict[str, Any],
    parents: dict[str, Source],
    row_counts: dict[str, Any],
    results: dict[str, Any] | None,
    model: dict[str, Any] | None,
    started: float,
    commit: str | None,
    earlier: list[dict[str, Any]],
) -> dict[str, Any]:
    """The lineage of the files in a staging folder.

    Args:
        name: of the artifact.
        artifact_type: a template of model_cards/ or data_cards/, such as `task_model`.
        recipe: from `folder.resolved_recipe`.
        parents: role -> Source of each input.
        model: see `folder.save_artifact`.
        started: time.time() at the start of the run.
        commit: `code_commit` at the start of the run.
        earlier: interrupted runs that this one continues, see `runs.begin_run`; their time is counted.
    """
    files, content = hash_folder(staging)
    return {
        "artifact": name,
        "artifact_type": artifact_type,
        "license": recipe.get("license") or licence(parents.values(), artifact_type),
        "content_sha256": content,
        "recipe": recipe,
        "recipe_sha256": hash_json(without_placement(recipe)),
        "parents": parent_records(parents),
        "code_commit": commit,
        "code_repository": code_repository(),
        "versions": versions(),
        "hardware": hardware(),
        "processes": started_processes(),
        "engine": engine(),
        "accelerate": accelerate_settings(),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "wall_time_s": round(time.time() - started + sum(run["wall_time_s"] for run in earlier), 1),
        **({"earlier_runs": earlier} if earlier else {}),
        "row_counts": row_counts,
        "results": results or {},
        **(model or {}),
        "files": files,
    }


def artifact_name(output_dir: str | Path) -> str:
    """Name of an artifact and of its repo: the path below outputs/, joined by hyphens; elsewhere the folder's name.

    The path is taken as it is given: a link to another disk does not change the name.
    """
    parts = Path(os.path.abspath(output_dir)).parts
    below = parts[len(parts) - parts[::-1].index("outputs") :] if "outputs" in parts else parts[-1:]
    return "-".join(below)


def without_placement(recipe: dict[str, Any]) -> dict[str, Any]:
    """The keys of a recipe that say what an artifact is."""
    return {name: value for name, value in recipe.items() if name not in PLACEMENT_KEYS}


def parent_records(parents: dict[str, Source]) -> list[dict[str, Any]]:
    """What a lineage says of its inputs, in order."""
    return [source.record(role) for role, source in parents.items()]


def repo_type(artifact_type: str) -> str:
    """`model` or `dataset`, by the folder that holds the type's card template."""
    return "model" if (MODEL_CARDS / f"{artifact_type}.md.j2").is_file() else "dataset"


def licence(parents: Iterable[Source], artifact_type: str) -> str | list[str]:
    """The licences that the parents' cards state, carried on; an artifact without parents is our own.

    Those of the parents of the artifact's own repo type count where there are such; generated text carries that of
    its model.
    """
    parents = list(parents)
    if not parents:
        return "apache-2.0"
    own = [parent for parent in parents if parent.repo_type == repo_type(artifact_type)]
    stated = sorted({name for parent in own or parents for name in _stated_licences(parent)})
    return stated[0] if len(stated) == 1 else stated or "unknown"


def _stated_licences(source: Source) -> list[str]:
    """The licences in a card's metadata that are text; a broken card states none."""
    try:
        stated = RepoCard.load(source.path / "README.md", ignore_metadata_errors=True).data.get("license")
    except (OSError, ValueError, TypeError, AttributeError, LookupError, RecursionError, YAMLError):
        stated = None
    names = [one_line(name) for name in (stated if isinstance(stated, list) else [stated]) if isinstance(name, str)]
    names = [name for name in names if name]
    if not names and source.repo_type == "model" and LLAMA_2.search(source.name):
        return ["llama2"]
    return names


def code_commit() -> str | None:
    """The commit of the scripts, with `+changes` where another code runs; None outside a git checkout.

    A changed file counts wherever it is, one that git does not know where it decides what runs.
    """
    commit = _git("rev-parse", "HEAD")
    tracked = _git("ls-files", "--error-unmatch", "--", *CODE)  # a copy may lie within another checkout
    changed = _git("status", "--porcelain", "--untracked-files=no")
    unknown = _git("ls-files", "--others", "--exclude-standard", "--", *CODE)
    if None in (commit, tracked, changed, unknown):
        return None
    return f"{commit}+changes" if changed or unknown else commit


def code_repository() -> str | None:
    """Where the scripts were cloned from, None outside of a clone of a public place; without what may be a key."""
    found = PUBLIC_REPOSITORY.fullmatch(_git("remote", "get-url", "origin") or "")
    return f"https://{found['host']}/{found['path']}" if found else None


def _git(*arguments: str) -> str | None:
    """What git says of the checkout, None where it fails or is not installed."""
    try:
        done = subprocess.run(["git", "-C", ROOT, *arguments], capture_output=True, text=True, errors="replace")
    except OSError:
        return None
    return None if done.returncode else done.stdout.strip()


def accelerate_settings() -> dict[str, str]:
    """The config of `accelerate launch`, by the environment variables that it sets; empty without it."""
    return {name: value for name, value in sorted(os.environ.items()) if ACCELERATE_SETTING.fullmatch(name)}


def hardware() -> dict[str, Any]:
    """CPU, cores, memory in GiB, and GPUs with their driver where torch is loaded and sees any."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    machine = {"cpu": _cpu_name(), "cores": os.cpu_count(), "memory_gib": round(memory, 1), "gpus": []}
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        machine["gpus"] = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
        machine["driver"] = _driver()
    return machine


def _driver() -> str | None:
    """Version of the NVIDIA driver, None where nvidia-smi does not tell it."""
    query = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        return subprocess.run(query, capture_output=True, text=True, check=True).stdout.split()[0]
    except (OSError, subprocess.CalledProcessError, IndexError):
        return None


def _cpu_name() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def versions() -> dict[str, str]:
    """Python's version and those of the packages that decide a result, as far as they are installed."""
    installed = {}
    for name in PACKAGES:
        with suppress(metadata.PackageNotFoundError):
            installed[name] = metadata.version(name)
    return {"python": platform.python_version(), **installed}
