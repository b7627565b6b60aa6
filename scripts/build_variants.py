"""Sample the augmentation sets of one kind, one config per size.

python scripts/build_variants.py recipes/smollm2-135m/variants.yaml --kind biased_synthetic
"""

from blindspots.config.errors import RecipeError
from blindspots.config.parser import parse_recipe
from blindspots.config.processes import run_script
from blindspots.config.recipes import VariantsRecipe
from blindspots.data.kinds import ORIGINAL, Kind, kind_of


def check(recipe: VariantsRecipe, kind: Kind) -> None:
    """Raise RecipeError where a pool of the kind is not named, and for no sizes."""
    if not recipe.sizes:
        raise RecipeError("sizes is empty; name the rows of each set.")
    for pool in kind.pools:
        if getattr(recipe, pool) is None:
            raise RecipeError(f"kind {kind.name} is drawn from {pool}; name that dataset.")
    if recipe.exclude_config and ORIGINAL not in kind.pools:
        raise RecipeError(f"exclude_config has no effect: kind {kind.name} is not drawn from original.")


def main() -> None:
    (recipe,) = parse_recipe(VariantsRecipe)
    kind = kind_of(recipe.kind)
    check(recipe, kind)
    from datasets import concatenate_datasets

    from blindspots.artifacts.folder import output_folder, resolved_recipe, save_artifact
    from blindspots.artifacts.inputs import fetch
    from blindspots.artifacts.push import check_push, push_if_asked
    from blindspots.data.augmentation import label_shares, sample_sets, without_rows
    from blindspots.data.nli_datasets import nli_pairs, pool_pairs, read_split, write_configs

    check_push(recipe, "augmentation_set")
    with output_folder(recipe, "augmentation_set") as folder:
        parents = {
            pool: fetch(getattr(recipe, pool), "dataset", getattr(recipe, f"{pool}_revision")) for pool in kind.pools
        }
        pools, counts = {}, {}
        for name, source in parents.items():
            left_out = {}
            pools[name] = pool_pairs(source, getattr(recipe, f"{name}_config"), left_out)
            counts |= {name: len(pools[name])} | {f"{name} {why}": count for why, count in left_out.items()}
        if recipe.exclude_config:
            excluded = nli_pairs(read_split(parents[ORIGINAL], "train", recipe.exclude_config), recipe.exclude_config)
            pools[ORIGINAL] = without_rows(pools[ORIGINAL], excluded)
            counts["original without " + recipe.exclude_config] = len(pools[ORIGINAL])
        pairs = concatenate_datasets(list(pools.values()))
        counts["drawn from"] = len(pairs)
        parts = kind.parts(pools, recipe.overlap_words) if kind.parts else None
        sets = sample_sets(pairs, recipe.sizes, recipe.seed, parts)
        write_configs(folder.staging, {config: {"train": rows} for config, rows in sets.items()})
        counts |= {f"n{size} (entailment, neutral, contradiction)": label_shares(size) for size in recipe.sizes}
        save_artifact(folder, resolved_recipe(recipe), parents, counts)
        push_if_asked(recipe)


if __name__ == "__main__":
    run_script(main)
