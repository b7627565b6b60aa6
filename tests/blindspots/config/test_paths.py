"""The parts of the checkout are where the scripts look for them."""

from pathlib import Path

import pytest

from blindspots.config import paths

NAMES = [name for name in vars(paths) if name.isupper()]


@pytest.mark.parametrize("name", NAMES)
def test_a_part_is_there(name):
    assert getattr(paths, name).exists()


def test_the_root_is_that_of_the_tests():
    assert Path(__file__).parents[3] == paths.ROOT
