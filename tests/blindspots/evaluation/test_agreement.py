"""Agreement: textbook values, scikit-learn and scipy, brute force over people and samples, and planted inversions."""

from itertools import combinations, permutations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon
from scipy.stats import entropy as scipy_entropy
from sklearn.metrics import cohen_kappa_score

from blindspots.evaluation import agreement
from blindspots.evaluation.unit_statistics import unit_interval

# Krippendorff (2011): four observers, twelve units, 0 for no value.
OBSERVERS = (
    (1, 2, 3, 3, 2, 1, 4, 1, 2, 0, 0, 0),
    (1, 2, 3, 3, 2, 2, 4, 1, 2, 5, 0, 3),
    (0, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, 0),
    (1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, 0),
)
# Labels of two sources on the same items: between none and five of three labels each.
TWO_SOURCES = st.lists(st.tuples(*[st.tuples(*[st.integers(0, 2)] * 3)] * 2), min_size=2, max_size=8)


def counts(*labels: list[int], size: int) -> np.ndarray:
    """Counts of shape [items, labels] from the labels of each item."""
    return np.stack([np.bincount(one, minlength=size) for one in labels])


def each(row: np.ndarray) -> list[int]:
    """The labels of an item one by one."""
    return np.repeat(np.arange(row.size), row).tolist()


def value(measure: agreement.Measure) -> float:
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(measure.of(measure.parts.sum(axis=0)))


@pytest.mark.parametrize(("ordinal", "published"), [(False, 0.743), (True, 0.815)])
def test_alpha_of_the_textbook(ordinal, published):
    table = counts(*([label - 1 for label in unit if label] for unit in zip(*OBSERVERS)), size=5)
    assert round(value(agreement.alpha(table, ordinal)), 3) == published


@given(TWO_SOURCES)
def test_alpha_is_one_minus_observed_over_expected_disagreement(rows):
    table = np.array([first for first, _ in rows])
    units = [each(row) for row in table if row.sum() > 1]
    pooled = [label for unit in units for label in unit]
    observed = sum(sum(a != b for a, b in permutations(unit, 2)) / (len(unit) - 1) for unit in units)
    expected = sum(a != b for a, b in permutations(pooled, 2)) / max(len(pooled) - 1, 1)
    measure = agreement.alpha(table)
    assert measure.n == len(units)
    if expected:
        assert value(measure) == pytest.approx(1 - observed / expected)
    else:
        assert np.isnan(value(measure))


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=2, max_size=30))
def test_beyond_chance_of_one_label_each_is_cohens_kappa(pairs):
    first, second = zip(*pairs)
    tables = [counts(*([label] for label in one), size=4) for one in (first, second)]
    ours = value(agreement.beyond_chance(*tables))
    if len({*first, *second}) > 1 and np.isfinite(ours):
        assert ours == pytest.approx(cohen_kappa_score(first, second))


@given(TWO_SOURCES)
def test_agreement_is_that_of_two_labels_drawn_at_random(rows):
    people, model = (np.array(one) for one in zip(*rows))
    pairs = [(each(a), each(b)) for a, b in zip(people, model)]
    between = [np.mean([x == y for x in a for y in b]) for a, b in pairs if a and b]
    within = [np.mean([x == y for x, y in permutations(a, 2)]) for a, _ in pairs if len(a) > 1]
    for measure, values in (
        (agreement.agreement(people, model), between),
        (agreement.agreement_within(people), within),
    ):
        assert measure.n == len(values)
        if values:
            assert value(measure) == pytest.approx(np.mean(values))


@pytest.mark.parametrize(
    ("labels", "most", "least"),
    [
        ([0, 0, 1], {0}, {1}),
        ([0, 0, 0], {0}, set()),
        ([2], {2}, set()),
        ([0, 1, 2], set(), set()),
        ([0, 0, 1, 1], {0, 1}, set()),
        ([0, 0, 1, 2], {0}, {1, 2}),
        ([], set(), set()),
    ],
)
def test_majority_and_minority(labels, most, least):
    table = counts(labels, size=3) if labels else np.zeros((1, 3), dtype=int)
    assert set(np.flatnonzero(agreement.majority(table))) == most
    assert set(np.flatnonzero(agreement.minority(table))) == least


@given(TWO_SOURCES)
def test_a_person_and_a_label_of_the_model_are_held_against_the_same_other_people(rows):
    people, model = (np.array(one) for one in zip(*rows))
    for sets in (agreement.majority, agreement.minority):
        of_model, of_person, weights = agreement.with_the_others(people, model, sets)
        for row, (a, b) in enumerate(zip(map(each, people), map(each, model))):
            hits = []
            for left_out in range(len(a)) if len(a) > 2 and b else ():
                others = a[:left_out] + a[left_out + 1 :]
                wanted = set(np.flatnonzero(sets(counts(others, size=3))))
                if wanted:
                    hits.append((np.mean([label in wanted for label in b]), a[left_out] in wanted))
            assert weights[row] == pytest.approx(len(hits) / len(a) if a else 0)
            if hits:
                assert (of_model[row], of_person[row]) == pytest.approx(tuple(np.mean(hits, axis=0)))


@given(TWO_SOURCES)
def test_divergences_are_scipys(rows):
    people, model = (np.array(one) for one in zip(*rows))
    used = agreement.labelled(people, model)
    shares = [agreement.distributions(one)[used] for one in (people, model)]
    for first, second in zip(*shares):
        theirs = np.nan_to_num(jensenshannon(first, second, base=2)) ** 2
        assert agreement.divergence(first, second) == pytest.approx(theirs, abs=1e-9)
    if used.any():
        totals = [one.mean(axis=0) for one in shares]
        for distance in (agreement.divergence, agreement.total_variation):
            assert value(agreement.of_totals(people, model, distance)) == pytest.approx(distance(*totals))


