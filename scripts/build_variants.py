"""Sample one kind of augmentation set, one config a size.

python scripts/build_variants.py recipes/smollm2-135m/variants.yaml --kind biased_synthetic
"""

from blindspots.errors import RecipeError, run_script
from blindspots.parsing import parse_recipe
from blindspots.recipes import VariantsRecipe


def main() -> None:
    (recipe,) = parse_recipe(VariantsRecipe)
    pool = "original" if recipe.kind == "original" else "synthetic"
    if getattr(recipe, pool) is None:
        raise RecipeError(f"kind {recipe.kind} is drawn from {pool}; name that dataset.")
    from blindspots.artifacts import output_folder, publish, resolved_recipe
    from blindspots.corpora import nli_pairs, read_split, write_configs
    from blindspots.sources import fetch
    from blindspots.variants import label_shares, sample_sets

    with output_folder(recipe, "augmentation_set") as folder:
        source = fetch(getattr(recipe, pool), "dataset", getattr(recipe, f"{pool}_revision"))
        pairs = nli_pairs(read_split(source, "train", "full"), source.name)
        sets = sample_sets(pairs, recipe.sizes, recipe.seed, biased=recipe.kind == "biased_synthetic")
        write_configs(folder.staging, {config: {"train": rows} for config, rows in sets.items()})
        counts = {f"n{size} (entailment, neutral, contradiction)": label_shares(size) for size in recipe.sizes}
        publish(folder, resolved_recipe(recipe), {pool: source}, {"pool": len(pairs), **counts})


if __name__ == "__main__":
    run_script(main)
