"""Verify against the manifest: what was moved, emptied, deleted or added under the tag of a release is named."""

import json
import re

import pytest

from .local_hub import LocalHub
from .made_artifacts import dataset_artifact
from .test_release import CELL, KIND, MANIFEST, names_of, read, release, repo, require_named, tamper

pytestmark = pytest.mark.hub

PREDICTIONS = "demo-predictions-n100-s0"
EVAL_RESULTS = ".eval_results/nli.yaml"


def move(hub: LocalHub, kind: str, name: str) -> None:
    """The tag to another commit of the same content."""
    held = repo(hub, kind, name)
    held.set_ref("tags", "v0.1", held.push("main", [{"key": "header", "value": {"summary": "x"}}], author="someone"))


def lineage_as(content: bytes):
    def other_lineage(hub: LocalHub) -> None:
        tamper(hub, "datasets", PREDICTIONS, "lineage.json", content)

    return other_lineage


def no_lineage(hub: LocalHub) -> None:
    held = repo(hub, "datasets", PREDICTIONS)
    change = [{"key": "header", "value": {"summary": "x"}}, {"key": "deletedFile", "value": {"path": "lineage.json"}}]
    held.set_ref("tags", "v0.1", held.push("main", change, author="someone"))


def moved_leaf(hub: LocalHub) -> None:
    move(hub, "datasets", PREDICTIONS)


def moved_input(hub: LocalHub) -> None:
    move(hub, "datasets", "demo-mnli")


def moved_space(hub: LocalHub) -> None:
    move(hub, "spaces", "nli_blindspot")


def deleted_leaf(hub: LocalHub) -> None:
    repo(hub, "datasets", PREDICTIONS).delete()


def untagged_parent(hub: LocalHub) -> None:
    repo(hub, "datasets", f"demo-variants-{KIND}").delete_ref("tags", "v0.1")


def no_manifest(hub: LocalHub) -> None:
    repo(hub, "datasets", MANIFEST).delete()


def broken_manifest(hub: LocalHub) -> None:
    tamper(hub, "datasets", MANIFEST, "release.json", b'{"repos": [{"repo": "../x"}]}')


def manifest_named_twice(hub: LocalHub) -> None:
    manifest = read(hub, "datasets", MANIFEST, "release.json")
    tamper(hub, "datasets", MANIFEST, "release.json", manifest.rstrip()[:-1] + b', "repos": []}')


def stranger(hub: LocalHub) -> None:
    added = hub.store.create_repo("models", "blindspots/other")
    added.set_ref("tags", "v0.1", added.refs("heads")["main"])


def odd_card(hub: LocalHub) -> None:
    tamper(hub, "models", f"demo-models-{CELL}", "README.md", b"---\nmodel-index: 3\nlicense: {a: [1]}\n---\n")


def no_results(hub: LocalHub) -> None:
    lineage = json.loads(read(hub, "models", f"demo-models-{CELL}", "lineage.json"))
    tamper(hub, "models", f"demo-models-{CELL}", "lineage.json", json.dumps(lineage | {"results": {}}).encode())


def other_results(hub: LocalHub) -> None:
    shown = read(hub, "models", f"demo-models-{CELL}", EVAL_RESULTS)
    tamper(hub, "models", f"demo-models-{CELL}", EVAL_RESULTS, re.sub(rb"value: \S+", b"value: 0.9", shown))


def results_without_evaluation(hub: LocalHub) -> None:
    shown = read(hub, "models", f"demo-models-{CELL}", EVAL_RESULTS)
    tamper(hub, "models", "demo-generator", EVAL_RESULTS, shown)


def results_gone(hub: LocalHub) -> None:
    held = repo(hub, "models", f"demo-models-{CELL}")
    gone = [
        {"key": "header", "value": {"summary": "x"}},
        {"key": "deletedFile", "value": {"path": EVAL_RESULTS}},
    ]
    held.set_ref("tags", "v0.1", held.push("main", gone, author="someone"))


def broken_results(hub: LocalHub) -> None:
    tamper(hub, "models", f"demo-models-{CELL}", EVAL_RESULTS, b"- [")


MOVED = r"the tag v0.1 was moved from [0-9a-f]{40} to [0-9a-f]{40}"
GONE = "it belongs to the release and is gone, or has no tag v0.1 any more"
OF_CELL, OF_PREDICTIONS = f"demo-models-{CELL}", rf"{PREDICTIONS}@\w+: lineage.json"
OTHER_RESULTS = r"\.eval_results/nli\.yaml does not show the results"


