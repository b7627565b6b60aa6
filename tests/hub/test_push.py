"""What a push leaves on the Hub, what it refuses, and that running it again completes or changes nothing."""

import json
import shutil
import sys
from pathlib import Path

import pytest
from huggingface_hub import DatasetCard

from .made_artifacts import dataset_artifact, fetch, model_artifact, push

pytestmark = pytest.mark.hub


def lineage(folder: Path) -> dict:
    return json.loads((folder / "lineage.json").read_text())


@pytest.fixture
def rows(tmp_path) -> Path:
    return dataset_artifact(tmp_path / "rows")


@pytest.fixture
def repo(hub):
    """The pushed dataset as the server holds it."""
    return lambda kind="datasets", name="rows": hub.store.repo(kind, f"blindspots/{name}")


def test_a_pushed_artifact_is_the_folder_under_its_tag(hub, rows, repo):
    pushed = hub.call(push, str(rows))
    assert repo().refs("tags") == {"v0.1": pushed["commit"]}
    tree = repo().tree(pushed["commit"])
    assert tree.keys() == {*lineage(rows)["files"], "README.md", "lineage.json", ".gitattributes"}
    for name, file in lineage(rows)["files"].items():
        assert tree[name]["sha256"] == file["sha256"]
    pulled = hub.call(fetch, "blindspots/rows@v0.1")
    assert pulled["commit"] == pushed["commit"]
    assert {name: pulled["files"][name] for name in lineage(rows)["files"]} == {
        name: file["sha256"] for name, file in lineage(rows)["files"].items()
    }


def test_the_same_content_again_is_a_no_op_and_other_content_an_error(hub, rows, repo, tmp_path):
    first = hub.call(push, str(rows))
    hub.clear()
    assert hub.call(push, str(rows)) == first
    assert {entry["method"] for entry in hub.requests()} == {"GET", "HEAD"}
    other = dataset_artifact(tmp_path / "other" / "rows", "A dog sat.")
    refused = hub.call(push, str(other))["error"]
    assert "blindspots/rows@v0.1 holds other content (data/n2/train-00000-of-00001.parquet)" in refused
    assert repo().refs("tags") == {"v0.1": first["commit"]}


def test_the_next_version_drops_what_the_last_one_left_and_nothing_else(hub, rows, repo, tmp_path):
    hub.call(push, str(rows))
    note = [
        {"key": "header", "value": {"summary": "x"}},
        {"key": "file", "value": {"path": "NOTE.txt", "content": b""}},
    ]
    repo().push("main", note, author="someone")
    newer = dataset_artifact(tmp_path / "newer" / "rows", config="n3")
    second = hub.call(push, str(newer), {"hub_tag": "v0.2"})
    names = repo().tree(second["commit"]).keys()
    assert {"NOTE.txt", "data/n3/train-00000-of-00001.parquet"} <= names
    assert "data/n2/train-00000-of-00001.parquet" not in names
    assert repo().refs("tags").keys() == {"v0.1", "v0.2"}


def evaluated(folder: Path) -> Path:
    """The model as if it had been evaluated on a test set of the Hub."""
    described = lineage(folder)
    hans = {"role": "hans", "name": "jhu-cogsci/hans", "repo_type": "dataset", "revision": "a" * 40}
    described["parents"].append(hans | {"artifact": None, "content_sha256": "b" * 64})
    headline = {"name": "hans", "title": "HANS", "test_set": "hans", "split": "validation", "slice": {}}
    described["results"] = {"headlines": [headline | {"accuracy": 0.75}]}
    (folder / "lineage.json").write_text(json.dumps(described))
    return folder


