"""Refused uploads, answers that can't be read, damaged downloads, odd tokens: one line, and what was made is kept."""

import signal
from pathlib import Path

import pytest

from .conftest import RELEASE
from .local_hub import SCRIPTS
from .made_artifacts import dataset_artifact, fetch, model_artifact, push
from .test_release import release, tamper

pytestmark = pytest.mark.hub

ODD_TOKEN = "hf_secret\x01of_mine"


@pytest.fixture
def rows(tmp_path) -> Path:
    return dataset_artifact(tmp_path / "rows")


# Refusals of the upload


@pytest.mark.parametrize("status", [403, 404])
@pytest.mark.parametrize("path", ["/lfs/", "/objects/batch", "/preupload/", "/commit/"])
def test_a_refused_upload_is_told_in_one_line_and_taken_up_later(hub, rows, status, path):
    hub.fault("status", "PUT|POST", path, status=status, times=None)
    error = hub.call(push, str(rows))["error"]
    assert "The Hub refuses: " in error
    assert f"{rows} is whole, push it again later" in error
    assert "\n" not in error
    assert hub.store.repo("datasets", "blindspots/rows").refs("tags") == {}
    hub.clear()
    assert "commit" in hub.call(push, str(rows))


def test_a_script_whose_upload_is_refused_ends_in_one_line_and_its_artifact_stays(hub, tmp_path):
    hub.fault("status", "PUT", "/lfs/", status=403, times=None)
    words = ("--part", "hans", "--hans_rows", 60, "--output_dir", tmp_path / "rows", "--push_to_hub", *RELEASE)
    done = hub.run(SCRIPTS / "make_demo_inputs.py", *words)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "error: The Hub refuses: Injected 403" in done.stderr
    assert (tmp_path / "rows/lineage.json").is_file()


def test_a_long_outage_of_the_storage_is_outlasted(hub, rows):
    hub.fault("status", "PUT", "/lfs/", status=503, retry_after=0, times=8)
    assert "commit" in hub.call(push, str(rows))


@pytest.mark.parametrize("after", ["-5", "soon", "²", "Wed, 21 Oct 2015 07:28:00 GMT", "", "0.5", "9" * 5000])
def test_an_odd_retry_after_is_no_reason_to_fail_or_to_wait_for_ever(hub, rows, after):
    if not after.isascii():
        after = after.encode().decode("latin-1")
    if after.startswith("99"):  # as long as we wait at most, 60 s, is too long for a test
        from blindspots.artifacts.retries import LONGEST_WAIT_S, _seconds

        assert _seconds(after) == LONGEST_WAIT_S
        return
    hub.fault("status", "GET", "/refs", status=429, retry_after=after)
    hub.fault("status", "PUT", "/lfs/", status=503, retry_after=after)
    assert "commit" in hub.call(push, str(rows))


@pytest.mark.parametrize(
    "content",
    [
        "<html>portal</html>",
        *(pytest.param(one, marks=pytest.mark.slow) for one in ("\xff\xfe", "[]", "{}", "null")),
    ],
)
@pytest.mark.parametrize(("method", "path"), [("GET", "/refs"), ("POST", "/commit/"), ("GET", "whoami")])
def test_an_answer_that_can_not_be_read_is_told_in_one_line(hub, rows, method, path, content):
    hub.fault("garbage", method, path, content=content, times=None)
    if path == "whoami":
        error = hub.call(asked, str(rows))
        assert "The Hub is out of reach" in error or "may not write" in error
    else:
        error = hub.call(push, str(rows))["error"]
        assert "The Hub is out of reach: its answer can't be read" in error
    assert "\n" not in error
    hub.clear()
    assert "commit" in hub.call(push, str(rows))


def asked(folder: str) -> str:
    """What `preflight` says, in this process."""
    from blindspots.artifacts.push import preflight
    from blindspots.config.errors import UserError

    from .made_artifacts import RELEASE as KEYS

    try:
        preflight(KEYS, "rows", Path(folder), "dataset")
    except UserError as error:
        return str(error)
    return ""


