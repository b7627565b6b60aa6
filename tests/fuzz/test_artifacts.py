"""Damaged lineages, leftovers of killed runs, released folders and files of test sets: told, or without effect."""

import json
import shutil
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file

import reproduce_cell  # noqa: F401
from blindspots.artifacts.inputs import Source
from blindspots.artifacts.names import parse_lineage
from blindspots.config.paths import TEST_SETS
from blindspots.data import test_sets

from . import reading
from .damage import Bytes, Json, byte_damages, json_damages
from .made_inputs import READS, RECIPES, flag, put
from .model_folders import Replaced
from .running import OUT, Ending, attempt, contents, run, scratch
from .test_reports import damage_predictions, predictions_damages

COMMIT = "a" * 40
# What is said of a second run that was made and differs.
COMPARED = ("other rows", "differently", "Outside the tolerance")
LINEAGE_KEYS = """
artifact artifact_type content_sha256 parents results files license recipe precision row_counts
""".split()
TEST_SET_KEYS = """
slices allowed cluster headlines both_sides titles columns label_names folding rows sha256 unlabelled
""".split()


def words_of(keys: dict[str, Any]) -> list[object]:
    """A command line."""
    return [word for key, value in keys.items() for word in flag(key, value)]


def file_damages(*keys: str) -> st.SearchStrategy[Bytes | Json | Replaced]:
    """Damages of a JSON file; it may also be gone."""
    values = json_damages(*keys)
    return st.one_of(values, values, byte_damages(), st.builds(Replaced, st.sampled_from(["folder", "link", "loop"])))


def damage_file(file: Path, damage: Callable) -> None:
    """Damage a file's content, or put something else in its place."""
    if isinstance(damage, Replaced):
        damage(file)
    else:
        file.write_bytes(damage(file.read_bytes()))


# Lineages of parents


def lineages() -> st.SearchStrategy[tuple[str, Callable]]:
    """A reader of LINEAGES and a damage of the lineage that it reads."""
    return st.tuples(st.sampled_from(sorted(LINEAGES)), file_damages(*LINEAGE_KEYS))


def same_pools(folder: Path, inputs: Path, out: Path, ending: Ending) -> None:
    """The sets are drawn from the same rows, and the parents go by the hashes of their own lineages."""
    sets = "data/n6/train-00000-of-00001.parquet"
    assert reading.artifact_pairs(out / sets) == reading.artifact_pairs(inputs / "sets" / sets)
    for parent in json.loads((out / "lineage.json").read_text())["parents"]:
        own = folder / parent["name"] / "lineage.json"
        assert not own.is_file() or parent["content_sha256"] == json.loads(own.read_bytes())["content_sha256"]


def same_predictions(folder: Path, inputs: Path, out: Path, ending: Ending) -> None:
    """The predictions are those that the model was saved with."""
    for test in ("mnli_matched", "hans"):
        one, other = (pd.read_parquet(path / f"predictions/{test}.parquet") for path in (out, inputs / "model"))
        assert one.drop(columns=one.filter(like="logit").columns).equals(
            other.drop(columns=other.filter(like="logit").columns)
        )
        assert np.allclose(one.filter(like="logit"), other.filter(like="logit"), atol=1e-2)


def same_grid(folder: Path, inputs: Path, out: Path, ending: Ending) -> None:
    """The report has the numbers of the kept one."""
    one, other = (pd.read_csv(path / "grid.csv", index_col="model") for path in (out, inputs / "kept"))
    assert one.equals(other)


def planned(folder: Path, inputs: Path, out: Path, ending: Ending) -> None:
    """Every artifact is in the plan, by its name."""
    files = [file for file in (folder / "artifacts").glob("*/lineage.json") if file.is_file()]
    names = [json.loads(file.read_bytes())["artifact"] for file in files]
    assert all(name in ending.stdout for name in names)
    assert f"{len(names) + 1} repos" in ending.stdout


def audited(folder: Path, inputs: Path, out: Path, ending: Ending) -> None:
    assert json.loads((out / "audit.json").read_text())["dataset"]["rows"] == 21


LINEAGES = {
    "pool": ("build_variants", ["prepared", "synthetic"], "prepared", RECIPES["build_variants"], same_pools),
    "model": (
        "evaluate_task",
        ["model", "mnli", "hans"],
        "model",
        RECIPES["evaluate_task"] | {"model": "model"},
        same_predictions,
    ),
    "cell": ("report", ["models"], "models/n0-original-n60-s0", RECIPES["report"], same_grid),
    "release": ("release", ["artifacts", "modules"], "artifacts/prepared", RECIPES["release"], planned),
    "audited": (
        "audit_dataset",
        ["mnli", "prepared"],
        "prepared",
        RECIPES["audit_dataset"] | {"dataset": "prepared", "dataset_config": "full", "reference": "mnli"},
        audited,
    ),
}


