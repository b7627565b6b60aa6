"""A second run of a cell against the released one: what is compared, how far it may lie off, and what can't fail."""

import math

import numpy as np
import pandas as pd
import pytest
from made_grid import folder_of, make_grid  # noqa: F401

from blindspots.config.analysis_recipes import ReproduceRecipe
from blindspots.config.errors import UserError
from blindspots.config.paths import PAPER_POINTS
from blindspots.evaluation.scoring import read_predictions
from blindspots.grid import Cell
from blindspots.release import reproduce
from blindspots.release.reproduce import Score, comparison, paper_point, scores, tolerance, unlike, unlike_tolerance
from blindspots.report.collect import read_grid


@pytest.fixture
def seeds(make_grid, folder_of):  # noqa: F811
    """Folders of one cell by seed, and the grid that holds them."""
    recipe = make_grid(seeds=range(4), starts=[0], kinds=["synthetic"], sizes=[60])
    return {seed: folder_of(f"n0-synthetic-n60-s{seed}") for seed in range(4)}, read_grid(recipe)


def test_the_scores_are_those_of_a_report(seeds):
    folders, grid = seeds
    found, row = scores(read_predictions(folders[0])), grid.models.loc["n0-synthetic-n60-s0"]
    assert found.keys() == {
        "mnli_matched",
        "hans",
        "hans_lo_non_entailment",
        "hans_lo_entailment",
        "hans_lo_non_entailment_probability",
        "hans_lo_entailment_probability",
    }
    for name, score in found.items():
        assert score.value == pytest.approx(row[name], abs=5e-4)  # a report keeps thousandths
    assert found["hans_lo_entailment"].rows == 10


def test_one_seed_is_compared_by_the_sampling_error_of_the_rows():
    assert tolerance([Score(0.5, 100, 0.5)]) == pytest.approx(1.96 * 0.05 * 2**0.5, rel=1e-3)


def test_several_seeds_are_compared_by_their_spread():
    assert tolerance([Score(0.5, 9, 0.1), Score(0.6, 9, 0.1)]) == pytest.approx(12.706 * 0.0707107 * 2**0.5, rel=1e-3)


def test_a_run_that_repeats_the_released_one_lies_within_and_the_table_says_what_has_no_power(seeds):
    folders, _ = seeds
    table = comparison(folders[0], folders[0], folders, 0, {"hans": 0.7})
    assert (table["difference"] == 0).all()
    assert "no" not in set(table["within"])
    wide = table["tolerance"] > reproduce.LARGE
    assert set(table.loc[wide, "within"]) == {"no power"}
    assert set(table.loc[~wide, "within"]) <= {"yes"}
    assert table.loc["hans_rows_unlike", "ours"] == 0
    assert (table.loc["hans", "paper"], math.isnan(table.loc["mnli_matched", "paper"])) == (0.7, True)


def test_another_model_predicts_more_rows_differently_than_two_seeds_do(seeds, make_grid, tmp_path):  # noqa: F811
    folders, _ = seeds
    rows = read_predictions(folders[0])
    others = [read_predictions(folder) for folder in folders.values()]
    swaps = {"entailment": "neutral", "neutral": "entailment", "contradiction": "entailment"}
    swapped = rows.assign(prediction=rows["prediction"].map(swaps))
    allowed = unlike_tolerance(others, "hans")
    assert unlike(rows, others[1], "hans") < allowed < unlike(rows, swapped, "hans") == 1


def test_two_seeds_do_not_say_how_far_their_rows_may_differ(seeds):
    folders, _ = seeds
    rows = [read_predictions(folder) for folder in folders.values()]
    assert unlike_tolerance(rows[:2], "hans") == math.inf
    assert np.isfinite(unlike_tolerance(rows[:3], "hans"))


def test_a_shift_that_accuracy_does_not_show_is_seen_in_the_mean_probability(seeds, tmp_path):
    """Every logit of entailment a little higher: no prediction changes, every probability does."""
    folders, _ = seeds
    (tmp_path / "shifted/predictions").mkdir(parents=True)
    for file in (folders[0] / "predictions").glob("*.parquet"):
        rows = pd.read_parquet(file)
        rows["logit_entailment"] += 1.2
        rows.to_parquet(tmp_path / "shifted/predictions" / file.name)
    table = comparison(tmp_path / "shifted", folders[0], {0: folders[0]}, 0, {})
    probabilities = [name for name in table.index if name.endswith("_probability")]
    assert (table.loc[["mnli_matched", "hans", "hans_rows_unlike"], "difference"] == 0).all()
    assert (table.loc[probabilities, "difference"].abs() > 0.02).all()


def test_other_rows_cannot_be_compared(seeds):
    folders, _ = seeds
    rows = read_predictions(folders[0])
    with pytest.raises(UserError, match="predictions of hans are of other rows"):
        unlike(rows, rows.iloc[1:], "hans")


def test_only_replicates_that_differ_in_their_seed_alone_are_compared_with(monkeypatch, tmp_path):
    axes = {"starts": [900], "kinds": ["synthetic"], "sizes": [60], "start": 900, "kind": "synthetic", "size": 60}
    names = {"hub_namespace": "org", "hub_tag": "v1", "seeds": list(range(6))}
    monkeypatch.setattr(reproduce, "tag_commit", lambda *_: "0" * 40)
    monkeypatch.setattr(reproduce, "download", lambda name, *_, **__: tmp_path / name)

    def seeds_of(**design) -> list[int]:
        recipe = ReproduceRecipe(**axes, **names, **design)
        return list(reproduce.released_predictions(recipe, "demo", Cell(900, 1, "synthetic", 60)))

    assert seeds_of() == [0, 1, 2, 3, 4, 5]
    assert seeds_of(generators=["a", "b"]) == [1, 3, 5]
    assert seeds_of(generators=["a", "b"], start_draws=3) == [1]
    assert seeds_of(own_sets=True) == [1]


def test_the_papers_point_of_a_cell_is_that_of_its_figure():
    found = paper_point(PAPER_POINTS, Cell(5000, 0, "synthetic", 18020))
    points = pd.read_csv(PAPER_POINTS).query(
        "starting_train_size == 5000 and augmentation_data == 'synthetic' and augmentation_train_size == 18020"
    )
    assert found["hans"] == points["hans"].item()
    assert paper_point(PAPER_POINTS, Cell(17, 0, "synthetic", 18020)) == {}
