"""The layers of the package: each imports from those above it only, and no modules import one another in a circle.

Imports are read from the source, so that those inside functions and those for type checkers count too.
"""

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from importlib.util import resolve_name
from pathlib import Path

import pytest

from blindspots.config.paths import ROOT

PACKAGE = ROOT / "scripts" / "blindspots"
LAYERS = (
    "config",
    "artifacts",
    "data",
    "grid",
    "modeling",
    "training",
    "evaluation",
    "audit",
    "sources",
    "report",
    "check",
    "release",
    "demo",
)
# `evaluate_modules/*` link to these, so that a pushed module stands alone.
LEAVES = (
    "blindspots.data.nli",
    "blindspots.data.heuristics",
    "blindspots.data.text_style",
    "blindspots.evaluation.label_counts",
    "blindspots.evaluation.cues",
    "blindspots.evaluation.statistics",
    "blindspots.evaluation.module_inputs",
)


def module_name(file: Path, package: Path) -> str:
    parts = file.relative_to(package.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def modules(package: Path) -> dict[str, Path]:
    """Every module of a package with its file."""
    return {module_name(file, package): file for file in sorted(package.rglob("*.py"))}


def imported_names(file: Path, name: str) -> Iterator[str]:
    """The full names of whatever a module imports, wherever in it, `from x import y` as x.y."""
    package = name if file.stem == "__init__" else name.rpartition(".")[0]
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            origin = resolve_name("." * node.level + (node.module or ""), package) if node.level else node.module
            yield from (f"{origin}.{alias.name}" for alias in node.names)


def imports(package: Path) -> dict[str, set[str]]:
    """For each module of a package the modules of the same package that it imports."""
    found = modules(package)
    graph = {}
    for name, file in found.items():
        graph[name] = set()
        for imported in imported_names(file, name):
            while imported not in found and "." in imported:  # the name of something within a module
                imported = imported.rpartition(".")[0]
            if imported in found:
                graph[name].add(imported)
    return graph


def layer(name: str) -> str | None:
    """The layer of a module, None for the package itself."""
    return name.split(".")[1] if "." in name else None


def imports_from_below(graph: dict[str, set[str]]) -> list[str]:
    """The imports that go to a layer further down than the importing module's own, as `module <- imported`."""
    return [
        f"{name} <- {imported}"
        for name, others in graph.items()
        for imported in sorted(others)
        if layer(name) and layer(imported) and LAYERS.index(layer(imported)) > LAYERS.index(layer(name))
    ]


def circle(graph: dict[str, set[str]]) -> list[str]:
    """The first circle of imports, empty where there is none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1]
    return []


@pytest.fixture(scope="module")
def graph() -> dict[str, set[str]]:
    return imports(PACKAGE)


def test_every_module_is_in_a_layer_of_the_list(graph):
    assert {layer(name) for name in graph} - {None} == set(LAYERS)


def test_no_module_imports_from_a_layer_below_its_own(graph):
    assert imports_from_below(graph) == []


def test_no_modules_import_one_another_in_a_circle(graph):
    assert circle(graph) == []


@pytest.mark.parametrize("leaf", LEAVES)
def test_what_the_evaluate_modules_link_to_imports_nothing_of_the_project(graph, leaf):
    assert graph[leaf] == set()


# The reading itself


@pytest.fixture
def made(tmp_path):
    """Writes modules of a small package by name and returns its imports."""

    def make(**sources: str) -> dict[str, set[str]]:
        package = tmp_path / "blindspots"
        for name, source in {"__init__": "", **sources}.items():
            file = package / f"{name.replace('__of__', '/')}.py"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(source)
        return imports(package)

    return make


@pytest.mark.parametrize(
    "source",
    [
        "import blindspots.training.run",
        "import blindspots.training.run as running",
        "from blindspots.training.run import train",
        "from blindspots.training import run",
        "from ..training import run",
        "from ..training.run import train",
        "def f():\n    from blindspots.training.run import train\n",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from blindspots.training.run import train\n",
        "try:\n    from blindspots.training.run import train\nexcept ImportError:\n    pass\n",
    ],
)
def test_an_import_is_found_however_it_is_written(made, source):
    graph = made(data__of__nli=source, training__of__run="from blindspots.config import errors", config__of__errors="")
    assert graph["blindspots.data.nli"] == {"blindspots.training.run"}
    assert imports_from_below(graph) == ["blindspots.data.nli <- blindspots.training.run"]


def test_a_circle_is_found_within_a_layer_too(made):
    graph = made(
        data__of__a="from blindspots.data.b import x",
        data__of__b="def f():\n    from blindspots.data import c\n",
        data__of__c="import blindspots.data.a",
    )
    assert imports_from_below(graph) == []
    assert set(circle(graph)) == {f"blindspots.data.{name}" for name in "abc"}


def test_the_grid_stands_beside_the_data(made):
    graph = made(grid="from blindspots.data.kinds import kind_of", data__of__kinds="", report__of__a="import math")
    assert imports_from_below(graph) == []
    graph = made(grid="", data__of__kinds="from blindspots.grid import Cell")
    assert imports_from_below(graph) == ["blindspots.data.kinds <- blindspots.grid"]
