"""A release of a whole grid: planned, pushed, verified, collected, and loaded as its cards say."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from huggingface_hub import RepoCard

from .conftest import RELEASE
from .local_hub import TOKEN, LocalHub
from .tiny_grid import CELL, KIND, SIZE

pytestmark = pytest.mark.hub

MODULES = {"nli_blindspot", "heuristic_audit", "paired_accuracy", "label_agreement", "preference_cues"}
MODELS = {"demo-base", "demo-generator", "demo-models-n100-s0", f"demo-models-{CELL}"}
DATASETS = {
    "demo-corpus-hans",
    "demo-corpus-mnli",
    "demo-mnli",
    "demo-synthetic",
    f"demo-variants-{KIND}",
    "demo-predictions-n100-s0",
}
MANIFEST = "nli-blindspots"


def release(hub: LocalHub, action: str, *words: str, cwd: Path, **environment):
    return hub.run("scripts/release.py", action, *words, *RELEASE, cwd=cwd, **environment)


def repo(hub: LocalHub, kind: str, name: str):
    return hub.store.repo(kind, f"blindspots/{name}")


def read(hub: LocalHub, kind: str, name: str, file: str) -> bytes:
    """A file of a repo at the tag of the release."""
    held = repo(hub, kind, name)
    return hub.store.blob(held.tree(held.refs("tags")["v0.1"])[file]["sha256"]).read_bytes()


def tamper(hub: LocalHub, kind: str, name: str, file: str, content: bytes) -> None:
    """What no client can do: another content under the tag."""
    held = repo(hub, kind, name)
    change = [
        {"key": "header", "value": {"summary": "x"}},
        {"key": "file", "value": {"path": file, "content": content}},
    ]
    held.set_ref("tags", "v0.1", held.push("main", change, author="someone"))


# Plan and push


def test_the_plan_lists_every_repo_with_size_and_licence(hub, tiny_grid):
    planned = release(hub, "plan", "outputs/demo", cwd=tiny_grid)
    assert planned.returncode == 0, planned.stderr
    rows = dict(re.findall(r"^(?:model|dataset|space) +(\S+) +(\d+\.\d+ MiB  \S+)$", planned.stdout, re.MULTILINE))
    assert rows.keys() == MODELS | DATASETS | MODULES
    assert all(row.endswith("apache-2.0") for row in rows.values())
    assert f"{len(rows)} repos" in planned.stdout
    assert hub.requests() == []


def test_every_artifact_and_module_is_released_under_the_tag(released):
    for kind, names in {"models": MODELS, "datasets": DATASETS | {MANIFEST}, "spaces": MODULES}.items():
        held = released.store.repos(kind)
        assert {item.id for item in held} == {f"blindspots/{name}" for name in names}
        assert all(item.refs("tags").keys() == {"v0.1"} for item in held)


def test_a_release_again_changes_nothing(released, tiny_grid):
    again = release(released, "push", "outputs/demo", cwd=tiny_grid)
    assert again.returncode == 0, again.stderr
    assert again.stdout.count("@v0.1 is already there.") == len(MODELS | DATASETS | MODULES) + 1
    assert {entry["method"] for entry in released.requests()} <= {"GET", "HEAD"}


def test_the_manifest_says_which_repos_belong_to_the_release_at_which_commits(released):
    manifest = json.loads(read(released, "datasets", MANIFEST, "release.json"))
    commits = {
        (item.id, repo_type): item.refs("tags")["v0.1"]
        for repo_type in ("model", "dataset", "space")
        for item in released.store.repos(f"{repo_type}s")
    }
    del commits[f"blindspots/{MANIFEST}", "dataset"]
    assert {(one["repo"], one["repo_type"]): one["commit"] for one in manifest["repos"]} == commits


def test_manifest_and_modules_name_the_commit_of_the_scripts_that_pushed_them(released):
    pushed = [("datasets", MANIFEST), *(("spaces", name) for name in MODULES)]
    codes = {json.loads(read(released, kind, name, "lineage.json"))["code_commit"] for kind, name in pushed}
    assert len(codes) == 1


def test_a_release_that_was_cut_off_is_completed_by_running_it_again_and_its_manifest_comes_last(hub, tiny_grid):
    hub.fault("status", "POST", "/commit/", status=403, skip=3, times=None)
    cut = release(hub, "push", "outputs/demo", cwd=tiny_grid)
    assert cut.returncode == 1
    assert "The Hub refuses" in cut.stderr
    assert "Traceback" not in cut.stderr
    assert cut.stdout.count(" pushed, commit ") == 3
    assert not [item for item in hub.store.repos("datasets") if item.id.endswith(MANIFEST)]
    hub.clear()
    whole = release(hub, "push", "outputs/demo", cwd=tiny_grid)
    assert whole.returncode == 0, whole.stderr
    assert whole.stdout.count("is already there.") == 3
    tagged = hub.requests("POST", "/tag/")
    assert len(tagged) == len(MODELS | DATASETS | MODULES) - 3 + 1
    assert f"/{MANIFEST}/tag/" in tagged[-1]["path"]
    assert hub.requests("POST")[-1] == tagged[-1]


def test_an_artifact_whose_parent_is_not_released_is_refused(hub, tiny_grid):
    refused = release(hub, "push", f"outputs/demo/models/{CELL}", cwd=tiny_grid)
    assert refused.returncode == 1
    assert "which is not on the Hub under v0.1. Release that too" in refused.stderr


@pytest.mark.parametrize("action", ["plan", "push"])
def test_without_a_folder_of_artifacts_nothing_is_asked_of_the_hub(hub, tiny_grid, action):
    for words, said in (((), "needs a folder of artifacts"), (("recipes",), "There is no artifact")):
        refused = release(hub, action, *words, cwd=tiny_grid)
        assert refused.returncode in (1, 2)
        assert said in refused.stderr
    assert hub.requests() == []


@pytest.mark.parametrize(
    ("kind", "name"), [("datasets", "demo-mnli"), ("spaces", "nli_blindspot"), ("datasets", MANIFEST)]
)
def test_a_private_release_is_refused_where_one_of_its_repos_is_public(hub, tiny_grid, kind, name):
    hub.store.create_repo(kind, f"blindspots/{name}")
    refused = release(hub, "push", "outputs/demo", "--hub_private_repo", "true", cwd=tiny_grid)
    assert refused.returncode == 1
    assert f"blindspots/{name} is public, and hub_private_repo asks for a private repo" in refused.stderr
    assert hub.requests("POST") == []


# Verify

Damages = list[tuple[Callable[[LocalHub], None], str]]  # each with the line that names it, or twice with two lines


def names_of(damages: Damages) -> str:
    return "+".join({damage.__name__: None for damage, _ in damages})


def require_named(hub: LocalHub, grid: Path, damages: Damages) -> None:
    """Damage a release and verify it: each damage must have its line. A run takes as long for one as for several."""
    for damage in {damage: None for damage, _ in damages}:
        damage(hub)
    verified = release(hub, "verify", cwd=grid)
    assert verified.returncode == 1
    for _, said in damages:
        assert re.search(f"^blindspots/{said}", verified.stdout, re.MULTILINE), verified.stdout + verified.stderr
    assert re.search(r"error: \d+ things are wrong with the release", verified.stderr)
    assert "Traceback" not in verified.stderr


def test_a_release_verifies_clean(released, tiny_grid):
    verified = release(released, "verify", cwd=tiny_grid)
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert f"{len(MODELS | DATASETS | MODULES)} repos are as they should be." in verified.stdout


def changed_card(hub: LocalHub) -> None:
    card = RepoCard(read(hub, "models", f"demo-models-{CELL}", "README.md").decode())
    card.data["model-index"][0]["results"][0]["metrics"][0]["value"] = 0.9999
    tamper(hub, "models", f"demo-models-{CELL}", "README.md", str(card).encode())


def other_predictions(hub: LocalHub) -> None:
    start = read(hub, "models", "demo-models-n100-s0", "predictions/hans.parquet")
    tamper(hub, "models", f"demo-models-{CELL}", "predictions/hans.parquet", start)


def other_result(hub: LocalHub) -> None:
    lineage = json.loads(read(hub, "models", f"demo-models-{CELL}", "lineage.json"))
    lineage["results"]["hans"] = 0.123
    tamper(hub, "models", f"demo-models-{CELL}", "lineage.json", json.dumps(lineage).encode())


def other_headline(hub: LocalHub) -> None:
    lineage = json.loads(read(hub, "models", f"demo-models-{CELL}", "lineage.json"))
    (hans,) = [headline for headline in lineage["results"]["headlines"] if headline["name"] == "hans"]
    hans["accuracy"] = 0.321
    tamper(hub, "models", f"demo-models-{CELL}", "lineage.json", json.dumps(lineage).encode())


def other_slice(hub: LocalHub) -> None:
    lineage = json.loads(read(hub, "models", f"demo-models-{CELL}", "lineage.json"))
    lineage["results"]["slices"][-1]["n"] += 1
    tamper(hub, "models", f"demo-models-{CELL}", "lineage.json", json.dumps(lineage).encode())


def no_parent(hub: LocalHub) -> None:
    repo(hub, "datasets", f"demo-variants-{KIND}").delete()


def broken_card(hub: LocalHub) -> None:
    tamper(hub, "datasets", f"demo-variants-{KIND}", "README.md", b"---\nlicense: [\n---\n")


def pickle(hub: LocalHub) -> None:
    tamper(hub, "models", "demo-generator", "pytorch_model.bin", b"x")


BY_PREDICTIONS = rf"demo-models-{CELL}: hans is [\d.]+ by its predictions"


@pytest.mark.parametrize(
    "damages",
    [
        [
            (changed_card, rf"demo-models-{CELL}: mnli_matched is [\d.]+ by its predictions, 0.9999 by the card"),
            (no_parent, rf"demo-models-{CELL}: parent train, blindspots/demo-variants-{KIND}, has no commit"),
            (pickle, "demo-generator: pytorch_model.bin may hold pickled code"),
        ],
        [
            (
                other_predictions,
                rf"demo-models-{CELL}: predictions/hans.parquet has another hash than lineage.json says",
            ),
            (broken_card, rf"demo-variants-{KIND}: the card can't be read"),
        ],
        [
            (other_result, rf"{BY_PREDICTIONS}, 0.123 by lineage.json"),
            (other_headline, rf"{BY_PREDICTIONS}, 0.321 by lineage.json"),
            (other_slice, rf"demo-models-{CELL}: slices in lineage.json are not those of its predictions"),
        ],
    ],
    ids=names_of,
)
def test_verify_names_what_is_wrong(released, tiny_grid, damages):
    require_named(released, tiny_grid, damages)


def test_a_tag_that_nobody_released_is_told(released, tiny_grid):
    told = released.run("scripts/release.py", "verify", *RELEASE[:3], "v9.9", cwd=tiny_grid)
    assert (told.returncode, "has the tag v9.9" in told.stderr) == (1, True)


# Collect


def test_a_release_is_collected_once(released, tiny_grid):
    first = release(released, "collect", cwd=tiny_grid)
    assert first.returncode == 0, first.stderr
    (made,) = released.store.collections()
    items = {(item["type"], item["id"].split("/")[1]) for item in made["items"]}
    assert items == {
        (kind, name)
        for kind, names in (("model", MODELS), ("dataset", DATASETS | {MANIFEST}), ("space", MODULES))
        for name in names
    }
    repo(released, "datasets", "demo-synthetic").delete()
    again = release(released, "collect", cwd=tiny_grid)
    assert again.returncode == 0, again.stderr
    (updated,) = released.store.collections()
    assert updated["slug"] == made["slug"]
    assert len(updated["items"]) == len(made["items"]) - 1


def test_a_private_collection_is_not_the_public_one_of_the_same_title(released, tiny_grid):
    assert release(released, "collect", cwd=tiny_grid).returncode == 0
    released.clear()
    private = ("--hub_private_repo", "true")
    refused = release(released, "collect", *private, cwd=tiny_grid)
    assert refused.returncode == 1
    assert "is public, and hub_private_repo asks for a private one. Make it private on the Hub" in refused.stderr
    assert released.requests("DELETE") == []
    (made,) = released.store.collections()
    released.store.write(released.store.collection_path(made["slug"]), made | {"private": True})
    assert release(released, "collect", *private, cwd=tiny_grid).returncode == 0


# What a stranger does with it


def run_snippet(snippet: str) -> dict:
    """The types of what a card's snippet leaves behind."""
    left: dict = {}
    exec(snippet, left)
    return {name: type(value).__name__ for name, value in left.items() if name in ("model", "tokenizer", "dataset")}


