"""Fixtures of a local Hub, for every test that talks to one."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .local_hub import LocalHub


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
