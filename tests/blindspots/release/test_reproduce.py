"""The tolerance of a reproduced headline, from the released seeds or from the rows that it counts."""

import pandas as pd
import pytest

from blindspots.config.errors import UserError
from blindspots.release.reproduce import rows_of, tolerance

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
