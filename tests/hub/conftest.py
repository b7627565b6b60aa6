"""Fixtures of a local Hub, for every test that talks to one."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .local_hub import LocalHub
from .tiny_grid import make_tiny_grid

RELEASE = ("--hub_namespace", "blindspots", "--hub_tag", "v0.1")


@pytest.fixture
def start_hub(tmp_path: Path) -> Iterator[Callable[..., LocalHub]]:
    """Starts Hubs that stop with the test, all over one store unless told otherwise."""
    hubs = []

    def start(store: Path = tmp_path / "store", home: Path | None = None) -> LocalHub:
        hubs.append(LocalHub(store, home or tmp_path / f"home{len(hubs)}"))
        return hubs[-1]

    yield start
    for hub in hubs:
        hub.stop()


@pytest.fixture
def hub(start_hub: Callable[..., LocalHub]) -> LocalHub:
    """An empty Hub."""
    return start_hub()


@pytest.fixture(scope="session")
def tiny_grid(world, tmp_path_factory) -> Path:
    """A folder with the smallest grid in outputs/demo; no test may change it."""
    root = tmp_path_factory.mktemp("tiny")
    make_tiny_grid(root, world / "generator")
    return root


@pytest.fixture(scope="session")
def released_store(tiny_grid, tmp_path_factory) -> Path:
    """The store of a Hub to which that grid was released as v0.1."""
    folder = tmp_path_factory.mktemp("released")
    hub = LocalHub(folder / "store", folder / "home")
    try:
        pushed = hub.run("scripts/release.py", "push", "outputs/demo", *RELEASE, cwd=tiny_grid)
    finally:
        hub.stop()
    assert pushed.returncode == 0, pushed.stderr
    return folder / "store"


@pytest.fixture
def released(released_store, tmp_path, start_hub) -> LocalHub:
    """A Hub of one's own that holds the release, on another port, with a fresh cache."""
    shutil.copytree(released_store, tmp_path / "store")
    return start_hub()
