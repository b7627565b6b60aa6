"""Merge a generator's LoRA adapter into its base model: weights that `from_pretrained` and servers load on their own.

python scripts/merge_generator.py recipes/llama2-7b/merge.yaml
"""

from blindspots.config.errors import UserError
from blindspots.config.parser import parse_recipe
from blindspots.config.processes import run_script
from blindspots.config.recipes import MergeRecipe


def main() -> None:
    (recipe,) = parse_recipe(MergeRecipe)
    from blindspots.artifacts.folder import (
        only_to_push,
        output_folder,
        resolved_recipe,
        resume_or_clear,
        save_artifact,
    )
    from blindspots.artifacts.inputs import Source, fetch
    from blindspots.artifacts.push import check_push, push_if_asked
    from blindspots.modeling.generators import load_generator, served_name
    from blindspots.modeling.loading import adapter_base, check_saved_weights, load_tokenizer, require_embeddings

    check_push(recipe, "generator")
    resolved = resolved_recipe(recipe)
    with output_folder(recipe, "generator") as folder:
        adapter = fetch(recipe.generator, "model", recipe.generator_revision)
        if not (adapter.path / "adapter_config.json").is_file():
            raise UserError(f"{adapter.name} is no adapter: it can be served as it is.")
        parents = {"adapter": adapter, "base": adapter_base(adapter)}
        if only_to_push(folder, resolved, parents):
            return push_if_asked(recipe)
        resume_or_clear(folder, resolved, parents)
        model, tokenizer = load_generator(adapter, recipe.dtype), load_tokenizer(adapter)
        require_embeddings(model, tokenizer, adapter.name)
        for part in (model, tokenizer):
            part.save_pretrained(folder.staging)
        check_saved_weights(folder.staging)
        save_artifact(folder, resolved, parents, {})
        merged = Source(recipe.output_dir, folder.final, None, "model")
        print(f"vllm serve {recipe.output_dir} --served-model-name {served_name(merged)}")
        push_if_asked(recipe)


if __name__ == "__main__":
    run_script(main)
