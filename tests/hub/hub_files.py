"""Files of a repo and its card: tree, paths, resolve, and the check of a card's metadata."""

import json
from pathlib import PurePosixPath
from urllib.parse import urlencode

import yaml
from huggingface_hub.repocard import REGEX_YAML_BLOCK
from huggingface_hub.repocard_data import model_index_to_eval_results
from starlette.responses import FileResponse, JSONResponse, Response

from .hub_call import REPO, Call, route
from .hub_store import HubError, Repo

POINTER_SIZE = 134  # bytes of a git-lfs pointer, for a file of some hundred megabytes


def card_data(repo: Repo, tree: dict[str, dict]) -> dict:
    """The front matter of the repo's README.md, dates as text; empty where there is none or it is no YAML."""
    if "README.md" not in tree:
        return {}
    match = REGEX_YAML_BLOCK.search(repo.store.blob(tree["README.md"]["sha256"]).read_text())
    try:
        return json.loads(json.dumps(yaml.safe_load(match[2]) or {}, default=str)) if match else {}
    except yaml.YAMLError:
        return {}


def entry_info(path: str, entry: dict | None, history: list[dict]) -> dict:
    """A file, or a folder where `entry` is None; `history`, newest first, gives the last commit that changed it."""
    if entry is None:
        info = {"type": "directory", "path": path, "size": 0, "oid": "0" * 40}
    else:
        info = {"type": "file", "path": path, "size": entry["size"], "oid": entry["oid"]}
        if entry["lfs"]:
            info["lfs"] = {"oid": entry["sha256"], "size": entry["size"], "pointerSize": POINTER_SIZE}
    if history:
        unchanged = [commit for commit in history if commit["tree"].get(path) == entry]
        info["lastCommit"] = {key: unchanged[-1][key] for key in ("id", "title", "date")}
    return info


def folders(tree: dict[str, dict]) -> set[str]:
    return {str(parent) for path in tree for parent in PurePosixPath(path).parents} - {"."}


def list_tree(call: Call) -> JSONResponse:
    """Files and folders under a path, in pages of 1,000, or 50 with `expand`."""
    repo = call.repo()
    oid = call.revision(repo)
    tree, root = repo.tree(oid), call.path.get("path", "").strip("/")
    if root and root not in folders(tree):
        raise HubError(404, "EntryNotFound", f"{root} does not exist on {call.path['revision']}", oid)
    expand, recursive = (call.query.get(key, "").lower() in ("true", "1") for key in ("expand", "recursive"))
    inside = sorted(path for path in [*folders(tree), *tree] if not root or path.startswith(f"{root}/"))
    if not recursive:
        depth = len(PurePosixPath(root).parts) + 1
        inside = [path for path in inside if len(PurePosixPath(path).parts) == depth]
    start, size = int(call.query.get("cursor", 0)), int(call.query.get("limit", 50 if expand else 1000))
    history = repo.history(oid) if expand else []
    page = [entry_info(path, tree.get(path), history) for path in inside[start : start + size]]
    headers = {}
    if start + size < len(inside):
        query = urlencode(call.query | {"cursor": start + size})
        headers["Link"] = f'<{call.base_url}{call.raw_path}?{query}>; rel="next"'
    return JSONResponse(page, headers=headers)


def paths_info(call: Call) -> list[dict]:
    """The entries that exist among the paths asked for."""
    repo = call.repo()
    oid = call.revision(repo)
    tree = repo.tree(oid)
    history = repo.history(oid) if call.form.get("expand", ["false"])[0].lower() == "true" else []
    asked = [path.strip("/") for path in call.form.get("paths", [])]
    return [entry_info(path, tree.get(path), history) for path in asked if path in tree or path in folders(tree)]


def resolve(call: Call) -> Response:
    """A file; ranges and HEAD come with FileResponse. The ETag is the sha256 of an LFS file, else its git id."""
    repo = call.repo()
    oid = call.revision(repo)
    entry = repo.tree(oid).get(call.path["path"])
    if entry is None:
        raise HubError(404, "EntryNotFound", "Entry not found", oid)
    etag = entry["sha256"] if entry["lfs"] else entry["oid"]
    headers = {"ETag": f'"{etag}"', "X-Repo-Commit": oid, "Cache-Control": "no-cache"}
    if entry["lfs"]:
        headers |= {"X-Linked-ETag": f'"{etag}"', "X-Linked-Size": str(entry["size"])}
    name = PurePosixPath(call.path["path"]).name
    return FileResponse(repo.store.blob(entry["sha256"]), headers=headers, filename=name)


def validate_yaml(call: Call) -> dict:
    """Check a card's front matter. Raises HubError 400 with `errors` as the Hub lists them."""
    match = REGEX_YAML_BLOCK.search(call.json["content"])
    if match is None:
        return {"errors": [], "warnings": [{"message": "empty or missing yaml metadata in repo card"}]}
    try:
        data = yaml.safe_load(match[2])
        if not isinstance(data, dict):
            raise ValueError("the metadata is not a mapping")
        if "model-index" in data:
            model_index_to_eval_results(data["model-index"])
    except (yaml.YAMLError, ValueError, KeyError, TypeError) as error:
        message = f"Invalid metadata: {error!r}"
        raise HubError(400, None, "Invalid metadata", errors=[{"message": message}], warnings=[]) from error
    return {"errors": [], "warnings": []}


ROUTES = [
    route("/api/validate-yaml", validate_yaml, "POST"),
    route(REPO + "/tree/{revision}", list_tree, "GET"),
    route(REPO + "/tree/{revision}/{path:path}", list_tree, "GET"),
    route(REPO + "/paths-info/{revision}", paths_info, "POST"),
    route("/{namespace}/{name}/resolve/{revision}/{path:path}", resolve, "GET"),
    route("/{kind}/{namespace}/{name}/resolve/{revision}/{path:path}", resolve, "GET"),
]
