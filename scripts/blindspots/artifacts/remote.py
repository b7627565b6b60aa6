"""Reading from the Hub: tags, trees and files, each file checked by the hash that the Hub states."""

import hashlib
from functools import cache
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi, hf_hub_download, snapshot_download
from huggingface_hub.constants import HF_HUB_OFFLINE
from huggingface_hub.errors import EntryNotFoundError, RepositoryNotFoundError, RevisionNotFoundError
from huggingface_hub.hf_api import RepoFile

from blindspots.artifacts.files import hash_file
from blindspots.artifacts.names import LINEAGE, parse_lineage
from blindspots.artifacts.retries import retry_transient
from blindspots.config.errors import UserError, one_line

FETCHES = 3
ABSENT = (EntryNotFoundError, RepositoryNotFoundError, RevisionNotFoundError)


@retry_transient
def tag_commit(repo: str, tag: str, repo_type: str) -> str | None:
    """The commit that a tag of a repo stands at, None where repo or tag is not there."""
    try:
        refs = HfApi().list_repo_refs(repo, repo_type=repo_type)
    except RepositoryNotFoundError:
        return None
    return next((ref.target_commit for ref in refs.tags if ref.name == tag), None)


@cache
@retry_transient
def tree(repo: str, commit: str, repo_type: str) -> dict[str, RepoFile]:
    """The files of a commit by path."""
    entries = HfApi().list_repo_tree(repo, recursive=True, revision=commit, repo_type=repo_type)
    return {entry.path: entry for entry in entries if isinstance(entry, RepoFile)}


def holds(file: RepoFile | None, content: Path | bytes) -> bool:
    """Whether a file of a repo has this content, by the hash that the Hub states: sha256, or git's for small files."""
    if file is None:
        return False
    if file.lfs is None:
        content = content.read_bytes() if isinstance(content, Path) else content
        return file.blob_id == hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
    found = hash_file(content) if isinstance(content, Path) else hashlib.sha256(content).hexdigest()
    return file.lfs.sha256 == found


def download(repo: str, repo_type: str, commit: str, **patterns: Any) -> Path:
    """A snapshot of a commit whose files have the hashes that the Hub states; `patterns` as snapshot_download's.

    The client checks sizes only (a flipped byte goes unnoticed), and it does not retry a 503 on a file. Offline the
    cache is taken as it is.

    Raises UserError for a file that arrives damaged again and again.
    """
    path = Path(retry_transient(snapshot_download)(repo, repo_type=repo_type, revision=commit, **patterns))
    if not HF_HUB_OFFLINE:
        for name, file in tree(repo, commit, repo_type).items():
            if (path / name).is_file():
                _make_whole(repo, repo_type, commit, path / name, file)
    return path


def download_file(repo: str, repo_type: str, commit: str, name: str) -> Path | None:
    """One file of a commit, checked as `download` does it; None where commit or file is not there."""
    try:
        path = Path(retry_transient(hf_hub_download)(repo, name, repo_type=repo_type, revision=commit))
        if not HF_HUB_OFFLINE:
            _make_whole(repo, repo_type, commit, path, tree(repo, commit, repo_type)[name])
    except ABSENT:
        return None
    return path


def _make_whole(repo: str, repo_type: str, commit: str, path: Path, file: RepoFile) -> None:
    """Fetch a cached file again until it has the hash that the Hub states."""
    for _ in range(FETCHES):
        if holds(file, path):
            return
        print(one_line(f"{repo}: the cached {file.path} is damaged and is fetched again."))
        fetch_again = retry_transient(hf_hub_download)
        fetch_again(repo, file.path, repo_type=repo_type, revision=commit, force_download=True)
    if not holds(file, path):
        raise UserError(
            f"{repo}: {file.path} arrived damaged {FETCHES} times, its hash is not the one that the Hub states. "
            "Nothing was made from it; try again later."
        )


def remote_lineage(repo: str, commit: str, repo_type: str) -> dict[str, Any] | None:
    """`lineage.json` of a repo at a commit, None where there is none. Raises UserError for one that can't be used."""
    file = download_file(repo, repo_type, commit, LINEAGE)
    return None if file is None else parse_lineage(file.read_bytes(), f"{repo}@{commit[:12]}: {LINEAGE}")
