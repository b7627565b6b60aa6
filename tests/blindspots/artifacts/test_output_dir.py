"""Where an output may go: whole or not at all, and never in the place of something else."""

import os
import subprocess
from pathlib import Path
from queue import Queue
from threading import Event, Thread

import pytest

from blindspots.artifacts import output_dir
from blindspots.artifacts.output_dir import (
    apply_umask,
    checked_output,
    local_inputs,
    locked,
    recover_folder,
    swap_folder,
    whole_folder,
)
from blindspots.config.errors import UserError


def strange(folder: Path) -> str | None:
    return next((path.name for path in sorted(folder.iterdir()) if path.name != "note"), None)


def write(folder: Path, text: str, name: str = "note") -> None:
    with whole_folder(folder, "note", strange) as new:
        (new / name).write_text(text)


def held(folder: Path) -> str:
    return (folder / "note").read_text()


def test_a_folder_takes_the_place_of_a_former_one_and_leaves_nothing_beside_it(tmp_path):
    for text in ("old", "new"):
        write(tmp_path / "a", text)
        assert held(tmp_path / "a") == text
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_folder_that_is_not_finished_leaves_the_old_one(tmp_path):
    write(tmp_path / "a", "old")

    def fail():
        with whole_folder(tmp_path / "a", "note", strange) as new:
            (new / "note").write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert held(tmp_path / "a") == "old"
    write(tmp_path / "a", "new")
    assert held(tmp_path / "a") == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_run_killed_between_the_two_renames_loses_nothing(tmp_path):
    final, work = tmp_path / "a", tmp_path / ".a.work"
    write(final, "old")
    work.mkdir()
    final.rename(work / "replaced")
    with whole_folder(final, "note", strange):
        assert held(final) == "old"


def test_a_swap_keeps_what_was_there_until_it_is_recovered_or_replaced(tmp_path):
    final, replaced = tmp_path / "a", tmp_path / "replaced"
    for text in ("first", "second"):
        (tmp_path / "new").mkdir()
        (tmp_path / "new" / "note").write_text(text)
        swap_folder(tmp_path / "new", final, replaced, strange)
        assert held(final) == text
    recover_folder(final, replaced)  # nothing is lost, so nothing comes back
    assert (held(final), held(replaced)) == ("second", "first")
    final.rename(tmp_path / "gone")
    recover_folder(final, replaced)
    assert held(final) == "first"


def test_two_that_write_one_folder_at_once_do_it_one_after_the_other(tmp_path, monkeypatch):
    inside, leave, told = Event(), Event(), Queue()
    monkeypatch.setattr(output_dir, "print", lambda text, **_: told.put(text), raising=False)

    def slowly():
        with whole_folder(tmp_path / "a", "note", strange) as new:
            (new / "note").write_text("first")
            inside.set()
            leave.wait()

    first = Thread(target=slowly)
    second = Thread(target=write, args=(tmp_path / "a", "second"))
    first.start()
    inside.wait()
    second.start()
    assert told.get(timeout=60) == f"{tmp_path / 'a'}: waiting for another run that is writing it."
    leave.set()
    first.join()
    second.join()
    assert held(tmp_path / "a") == "second"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_lock_goes_with_the_run_that_held_it_and_that_of_a_killed_one_stops_nobody(tmp_path):
    (tmp_path / ".a.lock").write_text("")
    with locked(tmp_path / "a", wait=False):
        assert [path.name for path in tmp_path.iterdir()] == [".a.lock"]
        with (
            pytest.raises(UserError, match=r"Another run is writing .*a\. Wait for it"),
            locked(tmp_path / "a", False),
        ):
            pass
        assert (tmp_path / ".a.lock").exists()
    assert not list(tmp_path.iterdir())


def test_files_of_somebody_else_are_never_replaced(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "thesis.tex").write_text("years of work")
    with pytest.raises(UserError, match=r"output_dir .*a holds thesis\.tex, which is not of a former note"):
        write(tmp_path / "a", "new")
    assert (tmp_path / "a" / "thesis.tex").read_text() == "years of work"
    (tmp_path / "b").write_text("a file")
    with pytest.raises(UserError, match=r"output_dir .*b is a file; name a folder"):
        write(tmp_path / "b", "new")
    assert (tmp_path / "b").read_text() == "a file"


@pytest.mark.parametrize(("former", "added"), [("old", "a/remarks.txt"), (None, "a/remarks.txt"), (None, "a")])
def test_what_somebody_puts_there_during_the_run_is_kept_and_so_is_what_was_made(tmp_path, former, added):
    if former:
        write(tmp_path / "a", former)

    def meanwhile():
        with whole_folder(tmp_path / "a", "note", strange) as new:
            (new / "note").write_text("new")
            (tmp_path / added).parent.mkdir(exist_ok=True)
            (tmp_path / added).write_text("mine")

    with pytest.raises(UserError, match=rf"{added} was put there during the run, so nothing was replaced") as told:
        meanwhile()
    assert (tmp_path / added).read_text() == "mine"
    assert former is None or held(tmp_path / "a") == former
    finished = tmp_path / ".a.work/new"
    assert held(finished) == "new"
    assert str(finished) in str(told.value)
    with pytest.raises(UserError, match=r"output_dir .*a (holds remarks\.txt, which|is a file)"):
        write(tmp_path / "a", "newer")
    assert held(finished) == "new"
    (tmp_path / added).rename(tmp_path / "kept")
    write(tmp_path / "a", "newer")
    assert held(tmp_path / "a") == "newer"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "kept"]


