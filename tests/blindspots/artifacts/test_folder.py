"""Artifact folders: whole or not at all, locked, resumable only by the same run, described."""

import json
from threading import Thread

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from huggingface_hub import DatasetCard

from blindspots.artifacts import folder
from blindspots.artifacts.folder import artifact_name, output_folder, publish, resolved_recipe, resume_or_clear
from blindspots.config.errors import UserError
from blindspots.config.parser import parse_recipe
from blindspots.config.recipes import PrepareRecipe


def recipe(folder, **keys) -> PrepareRecipe:
    return PrepareRecipe(output_dir=str(folder), mnli="somewhere", **keys)


def make(folder, text: str, **keys) -> None:
    """Publish an artifact of one file."""
    made = recipe(folder, **keys)
    with output_folder(made, "prepared_mnli") as out:
        data = out.staging / "data" / "full"
        data.mkdir(parents=True)
        pq.write_table(pa.table({"premise": [text]}), data / "train-00000-of-00001.parquet")
        publish(out, resolved_recipe(made), {}, {"rows": 1})


def held(folder) -> str:
    """The text that `make` wrote into an artifact."""
    return pq.read_table(folder / "data/full/train-00000-of-00001.parquet")["premise"][0].as_py()


def test_an_artifact_is_described_and_its_recipe_is_one(tmp_path):
    make(tmp_path / "a", "one")
    lineage = json.loads((tmp_path / "a" / "lineage.json").read_text())
    assert lineage["row_counts"] == {"rows": 1}
    assert set(lineage["files"]) == {"data/full/train-00000-of-00001.parquet", "recipe.yaml"}
    for key in ("code_commit", "versions", "hardware", "wall_time_s", "recipe_sha256", "content_sha256", "parents"):
        assert key in lineage
    again = parse_recipe(PrepareRecipe, argv=[str(tmp_path / "a" / "recipe.yaml"), "--output_dir", "x"])
    assert again[0].mnli == "somewhere"
    card = DatasetCard.load(tmp_path / "a" / "README.md")
    assert card.data.configs[0]["config_name"] == "full"
    assert yaml.safe_load((tmp_path / "a" / "recipe.yaml").read_text())["seed"] == 42


def test_content_does_not_depend_on_where_it_lies(tmp_path):
    make(tmp_path / "a", "one")
    make(tmp_path / "b", "one")
    one, other = (json.loads((tmp_path / name / "lineage.json").read_text()) for name in "ab")
    assert one["content_sha256"] == other["content_sha256"]
    assert one["recipe_sha256"] == other["recipe_sha256"]


def test_a_failed_run_leaves_the_old_artifact_whole(tmp_path):
    make(tmp_path / "a", "old")

    def fill_the_disk():
        with output_folder(recipe(tmp_path / "a"), "prepared_mnli") as out:
            (out.staging / "half").write_text("half")
            raise OSError(28, "No space left on device")

    with pytest.raises(UserError, match="disk is full"):
        fill_the_disk()
    assert held(tmp_path / "a") == "old"
    make(tmp_path / "a", "new")
    assert held(tmp_path / "a") == "new"
    assert not (tmp_path / "a" / "half").exists()


def test_a_run_killed_between_the_two_renames_loses_nothing(tmp_path, monkeypatch):
    make(tmp_path / "a", "old")
    swap = artifacts._swap

    def killed(folder):
        folder.final.rename(folder.replaced)
        raise KeyboardInterrupt

    monkeypatch.setattr(artifacts, "_swap", killed)
    with pytest.raises(KeyboardInterrupt):
        make(tmp_path / "a", "new")
    assert not (tmp_path / "a").exists()
    monkeypatch.setattr(artifacts, "_swap", swap)
    with output_folder(recipe(tmp_path / "a"), "prepared_mnli"):
        assert held(tmp_path / "a") == "old"


def test_a_second_run_of_one_folder_is_told_so(tmp_path):
    with (
        output_folder(recipe(tmp_path / "a"), "prepared_mnli"),
        pytest.raises(UserError, match="Another run is writing"),
        output_folder(recipe(tmp_path / "a"), "prepared_mnli"),
    ):
        pass


def test_only_the_same_recipe_and_inputs_go_on_from_what_a_killed_run_left(tmp_path):
    made = recipe(tmp_path / "a")
    for keys, kept in (({}, True), ({"seed": 1}, False)):
        with output_folder(made, "prepared_mnli") as out:
            resume_or_clear(out, resolved_recipe(made), {})
            (out.work / "checkpoint").write_text("half-way")
        made = recipe(tmp_path / "a", **keys)
        with output_folder(made, "prepared_mnli") as out:
            resume_or_clear(out, resolved_recipe(made), {})
            assert (out.work / "checkpoint").exists() == kept
            assert out.staging.is_dir()


def test_output_dir_may_not_be_a_file(tmp_path):
    (tmp_path / "a").write_text("x")
    with pytest.raises(UserError, match="is a file"), output_folder(recipe(tmp_path / "a"), "prepared_mnli"):
        pass


@pytest.mark.parametrize(
    ("folder", "name"), [("/x/outputs/demo/models/n5-s0", "demo-models-n5-s0"), ("/x/elsewhere/mine", "mine")]
)
def test_the_name_of_an_artifact_is_its_path_below_outputs(folder, name):
    from pathlib import Path

    assert artifact_name(Path(folder)) == name


def test_a_disk_that_fills_up_while_the_artifact_is_described_leaves_the_old_one(tmp_path, monkeypatch):
    make(tmp_path / "a", "old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(artifacts, "write_card", full)
    with pytest.raises(UserError, match=r"The disk is full; .* was left as it was"):
        make(tmp_path / "a", "new")
    assert held(tmp_path / "a") == "old"


def test_a_run_that_may_wait_writes_after_the_one_that_holds_the_folder(tmp_path):
    first = output_folder(recipe(tmp_path / "a"), "prepared_mnli")
    first.__enter__()
    waiting = Thread(target=make, args=(tmp_path / "a", "second"), kwargs={"wait_for_lock": True})
    waiting.start()
    waiting.join(0.2)
    assert waiting.is_alive()
    assert not (tmp_path / "a").exists()
    first.__exit__(None, None, None)
    waiting.join(30)
    assert held(tmp_path / "a") == "second"
