"""Markdown that quotes data: names, labels, texts and recipes stay text where they are shown."""

import re
from typing import Any

from blindspots.config.errors import one_line

# What starts code, emphasis, HTML, a formula or a cell of a table, and what makes a link of text in brackets.
_INLINE = r"[\\`*<>|$&~]|\](?=[(\[:])|(?<![^\W_])_|_(?![^\W_])|:(?=//)|(?<=www)\."
# What makes a heading, a list or a rule of a line that begins with it.
_BLOCK = r"^[#+=-](?=[#=-]*(?:\s|$))|^\d{1,9}[.)](?=\s|$)"
_MARKUP = re.compile(f"{_INLINE}|{_BLOCK}")
# In Markdown of ours, what could only have come from data that was not escaped.
_EMBED = re.compile(r"\\.|<|\](?=[(\[:])", re.DOTALL)


class Markdown(str):
    """Text that is Markdown already: our own, or data that was escaped."""

    __slots__ = ()


def inline(text: Any) -> Markdown:
    """A text on one line in which no character is markup."""
    return Markdown(_MARKUP.sub(lambda found: f"{found[0][:-1]}\\{found[0][-1]}", one_line(text)))


def code(text: Any) -> Markdown:
    """A text as a code span, in a table too."""
    text = one_line(text).replace("|", "\\|")
    if "`" not in text:
        return Markdown(f"`{text}`")
    fence = "`" * (_longest_run(text) + 1)
    return Markdown(f"{fence} {text} {fence}")


def block(text: str, language: str) -> Markdown:
    """A text as a block of code that nothing in it can end."""
    fence = "`" * max(3, _longest_run(text) + 1)
    return Markdown(f"{fence}{language}\n{text}\n{fence}")


def _longest_run(text: str) -> int:
    return max(map(len, re.findall("`+", text)), default=0)


def without_embeds(text: str) -> Markdown:
    """Markdown of ours, read from a file, without HTML and links that somebody may have put there."""
    return Markdown(_EMBED.sub(lambda found: found[0] if len(found[0]) == 2 else f"\\{found[0]}", text))
