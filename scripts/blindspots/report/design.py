"""What varies over the replicates of a grid and what they share: the unit of an interval follows from it."""

from dataclasses import dataclass

import numpy as np

from blindspots.data.kinds import SYNTHETIC, kind_of
from blindspots.grid import Cell, generator_of, raw_sets, start_of
from blindspots.report.collect import START, Grid

GENERATOR, START_DRAW, SEED = "generators", "starts", "seeds"


@dataclass(frozen=True)
class Design:
    """How replicates make up units.

    unit: GENERATOR for a difference of synthetic data of several generators; START_DRAW for one with the start itself,
        where several replicates continue one start; else SEED, a replicate.
    members: the unit of each replicate, shape [replicates].
    shared: what the data of all units share, in words. one_generator: whether synthetic data are in it, all of one
        generator.
    """

    unit: str
    members: np.ndarray
    shared: str
    one_generator: bool

    @property
    def units(self) -> int:
        """How many there are."""
        return np.unique(self.members).size

    @property
    def fewest_replicates(self) -> int:
        """Of any unit."""
        return int(np.unique(self.members, return_counts=True)[1].min())

    def means(self, values: np.ndarray) -> np.ndarray:
        """Values of replicates, shape [replicates, ...], as means of units, shape [units, ...]."""
        return np.stack([values[self.members == unit].mean(axis=0) for unit in np.unique(self.members)])


def from_generator(kind: str) -> bool:
    """Whether sets of a kind hold what a generator of the grid wrote."""
    return kind != START and SYNTHETIC in kind_of(kind).pools and not (kind_of(kind).raw or "").startswith("external_")


def generators(grid: Grid, seeds: list[int]) -> list[str]:
    """The generator of each replicate, empty where the grid has one for all."""
    return [generator_of(grid.axes, seed) or "" for seed in seeds]


def design(grid: Grid, seeds: list[int], kinds: list[str]) -> Design:
    """The design of a difference between models of these kinds, over these replicates."""
    synthetic, written = any(map(from_generator, kinds)), generators(grid, seeds)
    continued = [start_of(grid.axes, Cell(0, seed)).seed for seed in seeds]
    several = synthetic and len(set(written)) > 1
    if several:
        unit, members = GENERATOR, written
    elif START in kinds and len(set(continued)) < len(seeds):
        unit, members = START_DRAW, continued
    else:
        unit, members = SEED, seeds
    shared = ["one generator"] if synthetic and not several else []
    if grid.axes.start_draws is None:
        shared.append("the starts' rows")
    elif unit != START_DRAW and len(set(continued)) < len(seeds):
        shared.append("one start" if len(set(continued)) == 1 else f"{len(set(continued))} starts")
    if several and any(raw not in grid.axes.external for raw in raw_sets(grid.axes)):  # tuned here, on one dataset
        shared.append("the generators' pool of rows" if grid.axes.generator_rows else "the generators' rows")
    if not grid.axes.own_sets and set(kinds) != {START}:
        shared.append("each generator's sets" if several else "the sets")
    return Design(unit, np.array(members), ", ".join(shared), synthetic and not several)