def test_an_empty_folder_may_be_written_to(tmp_path):
    (tmp_path / "a").mkdir()
    write(tmp_path / "a", "new")
    assert held(tmp_path / "a") == "new"


def test_one_more_file_in_a_former_output_is_somebody_elses(tmp_path):
    write(tmp_path / "a", "old")
    (tmp_path / "a" / "remarks.txt").write_text("mine")
    with pytest.raises(UserError, match=r"holds remarks\.txt"):
        write(tmp_path / "a", "new")
    assert held(tmp_path / "a") == "old"


def test_the_current_folder_is_only_replaced_where_it_is_empty_or_ours(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "HEAD").write_text("ref")
    with pytest.raises(UserError, match=r"output_dir \. holds \.git"):
        write(Path("."), "new")
    assert (tmp_path / ".git" / "HEAD").read_text() == "ref"


@pytest.mark.parametrize(
    ("output", "relation"),
    [("data", "is"), ("", "contains"), ("data/made", "lies inside"), ("data/../data/made", "lies inside")],
)
def test_an_output_and_an_input_are_apart(tmp_path, output, relation):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "rows.jsonl").write_text("{}")
    with pytest.raises(UserError, match=f"{relation} the input mnli"):
        checked_output(tmp_path / output, "note", strange, {"mnli": tmp_path / "data"})
    assert (tmp_path / "data" / "rows.jsonl").read_text() == "{}"


@pytest.mark.parametrize("left", [".a.work", ".a.work/checkpoints/checkpoint-4"])
def test_what_an_unfinished_run_left_is_no_input_of_the_next_one(tmp_path, left):
    (tmp_path / left).mkdir(parents=True)
    inputs = {"model_name_or_path": tmp_path / left}
    with pytest.raises(UserError, match=r"would clear the input model_name_or_path, .*; name another folder"):
        checked_output(tmp_path / "a", "note", strange, inputs)
    assert checked_output(tmp_path / "b", "note", strange, inputs) == tmp_path / "b"


def test_an_input_behind_a_link_is_found(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "link").symlink_to("data")
    with pytest.raises(UserError, match="lies inside the input train_dataset"):
        checked_output(tmp_path / "data/made", "note", strange, {"train_dataset": tmp_path / "link"})


def test_a_linked_folder_is_filled_and_the_link_stays(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "a").symlink_to("disk")
    write(tmp_path / "a", "new")
    assert (tmp_path / "a").is_symlink()
    assert held(tmp_path / "disk") == "new"


def test_a_link_to_nothing_is_refused(tmp_path):
    (tmp_path / "a").symlink_to("nowhere")
    with pytest.raises(UserError, match="link to nowhere, which is not there"):
        write(tmp_path / "a", "new")


@pytest.mark.parametrize("name", ["~/a", "$HOME/a"])
def test_what_only_a_shell_replaces_is_not_taken_for_a_folder(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="is not replaced in a recipe; write the path in full"):
        checked_output(name, "note", strange)
    assert not list(tmp_path.iterdir())


def test_a_mount_point_is_refused_before_any_work(tmp_path):
    (tmp_path / "volume").mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "none", tmp_path / "volume"], capture_output=True)
    if mounted.returncode:
        pytest.skip("this user may not mount")
    try:
        with pytest.raises(UserError, match=r"is a mount point.*folder below it"):
            write(tmp_path / "volume", "new")
        write(tmp_path / "volume" / "below", "new")
        assert held(tmp_path / "volume" / "below") == "new"
    finally:
        subprocess.run(["umount", tmp_path / "volume"], check=True)


def test_a_parent_that_cannot_be_written_is_found_before_any_work(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="can't be written"):
        write(tmp_path / "file" / "a", "new")

    def read_only(*_):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(output_dir.Path, "rename", read_only)
    with pytest.raises(UserError, match="Read-only file system"):
        write(tmp_path / "a", "new")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_work_folder_of_somebody_else_is_left_alone(tmp_path):
    (tmp_path / ".a.work").mkdir()
    (tmp_path / ".a.work" / "diary").write_text("mine")
    with pytest.raises(UserError, match=r"\.a\.work is where .* would be made, but holds diary"):
        write(tmp_path / "a", "new")
    assert (tmp_path / ".a.work" / "diary").read_text() == "mine"


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_files_have_the_mode_that_the_umask_asks_for(tmp_path, umask):
    (tmp_path / "deep").mkdir(mode=0o700)
    (tmp_path / "deep" / "weights").write_text("")
    (tmp_path / "deep" / "weights").chmod(0o600)
    before = os.umask(umask)
    try:
        apply_umask(tmp_path)
    finally:
        os.umask(before)
    assert (tmp_path / "deep" / "weights").stat().st_mode & 0o777 == 0o666 & ~umask
    assert (tmp_path / "deep").stat().st_mode & 0o777 == 0o777 & ~umask


def test_inputs_are_the_paths_that_keys_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("rows", "model", "other"):
        (tmp_path / name).mkdir()
    recipe = {"train_dataset": "rows", "mnli": "org/name", "output_dir": "other", "seed": 0, "x": "y" * 5000}
    keys = {
        "model_name_or_path": "model",
        "external": {"wanli": "rows"},
        "also": ["x", "model"],
        "nothing": None,
        "null": "a\0b",
    }
    found = local_inputs(recipe, keys)
    assert found == {
        "train_dataset": Path("rows"),
        "model_name_or_path": Path("model"),
        "external wanli": Path("rows"),
        "also 2": Path("model"),
    }
