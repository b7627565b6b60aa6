"""The local Hub serves the unmodified clients: a function passed to `hub.call` runs in a client process."""

import hashlib
from pathlib import Path

import pytest

pytestmark = pytest.mark.hub


def refused(call, *arguments, **keywords) -> str:
    """The class name of the error that a client raises, "" if it raises none."""
    try:
        call(*arguments, **keywords)
    except Exception as error:
        return type(error).__name__
    return ""


# huggingface_hub


def upload_and_tag(folder: str) -> dict:
    from huggingface_hub import HfApi

    api = HfApi()
    url = api.create_repo("blindspots/start", exist_ok=True)
    first = api.upload_folder(repo_id="blindspots/start", folder_path=folder)
    api.create_tag("blindspots/start", tag="v1.0")
    second = api.upload_file(repo_id="blindspots/start", path_or_fileobj=b"later\n", path_in_repo="notes/late.txt")
    refs = api.list_repo_refs("blindspots/start")
    tree = api.list_repo_tree("blindspots/start", recursive=True, expand=True)
    return {
        "user": api.whoami()["name"],
        "repo_id": url.repo_id,
        "commits": [first.oid, second.oid],
        "tags": {ref.name: ref.target_commit for ref in refs.tags},
        "history": [commit.title for commit in api.list_repo_commits("blindspots/start")],
        "last_commit": {entry.path: entry.last_commit.oid for entry in tree},
        "taken": refused(api.create_tag, "blindspots/start", tag="v1.0"),
        "sizes": {f.rfilename: f.size for f in api.model_info("blindspots/start", files_metadata=True).siblings},
        "lfs": [f.path for f in api.get_paths_info("blindspots/start", ["model.safetensors", "README.md"]) if f.lfs],
    }


def download(revision: str) -> dict:
    from huggingface_hub import hf_hub_download, snapshot_download

    folder = Path(snapshot_download("blindspots/start", revision=revision))
    file = hf_hub_download("blindspots/start", "model.safetensors", revision=revision)
    files = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
    return {
        "commit": folder.name,
        "files": sorted(files),
        "sha256": hashlib.sha256(Path(file).read_bytes()).hexdigest(),
        "missing_file": refused(hf_hub_download, "blindspots/start", "absent.txt"),
        "missing_revision": refused(snapshot_download, "blindspots/start", revision="v9"),
        "missing_repo": refused(snapshot_download, "blindspots/absent"),
    }


@pytest.fixture
def model_folder(tmp_path: Path) -> Path:
    """A repo's files: a card, and 300,000 bytes under an extension of large files."""
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "README.md").write_text("---\nlicense: apache-2.0\n---\n# A start\n")
    (folder / "model.safetensors").write_bytes(bytes(range(250)) * 1200)
    return folder


def test_what_is_uploaded_and_tagged_comes_back_from_the_tag(hub, model_folder):
    pushed = hub.call(upload_and_tag, str(model_folder))
    assert (pushed["user"], pushed["repo_id"]) == ("tester", "blindspots/start")
    assert pushed["tags"] == {"v1.0": pushed["commits"][0]}
    assert pushed["taken"] == "HfHubHTTPError"
    assert pushed["lfs"] == ["model.safetensors"]
    assert pushed["sizes"]["model.safetensors"] == 300_000
    assert pushed["history"][-1] == "initial commit"
    assert pushed["last_commit"]["notes/late.txt"] == pushed["commits"][1]
    assert pushed["last_commit"]["model.safetensors"] == pushed["commits"][0]

    pulled = hub.call(download, "v1.0")
    assert pulled["commit"] == pushed["commits"][0]
    assert pulled["files"] == [".gitattributes", "README.md", "model.safetensors"]
    assert pulled["sha256"] == hashlib.sha256((model_folder / "model.safetensors").read_bytes()).hexdigest()
    missing = [pulled[key] for key in ("missing_file", "missing_revision", "missing_repo")]
    assert missing == ["RemoteEntryNotFoundError", "RevisionNotFoundError", "RepositoryNotFoundError"]

    hub.store.repo("models", "blindspots/start").set_ref("tags", "v1.0", pushed["commits"][1])
    assert hub.call(download, "v1.0")["commit"] == pushed["commits"][1]


def refs_and_repos() -> dict:
    from huggingface_hub import HfApi

    api = HfApi()
    repo = {"repo_id": "blindspots/refs", "repo_type": "dataset"}
    api.create_repo(**repo, private=True)
    private = api.repo_info(**repo).private
    api.update_repo_settings(**repo, private=False)
    api.create_branch(**repo, branch="refs/convert/parquet")
    on_branch = api.upload_file(
        **repo, path_or_fileobj=b"x", path_in_repo="data/a file.txt", revision="refs/convert/parquet"
    )
    api.create_tag(**repo, tag="v1", revision=on_branch.oid[:8])
    branches = {ref.name: ref.target_commit for ref in api.list_repo_refs(**repo).branches}
    files = api.list_repo_files(**repo, revision="v1")
    top = [entry.path for entry in api.list_repo_tree(**repo, revision="v1")]
    api.delete_folder(**repo, path_in_repo="data", revision="refs/convert/parquet")
    left = api.list_repo_files(**repo, revision="refs/convert/parquet")
    api.delete_tag(**repo, tag="v1")
    listed = [info.id for info in api.list_datasets(author="blindspots")]
    conflict = refused(api.create_repo, **repo)
    api.delete_repo(**repo)
    return {
        "private": private,
        "on_branch": branches["refs/convert/parquet"] == on_branch.oid,
        "main_untouched": branches["main"] != on_branch.oid,
        "files": files,
        "top": top,
        "left": left,
        "listed": listed,
        "conflict": conflict,
        "gone": not api.repo_exists(**repo),
        "bad_name": refused(api.create_repo, "blindspots/..", repo_type="dataset"),
        "bad_card": refused(
            api.upload_file,
            repo_id="blindspots/any",
            path_or_fileobj=b"---\nmodel-index: 3\n---\n",
            path_in_repo="README.md",
        ),
    }


