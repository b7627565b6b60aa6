"""How sources that label the same items agree: people with one another, a model with people, and simple baselines.

Labels are counts of shape [items, labels]: how often a source gave an item each label. A measure is a statistic of
sums over items, so that whole units can be resampled.

This file imports only the one beside it: `evaluate_modules/*` link to both, so that a pushed module stands alone.
"""

from collections.abc import Callable, Iterator, Mapping
from itertools import permutations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import hypergeom

from .label_counts import (
    constant,
    distributions,
    divergence,
    labelled,
    majority,
    minority,
    shuffled_divergence,
    shuffled_match,
    total_variation,
    with_the_others,
)

ALPHA, BEYOND_CHANCE, ORDINAL = "Krippendorff's alpha", "agreement beyond chance", ", ordinal"
WITH_A_PERSON = "agreement with a person"
MAJORITY, MINORITY = "majority match", "minority match"
OF_THE_OTHERS = {MAJORITY: "in the majority of the other people", MINORITY: "in the minority of the other people"}
DIVERGENCE, ALL_DIVERGENCE = "divergence of an item's labels", "divergence of all labels"
ALL_VARIATION = "total variation of all labels"
ENTROPY = "entropy"
# What a source is put beside: people, their commonest label, its own labels on other items, the most that is possible.
PEOPLE, ALWAYS, SHUFFLED, AT_MOST = "people", "always the commonest label", "shuffled", "at most"
MOST_LABELS_TO_PERMUTE = 5


class Measure(NamedTuple):
    """A statistic of sums over items.

    parts: what is summed, zero for an item that can't be used: shape [items, parts].
    of: turns sums of shape [..., parts] into values of shape [...].
    n: items that can be used.
    is_share: whether it is the mean of `parts[:, 0]`, a share of each item, over the items where `parts[:, 1]` is 1.
    bounds: that no value can exceed.
    """

    parts: NDArray
    of: Callable[[NDArray], NDArray]
    n: int
    is_share: bool = False
    bounds: tuple[float, float] = (-np.inf, np.inf)


class Row(NamedTuple):
    """One line of `measures`: a source's value and, where there is one, that of a baseline on the same items."""

    source: str
    measure: str
    baseline: str | None
    value: Measure
    reference: Measure | None = None


def measures(counts: Mapping[str, NDArray], human: str, ordered: bool = False) -> Iterator[Row]:
    """Every measure of every source; one that no item can be used for has n 0.

    Args:
        counts: source -> counts of shape [items, labels], the same items for all.
        human: the source that is people.
        ordered: whether the labels are in order; then alpha and agreement beyond chance come with both distances.
    """
    people = counts[human]
    k = min(int(part.sum(axis=1).max(initial=0)) for part in counts.values())
    for source, model in counts.items():
        for ordinal in (False, True) if ordered else (False,):
            yield Row(source, ALPHA + ORDINAL * ordinal, None, alpha(model, ordinal))
        if source != human:
            yield from _agreement_rows(source, people, model, ordered)
            yield from _match_rows(source, people, model)
            yield from _distribution_rows(source, people, model)
        if k > 1:
            both = (people.sum(axis=1) >= k) & (model.sum(axis=1) >= k)
            beside = (PEOPLE, entropy(model, k, both), entropy(people, k, both))
            yield Row(source, f"{ENTROPY} of {k} labels", *((None, beside[1]) if source == human else beside))


def _agreement_rows(source: str, people: NDArray, model: NDArray, ordered: bool) -> Iterator[Row]:
    """Agreement with a person, beside that of one person with another where items have several."""
    among = np.where((people.sum(axis=1) > 1)[:, None] & labelled(people, model)[:, None], people, 0)
    yield Row(source, WITH_A_PERSON, None, agreement(people, model))
    yield Row(source, WITH_A_PERSON, PEOPLE, agreement(among, model), agreement_within(among))
    for ordinal in (False, True) if ordered else (False,):
        name = BEYOND_CHANCE + ORDINAL * ordinal
        yield Row(source, name, None, beyond_chance(people, model, ordinal))
        yield Row(source, name, PEOPLE, beyond_chance(among, model, ordinal), alpha(among, ordinal))


