"""One call of the Hub's API: who calls, on which repo, with which rights; and its errors as the Hub words them."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import parse_qs, unquote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from .hub_faults import bearer_token
from .hub_store import HubError, HubStore, Repo

REPO = "/api/{kind}/{namespace}/{name}"
WRITERS = ("write", "admin", "contributor")


@dataclass
class Call:
    """A request with its body read. `path` and `query` hold the decoded parameters."""

    store: HubStore
    method: str
    base_url: str
    raw_path: str
    path: dict[str, str]
    query: dict[str, str]
    token: str | None
    body: bytes

    @property
    def json(self) -> dict:
        return json.loads(self.body or b"{}")

    @property
    def form(self) -> dict[str, list[str]]:
        return parse_qs(self.body.decode())

    @cached_property
    def user(self) -> dict | None:
        """The token's owner, `{user, role, orgs}`; None without a token. Raises HubError 401 for an unknown token."""
        if self.token is None:
            return None
        if self.token not in self.store.tokens():
            raise HubError(401, None, "Invalid credentials in Authorization header")
        return self.store.tokens()[self.token]

    def namespaces(self) -> dict[str, str]:
        """The caller's role in each namespace; a read token reads everywhere and writes nowhere."""
        if self.user is None:
            return {}
        roles = {self.user["user"]: "admin", **self.user["orgs"]}
        return {name: role if self.user["role"] == "write" else "read" for name, role in roles.items()}

    def require_write(self, namespace: str) -> None:
        """Raises HubError 401 without a token, 403 without the right."""
        if self.user is None:
            raise HubError(401, None, "Invalid username or password.")
        if self.namespaces().get(namespace) not in WRITERS:
            raise HubError(403, None, f"You don't have the rights to write under the namespace {namespace}")

    def repo(self, write: bool = False) -> Repo:
        """The repo of this call. As on the Hub a private repo looks missing to others, and 401 to the anonymous."""
        namespace = self.path["namespace"]
        try:
            repo = self.store.repo(self.path["kind"], f"{namespace}/{self.path['name']}")
            if repo.settings()["private"] and namespace not in self.namespaces():
                raise HubError(404, "RepoNotFound", "Repository not found")
        except HubError as error:
            if error.code == "RepoNotFound" and self.user is None:
                raise HubError(401, "RepoNotFound", "Invalid username or password.") from None
            raise
        if write:
            self.require_write(namespace)
        return repo

    def revision(self, repo: Repo) -> str:
        """The commit that the URL's revision names, `main` where it names none."""
        return repo.resolve(self.path.get("revision", "main"))


def call_of(request: Request, body: bytes) -> Call:
    path = {"kind": "models"} | {name: unquote(value) for name, value in request.path_params.items()}
    return Call(
        store=request.app.state.store,
        method=request.method,
        base_url=str(request.base_url).rstrip("/"),
        raw_path=request.scope["path"],
        path=path,
        query=dict(request.query_params),
        token=bearer_token(request.scope),
        body=body,
    )


def route(path: str, handler: Callable[[Call], object], *methods: str) -> Route:
    """A route to a function that takes a Call and returns a Response or what JSON can hold."""

    async def serve(request: Request) -> Response:
        call = call_of(request, await request.body())
        result = await run_in_threadpool(handler, call)
        return result if isinstance(result, Response) else JSONResponse(result)

    return Route(path, serve, methods=list(methods))


async def error_response(request: Request, error: HubError) -> JSONResponse:
    return JSONResponse(error.body, error.status, error.headers)
