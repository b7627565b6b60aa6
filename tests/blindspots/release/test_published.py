"""Runs over seeds against published means: what is compared, and what is no comparison."""

import json

import numpy as np
import pandas as pd
import pytest
from made_grid import test_sets as made_rows
from made_grid import write_model

from blindspots.config.errors import RecipeError, UserError
from blindspots.config.paths import RECIPES
from blindspots.config.yaml_files import read_yaml
from blindspots.data import test_sets
from blindspots.release.published import Published, compare, published_scores, read_runs

PUBLISHED = {"hans": Published(0.57, 0.02, 100)}


def runs(mean: float, sd: float, count: int) -> pd.DataFrame:
    noise = np.linspace(-1, 1, count)
    return pd.DataFrame({"hans": mean + sd * noise / noise.std(ddof=1)})


@pytest.mark.parametrize(
    ("mean", "sd", "count", "within"),
    [(0.58, 0.02, 5, "yes"), (0.66, 0.02, 5, "no"), (0.58, 0.1, 2, "no power"), (0.57, 0.0, 2, "yes")],
)
def test_a_mean_is_within_the_published_one_or_not_or_nobody_can_tell(mean, sd, count, within):
    row = compare(runs(mean, sd, count), PUBLISHED).loc["hans"]
    assert row["within"] == within
    assert (row["ours"], row["published"]) == (pytest.approx(mean), 0.57)
    assert row["low"] < mean - 0.57 + 1e-12 < row["high"] + 1e-9


def test_the_interval_is_welchs():
    from scipy import stats

    rng = np.random.default_rng(0)
    theirs = rng.normal(size=100)
    theirs = 0.57 + 0.02 * (theirs - theirs.mean()) / theirs.std(ddof=1)
    ours = runs(0.58, 0.03, 6)
    expected = stats.ttest_ind(ours["hans"], theirs, equal_var=False).confidence_interval(0.95)
    row = compare(ours, PUBLISHED).loc["hans"]
    assert (row["low"], row["high"]) == (pytest.approx(expected.low), pytest.approx(expected.high))


@pytest.fixture
def models(tmp_path, monkeypatch):
    """Writes models of these seeds, of test sets as small as the made ones."""
    rows = made_rows()
    sizes = {name: test_sets.dataclasses.replace(test_sets.test_set(name), rows=len(rows[name])) for name in rows}
    monkeypatch.setattr("blindspots.release.published.test_set", sizes.get)

    def write(*seeds: int, **keys: object):
        for place, seed in enumerate(seeds):
            folder = tmp_path / f"s{place}"
            write_model(folder, 0.6, np.random.default_rng(place), rows)
            file = folder / "lineage.json"
            lineage = json.loads(file.read_text())
            lineage["recipe"] |= {"seed": seed} | (keys if place else {})
            file.write_text(json.dumps(lineage))
        return tmp_path

    return write


def test_the_scores_of_each_run_are_read(models):
    found = read_runs(models(0, 1, 2), PUBLISHED)
    assert list(found.index) == ["s0", "s1", "s2"]
    assert found["hans"].between(0, 1).all()


def test_what_is_no_mean_over_seeds_is_refused(models, tmp_path):
    with pytest.raises(UserError, match="holds 0 models; a mean over seeds needs two or more"):
        read_runs(tmp_path, PUBLISHED)
    with pytest.raises(UserError, match="have one seed; they are one run"):
        read_runs(models(0, 0), PUBLISHED)


def test_runs_that_differ_in_more_than_their_seed_are_refused(models):
    with pytest.raises(UserError, match="differ in learning_rate; runs may differ in their seed alone"):
        read_runs(models(0, 1, learning_rate=1e-5), PUBLISHED)


def test_a_part_of_a_test_set_is_refused(models, monkeypatch):
    folder = models(0, 1)
    monkeypatch.undo()
    with pytest.raises(UserError, match="predicted 60 rows of hans, which has 30000"):
        read_runs(folder, PUBLISHED)


def test_a_score_that_nobody_has_is_refused(models):
    with pytest.raises(UserError, match="has no hans_hard; evaluate it on that test set"):
        read_runs(models(0, 1), {"hans_hard": PUBLISHED["hans"]})


def test_the_published_numbers_of_bert_are_scores_of_ours():
    values = read_yaml(RECIPES / "bert-base/published.yaml")
    found = published_scores(values["scores"], values["runs"])
    shown = {headline.name for name in ("mnli_matched", "hans") for headline in test_sets.test_set(name).shown}
    assert set(found) <= shown
    assert found["hans_lo_non_entailment"] == (0.2766, 0.1236, 100)
    with pytest.raises(RecipeError, match="scores: hans wants a mean and an sd"):
        published_scores({"hans": {"mean": 57}}, 100)
