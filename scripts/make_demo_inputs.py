"""Write one of the demo's inputs: the generated corpus in MNLI's or HANS's schema, or a tiny untrained Llama.

python scripts/make_demo_inputs.py recipes/demo/inputs.yaml --part mnli --output_dir outputs/demo/corpus/mnli
"""

from blindspots.config.errors import RecipeError
from blindspots.config.parser import parse_recipe
from blindspots.config.processes import run_script
from blindspots.config.recipes import DemoRecipe


def main() -> None:
    (recipe,) = parse_recipe(DemoRecipe)
    if recipe.part == "base" and recipe.corpus is None:
        raise RecipeError("part base needs corpus, the folder of part mnli, to train its tokenizer on.")
    from blindspots.artifacts.folder import output_folder, resolved_recipe, save_artifact
    from blindspots.artifacts.inputs import fetch
    from blindspots.artifacts.push import check_push, push_if_asked
    from blindspots.data.nli_datasets import read_split, require_columns, require_text, write_configs
    from blindspots.demo.corpus import hans_like, mnli_like

    artifact_type = "base_model" if recipe.part == "base" else "demo_corpus"
    check_push(recipe, artifact_type)
    with output_folder(recipe, artifact_type) as folder:
        parents, counts = {}, {}
        if recipe.part == "base":
            from blindspots.demo.base_model import tiny_base  # the corpus needs neither torch nor transformers

            parents["corpus"] = fetch(recipe.corpus, "dataset")
            rows = read_split(parents["corpus"], "train")
            require_columns(rows, ("premise", "hypothesis"), recipe.corpus)
            require_text(rows, recipe.corpus)
            counts["tokenizer trained on"] = len(rows)
            for part in tiny_base((*rows["premise"], *rows["hypothesis"]), recipe.seed):
                part.save_pretrained(folder.staging)
        elif recipe.part == "mnli":
            splits = dict(mnli_like(recipe.train_rows, recipe.matched_rows, recipe.seed))
            counts = write_configs(folder.staging, {"default": splits})
        else:
            splits = {"validation": hans_like(recipe.hans_rows, recipe.seed)}
            counts = write_configs(folder.staging, {"default": splits})
        save_artifact(folder, resolved_recipe(recipe), parents, counts)
        push_if_asked(recipe)


if __name__ == "__main__":
    run_script(main)
