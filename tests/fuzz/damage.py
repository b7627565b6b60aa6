"""Ways to damage a file or a document, as hypothesis strategies of values that say what they do."""

import copy
import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 12345\n"
PAGE = b"<!DOCTYPE html>\n<html><head><title>Log in</title></head><body>Please log in.</body></html>\n"

# By name: (content, place, some bytes) -> damaged content.
BYTE_DAMAGES: dict[str, Callable[[bytes, int, bytes], bytes]] = {
    "cut": lambda content, at, some: content[:at],
    "cut_start": lambda content, at, some: content[at:],
    "flip": lambda content, at, some: content[:at] + bytes([content[at] ^ (some[0] or 1)]) + content[at + 1 :],
    "insert": lambda content, at, some: content[:at] + some + content[at:],
    "delete": lambda content, at, some: content[:at] + content[at + len(some) :],
    "overwrite": lambda content, at, some: content[:at] + some + content[at + len(some) :],
    "nul": lambda content, at, some: content[:at] + b"\0" + content[at:],
    "not_utf8": lambda content, at, some: content[:at] + b"\xe9" + content[at:],
    "line_end": lambda content, at, some: content[:at] + b"\r" + content[at:],
    "quote": lambda content, at, some: content[:at] + b'"' + content[at:],
    "repeat": lambda content, at, some: content + content[at:],
    "empty": lambda content, at, some: b"",
    "blank": lambda content, at, some: b"\n",
    "zeros": lambda content, at, some: bytes(len(content)),
    "pointer": lambda content, at, some: POINTER,
    "web_page": lambda content, at, some: PAGE,
    "bom": lambda content, at, some: b"\xef\xbb\xbf" + content,
    "utf16": lambda content, at, some: content.decode("utf-8", "replace").encode("utf-16"),
    "utf32": lambda content, at, some: content.decode("utf-8", "replace").encode("utf-32"),
    "crlf": lambda content, at, some: content.replace(b"\n", b"\r\n"),
    "cr": lambda content, at, some: content.replace(b"\n", b"\r"),
    "packed": lambda content, at, some: gzip.compress(content, mtime=0),
}


@dataclass(frozen=True)
class Bytes:
    """A damage of a file's bytes."""

    how: str
    at: int = 0
    some: bytes = b"\x01"

    def __call__(self, content: bytes) -> bytes:
        at = self.at % len(content) if content else 0
        return BYTE_DAMAGES[self.how](content or b" ", at, self.some)


def byte_damages() -> st.SearchStrategy[Bytes]:
    """Damages of a file's bytes."""
    return st.builds(
        Bytes, st.sampled_from(list(BYTE_DAMAGES)), st.integers(0, 2**20), st.binary(min_size=1, max_size=9)
    )


REMOVED = "<removed>"
# Where another value is expected.
STRANGE = [
    None,
    True,
    False,
    0,
    1,
    -1,
    3,
    7,
    2.5,
    1e308,
    float("nan"),
    float("inf"),
    10**30,
    "",
    " ",
    "x",
    "null",
    "7",
    "../x",
    "/x",
    "a\0b",
    "\x1b[31mred",
    "two\nlines",
    "x" * 3000,
    [],
    [None],
    [1, 2],
    ["a"],
    [[["a"]]],
    {},
    {"a": 1},
    {"a": {"b": []}},
    {"": None},
]


@dataclass(frozen=True)
class Json:
    """A damage of one value of a JSON document, or of one key of its outermost object.

    value: what stands in the value's place, or REMOVED; with a key, what is added under it.
    """

    place: int
    value: Any
    key: str | None = None

    def __call__(self, content: bytes) -> bytes:
        document = copy.deepcopy(json.loads(content))
        if self.key is not None:
            document[self.key] = self.value
        else:
            holder, name = _places(document)[self.place % len(_places(document))]
            if self.value == REMOVED:
                del holder[name]
            else:
                holder[name] = self.value
        return json.dumps(document, indent=2).encode()


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Holder and name of every value below a value, those of small documents all, of long lists the first few."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else []
    items = list(items)[:40]
    return [(value, name) for name, _ in items] + [place for _, item in items for place in _places(item)]


def json_damages(*keys: str) -> st.SearchStrategy[Json]:
    """Damages of a JSON document's values; `keys` may be added to it."""
    values = st.one_of(st.sampled_from([REMOVED, *STRANGE]), st.integers(-5, 70), st.text(max_size=5))
    changed = st.builds(Json, st.integers(0, 2**12), values)
    added = st.builds(Json, st.just(0), st.sampled_from(STRANGE), st.sampled_from([*keys, "x", ""]))
    return st.one_of(changed, changed, added)
