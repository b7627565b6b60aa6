"""Which rows do the harm: a set tuned without each group of its rows, beside the set itself."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from blindspots.artifacts.folder import output_folder, resolved_recipe, save_artifact
from blindspots.artifacts.inputs import fetch
from blindspots.check import runs
from blindspots.check.groups import disputed_labels, groups
from blindspots.check.sets import CheckedSet, key_of, require_size, write_copy
from blindspots.config.analysis_recipes import CheckRecipe
from blindspots.config.errors import UserError
from blindspots.config.recipes import ArtifactRecipe
from blindspots.data.kinds import ORIGINAL
from blindspots.data.nli_datasets import write_configs
from blindspots.evaluation.statistics import crossed_interval, holm
from blindspots.report.collect import Grid

# A smaller group is not tried: it could hardly move a model.
SMALLEST_SHARE = 0.02
ALPHA = 0.05


@dataclasses.dataclass
class Removal:
    """What leaving out a group does to one headline.

    whole, without: mean of the models tuned on rows of the whole set, and of the set without the group.
    low, high: interval of their difference that holds for all groups and headlines together. p: two-sided, by Holm.
    """

    group: str
    rows: int
    metric: str
    whole: float
    without: float
    estimate: float
    low: float
    high: float
    p: float

    @property
    def helps(self) -> bool:
        """Whether models are significantly better without the group."""
        return self.p <= ALPHA and self.estimate > 0


@dataclasses.dataclass
class Explanation:
    """What every removal does, to models tuned on `size` rows.

    not_tried: other groups, and why. blamed: the group without which models are significantly better, most per row
    left out; None where there is none. original: by headline, mean of the models tuned on original rows.
    """

    size: int
    seeds: int
    removals: list[Removal]
    not_tried: dict[str, str]
    blamed: str | None = None
    original: dict[str, float] = dataclasses.field(default_factory=dict)


def explain(recipe: CheckRecipe, found: CheckedSet, headlines: list[str]) -> tuple[Explanation, CheckedSet | None]:
    """Tune on a set without each group of its rows; returns what that does, and the set without the guilty group.

    Args:
        headlines: that are looked at, the fewer the better for what can be told.

    Every model is tuned on half as many rows as in the check, so that a group can be left out. What remains without a
    group is compared with a draw of as many rows of the whole set, which is the set without so many random rows.
    Raises UserError where no group can be left out.
    """
    half = dataclasses.replace(recipe, size=recipe.size // 2, biased=False)
    model = fetch(str(runs.label_model(recipe)), "model")
    disputed = disputed_labels(found.pairs, model, runs.task_recipe(recipe).eval_batch_tokens)
    parts, sizes, not_tried = without_groups(found, groups(found.pairs, disputed), half.size)
    if not parts:
        reasons = "; ".join(f"{name}: {why}" for name, why in not_tried.items())
        raise UserError(f"{found.source.name}: no group of rows can be left out ({reasons}).")
    sets = [found, *parts.values()]
    for one in sets:
        write_copy(one, runs.cells_folder(half) / "sets" / one.key)
    grid = runs.make_models(half, sets, recipe.explain_seeds)
    removals = compared(grid, half, found, headlines, parts, sizes)
    blamed = next((removal.group for removal in removals if removal.helps), None)
    original = {metric: float(np.mean(runs.seed_means(grid, metric, ORIGINAL, half))) for metric in headlines}
    result = Explanation(half.size, recipe.explain_seeds, removals, not_tried, blamed, original)
    return result, parts.get(blamed)


def without_groups(
    found: CheckedSet, masks: Mapping[str, NDArray[np.bool_]], size: int
) -> tuple[dict[str, CheckedSet], dict[str, int], dict[str, str]]:
    """By group, the set without it, and the rows of the group; by other group, why it can't be left out."""
    parts, sizes, not_tried = {}, {}, {}
    for group, mask in masks.items():
        if mask.sum() < SMALLEST_SHARE * len(mask):
            not_tried[group] = f"{mask.sum()} rows, too few"
            continue
        rest = found.pairs.select(np.flatnonzero(~mask))
        try:
            require_size(rest, size, f"{found.name} without {group}")
        except UserError as why:
            not_tried[group] = str(why)
            continue
        name = f"{found.name} without {group}"
        parts[group] = CheckedSet(name, key_of(name, rest), found.source, rest, {})
        sizes[group] = int(mask.sum())
    return parts, sizes, not_tried


def compared(
    grid: Grid,
    recipe: CheckRecipe,
    found: CheckedSet,
    headlines: list[str],
    parts: Mapping[str, CheckedSet],
    sizes: Mapping[str, int],
) -> list[Removal]:
    """Each group and headline: what is sure first, then by how much better models are per row left out.

    Without most of its rows a set is another one: the smaller of two groups that help alike is the better guess.
    """
    level = 1 - ALPHA / (len(parts) * len(headlines))
    removals = []
    for group, part in parts.items():
        for metric in headlines:
            without, whole = (
                np.array(runs.seed_means(grid, metric, kind, recipe)) for kind in (part.kind, found.kind)
            )
            effect = crossed_interval(without, whole, bound=1.0, level=level)
            means = float(whole.mean()), float(without.mean())
            removals.append(Removal(group, sizes[group], metric, *means, *effect[:3], p=effect.p))
    corrected = holm([removal.p for removal in removals])
    removals = [dataclasses.replace(removal, p=p) for removal, p in zip(removals, corrected)]
    return sorted(removals, key=lambda removal: (removal.p > ALPHA, -removal.estimate / removal.rows))


def save_cleaned(
    recipe: CheckRecipe, found: CheckedSet, cleaned: CheckedSet, explained: Explanation, titles: Mapping[str, str]
) -> Path:
    """Save a set without the blamed group as an artifact, with its numbers before and after; returns the folder.

    Raises UserError where the folder holds anything but such an artifact of before.
    """
    path, source = runs.cells_folder(recipe) / f"cleaned-{found.key}", found.source
    named = source.name if source.revision is None else f"{source.name}@{source.revision}"
    own = dataclasses.replace(recipe, datasets=[named])
    results = {
        "left_out": explained.blamed,
        "tuned_on_rows": explained.size,
        "seeds": explained.seeds,
        "before_and_after": before_and_after(explained, titles),
    }
    counts = {"read": len(found.pairs), "left out": len(found.pairs) - len(cleaned.pairs)}
    target = ArtifactRecipe(output_dir=str(path), wait_for_lock=True)
    with output_folder(target, "cleaned_set", {"datasets": own.datasets}) as folder:
        rows = write_configs(folder.staging, {"full": {"train": cleaned.pairs}})
        save_artifact(folder, resolved_recipe(own), {"dataset": source}, counts | rows, results)
    return path


def before_and_after(explained: Explanation, titles: Mapping[str, str]) -> list[dict[str, str]]:
    """Each headline of models tuned on the set with and without the blamed group, as rows of a table."""
    return [
        {
            "headline": titles[removal.metric],
            "before": f"{removal.whole:.3f}",
            "after": f"{removal.without:.3f}",
            "difference": f"{removal.estimate:+.3f}",
            "interval": f"{removal.low:+.3f} to {removal.high:+.3f}",
            "original rows": f"{explained.original[removal.metric]:.3f}",
        }
        for removal in explained.removals
        if removal.group == explained.blamed
    ]
