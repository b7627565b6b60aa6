"""The cells of a grid and what each is made from.

`n5000-s0` is a start, `n5000-synthetic-n18020-s0` a start tuned further. The last number is the replicate: its seed
and, where the grid has several generators, draws of the start's rows or own augmentation sets, which of them it uses.
"""

import re
import shlex
from dataclasses import dataclass
from typing import Any

from blindspots.config.analysis_recipes import GridRecipe
from blindspots.config.errors import RecipeError
from blindspots.config.parser import check_value, own_keys
from blindspots.data.kinds import ORIGINAL, SYNTHETIC, kind_of

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


def grid_of(axes: Any, where: str) -> GridRecipe:
    """The grid of axes that stand in a mapping. Raises RecipeError for what a recipe may not hold either."""
    if not isinstance(axes, dict):
        raise RecipeError(f"{where} wants a mapping such as {{starts: [5000], sizes: [900]}}, got {axes!r}.")
    keys = own_keys(GridRecipe)
    if unknown := [name for name in axes if name not in keys]:
        raise RecipeError(f"{where}: {unknown[0]} is not an axis of a grid; there are {', '.join(keys)}.")
    return GridRecipe(**{name: check_value(where, keys[name], value) for name, value in axes.items()})


def check_axes(grid: GridRecipe) -> None:
    """Raise RecipeError for an empty axis, a value given twice, a negative size, or a kind that does not exist."""
    for axis in ("starts", "kinds", "sizes", "seeds", "generators"):
        values = getattr(grid, axis)
        if not values and axis != "generators":
            raise RecipeError(f"The grid's axis {axis} is empty.")
        repeated = [value for value in values if values.count(value) > 1]
        if repeated:
            raise RecipeError(f"The grid's axis {axis} holds {repeated[0]} twice.")
        if axis in ("starts", "sizes", "seeds") and not all(isinstance(value, int) and value >= 0 for value in values):
            raise RecipeError(f"The grid's axis {axis} holds {values}; it takes whole numbers.")
    for name in grid.generators:
        if not re.fullmatch("[a-z][a-z0-9_]*", name):
            raise RecipeError(f"generators: {name!r} needs a name of small letters, digits and _, such as g13.")
    for name in grid.kinds:
        made_elsewhere = _external_name(kind_of(name).raw)
        if made_elsewhere and made_elsewhere not in grid.external:
            raise RecipeError(f"Kind {name} needs its dataset: external: {{{made_elsewhere}: <Hub id or folder>}}.")
        if kind_of(name).after and kind_of(name).after not in grid.kinds:
            raise RecipeError(f"Kind {name} continues from {kind_of(name).after}; add that to the axis kinds.")


def generator_of(grid: GridRecipe, replicate: int) -> str | None:
    """Name of the generator whose rows a replicate is tuned on, None where the grid has one for all."""
    return grid.generators[replicate % len(grid.generators)] if grid.generators else None


