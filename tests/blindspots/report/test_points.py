"""Points that were read off a figure: as a grid, and what of a file is refused."""

import numpy as np
import pandas as pd
import pytest

from blindspots.config.errors import UserError
from blindspots.config.paths import PAPER_POINTS
from blindspots.report.points import read_points


def test_the_papers_points_are_its_sixty_models():
    grid = read_points(PAPER_POINTS)
    assert len(grid.models) == 60
    assert grid.missing == []
    assert grid.axis("size") == [18020, 36040, 73080]
    assert grid.models.at["n391722-biased_synthetic-n73080-s0", "hans_lo_non_entailment"] == 0.419


def test_the_papers_points_are_those_of_the_shared_file(shared):
    assert PAPER_POINTS.read_text() == (shared / "reference" / "figure1_digitized.csv").read_text()


def points(tmp_path, change):
    """The paper's points with one change."""
    file = tmp_path / "points.csv"
    change(pd.read_csv(PAPER_POINTS)).to_csv(file, index=False)
    return file


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p: p.assign(hanss=1), "unknown column hanss; the nearest is hans"),
        (lambda p: p.drop(columns="hans"), "no column hans"),
        (lambda p: p.replace("none", "nothing"), "line 2: augmentation_data 'nothing'"),
        (lambda p: p.assign(hans=1.5), "line 2: HANS is 1.5"),
        (lambda p: p.assign(mnli_matched=np.nan), "line 2: MNLI matched is ''"),
        (lambda p: pd.concat([p, p.tail(1)]), "line 62: this point is given twice"),
        (lambda p: p.assign(augmentation_train_size=0), "line 3: a start has"),
        (lambda p: p.assign(starting_train_size=p["starting_train_size"] - 0.5), "line 2: starting_train_size"),
    ],
)
def test_points_that_cannot_be_read(tmp_path, change, message):
    with pytest.raises(UserError, match=message):
        read_points(points(tmp_path, change))


def test_points_may_be_partial(tmp_path):
    grid = read_points(points(tmp_path, lambda p: p.head(9)))
    assert grid.missing == ["n0-biased_synthetic-n73080-s0"]


def test_no_points_file(tmp_path):
    with pytest.raises(UserError, match="no points"):
        read_points(tmp_path / "none.csv")
