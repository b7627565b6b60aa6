"""Artifact folders: whole or not at all, locked, resumable only by the same run, described."""

import json
import os
from collections.abc import Callable
from threading import Thread

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from huggingface_hub import DatasetCard

from blindspots.artifacts.folder import (
    only_to_push,
    output_folder,
    resolved_recipe,
    resume_or_clear,
    save_artifact,
)
from blindspots.artifacts.names import read_lineage
from blindspots.artifacts.push import check_push
from blindspots.config.errors import UserError
from blindspots.config.parser import parse_recipe
from blindspots.config.recipes import EvaluateRecipe, PrepareRecipe

UMASK = os.umask(0)
os.umask(UMASK)


def recipe(folder, **keys) -> PrepareRecipe:
    return PrepareRecipe(output_dir=str(folder), mnli="somewhere", **keys)


def make(folder, text: str, meanwhile: Callable[[], None] = lambda: None, resume: bool = False, **keys) -> None:
    """Save an artifact of one file; `meanwhile` happens before it takes its place."""
    made = recipe(folder, **keys)
    with output_folder(made, "prepared_mnli") as out:
        if resume:
            resume_or_clear(out, resolved_recipe(made), {})
        data = out.staging / "data" / "full"
        data.mkdir(parents=True)
        pq.write_table(pa.table({"premise": [text]}), data / "train-00000-of-00001.parquet")
        meanwhile()
        save_artifact(out, resolved_recipe(made), {}, {"rows": 1})


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

    def killed(new, final, replaced, strange):
        final.rename(replaced)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("blindspots.artifacts.folder.swap_folder", killed)
        with pytest.raises(KeyboardInterrupt):
            make(tmp_path / "a", "new")
    assert not (tmp_path / "a").exists()
    with output_folder(recipe(tmp_path / "a"), "prepared_mnli"):
        assert held(tmp_path / "a") == "old"


def test_a_second_run_of_one_folder_is_refused(tmp_path):
    with (
        output_folder(recipe(tmp_path / "a"), "prepared_mnli"),
        pytest.raises(UserError, match="Another run is writing"),
        output_folder(recipe(tmp_path / "a"), "prepared_mnli"),
    ):
        pass


def test_only_the_same_recipe_and_inputs_continue_what_a_killed_run_left(tmp_path):
    made = recipe(tmp_path / "a")
    for keys, kept in (({}, True), ({"seed": 1}, False)):
        with output_folder(made, "prepared_mnli") as out:
            resume_or_clear(out, resolved_recipe(made), {})
            (out.work / "checkpoints").write_text("half-way")
        made = recipe(tmp_path / "a", **keys)
        with output_folder(made, "prepared_mnli") as out:
            resume_or_clear(out, resolved_recipe(made), {})
            assert (out.work / "checkpoints").exists() == kept
            assert out.staging.is_dir()


def test_the_lineage_has_the_time_and_code_of_the_runs_that_it_continues(tmp_path, monkeypatch):
    made = recipe(tmp_path / "a")
    for started, left, commit in ((1_000, 1_060, "1" * 40), (2_000, 2_005, "2" * 40)):
        monkeypatch.setattr("blindspots.artifacts.folder.code_commit", lambda commit=commit: commit)
        with output_folder(made, "prepared_mnli") as out:
            out.started = started
            resume_or_clear(out, resolved_recipe(made), {})
            (out.work / "checkpoints").write_text("half-way")
            for file in (out.work / "run", out.work / "checkpoints"):
                os.utime(file, (left, left))
    monkeypatch.setattr("blindspots.artifacts.folder.code_commit", lambda: "3" * 40)
    make(tmp_path / "a", "one", resume=True)
    lineage = read_lineage(tmp_path / "a")
    assert lineage["code_commit"] == "3" * 40
    assert lineage["earlier_runs"] == [
        {"code_commit": "1" * 40, "wall_time_s": 60.0},
        {"code_commit": "2" * 40, "wall_time_s": 5.0},
    ]
    assert 65 <= lineage["wall_time_s"] < 125
    card = (tmp_path / "a" / "README.md").read_text()
    assert f"It continues an interrupted run of 60.0 s by commit `{'1' * 40}`" in card


