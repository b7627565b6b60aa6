"""Where an output may go: what may be replaced, what is never touched, and what must be possible before any work."""

import errno
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from blindspots.config.errors import UserError

# What a run keeps in its work folder; anything else there is not ours.
WORK_FILES = frozenset("artifact checkpoints new replaced run runs.json .runs.json.new shards".split())


def work_folder(final: Path) -> Path:
    """Where the files of `final` are made until they are whole: `.<name>.work` beside it."""
    return final.parent / f".{final.name}.work"


@contextmanager
def locked(output_dir: str | Path, wait: bool = True) -> Iterator[None]:
    """Keep other runs from writing the same output; the lock file goes when the block ends.

    Raises UserError where another run is writing it and this one is not to wait, and where the parent folder can't be
    written to.
    """
    final = Path(os.path.realpath(output_dir))
    file = final.parent / f".{final.name}.lock"
    lock = FileLock(file)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout:
        if not wait:
            raise UserError(
                f"Another run is writing {output_dir}. Wait for it, or pass --wait_for_lock true."
            ) from None
        print(f"{output_dir}: waiting for another run that is writing it.", flush=True)
        lock.acquire()
    except OSError as error:
        raise _not_writable(output_dir, error) from None
    try:
        yield
    finally:
        file.unlink(missing_ok=True)  # while it is held: who waits for it sees that it is gone and makes a new one
        lock.release()


def checked_output(
    output_dir: str | Path,
    what: str,
    strange: Callable[[Path], str | None],
    inputs: Mapping[str, Path] | None = None,
) -> Path:
    """The folder that an output goes to, links followed, after everything that its last step needs has been tried.

    Args:
        what: name of what the folder is to hold, for messages, such as "report".
        strange: names a file of a folder that is not part of a former output of this sort, None where all are.
        inputs: by key, files and folders that the run reads.

    Raises UserError where the folder holds something else, is a file, a mount point or a link to nothing, where it
    is an input, contains one or lies inside one, where an input is what an unfinished run of the same output left,
    and where its parent can't be written to.
    """
    named = Path(output_dir)
    if named.parts[:1] and named.parts[0].startswith(("~", "$")):
        raise UserError(f"output_dir {named}: {named.parts[0]} is not replaced in a recipe; write the path in full.")
    if named.is_symlink() and not named.exists():
        raise UserError(f"output_dir {named} is a link to {named.readlink()}, which is not there; name a folder.")
    final = Path(os.path.realpath(named))
    if final.exists() and not final.is_dir():
        raise UserError(f"output_dir {named} is a file; name a folder.")
    if os.path.ismount(final):
        raise UserError(f"output_dir {named} is a mount point, which can't be replaced; name a folder below it.")
    work = work_folder(final)
    for key, path in (inputs or {}).items():
        _require_apart(named, final, key, path)
        if work in (Path(os.path.realpath(path)), *Path(os.path.realpath(path)).parents):
            raise UserError(
                f"output_dir {named} would clear the input {key}, {path}, which an unfinished run of it left; name "
                "another folder."
            )
    if final.is_dir() and any(final.iterdir()) and (name := strange(final)):
        raise UserError(
            f"output_dir {named} holds {name}, which is not of a former {what}; name an empty or a new folder."
        )
    if work.is_dir() and (others := sorted({path.name for path in work.iterdir()} - WORK_FILES)):
        raise UserError(f"{work} is where {named} would be made, but holds {others[0]}; rename that folder.")
    _try_parent(named, final)
    return final


def _require_apart(named: Path, final: Path, key: str, path: Path) -> None:
    source = Path(os.path.realpath(path))
    relation = None
    if source == final:
        relation = "is"
    elif final in source.parents:
        relation = "contains"
    elif source in final.parents:
        relation = "lies inside"
    if relation:
        raise UserError(f"output_dir {named} {relation} the input {key}, {path}; name another folder.")


