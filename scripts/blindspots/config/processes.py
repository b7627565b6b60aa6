"""Running a script in the processes that `accelerate launch` started. Nothing heavy is imported early."""

from __future__ import annotations

import logging
import os
import sys
import traceback
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

from blindspots.config.errors import UserError, one_line

if TYPE_CHECKING:
    from accelerate import PartialState


def run_script(main: Callable[[], None], error_code: int | None = None) -> None:
    """Run a script's `main`; a user's mistake and Ctrl-C become one line on stderr and an exit code.

    So does what the system refuses, whichever library asked for it: no permission, a folder in a file's place, a full
    disk, a closed pipe, no memory.

    Args:
        error_code: exit code of every error, one with a traceback too, of a script whose other codes are answers.
    """
    # It tells at each import that a faster kernel for CPUs could not be fetched from the Hub.
    logging.getLogger("bitsandbytes.backends.cpu.ops").setLevel(logging.ERROR)
    try:
        main()
        _leave_together()
    except UserError as error:
        _leave(one_line(error), error_code or error.exit_code)
    except OSError as error:
        if error.errno is None:
            _raise(error_code)
        where = f"{error.filename}: " if error.filename is not None else ""
        _leave(one_line(f"{where}{error.strerror}."), error_code or UserError.exit_code)
    except MemoryError:
        _leave("there is not enough memory.", error_code or UserError.exit_code)
    except KeyboardInterrupt:
        _leave("interrupted; run it again to go on.", 130)
    except Exception:
        _raise(error_code)


def _raise(error_code: int | None) -> None:
    """Let the error that is being handled end the script, with this exit code in place of Python's 1."""
    if error_code is None:
        raise
    traceback.print_exc()
    sys.exit(error_code)


def _leave(message: str, exit_code: int) -> None:
    """Exit with a message, on a line of its own where an error left a progress bar open."""
    tqdm = sys.modules.get("tqdm")
    for bar in list(tqdm.tqdm._instances) if tqdm else ():
        bar.close()
    print(f"error: {message}", file=sys.stderr)
    sys.exit(exit_code)


def _leave_together() -> None:
    """Where several processes run on CPUs, wait for the last one and close their group.

    One that leaves early, with threads of the group still running, can crash on its way out, and the launcher then
    ends the process that is still saving.
    """
    distributed = sys.modules.get("torch.distributed")
    if distributed is None or not distributed.is_available() or not distributed.is_initialized():
        return
    if distributed.get_backend() == "gloo":
        distributed.monitored_barrier(timeout=timedelta(days=1))
        distributed.destroy_process_group()


def is_main_process() -> bool:
    """Whether this is the first of the processes that `accelerate launch` started, before any of them is set up."""
    return int(os.environ.get("RANK", "0")) == 0


def started_processes() -> int:
    """How many processes `accelerate launch` started for this run."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def engine() -> str | None:
    """What spreads training over processes, by the environment that `accelerate launch` sets; None for one process.

    One of DDP, FSDP1, FSDP2, ZeRO-1, ZeRO-2 and ZeRO-3.
    """
    if os.environ.get("ACCELERATE_USE_DEEPSPEED", "false").lower() == "true":
        return f"ZeRO-{os.environ.get('ACCELERATE_DEEPSPEED_ZERO_STAGE', '2')}"
    if os.environ.get("ACCELERATE_USE_FSDP", "false").lower() == "true":
        return f"FSDP{os.environ.get('FSDP_VERSION', '1')}"
    return "DDP" if started_processes() > 1 else None


def process_state() -> PartialState:
    """The processes of this run, joined by gloo where there is no accelerator.

    Raises UserError where several were started that do not see one another: each would take itself for the only one.
    """
    import torch
    from accelerate import PartialState

    state = PartialState(cpu=not torch.accelerator.is_available())
    if state.num_processes != started_processes():
        raise UserError(
            f"{started_processes()} processes were started, and each sees {state.num_processes}; on CPUs set "
            "use_cpu: true."
        )
    return state
