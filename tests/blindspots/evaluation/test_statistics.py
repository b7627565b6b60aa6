"""Intervals and paired tests: against scipy and statsmodels, and against data whose spread is known."""

import math
import os
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import TTestIndPower, TTestPower

from blindspots.evaluation.statistics import (
    auroc,
    crossed_interval,
    holm,
    mcnemar_exact,
    one_sided_p,
    power_of_t,
    ratio_of_rates,
    seeds_for_power,
    signal_detection,
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


@given(st.integers(0, 30), st.integers(0, 30), st.integers(0, 30), st.integers(1, 30))
def test_a_ratio_lies_within_its_limits_and_these_have_width(count, more, reference, reference_more):
    ratio = ratio_of_rates(count, count + more + 1, reference, reference + reference_more)
    assert 0 <= ratio.low < ratio.high
    if reference:
        assert ratio.low <= ratio.estimate <= ratio.high


def test_a_ratio_of_rates_of_one_has_width():
    """5 of 5 against 6 of 6: a log ratio has no variance there."""
    assert ratio_of_rates(5, 5, 6, 6) == pytest.approx((1, 0.566, 1.640), abs=1e-3)


def test_a_ratio_to_nothing_is_bounded_from_below_alone():
    found = ratio_of_rates(5, 100, 0, 100)
    assert (found.estimate, found.high) == (math.inf, math.inf)
    assert found.low > 1
    nothing = ratio_of_rates(0, 100, 0, 100)
    assert math.isnan(nothing.estimate)
    assert nothing[1:] == (0, math.inf)
    none = ratio_of_rates(0, 100, 5, 100)
    assert none[:2] == (0, 0)
    assert none.high < 1


@pytest.mark.parametrize("n", [200, 1_000])
def test_a_ratio_holds_the_truth_in_95_percent_of_samples(n):
    rng, rates = np.random.default_rng(n), (0.06, 0.02)
    drawn = zip(*(rng.binomial(n, rate, 1_000) for rate in rates))
    held = [low <= 3 <= high for _, low, high in (ratio_of_rates(a, n, b, n) for a, b in drawn)]
    assert 0.93 < np.mean(held) < 0.98


def test_auroc_is_the_share_of_pairs_in_order():
    assert auroc([True, True, False, False], [0.9, 0.4, 0.4, 0.1]) == 0.875
    with pytest.raises(ValueError, match="both classes"):
        auroc([1, 1], [0.2, 0.4])


def test_a_model_without_ability_has_no_d_prime_whatever_its_criterion():
    for calls, sign in ((90, -1), (50, 0), (10, 1)):
        d_prime, criterion = signal_detection(calls, 100, calls, 100)
        assert d_prime == 0
        assert np.sign(round(criterion, 9)) == sign


def test_d_prime_and_criterion_of_a_textbook():
    """Hits .8 and false alarms .2, counts so large that half a case is nothing: z(.8) = .8416."""
    assert signal_detection(8 * 10**8, 10**9, 2 * 10**8, 10**9) == pytest.approx((1.6832, 0), abs=1e-4)


def test_perfect_rows_have_a_finite_d_prime():
    d_prime, criterion = signal_detection(10, 10, 0, 10)
    assert 3 < d_prime < 4
    assert criterion == pytest.approx(0)
    with pytest.raises(ValueError, match="rows of both classes"):
        signal_detection(0, 0, 1, 5)


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


def one(first, second, *arguments, **keys):
    """Of two models from one seed each."""
    return crossed_interval([first], [second], *arguments, **keys)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("n_clusters", [20, 60])
def test_from_one_unit_it_has_the_cluster_robust_error_of_statsmodels(seed, n_clusters):
    first, second, clusters = random_rows(seed, n_clusters)
    difference = first.astype(float) - second
    fitted = sm.OLS(difference, np.ones(difference.size)).fit(cov_type="cluster", cov_kwds={"groups": clusters})
    effect = one(first, second, clusters)
    assert effect.estimate == pytest.approx(fitted.params[0])
    assert effect.standard_error == pytest.approx(fitted.bse[0])
    assert effect.df == pytest.approx(n_clusters - 1)


@pytest.mark.parametrize("seed", range(3))
def test_of_one_number_a_unit_it_is_the_t_test(seed):
    first, second = np.random.default_rng(seed).normal(0.3, 0.1, (2, 6))
    expected = stats.ttest_rel(first, second)
    effect, limits = crossed_interval(first, second), expected.confidence_interval()
    assert (effect.p, effect.df) == pytest.approx((expected.pvalue, 5))
    assert (effect.low, effect.high) == pytest.approx((limits.low, limits.high))


def test_unpaired_units_have_the_error_of_welchs_test():
    rng = np.random.default_rng(0)
    first, second = rng.normal(0.3, 0.1, 6), rng.normal(0.2, 0.3, 4)
    effect, expected = crossed_interval(first, second, paired=False), stats.ttest_ind(first, second, equal_var=False)
    assert effect.estimate / effect.standard_error == pytest.approx(expected.statistic)


def test_crossed_units_and_rows_have_the_variance_of_a_two_way_anova():
    """(MS units + MS rows - MS interaction) / cells, where it is above both of the first."""
    rng = np.random.default_rng(3)
    values = rng.normal(size=(4, 1)) + rng.normal(size=(1, 30)) + rng.normal(size=(4, 30))
    units, rows = values.mean(axis=1), values.mean(axis=0)
    both = values - units[:, None] - rows + values.mean()
    squares = 30 * units.var(ddof=1) + 4 * rows.var(ddof=1) - (both**2).sum() / (3 * 29)
    effect = crossed_interval(values, np.zeros_like(values), np.arange(30))
    assert effect.standard_error == pytest.approx(math.sqrt(squares / 120))
    assert 3 <= effect.df < 6


def test_the_degrees_of_freedom_follow_what_varies_most():
    rng = np.random.default_rng(0)
    units, rows = rng.normal(size=(5, 1)), rng.normal(size=(1, 200))
    noise = 0.01 * rng.normal(size=(5, 200))
    by_units, by_rows = (
        crossed_interval(part + noise, np.zeros((5, 200)), np.arange(200)) for part in (units, 0.1 * units + 20 * rows)
    )
    assert by_units.df == pytest.approx(4, abs=0.1)
    assert by_rows.df > 100


def test_groups_that_are_not_a_sample_count_alike_and_do_not_widen_the_interval():
    """Three generators far apart, one of them with more replicates."""
    values = np.array([0.1, 0.12, 0.5, 0.52, 0.9, 0.92, 0.91])
    groups = [*"aabbccc"]
    effect = crossed_interval(values, np.zeros(7), groups=groups)
    assert effect.estimate == pytest.approx(np.mean([0.11, 0.51, 0.91]))
    assert effect.df == 4
    assert effect.high - effect.low < 0.1 < crossed_interval(values, np.zeros(7)).high


def test_rows_vary_within_strata_that_are_not_a_sample():
    strata = np.repeat([0, 1], 50)
    first = strata + np.tile([0, 0.1], 50)
    plain, within = one(first, np.zeros(100), np.arange(100)), one(first, np.zeros(100), np.arange(100), strata=strata)
    assert within.estimate == plain.estimate
    assert within.standard_error == pytest.approx(0.05 / math.sqrt(98))
    assert plain.standard_error > 8 * within.standard_error


def test_two_units_have_one_degree_of_freedom():
    rng = np.random.default_rng(0)
    assert crossed_interval(*rng.random((2, 2, 50)), np.arange(50)).df == 1


def test_limits_stay_within_the_largest_possible_difference():
    effect = crossed_interval([[1, 1, 1], [0, 0, 1]], np.zeros((2, 3)), np.arange(3), bound=1)
    assert (effect.low, effect.high) == (-1, 1)


def test_turning_the_models_round_turns_the_sign():
    first, second, clusters = random_rows(0, 12)
    forth, back = one(first, second, clusters), one(second, first, clusters)
    assert forth[:4] == pytest.approx((-back.estimate, -back.high, -back.low, back.p))


def test_the_last_digit_is_the_same_on_every_processor():
    code = """if True:
        import numpy as np
        from blindspots.evaluation.statistics import crossed_interval
        rng = np.random.default_rng(0)
        for units in (4, 5, 10, 15):
            print(crossed_interval(*rng.random((2, units, 40)), range(40), groups=np.arange(units) % 2))
    """
    printed = set()
    for kernels in ("Prescott", "Haswell", ""):  # without AVX, with it, and those of this processor
        env = os.environ | {"OPENBLAS_CORETYPE": kernels, "PYTHONPATH": os.pathsep.join(sys.path)}
        done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
        printed.add(done.stdout)
    assert len(printed) == 1


def test_models_that_never_differ_have_p_1_and_no_width():
    effect = one([1, 0, 1], [1, 0, 1], ["a", "b", "c"])
    assert effect[:4] == (0, 0, 0, 1)


def test_units_that_always_differ_alike_are_sure():
    assert crossed_interval([0.7] * 3, [0.5] * 3).p == 0


@pytest.mark.parametrize("n", [2, 4, 8, 200])
@pytest.mark.parametrize("apart", [0, 1])
@pytest.mark.parametrize("units", [1, 3])
def test_bounded_rows_that_are_all_alike_have_an_interval_of_their_number(n, apart, units):
    effect = crossed_interval(np.full((units, n), apart), np.zeros((units, n)), np.arange(n), bound=1)
    assert effect.estimate == pytest.approx(apart)
    assert effect.low == pytest.approx(max(-1, apart - (1 + apart) * wilson(0, n).high))
    assert effect.high == (1 if apart else pytest.approx(wilson(0, n).high))
    assert effect.low < apart
    assert (effect.p > 0.05) == (effect.low <= 0)


@pytest.mark.parametrize(("n", "true"), [(4, 0.9), (20, 0.98)])
def test_few_bounded_differences_are_covered(n, true):
    rng = np.random.default_rng(0)
    effects = [one(rng.random(n) < true, np.zeros(n), np.arange(n), bound=1) for _ in range(200)]
    assert np.mean([effect.low <= true <= effect.high for effect in effects]) > 0.9


def test_whole_clusters_make_a_wider_interval_than_rows():
    clusters = np.repeat(np.arange(30), 100)
    first, second = (clusters % 3 == 0).astype(float), np.zeros(3_000)
    by_cluster, by_row = (one(first, second, units) for units in (clusters, np.arange(3_000)))
    assert by_cluster.standard_error > 5 * by_row.standard_error


def test_unequal_seeds_are_fine_unless_paired():
    first, second = np.ones((3, 4)), np.zeros((2, 4))
    assert crossed_interval(first, second, paired=False).estimate == 1
    with pytest.raises(ValueError, match="3 and 2 units"):
        crossed_interval(first, second)


@pytest.mark.parametrize(
    "compare",
    [
        lambda: one([1, 0], [0, 0], ["a", "a"]),
        lambda: crossed_interval([[1], [0]], [[0], [0]], ["a"]),
        lambda: crossed_interval([1, 0, 0], [0, 0, 0], groups=["a", "a", "b"]),
        lambda: crossed_interval([[1, 0]], [[0, 0]]),
    ],
)
def test_one_unit_or_cluster_says_nothing_of_spread(compare):
    with pytest.raises(ValueError, match=r"at least two|one unit and no cluster"):
        compare()


def test_a_row_without_a_cluster_is_an_error():
    with pytest.raises(ValueError, match="3 clusters for 2 rows"):
        one([1, 0], [0, 0], ["a", "b", "c"])


def test_one_sided_p_is_that_of_the_t_test():
    first = np.random.default_rng(0).normal(0.1, 0.1, 8)
    effect = crossed_interval(first, np.zeros(8))
    expected = stats.ttest_1samp(first, -0.02, alternative="greater").pvalue
    assert one_sided_p(effect.estimate, effect.standard_error, effect.df, -0.02) == pytest.approx(expected)


def test_hans_takes_less_than_a_second():
    rng = np.random.default_rng(0)
    first, second = rng.random((2, 5, 30_000)) < 0.6
    start = time.perf_counter()
    crossed_interval(first, second, np.arange(30_000), strata=np.arange(30_000) // 1_000)
    assert time.perf_counter() - start < 1


def test_seeds_for_the_gap_of_the_paper():
    """Mean gap .19 between original and synthetic, seed sd .12: 7 seeds per arm by the normal rule, 8 by t."""
    assert seeds_for_power(0.19, 0.12, paired=False) == 8


@given(st.floats(0.05, 3), st.booleans())
def test_seeds_for_power_are_just_enough(size, paired):
    test = TTestPower() if paired else TTestIndPower()
    seeds = seeds_for_power(size, 1, paired=paired)
    assert test.power(size, seeds, 0.05) >= 0.8
    assert seeds == 2 or test.power(size, seeds - 1, 0.05) < 0.8


@given(st.floats(0.01, 1_000), st.integers(2, 30), st.booleans())
def test_power_is_a_number_that_grows_with_the_units(size, units, paired):
    """scipy's noncentral t, and with it statsmodels' power, is nan at 8 sd and 2 units among others."""
    less, more = (power_of_t(size, 1, n, paired=paired) for n in (units, units + 1))
    assert 0 <= less <= more + 1e-12 <= 1 + 1e-9


@pytest.mark.parametrize(
    ("effect", "sd", "seeds"), [(0, 1, None), (0.1, 0, 2), (-50, 1, 2), (8, 1, 3), (12, 1, 2), (15, 1, 2)]
)
def test_seeds_for_power_at_the_ends(effect, sd, seeds):
    assert seeds_for_power(effect, sd) == seeds


@settings(max_examples=20)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holms_correction_is_that_of_statsmodels(p_values):
    assert holm(p_values) == pytest.approx(multipletests(p_values, method="holm")[1])


def test_nothing_is_corrected_to_nothing():
    assert holm([]) == []


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
def test_an_interval_holds_the_mean_of_100_runs(feather, n_seeds):
    """95% intervals from a few runs of BERT hold the mean of all 100 in 92% to 98% of draws."""
    runs, rng = feather["Lexical (nonent)"].to_numpy(), np.random.default_rng(n_seeds)
    intervals = [crossed_interval(draw, np.zeros(n_seeds)) for draw in rng.choice(runs, (1_500, n_seeds))]
    assert 0.92 < np.mean([interval.low <= runs.mean() <= interval.high for interval in intervals]) < 0.98


def test_a_difference_between_runs_of_one_model_is_rarely_found(feather):
    runs, rng = feather["Lexical (nonent)"].to_numpy(), np.random.default_rng(0)
    effects = [crossed_interval(*draw, paired=False) for draw in rng.choice(runs, (1_000, 2, 8))]
    assert 0.02 < np.mean([effect.p < 0.05 for effect in effects]) < 0.08


def test_seeds_and_subcases_together_hold_the_mean(feather):
    """Seeds and subcases drawn from the runs' 5 non-entailed lexical-overlap subcases, against the mean of both."""
    subcases = feather[[name for name in feather if name.startswith("ln_")]].to_numpy()
    rng, held = np.random.default_rng(0), []
    for _ in range(500):
        seeds, columns = rng.integers(100, size=6), rng.integers(5, size=5)
        drawn = subcases[np.ix_(seeds, columns)]
        interval = crossed_interval(drawn, np.zeros_like(drawn), np.arange(5))
        held.append(interval.low <= subcases.mean() <= interval.high)
    assert np.mean(held) > 0.92
