"""Pushing artifacts: whole, tagged once, completed by running again, with patience."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import httpx2
from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, get_token, hf_hub_download
from huggingface_hub.errors import (
    EntryNotFoundError,
    HfHubHTTPError,
    HFValidationError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils import validate_repo_id

from blindspots.cards import render_card
from blindspots.errors import UserError
from blindspots.retries import patient

# What may be uploaded; a checkpoint's optimizer state, caches and stray files stay here.
ALLOWED = re.compile(
    r"(data|predictions)/([\w.-]+/)?[\w.-]+\.parquet|[\w.-]+\.(safetensors|json|jinja|model|txt|md|yaml|py|png|svg|html)"
)
TAG = re.compile(r"v\d+(\.\d+)*([.-][\w.]+)?")


def repo_id(recipe: dict[str, Any], name: str) -> str:
    """<hub_namespace>/<hub_name>, by default the artifact's own name. Raises UserError for an illegal one."""
    repo = f"{recipe['hub_namespace']}/{recipe.get('hub_name') or name}"
    try:
        validate_repo_id(repo)
    except HFValidationError as error:
        raise UserError(f"{repo} is no legal repo name: {error}") from None
    return repo


def preflight(recipe: dict[str, Any], name: str, folder: Path, repo_type: str) -> None:
    """Before long work: namespace and tag given and legal, token there and allowed to write, tag free.

    Raises UserError in one line at second one instead of after hours.
    """
    for key in ("hub_namespace", "hub_tag"):
        if not recipe[key]:
            raise UserError(f"push_to_hub needs {key}.")
    if not TAG.fullmatch(recipe["hub_tag"]):
        raise UserError(f"hub_tag {recipe['hub_tag']!r} is no version; write one such as v1.0.")
    repo = repo_id(recipe, name)
    if get_token() is None:
        raise UserError("push_to_hub needs a token: run `hf auth login` or set HF_TOKEN.")
    try:
        user = patient(HfApi().whoami)()
        taken = tag_commit(repo, recipe["hub_tag"], repo_type)
    except HfHubHTTPError as error:
        raise UserError(f"The Hub refuses the token: {_reason(error)}. Log in again with `hf auth login`.") from None
    except (httpx2.TransportError, OSError) as error:
        raise UserError(f"The Hub is out of reach: {error}. Push later, or leave push_to_hub out.") from None
    _check_rights(user, recipe["hub_namespace"])
    if taken and not same_content(folder, repo, recipe["hub_tag"], repo_type):
        raise UserError(
            f"{repo} already has the tag {recipe['hub_tag']} at {taken[:12]}; a tag is never moved. Raise it."
        )


def _check_rights(user: dict[str, Any], namespace: str) -> None:
    token = user.get("auth", {}).get("accessToken", {})
    if token.get("role") == "read":
        raise UserError(f"The token {token.get('displayName', '')!r} may only read; make one that may write.")
    if namespace not in (user["name"], *(organisation["name"] for organisation in user.get("orgs", []))):
        raise UserError(
            f"{user['name']} may not write to {namespace}; name your own user or an organisation of yours."
        )


def check_disk(folder: Path, needed_bytes: int) -> None:
    """Raise UserError where less than `needed_bytes` are free below `folder`."""
    free = shutil.disk_usage(folder).free
    if free < needed_bytes:
        raise UserError(f"{folder} has {free / 2**30:.1f} GiB free, this run needs about {needed_bytes / 2**30:.1f}.")


def _reason(error: HfHubHTTPError) -> str:
    return error.server_message or (str(error.response.status_code) if error.response is not None else str(error))


@patient
def tag_commit(repo: str, tag: str, repo_type: str) -> str | None:
    """The commit that a tag of a repo stands at, None where repo or tag is not there."""
    try:
        refs = HfApi().list_repo_refs(repo, repo_type=repo_type)
    except RepositoryNotFoundError:
        return None
    return next((ref.target_commit for ref in refs.tags if ref.name == tag), None)


@patient
def remote_lineage(repo: str, revision: str, repo_type: str) -> dict[str, Any] | None:
    """`lineage.json` of a repo at a revision, None where there is none."""
    try:
        file = hf_hub_download(repo, "lineage.json", repo_type=repo_type, revision=revision)
    except (EntryNotFoundError, RepositoryNotFoundError, RevisionNotFoundError):
        return None
    return json.loads(Path(file).read_text())


def same_content(folder: Path, repo: str, revision: str, repo_type: str) -> bool:
    """Whether the folder's artifact is the one that the repo holds at a revision, by content_sha256."""
    local, remote = folder / "lineage.json", remote_lineage(repo, revision, repo_type)
    if remote is None or not local.is_file():
        return False
    return json.loads(local.read_text())["content_sha256"] == remote["content_sha256"]