@pytest.mark.parametrize(
    ("kind", "name", "loaded"),
    [
        ("models", f"demo-models-{CELL}", "LlamaForSequenceClassification"),
        ("models", "demo-generator", "LlamaForCausalLM"),
        ("models", "demo-base", "LlamaForCausalLM"),
        ("datasets", "demo-corpus-mnli", "DatasetDict"),
        ("datasets", "demo-mnli", "DatasetDict"),
        ("datasets", "demo-synthetic", "DatasetDict"),
        ("datasets", f"demo-variants-{KIND}", "DatasetDict"),
        ("datasets", "demo-predictions-n100-s0", "DatasetDict"),
    ],
)
def test_the_snippet_of_every_kind_of_card_runs(released, kind, name, loaded):
    card = RepoCard(read(released, kind, name, "README.md").decode())
    (snippet,) = re.findall(r"```python\n(.*?)```", card.text, re.DOTALL)
    assert 'revision="v0.1"' in snippet
    left = released.call(run_snippet, snippet)
    assert left.get("model", left.get("dataset")) == loaded


def load_an_augmentation_set() -> list:
    from datasets import load_dataset

    rows = load_dataset("blindspots/demo-variants-synthetic", f"n{SIZE}", split="train", revision="v0.1")
    return [len(rows), rows.features["label"].names]


