"""The one parser: a flat YAML recipe, overridden by `--key value`, checked before anything heavy is imported.

Rules: keys are the fields of the script's own dataclass and of the library classes that it feeds;
the command line wins over the recipe; an unknown key, a key that would have no effect, a wrong type, a missing file or
two values for one key end the run with one line and exit code 2.
"""

import argparse
import dataclasses
import difflib
import math
import reprlib
import sys
from collections.abc import Iterable
from typing import Any, TypeVar

from blindspots.config.errors import RecipeError
from blindspots.config.library_keys import Key, class_keys, dict_types, item_types, library_keys, types_of
from blindspots.config.refused_keys import REFUSED, without_effect
from blindspots.config.test_set_keys import TestSetSources, test_set_keys
from blindspots.config.yaml_files import NUMBER, WHOLE_NUMBER, parse_yaml, read_yaml

Recipe = TypeVar("Recipe")


def own_keys(recipe_class: type) -> dict[str, Key]:
    """The keys of one of our own recipe dataclasses."""
    keys = {}
    for field in dataclasses.fields(recipe_class):
        required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        default = field.default_factory() if field.default_factory is not dataclasses.MISSING else field.default
        keys[field.name] = Key(
            name=field.name,
            types=types_of(field.type),
            default="required" if required else repr(default),
            help=field.metadata["help"],
            choices=field.metadata.get("choices", ()),
            required=required,
            items=item_types(field.type),
            values=dict_types(field.type),
            minimum=field.metadata.get("minimum"),
            maximum=field.metadata.get("maximum"),
            group=field.metadata.get("group"),
        )
    return keys


def check_value(where: str, key: Key, value: Any) -> Any:
    """Return the value in the key's type. Raises RecipeError naming the key, what it wants and what was given."""
    where = f"{where}: {key.name}"
    wanted = " or ".join(sorted(key.types))
    converted = _convert(key.types, value, where)
    if isinstance(converted, list):
        wanted = f"list of {' or '.join(sorted(key.items))}"
        value, converted = converted, [_convert(key.items, item, where) for item in converted]
    if converted is _WRONG or (isinstance(converted, list) and _WRONG in converted):
        raise RecipeError(f"{where} wants {wanted}, got {reprlib.repr(value)}{_how_to_write(key, value)}.")
    if isinstance(converted, dict) and key.values:
        converted = {name: _dict_value(where, key, name, item) for name, item in converted.items()}
    for item in _items(converted):
        _check_item(where, key, item)
    return converted


def _how_to_write(key: Key, value: Any) -> str:
    """How a number is written, where it was written in another notation, such as 010 or 1:30."""
    texts = [item for item in _items(value) if isinstance(item, str) and not NUMBER.fullmatch(item)]
    meant = any(text.lstrip("+-")[:1].isdigit() for text in texts) and (key.types | key.items) & {"int", "float"}
    return "; write a number in decimal digits, without leading zeros" if meant else ""


def _dict_value(where: str, key: Key, name: Any, value: Any) -> Any:
    converted = _convert(key.values, value, where)
    if converted is _WRONG:
        quoted = "; put text in quotes" if key.values == {"str"} else ""
        raise RecipeError(
            f"{where}: {name} wants {' or '.join(sorted(key.values))}, got {reprlib.repr(value)}{quoted}."
        )
    return converted


def _items(value: Any) -> Iterable[Any]:
    """What a list or a dict holds; a value alone."""
    return value.values() if isinstance(value, dict) else value if isinstance(value, list) else [value]


