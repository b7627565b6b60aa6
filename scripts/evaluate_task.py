"""Evaluate a task model: logits of every row of MNLI matched and HANS, and the metrics computed from them.

accelerate launch scripts/evaluate_task.py recipes/smollm2-135m/evaluate.yaml
"""

from blindspots.errors import RecipeError, run_script
from blindspots.parsing import parse_recipe
from blindspots.recipes import EvaluateRecipe


def main() -> None:
    (recipe,) = parse_recipe(EvaluateRecipe)
    if not (recipe.mnli or recipe.hans):
        raise RecipeError("There is nothing to evaluate on; name mnli, hans or both.")
    from trl import ModelConfig

    from blindspots.artifacts import output_folder, publish, resolved_recipe
    from blindspots.classifier import load_classifier
    from blindspots.prediction import load_test_sets, predict_test_sets, score, test_set_sources
    from blindspots.processes import process_state
    from blindspots.sources import fetch

    with output_folder(recipe, "predictions") as folder:
        state = process_state()
        model = fetch(recipe.model, "model", recipe.model_revision)
        sources = test_set_sources(recipe)
        tests = load_test_sets(recipe, sources)
        classifier = load_classifier(model, ModelConfig(dtype=recipe.dtype))
        predict_test_sets(classifier, recipe, tests, folder.staging)
        if state.is_main_process:
            results = score(folder.staging)
            rows = {name: len(test) for name, test in tests.items()}
            publish(folder, resolved_recipe(recipe), {"model": model, **sources}, rows, results)
            for name in ("mnli_matched", "hans", "hans_lo_non_entailment"):
                if results[name] is not None:
                    print(f"{name} {results[name]:.4f}")


if __name__ == "__main__":
    run_script(main)
