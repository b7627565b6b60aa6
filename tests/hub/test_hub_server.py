"""The local Hub serves the unmodified clients: a function passed to `hub.call` runs in a client process."""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from .local_hub import LocalHub, refused

pytestmark = pytest.mark.hub


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


def test_no_commit_of_two_simultaneous_writers_is_lost(start_hub):
    hubs = [start_hub(), start_hub()]
    hubs[0].store.create_repo("models", "blindspots/shared")
    with ThreadPoolExecutor() as pool:
        commits = set(pool.map(LocalHub.call, hubs, [append, append], ["a.txt", "b.txt"]))
    repo = hubs[0].store.repo("models", "blindspots/shared")
    assert commits < {commit["id"] for commit in repo.history(repo.resolve("main"))}
    assert set(repo.tree(repo.resolve("main"))) == {".gitattributes", "a.txt", "b.txt"}
