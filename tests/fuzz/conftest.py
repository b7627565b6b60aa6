"""The valid inputs that the tests of this folder damage."""

from pathlib import Path

import pytest

from blindspots.config.paths import EVALUATE_MODULES

from .made_inputs import make_inputs


@pytest.fixture(scope="session")
def inputs(world, tmp_path_factory) -> Path:
    """A folder of valid inputs of every script; no test may change it."""
    folder = tmp_path_factory.mktemp("inputs")
    make_inputs(folder, world, EVALUATE_MODULES)
    return folder