@pytest.mark.slow
@settings(max_examples=150, suppress_health_check=list(HealthCheck))
@given(case=lineages())
def test_a_damaged_lineage_is_told_or_changes_nothing(all_inputs, case):
    check_lineage(all_inputs, case)


def check_lineage(inputs: Path, case: tuple[str, Callable]) -> None:
    name, damage = case
    script, reads, damaged, keys, right = LINEAGES[name]
    with scratch() as folder:
        put(inputs, folder, *reads)
        damage_file(folder / damaged / "lineage.json", damage)
        words = words_of(keys if script == "release" else keys | {"output_dir": OUT})
        names = ["lineage.json", damaged, "artifact"]
        attempt(script, "lineage", words, folder, names, lambda out, ending: right(folder, inputs, out, ending))


# Former outputs


@pytest.mark.slow
@settings(max_examples=40, suppress_health_check=list(HealthCheck))
@given(damage=file_damages(*LINEAGE_KEYS))
def test_a_former_output_with_a_damaged_lineage_is_replaced_whole_or_kept_whole(inputs, damage):
    check_former(inputs, damage)


def check_former(inputs: Path, damage: Callable) -> None:
    with scratch() as folder:
        put(inputs, folder, *READS["prepare_mnli"])
        shutil.copytree(inputs / "prepared", folder / "former")
        damage_file(folder / "former/lineage.json", damage)
        before = contents(folder)
        ending = run("prepare_mnli", words_of(RECIPES["prepare_mnli"] | {"output_dir": "former"}), folder)
        if ending.code:
            assert contents(folder) == before
            assert ending.stderr.splitlines()[-1].startswith("error: output_dir former")
        else:
            data = "data/full/train-00000-of-00001.parquet"
            assert (folder / "former" / data).read_bytes() == (inputs / "prepared" / data).read_bytes()


# What a killed run left


def leftovers() -> st.SearchStrategy[tuple[str, int, Callable]]:
    """A script, which of the files that its killed run left, and a damage of it."""
    replaced = st.builds(Replaced, st.sampled_from(["gone", "folder", "link", "loop"]))
    return st.tuples(
        st.sampled_from(["generate_synthetic", "finetune_task"]),
        st.integers(0, 60),
        st.one_of(byte_damages(), replaced),
    )


CHECKPOINTS = {"max_steps": 3, "save_strategy": "steps", "save_steps": 1}


def keys_of(script: str) -> dict[str, Any]:
    """The keys of a run that is killed."""
    return RECIPES[script] | (CHECKPOINTS if script == "finetune_task" else {}) | {"output_dir": OUT}


def kill(script: str, folder: Path) -> None:
    """Run a script that is killed before its artifact is put in place, a training before its last checkpoint."""
    with patch("blindspots.artifacts.folder.save_artifact", side_effect=KeyboardInterrupt):
        assert run(script, words_of(keys_of(script)), folder).code == 130
    shutil.rmtree(folder / f".{OUT}.work/checkpoints/checkpoint-3", ignore_errors=True)


@pytest.fixture(scope="session")
def killed(inputs, tmp_path_factory) -> dict[str, Path]:
    """By script, a folder in which it was killed, and one in which it ended."""
    found = {}
    for script in ("generate_synthetic", "finetune_task"):
        for name, end in {
            "killed": kill,
            "whole": lambda script, folder: run(script, words_of(keys_of(script)), folder),
        }.items():
            folder = tmp_path_factory.mktemp(f"{script}-{name}")
            put(inputs, folder, *READS[script])
            end(script, folder)
            found[f"{script} {name}"] = folder
    return found


@pytest.mark.slow
@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(case=leftovers())
def test_a_run_goes_on_from_what_is_whole(killed, case):
    check_leftover(killed, case)


def check_leftover(killed: dict[str, Path], case: tuple[str, int, Callable]) -> None:
    script, which, damage = case
    with scratch() as scratch_folder:
        folder = scratch_folder / "run"
        shutil.copytree(killed[f"{script} killed"], folder, symlinks=True)
        files = sorted(path for path in (folder / f".{OUT}.work").rglob("*") if path.is_file())
        damage_file(files[which % len(files)], damage)
        whole = killed[f"{script} whole"] / OUT

        def right(out: Path, ending: Ending) -> None:
            if script == "generate_synthetic":
                rows = "data/full/train-00000-of-00001.parquet"
                assert pd.read_parquet(out / rows).equals(pd.read_parquet(whole / rows))
            else:
                one, other = (load_file(path / "model.safetensors") for path in (out, whole))
                assert all(one[name].equal(other[name]) for name in other)

        attempt(script, "leftovers", words_of(keys_of(script)), folder, [f".{OUT}.work"], right)


