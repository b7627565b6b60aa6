"""Every fault between us and the Hub: nothing is lost, nothing is half-made, and the user is told."""

import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from .conftest import RELEASE
from .local_hub import SCRIPTS, TOKEN, USER, LocalHub
from .made_artifacts import dataset_artifact, fetch, model_artifact, push

pytestmark = pytest.mark.hub


@pytest.fixture
def rows(tmp_path) -> Path:
    return dataset_artifact(tmp_path / "rows")


@pytest.fixture
def assert_pushed(hub, rows):
    """Asserts that what a push of `rows` returned is the artifact, tagged."""

    def check(pushed: dict) -> None:
        repo = hub.store.repo("datasets", "blindspots/rows")
        assert repo.refs("tags") == {"v0.1": pushed["commit"]}
        assert {"README.md", "lineage.json", "data/n2/train-00000-of-00001.parquet"} <= repo.tree(
            pushed["commit"]
        ).keys()
        assert [fault["fired"] for fault in hub.faults() if not fault["fired"]] == []

    return check


# Pushing


@pytest.mark.parametrize(
    ("kind", "method", "path", "settings"),
    [
        ("cut_request", "PUT", "/lfs/", {"after_bytes": 100}),
        ("status", "POST", "/commit/", {"status": 503, "times": 2}),
        ("status", "POST", "/repos/create", {"status": 500}),
        ("status", "POST", "/tag/", {"status": 503}),
        ("status", "GET", "/refs", {"status": 503}),
        ("status", ".*", ".*", {"status": 429, "retry_after": 0, "every": 3, "times": None}),
        ("lose_answer", "POST", "/commit/", {}),
        ("lose_answer", "POST", "/tag/", {}),
    ],
    ids=lambda value: value.strip("/") if isinstance(value, str) else "",
)
def test_a_push_survives(hub, rows, assert_pushed, kind, method, path, settings):
    hub.fault(kind, method, path, **settings)
    assert_pushed(hub.call(push, str(rows)))


def test_another_writer_commits_in_between(hub, rows, assert_pushed):
    hub.fault("other_writer", "POST", "/commit/")
    pushed = hub.call(push, str(rows))
    assert_pushed(pushed)
    assert [entry["status"] for entry in hub.requests("POST", "/commit/")] == [412, 200]
    assert "by-another-writer-1.txt" in hub.store.repo("datasets", "blindspots/rows").tree(pushed["commit"])


@pytest.mark.parametrize("path", ["/preupload/", "/commit/", "/tag/"])
def test_a_token_that_expires_half_way_leaves_no_tag_and_a_new_one_completes_the_push(hub, rows, assert_pushed, path):
    hub.fault("revoke_token", "POST", path)
    error = hub.call(push, str(rows))["error"]
    assert "The Hub refuses: Invalid credentials" in error
    assert f"{rows} is whole" in error
    assert hub.store.repo("datasets", "blindspots/rows").refs("tags") == {}
    hub.store.add_token(TOKEN, USER, orgs={"blindspots": "admin"})
    assert_pushed(hub.call(push, str(rows)))


def test_a_server_that_is_down_is_told_and_a_later_push_completes(start_hub, rows):
    down = start_hub()
    down.stop()
    error = down.call(push, str(rows))["error"]
    assert "out of reach" in error
    assert f"{rows} is whole" in error
    up = start_hub()
    commit = up.call(push, str(rows))["commit"]
    assert up.store.repo("datasets", "blindspots/rows").refs("tags") == {"v0.1": commit}


@pytest.mark.parametrize("path", ["/commit/", "/tag/"])
def test_a_push_that_was_killed_leaves_no_tag_and_is_completed_by_running_the_script_again(hub, tmp_path, path):
    """SIGKILL while the Hub keeps the script waiting."""
    words = ("--part", "mnli", "--train_rows", 9, "--matched_rows", 3, "--output_dir", tmp_path / "rows")
    script = (SCRIPTS / "make_demo_inputs.py", *words, "--push_to_hub", "true", *RELEASE)
    hub.fault("status", "POST", path, status=503, retry_after=60, times=None)
    process = hub.start(*script)
    hub.wait_for_fault()
    process.kill()
    process.communicate()
    repo = hub.store.repo("datasets", "blindspots/rows")
    assert (process.returncode, repo.refs("tags")) == (-signal.SIGKILL, {})
    hub.clear()
    again = hub.run(*script)
    assert again.returncode == 0, again.stderr
    pushed = repo.tree(repo.refs("tags")["v0.1"])
    assert {"README.md", "lineage.json", "data/default/train-00000-of-00001.parquet"} <= pushed.keys()


def test_two_processes_push_the_same_artifact_at_once(start_hub, rows):
    hubs = [start_hub(), start_hub()]
    with ThreadPoolExecutor() as pool:
        commits = {pushed["commit"] for pushed in pool.map(LocalHub.call, hubs, [push, push], [str(rows)] * 2)}
    assert {hubs[0].store.repo("datasets", "blindspots/rows").refs("tags")["v0.1"]} == commits


# Fetching


@pytest.fixture
def model(hub, rows, world, tmp_path) -> str:
    """A pushed model, `org/name@tag`."""
    hub.call(push, str(model_artifact(tmp_path / "model", world / "start", rows)))
    hub.clear()
    return "blindspots/model@v0.1"


@pytest.mark.parametrize(
    ("kind", "settings"), [("cut_response", {"after_bytes": 20_000}), ("status", {"status": 503, "times": 2})]
)
def test_a_download_survives(hub, model, world, kind, settings):
    hub.fault(kind, "GET", "/resolve/.*safetensors", **settings)
    pulled = hub.call(fetch, model, "model")
    blob = hub.store.blob(pulled["files"]["model.safetensors"])
    assert blob.read_bytes() == (world / "start" / "model.safetensors").read_bytes()
    assert hub.faults()[0]["fired"] == hub.faults()[0]["times"]


def test_a_damaged_cached_file_is_fetched_again(hub, model):
    whole = hub.call(fetch, model, "model")
    cached = Path(whole["path"], "model.safetensors").resolve()
    content = bytearray(cached.read_bytes())
    content[-1] ^= 1
    cached.write_bytes(content)
    assert hub.call(fetch, model, "model") == whole
    assert cached.read_bytes() != content


def test_a_tag_that_moved_since_it_was_pinned_is_an_error_naming_both_commits(hub, model):
    pinned = hub.call(fetch, model, "model")["commit"]
    repo = hub.store.repo("models", "blindspots/model")
    moved = repo.push("main", [{"key": "header", "value": {"summary": "x"}}], author="someone")
    repo.set_ref("tags", "v0.1", moved)
    for _ in range(2):  # the error stays until a commit is pinned
        error = hub.call(fetch, model, "model")["error"]
        assert pinned in error
        assert moved in error
    assert hub.call(fetch, f"blindspots/model@{pinned}", "model")["commit"] == pinned


def test_a_branch_may_move(hub, model):
    before = hub.call(fetch, "blindspots/model", "model")["commit"]
    repo = hub.store.repo("models", "blindspots/model")
    after = repo.push("main", [{"key": "header", "value": {"summary": "x"}}], author="someone")
    assert hub.call(fetch, "blindspots/model", "model")["commit"] == after != before
