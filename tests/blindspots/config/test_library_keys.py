"""The keys read from the libraries' source are those that the imported classes have."""

import dataclasses
import types
import typing

import pytest
from transformers import TrainingArguments
from trl import ModelConfig, SFTConfig

from blindspots.config.library_keys import dict_types, library_keys, types_of
from blindspots.config.refused_keys import REFUSED

CLASSES = {"TrainingArguments": TrainingArguments, "SFTConfig": SFTConfig, "ModelConfig": ModelConfig}


def types_in(annotation: object) -> set[str]:
    """The builtin types in an annotation, found without its text."""
    if isinstance(annotation, types.UnionType) or typing.get_origin(annotation) is typing.Union:
        return set().union(*map(types_in, typing.get_args(annotation)))
    if typing.get_origin(annotation) is typing.Literal:
        return {type(value).__name__ for value in typing.get_args(annotation)}
    origin = typing.get_origin(annotation) or annotation
    names = {int: "int", float: "float", bool: "bool", list: "list", dict: "dict", type(None): "None"}
    return {names.get(origin, "str")}


@pytest.mark.parametrize("name", CLASSES)
def test_names_and_types_are_those_of_the_dataclass(name):
    hints = typing.get_type_hints(CLASSES[name])
    fields = [field for field in dataclasses.fields(CLASSES[name]) if field.init and not field.name.startswith("_")]
    expected = {field.name: types_in(hints[field.name]) for field in fields if field.name not in REFUSED}
    assert {key.name: set(key.types) for key in library_keys(name).values()} == expected


def test_every_refused_key_is_a_real_one():
    fields = {field.name for fields in map(dataclasses.fields, CLASSES.values()) for field in fields}
    assert fields >= REFUSED.keys()
    assert not [name for name in CLASSES if REFUSED.keys() & library_keys(name)]


@pytest.mark.parametrize("name", CLASSES)
def test_every_key_says_what_it_means(name):
    assert not [key.name for key in library_keys(name).values() if not key.help]


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        ("int", {"int"}),
        ("str | list[str] | None", {"str", "list", "None"}),
        ("Optional[float]", {"float", "None"}),
        ("SchedulerType | str", {"str"}),
        ("Literal['a', 'b'] | None", {"str", "None"}),
        ("dict[str, Any]", {"dict"}),
    ],
)
def test_types_of_an_annotation(annotation, expected):
    assert types_of(annotation) == expected


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        ("dict[str, float]", {"float"}),
        ("dict[str, int | str] | None", {"int", "str"}),
        ("dict[str, Any] | str | None", set()),
        ("dict | str", set()),
        ("list[str]", set()),
    ],
)
def test_types_of_what_a_dict_holds(annotation, expected):
    assert dict_types(annotation) == expected
