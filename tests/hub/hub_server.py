"""A local server of the Hub's public HTTP API, as far as huggingface_hub, transformers, datasets and evaluate use it.

    cd tests && python -m hub.hub_server STORE        prints its address when it listens

Differences from the real one: a file is served by its `resolve` URL itself and not by a redirect to a CDN, there is
no Xet storage (set HF_HUB_DISABLE_XET=1), and pull requests, discussions and the dataset viewer do not exist.
"""

import socket
import sys
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.responses import Response

from .hub_call import REPO, Call, error_response, route
from .hub_collections import ROUTES as COLLECTION_ROUTES
from .hub_faults import FaultyTransport
from .hub_files import POINTER_SIZE, card_data
from .hub_files import ROUTES as FILE_ROUTES
from .hub_store import KINDS, HubError, HubStore, Repo
from .hub_uploads import ROUTES as UPLOAD_ROUTES


def whoami(call: Call) -> dict:
    if call.user is None:
        raise HubError(401, None, "Invalid username or password.")
    name, role, orgs = call.user["user"], call.user["role"], call.user["orgs"]
    members = [{"type": "org", "id": org, "name": org, "fullname": org, "roleInOrg": r} for org, r in orgs.items()]
    auth = {"type": "access_token", "accessToken": {"displayName": "local", "role": role}}
    return {"type": "user", "id": name, "name": name, "fullname": name, "orgs": members, "auth": auth}


# Repos


def create_repo(call: Call) -> dict:
    asked = call.json
    if call.user is None:
        raise HubError(401, None, "Invalid username or password.")
    namespace, kind = asked.get("organization") or call.user["user"], asked.get("type", "model") + "s"
    call.require_write(namespace)
    repo_id = f"{namespace}/{asked['name']}"
    url = f"{call.base_url}/{'' if kind == 'models' else kind + '/'}{repo_id}"
    try:
        sdk = {"sdk": asked["sdk"]} if "sdk" in asked else {}
        call.store.create_repo(kind, repo_id, private=asked.get("visibility") == "private", **sdk)
    except HubError as error:
        error.body["url"] = url
        raise
    return {"url": url, "name": repo_id}


def delete_repo(call: Call) -> Response:
    asked = call.json
    namespace = asked.get("organization") or (call.user or {}).get("user", "")
    call.path |= {"kind": asked.get("type", "model") + "s", "namespace": namespace, "name": asked["name"]}
    call.repo(write=True).delete()
    return Response()


def update_settings(call: Call) -> dict:
    repo = call.repo(write=True)
    settings = repo.settings() | {"private": call.json["visibility"] == "private"}
    call.store.write(repo.folder / "repo.json", settings)
    return settings


def auth_check(call: Call) -> Response:
    call.repo(write="write" in call.path)
    return Response()


def describe(repo: Repo, oid: str, blobs: bool = False) -> dict:
    """What `model_info`, `dataset_info` and `space_info` get; `blobs` adds sizes and hashes of the files."""
    commit, settings = repo.commit(oid), repo.settings()
    siblings = []
    for path, entry in sorted(commit["tree"].items()):
        lfs = {"sha256": entry["sha256"], "size": entry["size"], "pointerSize": POINTER_SIZE}
        metadata = {"size": entry["size"], "blobId": entry["oid"]} | ({"lfs": lfs} if entry["lfs"] else {})
        siblings.append({"rfilename": path} | (metadata if blobs else {}))
    card = card_data(repo, commit["tree"])
    fields = {key: card[key] for key in ("library_name", "pipeline_tag", "model-index") if key in card}
    return {
        "_id": oid[:24],
        "id": repo.id,
        "author": repo.id.split("/")[0],
        "sha": oid,
        "lastModified": commit["date"],
        "gated": False,
        "disabled": False,
        "downloads": 0,
        "likes": 0,
        "tags": card.get("tags") or [],
        "cardData": card,
        "siblings": siblings,
        **settings,
        **fields,
    }


def repo_info(call: Call) -> dict:
    repo = call.repo()
    return describe(repo, call.revision(repo), blobs="blobs" in call.query)


