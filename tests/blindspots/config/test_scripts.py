"""The table of scripts and recipe classes: whole, and what each script really parses."""

import pytest

from blindspots.config.paths import ROOT
from blindspots.config.scripts import RECIPE_CLASSES


@pytest.mark.parametrize("script", RECIPE_CLASSES)
def test_a_script_parses_the_classes_that_the_table_names(script):
    words = [f'"{found}"' if isinstance(found, str) else found.__name__ for found in RECIPE_CLASSES[script]]
    assert f"parse_recipe({', '.join(words)}" in (ROOT / f"scripts/{script}.py").read_text("utf-8")


def test_every_script_that_reads_a_recipe_is_in_the_table():
    parsing = {file.stem for file in (ROOT / "scripts").glob("*.py") if "parse_recipe(" in file.read_text("utf-8")}
    assert parsing - {"validate"} == set(RECIPE_CLASSES)
