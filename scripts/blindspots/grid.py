"""The cells of a grid and their names: `n5000-s0` is a start, `n5000-synthetic-n18020-s0` a start tuned further."""

import re
from dataclasses import dataclass

from blindspots.errors import RecipeError
from blindspots.recipes import KINDS, GridRecipe

# The paper's kinds, and the further ones that a grid may name (off by default).
KIND = re.compile(
    r"(?P<original>original(?P<disjoint>_disjoint)?)"  # _disjoint: without the rows that the start was trained on
    r"|(?P<synthetic>synthetic(_t(?P<temperature>\d+)|_g(?P<generation>\d+))?)"  # _t70: temperature .7; _g2: G of D^G
    r"|(?P<biased>biased_(synthetic|(?P<bias_rate>\d+)))"  # biased_25: a quarter of each label biased
    r"|(?P<mixed>mixed_(?P<synthetic_share>\d+))"  # mixed_25: a quarter of each label synthetic
    r"|(?P<two_stage>two_stage)"  # original first, then synthetic
    r"|(?P<external>external_(?P<name>\w+))"  # a synthetic set made elsewhere, named by the grid's key external
)
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
        """Name of the model that this one is tuned from: its start, or for two_stage the cell of the first stage."""
        return Cell(self.start, self.seed, "original", self.size).name if self.kind == "two_stage" else self.start_name

    @property
    def variant(self) -> str:
        """Folder of the augmentation sets that this model is tuned on."""
        suffix = f"-n{self.start}" if self.kind == "original_disjoint" else ""
        return "synthetic" if self.kind == "two_stage" else self.kind + suffix

    @classmethod
    def from_name(cls, name: str) -> "Cell":
        """The inverse of `name`. Raises RecipeError for a name of another form."""
        match = _NAME.fullmatch(name)
        if match is None or (match["kind"] and not KIND.fullmatch(match["kind"])):
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
    for kind in grid.kinds:
        match = KIND.fullmatch(kind)
        if match is None:
            raise RecipeError(
                f"The grid's axis kinds holds {kind!r}; there are {', '.join(KINDS)} and those of grid.KIND."
            )
        if match["external"] and match["name"] not in grid.external:
            raise RecipeError(f"Kind {kind} needs its dataset: external: {{{match['name']}: <Hub id or folder>}}.")
        for share in ("bias_rate", "synthetic_share"):
            if match[share] and int(match[share]) > 100:
                raise RecipeError(f"Kind {kind} asks for {match[share]} per cent; a share is at most 100.")


def synthetic_name(kind: str) -> str:
    """Folder of the raw synthetic data that a kind is drawn from, such as synthetic, synthetic_t70, synthetic_g2."""
    return kind if KIND.fullmatch(kind)["synthetic"] else "synthetic"


def variant_flags(variant: str, out: str, external: dict[str, str]) -> str:
    """The flags of build_variants.py that make the sets of one folder of variants (`Cell.variant`)."""
    kind, _, excluded = variant.partition("-")
    match = KIND.fullmatch(kind)
    if match["original"]:
        return "--kind original" + (f" --exclude_config {excluded}" if excluded not in ("", "n0") else "")
    if match["external"]:
        return f"--kind synthetic --synthetic {external[match['name']]}"
    name = synthetic_name(kind)
    pool = f" --synthetic {external.get(name, f'{out}/{name}')}"
    if match["mixed"]:
        return f"--kind mixed --synthetic_share {int(match['synthetic_share']) / 100}" + pool
    if match["biased"]:
        return f"--kind biased_synthetic --bias_rate {int(match['bias_rate'] or 100) / 100}" + pool
    return "--kind synthetic" + pool


def variant_parents(variant: str, external: dict[str, str]) -> list[str]:
    """The artifacts of the grid that a folder of variants is drawn from."""
    match = KIND.fullmatch(variant.partition("-")[0])
    parents = ["mnli"] if match["original"] or match["mixed"] else []
    if not (match["original"] or match["external"]):
        parents.append(synthetic_name(variant))
    return [parent for parent in parents if parent not in external]


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
