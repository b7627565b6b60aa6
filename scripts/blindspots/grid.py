"""The cells of a grid and their names: `n5000-s0` is a start, `n5000-synthetic-n18020-s0` a start tuned further."""

import re
from dataclasses import dataclass

from blindspots.config.errors import RecipeError
from blindspots.config.recipes import GridRecipe
from blindspots.data.kinds import ORIGINAL, kind_of

_NAME = re.compile(r"n(?P<start>\d+)(-(?P<kind>\w+)-n(?P<size>\d+))?-s(?P<seed>\d+)")


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

    @property
    def parent_name(self) -> str:
        """Name of the model that this one continues: its start, or the cell of an earlier stage."""
        after = kind_of(self.kind).after if self.kind else None
        return Cell(self.start, self.seed, after, self.size).name if after else self.start_name

    @property
    def variant(self) -> str:
        """Folder of the augmentation sets that this model is tuned on."""
        kind = kind_of(self.kind)
        return (kind.sets_of or kind.name) + (f"-n{self.start}" if kind.own_rows else "")

    @classmethod
    def from_name(cls, name: str) -> "Cell":
        """The inverse of `name`. Raises RecipeError for a name of another form."""
        match = _NAME.fullmatch(name)
        if match is None:
            raise RecipeError(
                f"{name!r} is not the name of a cell; write n<start>-s<seed> or n<start>-<kind>-n<size>-s<seed>."
            )
        if match["kind"]:
            kind_of(match["kind"])
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
    for name in grid.kinds:
        made_elsewhere = external_name(kind_of(name).raw)
        if made_elsewhere and made_elsewhere not in grid.external:
            raise RecipeError(f"Kind {name} needs its dataset: external: {{{made_elsewhere}: <Hub id or folder>}}.")
        if kind_of(name).after and kind_of(name).after not in grid.kinds:
            raise RecipeError(f"Kind {name} continues from {kind_of(name).after}; add that to the axis kinds.")


def external_name(raw: str | None) -> str | None:
    """Name in the grid's key `external` of raw data made elsewhere, None for a generator's own."""
    return raw.removeprefix("external_") if raw and raw.startswith("external_") else None


def raw_dataset(raw: str, out: str, external: dict[str, str]) -> str:
    """Hub id or folder of raw synthetic data: made elsewhere, or below the grid's folder `out`."""
    return external.get(external_name(raw) or raw, f"{out}/{raw}")


def variant_flags(variant: str, out: str, external: dict[str, str]) -> str:
    """The flags of build_variants.py that make the sets of one folder of variants (`Cell.variant`)."""
    name, _, excluded = variant.partition("-")
    kind = kind_of(name)
    flags = [f"--kind {name}"]
    if kind.raw:
        flags.append(f"--synthetic {raw_dataset(kind.raw, out, external)}")
    if kind.own_rows and excluded != "n0":
        flags.append(f"--exclude_config {excluded}")
    return " ".join(flags)


def variant_parents(variant: str, external: dict[str, str]) -> list[str]:
    """The artifacts of the grid that a folder of variants is drawn from."""
    kind = kind_of(variant.partition("-")[0])
    parents = ["mnli"] if ORIGINAL in kind.pools else []
    if kind.raw and (external_name(kind.raw) or kind.raw) not in external:
        parents.append(kind.raw)
    return parents


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
