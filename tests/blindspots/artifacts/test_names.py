"""A lineage from outside: what it names is checked where it is read."""

import copy
import json

import pytest

from blindspots.artifacts.names import ALLOWED, parse_lineage
from blindspots.config.errors import UserError, one_line

PARENT = {
    "role": "train",
    "name": "org/rows",
    "repo_type": "dataset",
    "revision": "a" * 40,
    "artifact": "rows",
    "content_sha256": "b" * 64,
    "tag": "v0.1",
}
HEADLINE = {"name": "hans", "title": "HANS", "test_set": "hans", "split": "validation", "slice": {}, "accuracy": 0.5}
LINEAGE = {
    "artifact": "demo-model",
    "artifact_type": "task_model",
    "license": ["mit", "apache-2.0"],
    "content_sha256": "c" * 64,
    "parents": [PARENT, PARENT | {"revision": None, "name": "/home/me/my rows", "tag": None}],
    "results": {"headlines": [HEADLINE]},
    "files": {"recipe.yaml": {"sha256": "d" * 64, "bytes": 3}},
}


def parsed(value: object) -> dict:
    return parse_lineage(json.dumps(value).encode(), "some/lineage.json")


def changed(*path: str | int, to: object) -> dict:
    """LINEAGE with another value in one place."""
    value = copy.deepcopy(LINEAGE)
    place = value
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = to
    return value


def test_a_lineage_of_ours_is_read():
    assert parsed(LINEAGE) == LINEAGE


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({}, "its artifact is missing"),
        ([], "it is not a lineage"),
        (None, "it is not a lineage"),
        (changed("files", to=None), "its files is missing or not an object"),
        (changed("parents", to={}), "its parents is missing or not a list"),
        (changed("license", to={"a": 1}), "its license is not text"),
        (changed("license", to=["mit", 3]), "its license is not text"),
        (changed("files", "x", to=[]), "without its hash and size"),
        (changed("parents", 0, to="x"), "a parent has no name"),
        (changed("parents", 0, "content_sha256", to=None), "has no content_sha256"),
        (changed("precision", to="nf4"), "its precision lacks base or compute"),
        (changed("precision", to={"evaluated": {"base": "nf4"}}), "its precision lacks base or compute"),
        (changed("earlier_runs", to={}), "its earlier_runs is not a list"),
        (changed("earlier_runs", to=[{"code_commit": None}]), "an earlier run lacks its wall_time_s or code_commit"),
        (changed("results", "headlines", to=3), "a headline lacks its name"),
        (changed("results", "headlines", 0, "accuracy", to=float("nan")), "no accuracy from 0 to 1"),
        (changed("results", "headlines", 0, "slice", to={"label": 3}), "has no slice"),
        *(
            (changed("artifact", to=name), "is not the name of an artifact")
            for name in ("../x", ".", "/x", "a\x1bb", "")
        ),
        *(
            (changed("parents", 0, "artifact", to=name), "is not the name of an")
            for name in ("..", "a/b", "-x", "a\nb")
        ),
        *((changed("artifact_type", to=name), "is not a type of artifact") for name in ("../x", "", "a\nb")),
        *((changed("parents", 0, "role", to=name), "is not the role") for name in ("--x", "a b", 3, None)),
        *((changed("parents", 0, "name", to=name), "is not a Hub id") for name in ("/etc", "a/b/c", "../x", "a/b\n")),
        *((changed("parents", 0, "revision", to=name), "is not a commit") for name in ("main", "A" * 40, "a" * 39, 7)),
        *((changed("parents", 0, "tag", to=name), "is not a tag") for name in ("latest", "v1\n", "v1 --x", 1)),
        *((changed("parents", 0, "repo_type", to=name), "is not a type of repo") for name in ("kernel", None)),
    ],
)
def test_what_a_lineage_may_not_say_is_told_in_one_line(value, said):
    with pytest.raises(UserError, match=said) as told:
        parsed(value)
    assert str(told.value).startswith("some/lineage.json can't be used: ")
    assert str(told.value).isprintable()


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[" * 100_000, b'{"parents": [{}], "parents": []}'])
def test_what_is_no_json_is_told_in_one_line(content):
    with pytest.raises(UserError, match=r"some/lineage\.json can't be read") as told:
        parse_lineage(content, "some/lineage.json")
    assert str(told.value).isprintable()


@pytest.mark.parametrize(
    "name", ["data/../x.parquet", "../x.json", ".x.json", "/x.json", "data/x/../../y.parquet", "a\nb.json", "x.bin"]
)
def test_no_file_name_leaves_the_artifact(name):
    assert not ALLOWED.fullmatch(name)


@pytest.mark.parametrize(
    "name", ["data/n2/train-00000-of-00001.parquet", "predictions/hans.parquet", "model.safetensors"]
)
def test_the_files_of_artifacts_are_allowed(name):
    assert ALLOWED.fullmatch(name)


def test_control_characters_are_left_out_of_a_line():
    assert one_line("a\x1b[31m\nb\u202ec") == "a [31m b c"
