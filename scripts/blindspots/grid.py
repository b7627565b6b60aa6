"""The cells of a grid and their names: `n5000-s0` is a start, `n5000-synthetic-n18020-s0` a start tuned further."""

import re
from dataclasses import dataclass

from blindspots.errors import RecipeError
from blindspots.recipes import KINDS, GridRecipe

_NAME = re.compile(rf"n(?P<start>\d+)(-(?P<kind>{'|'.join(KINDS)})-n(?P<size>\d+))?-s(?P<seed>\d+)")


@dataclass(frozen=True, order=True)
class Cell:
    """One model of a grid; kind and size are None for a start."""

    start: int
    seed: int
    kind: str | None = None
    size: int | None = None

    @property
    def name(self) -> str:
        """Name of the model's folder and repo."""
        augmentation = f"-{self.kind}-n{self.size}" if self.kind else ""
        return f"n{self.start}{augmentation}-s{self.seed}"

    @property
    def start_name(self) -> str:
        """Name of the start that this model was tuned from, its own for a start."""
        return Cell(self.start, self.seed).name

    @classmethod
    def from_name(cls, name: str) -> "Cell":
        """The inverse of `name`. Raises RecipeError for a name of another form."""
        match = _NAME.fullmatch(name)
        if match is None:
            raise RecipeError(f"{name!r} is no cell; write n<start>-s<seed> or n<start>-<kind>-n<size>-s<seed>.")
        size = match["size"]
        return cls(int(match["start"]), int(match["seed"]), match["kind"], int(size) if size else None)


def check_axes(grid: GridRecipe) -> None:
    """Raise RecipeError for an empty axis, a value given twice, a negative size, or a kind that does not exist."""
    for axis in ("starts", "kinds", "sizes", "seeds"):
        values = getattr(grid, axis)
        if not values:
            raise RecipeError(f"The grid's axis {axis} is empty.")
        repeated = [value for value in values if values.count(value) > 1]
        if repeated:
            raise RecipeError(f"The grid's axis {axis} holds {repeated[0]} twice.")
        if axis != "kinds" and not all(isinstance(value, int) and value >= 0 for value in values):
            raise RecipeError(f"The grid's axis {axis} holds {values}; it takes whole numbers.")
    unknown = set(grid.kinds) - set(KINDS)
    if unknown:
        raise RecipeError(f"The grid's axis kinds holds {unknown.pop()!r}; there are {', '.join(KINDS)}.")


def starts(grid: GridRecipe) -> list[Cell]:
    """The starts of a grid, seed by seed."""
    return [Cell(start, seed) for seed in grid.seeds for start in grid.starts]


def cells(grid: GridRecipe) -> list[Cell]:
    """The tuned models of a grid, without the starts, seed by seed."""
    return [
        Cell(start, seed, kind, size)
        for seed in grid.seeds
        for start in grid.starts
        for kind in grid.kinds
        for size in grid.sizes
    ]