def _match_rows(source: str, people: NDArray, model: NDArray) -> Iterator[Row]:
    """Majority and minority match as Das et al. (2024) have them, and what they leave out: baselines and a person."""
    used = labelled(people, model)
    for name, sets in ((MAJORITY, majority), (MINORITY, minority)):
        wanted, given, always = sets(people), sets(model), sets(constant(people))
        hit = share((wanted & given).any(axis=1), used)
        yield Row(source, name, ALWAYS, hit, share((wanted & always).any(axis=1), used))
        yield Row(source, name, SHUFFLED, hit, share(shuffled_match(wanted, given, used), used))
        yield Row(source, name, AT_MOST, hit, share(wanted.any(axis=1), used))
        of_model, of_person, weights = with_the_others(people, model, sets)
        yield Row(source, OF_THE_OTHERS[name], PEOPLE, mean(of_model, weights), mean(of_person, weights))


def _distribution_rows(source: str, people: NDArray, model: NDArray) -> Iterator[Row]:
    """How far the labels of an item, and all labels together, lie apart."""
    used = labelled(people, model)
    of_people, of_model = distributions(people), distributions(model)
    apart = mean(divergence(of_people, of_model), used)
    yield Row(source, DIVERGENCE, ALWAYS, apart, mean(divergence(of_people, constant(people)), used))
    yield Row(source, DIVERGENCE, SHUFFLED, apart, mean(shuffled_divergence(of_people, of_model, used), used))
    yield Row(source, ALL_VARIATION, None, of_totals(people, model, total_variation))
    yield Row(source, ALL_DIVERGENCE, None, of_totals(people, model, divergence))


def difference(first: Measure, second: Measure) -> Measure:
    """The first statistic minus the second, from the same items."""
    width = first.parts.shape[1]
    return Measure(
        np.hstack([first.parts, second.parts]),
        lambda totals: first.of(totals[..., :width]) - second.of(totals[..., width:]),
        min(first.n, second.n),
    )


def mean(values: NDArray, weights: NDArray) -> Measure:
    """The mean of values from 0 up by weight, which is 0 for an item that is not used: both of shape [items]."""
    parts = np.stack([values * weights, weights], axis=1).astype(float)
    n = int(np.count_nonzero(weights))
    return Measure(parts, lambda totals: totals[..., 0] / totals[..., 1], n, bounds=(0, np.inf))


def share(hits: NDArray, used: NDArray) -> Measure:
    """The share of the used items that hit, both of shape [items]; an item may hit in part."""
    return mean(hits, used)._replace(is_share=True)


# Agreement


def alpha(counts: NDArray, ordinal: bool = False) -> Measure:
    """Krippendorff's alpha of the labels that one source gave, from items with two or more.

    Source: Krippendorff (2011), "Computing Krippendorff's Alpha-Reliability"; nominal or ordinal distance.
    """
    each = counts.sum(axis=1)
    used = each > 1
    pairs = counts[:, :, None] * counts[:, None, :] - counts[:, :, None] * np.eye(counts.shape[1])
    parts = pairs / np.where(used, each - 1, np.inf)[:, None, None]
    n = int(used.sum())
    return Measure(parts.reshape(len(counts), -1), lambda totals: _alpha(totals, ordinal), n, bounds=(-np.inf, 1))


def _alpha(totals: NDArray, ordinal: bool) -> NDArray:
    pairs = _square(totals)
    margin = pairs.sum(axis=-1)
    n = margin.sum(axis=-1)
    apart = _distance(margin, ordinal)
    expected = (margin[..., :, None] * margin[..., None, :] * apart).sum(axis=(-1, -2))
    observed = (pairs * apart).sum(axis=(-1, -2))
    with np.errstate(divide="ignore", invalid="ignore"):
        return 1 - (n - 1) * observed / expected


def beyond_chance(people: NDArray, model: NDArray, ordinal: bool = False) -> Measure:
    """Agreement of a label of each, beyond that of independent labels with the same frequencies: 1 is full, 0 none.

    Every item counts once. With one label of each it is Cohen's kappa (1960), weighted where `ordinal`.
    """
    both = distributions(people)[:, :, None] * distributions(model)[:, None, :]
    n = int(labelled(people, model).sum())
    return Measure(both.reshape(len(both), -1), lambda totals: _beyond_chance(totals, ordinal), n, bounds=(-np.inf, 1))