def test_what_was_cleared_is_no_earlier_run(tmp_path):
    for seed in (0, 1):
        made = recipe(tmp_path / "a", seed=seed)
        with output_folder(made, "prepared_mnli") as out:
            resume_or_clear(out, resolved_recipe(made), {})
            assert out.earlier == []


def test_an_artifact_that_is_only_to_be_pushed_is_not_made_again(tmp_path, capsys):
    make(tmp_path / "a", "one")
    capsys.readouterr()
    for keys, expected in (({}, False), ({"push_to_hub": True}, True), ({"push_to_hub": True, "seed": 1}, False)):
        asked = recipe(tmp_path / "a", **keys)
        with output_folder(asked, "prepared_mnli") as out:
            assert only_to_push(out, resolved_recipe(asked), {}) == expected
            assert out.work.exists() != expected
        assert ("it is only pushed" in capsys.readouterr().out) == expected
    assert held(tmp_path / "a") == "one"


def test_a_recipe_as_it_ran_has_the_defaults_but_no_test_sets_that_were_not_named():
    made = EvaluateRecipe(output_dir="o", model="m", hans="folder", hans_rows=30)
    resolved = resolved_recipe(made, {"learning_rate": 0.1})
    assert resolved["dtype"] == "auto"
    assert resolved["model_revision"] is None
    assert resolved["learning_rate"] == 0.1
    assert {key: value for key, value in resolved.items() if key.startswith(("hans", "mnli", "snli"))} == {
        "hans": "folder",
        "hans_rows": 30,
    }
    assert list(resolved) == sorted(resolved)


def test_output_dir_may_not_be_a_file(tmp_path):
    (tmp_path / "a").write_text("x")
    with pytest.raises(UserError, match="is a file"), output_folder(recipe(tmp_path / "a"), "prepared_mnli"):
        pass


def test_a_disk_that_fills_up_while_the_artifact_is_described_leaves_the_old_one(tmp_path, monkeypatch):
    make(tmp_path / "a", "old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("blindspots.artifacts.folder.write_card", full)
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


@pytest.mark.parametrize("name", [".x", "a\nb", "-x", " x"])
def test_a_folder_whose_name_no_artifact_can_have_is_refused_before_any_work(tmp_path, name):
    with (
        pytest.raises(UserError, match="can't be the name of an artifact"),
        output_folder(recipe(tmp_path / name), "x"),
    ):
        pass
    assert not list(tmp_path.iterdir())


def test_a_link_in_a_former_artifact_is_somebody_elses(tmp_path):
    make(tmp_path / "a", "old")
    (tmp_path / "notes").mkdir()
    (tmp_path / "a/notes").symlink_to(tmp_path / "notes")
    with pytest.raises(UserError, match="holds notes, which is not of a former"):
        make(tmp_path / "a", "new")
    assert (tmp_path / "a/notes").is_symlink()


def test_an_artifact_of_another_type_is_not_replaced(tmp_path):
    make(tmp_path / "a", "old")
    with (
        pytest.raises(UserError, match=r"holds README\.md, which is not of a former task_model artifact"),
        output_folder(recipe(tmp_path / "a"), "task_model"),
    ):
        pass
    assert held(tmp_path / "a") == "old"


@pytest.mark.parametrize("lineage", ["", "[]", "null", "{}", '{"artifact_type": "prepared_mnli"}', "not json"])
def test_a_folder_with_a_lineage_that_is_not_ours_is_not_replaced(tmp_path, lineage):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "lineage.json").write_text(lineage)
    with pytest.raises(UserError, match=r"holds lineage\.json"):
        make(tmp_path / "a", "new")


