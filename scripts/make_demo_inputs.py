"""Write one of the demo's inputs: the generated corpus in MNLI's or HANS's schema, or a tiny untrained Llama.

python scripts/make_demo_inputs.py recipes/demo/inputs.yaml --part mnli --output_dir outputs/demo/corpus/mnli
"""

from blindspots.errors import RecipeError, run_script
from blindspots.parsing import parse_recipe
from blindspots.recipes import DemoRecipe


def main() -> None:
    (recipe,) = parse_recipe(DemoRecipe)
    if recipe.part == "base" and recipe.corpus is None:
        raise RecipeError("part base needs corpus, the folder of part mnli, to train its tokenizer on.")
    from blindspots.artifacts import output_folder, publish, resolved_recipe
    from blindspots.corpora import read_split, write_configs
    from blindspots.demo.base_model import tiny_base
    from blindspots.demo.corpus import hans_like, mnli_like
    from blindspots.sources import fetch

    with output_folder(recipe, "base_model" if recipe.part == "base" else "demo_corpus") as folder:
        resolved = resolved_recipe(recipe)
        if recipe.part == "base":
            corpus = fetch(recipe.corpus, "dataset")
            rows = read_split(corpus, "train")
            for part in tiny_base((*rows["premise"], *rows["hypothesis"]), recipe.seed):
                part.save_pretrained(folder.staging)
            publish(folder, resolved, {"corpus": corpus}, {"tokenizer trained on": len(rows)})
            return
        if recipe.part == "mnli":
            splits = dict(mnli_like(recipe.train_rows, recipe.matched_rows, recipe.seed))
        else:
            splits = {"validation": hans_like(recipe.hans_rows, recipe.seed)}
        publish(folder, resolved, {}, write_configs(folder.staging, {"default": splits}))


if __name__ == "__main__":
    run_script(main)
