"""Intervals and paired tests: against scipy and statsmodels, and against data whose spread is known."""

import math
import time
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.power import TTestIndPower, TTestPower

from blindspots.evaluation.statistics import (
    auroc,
    cluster_bootstrap,
    mcnemar_exact,
    ratio_of_rates,
    seed_cluster_bootstrap,
    seeds_for_power,
    unit_bootstrap,
    unit_interval,
    unit_share,
    wilson,
)

counts = st.integers(0, 500)


@given(counts, st.integers(1, 500))
def test_wilson_is_scipys(successes, more):
    n = successes + more
    expected = stats.binomtest(successes, n).proportion_ci(method="wilson")
    assert wilson(successes, n) == pytest.approx((successes / n, expected.low, expected.high), abs=1e-9)


@pytest.mark.parametrize("successes", [0, 7])
def test_wilson_stays_within_0_and_1_and_has_width(successes):
    interval = wilson(successes, 7)
    assert 0 <= interval.low <= interval.estimate <= interval.high <= 1
    assert interval.high - interval.low > 0.3


@pytest.mark.parametrize(("successes", "n"), [(0, 0), (3, 2), (-1, 2)])
def test_wilson_of_an_impossible_count_is_an_error(successes, n):
    with pytest.raises(ValueError, match="needs 0 <= successes <= n"):
        wilson(successes, n)


@pytest.mark.parametrize(
    ("synthetic", "original", "published"),
    [
        ((24_360, 631_992), (2_139, 130_541), 2.352),
        ((690, 562_822), (69, 130_573), 2.320),
        ((1_504, 624_999), (172, 130_608), 1.827),
    ],
)
def test_ratios_of_table_1(synthetic, original, published):
    """Zhang & Pavlick (2025), Table 1, column S:O."""
    ratio = ratio_of_rates(*synthetic, *original)
    assert round(ratio.estimate, 3) == published
    assert 1 < ratio.low < ratio.estimate < ratio.high


@given(st.integers(1, 200), st.integers(1, 200))
def test_turning_a_ratio_round_inverts_it(count, reference):
    ratio, inverse = ratio_of_rates(count, 1_000, reference, 900), ratio_of_rates(reference, 900, count, 1_000)
    assert (1 / inverse.estimate, 1 / inverse.high, 1 / inverse.low) == pytest.approx(tuple(ratio))


def test_a_ratio_to_nothing_has_limits_but_no_finite_estimate():
    assert ratio_of_rates(5, 100, 0, 100).estimate == math.inf
    assert math.isnan(ratio_of_rates(0, 100, 0, 100).estimate)
    for found, reference in [(5, 0), (0, 5), (0, 0)]:
        ratio = ratio_of_rates(found, 100, reference, 100)
        assert 0 < ratio.low < ratio.high < math.inf


def test_auroc_is_the_share_of_pairs_in_order():
    assert auroc([True, True, False, False], [0.9, 0.4, 0.4, 0.1]) == 0.875
    with pytest.raises(ValueError, match="both classes"):
        auroc([1, 1], [0.2, 0.4])


@given(counts, counts)
def test_mcnemar_is_statsmodels_and_scipys(only_first, only_second):
    p = mcnemar_exact(only_first, only_second)
    assert p == mcnemar_exact(only_second, only_first)
    if only_first + only_second:
        assert p == pytest.approx(mcnemar([[9, only_first], [only_second, 9]], exact=True).pvalue, abs=1e-9)
        assert p == pytest.approx(stats.binomtest(only_first, only_first + only_second).pvalue)
    else:
        assert p == 1