def test_results_that_the_hub_shows_are_those_of_the_version(hub, rows, repo, world, tmp_path):
    model = model_artifact(tmp_path / "model", world / "start", rows)
    plain = shutil.copytree(model, tmp_path / "plain" / "model")
    first = hub.call(push, str(evaluated(model)))["commit"]
    held = repo("models", "model")
    assert b"value: 0.75" in hub.store.blob(held.tree(first)[".eval_results/nli.yaml"]["sha256"]).read_bytes()
    theirs = [
        {"key": "header", "value": {"summary": "x"}},
        {"key": "file", "value": {"path": ".eval_results/theirs.yaml", "content": b""}},
    ]
    held.push("main", theirs, author="someone")
    second = hub.call(push, str(plain), {"hub_tag": "v0.2"})["commit"]
    assert [name for name in held.tree(second) if name.startswith(".eval_results")] == [".eval_results/theirs.yaml"]
    third = hub.call(push, str(model), {"hub_tag": "v0.3"})["commit"]
    assert ".eval_results/nli.yaml" in held.tree(third)


def test_a_local_parent_becomes_its_repo_and_commit(hub, rows, repo, world, tmp_path):
    model = model_artifact(tmp_path / "model", world / "start", rows)
    parent = hub.call(push, str(rows))["commit"]
    commit = hub.call(push, str(model), {"hub_private_repo": True})["commit"]
    assert repo("models", "model").settings()["private"]
    tree = repo("models", "model").tree(commit)
    published = json.loads(hub.store.blob(tree["lineage.json"]["sha256"]).read_text())
    (train,) = published["parents"]
    assert (train["name"], train["revision"], train["tag"]) == ("blindspots/rows", parent, "v0.1")
    card = hub.store.blob(tree["README.md"]["sha256"]).read_text()
    assert f"[`blindspots/rows`]({hub.endpoint}/datasets/blindspots/rows/tree/{parent})" in card
    assert lineage(model)["parents"][0]["revision"] is None


def test_a_dataset_card_has_configs_features_and_statistics(rows):
    data = DatasetCard.load(rows / "README.md").data
    (config,) = data.configs
    assert config == {
        "config_name": "n2",
        "data_files": [{"split": "train", "path": ["data/n2/train-00000-of-00001.parquet"]}],
        "default": True,
    }
    info = data.dataset_info
    assert [(split["name"], split["num_examples"]) for split in info["splits"]] == [("train", 2)]
    assert info["splits"][0]["num_bytes"] > 0
    names = next(feature for feature in info["features"] if feature["name"] == "label")["dtype"]["class_label"][
        "names"
    ]
    assert list(names.values()) == ["entailment", "neutral", "contradiction"]


# What is refused


@pytest.mark.parametrize("name", ["optimizer.pt", "data/../../x.parquet", ".cache/x.json", "weights.bin", "run.sh"])
def test_only_files_of_an_artifact_are_uploaded(hub, rows, repo, name):
    file = rows / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("x")
    described = lineage(rows)
    described["files"][name] = {"sha256": "0", "bytes": 1}
    (rows / "lineage.json").write_text(json.dumps(described))
    assert f"holds {name}, which is not part of an artifact" in hub.call(push, str(rows))["error"]
    assert hub.store.repos("datasets") == []


def test_a_stray_file_stays_here_and_a_changed_one_is_refused(hub, rows, repo):
    (rows / "notes.txt").write_text("mine")
    commit = hub.call(push, str(rows))["commit"]
    assert "notes.txt" not in repo().tree(commit)
    (rows / "recipe.yaml").write_text("changed: true\n")
    error = hub.call(push, str(rows), {"hub_tag": "v0.2"})["error"]
    assert "recipe.yaml is not what lineage.json says" in error


