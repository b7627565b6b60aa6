"""Regular expressions that read texts of models, files and the Hub: none takes long for a text made to be slow."""

import importlib
import pkgutil
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import blindspots

# What a pattern may find again and again, what stands before it, and what keeps it from ending.
PARTS = [*' \n.1a_-,:"`([<|/\\', ".1", "a ", "\n "]
STARTS = ["v1", "(", "sorry "]
ENDS = ["", "!", "("]
LENGTH, LONGEST_S = 8_000, 0.2


def uses() -> dict[str, list[Callable]]:
    """By name of each compiled pattern of the modules, how it is used: on a whole text, or searched for in one."""
    found = {}
    for info in pkgutil.walk_packages(blindspots.__path__, "blindspots."):
        module = importlib.import_module(info.name)
        source = Path(module.__file__).read_text("utf-8")
        for name, pattern in vars(module).items():
            if isinstance(pattern, re.Pattern) and re.search(rf"^{name} = ", source, re.MULTILINE):
                searched = re.search(rf"\b{name}\.(search|sub|split|find\w+)\(", source)
                found[f"{info.name}.{name}"] = [pattern.fullmatch, *([pattern.search] if searched else [])]
    return found


def texts() -> Iterator[str]:
    for part in PARTS:
        repeated = part * (LENGTH // len(part))
        yield from (start + repeated + "!" for start in STARTS)
        yield from (repeated + end for end in ENDS)


def test_every_pattern_is_linear_in_the_text():
    found, slow = uses(), set()
    assert sum(len(calls) > 1 for calls in found.values()) > 8
    for text in texts():
        for name, calls in found.items():
            begun = time.process_time()
            for call in calls:
                call(text)
            if time.process_time() - begun > LONGEST_S:
                slow.add((name, text[:20], text[-5:]))
    assert not slow
