"""Foreign text in Markdown: names, labels and recipes come from data, and must stay text where they are shown."""

import re
from typing import Any

from blindspots.artifacts.names import one_line

# What starts code, a link, an image, HTML, a formula or a cell of a table.
_SPECIAL = re.compile(r"[\\`*\[\]<>|$&~]")


def inline(text: Any) -> str:
    """A text on one line in which no character is markup."""
    return _SPECIAL.sub(lambda found: f"\\{found[0]}", one_line(text))


def code(text: Any) -> str:
    """A text as a code span, in a table too."""
    text = one_line(text).replace("|", "\\|")
    if "`" not in text:
        return f"`{text}`"
    fence = "`" * (_longest_run(text) + 1)
    return f"{fence} {text} {fence}"


def block(text: str, language: str) -> str:
    """A text as a block of code that nothing in it can end."""
    fence = "`" * max(3, _longest_run(text) + 1)
    return f"{fence}{language}\n{text}\n{fence}"


def _longest_run(text: str) -> int:
    return max(map(len, re.findall("`+", text)), default=0)


def without_embeds(text: str) -> str:
    """Markdown of ours that may quote data, without HTML, images and links."""
    return text.replace("<", "&lt;").replace("![", "!\\[").replace("](", "]\\(")
