"""The registry of augmentation kinds. A new kind is one more entry of FAMILIES; nothing else lists kinds.

A family is a pattern of names (mixed_25, mixed_50) and what makes a Kind of such a name: what its sets are drawn from
and how, which model is tuned on them, how tables and figures show it, and which kinds the report compares it with.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from blindspots.config.errors import RecipeError

if TYPE_CHECKING:
    import numpy as np
    from datasets import Dataset

# Pools that sets are drawn from: keys of build_variants.py.
ORIGINAL, SYNTHETIC, BIASED = "original", "synthetic", "biased_synthetic"
# Shares of a set, each with the rows that it is drawn from: (share, boolean per row of all pools).
Parts = list[tuple[float, "np.ndarray"]]


@dataclass(frozen=True)
class Kind:
    """One augmentation kind of a grid.

    name: as in the grid's axis `kinds`.
    label: how tables, figures and cards call it.
    pools: keys of build_variants.py that its sets are drawn from, original or synthetic or both.
    raw: name of the raw synthetic data among them, `external_<name>` for a set made elsewhere; None without.
    parts: drawing rule, parts(pools, rule of words) gives shares and rows; None draws all of a set from all rows.
    own_rows: whether rows that the start was trained on are left out, which needs sets per start.
    sets_of: kind whose sets it is tuned on, another one only for kinds of several stages.
    after: kind of the cell that it continues from, None for the start itself.
    compared_with: patterns of the kinds that the report compares it with.
    style: colour, marker and line of figures.
    biased_percent: how many per cent of a synthetic set are drawn biased, 0 for one as it comes; None for others.
    """

    name: str
    label: str
    pools: tuple[str, ...]
    style: Mapping[str, Any]
    raw: str | None = None
    parts: Callable[[Mapping[str, "Dataset"], str], Parts] | None = None
    own_rows: bool = False
    sets_of: str | None = None
    after: str | None = None
    compared_with: tuple[str, ...] = (ORIGINAL,)
    biased_percent: int | None = None


@dataclass(frozen=True)
class Family:
    """Kinds of one pattern: `make(match)` gives the Kind; `name` and `about` are for people."""

    name: str
    pattern: str
    about: str
    make: Callable[[re.Match], Kind] = field(repr=False)


def _biased_parts(rate: float) -> Callable[[Mapping[str, "Dataset"], str], Parts]:
    def parts(pools: Mapping[str, "Dataset"], words: str) -> Parts:
        import numpy as np
        from datasets import concatenate_datasets

        from blindspots.data.augmentation import biased_rows

        biased = biased_rows(concatenate_datasets(list(pools.values())), words)
        return [(rate, biased), (1 - rate, np.ones_like(biased))]

    return parts


def _mixed_parts(share: float) -> Callable[[Mapping[str, "Dataset"], str], Parts]:
    def parts(pools: Mapping[str, "Dataset"], words: str) -> Parts:
        import numpy as np

        original = np.arange(sum(map(len, pools.values()))) < len(pools[ORIGINAL])
        return [(1 - share, original), (share, ~original)]

    return parts


def _style(color: str, marker: str, linestyle: Any) -> dict[str, Any]:
    return {"color": color, "marker": marker, "linestyle": linestyle}


def _shade(color: str, percent: int) -> str:
    """A colour (#rrggbb) between a pale shade of it, for 0%, and itself, for 100%."""
    parts = [int(color[at : at + 2], 16) for at in (1, 3, 5)]
    return "#" + "".join(f"{round(255 - (255 - part) * (0.3 + 0.7 * percent / 100)):02X}" for part in parts)


# Colours are Okabe and Ito's (2008); each family has its own marker and line too, for greyscale print.
def _original(match: re.Match) -> Kind:
    return Kind(ORIGINAL, "original", (ORIGINAL,), _style("#0072B2", "o", "-"), compared_with=())


def _disjoint(match: re.Match) -> Kind:
    style = _style("#56B4E9", "h", (0, (3, 1)))
    return Kind("original_disjoint", "original, rows new to the start", (ORIGINAL,), style, own_rows=True)


def _synthetic(match: re.Match) -> Kind:
    temperature, generation = match["temperature"], match["generation"]
    label, line = "synthetic", "--"
    if temperature:
        label, line = f"synthetic, temperature {int(temperature) / 100:g}", (0, (4, 1, 1, 1))
    if generation:
        label, line = f"synthetic, generation {generation}", (0, (2, 2))
    plain = match[0] == SYNTHETIC
    return Kind(
        match[0],
        label,
        (SYNTHETIC,),
        _style("#E69F00", "^", line),
        raw=match[0],
        compared_with=(ORIGINAL,) if plain else (ORIGINAL, SYNTHETIC),
        biased_percent=0 if plain else None,
    )


def _biased(match: re.Match) -> Kind:
    percent = _percent(match)
    label = "biased synthetic" if match["percent"] is None else f"synthetic, {percent}% biased"
    others = (ORIGINAL, SYNTHETIC) if match["percent"] is None else (ORIGINAL, SYNTHETIC, BIASED)
    style = _style(_shade("#D55E00", percent), "s", ":" if match["percent"] is None else (0, (1, 2)))
    return Kind(
        match[0],
        label,
        (SYNTHETIC,),
        style,
        SYNTHETIC,
        _biased_parts(percent / 100),
        compared_with=others,
        biased_percent=percent,
    )


def _mixed(match: re.Match) -> Kind:
    percent = _percent(match)
    style = _style("#009E73", "D", "-.")
    return Kind(
        match[0],
        f"original and {percent}% synthetic",
        (ORIGINAL, SYNTHETIC),
        style,
        SYNTHETIC,
        _mixed_parts(percent / 100),
        compared_with=(ORIGINAL, SYNTHETIC),
    )


def _two_stage(match: re.Match) -> Kind:
    return Kind(
        "two_stage",
        "original, then synthetic",
        (SYNTHETIC,),
        _style("#CC79A7", "v", (0, (5, 1, 1, 1, 1, 1))),
        SYNTHETIC,
        sets_of=SYNTHETIC,
        after=ORIGINAL,
        compared_with=(ORIGINAL, SYNTHETIC),
    )


def _external(match: re.Match) -> Kind:
    style = _style("#000000", "x", (0, (1, 3)))
    others = (ORIGINAL, SYNTHETIC, r"external_\w+")
    return Kind(match[0], f"{match['name']} (external)", (SYNTHETIC,), style, match[0], compared_with=others)


def _percent(match: re.Match) -> int:
    """The number in a kind's name, 100 where there is none. Raises RecipeError for more than 100."""
    percent = int(match["percent"] or 100)
    if percent > 100:
        raise RecipeError(f"Kind {match[0]} asks for {percent} per cent; a share is at most 100.")
    return percent


FAMILIES: Sequence[Family] = (
    Family("original", r"original", "rows of MNLI, as published", _original),
    Family("original_disjoint", r"original_disjoint", "rows of MNLI that the start was not trained on", _disjoint),
    Family(
        "synthetic, synthetic_t<n>, synthetic_g<n>",
        r"synthetic(_t(?P<temperature>[1-9]\d*)|_g(?P<generation>[2-9]|[1-9]\d+))?",
        "rows of the generator; _t70: sampled at temperature 0.7; _g2: by a generator tuned on synthetic rows",
        _synthetic,
    ),
    Family(
        "biased_synthetic, biased_<n>",
        r"biased_(synthetic|(?P<percent>[1-9]\d*))",
        "every entailed row overlaps and no other does, by words stripped of punctuation unless overlap_words is raw, "
        "as published; biased_25: a quarter of each label, the rest as it comes",
        _biased,
    ),
    Family(
        "mixed_<n>",
        r"mixed_(?P<percent>[1-9]\d*)",
        "mixed_25: a quarter of each label synthetic, the rest original",
        _mixed,
    ),
    Family("two_stage", r"two_stage", "tuned on original rows first, then on synthetic ones", _two_stage),
    Family(
        "external_<name>",
        r"external_(?P<name>\w+)",
        "a synthetic set made elsewhere, which the grid's key external names",
        _external,
    ),
)
# Markers of the second, third, ... kind of one family in a figure; the first has the family's own.
_MORE_MARKERS = ("P", "X", "*", "p", "<", ">", "d", "8")


def kind_of(name: str) -> Kind:
    """The kind of a name. Raises RecipeError where no family has such names."""
    for family in FAMILIES:
        if match := re.fullmatch(family.pattern, name):
            return family.make(match)
    known = ", ".join(family.name for family in FAMILIES)
    raise RecipeError(f"There is no augmentation kind {name!r}; the kinds are {known}.")


def in_order(names: Sequence[str]) -> list[str]:
    """Names of kinds by family, as tables and figures list them; each once."""
    return sorted(set(names), key=position)


def position(name: str) -> tuple[int, str]:
    """Where a kind stands among others, as a sort key."""
    return _family(name), name


def _family(name: str) -> int:
    return next((n for n, family in enumerate(FAMILIES) if re.fullmatch(family.pattern, name)), len(FAMILIES))


def label_of(name: str) -> str:
    """How tables and figures call a kind; the name itself for one of no family, such as a start."""
    return kind_of(name).label if _family(name) < len(FAMILIES) else name


def styles(names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Colour, marker and line of each kind of a figure; two kinds of one family differ in their marker."""
    found, seen = {}, {}
    for name in in_order(names):
        style, family = dict(kind_of(name).style), _family(name)
        if seen.get(family, 0):
            style["marker"] = _MORE_MARKERS[(seen[family] - 1) % len(_MORE_MARKERS)]
        seen[family] = seen.get(family, 0) + 1
        found[name] = style
    return found


def compared_kinds(names: Sequence[str]) -> list[tuple[str, str]]:
    """Pairs of kinds that a report compares, (kind, other), each pair once."""
    order, pairs = in_order(names), []
    for name in order:
        for other in order:
            wanted = any(re.fullmatch(pattern, other) for pattern in kind_of(name).compared_with)
            if other != name and wanted and (other, name) not in pairs:
                pairs.append((name, other))
    return pairs
