"""Calls over HTTP: passing failures are retried. To the Hub: the token is checked first, failures told in one line."""

import functools
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx2
from huggingface_hub import get_token, set_client_factory
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, OfflineModeIsEnabled
from huggingface_hub.utils._http import default_client_factory
from tenacity import RetryCallState, retry, retry_if_exception, stop_after_attempt, wait_exponential

from blindspots.config.errors import UserError, one_line

LONGEST_WAIT_S = 60
TOKEN = re.compile(r"[!-~]+")
OUT_OF_REACH = (httpx2.TransportError, ConnectionError)
_backoff = wait_exponential(0.5, max=20)


class UnreadableAnswerError(ConnectionError):
    """An answer that is none of the API asked: no JSON, no UTF-8, or other fields. A proxy may have given it."""


def check_token() -> None:
    """Raise UserError for a token that no HTTP header can hold; the client's own error would print it whole."""
    try:
        token = get_token()
    except UnicodeDecodeError:
        token = ""
    if token is not None and not TOKEN.fullmatch(token):
        raise UserError(
            "The token holds a character that no token has, such as a control character or a space. Set HF_TOKEN "
            "again, or log in again with `hf auth login`."
        )


def without_token(text: Any) -> str:
    """A message on one line, the token replaced by ***."""
    token = get_token()
    return one_line(text if token is None else str(text).replace(token, "***"))


def _client() -> httpx2.Client:
    """The library's HTTP client. It sleeps for as long as any Retry-After says, and fails on some, so they are cut."""
    client = default_client_factory()
    client.event_hooks = {**client.event_hooks, "response": [*client.event_hooks["response"], _cut_retry_after]}
    return client


def _cut_retry_after(response: httpx2.Response) -> None:
    asked = response.headers.pop("Retry-After", None)
    seconds = _seconds(asked or "")
    if seconds is not None:
        response.headers["Retry-After"] = str(seconds)


def _seconds(asked: str) -> int | None:
    """The seconds of a Retry-After, at most LONGEST_WAIT_S; None for a date and for anything else."""
    digits = re.fullmatch(r"\s*([0-9]+)\s*", asked)
    if digits is None:
        return None
    return min(int(digits[1]), LONGEST_WAIT_S) if len(digits[1]) < 9 else LONGEST_WAIT_S


set_client_factory(_client)


def _checked(call: Callable) -> Callable:
    """The call with a checked token, that raises what the Hub said, or UnreadableAnswerError."""

    @functools.wraps(call)
    def checked(*arguments, **keywords):
        check_token()
        try:
            return call(*arguments, **keywords)
        except (RuntimeError, ValueError, LookupError, TypeError, AttributeError, AssertionError) as error:
            cause = _cause(error)
            if cause is error:
                raise
            raise cause from error

    return checked


def _cause(error: BaseException) -> BaseException:
    """What the Hub said, where the client hides it in the RuntimeError of an upload or did not understand it."""
    while isinstance(error, RuntimeError) and error.__cause__ is not None:
        error = error.__cause__
    if isinstance(error, OSError | httpx2.HTTPError | HFValidationError | UserError | RuntimeError):
        return error
    return UnreadableAnswerError(f"its answer can't be read ({type(error).__name__})")


def _passing(error: BaseException) -> bool:
    """Whether the same call may succeed later: a cut connection, a busy or broken server."""
    if isinstance(error, HfHubHTTPError | httpx2.HTTPStatusError):
        return error.response is None or error.response.status_code in (408, 429, 500, 502, 503, 504)
    dropped = isinstance(error, httpx2.TransportError | ConnectionError | TimeoutError)
    return dropped and not isinstance(error, OfflineModeIsEnabled)


def _outdated(error: BaseException) -> bool:
    """Whether another writer's commit came in between."""
    return isinstance(error, HfHubHTTPError) and error.response is not None and error.response.status_code == 412


def _wait(state: RetryCallState) -> float:
    """Seconds: what the server asks for (Retry-After), else 0.5, 1, 2, ... up to 20."""
    response = getattr(state.outcome.exception(), "response", None)
    asked = _seconds(response.headers.get("Retry-After", "")) if response is not None else None
    return _backoff(state) if asked is None else asked


# For a call, or a coroutine, that may succeed later.
retry_passing = retry(retry=retry_if_exception(_passing), stop=stop_after_attempt(6), wait=_wait, reraise=True)


def retry_transient(call: Callable) -> Callable:
    """The call to the Hub, retried where it may succeed later."""
    return retry_passing(_checked(call))


# For what reads the head of a repo and commits on it: both are repeated.
retry_if_outdated = retry(retry=retry_if_exception(_outdated), stop=stop_after_attempt(6), wait=_wait, reraise=True)


@contextmanager
def hub_errors_as_user_errors(otherwise: str) -> Iterator[None]:
    """What the Hub refuses and what keeps it from answering, as a UserError that ends in `otherwise`."""
    try:
        yield
    except HfHubHTTPError as error:
        raise UserError(f"The Hub refuses: {reason(error)}. {otherwise}") from None
    except OUT_OF_REACH as error:
        raise UserError(f"The Hub is out of reach: {without_token(error)}. {otherwise}") from None


def reason(error: HfHubHTTPError) -> str:
    """What the Hub said, else the status of its answer."""
    status = error.response.status_code if error.response is not None else error
    return without_token(error.server_message or status).rstrip(".")
