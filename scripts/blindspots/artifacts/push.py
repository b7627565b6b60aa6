"""Pushing artifacts: whole, tagged once, completed by running again."""

import dataclasses
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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

from blindspots.artifacts.cards import eval_results, render_card
from blindspots.artifacts.files import hash_file, json_text
from blindspots.artifacts.lineage import artifact_name, repo_type
from blindspots.artifacts.retries import retry_if_outdated, retry_transient
from blindspots.config.errors import UserError
from blindspots.config.processes import is_main_process
from blindspots.config.recipes import ArtifactRecipe

# What may be uploaded; a checkpoint's optimizer state, caches and stray files stay here.
ALLOWED = re.compile(
    r"(data|predictions)/([\w.-]+/)?[\w.-]+\.parquet|[\w.-]+\.(safetensors|json|jinja|model|txt|md|yaml|py|png|svg|html)"
)
TAG = re.compile(r"v\d+(\.\d+)*([.-][\w.]+)?")
OUT_OF_REACH = (httpx2.TransportError, ConnectionError)
WRITING_ROLES = ("admin", "write", "contributor")


def repo_id(recipe: dict[str, Any], name: str) -> str:
    """<hub_namespace>/<hub_name>, by default the artifact's own name. Raises UserError for an illegal one."""
    repo = f"{recipe['hub_namespace']}/{recipe.get('hub_name') or name}"
    try:
        validate_repo_id(repo)
    except HFValidationError as error:
        raise UserError(f"{repo} is not a valid repo name: {error}") from None
    return repo


def preflight(recipe: dict[str, Any], name: str, folder: Path, repo_type: str) -> None:
    """Before long work: namespace and tag given and legal, token there and allowed to write, tag free.

    Raises UserError in one line at second one instead of after hours.
    """
    check_target(recipe)
    repo = repo_id(recipe, name)
    with hub_errors_as_user_errors("Log in with `hf auth login`, or leave push_to_hub out and push later."):
        _check_rights(retry_transient(HfApi().whoami)(), recipe["hub_namespace"])
        taken = tag_commit(repo, recipe["hub_tag"], repo_type)
        free = taken is None or same_content(folder, repo, recipe["hub_tag"], repo_type)
    if not free:
        raise UserError(
            f"{repo} already has the tag {recipe['hub_tag']} at {taken[:12]}; a tag is never moved. Raise hub_tag."
        )


def check_target(recipe: dict[str, Any]) -> None:
    """Raise UserError where namespace, tag or token are missing, or the tag is not a version."""
    for key in ("hub_namespace", "hub_tag"):
        if not recipe[key]:
            raise UserError(f"A push needs {key}.")
    if not TAG.fullmatch(recipe["hub_tag"]):
        raise UserError(f"hub_tag {recipe['hub_tag']!r} is not a version; write one such as v1.0.")
    if get_token() is None:
        raise UserError("A push needs a token: run `hf auth login` or set HF_TOKEN.")


def _check_rights(user: dict[str, Any], namespace: str) -> None:
    token = user.get("auth", {}).get("accessToken", {})
    if token.get("role") == "read":
        raise UserError(f"The token {token.get('displayName', '')!r} may only read; make one that may write.")
    roles = {organisation["name"]: organisation.get("roleInOrg", "write") for organisation in user.get("orgs", [])}
    if namespace != user["name"] and roles.get(namespace) not in WRITING_ROLES:
        raise UserError(
            f"{user['name']} may not write to {namespace}; name yourself or an organisation that lets you."
        )
    scopes = token.get("fineGrained", {}).get("scoped", [])
    writable = {scope["entity"]["name"] for scope in scopes if "repo.write" in scope["permissions"]}
    if token.get("role") == "fineGrained" and namespace not in writable:
        raise UserError(f"The token {token.get('displayName', '')!r} may not write to {namespace}; widen it.")


@contextmanager
def hub_errors_as_user_errors(otherwise: str) -> Iterator[None]:
    """What the Hub refuses and what keeps it from answering, as a UserError that ends in `otherwise`."""
    try:
        yield
    except HfHubHTTPError as error:
        raise UserError(f"The Hub refuses: {_reason(error)}. {otherwise}") from None
    except OUT_OF_REACH as error:
        raise UserError(f"The Hub is out of reach: {error}. {otherwise}") from None


def _reason(error: HfHubHTTPError) -> str:
    return error.server_message or (str(error.response.status_code) if error.response is not None else str(error))


@retry_transient
def tag_commit(repo: str, tag: str, repo_type: str) -> str | None:
    """The commit that a tag of a repo stands at, None where repo or tag is not there."""
    try:
        refs = HfApi().list_repo_refs(repo, repo_type=repo_type)
    except RepositoryNotFoundError:
        return None
    return next((ref.target_commit for ref in refs.tags if ref.name == tag), None)


@retry_transient
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


def check_push(recipe: ArtifactRecipe, artifact_type: str) -> None:
    """Run `preflight` where the recipe asks for a push."""
    if recipe.push_to_hub and is_main_process():
        final = Path(recipe.output_dir).absolute()
        preflight(dataclasses.asdict(recipe), artifact_name(final), final, repo_type(artifact_type))


