"""The upload side of the API: preupload, large file storage, commit."""

import base64
import json

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from .hub_call import REPO, Call, route
from .hub_store import HubError, is_lfs


def preupload(call: Call) -> dict:
    """Which files go to large file storage, and what the branch holds under their paths."""
    repo = call.repo(write=True)
    tree = repo.tree(call.revision(repo))
    files = []
    for file in call.json["files"]:
        lfs = is_lfs(file["path"], file["size"], base64.b64decode(file["sample"]))
        entry = tree.get(file["path"])
        oid = entry and (entry["sha256"] if entry["lfs"] else entry["oid"])
        mode = "lfs" if lfs else "regular"
        files.append({"path": file["path"], "uploadMode": mode, "shouldIgnore": False, "oid": oid})
    return {"files": files}


def lfs_batch(call: Call) -> dict:
    """Where to upload each object; an object that is already there gets no action."""
    repo = call.repo(write=True)
    objects = []
    for item in call.json["objects"]:
        answer = {"oid": item["oid"], "size": item["size"]}
        if not call.store.blob(item["oid"]).exists():
            upload = {"href": f"{call.base_url}/lfs/{item['oid']}"}
            verify = {"href": f"{call.base_url}/api/{repo.kind}/{repo.id}/lfs-verify"}
            answer["actions"] = {"upload": upload, "verify": verify}
        objects.append(answer)
    return {"transfer": "basic", "objects": objects}


async def lfs_upload(request: Request) -> Response:
    """Store an object; as with a presigned URL no token is asked. Content enters under its own hash or not at all."""
    store, oid = request.app.state.store, request.path_params["oid"]
    incoming = store.incoming()
    try:
        with incoming.open("wb") as file:
            async for chunk in request.stream():
                file.write(chunk)
        await run_in_threadpool(store.adopt_blob, incoming, oid)
    except ClientDisconnect:
        pass  # no one is left to be told
    finally:
        incoming.unlink(missing_ok=True)
    return Response()


def lfs_verify(call: Call) -> dict:
    call.repo(write=True)
    blob = call.store.blob(call.json["oid"])
    if not blob.exists() or blob.stat().st_size != call.json["size"]:
        raise HubError(404, None, "The object was not uploaded, or not whole.")
    return {}


def commit(call: Call) -> dict:
    repo = call.repo(write=True)
    if "create_pr" in call.query:
        raise HubError(400, None, "This server has no pull requests.")
    operations = [json.loads(line) for line in call.body.splitlines()]
    for operation in operations:
        if operation["key"] == "file":
            operation["value"]["content"] = base64.b64decode(operation["value"]["content"])
    oid = repo.push(call.path["revision"].removeprefix("refs/heads/"), operations, author=call.user["user"])
    prefix = "" if repo.kind == "models" else f"{repo.kind}/"
    return {"success": True, "commitOid": oid, "commitUrl": f"{call.base_url}/{prefix}{repo.id}/commit/{oid}"}


ROUTES = [
    route(REPO + "/preupload/{revision}", preupload, "POST"),
    route(REPO + "/commit/{revision}", commit, "POST"),
    route(REPO + "/lfs-verify", lfs_verify, "POST"),
    route("/{namespace}/{name}.git/info/lfs/objects/batch", lfs_batch, "POST"),
    route("/{kind}/{namespace}/{name}.git/info/lfs/objects/batch", lfs_batch, "POST"),
    Route("/lfs/{oid}", lfs_upload, methods=["PUT"]),
]
