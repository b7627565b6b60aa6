"""Inputs of a script: a folder or a Hub repo, and which version of it was really read."""

import json
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import HfApi, snapshot_download
from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError, RevisionNotFoundError

from blindspots.errors import UserError
from blindspots.lineage import hash_folder

# Weights in any format but safetensors are never fetched.
MODEL_FILES = ["*.safetensors", "*.json", "*.model", "*.txt", "*.jinja", "*.md", "*.yaml", "predictions/*.parquet"]


@dataclass(frozen=True)
class Source:
    """An input on disk: the name that the recipe gave, the folder, and the Hub commit (None for a local folder)."""

    name: str
    path: Path
    revision: str | None
    repo_type: str

    def record(self, role: str) -> dict[str, str | None]:
        """What `lineage.json` records of this parent; content_sha256 covers every file of the folder."""
        file = self.path / "lineage.json"
        content = json.loads(file.read_text())["content_sha256"] if file.is_file() else hash_folder(self.path)[1]
        return {
            "role": role,
            "name": self.name,
            "repo_type": self.repo_type,
            "revision": self.revision,
            "content_sha256": content,
        }


def fetch(name: str, repo_type: str, revision: str | None = None) -> Source:
    """Turn `folder`, `org/name` or `org/name@revision` into a Source, downloading a Hub repo at its exact commit.

    Raises UserError where neither folder nor repo is there, and where two revisions are given.
    """
    if Path(name).is_dir():
        if revision is not None and not (Path(name) / "lineage.json").is_file():
            print(f"{name} is a folder: revision {revision} applies to the Hub's copy and is not checked here.")
        return Source(name, Path(name), None, repo_type)
    repo, _, pinned = name.partition("@")
    if pinned and revision and pinned != revision:
        raise UserError(f"{name} pins {pinned}, but the recipe's revision is {revision}; keep one.")
    if name.startswith((".", "/")) or repo.count("/") != 1:
        raise UserError(f"{name} is neither a folder here nor a Hub id (org/name, org/name@revision).")
    patterns = MODEL_FILES if repo_type == "model" else None
    try:
        commit = HfApi().repo_info(repo, repo_type=repo_type, revision=pinned or revision).sha
        path = snapshot_download(repo, repo_type=repo_type, revision=commit, allow_patterns=patterns)
    except RevisionNotFoundError:
        raise UserError(f"{repo} has no revision {pinned or revision} on the Hub.") from None
    except RepositoryNotFoundError:
        raise UserError(f"{repo} is no {repo_type} on the Hub, or your token may not read it.") from None
    except (HfHubHTTPError, OSError) as error:
        raise UserError(f"{repo} could not be fetched: {error}. Name a folder in its place to work offline.") from None
    return Source(repo, Path(path), commit, repo_type)
