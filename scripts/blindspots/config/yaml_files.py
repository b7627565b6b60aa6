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
# Numbers in decimal digits, whole ones and any. 010, 0x10, 1_000 and 1:30 are none: readers differ on their value.
WHOLE_NUMBER = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
NUMBER = re.compile(rf"(?:{WHOLE_NUMBER.pattern}(?:\.[0-9]*)?|[-+]?\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
# As in YAML 1.1, a float has a point, and its exponent a sign: 1e-5 is text, which a key for numbers takes.
_FLOAT = re.compile(
    rf"(?:{WHOLE_NUMBER.pattern}\.[0-9]*|[-+]?\.[0-9]+)(?:[eE][-+][0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
)


class _Loader(yaml.SafeLoader):
    """yaml.SafeLoader, but names stay text, and a key written twice is an error instead of a silent overwrite.

    A key is text as it is written (a label may be called 0, No or 010). Of YAML 1.1's booleans only true and false are
    values, of its numbers the decimal ones: yes, no, on, off, 010, 0x10, 1_000 and 1:30 are text.
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

    def construct_number(self, node: yaml.ScalarNode) -> int | float:
        """A number whose tag may be written out, as in `!!int 010`. Raises ValueError where it is not decimal."""
        text, is_whole = self.construct_scalar(node), node.tag == f"{_TAG}int"
        if not (WHOLE_NUMBER.fullmatch(text) if is_whole else NUMBER.fullmatch(text) or _FLOAT.fullmatch(text)):
            raise ValueError(f"{text} is not a decimal number")
        return self.construct_yaml_int(node) if is_whole else self.construct_yaml_float(node)


# How values are written that YAML 1.1 writes in further ways, and the characters that they begin with.
_OWN_VALUES = {
    f"{_TAG}bool": (re.compile("true|True|TRUE|false|False|FALSE"), "tTfF"),
    f"{_TAG}int": (WHOLE_NUMBER, "-+0123456789"),
    f"{_TAG}float": (_FLOAT, "-+.0123456789"),
}
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in _OWN_VALUES]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
for _tag, (_pattern, _first) in _OWN_VALUES.items():
    _Loader.add_implicit_resolver(_tag, re.compile(f"^(?:{_pattern.pattern})$"), list(_first))
for _tag in (f"{_TAG}int", f"{_TAG}float"):
    _Loader.add_constructor(_tag, _Loader.construct_number)


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
        raise RecipeError(f"{path} is empty; a recipe holds one `key: value` per line.")
    if not isinstance(values, dict):
        raise RecipeError(f"{path} must hold one `key: value` per line, not a {type(values).__name__}.")
    for name in values:
        if not isinstance(name, str):
            raise RecipeError(f"{path}: {name!r} is not the name of a key; a recipe holds one `key: value` per line.")
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
