"""Errors that a user can correct. `processes.run_script` reports them, each on one line."""

from typing import Any


class UserError(Exception):
    """What is wrong, where, and what to do, in one or two sentences. Ends a script with exit code 1, no traceback."""

    exit_code = 1


class RecipeError(UserError):
    """A recipe or a command line that can't be used. Ends a script with exit code 2, before anything is loaded."""

    exit_code = 2


def one_line(text: Any) -> str:
    """The text without line breaks and control characters, as it may be shown on a terminal."""
    printable = "".join(character if character.isprintable() else " " for character in str(text))
    return " ".join(printable.split())