def test_an_adapter_of_a_local_folder_is_refused(hub, rows, world, tmp_path):
    start = tmp_path / "start"
    start.mkdir()
    (start / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": str(world / "base")}))
    model = model_artifact(tmp_path / "model", start, rows)
    assert "adapter of the local folder" in hub.call(push, str(model))["error"]


@pytest.mark.parametrize("tag", ["v0.1", "v0.2"])
def test_nothing_goes_to_a_public_repo_where_a_private_one_is_asked_for(hub, rows, repo, tag):
    first = hub.call(push, str(rows))["commit"]
    private = {"hub_private_repo": True, "hub_tag": tag}
    for told in (hub.call(push, str(rows), private)["error"], hub.call(preflight, str(rows), private)):
        assert told == (
            "blindspots/rows is public, and hub_private_repo asks for a private repo. Make it private on the Hub, or "
            "leave hub_private_repo out."
        )
    assert repo().refs("heads") == {"main": first}
    assert repo().refs("tags") == {"v0.1": first}


def test_a_private_repo_takes_the_next_version(hub, rows, repo, tmp_path):
    hub.call(push, str(rows), {"hub_private_repo": True})
    assert hub.call(preflight, str(tmp_path / "rows"), {"hub_private_repo": True}) == ""
    newer = dataset_artifact(tmp_path / "newer" / "rows", config="n3")
    hub.call(push, str(newer), {"hub_private_repo": True, "hub_tag": "v0.2"})
    assert repo().settings()["private"]
    assert repo().refs("tags").keys() == {"v0.1", "v0.2"}


# Names


@pytest.mark.parametrize(
    "name", ["../secret/x", "org/..", "org/a@../../main", "org/a--b", "/no/such/passwd", "org/name/more", "name"]
)
def test_a_name_with_a_path_trick_is_refused(hub, name):
    error = hub.call(fetch, name)["error"]
    assert any(
        said in error for said in ("is not a valid Hub id", "neither a folder", "has no revision", "is not a dataset")
    )
    assert not list(hub.home.rglob("passwd"))


@pytest.mark.parametrize("name", ["../other", "a/b", "a..b", ".hidden", "a b"])
def test_a_repo_name_with_a_path_trick_is_refused(hub, rows, name):
    assert "is not a valid repo name" in hub.call(push, str(rows), {"hub_name": name})["error"]


# Before long work


def preflight(folder: str, keys: dict) -> str:
    """What the user of prepare_mnli.py is told before the work starts, "" where it starts (and lacks its input)."""
    import prepare_mnli
    from blindspots.config.errors import UserError

    given = {"hub_namespace": "blindspots", "hub_tag": "v0.1"} | keys
    words = [f"--{key}={value}" for key, value in given.items() if value is not None]
    sys.argv = ["prepare_mnli", "--mnli=absent", f"--output_dir={folder}", "--push_to_hub", *words]
    try:
        prepare_mnli.main()
    except UserError as error:
        return str(error).removeprefix("absent is neither a folder here nor a Hub id (org/name, org/name@revision).")
    return "It made an artifact of nothing."


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"hub_namespace": None}, "needs hub_namespace"),
        ({"hub_tag": "latest"}, "is not a version"),
        ({"hub_namespace": "nyu-mll"}, "tester may not write to nyu-mll"),
        ({"hub_name": "a/b"}, "is not a valid repo name"),
        ({}, ""),
    ],
)
def test_a_push_that_the_hub_would_refuse_is_told_at_once(hub, tmp_path, keys, said):
    told = hub.call(preflight, str(tmp_path / "rows"), keys)
    assert said in told
    assert (said == "") == (told == "")
    assert (said == "") == (tmp_path / ".rows.work").exists()


# Each script's smallest run in the small world; {world} is its folder.
RUNS = {
    "make_demo_inputs": "--part hans --hans_rows 60",
    "prepare_mnli": "--mnli {world}/corpus/mnli --start_sizes 30 --dev_rows_per_label 5",
    "build_variants": "--kind original --original {world}/corpus/mnli --sizes 9",
    "finetune_generator": "--model_name_or_path {world}/base --train_dataset {world}/corpus/mnli --max_steps 1 "
    "--use_cpu --bf16 false --gradient_checkpointing false --report_to none --disable_tqdm",
    "merge_generator": "--generator {world}/adapter",
    "generate_synthetic": "--generator {world}/generator --samples_per_label 4 --max_new_tokens 24 --dtype float32",
    "finetune_task": "--model_name_or_path {world}/start --dtype float32 --use_cpu --report_to none",
    "evaluate_task": "--model {world}/start --dtype float32 --mnli {world}/corpus/mnli",
}


