"""Markdown and HTML as a reader sees them: what they show as text, and what they embed or link."""

from html.parser import HTMLParser

from markdown_it import MarkdownIt
from markdown_it.token import Token

PARSER = MarkdownIt("commonmark").enable(["table", "strikethrough"])
# What somebody may write into a title, a label or a text.
HOSTILE = (
    "x`|![i](http://e.example/i)<img src=http://e.example/i> [l](http://e.example) $a_b$ \"'\x1b[31m\u202e\n# T\n"
)


def tokens(text: str) -> list[Token]:
    """The tokens of Markdown, those within a line too."""
    return [part for token in PARSER.parse(text) for part in (token, *(token.children or []))]


def shown_text(text: str) -> str:
    """The text that a reader of Markdown sees."""
    return "".join(token.content for token in tokens(text) if token.type in ("text", "text_special", "code_inline"))


def embeds(text: str) -> set[str]:
    """The addresses of images and links, and the HTML, in Markdown."""
    found = set()
    for token in tokens(text):
        if token.type in ("image", "link_open"):
            found.add(str(token.attrs.get("src") or token.attrs.get("href")))
        elif token.type.startswith("html"):
            found.add(token.content)
    return found


class _Addresses(HTMLParser):
    """Collects what the elements of a page name, and the names of the elements."""

    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()
        self.elements: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.found |= {value for name, value in attrs if name in ("src", "href", "xlink:href", "action") and value}


def page_addresses(html: str) -> tuple[set[str], list[str]]:
    """Every address that a page names, and its elements."""
    parser = _Addresses()
    parser.feed(html)
    return parser.found, parser.elements