def random_rows(seed: int, n_clusters: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two models' rights on rows whose difficulty is shared within clusters of unequal size."""
    rng = np.random.default_rng(seed)
    clusters = np.repeat(np.arange(n_clusters), rng.integers(1, 40, n_clusters))
    ease = rng.uniform(0.2, 0.9, n_clusters)[clusters]
    return rng.random(clusters.size) < ease, rng.random(clusters.size) < ease * rng.uniform(0.8, 1), clusters


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("n_clusters", [20, 60])
def test_cluster_bootstrap_has_the_cluster_robust_error_of_statsmodels(seed, n_clusters):
    first, second, clusters = random_rows(seed, n_clusters)
    difference = first.astype(float) - second
    fitted = sm.OLS(difference, np.ones(difference.size)).fit(cov_type="cluster", cov_kwds={"groups": clusters})
    effect = cluster_bootstrap(first, second, clusters, resamples=20_000, rng=seed)
    assert effect.estimate == pytest.approx(fitted.params[0])
    assert effect.standard_error == pytest.approx(fitted.bse[0], rel=0.1)


@pytest.mark.parametrize("seed", range(3))
def test_cluster_bootstrap_of_single_rows_is_scipys_bootstrap(seed):
    first, second, _ = random_rows(seed, 20)
    difference = first.astype(float) - second
    expected = stats.bootstrap((difference,), np.mean, method="percentile", rng=seed)
    effect = cluster_bootstrap(first, second, np.arange(difference.size), rng=seed)
    assert effect.standard_error == pytest.approx(expected.standard_error, rel=0.06)
    limits = expected.confidence_interval
    assert (effect.low, effect.high) == pytest.approx((limits.low, limits.high), abs=0.01)


@pytest.mark.parametrize("seed", range(3))
def test_seed_bootstrap_of_one_number_a_seed_is_the_t_test(seed):
    first, second = np.random.default_rng(seed).normal(0.3, 0.1, (2, 6, 1))
    paired = seed_cluster_bootstrap(first, second, resamples=20_000)
    assert paired.p == pytest.approx(stats.ttest_rel(first[:, 0], second[:, 0]).pvalue, rel=0.1)
    limits = stats.ttest_rel(first[:, 0], second[:, 0]).confidence_interval()
    assert (paired.low, paired.high) == pytest.approx((limits.low, limits.high), abs=0.01)


def test_the_same_generator_gives_the_same_interval():
    rows = random_rows(0, 12)
    assert cluster_bootstrap(*rows, rng=7) == cluster_bootstrap(*rows, rng=7) != cluster_bootstrap(*rows, rng=8)


def test_turning_the_models_round_turns_the_sign():
    first, second, clusters = random_rows(0, 12)
    forth, back = cluster_bootstrap(first, second, clusters), cluster_bootstrap(second, first, clusters)
    assert forth.estimate == pytest.approx(-back.estimate)
    assert forth.p == pytest.approx(back.p, abs=0.05)


def test_models_that_never_differ_have_p_1_and_no_width():
    effect = cluster_bootstrap([1, 0, 1], [1, 0, 1], ["a", "b", "c"])
    assert effect[:4] == (0, 0, 0, 1)


def test_whole_clusters_make_a_wider_interval_than_rows():
    clusters = np.repeat(np.arange(30), 100)
    first, second = (clusters % 3 == 0).astype(float), np.zeros(3_000)
    by_cluster, by_row = (cluster_bootstrap(first, second, units) for units in (clusters, np.arange(3_000)))
    assert by_cluster.standard_error > 5 * by_row.standard_error


def test_unit_bootstrap_of_a_mean_is_the_cluster_bootstrap():
    rng = np.random.default_rng(0)
    units = rng.integers(0, 30, 200)
    values = rng.random(200) + rng.random(30)[units]
    parts = np.stack([values, np.ones(200)], axis=1)
    ours = unit_bootstrap(parts, lambda totals: totals[..., 0] / totals[..., 1], units)
    theirs = cluster_bootstrap(values, np.zeros(200), units)
    assert ours.estimate == pytest.approx(theirs.estimate)
    assert ours.standard_error == pytest.approx(theirs.standard_error, rel=0.1)


def test_a_statistic_without_a_value_is_nan_and_so_are_its_limits():
    with np.errstate(invalid="ignore"):
        found = unit_bootstrap(np.zeros((5, 2)), lambda totals: totals[..., 0] / totals[..., 1], range(5))
    assert np.isnan(found).all()


@given(st.lists(st.booleans(), min_size=1, max_size=200))
def test_a_share_of_single_rows_is_wilsons(hits):
    assert unit_share(hits, range(len(hits))) == pytest.approx(wilson(sum(hits), len(hits)))


def test_rows_that_repeat_their_unit_do_not_narrow_a_share():
    hits = np.array([1, 0, 0, 1, 0, 1, 1, 0, 0, 0])
    once, tenfold = unit_share(hits, range(10)), unit_share(np.repeat(hits, 10), np.repeat(range(10), 10))
    assert tenfold.estimate == once.estimate
    assert tenfold.low <= once.low < once.high <= tenfold.high
    assert unit_share(np.zeros(100), np.repeat(range(10), 10)).high == pytest.approx(wilson(0, 10).high)


def test_a_share_holds_the_truth_though_units_are_alike():
    rng, held = np.random.default_rng(0), 0
    for _ in range(300):
        units = np.repeat(np.arange(25), rng.integers(1, 15, 25))
        chance = rng.beta(1, 3, 25)
        found = unit_share(rng.random(units.size) < chance[units], units)
        held += found.low <= 0.25 <= found.high
    assert held >= 0.92 * 300


def test_no_variation_is_no_certainty():
    parts = np.tile([1.0, 1.0], (20, 1))
    measure = SimpleNamespace(parts=parts, of=lambda t: t[..., 0] / t[..., 1], is_share=False, bounds=(0, 1))
    assert unit_interval(measure, range(20)) == pytest.approx((1, wilson(20, 20).low, 1))


def test_unequal_seeds_are_fine_unless_paired():
    first, second = np.ones((3, 4)), np.zeros((2, 4))
    assert seed_cluster_bootstrap(first, second, paired_seeds=False).estimate == 1
    with pytest.raises(ValueError, match="3 and 2 seeds"):
        seed_cluster_bootstrap(first, second)


@pytest.mark.parametrize(
    "compare",
    [
        lambda: cluster_bootstrap([1, 0], [0, 0], ["a", "a"]),
        lambda: seed_cluster_bootstrap([[1, 0]], [[0, 0]]),
        lambda: seed_cluster_bootstrap([[1], [0]], [[0], [0]], ["a"]),
    ],
)
def test_one_unit_cannot_be_resampled(compare):
    with pytest.raises(ValueError, match="at least two"):
        compare()


def test_a_row_without_a_cluster_is_an_error():
    with pytest.raises(ValueError, match="3 clusters for 2 rows"):
        cluster_bootstrap([1, 0], [0, 0], ["a", "b", "c"])


def test_hans_is_resampled_in_a_second():
    rng = np.random.default_rng(0)
    first, second = rng.random((2, 5, 30_000)) < 0.6
    start = time.perf_counter()
    seed_cluster_bootstrap(first, second, np.arange(30_000) // 1_000)
    cluster_bootstrap(first[0], second[0], np.arange(30_000))
    assert time.perf_counter() - start < 2


def test_seeds_for_the_gap_of_the_paper():
    """Mean gap .19 between original and synthetic, seed sd .12: 7 seeds an arm by the normal rule, 8 by t."""
    assert seeds_for_power(0.19, 0.12, paired=False) == 8


@given(st.floats(0.05, 3), st.booleans())
def test_seeds_for_power_are_just_enough(size, paired):
    test = TTestPower() if paired else TTestIndPower()
    seeds = seeds_for_power(size, 1, paired=paired)
    assert test.power(size, seeds, 0.05) >= 0.8
    assert seeds == 2 or test.power(size, seeds - 1, 0.05) < 0.8


@pytest.mark.parametrize(("effect", "sd", "seeds"), [(0, 1, None), (0.1, 0, 2), (-50, 1, 2)])
def test_seeds_for_power_at_the_ends(effect, sd, seeds):
    assert seeds_for_power(effect, sd) == seeds


@pytest.mark.parametrize(("effect", "sd"), [(math.nan, 1), (1, -1), (1, math.inf)])
def test_seeds_for_power_of_no_number_is_an_error(effect, sd):
    with pytest.raises(ValueError, match="must be finite"):
        seeds_for_power(effect, sd)


@pytest.fixture(scope="module")
def feather(shared) -> pd.DataFrame:
    """Accuracies of 100 BERT runs: McCoy, Min & Linzen (2020)."""
    runs = pd.read_csv(shared / "reference/feather_accuracies_by_run.csv", encoding="utf-8-sig")
    return runs[runs["Run"].astype(str).str.fullmatch(r"Run \d+")]


def test_overall_accuracy_of_each_run_is_the_mean_of_its_six_parts(feather):
    parts = [f"{part} ({kind})" for kind in ("entailed", "nonent") for part in ("Lexical", "Subseq", "Constituent")]
    assert len(feather) == 100
    assert feather[parts].mean(axis=1).to_numpy() == pytest.approx(feather["Overall accuracy"].to_numpy(), abs=1e-6)


@pytest.mark.parametrize("n_seeds", [5, 10, 20])
def test_seed_bootstrap_holds_the_mean_of_100_runs(feather, n_seeds):
    """95% intervals from a few runs of BERT hold the mean of all 100 in 92% to 98% of draws."""
    runs, rng = feather["Lexical (nonent)"].to_numpy(), np.random.default_rng(n_seeds)
    draws = rng.choice(runs, (1_500, n_seeds, 1))
    intervals = [seed_cluster_bootstrap(draw, np.zeros_like(draw), rng=rng) for draw in draws]
    assert 0.92 < np.mean([interval.low <= runs.mean() <= interval.high for interval in intervals]) < 0.98


def test_seed_bootstrap_rarely_finds_a_difference_between_runs_of_one_model(feather):
    runs, rng = feather["Lexical (nonent)"].to_numpy(), np.random.default_rng(0)
    draws = rng.choice(runs, (1_000, 2, 8, 1))
    effects = [seed_cluster_bootstrap(*draw, paired_seeds=False, rng=rng) for draw in draws]
    assert 0.02 < np.mean([effect.p < 0.05 for effect in effects]) < 0.08


def test_seed_and_cluster_bootstrap_together_hold_the_mean(feather):
    """Seeds and subcases drawn from the runs' 5 non-entailed lexical-overlap subcases, against the mean of both."""
    subcases = feather[[name for name in feather if name.startswith("ln_")]].to_numpy()
    rng, held = np.random.default_rng(0), []
    for _ in range(500):
        seeds, columns = rng.integers(100, size=6), rng.integers(5, size=5)
        drawn = subcases[np.ix_(seeds, columns)]
        interval = seed_cluster_bootstrap(drawn, np.zeros_like(drawn), np.arange(5), rng=rng)
        held.append(interval.low <= subcases.mean() <= interval.high)
    assert np.mean(held) > 0.92
