"""The tolerance of a reproduced headline, from the released seeds or from the rows that it counts."""

import made_grid
import numpy as np
import pandas as pd
import pytest

from blindspots.config.errors import UserError
from blindspots.config.paths import PAPER_POINTS
from blindspots.grid import Cell
from blindspots.release.reproduce import comparison, paper_point, rows_of, tolerance

ROWS = pd.DataFrame(
    {
        "test_set": ["hans"] * 4 + ["other"] * 2,
        "gold": ["entailment", "non-entailment"] * 3,
        "heuristic": ["lexical_overlap", "lexical_overlap", "subsequence", "subsequence", "", ""],
        "domain": [""] * 4 + ["law", "news"],
    }
)


def headline(test_set: str = "hans", accuracy: float = 0.5, **part: str) -> dict:
    return {"name": "it", "test_set": test_set, "slice": part, "accuracy": accuracy}


@pytest.mark.parametrize(
    ("asked", "rows"),
    [
        (headline(), 4),
        (headline(heuristic="lexical_overlap", label="non-entailment"), 1),
        (headline("other", domain="law"), 1),
        (headline("other", domain="law", label="entailment"), 1),
    ],
)
def test_the_rows_of_a_headline_are_counted_in_the_predictions(asked, rows):
    assert rows_of(asked, ROWS) == rows


@pytest.mark.parametrize("asked", [headline("absent"), headline(no_such="x"), headline(heuristic="x")])
def test_a_headline_without_rows_is_told(asked):
    with pytest.raises(UserError, match="have no row of it"):
        tolerance(asked, {}, ROWS)


def test_one_seed_is_compared_by_the_sampling_error_and_several_by_their_spread():
    by_rows = tolerance(headline(), {}, ROWS)
    assert 0.3 < by_rows < 0.7
    seeds = {seed: {"headlines": [headline(accuracy=value)]} for seed, value in enumerate((0.5, 0.6))}
    assert tolerance(headline(), {0: seeds[0]}, ROWS) == by_rows
    assert tolerance(headline(), seeds, ROWS) == pytest.approx(12.706 * 0.0707107 * 2**0.5, rel=1e-3)


def test_a_cell_stands_beside_the_released_numbers_and_the_papers(tmp_path):
    for name, right in (("ours", 0.9), ("released", 0.5)):
        made_grid.write_model(tmp_path / name, right, np.random.default_rng(0), made_grid.test_sets())
    paper = paper_point(PAPER_POINTS, Cell(5000, 0, "synthetic", 18020))
    table = comparison(tmp_path / "ours", tmp_path / "released", {}, paper)
    assert list(table.columns) == ["ours", "released", "difference", "tolerance", "within", "paper"]
    points = pd.read_csv(PAPER_POINTS).query(
        "starting_train_size == 5000 and augmentation_data == 'synthetic' and augmentation_train_size == 18020"
    )
    assert table.loc["hans", "paper"] == points["hans"].item()
    assert table.loc["mnli_matched", "difference"] == pytest.approx(
        table.loc["mnli_matched", "ours"] - table.loc["mnli_matched", "released"]
    )
    assert table.loc["mnli_matched", "within"] == "no"
    assert paper_point(PAPER_POINTS, Cell(17, 0, "synthetic", 18020)) == {}
