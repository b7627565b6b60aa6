"""Whether a release is what it says: its manifest, parents, hashes, cards, and metrics from the predictions."""

import math
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi, RepoCard
from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError, RevisionNotFoundError
from yaml import YAMLError, safe_load

from blindspots.artifacts.cards import eval_results, headlines, hub_id
from blindspots.artifacts.files import hash_file, hash_json, without_nan
from blindspots.artifacts.lineage import repo_type
from blindspots.artifacts.names import ALLOWED, EVAL_RESULTS
from blindspots.artifacts.remote import download, remote_lineage, tag_commit, tree
from blindspots.artifacts.retries import OUT_OF_REACH, reason, retry_transient
from blindspots.config.errors import UserError, one_line
from blindspots.evaluation.scoring import score
from blindspots.release.manifest import Entry, fault_of_tag, manifest_repo, read_manifest
from blindspots.release.plan import MODULE, Released

# Keys of a card's metadata that name an artifact's inputs.
NAMING = ("base_model", "datasets", "source_datasets")
WEIGHTS = ".safetensors"
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")


def failures_of_release(released: list[Released], recipe: dict[str, Any]) -> Iterator[str]:
    """What is wrong with a release, a line each: against its manifest, then within each repo that has the tag.

    Args:
        released: from `plan.find_released`.
        recipe: names namespace, tag and title.
    """
    tag, manifest = recipe["hub_tag"], manifest_repo(recipe)
    try:
        entries = read_manifest(recipe)
        if entries is None:
            yield f"{manifest}: there is no manifest of {tag}, so that nothing says what belongs to the release"
    except UserError as error:
        entries = None
        yield str(error)
    there = {(item.repo, item.repo_type): item for item in released}
    for entry in entries or []:
        item = there.get(entry.key)
        fault = fault_of_tag(entry, tag, item.commit if item else None)
        if fault:
            yield f"{entry.repo}: {fault}"
    listed = {entry.key: entry for entry in entries or []}
    if entries is not None:
        for repo, _ in sorted(there.keys() - listed.keys() - {(manifest, "dataset")}):
            yield f"{repo}: it has the tag {tag} and does not belong to the release"
    for key, item in there.items():
        yield from failures(item, listed.get(key))


def failures(released: Released, entry: Entry | None = None) -> list[str]:
    """What is wrong with one artifact of a release, one line each; none where all is well.

    Everything but the weights is downloaded and hashed; for weights the hash that the Hub keeps is compared. What
    can't be checked is a failure of this repo and not of the others.
    """
    found: list[str] = []
    try:
        lineage = remote_lineage(released.repo, released.commit, released.repo_type)
        if lineage is None:
            return [f"{released.repo}: it has no lineage.json"]
        folder = download(released.repo, released.repo_type, released.commit, ignore_patterns=[f"*{WEIGHTS}"])
    except UserError as error:
        return [_named(released.repo, str(error))]
    except HfHubHTTPError as error:
        return [f"{released.repo}: the Hub refuses: {reason(error)}"]
    if entry is not None and entry.content_sha256 != lineage["content_sha256"]:
        found.append("it holds other content than was released")
    checks: list[Callable] = [_wrong_files]
    if lineage["artifact_type"] != MODULE:
        checks += [_wrong_parents, _wrong_card, _wrong_metrics, _wrong_results]
    for check in checks:
        found += _faults(check, released, lineage, folder)
    return [f"{released.repo}: {line}" for line in found]


def _named(repo: str, line: str) -> str:
    return line if line.startswith(repo) else f"{repo}: {line}"


def _faults(check: Callable, released: Released, lineage: dict[str, Any], folder: Path) -> list[str]:
    """What a check finds. Whatever a broken repo makes it raise is a fault too, so that the next one is checked."""
    try:
        return check(released, lineage, folder)
    except OUT_OF_REACH:
        raise
    except Exception as error:
        what = check.__name__.removeprefix("_wrong_")
        return [f"its {what} can't be checked: {type(error).__name__}: {one_line(error)}"]


def _wrong_files(released: Released, lineage: dict[str, Any], folder: Path) -> list[str]:
    there, files = tree(released.repo, released.commit, released.repo_type), lineage["files"]
    found = [f"{name} may hold pickled code" for name in there if name.endswith(PICKLES)]
    if lineage["content_sha256"] != hash_json({name: file["sha256"] for name, file in files.items()}):
        found.append("content_sha256 is not that of the files in lineage.json")
    for name, file in files.items():
        if not ALLOWED.fullmatch(name) or name not in there:
            found.append(f"{one_line(name)} is missing")
            continue
        kept = there[name].lfs.sha256 if name.endswith(WEIGHTS) and there[name].lfs else None
        if (kept or hash_file(folder / name)) != file["sha256"]:
            found.append(f"{name} has another hash than lineage.json says")
    return found