def _try_parent(named: Path, final: Path) -> None:
    """Make the parent folder, then make, fill, rename and remove a folder in it."""
    probe, renamed = (final.parent / f".{final.name}.{ending}-{os.getpid()}" for ending in ("probe", "renamed"))
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
        probe.mkdir()
        (probe / "file").write_text("")
        probe.rename(renamed)
        shutil.rmtree(renamed)
    except OSError as error:
        for folder in (probe, renamed):
            shutil.rmtree(folder, ignore_errors=True)
        raise _not_writable(named, error) from None


def _not_writable(output_dir: str | Path, error: OSError) -> UserError:
    why = error.strerror or error
    return UserError(f"output_dir {output_dir} can't be written ({why}); name a folder where you may write.")


def local_inputs(*keys: Mapping[str, Any]) -> dict[str, Path]:
    """The files and folders here that the values of recipe keys name, without the output's own."""
    named = {}
    for key, value in ((key, value) for part in keys for key, value in part.items() if key != "output_dir"):
        several = value.items() if isinstance(value, dict) else enumerate(value, 1) if isinstance(value, list) else ()
        named |= {f"{key} {place}": name for place, name in several} or {key: value}
    return {key: Path(name) for key, name in named.items() if isinstance(name, str) and name and _exists(name)}


def _exists(name: str) -> bool:
    try:
        return Path(name).exists()
    except (OSError, ValueError):  # too long for a path, or holds a null byte
        return False


def swap_folder(new: Path, final: Path, replaced: Path, strange: Callable[[Path], str | None]) -> None:
    """Rename `new` to `final`; what was there is kept at `replaced`, from where `recover_folder` brings it back.

    Raises UserError where `final` holds what is not ours: it came while `new` was made. Both folders stay.

    Args:
        strange: see `checked_output`.
    """
    if other := _not_ours(final, strange):
        raise UserError(
            f"{other} was put there during the run, so nothing was replaced. Move it away, then replace {final} by "
            f"{new}, which holds the finished files; another run makes them again."
        )
    shutil.rmtree(replaced, ignore_errors=True)
    if final.exists():
        final.rename(replaced)
    new.rename(final)


def _not_ours(final: Path, strange: Callable[[Path], str | None]) -> Path | None:
    """What of a folder, or in its place, may not be replaced; None where all of it may."""
    if not final.is_dir():
        return final if os.path.lexists(final) else None
    name = strange(final) if any(final.iterdir()) else None
    return final / name if name else None


def recover_folder(final: Path, replaced: Path) -> None:
    """Bring a former folder back where a run was killed between the two renames of `swap_folder`."""
    if replaced.exists() and not final.exists():
        replaced.rename(final)


def apply_umask(folder: Path) -> None:
    """Give every file and folder the mode that the umask asks for; some libraries write files for the owner alone."""
    umask = os.umask(0)
    os.umask(umask)
    for path in folder.rglob("*"):
        path.chmod((0o777 if path.is_dir() else 0o666) & ~umask)


@contextmanager
def whole_folder(
    output_dir: str | Path,
    what: str,
    strange: Callable[[Path], str | None],
    inputs: Mapping[str, Path] | None = None,
) -> Iterator[Path]:
    """Yield an empty folder that takes the place of `output_dir` when the block ends without an error.

    Where another run is writing the same output, it is waited for. Arguments and errors as in `checked_output`, and
    errors of `swap_folder`.
    """
    with locked(output_dir):
        final = checked_output(output_dir, what, strange, inputs)
        work = work_folder(final)
        recover_folder(final, work / "replaced")
        shutil.rmtree(work, ignore_errors=True)
        (work / "new").mkdir(parents=True)
        with full_disk_in_words(output_dir):
            yield work / "new"
            apply_umask(work / "new")
        swap_folder(work / "new", final, work / "replaced", strange)
        shutil.rmtree(work)


@contextmanager
def full_disk_in_words(output_dir: str | Path) -> Iterator[None]:
    """Turn a disk that is full into a UserError."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise UserError(f"The disk is full; {output_dir} was left as it was. Free space and rerun.") from error