# Damaged downloads


def test_a_file_that_arrives_damaged_is_fetched_again(hub, rows):
    hub.call(push, str(rows))
    hub.fault("flip_byte", "GET", "/resolve/.*parquet", times=2)
    pulled = hub.call(fetch, "blindspots/rows@v0.1")
    blob = hub.store.blob(pulled["files"]["data/n2/train-00000-of-00001.parquet"])
    assert blob.is_file()


def test_a_file_that_always_arrives_damaged_is_never_used(hub, rows):
    hub.call(push, str(rows))
    hub.fault("flip_byte", "GET", "/resolve/.*parquet", times=None)
    error = hub.call(fetch, "blindspots/rows@v0.1")["error"]
    assert "train-00000-of-00001.parquet arrived damaged" in error
    assert "\n" not in error


def test_a_damaged_cached_lineage_blocks_nothing(hub, rows, world, tmp_path):
    hub.call(push, str(rows))
    assert hub.call(push, str(rows)).keys() == {"commit"}
    (cached,) = {file.resolve() for file in hub.home.glob("hub/*/snapshots/*/lineage.json")}
    cached.write_text('{"broken')
    assert hub.call(push, str(rows)).keys() == {"commit"}
    model = model_artifact(tmp_path / "model", world / "start", rows)
    cached.write_text("{}")
    assert hub.call(push, str(model)).keys() == {"commit"}


def test_a_broken_lineage_at_the_head_of_a_repo_is_replaced(hub, rows):
    repo = hub.store.create_repo("datasets", "blindspots/rows")
    file = {"path": "lineage.json", "content": b"[1"}
    repo.push("main", [{"key": "header", "value": {"summary": "x"}}, {"key": "file", "value": file}], author="x")
    assert "commit" in hub.call(push, str(rows))


# What a tag holds


def test_other_content_is_named_by_the_release_before_anything_is_pushed(released, tiny_grid, tmp_path):
    other = dataset_artifact(tmp_path / "outputs/demo/mnli", "A dog sat.")
    refused = release(released, "push", str(other), cwd=tiny_grid)
    assert refused.returncode == 1
    assert "blindspots/demo-mnli@v0.1 holds other content (data/" in refused.stderr
    assert released.requests("POST") == []


@pytest.mark.parametrize("kept", ["lineage", "nothing"])
def test_a_moved_tag_is_not_taken_for_the_artifact(hub, rows, kept):
    hub.call(push, str(rows))
    tamper(hub, "datasets", "rows", "recipe.yaml", b"other: 1\n")
    if kept == "nothing":
        tamper(hub, "datasets", "rows", "lineage.json", b"{}")
    error = hub.call(push, str(rows))["error"]
    assert "blindspots/rows@v0.1 holds other content (" in error
    assert "recipe.yaml" in error


# Parents


def push_while_the_parent_vanishes(model: str, store: str, in_release: bool) -> dict:
    """Push a model whose parent's tag is deleted once it has been looked up."""
    from blindspots.artifacts import push as pushing
    from blindspots.config.errors import UserError

    from .hub_store import HubStore
    from .made_artifacts import RELEASE as KEYS

    upload = pushing.upload

    def vanish(*arguments, **keywords):
        HubStore(Path(store)).repo("datasets", "blindspots/rows").delete_ref("tags", "v0.1")
        return upload(*arguments, **keywords)

    pushing.upload = vanish
    try:
        return {"commit": pushing.push_artifact(Path(model), KEYS, in_release)}
    except UserError as error:
        return {"error": str(error)}