def test_branches_tags_folders_and_settings(hub):
    assert hub.call(refs_and_repos) == {
        "private": True,
        "on_branch": True,
        "main_untouched": True,
        "files": [".gitattributes", "data/a file.txt"],
        "top": [".gitattributes", "data"],
        "left": [".gitattributes"],
        "listed": ["blindspots/refs"],
        "conflict": "HfHubHTTPError",
        "gone": True,
        "bad_name": "HFValidationError",
        "bad_card": "ValueError",
    }


def collect() -> dict:
    from huggingface_hub import HfApi

    api = HfApi()
    for name in ("one", "two"):
        api.create_repo(f"blindspots/{name}")
    made = api.create_collection("Blindspots v0.1", namespace="blindspots", description="A release")
    again = api.create_collection("Blindspots v0.1", namespace="blindspots", exists_ok=True)
    api.add_collection_item(made.slug, "blindspots/one", "model", note="first")
    api.add_collection_item(made.slug, "blindspots/two", "model")
    api.add_collection_item(made.slug, "blindspots/two", "model", exists_ok=True)
    items = api.get_collection(made.slug).items
    api.update_collection_item(made.slug, items[1].item_object_id, note="second", position=0)
    api.delete_collection_item(made.slug, items[0].item_object_id)
    api.update_collection_metadata(made.slug, description="The release")
    now = api.get_collection(made.slug)
    listed = [collection.slug for collection in api.list_collections(owner="blindspots")]
    absent = refused(api.add_collection_item, made.slug, "blindspots/absent", "model")
    api.delete_collection(made.slug)
    return {
        "same": made.slug == again.slug,
        "notes": [item.note for item in items],
        "items": [(item.item_id, item.note, item.position) for item in now.items],
        "description": now.description,
        "listed": listed == [made.slug],
        "absent": absent,
        "deleted": refused(api.get_collection, made.slug),
    }


def test_collections(hub):
    assert hub.call(collect) == {
        "same": True,
        "notes": ["first", None],
        "items": [["blindspots/two", "second", 0]],
        "description": "The release",
        "listed": True,
        "absent": "RepositoryNotFoundError",
        "deleted": "HfHubHTTPError",
    }


# Rights


def attempt_on_private() -> dict:
    from huggingface_hub import HfApi, hf_hub_download

    api = HfApi()
    upload = {"path_or_fileobj": b"x", "path_in_repo": "x.txt", "repo_id": "blindspots/secret"}
    return {
        "whoami": refused(api.whoami),
        "read": refused(hf_hub_download, "blindspots/secret", ".gitattributes"),
        "write": refused(api.upload_file, **upload),
        "elsewhere": refused(api.create_repo, "others/model"),
        "may_write": not refused(api.auth_check, "blindspots/secret", write=True),
    }


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        ("hf_local_test_token", ["", "", "", "HfHubHTTPError"]),
        ("hf_reader", ["", "", "HfHubHTTPError", "HfHubHTTPError"]),
        ("hf_stranger", ["", "RepositoryNotFoundError", "RepositoryNotFoundError", "HfHubHTTPError"]),
        ("hf_unknown", ["HfHubHTTPError"] * 4),
        (None, ["LocalTokenNotFoundError", "RepositoryNotFoundError", "RepositoryNotFoundError", "HfHubHTTPError"]),
    ],
)
def test_a_private_repo_serves_those_with_rights(hub, token, expected):
    hub.store.create_repo("models", "blindspots/secret", private=True)
    hub.store.add_token("hf_reader", "reader", role="read", orgs={"blindspots": "write"})
    hub.store.add_token("hf_stranger", "stranger", orgs={"elsewhere": "admin"})
    result = hub.call(attempt_on_private, token=token)
    assert [result[key] for key in ("whoami", "read", "write", "elsewhere")] == expected
    assert result["may_write"] == (expected[2] == "")


# Concurrent writers


def commit_after_another() -> dict:
    from huggingface_hub import CommitOperationAdd, HfApi

    api = HfApi()
    api.create_repo("blindspots/contested")
    parent = api.model_info("blindspots/contested").sha
    for name in ("ours.txt", "theirs.txt"):
        try:
            addition = CommitOperationAdd(path_in_repo=name, path_or_fileobj=name.encode())
            api.create_commit("blindspots/contested", [addition], commit_message=name, parent_commit=parent)
        except Exception as error:
            return {"refused": name, "status": error.response.status_code}
    return {}


def test_a_commit_on_an_outdated_parent_is_a_conflict(hub):
    assert hub.call(commit_after_another) == {"refused": "theirs.txt", "status": 412}


def append(name: str) -> str:
    from huggingface_hub import HfApi

    return HfApi().upload_file(repo_id="blindspots/shared", path_or_fileobj=name.encode(), path_in_repo=name).oid


def test_a_second_server_over_the_same_store_serves_the_same_hub(start_hub):
    first, second = start_hub(), start_hub()
    assert first.endpoint != second.endpoint
    first.store.create_repo("models", "blindspots/shared")
    oldest, newest = first.call(append, "a.txt"), second.call(append, "b.txt")
    history = [commit["id"] for commit in first.store.repo("models", "blindspots/shared").history(newest)]
    assert history[:2] == [newest, oldest]


# Faults


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
