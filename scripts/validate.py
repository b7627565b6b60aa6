"""Say whether a recipe would do, without running it: keys, Hub rights, inputs, data, test sets, model.

python scripts/validate.py recipes/smollm2-135m/start.yaml --learning_rate 1e-5

The script that a recipe is for stands in its first line. Of models only config and tokenizer are read. Exit code 2
where something would stop the run.
"""

import re
import sys
from collections.abc import Callable
from pathlib import Path

from blindspots.config import recipes
from blindspots.config.errors import RecipeError, UserError, one_line
from blindspots.config.parser import parse_recipe
from blindspots.config.processes import run_script
from blindspots.config.scripts import RECIPE_CLASSES

FIRST_LINE = re.compile(r"#\s*(\w+)\.py\b")
# The scripts whose recipes can be checked, and the type of artifact of each.
ARTIFACT_TYPES = {
    "prepare_mnli": "prepared_mnli",
    "finetune_task": "task_model",
    "finetune_generator": "generator",
    "generate_synthetic": "raw_synthetic",
    "build_variants": "augmentation_set",
    "evaluate_task": "predictions",
}
# Keys that name an input other than a test set: what it is, and the key of its commit or tag.
INPUTS = {
    "model_name_or_path": ("model", "model_revision"),
    "model": ("model", "model_revision"),
    "generator": ("model", "generator_revision"),
    "train_dataset": ("dataset", "train_revision"),
    "dev_dataset": ("dataset", "dev_revision"),
    "original": ("dataset", "original_revision"),
    "synthetic": ("dataset", "synthetic_revision"),
    "shots_from": ("dataset", "shots_revision"),
}


def script_of(words: list[str]) -> str:
    """The script that the recipe among the words is for. Raises RecipeError where its first line names none."""
    files = [Path(word) for word in words if word.endswith(".yaml")]
    if not files or not files[0].is_file():
        raise RecipeError(
            f"Name a recipe that is there, such as recipes/demo/start.yaml; got {' '.join(words[:1])!r}."
        )
    found = FIRST_LINE.match(files[0].read_text("utf-8", errors="replace"))
    if found is None or found[1] not in ARTIFACT_TYPES:
        raise RecipeError(
            f"{files[0]}: the first line is to name one of {', '.join(ARTIFACT_TYPES)}, as `# finetune_task.py:`."
        )
    return found[1]


def fetched(values: dict) -> dict:
    """The inputs of a recipe by key; of models what is not weights. Raises UserError for one that is not there."""
    from blindspots.artifacts.inputs import fetch

    named = {name: about for name, about in INPUTS.items() if values.get(name) is not None}
    if values.get("mnli") is not None and "test_sets" not in values:
        named["mnli"] = ("dataset", "mnli_revision")
    return {
        name: fetch(values[name], kind, values.get(revision), weights=False)
        for name, (kind, revision) in named.items()
    }


def check_data(recipe, inputs: dict) -> str:
    """Read and check the rows to train on."""
    from blindspots.training.run import training_pairs

    counts: dict = {}
    sources = {role: inputs[f"{role}_dataset"] for role in ("train", "dev") if f"{role}_dataset" in inputs}
    train, _ = training_pairs(recipe, sources, counts)
    left_out = "".join(f", {name} {count}" for name, count in counts.items())
    return "nothing to train on" if train is None else f"{len(train):,} rows{left_out}"


def check_test_sets(recipe) -> str:
    """Read and check the rows to evaluate."""
    from blindspots.data.test_set_rows import test_set_sources
    from blindspots.evaluation.prediction import load_test_sets

    tests = load_test_sets(recipe, test_set_sources(recipe))
    return ", ".join(f"{name} {len(rows):,} rows" for name, rows in tests.items()) or "none"


def check_model(recipe, inputs: dict, keys: dict) -> str:
    """Config, label names, tokenizer, input form and keys of an adapter of a task model or generator."""
    source = inputs.get("model") or inputs.get("model_name_or_path")
    if source is None:
        raise RecipeError("model_name_or_path is required: the model to tune.")
    from torch import device, float32

    from blindspots.modeling.adapters import read_model_config
    from blindspots.modeling.architectures import check_architecture, is_encoder, positions
    from blindspots.modeling.heads import head_labels, is_classifier
    from blindspots.modeling.input_form import input_template, shown
    from blindspots.modeling.loading import errors_in_words, load_tokenizer
    from blindspots.modeling.precision import base_model
    from blindspots.training.estimate import Plan

    task = not isinstance(recipe, recipes.GeneratorRecipe)
    plan = Plan.of(read_model_config(keys), task, source.path)
    load_tokenizer(source)
    with errors_in_words(f"{source.name} can't be built"), device("meta"):
        model = base_model(plan.build(float32, 1))
    said = f"{type(model).__name__} with {positions(model)} positions"
    if not task:
        return said
    check_architecture(model, source.name)
    if is_classifier(plan.config):
        head_labels(plan.config, source.name, getattr(recipe, "label_names", None))
    form = input_template(source, recipe.template, is_encoder(plan.config), has_head=False)
    return f"{said}, given {shown(form)}"


def checks(script: str, recipe, libraries: list[dict]) -> dict[str, Callable[[], str]]:
    """What is checked of a recipe, by name; each returns what was found, or raises UserError."""
    from blindspots.artifacts.push import check_push

    values = vars(recipe) | {name: value for keys in libraries for name, value in keys.items()}
    found: dict = {}

    def inputs() -> str:
        found.update(fetched(values))
        return ", ".join(f"{source.name}@{(source.revision or 'here')[:12]}" for source in found.values()) or "none"

    def rights() -> str:
        check_push(recipe, ARTIFACT_TYPES[script])
        return f"may push to {recipe.hub_namespace}" if recipe.push_to_hub else "no push is asked for"

    run = {"Hub": rights, "inputs": inputs}
    if script.startswith("finetune"):
        run["data"] = lambda: check_data(recipe, found)
    if script in ("finetune_task", "evaluate_task"):
        run["test sets"] = lambda: check_test_sets(recipe)
    if script.startswith("finetune"):
        run["model"] = lambda: check_model(recipe, found, libraries[1])
    elif script == "evaluate_task":
        run["model"] = lambda: check_model(recipe, found, {"model_name_or_path": recipe.model})
    return run


def main() -> None:
    words = sys.argv[1:]
    if words in (["-h"], ["--help"]):  # after a recipe, the parser lists the keys of its script
        return print(__doc__)
    script = script_of(words)
    recipe, *libraries = parse_recipe(*RECIPE_CLASSES[script], argv=words)
    print(f"ok     keys: of {script}.py")
    wrong = []
    for name, check in checks(script, recipe, libraries).items():
        try:
            print(f"ok     {name}: {check()}")
        except UserError as error:
            print(f"wrong  {name}: {one_line(error)}")
            wrong.append(name)
            if name == "inputs":
                break  # the rest reads them
    if wrong:
        raise UserError(f"The run would stop at: {', '.join(wrong)}.")


if __name__ == "__main__":
    run_script(main)
