"""Patience with the Hub where its clients have none: commits, tags, repo infos and single files are retried."""

import httpx2
from huggingface_hub.errors import HfHubHTTPError
from tenacity import retry, retry_if_exception, stop_after_attempt, wait_exponential


def _passing(error: BaseException) -> bool:
    """Whether calling again may help: a cut connection, a busy or broken server, another writer's commit (412)."""
    if isinstance(error, HfHubHTTPError):
        return error.response is None or error.response.status_code in (408, 409, 412, 429, 500, 502, 503, 504)
    return isinstance(error, httpx2.TransportError | ConnectionError | TimeoutError)


patient = retry(
    retry=retry_if_exception(_passing), stop=stop_after_attempt(6), wait=wait_exponential(0.5, max=20), reraise=True
)