def test_a_parent_is_looked_up_once_and_an_unpinned_one_is_refused_in_a_release(hub, rows, world, tmp_path):
    from .test_release import read

    model = str(model_artifact(tmp_path / "model", world / "start", rows))
    parent = hub.call(push, str(rows))["commit"]
    assert "commit" in hub.call(push_while_the_parent_vanishes, model, str(hub.store.root), True)
    assert parent.encode() in read(hub, "models", "model", "lineage.json")
    again = model_artifact(tmp_path / "again", world / "start", rows)
    error = hub.call(push_while_the_parent_vanishes, str(again), str(hub.store.root), True)["error"]
    assert "which is not on the Hub under v0.1. Release that too" in error
    assert not [one for one in hub.store.repos("models") if one.id == "blindspots/again"]


def test_a_model_that_was_pushed_before_its_parent_does_not_pass_as_released(hub, rows, world, tmp_path):
    model = model_artifact(tmp_path / "model", world / "start", rows)
    hub.call(push, str(model))
    hub.call(push, str(rows))
    error = hub.call(release_one, str(model))
    assert "blindspots/model@v0.1 names another commit of its train" in error


def release_one(folder: str) -> str:
    from blindspots.artifacts.push import push_artifact
    from blindspots.config.errors import UserError

    from .made_artifacts import RELEASE as KEYS

    try:
        return push_artifact(Path(folder), KEYS, in_release=True)
    except UserError as error:
        return str(error)


# The token


@pytest.mark.parametrize("action", ["plan", "push", "verify", "collect", "fetch", "preflight"])
def test_a_token_with_a_control_character_is_never_shown(hub, rows, tmp_path, action):
    modules = ("--modules", SCRIPTS.parent / "evaluate_modules")
    words = {
        "plan": (SCRIPTS / "release.py", "plan", rows, *modules, *RELEASE),
        "push": (SCRIPTS / "release.py", "push", rows, *modules, *RELEASE),
        "verify": (SCRIPTS / "release.py", "verify", *RELEASE),
        "collect": (SCRIPTS / "release.py", "collect", *RELEASE),
        "fetch": (SCRIPTS / "prepare_mnli.py", "--mnli", "blindspots/rows", "--output_dir", tmp_path / "made"),
        "preflight": (
            SCRIPTS / "make_demo_inputs.py",
            *("--part", "hans", "--output_dir", tmp_path / "made", "--push_to_hub", *RELEASE),
        ),
    }[action]
    done = hub.run(*words, token=ODD_TOKEN, cwd=tmp_path)
    assert done.returncode == (0 if action == "plan" else 1), done.stderr
    assert action == "plan" or "error: The token holds a character that no token has" in done.stderr
    assert "Traceback" not in done.stderr
    left = [file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()]
    for text in (done.stdout.encode(), done.stderr.encode(), *left):
        assert b"hf_secret" not in text
        assert b"of_mine" not in text


def test_an_echoed_token_is_not_shown(hub, rows, monkeypatch):
    from blindspots.artifacts import retries

    monkeypatch.setattr(retries, "get_token", lambda: "hf_echoed")
    assert retries.without_token("Bad\nheader b'Bearer hf_echoed'") == "Bad header b'Bearer ***'"


# Ctrl-C


def test_an_interrupted_script_ends_in_one_line(capsys):
    from blindspots.config.processes import run_script

    def main() -> None:
        raise KeyboardInterrupt

    with pytest.raises(SystemExit) as ended:
        run_script(main)
    assert ended.value.code == 130
    assert capsys.readouterr().err == "error: interrupted; run it again to go on.\n"


def test_ctrl_c_ends_a_script_that_waits_for_a_busy_hub_in_one_line(hub, tmp_path):
    """The Hub asks it to wait for a minute; nothing here depends on how fast either of them is."""
    hub.fault("status", "GET", status=503, retry_after=60, times=None)
    process = hub.start(SCRIPTS / "release.py", "verify", *RELEASE, cwd=tmp_path)
    hub.wait_for_fault()
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=120)
    assert process.returncode == 130
    *said, last = stderr.splitlines()
    assert last == "error: interrupted; run it again to go on."
    assert all(line.startswith(("HTTP Error 503", "Rate limited. Waiting")) for line in said)  # the client's own
