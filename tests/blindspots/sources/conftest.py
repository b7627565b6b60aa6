"""Comparisons of small sets, made on the spot."""

from pathlib import Path

import pandas as pd
import pytest

from blindspots.config.source_recipes import CompareRecipe
from blindspots.sources.run import compare, fetch_source


@pytest.fixture
def compared(tmp_path):
    """Compares rows by a recipe's keys and returns what comparison.json would hold: compared(rows, **keys)."""

    def make(rows: pd.DataFrame, **keys) -> dict:
        file = Path(tmp_path / "rows.parquet")
        rows.to_parquet(file)
        recipe = CompareRecipe(**({"output_dir": "out", "dataset": str(file), "resamples": 200} | keys))
        return compare(recipe, fetch_source(recipe))

    return make
