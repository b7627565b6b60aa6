"""Inputs of a script: a folder, a file or a Hub repo, and which version of it was really read."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import yaml
from huggingface_hub import HfApi, resolve_revision
from huggingface_hub.constants import HF_HUB_OFFLINE
from huggingface_hub.errors import (
    HfHubHTTPError,
    HFValidationError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
    RevisionResolutionError,
)

from blindspots.artifacts.dataset_metadata import require_written_metadata, stated_metadata
from blindspots.artifacts.files import hash_file, hash_folder, hash_json
from blindspots.artifacts.names import COMMIT, LINEAGE, read_lineage
from blindspots.artifacts.remote import download, tree
from blindspots.artifacts.retries import UnreadableAnswerError, retry_transient
from blindspots.config.errors import UserError, one_line

# Weights in any format but safetensors are never fetched.
MODEL_FILES = ["*.safetensors", "*.json", "*.model", "*.txt", "*.jinja", "*.md", "*.yaml", "predictions/*.parquet"]
WEIGHTS = "*.safetensors"
PICKLE = re.compile(r"\.(bin|pt|pth|ckpt|pkl|h5|msgpack)$")
REVISION = re.compile(r"\w[\w.-]*(/\w[\w.-]*)*", re.ASCII)


@dataclass(frozen=True)
class Source:
    """An input on disk: the name that the recipe gave, the folder or file, and the Hub commit (None for a local one).

    Only a dataset may be a file: it is whichever split is asked for.
    """

    name: str
    path: Path
    revision: str | None
    repo_type: str

    def record(self, role: str) -> dict[str, str | None]:
        """What `lineage.json` records of this parent; content_sha256 covers every file of a folder but its README.

        Of a local dataset whose README says what is read, metadata_sha256 covers that; a commit pins all of a repo.

        Raises UserError where the parent has a lineage that can't be used, or that is not of the files beside it.
        """
        lineage = read_lineage(self.path) if (self.path / LINEAGE).is_file() else {}
        if self.revision is None:  # of a repo, each file has been compared with its commit
            self._require_files_of(lineage)
        metadata = {} if lineage else self._metadata()
        return {
            "role": role,
            "name": self.name,
            "repo_type": self.repo_type,
            "revision": self.revision,
            "artifact": lineage.get("artifact"),
            "content_sha256": lineage.get("content_sha256") or self._hash(),
            **({"metadata_sha256": hash_json(yaml.safe_dump(metadata))} if metadata else {}),
        }

    def version(self) -> dict[str, str | None]:
        """Of `record`, what tells the rows or weights that were read from others: Hub commit and hashes."""
        record = self.record("")
        return {key: record[key] for key in ("revision", "content_sha256", "metadata_sha256") if key in record}

    def _metadata(self) -> dict[str, Any]:
        """What of a README decides which rows and labels of a local dataset are read."""
        local = self.revision is None and self.repo_type == "dataset" and self.path.is_dir()
        return stated_metadata(self.path, self.name) if local else {}

    def _require_files_of(self, lineage: dict[str, Any]) -> None:
        """Raise UserError where a file, or what the README says of the files, is not what the lineage is of."""
        for name, stated in lineage.get("files", {}).items():
            file = self.path / name
            if not file.is_file() or hash_file(file) != stated["sha256"]:
                raise UserError(
                    f"{self.name}: {one_line(name)} is not the file that {LINEAGE} describes. Make the artifact "
                    f"again, or take {LINEAGE} out of the folder."
                )
        if lineage and self.repo_type == "dataset":
            require_written_metadata(self.path, self.name)

    def _hash(self) -> str:
        return hash_file(self.path) if self.path.is_file() else hash_folder(self.path)[1]


def fetch(name: str, repo_type: str, revision: str | None = None, weights: bool = True) -> Source:
    """Turn a folder, a file, `org/name` or `org/name@revision` into a Source; a Hub repo is downloaded at its commit.

    Without `weights` a model's config and tokenizer are all that is downloaded.

    Raises UserError where neither folder, file nor repo is there, where a model is a file, where two revisions are
    given, and where a tag stands at another commit than when it was fetched before.
    """
    if Path(name).is_file() and repo_type != "dataset":
        raise UserError(f"{name} is a file; name the folder that holds the {repo_type}, or a Hub id.")
    if Path(name).is_dir() or Path(name).is_file():
        return Source(name, Path(name), None, repo_type)
    repo, _, pinned = name.partition("@")
    if pinned and revision and pinned != revision:
        raise UserError(f"{name} pins {pinned}, but the recipe's revision is {revision}; keep one.")
    if name.startswith((".", "/")) or repo.count("/") != 1:
        raise UserError(f"{name} is neither a folder here nor a Hub id (org/name, org/name@revision).")
    try:
        commit = _resolve(repo, repo_type, pinned or revision)
        path = _download(repo, repo_type, commit, weights)
    except HFValidationError as error:
        raise UserError(f"{name} is not a valid Hub id: {error}") from None
    except RevisionNotFoundError:
        raise UserError(f"{repo} has no revision {pinned or revision} on the Hub.") from None
    except RepositoryNotFoundError:
        raise UserError(f"{repo} is not a {repo_type} on the Hub, or your token may not read it.") from None
    except (HfHubHTTPError, RevisionResolutionError, httpx2.TransportError, OSError) as error:
        raise UserError(f"{repo} could not be fetched: {error}. Name a folder in its place to work offline.") from None
    return Source(repo, path, commit, repo_type)


@retry_transient
def _resolve(repo: str, repo_type: str, revision: str | None) -> str:
    """The full commit of a branch, tag, PR ref (refs/pr/1) or shortened commit.

    Raises UserError where a tag has moved since this machine fetched it.
    """
    if revision is not None and (".." in revision or not REVISION.fullmatch(revision)):
        raise UserError(f"{repo} has no revision {revision!r}: that is not the name of a branch, tag or commit.")
    if not HF_HUB_OFFLINE:
        known = _known_commit(repo, repo_type, revision)
        now = HfApi().repo_info(repo, repo_type=repo_type, revision=revision).sha
        if known not in (None, now) and _is_tag(repo, repo_type, revision):
            raise UserError(
                f"{repo}@{revision} was {known} and is now {now}: the tag was moved. Pin one of the two commits."
            )
    commit = resolve_revision(repo, repo_type=repo_type, revision=revision).resolved
    if not COMMIT.fullmatch(commit):
        raise UnreadableAnswerError(f"{revision} stands at {commit!r}, which is not a commit")
    return commit


def _is_tag(repo: str, repo_type: str, revision: str | None) -> bool:
    return revision in {tag.name for tag in HfApi().list_repo_refs(repo, repo_type=repo_type).tags}


def _known_commit(repo: str, repo_type: str, revision: str | None) -> str | None:
    """Where a revision stood when it was last fetched here, None where it never was."""
    try:
        return resolve_revision(repo, repo_type=repo_type, revision=revision, local_files_only=True).resolved
    except RevisionResolutionError:
        return None


def _download(repo: str, repo_type: str, commit: str, weights: bool) -> Path:
    """The files of an input at a commit; see `remote.download`. Raises UserError for a model without safetensors."""
    patterns = MODEL_FILES if repo_type == "model" else None
    path = download(repo, repo_type, commit, allow_patterns=patterns, ignore_patterns=None if weights else WEIGHTS)
    if repo_type == "model" and weights and not any(path.rglob(WEIGHTS)):
        names = [] if HF_HUB_OFFLINE else sorted(tree(repo, commit, repo_type))
        other = next((name for name in names if PICKLE.search(name)), None)
        found = f"its weights are {other}" if other else "it has none"
        raise UserError(f"{repo}: only safetensors are fetched from the Hub, and {found}. Convert the model.")
    return path
