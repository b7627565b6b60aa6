"""Retries of Hub calls that its clients do not retry: commits, tags, repo infos and single files."""

import httpx2
from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled
from tenacity import RetryCallState, retry, retry_if_exception, stop_after_attempt, wait_exponential

LONGEST_WAIT_S = 60
_backoff = wait_exponential(0.5, max=20)


def _passing(error: BaseException) -> bool:
    """Whether the same call may succeed later: a cut connection, a busy or broken server."""
    if isinstance(error, HfHubHTTPError):
        return error.response is None or error.response.status_code in (408, 429, 500, 502, 503, 504)
    dropped = isinstance(error, httpx2.TransportError | ConnectionError | TimeoutError)
    return dropped and not isinstance(error, OfflineModeIsEnabled)


def _outdated(error: BaseException) -> bool:
    """Whether another writer's commit came in between."""
    return isinstance(error, HfHubHTTPError) and error.response is not None and error.response.status_code == 412


def _wait(state: RetryCallState) -> float:
    """Seconds: what the server asks for (Retry-After), else 0.5, 1, 2, ... up to 20."""
    response = getattr(state.outcome.exception(), "response", None)
    asked = response.headers.get("Retry-After", "") if response is not None else ""
    return min(int(asked), LONGEST_WAIT_S) if asked.isdigit() else _backoff(state)


retry_transient = retry(retry=retry_if_exception(_passing), stop=stop_after_attempt(6), wait=_wait, reraise=True)
# For what reads the head of a repo and commits on it: both are repeated.
retry_if_outdated = retry(retry=retry_if_exception(_outdated), stop=stop_after_attempt(6), wait=_wait, reraise=True)
