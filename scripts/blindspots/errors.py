"""Errors that a user can mend, and how a script tells them."""

import sys
from collections.abc import Callable
from datetime import timedelta


class UserError(Exception):
    """What is wrong, where, and what to do, in one or two sentences. Ends a script with exit code 1, no traceback."""

    exit_code = 1


class RecipeError(UserError):
    """A recipe or a command line that can't be used. Ends a script with exit code 2, before anything is loaded."""

    exit_code = 2


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


def run_script(main: Callable[[], None]) -> None:
    """Run a script's `main`; a user's mistake becomes one line on stderr and an exit code."""
    try:
        main()
        _leave_together()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