def score_by_released_module() -> dict:
    import evaluate

    metric = evaluate.load("blindspots/nli_blindspot", revision="v0.1")
    return metric.compute(
        predictions=["neutral"],
        references=["non-entailment"],
        test_set=["hans"],
        heuristic=["lexical_overlap"],
        subcase=["ln_passive"],
    )


def test_sets_and_modules_load_without_code_of_ours(released):
    assert released.call(load_an_augmentation_set) == [SIZE, ["entailment", "neutral", "contradiction"]]
    assert released.call(score_by_released_module)["hans_lo_non_entailment"] == 1.0


def test_an_adapter_is_tuned_on_a_released_base_pushed_and_loaded_as_its_card_says(released, tiny_grid):
    """LoRA on the base by id and tag, on a set by id and tag: the lineage holds the commits that were really got."""

    def tune(start: str, name: str, *words: object) -> None:
        rows = ("--train_dataset", f"blindspots/demo-variants-{KIND}@v0.1", "--train_config", f"n{SIZE}")
        model = ("--model_name_or_path", start, "--max_steps", 1)
        tuned = released.run(
            "scripts/finetune_task.py",
            "recipes/demo/task.yaml",
            *model,
            *rows,
            "--output_dir",
            released.home / "outputs" / name,
            *words,
            cwd=tiny_grid,
        )
        assert tuned.returncode == 0, tuned.stderr

    tune(
        "blindspots/demo-base@v0.1",
        "adapter",
        "--use_peft",
        "--lora_target_modules",
        "all-linear",
        "--lora_modules_to_save",
        "score",
        "--push_to_hub",
        *RELEASE,
    )
    lineage = json.loads(read(released, "models", "adapter", "lineage.json"))
    pinned = {parent["role"]: (parent["name"], parent["revision"]) for parent in lineage["parents"]}
    tagged = {
        role: repo(released, kind, name).refs("tags")["v0.1"]
        for role, kind, name in (("start", "models", "demo-base"), ("train", "datasets", f"demo-variants-{KIND}"))
    }
    assert pinned == {
        "start": ("blindspots/demo-base", tagged["start"]),
        "train": (f"blindspots/demo-variants-{KIND}", tagged["train"]),
    }
    adapter = json.loads(read(released, "models", "adapter", "adapter_config.json"))
    assert (adapter["base_model_name_or_path"], adapter["revision"]) == ("blindspots/demo-base", tagged["start"])
    card = RepoCard(read(released, "models", "adapter", "README.md").decode())
    assert card.data.base_model == ["blindspots/demo-base"]
    (snippet,) = re.findall(r"```python\n(.*?)```", card.text, re.DOTALL)
    assert released.call(run_snippet, snippet)["model"] == "PeftModelForSequenceClassification"
    tune("blindspots/adapter@v0.1", "further")


def test_the_token_is_nowhere_in_what_a_pushed_run_leaves(released_store, tiny_grid, released):
    again = release(released, "verify", cwd=tiny_grid)
    assert TOKEN not in again.stdout + again.stderr
    left = [tiny_grid / "outputs", tiny_grid / "recipes", released_store / "blobs", released.home]
    files = [file for folder in left for file in folder.rglob("*") if file.is_file()]
    assert len(files) > 100
    assert [file for file in files if TOKEN.encode() in file.read_bytes()] == []