def _check_item(where: str, key: Key, item: Any) -> None:
    shown = reprlib.repr(item)
    if isinstance(item, str) and (not item.strip() or "\0" in item):
        raise RecipeError(f"{where} is empty or holds a null byte, {shown}; give a value or leave the key out.")
    if isinstance(item, str) and any("\ud800" <= character <= "\udfff" for character in item):
        raise RecipeError(f"{where} is not UTF-8: {shown}; give a name in UTF-8.")
    if isinstance(item, float) and not math.isfinite(item):
        raise RecipeError(f"{where} wants a finite number, got {shown}.")
    if key.choices and isinstance(item, str) and item not in key.choices:
        number = "a number or " if key.types & {"int", "float"} else ""
        raise RecipeError(f"{where} is {number}one of {', '.join(key.choices)}; got {shown}.")
    if not isinstance(item, int | float):
        return
    if key.minimum is not None and item < key.minimum:
        raise RecipeError(f"{where} is at least {key.minimum}; got {shown}.")
    if key.maximum is not None and item > key.maximum:
        raise RecipeError(f"{where} is at most {key.maximum}; got {shown}.")


# What no value of a recipe can be.
_WRONG = object()


def _convert(types: frozenset[str], value: Any, where: str) -> Any:
    """The value in the first of the types that fits, or _WRONG; lists and dicts may be written as text."""
    convert = {"int": _to_int, "float": _to_float, "bool": _to_bool}
    if "None" in types and (value is None or value == "null"):
        return None
    if isinstance(value, str) and types & {{"[": "list", "{": "dict"}.get(value[:1])}:
        value = parse_yaml(value, where)
    for name in ("bool", "int", "float"):
        converted = convert[name](value) if name in types else None
        if converted is not None:
            return converted
    return value if type(value).__name__ in types & {"dict", "list", "str"} else _WRONG


def _to_int(value: Any) -> int | None:
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    if isinstance(value, str) and not WHOLE_NUMBER.fullmatch(value):
        return None
    try:
        return int(value)
    except ValueError:  # more digits than Python reads
        return None