@pytest.mark.parametrize(
    "damages",
    [
        [
            (moved_leaf, f"{PREDICTIONS}: {MOVED}"),
            (moved_input, f"demo-mnli: {MOVED}"),
            (moved_input, "demo-models-n100-s0: parent train, blindspots/demo-mnli, has the tag v0.1 no more"),
            (odd_card, rf"{OF_CELL}: its metrics can't be checked"),
        ],
        [
            (deleted_leaf, f"{PREDICTIONS}: {GONE}"),
            (untagged_parent, f"demo-variants-{KIND}: {GONE}"),
            (untagged_parent, rf"{OF_CELL}: parent train, \S+ has the tag v0.1 no more"),
            (other_results, f"{OF_CELL}: {OTHER_RESULTS}"),
        ],
        [
            (no_lineage, f"{PREDICTIONS}: it has no lineage.json"),
            (moved_space, f"nli_blindspot: {MOVED}"),
            (results_gone, f"{OF_CELL}: {OTHER_RESULTS}"),
        ],
        [
            (lineage_as(b"{}"), f"{OF_PREDICTIONS} can't be used: its artifact is missing"),
            (stranger, "other: it has the tag v0.1 and does not belong to the release"),
            (results_without_evaluation, f"demo-generator: {OTHER_RESULTS}"),
        ],
        [
            (lineage_as(b"[]"), f"{OF_PREDICTIONS} can't be used: it is not a lineage"),
            (no_manifest, f"{MANIFEST}: there is no manifest of v0.1"),
            (broken_results, f"{OF_CELL}: its results can't be checked"),
        ],
        [
            (lineage_as(b"null"), f"{OF_PREDICTIONS} can't be used: it is not a lineage"),
            (broken_manifest, f"{MANIFEST}@v0.1: release.json can't be read"),
            (no_results, rf"{OF_CELL}: hans is [\d.]+ by its predictions, None by lineage.json"),
        ],
        [
            (lineage_as(b"\xff{"), f"{OF_PREDICTIONS} can't be read"),
            (manifest_named_twice, f"{MANIFEST}@v0.1: release.json can't be read"),
        ],
    ],
    ids=names_of,
)
def test_verify_names_what_is_not_as_it_was_released(released, tiny_grid, damages):
    require_named(released, tiny_grid, damages)


def test_every_repo_is_looked_at_and_every_fault_has_its_line(released, tiny_grid):
    for damage in (odd_card, lineage_as(b"null"), stranger, moved_space):
        damage(released)
    verified = release(released, "verify", cwd=tiny_grid)
    lines = verified.stdout.splitlines()
    named = {line.split(":")[0].split("@")[0].removeprefix("blindspots/") for line in lines}
    assert {f"demo-models-{CELL}", PREDICTIONS, "other", "nli_blindspot"} <= named
    assert f"error: {len(lines)} things are wrong with the release." in verified.stderr


def test_a_file_damaged_in_the_cache_is_fetched_again_and_not_blamed_on_the_release(released, tiny_grid):
    assert release(released, "verify", cwd=tiny_grid).returncode == 0
    blobs = [file for file in (released.home / "hub").glob("*/blobs/*") if file.is_file()]
    assert len(blobs) > 20
    for blob in blobs:
        blob.write_bytes(b"\xff" + blob.read_bytes()[1:])
    verified = release(released, "verify", cwd=tiny_grid)
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert "lineage.json is damaged and is fetched again" in verified.stdout


# A finished release is not pushed into


def test_a_finished_release_takes_no_further_repos_under_its_tag(released, tiny_grid, tmp_path):
    further = dataset_artifact(tmp_path / "outputs/demo/further")
    refused = release(released, "push", str(further), cwd=tiny_grid)
    assert refused.returncode == 1
    assert refused.stderr == (
        "error: The release v0.1 is finished and does not hold blindspots/demo-further. Raise hub_tag.\n"
    )
    assert released.requests("POST") == []


def test_a_finished_release_takes_nothing_more_and_is_not_repaired(released, tiny_grid):
    repo(released, "datasets", PREDICTIONS).delete()
    refused = release(released, "push", "outputs/demo", cwd=tiny_grid)
    assert refused.returncode == 1
    assert f"blindspots/{PREDICTIONS}: {GONE}. A release is not repaired" in refused.stderr
    assert released.requests("POST") == []