def push_if_asked(recipe: ArtifactRecipe) -> None:
    """Push the finished artifact in `output_dir` where the recipe asks for it."""
    if recipe.push_to_hub and is_main_process():
        push_artifact(Path(recipe.output_dir).absolute(), dataclasses.asdict(recipe))


def push_artifact(folder: Path, recipe: dict[str, Any]) -> str:
    """Upload an artifact folder with its card and lineage, parents by repo and commit, and tag it; see `upload`."""
    lineage = json.loads((folder / "lineage.json").read_text())
    repo, tag = repo_id(recipe, lineage["artifact"]), recipe["hub_tag"]

    def described() -> dict[str, str]:
        published = {**lineage, "parents": [published_parent(parent, repo, tag) for parent in lineage["parents"]]}
        texts = {
            "lineage.json": json_text(published, indent=2),
            "README.md": render_card(folder, published, repo, tag),
        }
        results = eval_results(published)
        return texts | ({".eval_results/nli.yaml": results} if results else {})

    return upload(folder, lineage, described, repo, recipe, repo_type(lineage["artifact_type"]))


def upload(
    folder: Path,
    lineage: dict[str, Any],
    described: Callable[[], dict[str, str]],
    repo: str,
    recipe: dict[str, Any],
    repo_type: str,
    **space: str,
) -> str:
    """Bring the files of a lineage to a repo in one commit, check what arrived, then tag it. Returns the commit.

    The same content under the same tag is a no-op; a push that was cut off is completed by running it again.

    Args:
        folder: holds the files that `lineage` lists.
        described: makes the texts that go with them, by name, `lineage.json` among them.
        space: further arguments of create_repo.

    Raises UserError for other content under the tag, naming what differs, for a file that is none of an artifact or
    has changed since, and where the Hub can't be written to.
    """
    tag = recipe["hub_tag"]
    with hub_errors_as_user_errors(f"{repo} is not pushed; {folder} is whole, push it again later."):
        commit = tag_commit(repo, tag, repo_type)
        if commit is not None:
            _require_same(lineage, repo, tag, repo_type)
            print(f"{repo}@{tag} is already there.")
            return commit
        check_files(folder, lineage)
        private = recipe.get("hub_private_repo", False)
        retry_transient(HfApi().create_repo)(repo, repo_type=repo_type, private=private, exist_ok=True, **space)
        commit = _commit(folder, lineage, described(), repo, tag, repo_type)
        _verify(folder, lineage, repo, commit, repo_type)
        _tag(lineage, repo, tag, commit, repo_type)
    print(f"{repo}@{tag} pushed, commit {commit}")
    return commit


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


def _require_same(lineage: dict[str, Any], repo: str, tag: str, repo_type: str) -> None:
    remote = remote_lineage(repo, tag, repo_type) or {"files": {}, "content_sha256": None}
    if remote["content_sha256"] == lineage["content_sha256"]:
        return
    ours = {name: file["sha256"] for name, file in lineage["files"].items()}
    theirs = {name: file["sha256"] for name, file in remote["files"].items()}
    differing = sorted(name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name))
    raise UserError(f"{repo}@{tag} holds other content ({', '.join(differing)}); a tag is never moved. Raise hub_tag.")


@retry_if_outdated
def _commit(folder: Path, lineage: dict[str, Any], texts: dict[str, str], repo: str, tag: str, repo_type: str) -> str:
    """One commit that brings the artifact and drops what a former push of it left; other writers' files stay."""
    api = HfApi()
    head = retry_transient(api.repo_info)(repo, repo_type=repo_type)
    former = remote_lineage(repo, head.sha, repo_type) or {"files": {}}
    there = {file.rfilename for file in head.siblings}
    operations = [CommitOperationAdd(name, text.encode()) for name, text in texts.items()]
    operations += [CommitOperationAdd(name, str(folder / name)) for name in lineage["files"]]
    gone = (former["files"].keys() & there) - lineage["files"].keys()
    operations += [CommitOperationDelete(name) for name in sorted(gone)]
    message = f"{lineage['artifact']} {tag}"
    # The parent commit makes the server refuse (412) what was decided on an outdated head.
    return retry_transient(api.create_commit)(
        repo, operations, commit_message=message, repo_type=repo_type, parent_commit=head.sha
    ).oid


@retry_transient
def _verify(folder: Path, lineage: dict[str, Any], repo: str, commit: str, repo_type: str) -> None:
    """Compare the hashes of a commit with ours: a tag is only set on what arrived whole."""
    found = HfApi().verify_repo_checksums(repo, repo_type=repo_type, revision=commit, local_dir=folder)
    damaged = {mismatch["path"] for mismatch in found.mismatches} | set(found.extra_paths)
    for name in lineage["files"]:
        if name in damaged:
            raise UserError(f"{repo}: {name} did not arrive whole in commit {commit[:12]}; push again.")


def _tag(lineage: dict[str, Any], repo: str, tag: str, commit: str, repo_type: str) -> None:
    try:
        retry_transient(HfApi().create_tag)(repo, tag=tag, revision=commit, repo_type=repo_type)
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
    lineage = remote_lineage(name, commit, parent["repo_type"]) if commit else None
    if lineage is None or lineage["content_sha256"] != parent["content_sha256"]:
        return parent
    return {**parent, "name": name, "revision": commit, "tag": tag}
