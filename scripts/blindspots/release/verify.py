"""Whether a release is what it says: parents, file hashes, cards, and metrics recomputed from the predictions."""

from functools import cache
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi, RepoCard, snapshot_download
from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError
from huggingface_hub.hf_api import RepoFile
from yaml import YAMLError

from blindspots.artifacts.cards import headlines, hub_id
from blindspots.artifacts.files import hash_file, hash_json
from blindspots.artifacts.lineage import repo_type
from blindspots.artifacts.push import ALLOWED, remote_lineage
from blindspots.artifacts.retries import retry_transient
from blindspots.evaluation.prediction import score
from blindspots.release.plan import MODULE, Released

# Keys of a card's metadata that name an artifact's inputs.
NAMING = ("base_model", "datasets", "source_datasets")
WEIGHTS = ".safetensors"
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")


def failures(released: Released) -> list[str]:
    """What is wrong with one artifact of a release, one line each; none where all is well.

    Everything but the weights is downloaded and hashed; for weights the hash that the Hub keeps is compared.
    """
    folder = _download(released)
    found = _wrong_files(released, folder)
    if released.lineage["artifact_type"] != MODULE:
        found += _wrong_parents(released.lineage)
        found += _wrong_card(released.lineage, folder)
        if (folder / "predictions").is_dir() and released.lineage["results"]:
            found += _wrong_metrics(released.lineage, folder)
    return [f"{released.repo}: {line}" for line in found]


@retry_transient
def _download(released: Released) -> Path:
    return Path(
        snapshot_download(
            released.repo, repo_type=released.repo_type, revision=released.commit, ignore_patterns=f"*{WEIGHTS}"
        )
    )


@retry_transient
def _tree(released: Released) -> dict[str, RepoFile]:
    entries = HfApi().list_repo_tree(
        released.repo, recursive=True, revision=released.commit, repo_type=released.repo_type
    )
    return {entry.path: entry for entry in entries if isinstance(entry, RepoFile)}


def _wrong_files(released: Released, folder: Path) -> list[str]:
    tree, files = _tree(released), released.lineage["files"]
    found = [f"{name} may hold pickled code" for name in tree if name.endswith(PICKLES)]
    if released.lineage["content_sha256"] != hash_json({name: file["sha256"] for name, file in files.items()}):
        found.append("content_sha256 is not that of the files in lineage.json")
    for name, file in files.items():
        if not ALLOWED.fullmatch(name) or name not in tree:
            found.append(f"{name} is missing")
            continue
        kept = tree[name].lfs.sha256 if name.endswith(WEIGHTS) and tree[name].lfs else None
        if (kept or hash_file(folder / name)) != file["sha256"]:
            found.append(f"{name} has another hash than lineage.json says")
    return found


def _wrong_parents(lineage: dict[str, Any]) -> list[str]:
    found = []
    for parent in lineage["parents"]:
        where = f"parent {parent['role']}, {parent['name']}"
        if parent["revision"] is None:
            found.append(f"{where}, is a folder of the machine that made it")
        elif not _exists(parent["name"], parent["revision"], parent["repo_type"]):
            found.append(f"{where}, has no commit {parent['revision']}")
        elif parent["artifact"] and _content(parent) != parent["content_sha256"]:
            found.append(f"{where}, holds other content at {parent['revision']}")
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


def _wrong_card(lineage: dict[str, Any], folder: Path) -> list[str]:
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


def _wrong_metrics(lineage: dict[str, Any], folder: Path) -> list[str]:
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
    return found