def start_of(grid: GridRecipe, cell: Cell) -> Cell:
    """The start of a cell: that of its own replicate, or one of the grid's start_draws.

    Generators vary fastest, so that after generators x start_draws replicates each has met each.
    """
    if grid.start_draws is None:
        return Cell(cell.start, cell.seed)
    return Cell(cell.start, cell.seed // max(len(grid.generators), 1) % grid.start_draws)


def parent_of(grid: GridRecipe, cell: Cell) -> Cell:
    """The model that a cell continues: its start, or the cell of an earlier stage."""
    after = kind_of(cell.kind).after
    return Cell(cell.start, cell.seed, after, cell.size) if after else start_of(grid, cell)


def start_config(grid: GridRecipe, start: Cell) -> str:
    """Config of the prepared rows that a start is tuned on."""
    return f"n{start.start}" + ("" if grid.start_draws is None else f"-d{start.seed}")


@dataclass(frozen=True)
class Sets:
    """The augmentation sets of a kind, one per size, that some of a grid's cells share.

    kind: that is drawn; raw: folder or key of `external` of the synthetic rows, None for a kind without.
    start, excluded: rows of the start, and config of the rows that are left out, where the sets are made for a start.
    replicate: where each replicate has its own sets.
    """

    kind: str
    raw: str | None = None
    start: int | None = None
    excluded: str | None = None
    replicate: int | None = None

    @property
    def name(self) -> str:
        """Name of their folder and repo."""
        start = self.excluded or ("" if self.start is None else f"n{self.start}")
        generator = self.raw.partition("-")[2] if self.raw else ""
        replicate = "" if self.replicate is None else f"r{self.replicate}"
        return "-".join(filter(None, (self.kind, generator, start, replicate)))

    def flags(self, out: str, external: dict[str, str]) -> str:
        """The flags of build_variants.py that make them, of a grid whose folder is `out`."""
        flags = [f"--kind {self.kind}"]
        if self.raw:
            flags.append(f"--synthetic {shlex.quote(raw_dataset(self.raw, out, external))}")
        if self.excluded:
            flags.append(f"--exclude_config {self.excluded}")
        if self.replicate is not None:
            # Starts have fewer rows than a million: every start and replicate draws by a seed of its own.
            flags.append(f"--seed {1_000_000 * self.replicate + self.start}")
        return " ".join(flags)

    def datasets(self, out: str, external: dict[str, str]) -> list[str]:
        """The folders, files and Hub ids that they are drawn from, of a grid whose folder is `out`."""
        original = [f"{out}/mnli"] if ORIGINAL in kind_of(self.kind).pools else []
        return original + ([raw_dataset(self.raw, out, external)] if self.raw else [])

    def parents(self, external: dict[str, str]) -> list[str]:
        """The artifacts of the grid that they are drawn from."""
        parents = ["mnli"] if ORIGINAL in kind_of(self.kind).pools else []
        if self.raw and (_external_name(self.raw) or self.raw) not in external:
            parents.append(self.raw)
        return parents


def sets_of(grid: GridRecipe, cell: Cell) -> Sets:
    """The augmentation sets that a cell is tuned on."""
    kind = kind_of(kind_of(cell.kind).sets_of or cell.kind)
    generator = generator_of(grid, cell.seed)
    raw = kind.raw
    if raw and generator and not _external_name(raw):
        raw = f"{raw}-{generator}"
    own_rows = kind.own_rows and cell.start > 0
    return Sets(
        kind.name,
        raw,
        cell.start if kind.own_rows or grid.own_sets else None,
        start_config(grid, start_of(grid, cell)) if own_rows else None,
        cell.seed if grid.own_sets else None,
    )


def _external_name(raw: str | None) -> str | None:
    """Name in the grid's key `external` of raw data of a kind external_<name>, None for a generator's own."""
    return raw.removeprefix("external_") if raw and raw.startswith("external_") else None


def raw_dataset(raw: str, out: str, external: dict[str, str]) -> str:
    """Hub id, folder or file of raw synthetic data: made elsewhere, or below the grid's folder `out`."""
    return external.get(_external_name(raw) or raw, f"{out}/{raw}")


def raw_sets(grid: GridRecipe) -> list[str]:
    """`raw` of the sets that Table 1 counts: what each generator wrote, in their order, else the only other kind.

    Empty where not every generator has a set, and where it is not clear which of several others is meant.
    """
    raw = {sets_of(grid, cell).raw: None for cell in cells(grid)}
    kinds = dict.fromkeys(name.partition("-")[0] for name in raw if name)
    named = {kind: [f"{kind}-{name}" for name in grid.generators] or [kind] for kind in kinds}
    whole = {kind: names for kind, names in named.items() if set(names) <= raw.keys()}
    if len(whole) > 1:
        return whole.get(SYNTHETIC, [])
    return next(iter(whole.values()), [])


def starts(grid: GridRecipe) -> list[Cell]:
    """The starts of a grid, replicate by replicate, each once."""
    found = [start_of(grid, Cell(start, seed)) for seed in grid.seeds for start in grid.starts]
    return list(dict.fromkeys(found))


def cells(grid: GridRecipe) -> list[Cell]:
    """The tuned models of a grid, without the starts, replicate by replicate."""
    return [
        Cell(start, seed, kind, size)
        for seed in grid.seeds
        for start in grid.starts
        for kind in grid.kinds
        for size in grid.sizes
    ]