@pytest.mark.parametrize("former", [True, False])
@pytest.mark.parametrize("name", ["my notes.txt", "data/mine.parquet"])
def test_a_file_that_comes_during_the_run_is_kept_and_so_is_the_finished_artifact(tmp_path, former, name):
    if former:
        make(tmp_path / "a", "old")

    def put() -> None:
        (tmp_path / "a" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "a" / name).write_text("mine")

    with pytest.raises(UserError, match=rf"a/{name} was put there during the run") as told:
        make(tmp_path / "a", "finished", put)
    assert (tmp_path / "a" / name).read_text() == "mine"
    assert not former or held(tmp_path / "a") == "old"
    finished = tmp_path / ".a.work/artifact"
    assert str(finished) in str(told.value)
    assert held(finished) == "finished"
    with pytest.raises(UserError, match=rf"holds {name}, which is not of a former"):
        make(tmp_path / "a", "new")
    assert held(finished) == "finished"
    (tmp_path / "a" / name).unlink()
    make(tmp_path / "a", "new")
    assert held(tmp_path / "a") == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_the_commit_is_that_of_the_code_that_began_the_run(tmp_path, monkeypatch):
    commits = iter(["a" * 40, "b" * 40])
    monkeypatch.setattr("blindspots.artifacts.folder.code_commit", lambda: next(commits))
    make(tmp_path / "a", "one")
    assert json.loads((tmp_path / "a/lineage.json").read_text())["code_commit"] == "a" * 40
    assert list(commits) == ["b" * 40]


def test_the_commit_is_read_before_the_wait_for_another_run(tmp_path, monkeypatch):
    now = ["a" * 40]
    monkeypatch.setattr("blindspots.artifacts.folder.code_commit", lambda: now[0])
    with output_folder(recipe(tmp_path / "a"), "prepared_mnli"):
        waiting = Thread(target=make, args=(tmp_path / "a", "second"), kwargs={"wait_for_lock": True})
        waiting.start()
        waiting.join(0.2)
        now[0] = "b" * 40
    waiting.join(30)
    assert json.loads((tmp_path / "a/lineage.json").read_text())["code_commit"] == "a" * 40


@pytest.mark.parametrize("link", ["outputs", "outputs/demo", "outputs/demo/x"])
def test_behind_a_link_the_hub_is_asked_for_the_repo_that_is_pushed(tmp_path, monkeypatch, link):
    (tmp_path / "scratch/run1").mkdir(parents=True)
    (tmp_path / link).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / link).symlink_to(tmp_path / "scratch/run1")
    asked = []
    monkeypatch.setattr("blindspots.artifacts.push.preflight", lambda recipe, name, *_: asked.append(name))
    monkeypatch.chdir(tmp_path)
    check_push(recipe("outputs/demo/x", push_to_hub=True), "prepared_mnli")
    make("outputs/demo/x", "one")
    assert (tmp_path / link).is_symlink()
    assert asked == [read_lineage(tmp_path / "outputs/demo/x")["artifact"]] == ["demo-x"]


def test_a_file_beside_those_of_a_former_artifact_is_kept(tmp_path):
    make(tmp_path / "a", "old")
    (tmp_path / "a" / "data" / "my notes.txt").write_text("mine")
    with pytest.raises(UserError, match=r"holds data/my notes\.txt"):
        make(tmp_path / "a", "new")
    (tmp_path / "a" / "data" / "my notes.txt").unlink()
    (tmp_path / "a" / "audit").mkdir()
    (tmp_path / "a" / "audit" / "audit.json").write_text("{}")
    make(tmp_path / "a", "new")
    assert held(tmp_path / "a") == "new"


