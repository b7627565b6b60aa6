"""Regular expressions that read texts of models, files and the Hub: none takes long for a text made to be slow."""

import importlib
import pkgutil
import re
import time
from collections.abc import Iterator

import blindspots

# What a pattern may find again and again, what stands before it, and what keeps it from ending.
PARTS = [*" \n\t.1a_-,:;'\"`([{|/\\", ".1", "<|", "a ", "a.", "\n "]
STARTS = ["v1", "a/", "(", "the following ", "sorry ", "data/", "1e"]
ENDS = ["", "!", "x", "\0"]
LENGTH, LONGEST_S = 10_000, 0.25


def patterns() -> dict[str, re.Pattern]:
    """Every compiled pattern of the modules, by module and name."""
    names = [module.name for module in pkgutil.walk_packages(blindspots.__path__, "blindspots.") if not module.ispkg]
    return {
        f"{name}.{attribute}": value
        for name in names
        for attribute, value in vars(importlib.import_module(name)).items()
        if isinstance(value, re.Pattern)
    }


def texts() -> Iterator[str]:
    for part in PARTS:
        repeated = part * (LENGTH // len(part))
        yield from (start + repeated + "!" for start in STARTS)
        yield from (repeated + end for end in ENDS)


def test_every_pattern_is_linear_in_the_text():
    found, slow = patterns(), set()
    assert len(found) > 20
    for text in texts():
        for name, pattern in found.items():
            begun = time.process_time()
            pattern.fullmatch(text)
            pattern.search(text)
            if time.process_time() - begun > LONGEST_S:
                slow.add((name, text[:20], text[-5:]))
    assert not slow