def _wrong_parents(released: Released, lineage: dict[str, Any], folder: Path) -> list[str]:
    found = []
    for parent in lineage["parents"]:
        where = f"parent {parent['role']}, {parent['name']}"
        if parent["revision"] is None:
            found.append(f"{where}, is a folder of the machine that made it")
        elif not _exists(parent["name"], parent["revision"], parent["repo_type"]):
            found.append(f"{where}, has no commit {parent['revision']}")
        elif parent.get("artifact") and _content(parent) != parent["content_sha256"]:
            found.append(f"{where}, holds other content at {parent['revision']}")
        if parent.get("tag") and tag_commit(parent["name"], parent["tag"], parent["repo_type"]) != parent["revision"]:
            found.append(f"{where}, has the tag {parent['tag']} no more at {parent['revision']}")
    return found


@cache
def _exists(repo: str, revision: str, repo_type: str) -> bool:
    try:
        retry_transient(HfApi().repo_info)(repo, revision=revision, repo_type=repo_type)
    except (RepositoryNotFoundError, RevisionNotFoundError):
        return False
    return True


def _content(parent: dict[str, Any]) -> str | None:
    lineage = remote_lineage(parent["name"], parent["revision"], parent["repo_type"])
    return lineage["content_sha256"] if lineage else None


def _as_list(value: Any) -> list:
    return value if isinstance(value, list) else [value] if value else []


def _wrong_card(released: Released, lineage: dict[str, Any], folder: Path) -> list[str]:
    try:
        card = RepoCard.load(folder / "README.md")
    except (FileNotFoundError, ValueError, YAMLError) as error:
        return [f"the card can't be read: {' '.join(str(error).split())}"]
    found = [] if card.data.get("license") == lineage["license"] else ["the card states another licence"]
    named = [name for key in NAMING for name in _as_list(card.data.get(key))]
    for parent in lineage["parents"]:
        # A dataset's metadata has no place for the model that wrote it; its text names it.
        in_metadata = parent["repo_type"] == "dataset" or repo_type(lineage["artifact_type"]) == "model"
        if in_metadata and hub_id(parent) not in named:
            found.append(f"the card's metadata does not name {parent['name']}")
        if parent["name"] not in card.text or str(parent["revision"]) not in card.text:
            found.append(f"the card does not name {parent['name']} with its revision {parent['revision']}")
    return found


def _wrong_metrics(released: Released, lineage: dict[str, Any], folder: Path) -> list[str]:
    if not (folder / "predictions").is_dir():
        return []
    recomputed = score(folder)
    results = RepoCard.load(folder / "README.md").data.get("model-index") or []
    stated = {
        metric["name"]: metric["value"]
        for model in results
        for result in model["results"]
        for metric in result["metrics"]
    }
    found = []
    by_headlines = {headline["name"]: headline["accuracy"] for headline in headlines(lineage)}
    by_predictions = {headline["name"]: headline["accuracy"] for headline in recomputed["headlines"]}
    for name in by_headlines | by_predictions:
        value = by_predictions.get(name)
        for other in {by_headlines.get(name), lineage["results"].get(name)} - {value}:
            found.append(f"{name} is {value} by its predictions, {other} by lineage.json")
        if results and value is not None and stated.get(name) != round(value, 4):
            found.append(f"{name} is {value:.4f} by its predictions, {stated.get(name)} by the card")
    others = recomputed.keys() & lineage["results"].keys() - {"headlines", *by_headlines, *by_predictions}
    for name in sorted(others):
        if not _alike(lineage["results"][name], without_nan(recomputed[name])):
            found.append(f"{name} in lineage.json are not those of its predictions")
    return found


def _wrong_results(released: Released, lineage: dict[str, Any], folder: Path) -> list[str]:
    """Whether the Hub shows other results beside the model than its lineage states, or some where it states none."""
    file, described = folder / EVAL_RESULTS, eval_results(lineage)
    shown = safe_load(file.read_text("utf-8")) if file.is_file() else None
    same = shown == (safe_load(described) if described else None)
    return [] if same else [f"{EVAL_RESULTS} does not show the results that lineage.json states"]


def _alike(one: Any, other: Any) -> bool:
    """Whether two values of JSON are the same, numbers up to rounding."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_alike(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_alike, one, other))
    if isinstance(one, int | float) and isinstance(other, int | float):
        return math.isclose(one, other, rel_tol=1e-6, abs_tol=1e-6)
    return one == other
