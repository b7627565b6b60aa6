"""Reading a lineage: its names, commits, hashes and types are checked once, here, whoever wrote it."""

import re
from collections.abc import Iterator
from numbers import Number
from pathlib import Path
from typing import Any

from blindspots.artifacts.files import parse_json
from blindspots.config.errors import UserError, one_line

LINEAGE = "lineage.json"
# The Hub's form of a model's results, see `cards.eval_results`.
EVAL_RESULTS = ".eval_results/nli.yaml"

# One part of a path: neither hidden, nor `..`, nor what a command line takes for an option.
NAME = re.compile(r"\w[\w.-]*", re.ASCII)
REPO_ID = re.compile(r"\w[\w.-]*/\w[\w.-]*", re.ASCII)
TAG = re.compile(r"v\d+([.-]\w+)*", re.ASCII)
COMMIT = re.compile(r"[0-9a-f]{40}")
REPO_TYPES = ("model", "dataset", "space")
_REQUIRED = {"artifact": str, "artifact_type": str, "content_sha256": str, "parents": list, "results": dict}
_REQUIRED |= {"files": dict}
_OPTIONAL: dict[str, type] = {
    **dict.fromkeys(("code_commit", "finished", "recipe_sha256"), str),
    **dict.fromkeys(("recipe", "versions", "hardware", "row_counts", "input"), dict),
    **dict.fromkeys(("wall_time_s", "processes"), Number),
    "earlier_runs": list,
}
_IN_WORDS = {str: "text", list: "a list", dict: "an object", Number: "a number"}
# What may be uploaded; a checkpoint's optimizer state, caches and stray files stay here.
ALLOWED = re.compile(
    r"(data|predictions)/(\w[\w.-]*/)?\w[\w.-]*\.parquet"
    r"|\w[\w.-]*\.(safetensors|json|jinja|model|txt|md|yaml|py|png|svg|html)"
)


def parse_lineage(content: bytes, where: str) -> dict[str, Any]:
    """The lineage in a file's bytes. Raises UserError for what is not a lineage or names what it may not."""
    try:
        value = parse_json(content)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{where} can't be read: {one_line(error)}.") from None
    return checked_lineage(value, where)


def checked_lineage(value: Any, where: str) -> dict[str, Any]:
    """The value of a lineage's JSON. Raises UserError for what is not a lineage or names what it may not."""
    for fault in _faults(value):
        raise UserError(f"{where} can't be used: {fault}.")
    return value


def read_lineage(folder: Path) -> dict[str, Any]:
    """The lineage of an artifact folder. Raises UserError for one that is not there or can't be used."""
    file = folder / LINEAGE
    try:
        content = file.read_bytes()
    except OSError as error:
        raise UserError(f"{file} can't be read: {error.strerror}.") from None
    try:
        return parse_lineage(content, str(file))
    except UserError as error:
        raise UserError(f"{error} Make the artifact again, or take this file out of the folder.") from None


def _faults(value: Any) -> Iterator[str]:
    """What is wrong with a lineage, in words."""
    if not isinstance(value, dict):
        yield "it is not a lineage"
        return
    for key, wanted in _REQUIRED.items():
        if not isinstance(value.get(key), wanted):
            yield f"its {key} is missing or not {_IN_WORDS[wanted]}"
            return
    for key, types in _OPTIONAL.items():
        if value.get(key) is not None and not isinstance(value[key], types):
            yield f"its {key} is not {_IN_WORDS[types]}"
    if not is_folder_name(value["artifact"]):
        yield f"{value['artifact']!r} is not the name of an artifact"
    if not NAME.fullmatch(value["artifact_type"]):
        yield f"{value['artifact_type']!r} is not a type of artifact"
    licences = value.get("license")
    if not all(isinstance(licence, str) for licence in (licences if isinstance(licences, list) else [licences or ""])):
        yield "its license is not text"
    for name, file in value["files"].items():
        if not (isinstance(file, dict) and isinstance(file.get("sha256"), str) and type(file.get("bytes")) is int):
            yield f"it lists {name!r} without its hash and size"
    for parent in value["parents"]:
        yield from _faults_of_parent(parent)
    precision = value.get("precision", {})
    parts = precision.values() if isinstance(precision, dict) else [None]
    if not all(isinstance(part, dict) and {"base", "compute"} <= part.keys() for part in parts):
        yield "its precision lacks base or compute"
    for run in value.get("earlier_runs") or []:
        known = isinstance(run, dict) and isinstance(run.get("wall_time_s"), Number)
        if not known or not isinstance(run.get("code_commit"), str | None):
            yield "an earlier run lacks its wall_time_s or code_commit"
    headlines = value["results"].get("headlines", [])
    for headline in headlines if isinstance(headlines, list) else [None]:
        yield from _faults_of_headline(headline)


def is_folder_name(text: Any) -> bool:
    """Whether a text can name an artifact's folder here; that of a repo is narrower."""
    return isinstance(text, str) and text.isprintable() and not re.search(r"^[.\s-]|[/\\]|^$", text)


def _faults_of_parent(parent: Any) -> Iterator[str]:
    if not isinstance(parent, dict) or not isinstance(parent.get("name"), str):
        yield "a parent has no name"
        return
    name, revision, tag = parent["name"], parent.get("revision", ""), parent.get("tag")
    if not (isinstance(parent.get("role"), str) and NAME.fullmatch(parent["role"])):
        yield f"{parent.get('role')!r} is not the role of a parent"
    if parent.get("repo_type") not in REPO_TYPES:
        yield f"{parent.get('repo_type')!r} is not a type of repo"
    if not name.isprintable() or (revision is not None and not REPO_ID.fullmatch(name)):
        yield f"{name!r} is not a Hub id (org/name)"
    if revision is not None and not (isinstance(revision, str) and COMMIT.fullmatch(revision)):
        yield f"{revision!r} is not a commit of 40 hexadecimal digits"
    if tag is not None and not (isinstance(tag, str) and TAG.fullmatch(tag)):
        yield f"{tag!r} is not a tag such as v1.0"
    if parent.get("artifact") is not None and not is_folder_name(parent["artifact"]):
        yield f"{parent['artifact']!r} is not the name of an artifact"
    if not isinstance(parent.get("content_sha256"), str):
        yield f"its parent {name} has no content_sha256"


def _faults_of_headline(headline: Any) -> Iterator[str]:
    texts = ("name", "test_set", "split")
    if not isinstance(headline, dict) or not all(isinstance(headline.get(key), str) for key in texts):
        yield "a headline lacks its name, test_set or split"
        return
    accuracy, part = headline.get("accuracy"), headline.get("slice")
    if not (isinstance(accuracy, int | float) and 0 <= accuracy <= 1):
        yield f"headline {headline['name']!r} has no accuracy from 0 to 1"
    if not (isinstance(part, dict) and all(isinstance(text, str) for text in part.values())):
        yield f"headline {headline['name']!r} has no slice"