def list_repos(call: Call) -> list[dict]:
    author, search = call.query.get("author"), call.query.get("search", "")
    repos = [repo for repo in call.store.repos(call.path["kind"]) if search.lower() in repo.id.lower()]
    mine = call.namespaces()
    visible = [r for r in repos if not r.settings()["private"] or r.id.split("/")[0] in mine]
    return [describe(r, r.resolve("main")) for r in visible if author in (None, r.id.split("/")[0])]


# Refs and history


def list_refs(call: Call) -> dict:
    repo = call.repo()

    def infos(kind: str) -> list[dict]:
        return [{"name": n, "ref": f"refs/{kind}/{n}", "targetCommit": oid} for n, oid in repo.refs(kind).items()]

    return {"branches": infos("heads"), "tags": infos("tags"), "converts": []}


def create_tag(call: Call) -> Response:
    repo = call.repo(write=True)
    repo.new_ref("tags", call.json["tag"], call.revision(repo))
    return Response()


def create_branch(call: Call) -> Response:
    repo = call.repo(write=True)
    repo.new_ref("heads", call.path["revision"], repo.resolve(call.json.get("startingPoint", "main")))
    return Response()


def delete_tag(call: Call) -> Response:
    call.repo(write=True).delete_ref("tags", call.path["revision"])
    return Response()


def delete_branch(call: Call) -> Response:
    if call.path["revision"] == "main":
        raise HubError(403, None, "Cannot delete the main branch")
    call.repo(write=True).delete_ref("heads", call.path["revision"])
    return Response()


def list_commits(call: Call) -> list[dict]:
    repo = call.repo()
    commits = repo.history(call.revision(repo))
    keys = ("id", "title", "message", "date")
    return [{key: commit[key] for key in keys} | {"authors": [{"user": commit["author"]}]} for commit in commits]


def unknown(call: Call) -> Response:
    """No such repo where the path is one of a repo (such as an id without a namespace), else no such page."""
    repo_path = (
        call.path["rest"].split("/")[:2] in [["api", kind] for kind in KINDS] or "/resolve/" in call.path["rest"]
    )
    raise HubError(404, "RepoNotFound" if repo_path else None, "Repository not found" if repo_path else "Not found")


ROUTES = [
    route("/api/whoami-v2", whoami, "GET"),
    route("/api/repos/create", create_repo, "POST"),
    route("/api/repos/delete", delete_repo, "DELETE"),
    *COLLECTION_ROUTES,
    *UPLOAD_ROUTES,
    *FILE_ROUTES,
    route("/api/{kind}", list_repos, "GET"),
    route(REPO, repo_info, "GET"),
    route(REPO + "/revision/{revision}", repo_info, "GET"),
    route(REPO + "/settings", update_settings, "PUT"),
    route(REPO + "/auth-check", auth_check, "GET"),
    route(REPO + "/auth-check/{write}", auth_check, "GET"),
    route(REPO + "/refs", list_refs, "GET"),
    route(REPO + "/commits/{revision}", list_commits, "GET"),
    route(REPO + "/tag/{revision}", create_tag, "POST"),
    route(REPO + "/tag/{revision}", delete_tag, "DELETE"),
    route(REPO + "/branch/{revision}", create_branch, "POST"),
    route(REPO + "/branch/{revision}", delete_branch, "DELETE"),
    route("/{rest:path}", unknown, "GET", "POST", "PUT", "PATCH", "DELETE"),
]


def main(store_folder: str) -> None:
    """Serve a store on a free port of the loopback interface until stopped; the address is the one line printed."""
    store = HubStore(Path(store_folder))
    app = Starlette(routes=ROUTES, exception_handlers={HubError: error_response})
    app.state.store = store
    settings = {"http": "h11", "lifespan": "off", "log_level": "critical", "timeout_graceful_shutdown": 1}
    config = uvicorn.Config(FaultyTransport(app, store), **settings)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        # The socket listens already: a client that connects now is served as soon as the loop runs.
        print(f"http://127.0.0.1:{listening.getsockname()[1]}", flush=True)
        uvicorn.Server(config).run(sockets=[listening])


if __name__ == "__main__":
    main(sys.argv[1])