def _to_float(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:  # YAML 1.1 reads 1e-5 as a string
        number = float(value)
    except (ValueError, OverflowError):
        return None
    is_decimal = not isinstance(value, str) or not math.isfinite(number) or NUMBER.fullmatch(value)
    return number if is_decimal else None


def _to_bool(value: Any) -> bool | None:
    words = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
    return words.get(str(value).lower()) if isinstance(value, str | bool) else None


class CommandLine(argparse.ArgumentParser):
    """An argument parser whose errors are one line, like all others."""

    def error(self, message: str) -> None:
        raise RecipeError(f"command line: {message}. --help lists what it takes.")


class _Once(argparse.Action):
    def __call__(self, parser, namespace, values, option_string=None):
        if hasattr(namespace, self.dest):
            raise RecipeError(f"command line: --{self.dest} is given two values; keep one.")
        setattr(namespace, self.dest, values)


def _argument_parser(description: str, groups: dict[str, dict[str, Key]]) -> argparse.ArgumentParser:
    parser = CommandLine(
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
        argument_default=argparse.SUPPRESS,
    )
    parser.add_argument("recipe", nargs="?", help="a flat YAML file of the keys below")
    parser.add_argument("--config", dest="config", metavar="RECIPE", help="the same, as TRL's scripts take it")
    for title, keys in groups.items():
        group = parser.add_argument_group(title)
        for key in keys.values():
            nargs = "+" if "list" in key.types else "?" if key.types & {"bool"} else None
            types = " or ".join(sorted(key.types - {"None"}))
            text = f"{key.help} ({types}; default: {key.default})".replace("%", "%%")
            group.add_argument(
                f"--{key.name}",
                nargs=nargs,
                const="true" if nargs == "?" else None,
                action=_Once,
                metavar=types.split(" ")[0].upper(),
                help=text,
            )
    return parser


def _command_line(
    parser: argparse.ArgumentParser, argv: list[str], known: dict[str, Key], refused: dict[str, str]
) -> tuple[list[str], dict]:
    given, unknown = parser.parse_known_args(argv)
    given = vars(given)
    for word in unknown:
        name = word.lstrip("-").split("=")[0]
        if word.startswith("--"):
            raise RecipeError(_unknown("command line", name, known, refused))
        raise RecipeError(f"command line: {word!r} belongs to no key.")
    recipes = [path for name in ("recipe", "config") if (path := given.pop(name, None)) is not None]
    given = {
        name: value[0]
        if isinstance(value, list) and len(value) == 1 and ("str" in known[name].types or value[0].startswith("["))
        else value
        for name, value in given.items()
    }
    return recipes, given


def _unknown(where: str, name: str, known: dict[str, Key], refused: dict[str, str]) -> str:
    if name in refused:
        return f"{where}: {name} is not a key of this script: {refused[name]}."
    near = difflib.get_close_matches(name, known, 1, cutoff=0.5)
    hint = f"; the nearest is {near[0]}" if near else ""
    return f"{where}: {name} is not a key of this script{hint}. --help lists them all."


def _require_effects(values: dict[str, Any], known: dict[str, Key], where: dict[str, str]) -> None:
    ignored = without_effect(values, {name: key.default_value for name, key in known.items()})
    if ignored:
        name, why = ignored
        raise RecipeError(f"{where[name]}: {name} {why}.")


def _require_what_is_versioned(values: dict[str, Any], own: dict[str, Key], where: dict[str, str]) -> None:
    """A `NAME_config` or `NAME_revision` needs the dataset or model: `NAME_dataset`, `NAME_from` or `NAME`.

    Test sets are left out: without another dataset their keys are about the one in recipes/test_sets.
    """
    for name in own:
        stem, _, ending = name.rpartition("_")
        if values.get(name) is None or ending not in ("config", "revision") or own[name].group == "test sets":
            continue
        named = next((key for key in (f"{stem}_dataset", f"{stem}_from", stem) if key in own), None)
        if named and values.get(named, own[named].default_value) is None:
            raise RecipeError(f"{where[name]}: {name} needs {named}.")


def parse_recipe(recipe_class: type[Recipe], *libraries: str, argv: list[str] | None = None) -> tuple:
    """Parse the command line of a script.

    Args:
        recipe_class: the script's own dataclass; its keys shadow a library's of the same name.
        libraries: names of LIBRARY_CLASSES that the script feeds.
        argv: the arguments, by default those of the process.

    Returns:
        The recipe, then for each library a dict of the arguments that were given for it.

    Raises:
        RecipeError: unknown key, key without effect, wrong type, missing file, two values for one key, or a required
            key that is absent.
    """
    own = own_keys(recipe_class)
    for name, key in test_set_keys().items():
        if key in own and own[key].group is None and issubclass(recipe_class, TestSetSources):
            raise RecipeError(f"recipes/test_sets/{name}.yaml: {key} is another key of this script; give it a `key`.")
    groups = {recipe_class.__name__: own}
    groups |= {name: {k: v for k, v in library_keys(name).items() if k not in own} for name in libraries}
    known = {name: key for keys in groups.values() for name, key in keys.items()}
    refused = {name: REFUSED[name] for library in libraries for name in class_keys(library) if name in REFUSED}
    description = getattr(sys.modules["__main__"], "__doc__", None) or recipe_class.__doc__
    argv = sys.argv[1:] if argv is None else argv
    recipes, given = _command_line(_argument_parser(description, groups), argv, known, refused)
    if len(recipes) > 1:
        raise RecipeError(f"two recipes are named, {recipes[0]} and {recipes[1]}; keep one.")
    where = recipes[0] if recipes else "command line"
    values = {}
    for name, value in (read_yaml(where) if recipes else {}).items():
        if name not in known:
            raise RecipeError(_unknown(where, name, known, refused))
        values[name] = check_value(where, known[name], value)
    values |= {name: check_value("command line", known[name], value) for name, value in given.items()}
    missing = [name for name, key in own.items() if key.required and name not in values]
    if missing:
        raise RecipeError(f"{where}: {missing[0]} is required: {own[missing[0]].help}.")
    places = {name: "command line" if name in given else where for name in values}
    _require_what_is_versioned(values, own, places)
    if libraries:
        _require_effects(values, known, places)
    recipe = recipe_class(**{name: value for name, value in values.items() if name in own})
    return recipe, *({k: v for k, v in values.items() if k in groups[name]} for name in libraries)
