"""Reading flat YAML: recipes, the files of test sets, and lists and dicts on a command line."""

import difflib
import re
from pathlib import Path
from typing import Any

import yaml

from blindspots.config.errors import RecipeError, one_line

# What PyYAML raises beside its own errors.
_UNREADABLE = (ValueError, TypeError, AttributeError, LookupError, RecursionError)
_TAG = "tag:yaml.org,2002:"
# What a key that is written without quotes may be taken for.
_NOT_TEXT = {_TAG + name for name in ("bool", "int", "float", "null", "timestamp")}


class _Loader(yaml.SafeLoader):
    """yaml.SafeLoader, but names stay text, and a key written twice is an error instead of a silent overwrite.

    A key is text as it is written (a label may be called 0, No or 010), and of YAML 1.1's booleans only true and false
    are values: yes, no, on and off are text too.
    """

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        names = [key.value for key, _ in node.value]
        for name in names:
            if names.count(name) > 1:
                raise RecipeError(f"{node.start_mark.name}: {name} is given two values; keep one.")
        self.flatten_mapping(node)
        for key, _ in node.value:
            if key.tag in _NOT_TEXT:
                key.tag = f"{_TAG}str"
        return super().construct_mapping(node, deep)


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != f"{_TAG}bool"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(f"{_TAG}bool", re.compile("^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF"))


def read_yaml(path: str | Path) -> dict[str, Any]:
    """Read a flat YAML recipe. Raises RecipeError for a missing, empty or broken file and for a repeated key."""
    path = Path(path)
    if not path.is_file():
        near = difflib.get_close_matches(path.name, [p.name for p in path.parent.glob("*.yaml")], 1)
        hint = f" Did you mean {path.parent / near[0]}?" if near else ""
        raise RecipeError(f"There is no recipe at {path}.{hint}")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise RecipeError(f"{path} is not UTF-8 text: {error}. Save it as UTF-8.") from None
    values = parse_yaml(text, str(path))
    if not values:
        raise RecipeError(f"{path} is empty; a recipe holds one `key: value` a line.")
    if not isinstance(values, dict):
        raise RecipeError(f"{path} must hold one `key: value` a line, not a {type(values).__name__}.")
    for name in values:
        if not isinstance(name, str):
            raise RecipeError(f"{path}: {name!r} is not the name of a key; a recipe holds one `key: value` a line.")
    return values


def parse_yaml(text: str, where: str) -> Any:
    """The value of a YAML text. Raises RecipeError for a broken one and for a repeated key."""
    try:
        loader = _Loader(text)  # a SafeLoader
        loader.name = where
        return loader.get_single_data()
    except yaml.YAMLError as error:
        raise RecipeError(f"{where} is not valid YAML: {one_line(error)}") from None
    except _UNREADABLE as error:  # a value that its tag does not fit, a number too long, an alias within itself
        raise RecipeError(f"{where} holds a value that can't be read: {one_line(error)}.") from None
