"""The valid inputs that the tests of this folder damage, and the count of what became of them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from blindspots.config.paths import EVALUATE_MODULES

from .counts import COUNTS, PROPERTY
from .made_inputs import make_inputs, make_more


@pytest.fixture(scope="session")
def inputs(world, tmp_path_factory) -> Path:
    """A folder of valid inputs of every script; no test may change it."""
    folder = tmp_path_factory.mktemp("inputs")
    make_inputs(folder, world, EVALUATE_MODULES)
    return folder


@pytest.fixture(scope="session")
def all_inputs(inputs) -> Path:
    """The same folder with a tuned model and a report, which take longer to make."""
    make_more(inputs)
    return inputs


@pytest.fixture(autouse=True)
def counted(record_property) -> Iterator[None]:
    """Hand the counts of a test on to the summary, see `tests/conftest.py`."""
    COUNTS.clear()
    yield
    for line in COUNTS.lines():
        record_property(PROPERTY, line)
