"""Pushing artifacts: what is asked before the work, and the lineage and card that go with the files."""

import dataclasses
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi, get_token
from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils import validate_repo_id

from blindspots.artifacts.cards import eval_results, render_card
from blindspots.artifacts.files import json_text
from blindspots.artifacts.lineage import artifact_name, repo_type
from blindspots.artifacts.names import EVAL_RESULTS, LINEAGE, REPO_ID, TAG, read_lineage
from blindspots.artifacts.remote import remote_lineage, tag_commit
from blindspots.artifacts.retries import check_token, hub_errors_as_user_errors, retry_transient, without_token
from blindspots.artifacts.upload import require_private, require_same, upload
from blindspots.config.errors import UserError
from blindspots.config.processes import is_main_process
from blindspots.config.recipes import ArtifactRecipe

WRITING_ROLES = ("admin", "write", "contributor")


def repo_id(recipe: dict[str, Any], name: str) -> str:
    """<hub_namespace>/<hub_name>, by default the artifact's own name. Raises UserError for an illegal one."""
    repo = f"{recipe['hub_namespace']}/{recipe.get('hub_name') or name}"
    try:
        validate_repo_id(repo)
    except HFValidationError as error:
        raise UserError(f"{repo!r} is not a valid repo name: {without_token(error)}") from None
    if not REPO_ID.fullmatch(repo):
        raise UserError(f"{repo!r} is not a valid repo name: it takes letters, digits, `-`, `_` and `.`.")
    return repo


def preflight(recipe: dict[str, Any], name: str, folder: Path, repo_type: str) -> None:
    """Before long work: namespace and tag given and legal, token there and allowed to write, tag free.

    Also that no public repo is there where a private one is asked for. Raises UserError in one line at second one
    instead of after hours.
    """
    check_target(recipe)
    repo, tag = repo_id(recipe, name), recipe["hub_tag"]
    with hub_errors_as_user_errors("Log in with `hf auth login`, or leave push_to_hub out and push later."):
        retry_transient(lambda: _check_rights(HfApi().whoami(), recipe["hub_namespace"]))()
        require_private(repo, repo_type, recipe)
        taken = tag_commit(repo, tag, repo_type)
        if taken is None:
            return
        if not (folder / LINEAGE).is_file():
            raise UserError(f"{repo} already has the tag {tag} at {taken[:12]}; a tag is never moved. Raise hub_tag.")
        require_same(folder, read_lineage(folder), repo, tag, taken, repo_type)


def check_target(recipe: dict[str, Any]) -> None:
    """Raise UserError where namespace, tag or token are missing, or the tag is not a version."""
    for key in ("hub_namespace", "hub_tag"):
        if not recipe[key]:
            raise UserError(f"A push needs {key}.")
    if not TAG.fullmatch(recipe["hub_tag"]):
        raise UserError(f"hub_tag {recipe['hub_tag']!r} is not a version; write one such as v1.0.")
    check_token()
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


def check_push(recipe: ArtifactRecipe, artifact_type: str) -> None:
    """Run `preflight` where the recipe asks for a push."""
    if recipe.push_to_hub and is_main_process():
        folder = Path(recipe.output_dir)
        preflight(dataclasses.asdict(recipe), artifact_name(folder), folder, repo_type(artifact_type))


def push_if_asked(recipe: ArtifactRecipe) -> None:
    """Push the finished artifact in `output_dir` where the recipe asks for it."""
    if recipe.push_to_hub and is_main_process():
        push_artifact(Path(recipe.output_dir).absolute(), dataclasses.asdict(recipe))


def push_artifact(folder: Path, recipe: dict[str, Any], in_release: bool = False) -> str:
    """Upload an artifact folder with its card and lineage, parents by repo and commit, and tag it; see `upload`.

    The parents are looked up once, so that what was checked is what is published. Raises UserError for a parent that
    is not on the Hub under the tag, or there with other content, where this is part of a release.
    """
    lineage = read_lineage(folder)
    repo, tag = repo_id(recipe, lineage["artifact"]), recipe["hub_tag"]
    with hub_errors_as_user_errors(f"{repo} is not pushed; {folder} is whole, push it again later."):
        published = {**lineage, "parents": [published_parent(parent, repo, tag) for parent in lineage["parents"]]}
    for parent in published["parents"]:
        if in_release and parent["revision"] is None:
            raise UserError(
                f"{folder} was made from {parent['name']} (content {parent['content_sha256'][:12]}), "
                f"which is not on the Hub under {tag}. Release that too, or make both again."
            )
    texts = {LINEAGE: json_text(published, indent=2), "README.md": render_card(folder, published, repo, tag)}
    results = eval_results(published)
    texts |= {EVAL_RESULTS: results} if results else {}
    pinned = published["parents"] if in_release else []
    return upload(folder, lineage, texts, repo, recipe, repo_type(lineage["artifact_type"]), pinned)


def published_parent(parent: dict[str, Any], repo: str, tag: str) -> dict[str, Any]:
    """A local parent as its repo@commit in the same namespace and tag, where it has been pushed; else unchanged."""
    name = f"{repo.split('/')[0]}/{parent.get('artifact')}"
    if parent["revision"] is not None or parent.get("artifact") is None or not REPO_ID.fullmatch(name):
        return parent
    commit = tag_commit(name, tag, parent["repo_type"])
    lineage = remote_lineage(name, commit, parent["repo_type"]) if commit else None
    if lineage is None or lineage["content_sha256"] != parent["content_sha256"]:
        return parent
    return {**parent, "name": name, "revision": commit, "tag": tag}
