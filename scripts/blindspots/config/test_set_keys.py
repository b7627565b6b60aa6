"""The keys that name test sets, made from the files of recipes/test_sets."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

from blindspots.config.errors import RecipeError
from blindspots.config.keys import key
from blindspots.config.paths import TEST_SETS
from blindspots.config.yaml_files import read_yaml


@functools.cache
def test_set_keys() -> dict[str, str]:
    """For each file of recipes/test_sets the first part of its keys: `key` in the file, by default the file's name.

    In the order of tables and figures: by `order` in the file, then by name.
    """
    files = {file.stem: read_yaml(file) for file in sorted(TEST_SETS.glob("*.yaml"))}
    names = sorted(files, key=lambda name: files[name].get("order", 100))
    keys = {name: files[name].get("key", name) for name in names}
    for name, prefix in keys.items():
        others = [other for other in keys if keys[other] == prefix and other != name]
        if others:
            raise RecipeError(f"{TEST_SETS / name}.yaml and {others[0]}.yaml have the same key, {prefix}.")
        if not (isinstance(prefix, str) and prefix.isidentifier()):
            raise RecipeError(f"{TEST_SETS / name}.yaml: the key {prefix!r} must consist of letters, digits and _.")
    return keys


def _test_set_fields() -> list[tuple[str, str, Any]]:
    """Four keys per test set, such as hans, hans_revision, hans_rows and hans_expected_rows."""
    try:
        keys = test_set_keys()
    except RecipeError:  # the parser reads the files again, and reports what is wrong
        keys = {}
    fields = []
    for name, prefix in keys.items():
        helps = {
            "": ("str", f"another Hub id, folder or file of test set {name}", None),
            "_revision": ("str", f"commit or tag of {prefix}", None),
            "_rows": ("int", f"evaluate this many rows of {name}, stratified, instead of all", 1),
            "_expected_rows": ("int", f"rows that {prefix} must have; by default those in {name}.yaml", 1),
        }
        fields += [
            (prefix + ending, f"{kind} | None", key(text, None, minimum=minimum, group="test sets"))
            for ending, (kind, text, minimum) in helps.items()
        ]
    return fields


# Keys of the test sets themselves, made from recipes/test_sets: a new file there is all that a new test set needs.
TestSetSources = dataclasses.make_dataclass(
    "TestSetSources",
    [
        (
            "test_sets",
            "list[str] | None",
            key("files of recipes/test_sets; by default those whose dataset a key such as mnli or hans names", None),
        ),
        *_test_set_fields(),
    ],
    kw_only=True,
)


@dataclasses.dataclass(kw_only=True)
class TestSetKeys(TestSetSources):
    """The test sets that a model is evaluated on."""

    eval_batch_tokens: int = key("tokens of one evaluation batch, padding included", 8192, minimum=1)
