"""Each fault that the local Hub injects is met by a real client."""

import hashlib
from pathlib import Path

import pytest

from .local_hub import refused

pytestmark = pytest.mark.hub


def upload_large(name: str, size: int = 1_000_000) -> dict:
    from huggingface_hub import HfApi

    content = hashlib.sha256(name.encode()).digest() * (size // 32)
    HfApi().create_repo("blindspots/faulty", exist_ok=True)
    upload = {"repo_id": "blindspots/faulty", "path_or_fileobj": content, "path_in_repo": f"{name}.bin"}
    return {"error": refused(HfApi().upload_file, **upload), "sha256": hashlib.sha256(content).hexdigest()}


def download_large(name: str) -> dict:
    from huggingface_hub import hf_hub_download

    try:
        content = Path(hf_hub_download("blindspots/faulty", f"{name}.bin")).read_bytes()
    except Exception as error:
        return {"error": type(error).__name__, "text": str(error)}
    return {"sha256": hashlib.sha256(content).hexdigest()}


def test_the_client_survives_what_it_retries_itself(hub):
    hub.fault("cut_request", "PUT", "/lfs/", after_bytes=200_000)
    hub.fault("status", "POST", "/preupload/", status=429, retry_after=0)
    sent = hub.call(upload_large, "weights", 12_000_000)
    assert sent["error"] == ""
    assert [entry["status"] for entry in hub.requests("PUT")] == [None, 200]
    assert [entry["status"] for entry in hub.requests("POST", "/preupload/")] == [429, 200]

    hub.clear()
    hub.fault("cut_response", "GET", "/resolve/", after_bytes=11_000_000)
    assert hub.call(download_large, "weights")["sha256"] == sent["sha256"]
    first, resumed = hub.requests("GET", "/resolve/")
    assert (first["range"], first["fault"]) == (None, "cut_response")
    # The client writes 10 MiB at a time: it resumes at the first piece that it has whole.
    assert resumed["range"] == f"bytes={10 * 1024**2}-"


def test_the_client_fails_where_it_does_not_retry(hub):
    hub.fault("status", "POST", "/commit/", status=503)
    assert hub.call(upload_large, "weights")["error"] == "HfHubHTTPError"
    tree = hub.store.repo("models", "blindspots/faulty").tree
    main = hub.store.repo("models", "blindspots/faulty").resolve
    assert list(tree(main("main"))) == [".gitattributes"]

    hub.fault("lose_answer", "POST", "/commit/")
    assert hub.call(upload_large, "weights")["error"] == "RemoteProtocolError"
    assert "weights.bin" in tree(main("main"))

    hub.fault("revoke_token", "POST", "/commit/")
    assert hub.call(upload_large, "more")["error"] == "HfHubHTTPError"
    assert "more.bin" not in tree(main("main"))
    assert [fault["fired"] for fault in hub.faults()] == [1, 1, 1]


def upload_on_parent() -> int:
    """The HTTP status that refuses a commit on the parent that was read just before."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

    api = HfApi()
    parent = api.model_info("blindspots/shared").sha
    try:
        api.upload_file(repo_id="blindspots/shared", path_or_fileobj=b"x", path_in_repo="x", parent_commit=parent)
    except HfHubHTTPError as error:
        return error.response.status_code
    return 200


def test_another_writer_commits_in_between(hub):
    hub.store.create_repo("models", "blindspots/shared")
    hub.fault("other_writer", "POST", "/commit/")
    assert hub.call(upload_on_parent) == 412
    assert hub.call(upload_on_parent) == 200


def statuses_of(count: int) -> list[int]:
    from huggingface_hub import constants, get_session

    return [get_session().get(f"{constants.ENDPOINT}/api/whoami-v2").status_code for _ in range(count)]


def test_every_third_request_is_refused_and_latency_only_delays(hub):
    hub.fault("status", path="whoami", status=429, retry_after=1, every=3, times=None)
    assert hub.call(statuses_of, 7) == [401, 401, 429, 401, 401, 429, 401]
    hub.clear()
    hub.fault("latency", path="whoami", seconds=0.2)
    assert hub.call(statuses_of, 1) == [401]
    assert hub.faults()[0]["fired"] == 1


def test_a_stored_object_always_has_the_content_of_its_name(hub):
    hub.call(upload_large, "weights")
    for blob in (hub.store.root / "blobs").iterdir():
        assert hashlib.sha256(blob.read_bytes()).hexdigest() == blob.name
    assert list((hub.store.root / "incoming").iterdir()) == []
