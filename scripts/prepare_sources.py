"""Draw what models are trained on from a set of several sources, and the rows of people that they are tested on.

python scripts/prepare_sources.py recipes/sources/trained/sbic.yaml

Configs <kind>-s<seed> (split train): human, machine_<name>, human_same_units. Config test (split test): people's rows.
"""

from blindspots.config.parser import parse_recipe
from blindspots.config.processes import run_script
from blindspots.config.source_recipes import CompareRecipe, PrepareSourcesRecipe, check_recipe


def main() -> None:
    (recipe,) = parse_recipe(PrepareSourcesRecipe)
    (compare,) = parse_recipe(CompareRecipe, argv=[recipe.source_set])
    check_recipe(compare)
    from blindspots.artifacts.folder import output_folder, resolved_recipe, save_artifact
    from blindspots.artifacts.push import check_push, push_if_asked
    from blindspots.data.nli_datasets import write_configs
    from blindspots.sources.run import fetch_source, settings
    from blindspots.sources.train_sets import train_sets

    check_push(recipe, "source_sets")
    with output_folder(recipe, "source_sets", {"dataset": compare.dataset}) as folder:
        source = fetch_source(compare)
        configs, counts = train_sets(recipe, compare, source)
        counts |= write_configs(folder.staging, configs)
        parts = [(config, rows) for config, splits in configs.items() for rows in splits.values()]
        counts["units"] = {config: len(set(rows["unit"])) for config, rows in parts}
        about = {"data_type": compare.data_type, "title": compare.title, "human": compare.human}
        resolved = resolved_recipe(recipe) | {"source_settings": about | settings(compare)}
        save_artifact(folder, resolved, {"source": source}, counts)
        print(
            f"{len(configs) - 1} train sets of {recipe.train_rows} rows, {recipe.test_rows} rows of people to test on"
        )
        push_if_asked(recipe)


if __name__ == "__main__":
    run_script(main)
