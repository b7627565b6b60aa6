"""The manifest of a release: which repos belong to its tag, at which commits, with which content.

It is a dataset repo of its own, written last and tagged like the others. What was moved, deleted or added under the
tag since differs from it.
"""

import json
import re
import tempfile
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from blindspots.artifacts.files import hash_file, hash_json, parse_json, write_json
from blindspots.artifacts.names import COMMIT, LINEAGE, REPO_ID, REPO_TYPES
from blindspots.artifacts.push import repo_id
from blindspots.artifacts.remote import download_file, tag_commit
from blindspots.artifacts.upload import upload
from blindspots.config.errors import UserError

FILE = "release.json"


@dataclass(frozen=True)
class Entry:
    """One repo of a release."""

    repo: str
    repo_type: str
    commit: str
    content_sha256: str

    @property
    def key(self) -> tuple[str, str]:
        """What tells it from other repos."""
        return self.repo, self.repo_type


def manifest_repo(recipe: dict[str, Any]) -> str:
    """The repo of a release's manifest: <namespace>/<title in small letters and hyphens>."""
    name = re.sub(r"[^a-z0-9]+", "-", recipe["title"].lower()).strip("-")
    return repo_id(recipe, name or "release")


def write_manifest(entries: Iterable[Entry], recipe: dict[str, Any], code_commit: str | None) -> str:
    """Push the manifest of what was pushed and tag it; returns its commit. `code_commit`: of the code that pushed."""
    repo, tag = manifest_repo(recipe), recipe["hub_tag"]
    listed = [asdict(entry) for entry in sorted(entries, key=lambda entry: entry.key)]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, FILE)
        write_json(file, {"tag": tag, "repos": listed})
        files = {FILE: {"sha256": hash_file(file), "bytes": file.stat().st_size}}
        lineage = {
            "artifact": repo.split("/")[1],
            "artifact_type": "release",
            "license": "apache-2.0",
            "content_sha256": hash_json({name: one["sha256"] for name, one in files.items()}),
            "parents": [],
            "results": {},
            "code_commit": code_commit,
            "files": files,
        }
        texts = {LINEAGE: json.dumps(lineage, indent=2) + "\n", "README.md": _card(repo, tag, listed)}
        return upload(Path(folder), lineage, texts, repo, recipe, "dataset")


def _card(repo: str, tag: str, listed: list[dict[str, str]]) -> str:
    lines = [f"| `{one['repo']}` | {one['repo_type']} | `{one['commit']}` |" for one in listed]
    return "\n".join(
        [
            "---\nlicense: apache-2.0\n---\n",
            f"# {repo.split('/')[1]}\n",
            f"What belongs to the release `{tag}`. Each repo stands at this commit under that tag; hashes of the "
            f"contents are in `{FILE}`.\n",
            "| repo | type | commit |\n|---|---|---|",
            *lines,
            "",
        ]
    )


def read_manifest(recipe: dict[str, Any]) -> list[Entry] | None:
    """The entries of a release's manifest, None where there is none. Raises UserError for one that can't be used."""
    repo, tag = manifest_repo(recipe), recipe["hub_tag"]
    commit = tag_commit(repo, tag, "dataset")
    file = download_file(repo, "dataset", commit, FILE) if commit else None
    if file is None:
        return None
    try:
        entries = [Entry(**entry) for entry in parse_json(file.read_bytes())["repos"]]
        for entry in entries:
            _check(entry)
    except (ValueError, TypeError, LookupError, RecursionError):
        raise UserError(f"{repo}@{tag}: {FILE} can't be read; the release has no usable manifest.") from None
    return entries


def _check(entry: Entry) -> None:
    """Raise ValueError for an entry that names what it may not."""
    if not all(isinstance(text, str) for text in asdict(entry).values()):
        raise ValueError
    if not REPO_ID.fullmatch(entry.repo) or entry.repo_type not in REPO_TYPES or not COMMIT.fullmatch(entry.commit):
        raise ValueError


def fault_of_tag(entry: Entry, tag: str, commit: str | None) -> str | None:
    """What is wrong with where a released repo's tag stands now, None where nothing is."""
    if commit is None:
        return f"it belongs to the release and is gone, or has no tag {tag} any more"
    if commit != entry.commit:
        return f"the tag {tag} was moved from {entry.commit} to {commit}"
    return None