def test_an_output_that_contains_its_input_is_refused_before_any_work(tmp_path):
    (tmp_path / "data").mkdir()
    made = PrepareRecipe(output_dir=str(tmp_path), mnli=str(tmp_path / "data"))
    with pytest.raises(UserError, match="contains the input mnli"), output_folder(made, "prepared_mnli"):
        pass
    with (
        pytest.raises(UserError, match="is the input model_name_or_path"),
        output_folder(recipe(tmp_path / "data"), "task_model", {"model_name_or_path": str(tmp_path / "data")}),
    ):
        pass


def test_every_file_of_an_artifact_has_the_mode_of_the_umask(tmp_path):
    made = recipe(tmp_path / "a")
    with output_folder(made, "prepared_mnli") as out:
        rows = out.staging / "data" / "full" / "train-00000-of-00001.parquet"
        rows.parent.mkdir(parents=True)
        pq.write_table(pa.table({"premise": ["a"]}), rows)
        rows.chmod(0o600)
        save_artifact(out, resolved_recipe(made), {}, {"rows": 1})
    files = [file for file in (tmp_path / "a").rglob("*") if file.is_file()]
    assert len(files) == 4
    assert {file.stat().st_mode & 0o777 for file in files} == {0o666 & ~UMASK}


@pytest.mark.parametrize(("left_by", "now", "kept"), [(1, 2, False), (2, 1, False), (2, 2, True)])
def test_checkpoints_of_another_number_of_processes_are_cleared(tmp_path, monkeypatch, capsys, left_by, now, kept):
    made = recipe(tmp_path / "a")
    for processes in (left_by, now):
        monkeypatch.setattr("blindspots.artifacts.folder.started_processes", lambda count=processes: count)
        with output_folder(made, "prepared_mnli") as out:
            resume_or_clear(out, resolved_recipe(made), {})
            found = (out.work / "checkpoints").exists()
            (out.work / "checkpoints").mkdir(exist_ok=True)
    assert found == kept
    assert ("input, process count or engine is cleared" in capsys.readouterr().out) != kept


def test_what_was_left_without_a_readable_identity_is_cleared(tmp_path, capsys):
    made = recipe(tmp_path / "a")
    for _ in range(2):
        with output_folder(made, "prepared_mnli") as out:
            resume_or_clear(out, resolved_recipe(made), {})
            (out.work / "checkpoints").mkdir()
            (out.work / "run").write_bytes(b"\x1f\x8b")
    assert "is cleared" in capsys.readouterr().out


def test_checkpoints_of_another_engine_are_cleared(tmp_path, monkeypatch, capsys):
    """Their optimiser would not be found, and would start from nothing without a word."""
    made = recipe(tmp_path / "a")
    for stage in ("3", "2"):
        monkeypatch.setenv("ACCELERATE_DEEPSPEED_ZERO_STAGE", stage)
        with output_folder(made, "prepared_mnli") as out:
            resume_or_clear(out, resolved_recipe(made), {})
            assert not (out.work / "checkpoints").exists()
            (out.work / "checkpoints").mkdir()
    assert "input, process count or engine is cleared" in capsys.readouterr().out


def test_shards_do_not_depend_on_the_number_of_processes(tmp_path, monkeypatch):
    made = recipe(tmp_path / "a")
    for processes in (1, 2):
        monkeypatch.setattr("blindspots.artifacts.folder.started_processes", lambda count=processes: count)
        with output_folder(made, "prepared_mnli") as out:
            resume_or_clear(out, resolved_recipe(made), {}, same_processes=False)
            found = (out.work / "shards").exists()
            (out.work / "shards").mkdir(exist_ok=True)
    assert found


def test_an_artifact_whose_lineage_the_workflow_removed_is_made_again(tmp_path):
    make(tmp_path / "a", "old")
    (tmp_path / "a" / "lineage.json").unlink()
    (tmp_path / "a" / "my notes.txt").write_text("mine")
    with pytest.raises(UserError, match=r"holds my notes\.txt"):
        make(tmp_path / "a", "new")
    (tmp_path / "a" / "my notes.txt").unlink()
    make(tmp_path / "a", "new")
    assert held(tmp_path / "a") == "new"
