"""Errors that a user can mend, and how a script tells them."""

import sys
from collections.abc import Callable


class UserError(Exception):
    """What is wrong, where, and what to do, in one or two sentences. Ends a script with exit code 1, no traceback."""

    exit_code = 1


class RecipeError(UserError):
    """A recipe or a command line that can't be used. Ends a script with exit code 2, before anything is loaded."""

    exit_code = 2


def run_script(main: Callable[[], None]) -> None:
    """Run a script's `main`; a user's mistake becomes one line on stderr and an exit code."""
    try:
        main()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
