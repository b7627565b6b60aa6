"""Faults that a test asks a local Hub for, and the log of what clients asked it."""

import asyncio
import re
from dataclasses import asdict, dataclass
from urllib.parse import unquote

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from .hub_store import HubError, HubStore


@dataclass
class Fault:
    """What goes wrong with requests that match `method` and `path` (regular expressions, the path undecoded).

    kind:
        status: answer `status` (with `Retry-After: retry_after`) and do nothing.
        garbage: answer 200 with `content` (latin-1) and do nothing.
        flip_byte: serve the request with the last byte of the answer changed.
        latency: wait `seconds`, then serve the request.
        cut_request: close the connection after `after_bytes` of the request's body; nothing is stored.
        cut_response: close the connection after `after_bytes` of the answer's body.
        lose_answer: serve the request, then close the connection without an answer.
        revoke_token: revoke the request's token, then serve the request.
        other_writer: let another user commit to the branch of this commit request, then serve it.
    The first `skip` matching requests pass; then every `every`-th is hit, `times` of them (None: without end).
    """

    kind: str
    method: str = ".*"
    path: str = ".*"
    times: int | None = 1
    every: int = 1
    skip: int = 0
    status: int = 503
    retry_after: int | str | None = None
    content: str = ""
    after_bytes: int = 0
    seconds: float = 0.0
    matched: int = 0
    fired: int = 0

    def hits(self, method: str, path: str) -> bool:
        if not (re.fullmatch(self.method, method) and re.search(self.path, path)):
            return False
        self.matched += 1
        due = self.matched > self.skip and (self.matched - self.skip) % self.every == 0
        if not due or (self.times is not None and self.fired >= self.times):
            return False
        self.fired += 1
        return True


def bearer_token(scope: dict) -> str | None:
    return Request(scope).headers.get("authorization", "").removeprefix("Bearer ") or None


class FaultyTransport:
    """ASGI middleware, the outermost: logs each request and lets the matching fault happen to it."""

    def __init__(self, app, store: HubStore):
        self.app, self.store = app, store
        self.faults: list[Fault] = []
        self.log: list[dict] = []
        self.hit = asyncio.Event()

    async def __call__(self, scope, receive, send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
        elif scope["path"].startswith("/_control/"):
            await (await self.control(Request(scope, receive)))(scope, receive, send)
        else:
            await self.serve(scope, receive, send)

    async def control(self, request: Request) -> JSONResponse:
        """`faults` are added by POST; both `faults` and `requests` are listed by GET and dropped by DELETE.

        `hit` is answered once a fault has happened to a request.
        """
        if request.url.path == "/_control/hit":
            await self.hit.wait()
            return JSONResponse([])
        target = self.faults if request.url.path == "/_control/faults" else self.log
        if request.method == "POST":
            target.append(Fault(**await request.json()))
        elif request.method == "DELETE":
            target.clear()
        return JSONResponse([asdict(item) if isinstance(item, Fault) else item for item in target])

    async def serve(self, scope, receive, send) -> None:
        path = scope["raw_path"].decode()
        user = self.store.tokens().get(bearer_token(scope), {}).get("user")
        entry = {"method": scope["method"], "path": path, "query": scope["query_string"].decode(), "user": user}
        entry |= {"range": Request(scope).headers.get("range"), "status": None, "fault": None}
        self.log.append(entry)

        async def send_logged(message) -> None:
            if message["type"] == "http.response.start":
                entry["status"] = message["status"]
            await send(message)

        # The path as sent: a ref such as refs%2Fconvert%2Fparquet is one segment.
        scope = scope | {"path": path}
        fault = next((fault for fault in self.faults if fault.hits(scope["method"], path)), None)
        if fault is None:
            await self.app(scope, receive, send_logged)
        else:
            entry["fault"] = fault.kind
            await getattr(self, fault.kind)(fault, scope, receive, send_logged)
            self.hit.set()

    async def status(self, fault: Fault, scope, receive, send) -> None:
        while (await receive()).get("more_body"):  # so that the client hears the answer and not a broken pipe
            pass
        headers = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
        await JSONResponse({"error": f"Injected {fault.status}"}, fault.status, headers)(scope, receive, send)

    async def garbage(self, fault: Fault, scope, receive, send) -> None:
        while (await receive()).get("more_body"):
            pass
        await Response(fault.content.encode("latin-1"), media_type="application/json")(scope, receive, send)

    async def flip_byte(self, fault: Fault, scope, receive, send) -> None:
        held: list[dict] = []

        async def send_later(message) -> None:
            """Bodies wait, so that the last byte is known when it is sent."""
            if message["type"] == "http.response.body":
                held.append(message)
            else:
                await send(message)

        await self.app(scope, receive, send_later)
        body = bytearray(b"".join(message.get("body", b"") for message in held))
        body[-1] ^= 1
        await send({"type": "http.response.body", "body": bytes(body)})

    async def latency(self, fault: Fault, scope, receive, send) -> None:
        await asyncio.sleep(fault.seconds)
        await self.app(scope, receive, send)

    async def cut_request(self, fault: Fault, scope, receive, send) -> None:
        seen = 0
        while seen <= fault.after_bytes:
            message = await receive()
            seen += len(message.get("body", b""))
            if not message.get("more_body"):
                break
        await disconnect(receive)

    async def cut_response(self, fault: Fault, scope, receive, send) -> None:
        left = fault.after_bytes

        async def send_some(message) -> None:
            nonlocal left
            if message["type"] == "http.response.body" and left >= 0:
                body = message.get("body", b"")
                await send({"type": "http.response.body", "body": body[:left], "more_body": True})
                left -= len(body)
                if left < 0:
                    connection(receive).close()
            elif message["type"] == "http.response.start":
                await send(message)

        await self.app(scope, receive, send_some)

    async def lose_answer(self, fault: Fault, scope, receive, send) -> None:
        async def swallow(message) -> None:
            pass

        await self.app(scope, receive, swallow)
        await disconnect(receive)

    async def revoke_token(self, fault: Fault, scope, receive, send) -> None:
        self.store.revoke_token(bearer_token(scope))
        await self.app(scope, receive, send)

    async def other_writer(self, fault: Fault, scope, receive, send) -> None:
        _, _, kind, namespace, name, verb, branch = scope["path"].split("/")
        if verb != "commit":
            raise HubError(500, None, "other_writer is for commit requests")
        change = {"path": f"by-another-writer-{fault.fired}.txt", "content": b"written in between\n"}
        operations = [{"key": "header", "value": {"summary": "Another writer"}}, {"key": "file", "value": change}]
        self.store.repo(kind, f"{namespace}/{name}").push(unquote(branch), operations, author="another-writer")
        await self.app(scope, receive, send)


def connection(receive) -> asyncio.Transport:
    """The TCP connection of a request: uvicorn's `receive` is a method of the cycle that owns it."""
    return receive.__self__.transport


async def disconnect(receive) -> None:
    """Reset the connection, as a cable pulled out, and wait until the server has noticed."""
    connection(receive).abort()
    while (await receive())["type"] != "http.disconnect":
        pass