# A released model


def released_cases() -> st.SearchStrategy[tuple[str, Any]]:
    """A file of a released model and its damage."""
    return st.one_of(
        st.tuples(st.just("lineage.json"), st.one_of(json_damages(*LINEAGE_KEYS), byte_damages())),
        st.tuples(st.just("recipe.yaml"), byte_damages()),
        st.tuples(st.just("hans"), predictions_damages()),
    )


@pytest.mark.slow
@settings(max_examples=80, suppress_health_check=list(HealthCheck))
@given(case=released_cases())
def test_a_damaged_release_is_told(all_inputs, case):
    check_released(all_inputs, case)


def check_released(inputs: Path, case: tuple[str, Any]) -> None:
    """The Hub's answers come from a folder, and the evaluation from the artifact that was released."""
    name, damage = case
    with scratch() as folder:
        put(inputs, folder, "model")
        lineage = json.loads((folder / "model/lineage.json").read_text())
        for parent in lineage["parents"]:
            parent |= {"name": f"someone/{parent['role']}", "revision": COMMIT}
        (folder / "model/lineage.json").write_text(json.dumps(lineage))
        if name == "hans":
            if not damage_predictions(folder / "model/predictions/hans.parquet", damage):
                return
        else:
            damage_file(folder / "model" / name, damage)

        def evaluated(launch: str, script: str, *words: str, output_dir: Path, **keys: object) -> None:
            assert script == "evaluate_task.py"
            given = yaml.safe_load(Path(words[0]).read_text())
            assert given.keys() <= {"model", "model_revision", "test_sets", "eval_batch_tokens"} | {
                f"{test}{ending}"
                for test in ("mnli", "hans")
                for ending in ("", "_revision", "_rows", "_expected_rows")
            }
            shutil.copytree(inputs / "model/predictions", output_dir / "predictions")

        def right(out: Path, ending: Ending) -> None:
            assert "0 rows are predicted differently" in ending.stdout

        source = Source("someone/demo-models-n0-synthetic-n60-s0", folder / "model", COMMIT, "model")
        hub = {
            "blindspots.artifacts.inputs.fetch": lambda *words: source,
            "blindspots.artifacts.remote.remote_lineage": lambda *words: parse_lineage(
                (folder / "model/lineage.json").read_bytes(), "model: lineage.json"
            ),
            "blindspots.release.reproduce.released_predictions": lambda *words: {0: folder / "model"},
            "reproduce_cell.run": evaluated,
        }
        words = words_of(RECIPES["reproduce_cell"] | {"output_dir": OUT, "from_release": True})
        with ExitStack() as stack:
            for target, value in hub.items():
                stack.enter_context(patch(target, value))
            names = ["model", "released", name]
            attempt("reproduce_cell", "released model", words, folder, names, right, COMPARED)


# Files of test sets


@pytest.mark.slow
@settings(max_examples=80, suppress_health_check=list(HealthCheck))
@given(damage=st.one_of(json_damages(*TEST_SET_KEYS), byte_damages()))
def test_a_damaged_file_of_a_test_set_is_told_or_changes_nothing(inputs, damage):
    check_test_set(inputs, damage)


def check_test_set(inputs: Path, damage: Callable) -> None:
    with scratch() as folder:
        put(inputs, folder, "start", "mnli")
        shutil.copytree(TEST_SETS, folder / "test_sets")
        file = folder / "test_sets/mnli_matched.yaml"
        if isinstance(damage, Json):
            document = json.dumps(yaml.safe_load(file.read_bytes())).encode()
            file.write_text(yaml.safe_dump(json.loads(damage(document))))
        else:
            file.write_bytes(damage(file.read_bytes()))

        def right(out: Path, ending: Ending) -> None:
            rows = pd.read_parquet(out / "predictions/mnli_matched.parquet")
            before = pd.read_parquet(inputs / "mnli/data/validation_matched-00000-of-00001.parquet")
            meant = yaml.safe_load(file.read_bytes())
            labels = meant.get("label_names") or {}
            golds = [reading.LABELS[label] for label in before["label"]]
            assert labels or rows["gold"].tolist() == golds or meant["split"] != "validation_matched"

        test_sets.test_set.cache_clear()
        with patch.object(test_sets, "TEST_SETS", folder / "test_sets"):
            words = words_of({"model": "start", "mnli": "mnli", "output_dir": OUT})
            names = ["mnli", "test_sets", "label"]
            attempt("evaluate_task", "file of a test set", words, folder, names, right)
        test_sets.test_set.cache_clear()
