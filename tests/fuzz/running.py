"""Running a script's main on an input that may be damaged, and what must hold however it ends."""

import contextlib
import importlib
import io
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

from blindspots.config.errors import one_line
from blindspots.config.processes import run_script

from .counts import COUNTS

# Where every script is told to write, below the folder of its inputs.
OUT = "out"
LONGEST_MESSAGE = 800


@dataclass(frozen=True)
class Ending:
    """How a script ended: its exit code and what it printed."""

    code: int
    stdout: str
    stderr: str


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    """A folder for the inputs and the output of one run."""
    with tempfile.TemporaryDirectory(prefix="fuzz-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def run(script: str, arguments: Iterable[object], folder: Path) -> Ending:
    """Run a script in this process as `python scripts/<script>.py` would run in `folder`."""
    out, err = io.StringIO(), io.StringIO()
    words = patch.object(sys, "argv", [script, *map(str, arguments)])
    with contextlib.chdir(folder), words, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            run_script(importlib.import_module(script).main)
            code = 0
        except SystemExit as end:
            code = end.code or 0
    return Ending(code, out.getvalue(), err.getvalue())


def attempt(
    script: str,
    kind: str,
    arguments: Iterable[object],
    folder: Path,
    words: Iterable[str],
    right: Callable[[Path, Ending], None],
    about: Iterable[str] = (),
) -> None:
    """Run a script and require that it made the right thing, or refused its input in one line and made nothing.

    Args:
        kind: of the input, for the table of counts.
        folder: holds all inputs; the output is `folder / OUT`.
        words: of which a refusal must name one, such as the name of the damaged file.
        right: raises AssertionError where what an accepted input led to is wrong.
        about: what a message says that is about the finished output, which then stays.
    """
    key = (script, kind)
    COUNTS.inputs[key] += 1
    before = contents(folder)
    ending = run(script, arguments, folder)
    assert contents(folder) == before, "an input was changed, or something was written beside the output"
    if ending.code == 0:
        right(folder / OUT, ending)
        COUNTS.accepted[key] += 1
    else:
        require_one_line(ending, words)
        stays = any(text in ending.stderr for text in about)
        assert stays or not (folder / OUT).exists(), f"an output was left behind: {ending.stderr}"
        COUNTS.refused[key] += 1


def contents(folder: Path) -> dict[str, tuple[int, int]]:
    """Size and time of change of every file of a folder, without the output and what its run keeps beside it.

    A check keeps its models in the folder `outputs`.
    """
    return {
        path.relative_to(folder).as_posix(): (path.lstat().st_size, path.lstat().st_mtime_ns)
        for path in folder.rglob("*")
        if not path.is_dir()
        and path.relative_to(folder).parts[0] not in (OUT, f".{OUT}.lock", f".{OUT}.work", "outputs")
    }


def require_one_line(ending: Ending, words: Iterable[str]) -> None:
    """Raise AssertionError for anything but exit code 1 or 2 and one last line that says what is wrong where."""
    assert ending.code in (1, 2), ending
    said = [line for line in ending.stderr.splitlines() if line.strip()]
    assert said, "it was refused without a word"
    assert "Traceback" not in ending.stderr, ending.stderr
    assert said[-1].startswith("error: "), ending.stderr
    assert sum("error: " in line for line in said) == 1, ending.stderr
    assert said[-1].isprintable(), repr(said[-1])
    assert len(said[-1]) <= LONGEST_MESSAGE, said[-1]
    shown = [one_line(word)[:99] for word in words]
    assert any(word in said[-1] for word in shown if word), f"{said[-1]!r} names none of {shown}"
