"""Sample one kind of augmentation set, one config a size.

python scripts/build_variants.py recipes/smollm2-135m/variants.yaml --kind biased_synthetic
"""

from blindspots.errors import RecipeError, run_script
from blindspots.parsing import parse_recipe
from blindspots.recipes import VariantsRecipe


def pool_names(recipe: VariantsRecipe) -> list[str]:
    """The pools that a kind is drawn from. Raises RecipeError where one is not named or a share is out of range."""
    names = {"original": ["original"], "mixed": ["original", "synthetic"]}.get(recipe.kind, ["synthetic"])
    for name in names:
        if getattr(recipe, name) is None:
            raise RecipeError(f"kind {recipe.kind} is drawn from {name}; name that dataset.")
    for share in ("bias_rate", "synthetic_share"):
        if not 0 <= getattr(recipe, share) <= 1:
            raise RecipeError(f"{share} is a share between 0 and 1; got {getattr(recipe, share)}.")
    return names


def without(pairs, excluded):
    """The pairs that are not among the excluded ones."""
    known = set(zip(excluded["premise"], excluded["hypothesis"]))
    texts = zip(pairs["premise"], pairs["hypothesis"])
    return pairs.select([row for row, pair in enumerate(texts) if pair not in known])


def draw(recipe: VariantsRecipe, pools: dict):
    """The sets of one kind, and how many rows they were drawn from.

    Args:
        recipe: kind, sizes, seed and shares.
        pools: name -> Dataset of PAIR_FEATURES.
    """
    import numpy as np
    from datasets import concatenate_datasets

    from blindspots.variants import biased_rows, sample_sets

    pairs = concatenate_datasets(list(pools.values()))
    everything, parts = np.ones(len(pairs), dtype=bool), None
    if recipe.kind == "biased_synthetic":
        parts = [(recipe.bias_rate, biased_rows(pairs)), (1 - recipe.bias_rate, everything)]
    elif recipe.kind == "mixed":
        original = np.arange(len(pairs)) < len(pools["original"])
        parts = [(1 - recipe.synthetic_share, original), (recipe.synthetic_share, ~original)]
    return sample_sets(pairs, recipe.sizes, recipe.seed, parts), len(pairs)


def main() -> None:
    (recipe,) = parse_recipe(VariantsRecipe)
    names = pool_names(recipe)
    from blindspots.artifacts import output_folder, publish, resolved_recipe
    from blindspots.corpora import nli_pairs, pool_pairs, read_split, write_configs
    from blindspots.sources import fetch
    from blindspots.variants import label_shares

    with output_folder(recipe, "augmentation_set") as folder:
        parents = {
            name: fetch(getattr(recipe, name), "dataset", getattr(recipe, f"{name}_revision")) for name in names
        }
        pools = {name: pool_pairs(source, recipe.pool_config) for name, source in parents.items()}
        counts = {name: len(pool) for name, pool in pools.items()}
        if recipe.exclude_config:
            excluded = nli_pairs(
                read_split(parents["original"], "train", recipe.exclude_config), recipe.exclude_config
            )
            pools["original"] = without(pools["original"], excluded)
            counts["original without " + recipe.exclude_config] = len(pools["original"])
        sets, counts["drawn from"] = draw(recipe, pools)
        write_configs(folder.staging, {config: {"train": rows} for config, rows in sets.items()})
        counts |= {f"n{size} (entailment, neutral, contradiction)": label_shares(size) for size in recipe.sizes}
        publish(folder, resolved_recipe(recipe), parents, counts)


if __name__ == "__main__":
    run_script(main)