def _beyond_chance(totals: NDArray, ordinal: bool) -> NDArray:
    pairs = _square(totals)
    rows, columns = pairs.sum(axis=-1), pairs.sum(axis=-2)
    apart = _distance(rows + columns, ordinal)
    expected = (rows[..., :, None] * columns[..., None, :] * apart).sum(axis=(-1, -2)) / rows.sum(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return 1 - (pairs * apart).sum(axis=(-1, -2)) / expected


def _square(totals: NDArray) -> NDArray:
    size = round(totals.shape[-1] ** 0.5)
    return totals.reshape(*totals.shape[:-1], size, size)


def _distance(margin: NDArray, ordinal: bool) -> NDArray:
    """Krippendorff's distance of two labels, shape [..., labels, labels]; the ordinal one depends on their counts."""
    if not ordinal:
        return np.broadcast_to(1 - np.eye(margin.shape[-1]), (*margin.shape, margin.shape[-1]))
    middle = np.cumsum(margin, axis=-1) - margin / 2
    return (middle[..., :, None] - middle[..., None, :]) ** 2


def agreement(people: NDArray, model: NDArray) -> Measure:
    """How likely a label of the model is that of a person on the same item."""
    both = (distributions(people) * distributions(model)).sum(axis=1)
    return share(both, labelled(people, model))


def agreement_within(counts: NDArray) -> Measure:
    """How likely two labels that a source gave the same item are equal."""
    n = counts.sum(axis=1)
    used = n > 1
    return share((counts * (counts - 1)).sum(axis=1) / np.where(used, n * (n - 1), 1), used)


class Recoding(NamedTuple):
    """The reading of a model's labels under which it agrees best with people beyond chance.

    order: order[i] is the label that the model's label i is read as.
    own: agreement beyond chance as the labels are; gain: how much more there is, None where they are best as they are.
    tried: how many other readings were tried.
    """

    order: tuple[int, ...]
    own: Measure
    gain: Measure | None
    tried: int


def best_recoding(people: NDArray, model: NDArray, ordinal: bool = False) -> Recoding:
    """Whether a source would agree better with another reading of its codes, such as an inverted one.

    All orders of the labels are tried; of more than five labels, the reverse order and the exchange of any two.
    """
    size = people.shape[1]
    own = beyond_chance(people, model, ordinal)
    orders = [order for order in _orders(size) if order != tuple(range(size))]
    read = [beyond_chance(people, model[:, np.argsort(order)], ordinal) for order in orders]
    values = [float(measure.of(measure.parts.sum(axis=0))) for measure in read]
    best = int(np.argmax(values))
    if not values[best] > float(own.of(own.parts.sum(axis=0))):
        return Recoding(tuple(range(size)), own, None, len(orders))
    return Recoding(orders[best], own, difference(read[best], own), len(orders))


def _orders(size: int) -> Iterator[tuple[int, ...]]:
    if size <= MOST_LABELS_TO_PERMUTE:
        yield from permutations(range(size))
        return
    yield tuple(reversed(range(size)))
    for first in range(size):
        for second in range(first + 1, size):
            order = list(range(size))
            order[first], order[second] = second, first
            yield tuple(order)


# Distributions


def of_totals(people: NDArray, model: NDArray, distance: Callable[[NDArray, NDArray], NDArray]) -> Measure:
    """A distance of all labels of people from all labels of a model, every item that both labelled counting once."""
    used = labelled(people, model)
    parts = np.hstack([distributions(people), distributions(model)]) * used[:, None]
    size = people.shape[1]

    def of(totals: NDArray) -> NDArray:
        n = totals[..., :size].sum(axis=-1, keepdims=True)
        return distance(totals[..., :size] / n, totals[..., size:] / n)

    return Measure(parts, of, int(used.sum()), bounds=(0, 1))


def entropy(counts: NDArray, k: int, used: NDArray) -> Measure:
    """Mean entropy in bits of k labels drawn from those of an item, so that sources with more labels compare.

    Args:
        used: items that count, each with k labels or more: shape [items].
    """
    total = np.maximum(counts.sum(axis=1), k)[:, None]
    values = np.zeros(len(counts))
    for drawn in range(1, k):
        bits = -drawn / k * np.log2(drawn / k)
        values += bits * hypergeom.pmf(drawn, total, np.minimum(counts, total), k).sum(axis=1)
    return mean(values, used)
