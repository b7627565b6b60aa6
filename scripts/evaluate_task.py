"""Evaluate a task model: logits of every row of the test sets, and the metrics computed from them.

accelerate launch scripts/evaluate_task.py recipes/smollm2-135m/evaluate.yaml
"""

from blindspots.config.errors import RecipeError
from blindspots.config.parser import parse_recipe
from blindspots.config.processes import run_script
from blindspots.config.recipes import EvaluateRecipe
from blindspots.data.test_sets import named_test_sets


def main() -> None:
    (recipe,) = parse_recipe(EvaluateRecipe)
    if not named_test_sets(recipe):
        raise RecipeError("There is nothing to evaluate on; name test_sets, such as [mnli_matched, hans].")
    from trl import ModelConfig

    from blindspots.artifacts.folder import output_folder, resolved_recipe, save_artifact
    from blindspots.artifacts.inputs import fetch
    from blindspots.artifacts.push import check_push, push_if_asked
    from blindspots.config.processes import process_state
    from blindspots.data.test_set_rows import test_set_sources
    from blindspots.evaluation.prediction import load_test_sets, predict_test_sets, rehearse
    from blindspots.evaluation.scoring import score
    from blindspots.modeling.classifier import load_for_evaluation, require_task_model
    from blindspots.modeling.input_form import input_record
    from blindspots.training.out_of_memory import memory_errors_in_words

    check_push(recipe, "predictions")
    with output_folder(recipe, "predictions") as folder, memory_errors_in_words():
        state = process_state()
        model = fetch(recipe.model, "model", recipe.model_revision)
        sources = test_set_sources(recipe)
        tests = load_test_sets(recipe, sources)
        precision = None if recipe.dtype == "auto" else ModelConfig(dtype=recipe.dtype)
        require_task_model(model)
        classifier = load_for_evaluation(model, precision, recipe.template, recipe.label_names)
        rehearse(classifier, {})
        predict_test_sets(classifier, recipe, tests, folder.staging)
        if state.is_main_process:
            results = score(folder.staging)
            rows = {name: len(test) for name, test in tests.items()}
            parents = {"model": model, **sources}
            facts = {"precision": {"evaluated": classifier.precision}} | input_record(
                classifier.template, classifier.label2id
            )
            save_artifact(folder, resolved_recipe(recipe), parents, rows, results, facts)
            push_if_asked(recipe)
            for headline in results["headlines"]:
                print(f"{headline['name']} {headline['accuracy']:.4f}")


if __name__ == "__main__":
    run_script(main)
