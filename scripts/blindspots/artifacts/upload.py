"""Bringing files to a repo: whole, tagged once, completed by running again."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi
from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError

from blindspots.artifacts.files import hash_file
from blindspots.artifacts.names import ALLOWED, EVAL_RESULTS, LINEAGE
from blindspots.artifacts.remote import holds, remote_lineage, tag_commit, tree
from blindspots.artifacts.retries import hub_errors_as_user_errors, retry_if_outdated, retry_transient
from blindspots.config.errors import UserError


def upload(
    folder: Path,
    lineage: dict[str, Any],
    texts: dict[str, str],
    repo: str,
    recipe: dict[str, Any],
    repo_type: str,
    pinned: Sequence[dict[str, Any]] = (),
    **space: str,
) -> str:
    """Bring the files of a lineage to a repo in one commit, check what arrived, then tag it. Returns the commit.

    The same content under the same tag is a no-op; a push that was cut off is completed by running it again.

    Args:
        folder: holds the files that `lineage` lists.
        texts: the texts that go with them, by name, `lineage.json` among them.
        pinned: parents that must stand in the lineage under the tag with these commits.
        space: further arguments of create_repo.

    Raises UserError for other content under the tag, naming what differs, for a file that is none of an artifact or
    has changed since, for a public repo that is to be private, and where the Hub can't be written to.
    """
    tag = recipe["hub_tag"]
    check_files(folder, lineage)
    with hub_errors_as_user_errors(f"{repo} is not pushed; {folder} is whole, push it again later."):
        require_private(repo, repo_type, recipe)
        commit = tag_commit(repo, tag, repo_type)
        if commit is not None:
            require_same(folder, lineage, repo, tag, commit, repo_type, pinned)
            print(f"{repo}@{tag} is already there.")
            return commit
        private = recipe.get("hub_private_repo", False)
        retry_transient(HfApi().create_repo)(repo, repo_type=repo_type, private=private, exist_ok=True, **space)
        commit = _commit(folder, lineage, texts, repo, tag, repo_type)
        _verify(folder, lineage, texts, repo, commit, repo_type)
        commit = _tag(folder, lineage, repo, tag, commit, repo_type)
    print(f"{repo}@{tag} pushed, commit {commit}")
    return commit


def require_private(repo: str, repo_type: str, recipe: dict[str, Any]) -> None:
    """Raise UserError where the recipe asks for a private repo and a public one is there; create_repo leaves it so."""
    if not recipe.get("hub_private_repo"):
        return
    try:
        there = retry_transient(HfApi().repo_info)(repo, repo_type=repo_type)
    except RepositoryNotFoundError:
        return
    if not there.private:
        raise UserError(
            f"{repo} is public, and hub_private_repo asks for a private repo. Make it private on the Hub, or leave "
            "hub_private_repo out."
        )


def check_files(folder: Path, lineage: dict[str, Any]) -> None:
    """Raise UserError for a file that may not be uploaded, and for one that is not as its lineage says."""
    for name, file in lineage["files"].items():
        if not ALLOWED.fullmatch(name):
            raise UserError(
                f"{folder} holds {name}, which is not part of an artifact; remove it and make the artifact again."
            )
        if not (folder / name).is_file() or hash_file(folder / name) != file["sha256"]:
            raise UserError(f"{folder}/{name} is not what lineage.json says; make the artifact again.")
    adapter = folder / "adapter_config.json"
    base = json.loads(adapter.read_text())["base_model_name_or_path"] if adapter.is_file() else None
    if base is not None and Path(base).is_dir():
        raise UserError(f"{folder} is an adapter of the local folder {base}; tune it from a base model on the Hub.")


def require_same(
    folder: Path,
    lineage: dict[str, Any],
    repo: str,
    tag: str,
    commit: str,
    repo_type: str,
    pinned: Sequence[dict[str, Any]] = (),
) -> None:
    """Raise UserError where a tag does not hold the files of a folder, naming those that differ.

    The files themselves are compared, by the hashes that the Hub states: a tag that was moved may have kept the
    lineage. See `upload` for `pinned`.
    """
    differing = _differing(folder, lineage, repo, commit, repo_type)
    if differing:
        names = ", ".join(differing)
        raise UserError(f"{repo}@{tag} holds other content ({names}); a tag is never moved. Raise hub_tag.")
    there = {parent["role"]: parent["revision"] for parent in remote_lineage(repo, commit, repo_type)["parents"]}
    for parent in pinned:
        if there.get(parent["role"]) != parent["revision"]:
            raise UserError(
                f"{repo}@{tag} names another commit of its {parent['role']}, {parent['name']}, than the tag {tag} "
                "there; a tag is never moved. Raise hub_tag."
            )


def _differing(folder: Path, lineage: dict[str, Any], repo: str, commit: str, repo_type: str) -> list[str]:
    try:
        remote = remote_lineage(repo, commit, repo_type)
    except UserError:  # it can't be used, so that it is none
        remote = None
    there = tree(repo, commit, repo_type)
    theirs = remote["files"] if remote else {}
    names = {name for name in theirs if name not in lineage["files"]}
    for name, file in lineage["files"].items():
        found, local = there.get(name), folder / name
        if found is not None and found.lfs is not None:
            same = found.lfs.sha256 == file["sha256"]
        else:
            same = holds(found, local) if local.is_file() else found is not None
        if not same or theirs.get(name, {}).get("sha256") != file["sha256"]:
            names.add(name)
    if remote is None or (not names and remote["content_sha256"] != lineage["content_sha256"]):
        names.add(LINEAGE)
    return sorted(names)


@retry_if_outdated
def _commit(folder: Path, lineage: dict[str, Any], texts: dict[str, str], repo: str, tag: str, repo_type: str) -> str:
    """One commit that brings the artifact and drops what a former push of it left; other writers' files stay."""
    api = HfApi()
    head = retry_transient(api.repo_info)(repo, repo_type=repo_type)
    there = {file.rfilename for file in head.siblings or []}
    operations = [CommitOperationAdd(name, text.encode()) for name, text in texts.items()]
    operations += [CommitOperationAdd(name, str(folder / name)) for name in lineage["files"]]
    gone = (_former_files(repo, head.sha, repo_type) & there) - lineage["files"].keys() - texts.keys()
    operations += [CommitOperationDelete(name) for name in sorted(gone)]
    message = f"{lineage['artifact']} {tag}"
    # The parent commit makes the server refuse (412) what was decided on an outdated head.
    return retry_transient(api.create_commit)(
        repo, operations, commit_message=message, repo_type=repo_type, parent_commit=head.sha
    ).oid


