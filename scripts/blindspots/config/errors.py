"""Errors that a user can correct. `processes.run_script` reports them, each on one line."""

from typing import Any

# Of a message, in characters.
LONGEST_LINE = 700


class UserError(Exception):
    """What is wrong, where, and what to do, in one or two sentences. Ends a script with exit code 1, no traceback."""

    exit_code = 1


class RecipeError(UserError):
    """A recipe or a command line that can't be used. Ends a script with exit code 2, before anything is loaded."""

    exit_code = 2


def one_line(text: Any) -> str:
    """The text without line breaks and control characters, as it may be shown on a terminal.

    Of a very long one the beginning and the end are left.
    """
    text = str(text)
    if len(text) > LONGEST_LINE:
        text = f"{text[: LONGEST_LINE // 2]} ... {text[-LONGEST_LINE // 2 :]}"
    printable = "".join(character if character.isprintable() else " " for character in text)
    return " ".join(printable.split())
