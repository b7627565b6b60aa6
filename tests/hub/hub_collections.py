"""Collections: a titled list of repos in a namespace."""

import re
import uuid

from starlette.responses import Response

from .hub_call import Call, route
from .hub_store import HubError, now


def load(call: Call, write: bool = False) -> dict:
    slug = f"{call.path['namespace']}/{call.path['slug']}"
    found = next((item for item in call.store.collections() if item["slug"] == slug), None)
    hidden = found and found["private"] and call.path["namespace"] not in call.namespaces()
    if found is None or hidden:
        raise HubError(404, None, "Collection not found")
    if write:
        call.require_write(call.path["namespace"])
    return found


def save(call: Call, collection: dict) -> dict:
    for position, item in enumerate(collection["items"]):
        item["position"] = position
    collection["lastUpdated"] = now()
    call.store.write(call.store.collection_path(collection["slug"]), collection)
    return collection


def list_collections(call: Call) -> list[dict]:
    public = [c for c in call.store.collections() if not c["private"] or c["owner"]["name"] in call.namespaces()]
    owner = call.query.get("owner")
    wanted = [c for c in public if owner in (None, c["owner"]["name"])]
    # The client gives each its position in the list.
    return [{key: value for key, value in c.items() if key != "position"} for c in wanted]


def create(call: Call) -> dict:
    asked = call.json
    namespace, title = asked["namespace"], asked["title"]
    call.require_write(namespace)
    with call.store.lock:
        for other in call.store.collections():
            if (other["owner"]["name"], other["title"]) == (namespace, title):
                raise HubError(409, None, "This collection already exists", slug=other["slug"])
        slug = f"{namespace}/{re.sub('[^a-z0-9]+', '-', title.lower()).strip('-')}-{uuid.uuid4().hex[:24]}"
        collection = {"slug": slug, "title": title, "owner": {"name": namespace}, "items": [], "position": 0}
        collection |= {"private": asked["private"], "description": asked.get("description")}
        return save(call, collection | {"theme": "blue", "upvotes": 0})


def get(call: Call) -> dict:
    return load(call)


def update(call: Call) -> dict:
    """The title stays in the slug as it was."""
    with call.store.lock:
        return {"success": True, "data": save(call, load(call, write=True) | call.json)}


def delete(call: Call) -> Response:
    with call.store.lock:
        call.store.collection_path(load(call, write=True)["slug"]).unlink()
    return Response()


def add_item(call: Call) -> dict:
    with call.store.lock:
        collection = load(call, write=True)
        asked = call.json["item"]
        call.store.repo(asked["type"] + "s", asked["id"])
        if any((item["id"], item["type"]) == (asked["id"], asked["type"]) for item in collection["items"]):
            raise HubError(409, None, "This item is already in the collection")
        note = {"note": {"text": call.json["note"]}} if "note" in call.json else {}
        collection["items"].append({"_id": uuid.uuid4().hex[:24], "id": asked["id"], "type": asked["type"]} | note)
        return save(call, collection)


def change_item(call: Call) -> dict:
    """PATCH sets note or position, DELETE drops the item."""
    with call.store.lock:
        collection = load(call, write=True)
        found = next((item for item in collection["items"] if item["_id"] == call.path["item"]), None)
        if found is None:
            raise HubError(404, None, "Collection item not found")
        collection["items"].remove(found)
        if call.method == "PATCH":
            if "note" in call.json:
                found["note"] = {"text": call.json["note"]}
            collection["items"].insert(call.json.get("position", found["position"]), found)
        return save(call, collection)


ROUTES = [
    route("/api/collections", list_collections, "GET"),
    route("/api/collections", create, "POST"),
    route("/api/collections/{namespace}/{slug}", get, "GET"),
    route("/api/collections/{namespace}/{slug}", update, "PATCH"),
    route("/api/collections/{namespace}/{slug}", delete, "DELETE"),
    route("/api/collections/{namespace}/{slug}/items", add_item, "POST"),
    route("/api/collections/{namespace}/{slug}/items/{item}", change_item, "PATCH", "DELETE"),
]
