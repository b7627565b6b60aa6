"""A script's main: a person's mistake is one line and an exit code; processes are told by their environment."""

import errno

import pytest

from blindspots.config.errors import RecipeError, UserError
from blindspots.config.processes import is_main_process, process_state, run_script, started_processes


@pytest.mark.parametrize(("error", "code"), [(UserError, 1), (RecipeError, 2)])
def test_a_mistake_is_one_line_and_an_exit_code(capsys, error, code):
    def main() -> None:
        raise error("The folder is not there.")

    with pytest.raises(SystemExit) as left:
        run_script(main)
    assert left.value.code == code
    assert capsys.readouterr().err == "error: The folder is not there.\n"


def test_nothing_that_a_message_quotes_reaches_the_terminal_as_more_than_text(capsys):
    def main() -> None:
        raise UserError("There is no column label; it has \x1b[2J\x1b]0;title\x07, a\nb, \u202eabc.")

    with pytest.raises(SystemExit):
        run_script(main)
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert said.rstrip("\n").isprintable()
    assert "a b" in said


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device."),
        (PermissionError(errno.EACCES, "Permission denied", "/a/file"), "/a/file: Permission denied."),
        (BrokenPipeError(errno.EPIPE, "Broken pipe"), "Broken pipe."),
        (MemoryError(), "there is not enough memory."),
    ],
    ids=["disk", "file", "pipe", "memory"],
)
def test_what_the_system_refuses_is_one_line(capsys, error, said):
    def main() -> None:
        raise error

    with pytest.raises(SystemExit) as left:
        run_script(main)
    assert (left.value.code, capsys.readouterr().err) == (1, f"error: {said}\n")


def test_another_error_keeps_its_traceback():
    def main() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run_script(main)


def test_a_process_without_a_launcher_is_the_only_one(monkeypatch):
    for name in ("RANK", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    assert is_main_process()
    assert started_processes() == 1


def test_a_process_of_a_launcher_knows_its_place(monkeypatch):
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert not is_main_process()
    assert started_processes() == 2


def test_processes_that_do_not_see_one_another_are_refused(monkeypatch):
    assert process_state().num_processes == 1
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(UserError, match="2 processes were started, and each sees 1; on CPUs set use_cpu: true"):
        process_state()