@pytest.mark.parametrize("name", RUNS)
def test_every_script_asks_the_hub_before_its_work_and_pushes_after_it(script, world, tmp_path, monkeypatch, name):
    done = []

    def note(step: str):
        return lambda *_: done.append((step, {path.name for path in tmp_path.iterdir()}))

    for step in ("preflight", "push_artifact"):
        monkeypatch.setattr(f"blindspots.artifacts.push.{step}", note(step))
    words = RUNS[name].format(world=world).split()
    script(name, *words, "--output_dir", tmp_path / "made")
    assert done == []
    shutil.rmtree(tmp_path / "made")
    script(name, *words, "--output_dir", tmp_path / "made", "--push_to_hub")
    assert done == [("preflight", set()), ("push_artifact", {"made", ".made.lock"})]


def test_a_token_is_needed_that_may_write(hub, tmp_path):
    hub.store.add_token("hf_reader", "reader", role="read", orgs={"blindspots": "write"})
    for token, said in ((None, "needs a token"), ("hf_reader", "may only read"), ("hf_unknown", "The Hub refuses")):
        assert said in hub.call(preflight, str(tmp_path / "rows"), {}, token=token)


def test_a_taken_tag_is_told_before_the_work_unless_it_is_this_artifact(hub, rows, tmp_path):
    hub.call(push, str(rows))
    assert hub.call(preflight, str(rows), {}) == ""
    assert "already has the tag v0.1" in hub.call(preflight, str(tmp_path / "elsewhere" / "rows"), {})


@pytest.mark.parametrize(
    ("scopes", "allowed"),
    [([("blindspots", ["repo.write"])], True), ([("blindspots", ["repo.content.read"])], False), ([], False)],
)
def test_a_fine_grained_token_must_be_for_the_namespace(scopes, allowed):
    from blindspots.artifacts.push import _check_rights
    from blindspots.config.errors import UserError

    scoped = [{"entity": {"name": name}, "permissions": permissions} for name, permissions in scopes]
    token = {"displayName": "fine", "role": "fineGrained", "fineGrained": {"scoped": scoped}}
    user = {"name": "tester", "orgs": [{"name": "blindspots", "roleInOrg": "write"}], "auth": {"accessToken": token}}
    if allowed:
        _check_rights(user, "blindspots")
    else:
        with pytest.raises(UserError, match="may not write to blindspots"):
            _check_rights(user, "blindspots")


# A run again


def test_a_finished_run_is_only_pushed(hub, world, tmp_path):
    """Delete nothing, run again with push_to_hub: no training, and the file stays as it was."""
    recipe = {"dtype": "float32", "use_cpu": "true", "report_to": "none", "max_steps": 2, "disable_tqdm": "true"}
    arguments = [word for key, value in recipe.items() for word in (f"--{key}", str(value))]
    command = [
        hub_script("finetune_task"),
        *arguments,
        "--model_name_or_path",
        world / "start",
        "--train_dataset",
        world / "corpus/mnli",
        "--output_dir",
        tmp_path / "model",
    ]
    made = hub.run(*command)
    assert made.returncode == 0, made.stderr
    before = (tmp_path / "model" / "lineage.json").stat().st_mtime_ns
    pushed = hub.run(*command, "--push_to_hub", "true", "--hub_namespace", "blindspots", "--hub_tag", "v0.1")
    assert pushed.returncode == 0, pushed.stderr
    assert "was made from this recipe and these inputs before; it is only pushed" in pushed.stdout
    assert "rows per step" in made.stdout
    assert "rows per step" not in pushed.stdout
    assert (tmp_path / "model" / "lineage.json").stat().st_mtime_ns == before
    assert hub.store.repo("models", "blindspots/model").refs("tags").keys() == {"v0.1"}


def hub_script(name: str) -> Path:
    return Path(__file__).resolve().parents[2] / "scripts" / f"{name}.py"