def _former_files(repo: str, commit: str, repo_type: str) -> set[str]:
    """What a former push brought beside card and lineage, which every push brings; empty where none was."""
    try:
        former = remote_lineage(repo, commit, repo_type)
    except UserError:  # whatever stands there is replaced
        former = None
    return {*former["files"], EVAL_RESULTS} if former else set()


def _verify(
    folder: Path, lineage: dict[str, Any], texts: dict[str, str], repo: str, commit: str, repo_type: str
) -> None:
    """Compare the hashes of a commit with ours: a tag is only set on what arrived whole."""
    there = tree(repo, commit, repo_type)
    contents = {name: folder / name for name in lineage["files"]}
    for name, content in [*contents.items(), *((name, text.encode()) for name, text in texts.items())]:
        if not holds(there.get(name), content):
            raise UserError(f"{repo}: {name} did not arrive whole in commit {commit[:12]}; push again.")


def _tag(folder: Path, lineage: dict[str, Any], repo: str, tag: str, commit: str, repo_type: str) -> str:
    """Set the tag; returns the commit that it stands at, another one where another process was first."""
    try:
        retry_transient(HfApi().create_tag)(repo, tag=tag, revision=commit, repo_type=repo_type)
    except HfHubHTTPError as error:
        if error.response is None or error.response.status_code != 409:
            raise
        commit = tag_commit(repo, tag, repo_type) or commit  # the answer was lost, or another process was first
        require_same(folder, lineage, repo, tag, commit, repo_type)
    return commit