@given(TWO_SOURCES, st.integers(2, 4))
def test_entropy_is_the_mean_over_all_draws_of_k_labels(rows, k):
    table = np.array([first for first, _ in rows])
    used = table.sum(axis=1) >= k
    drawn = [
        np.mean([scipy_entropy(np.bincount(part, minlength=3), base=2) for part in combinations(each(row), k)])
        for row in table[used]
    ]
    measure = agreement.entropy(table, k, used)
    assert measure.n == len(drawn)
    if drawn:
        assert value(measure) == pytest.approx(np.mean(drawn), abs=1e-9)


@given(TWO_SOURCES)
def test_shuffled_values_are_means_over_all_pairs_of_items(rows):
    people, model = (np.array(one) for one in zip(*rows))
    used = agreement.labelled(people, model)
    if not used.any():
        return
    wanted, given_sets = agreement.majority(people), agreement.majority(model)
    hits = agreement.shuffled_match(wanted, given_sets, used)
    apart = agreement.shuffled_divergence(*map(agreement.distributions, (people, model)), used)
    for row in np.flatnonzero(used):
        assert hits[row] == pytest.approx(np.mean([(wanted[row] & other).any() for other in given_sets[used]]))
        others = agreement.distributions(model)[used]
        own = agreement.distributions(people)[row]
        assert apart[row] == pytest.approx(np.mean([agreement.divergence(own, other) for other in others]))


# A whole comparison


@pytest.fixture(scope="module")
def made() -> dict[str, np.ndarray]:
    """300 items of three people; a model that agrees with them, the same inverted, and one that ignores the item."""
    rng = np.random.default_rng(0)
    truth = rng.choice(3, size=300, p=[0.6, 0.1, 0.3])

    def labelled(right: float, n: int) -> np.ndarray:
        labels = np.where(rng.random((300, n)) < right, truth[:, None], rng.integers(0, 3, (300, n)))
        return counts(*labels.tolist(), size=3)

    aligned = labelled(0.8, 5)
    return {
        "human": labelled(0.7, 3),
        "aligned": aligned,
        "inverted": aligned[:, ::-1],
        "random": counts(*rng.choice(3, size=(300, 5), p=[0.6, 0.1, 0.3]).tolist(), size=3),
    }


def test_an_inverted_column_is_found_and_no_other(made):
    for name, order in (("aligned", (0, 1, 2)), ("inverted", (2, 1, 0))):
        found = agreement.best_recoding(made["human"], made[name])
        assert found.order == order
        assert (found.gain is None) == (name == "aligned")
    gain = agreement.best_recoding(made["human"], made["inverted"]).gain
    assert unit_interval(gain, np.arange(300), level=1 - 0.05 / 5).low > 0.3
    chance = agreement.best_recoding(made["human"], made["random"])
    assert chance.gain is None or unit_interval(chance.gain, np.arange(300), level=1 - 0.05 / 5).low < 0


def test_labels_that_do_not_depend_on_the_item_agree_with_nothing(made):
    rows = {(row.source, row.measure, row.baseline): row for row in agreement.measures(made, "human") if row.value.n}
    assert abs(value(rows["random", agreement.ALPHA, None].value)) < 0.05
    assert abs(value(rows["random", agreement.BEYOND_CHANCE, None].value)) < 0.05
    assert value(rows["aligned", agreement.BEYOND_CHANCE, None].value) > 0.4
    # A high majority match by itself says nothing: shuffled labels reach it too.
    match = rows["random", agreement.MAJORITY, agreement.SHUFFLED]
    apart = unit_interval(agreement.difference(match.value, match.reference), np.arange(300))
    assert value(match.value) > 0.5
    assert apart.low < 0 < apart.high


def test_a_measure_that_no_item_allows_has_n_0(made):
    single = {name: np.eye(3, dtype=int)[part.argmax(axis=1)] for name, part in made.items()}
    rows = list(agreement.measures(single, "human", ordered=True))
    without = {(row.measure, row.baseline) for row in rows if not row.value.n}
    assert {(agreement.ALPHA, None), (agreement.BEYOND_CHANCE, agreement.PEOPLE)} <= without
    assert (agreement.BEYOND_CHANCE, None) not in without
    assert not any(row.measure.startswith(agreement.ENTROPY) for row in rows)


def test_the_published_matches_come_out_of_the_published_labels(shared):
    """GPT-3.5's majority and minority match in percent, and that of always the commonest label."""
    published = {
        "SBIC": (64.4, 0.6, 59.5),
        "SChem5Labels": (63.3, 2.9, 67.0),
        "Sentiment": (50.5, 2.3, 52.4),
        "ghc": (72.1, 0.2, 91.4),
    }
    rows = pd.read_parquet(shared / "sources/task_labels/labels.parquet")
    for name, part in rows.groupby("dataset"):
        size = part["n_labels"].iloc[0]
        tables = {
            source: counts(*([label for label in one if label >= 0] for one in part[source]), size=size)
            for source in ("human", "gpt35")
        }
        found = {row[1:3]: row for row in agreement.measures(tables, "human")}
        majority = found[agreement.MAJORITY, agreement.ALWAYS]
        minority = found[agreement.MINORITY, agreement.ALWAYS]
        measured = (majority.value, minority.value, majority.reference)
        assert tuple(round(100 * value(one), 1) for one in measured) == published[name]
