"""Labels of a source as counts of shape [items, labels]: what an item's labels are, and how far two sources are apart.

This file imports nothing of the project: `evaluate_modules/*` link to it, so that a pushed module stands alone.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray


def labelled(people: NDArray, model: NDArray) -> NDArray:
    """Items that both have labelled: shape [items]."""
    return (people.sum(axis=1) > 0) & (model.sum(axis=1) > 0)


def distributions(counts: NDArray) -> NDArray:
    """Share of each label of an item, zero for an item without labels: shape [items, labels]."""
    n = counts.sum(axis=1, keepdims=True)
    return counts / np.where(n, n, 1)


def commonest(counts: NDArray) -> int:
    """The label that a source gave most often, every item counting once."""
    return int(distributions(counts).sum(axis=0).argmax())


def constant(people: NDArray) -> NDArray:
    """Counts of a source that gives every item the label that people give most often."""
    counts = np.zeros_like(people)
    counts[:, commonest(people)] = 1
    return counts


def majority(counts: NDArray) -> NDArray:
    """The labels that an item got most often: shape [items, labels]; none where each of several came once.

    Source: the published numbers of Das et al. (2024), which this rule gives back.
    """
    most = counts.max(axis=1, keepdims=True)
    alone = (counts > 0).sum(axis=1, keepdims=True) == 1
    return (counts == most) & (counts > 0) & ((most > 1) | alone)


def minority(counts: NDArray) -> NDArray:
    """The labels that an item got least often: shape [items, labels]; none where all came equally often."""
    given = np.where(counts > 0, counts, np.inf)
    least = given.min(axis=1, keepdims=True)
    return (given == least) & (least < counts.max(axis=1, keepdims=True))


def with_the_others(people: NDArray, model: NDArray, sets: Callable[[NDArray], NDArray]) -> tuple[NDArray, ...]:
    """How likely a label of the model, and that of one person, is in the majority (or minority) of the other people.

    Returns:
        For the model and for a person, mean over the person who is left out where the others have a majority; and how
        often they have one, 0 for items with fewer than three people or no label of the model: all of shape [items].
    """
    enough = labelled(people, model) & (people.sum(axis=1) > 2)
    of_model, of_person, weights = np.zeros((3, len(people)))
    for label, left_out in enumerate(distributions(people).T * enough):
        rest = people.copy()
        rest[:, label] = np.maximum(rest[:, label] - 1, 0)
        wanted = sets(rest)
        weights += left_out * wanted.any(axis=1)
        of_model += left_out * (distributions(model) * wanted).sum(axis=1)
        of_person += left_out * wanted[:, label]
    some = np.where(weights > 0, weights, 1)
    return of_model / some, of_person / some, weights


def shuffled_match(wanted: NDArray, given: NDArray, used: NDArray) -> NDArray:
    """How likely an item's set meets that of another item drawn at random, sets and result as in `share`."""
    kinds, times = np.unique(given[used], axis=0, return_counts=True)
    meets = (wanted[:, None, :] & kinds[None]).any(axis=2)
    return meets @ (times / times.sum()) if times.size else np.zeros(len(wanted))


def divergence(first: NDArray, second: NDArray) -> NDArray:
    """Jensen-Shannon divergence in bits of distributions over the last axis: 0 for equal, 1 for disjoint ones."""
    middle = (first + second) / 2
    return np.maximum(_entropy(middle) - (_entropy(first) + _entropy(second)) / 2, 0)


def total_variation(first: NDArray, second: NDArray) -> NDArray:
    """Half the sum of the absolute differences of distributions over the last axis."""
    return np.abs(first - second).sum(axis=-1) / 2


def _entropy(shares: NDArray) -> NDArray:
    return -(shares * np.log2(np.where(shares > 0, shares, 1))).sum(axis=-1)


def shuffled_divergence(of_people: NDArray, of_model: NDArray, used: NDArray) -> NDArray:
    """Mean divergence of an item's labels from those of the model on an item drawn at random: shape [items]."""
    kinds, index, times = np.unique(of_model[used], axis=0, return_inverse=True, return_counts=True)
    if not index.size:
        return np.zeros(len(of_people))
    rows, place = np.unique(of_people, axis=0, return_inverse=True)
    apart = np.stack([divergence(row[None], kinds) for row in rows])
    return (apart @ (times / times.sum()))[place.ravel()]