def push(folder: Path, recipe: dict[str, Any], repo_type: str) -> str:
    """Upload an artifact folder, check what arrived, then tag it. Returns the commit.

    The same content under the same tag is a no-op; a push that was cut off is completed by running it again.
    Raises UserError for other content under the tag, naming what differs, and where the Hub can't be written to.
    """
    lineage = json.loads((folder / "lineage.json").read_text())
    repo, tag = repo_id(recipe, lineage["artifact"]), recipe["hub_tag"]
    try:
        commit = tag_commit(repo, tag, repo_type)
        if commit is not None:
            _require_same(lineage, repo, tag, repo_type)
            print(f"{repo}@{tag} is already there.")
            return commit
        patient(HfApi().create_repo)(
            repo, repo_type=repo_type, private=recipe.get("hub_private_repo", False), exist_ok=True
        )
        commit = _commit(folder, lineage, repo, tag, repo_type)
        _tag(lineage, repo, tag, commit, repo_type)
    except HfHubHTTPError as error:
        raise UserError(
            f"{repo} could not be pushed: {_reason(error)}. {folder} is whole; push again later."
        ) from None
    except (httpx2.TransportError, ConnectionError) as error:
        raise UserError(f"The Hub is out of reach: {error}. {folder} is whole; push it again later.") from None
    print(f"{repo}@{tag} pushed, commit {commit}")
    return commit


def _require_same(lineage: dict[str, Any], repo: str, tag: str, repo_type: str) -> None:
    remote = remote_lineage(repo, tag, repo_type) or {"files": {}, "content_sha256": None}
    if remote["content_sha256"] == lineage["content_sha256"]:
        return
    ours = {name: file["sha256"] for name, file in lineage["files"].items()}
    theirs = {name: file["sha256"] for name, file in remote["files"].items()}
    differing = sorted(name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name))
    raise UserError(f"{repo}@{tag} holds other content ({', '.join(differing)}); a tag is never moved. Raise hub_tag.")


@patient
def _commit(folder: Path, lineage: dict[str, Any], repo: str, tag: str, repo_type: str) -> str:
    """One commit that makes the repo equal to the artifact; returns it once its files are seen to be ours."""
    published = {**lineage, "parents": [published_parent(parent, repo, tag) for parent in lineage["parents"]]}
    card = render_card(folder, published, repo, tag)
    written = {"lineage.json": json.dumps(published, indent=2, ensure_ascii=False) + "\n", "README.md": card}
    files = {name: folder / name for name in lineage["files"]}
    stray = [name for name in files if not ALLOWED.fullmatch(name)]
    if stray:
        raise UserError(f"{folder} holds {stray[0]}, which is no file of an artifact; remove it and push again.")
    api = HfApi()
    head = api.repo_info(repo, repo_type=repo_type)
    ours = {*files, *written, ".gitattributes"}
    operations = [CommitOperationAdd(name, text.encode()) for name, text in written.items()]
    operations += [CommitOperationAdd(name, str(path)) for name, path in files.items()]
    operations += [CommitOperationDelete(file.rfilename) for file in head.siblings if file.rfilename not in ours]
    info = api.create_commit(
        repo, operations, commit_message=f"{lineage['artifact']} {tag}", repo_type=repo_type, parent_commit=head.sha
    )
    _verify(lineage, repo, info.oid, repo_type)
    return info.oid


def _verify(lineage: dict[str, Any], repo: str, commit: str, repo_type: str) -> None:
    """Compare the LFS hashes of a commit with ours: a tag is only set on what arrived whole."""
    entries = HfApi().list_repo_tree(repo, recursive=True, revision=commit, repo_type=repo_type)
    arrived = {entry.path: entry.lfs.sha256 if entry.lfs else None for entry in entries if hasattr(entry, "lfs")}
    for name, file in lineage["files"].items():
        if name not in arrived or arrived[name] not in (None, file["sha256"]):
            raise UserError(f"{repo}: {name} did not arrive whole in commit {commit[:12]}; push again.")


def _tag(lineage: dict[str, Any], repo: str, tag: str, commit: str, repo_type: str) -> None:
    try:
        patient(HfApi().create_tag)(repo, tag=tag, revision=commit, repo_type=repo_type)
    except HfHubHTTPError as error:
        if error.response is None or error.response.status_code != 409:
            raise
        _require_same(lineage, repo, tag, repo_type)  # the answer was lost, or another process was first


def published_parent(parent: dict[str, Any], repo: str, tag: str) -> dict[str, Any]:
    """A local parent as its repo@commit in the same namespace and tag, where it has been pushed; else unchanged."""
    if parent["revision"] is not None or parent.get("artifact") is None:
        return parent
    name = f"{repo.split('/')[0]}/{parent['artifact']}"
    commit = tag_commit(name, tag, parent["repo_type"])
    if (
        commit is None
        or remote_lineage(name, commit, parent["repo_type"])["content_sha256"] != parent["content_sha256"]
    ):
        return parent
    return {**parent, "name": name, "revision": commit, "tag": tag}
