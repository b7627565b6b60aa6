"""A client of servers with OpenAI's HTTP API, such as `vllm serve`: so many requests at a time, each retried."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx2

from blindspots.artifacts.retries import TOKEN, UnreadableAnswerError, retry_passing
from blindspots.config.errors import RecipeError, UserError, one_line

# The environment variable that holds the key: recipes, command lines and artifacts never do.
API_KEY = "SERVER_API_KEY"
# Seconds: a request may stand in the server's queue for long.
TIMEOUT = httpx2.Timeout(600, connect=20)

Result = TypeVar("Result")


@dataclass(frozen=True)
class Completion:
    """What a server wrote, up to its end (`stop`) or to the limit (`length`), and in how many tokens, if known.

    A chat may also end by `content_filter`, in the middle of a text or before it.
    """

    text: str
    finish_reason: str
    tokens: int | None
    prompt_tokens: int | None = None


class Server:
    """The API below a URL, asked by at most `concurrency` requests at a time.

    Raises RecipeError for a URL that is none or holds more than the place, and UserError for a key that no header can
    hold. Its methods raise UserError where the server refuses, is out of reach, or answers something else.
    """

    def __init__(self, url: str, concurrency: int):
        self.url = checked_url(url)
        self.concurrency = concurrency
        self._key = os.environ.get(API_KEY, "")
        if self._key and not TOKEN.fullmatch(self._key):
            raise UserError(f"{API_KEY} holds a character that no key has, such as a space; set it again.")

    def models(self) -> list[str]:
        """The names of the models that it offers."""
        return self._run(_models)

    def version(self) -> str | None:
        """Its version, which vLLM gives; None from a server that gives none."""
        try:
            answer = self._run(lambda client: _ask(client, "GET", f"{self.url.removesuffix('/v1')}/version"))
        except UserError:
            return None
        version = answer.get("version") if isinstance(answer, dict) else None
        return one_line(version) if isinstance(version, str) else None

    def complete(self, model: str, prompt: list[int], seeds: Sequence[int], **sampling: Any) -> list[Completion]:
        """A completion of the prompt's token ids for each seed, in their order.

        Args:
            sampling: further fields of the requests, such as temperature and max_tokens.
        """
        return self.answer([{"model": model, "prompt": prompt, "seed": seed, **sampling} for seed in seeds])

    def answer(self, requests: Sequence[dict[str, Any]], chat: bool = False) -> list[Completion]:
        """The completion of each request, in their order.

        Args:
            requests: the fields of each.
            chat: whether they hold messages for a chat, and no prompt.
        """

        async def answer_all(client: httpx2.AsyncClient) -> list[Completion]:
            free = asyncio.Semaphore(self.concurrency)

            async def answer_one(request: dict[str, Any]) -> Completion:
                async with free:
                    return await (_chat if chat else _complete)(client, request)

            return await asyncio.gather(*map(answer_one, requests))

        return self._run(answer_all)

    def _run(self, work: Callable[[httpx2.AsyncClient], Awaitable[Result]]) -> Result:
        """What `work` does with a client of the server; its errors in words."""

        async def run() -> Result:
            headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
            limits = httpx2.Limits(max_connections=self.concurrency)
            async with httpx2.AsyncClient(
                base_url=self.url, headers=headers, timeout=TIMEOUT, limits=limits
            ) as client:
                return await work(client)

        try:
            return asyncio.run(run())
        except httpx2.HTTPStatusError as error:
            raise UserError(f"The server at {self.url} refuses: {self._without_key(_said(error.response))}") from None
        except UnreadableAnswerError as error:
            raise UserError(f"The server at {self.url} answers something else than asked for: {error}.") from None
        except (httpx2.HTTPError, ConnectionError, TimeoutError) as error:
            why = self._without_key(one_line(error) or type(error).__name__)
            raise UserError(
                f"The server at {self.url} is out of reach ({why}). Start it and run this again."
            ) from None

    def _without_key(self, text: str) -> str:
        return text.replace(self._key, "***") if self._key else text


def checked_url(url: str) -> str:
    """The URL of an API without its last slash.

    Raises RecipeError for what is no URL, and for one with credentials or a query, which would get into artifacts.
    """
    try:
        parts = urlsplit(url)
        sound = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        sound = False
    if not sound:
        raise RecipeError("server_url is no URL such as http://localhost:8000/v1.")
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise RecipeError(
            f"server_url holds more than a place, such as credentials or a query; a key goes into the environment "
            f"variable {API_KEY}."
        )
    return url.rstrip("/")


async def _ask(client: httpx2.AsyncClient, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
    """The JSON of an answer. Raises HTTPStatusError for a refusal, UnreadableAnswerError for what is no JSON."""
    response = await client.request(method, path, json=body)
    response.raise_for_status()
    try:
        return response.json()
    except (ValueError, RecursionError):
        raise UnreadableAnswerError("no JSON") from None


@retry_passing
async def _models(client: httpx2.AsyncClient) -> list[str]:
    answer = await _ask(client, "GET", "models")
    try:
        return [one_line(model["id"]) for model in answer["data"]]
    except (KeyError, TypeError):
        raise UnreadableAnswerError("no list of models") from None


@retry_passing
async def _complete(client: httpx2.AsyncClient, body: dict[str, Any]) -> Completion:
    answer = await _ask(client, "POST", "completions", body)
    try:
        (choice,) = answer["choices"]
        text, reason = choice["text"], choice["finish_reason"]
    except (KeyError, TypeError, ValueError):
        raise UnreadableAnswerError("no completion") from None
    return _completion(answer, text, reason, ("stop", "length"))


@retry_passing
async def _chat(client: httpx2.AsyncClient, body: dict[str, Any]) -> Completion:
    answer = await _ask(client, "POST", "chat/completions", body)
    try:
        (choice,) = answer["choices"]
        text, reason = choice["message"]["content"], choice["finish_reason"]
    except (KeyError, TypeError, ValueError):
        raise UnreadableAnswerError("no message") from None
    # A model that refuses says so elsewhere, and has no content.
    return _completion(answer, "" if text is None else text, reason, ("stop", "length", "content_filter"))


def _completion(answer: Any, text: Any, reason: Any, reasons: tuple[str, ...]) -> Completion:
    """What an answer holds. Raises UnreadableAnswerError where that is no text, or ended by another reason."""
    if not isinstance(text, str) or reason not in reasons:  # one that is shut down says `abort`
        raise UnreadableAnswerError(f"a completion that ended by {one_line(reason)!r}")
    usage = answer.get("usage")
    tokens, asked = (
        usage.get(name) if isinstance(usage, dict) and type(usage.get(name)) is int else None
        for name in ("completion_tokens", "prompt_tokens")
    )
    return Completion(text, reason, tokens, asked)


def _said(response: httpx2.Response) -> str:
    """The status of a refusal, with what the server said of it where that can be found."""
    status = f"{response.status_code} {response.reason_phrase}".strip()
    try:
        answer = response.json()
        said = answer.get("error", answer)
        message = said if isinstance(said, str) else said.get("message") or said["detail"]
    except (ValueError, RecursionError, AttributeError, LookupError, TypeError):
        return f"{status}."
    return f"{status}, {one_line(message)[:300].rstrip('.')}."
