"""Revisions of every form, offline work, and models without safetensors: full commits in lineages, one line else."""

import json
from pathlib import Path

import pytest

from .local_hub import SCRIPTS, LocalHub
from .made_artifacts import fetch

pytestmark = pytest.mark.hub

EVALUATION = "--test_sets", "mnli_matched", "--dtype", "float32"


@pytest.fixture
def rows(hub, world) -> dict[str, str]:
    """someone/rows with a main branch, a pull request and a tag: revision -> commit."""
    content = (world / "corpus/mnli/data/validation_matched-00000-of-00001.parquet").read_bytes()
    repo = hub.store.create_repo("datasets", "someone/rows")
    change = {"path": "data/validation_matched-00000-of-00001.parquet", "content": content}
    commit = repo.push("main", [{"key": "header", "value": {"summary": "x"}}, {"key": "file", "value": change}], "x")
    repo.set_ref("pr", "1", commit)
    repo.push("main", [{"key": "header", "value": {"summary": "y"}}], "x")
    return {"refs/pr/1": commit, commit[:7]: commit, commit: commit}


def evaluate(hub: LocalHub, world: Path, out: Path, revision: str, **environment):
    words = ("--model", world / "start", "--mnli", f"someone/rows@{revision}", *EVALUATION, "--output_dir", out)
    script = SCRIPTS / "evaluate_task.py"
    return hub.run(script, *words, **environment)


def test_a_lineage_names_the_full_commit_of_every_form_of_revision_and_offline_too(hub, rows, world, tmp_path):
    for revision, commit in rows.items():
        out = tmp_path / revision.replace("/", "-")
        done = evaluate(hub, world, out, revision)
        assert done.returncode == 0, done.stderr
        assert [p["revision"] for p in json.loads((out / "lineage.json").read_text())["parents"]] == [None, commit]
    hub.stop()
    for revision, commit in rows.items():
        pulled = hub.call(fetch_offline, f"someone/rows@{revision}")
        assert pulled["commit"] == commit
        told = hub.call(fetch_offline, f"someone/rows@{revision}", home=tmp_path / "cold")["error"]
        assert "someone/rows could not be fetched" in told
        assert "\n" not in told


def fetch_offline(name: str) -> dict:
    """As `fetch`, in a process that was told to stay offline; huggingface_hub reads that when it is imported."""
    import os
    import subprocess
    import sys

    code = f"import json; from hub.made_artifacts import fetch; print(json.dumps(fetch({name!r})))"
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "PYTHONPATH": f"{os.environ['PYTHONPATH']}:{os.getcwd()}"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


@pytest.mark.parametrize("revision", ["no-such", "../main", "refs/pr/2", "0123456", "a b", "-x", "x\x01"])
def test_a_revision_that_is_not_there_is_told_in_one_line(hub, rows, revision):
    told = hub.call(fetch, f"someone/rows@{revision}")["error"]
    assert "has no revision" in told
    assert "\n" not in told


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.ckpt", None])
def test_a_model_without_safetensors_is_told_in_one_line(hub, world, tmp_path, name):
    source = tmp_path / "seed/models/someone/binonly"
    source.mkdir(parents=True)
    for file in ("config.json", "tokenizer.json"):
        (source / file).write_bytes((world / "start" / file).read_bytes())
    if name:
        (source / name).write_bytes(b"pickled")
    hub.store.seed(tmp_path / "seed")
    words = (
        "--model",
        "someone/binonly",
        "--mnli",
        world / "corpus/mnli",
        *EVALUATION,
        "--output_dir",
        tmp_path / "o",
    )
    done = hub.run(SCRIPTS / "evaluate_task.py", *words)
    assert done.returncode == 1
    found = f"its weights are {name}" if name else "it has none"
    line = f"error: someone/binonly: only safetensors are fetched from the Hub, and {found}. Convert the model."
    assert done.stderr.splitlines()[-1] == line
    assert "Traceback" not in done.stderr
    assert hub.requests(path="pytorch_model.bin") == []
