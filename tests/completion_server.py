"""A local server with the part of OpenAI's HTTP API that `vllm serve` offers and the client asks for."""

import socket
import threading
from collections.abc import Callable
from pathlib import Path

import torch
import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from transformers import AutoModelForCausalLM, AutoTokenizer

NAME = "tiny-generator"


class CompletionServer:
    """A server of one model on a free port of this machine; it runs in a thread until it is stopped.

    Attributes:
        asked: the body of each request for a completion.
        headers: those of each request for a completion.
        faults: what goes wrong, one of them a request: given the right answer, each returns another.
        ignored: fields of requests that it does not know, as other servers may not.
        most: requests that it was working at together, at most.
        is_vllm: whether it tells its version, as vLLM does.
    """

    def __init__(self, folder: Path):
        self.model = AutoModelForCausalLM.from_pretrained(folder)
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.lock = threading.Lock()
        self.reset()
        routes = [
            Route("/version", lambda request: JSONResponse({"version": "0.33.0"}, 200 if self.is_vllm else 404)),
            Route("/v1/models", lambda request: JSONResponse({"object": "list", "data": [{"id": self.name}]})),
            Route("/v1/completions", self.completions, methods=["POST"]),
            Route("/v1/chat/completions", self.completions, methods=["POST"]),
        ]
        listening = socket.create_server(("127.0.0.1", 0))  # who connects now is answered as soon as the thread runs
        self.url = f"http://127.0.0.1:{listening.getsockname()[1]}/v1"
        self.server = uvicorn.Server(uvicorn.Config(Starlette(routes=routes), log_level="critical"))
        self.thread = threading.Thread(target=self.server.run, kwargs={"sockets": [listening]})
        self.thread.start()

    def reset(self) -> None:
        """As if it had just been started."""
        self.name = NAME
        self.asked: list[dict] = []
        self.headers: list[dict] = []
        self.faults: list[Callable[[dict], Response]] = []
        self.ignored: set[str] = set()
        self.under_way = self.most = 0
        self.is_vllm = True

    def stop(self) -> None:
        self.server.should_exit = True
        self.thread.join()

    async def completions(self, request: Request) -> Response:
        body = await request.json()
        self.asked.append(body)
        self.headers.append(dict(request.headers))
        if body["model"] != self.name:
            return JSONResponse({"error": {"message": f"The model `{body['model']}` does not exist."}}, 404)
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        answer = await run_in_threadpool(self.complete, {k: v for k, v in body.items() if k not in self.ignored})
        self.under_way -= 1
        return self.faults.pop(0)(answer) if self.faults else JSONResponse(answer)

    def complete(self, body: dict) -> dict:
        """A completion by `generate`, stopped and cut as OpenAI's API has it; of a chat that of its last message."""
        prompt, limit = body["messages"][-1]["content"] if "messages" in body else body["prompt"], body["max_tokens"]
        ids = torch.tensor([self.tokenizer(prompt)["input_ids"] if isinstance(prompt, str) else prompt])
        sampling = {"temperature": body["temperature"], "top_p": body["top_p"], "top_k": max(body.get("top_k", 0), 0)}
        with self.lock, torch.random.fork_rng():
            torch.manual_seed(body["seed"]) if "seed" in body else torch.seed()
            made = self.model.generate(
                ids, do_sample=True, max_new_tokens=limit, pad_token_id=self.tokenizer.pad_token_id, **sampling
            )
        tokens = made[0, ids.shape[1] :]
        text, reason = self.tokenizer.decode(tokens, skip_special_tokens=True), "length"
        for stop in body.get("stop", []):
            if stop in text:
                text, reason = text[: text.index(stop)], "stop"
                text += stop if body.get("include_stop_str_in_output") else ""
        if tokens[-1] == self.tokenizer.eos_token_id:
            reason = "stop"
        said = {"message": {"role": "assistant", "content": text}} if "messages" in body else {"text": text}
        choice = {"index": 0, **said, "finish_reason": reason, "stop_reason": None}
        return {"choices": [choice], "usage": {"prompt_tokens": ids.shape[1], "completion_tokens": len(tokens)}}


def status(code: int, said: str = "Not\nnow.", retry_after: int | None = None) -> Callable[[dict], Response]:
    """A refusal, with the server's words."""
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    return lambda answer: JSONResponse({"error": {"message": said, "code": code}}, code, headers)


def text(content: str) -> Callable[[dict], Response]:
    """Something else than an answer, under the status of one."""
    return lambda answer: Response(content, media_type="application/json")


def choice(**fields: object) -> Callable[[dict], Response]:
    """The answer with other fields in its choice."""
    return lambda answer: JSONResponse(answer | {"choices": [answer["choices"][0] | fields]})


def cut(answer: dict) -> Response:
    """A connection that is closed in the middle of an answer."""

    async def half():
        yield b'{"choices": '
        raise ConnectionResetError

    return StreamingResponse(half(), headers={"Content-Length": "1000"})
