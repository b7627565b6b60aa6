"""Tune a task model T from a base model, or a start T further on an augmentation set.

accelerate launch scripts/finetune_task.py recipes/smollm2-135m/augment.yaml --learning_rate 1e-5
"""

from blindspots.config.errors import RecipeError
from blindspots.config.parser import parse_recipe
from blindspots.config.processes import is_main_process, run_script
from blindspots.config.recipes import TaskRecipe
from blindspots.data.nli import LABELS
from blindspots.data.test_sets import named_test_sets


def check(recipe: TaskRecipe) -> None:
    """Raise RecipeError for keys of NLI beside those of other texts."""
    if recipe.text_columns and named_test_sets(recipe):
        raise RecipeError("test_sets hold premises and hypotheses; leave them out with text_columns, and name people.")
    if recipe.text_columns and not recipe.train_dataset:
        raise RecipeError("text_columns needs train_dataset, which says what the labels are.")
    if recipe.people and not recipe.text_columns:
        raise RecipeError("people has no effect without text_columns; name test_sets for premises and hypotheses.")


def estimate_run(recipe, training_keys, model_keys) -> None:
    """Print memory and hours of the run, without the model's weights."""
    from transformers import TrainingArguments

    from blindspots.artifacts.inputs import fetch
    from blindspots.data.examples import task_texts
    from blindspots.modeling.adapters import read_model_config
    from blindspots.modeling.architectures import is_encoder
    from blindspots.modeling.heads import is_classifier
    from blindspots.modeling.input_form import input_template
    from blindspots.training.batches import divide_batch
    from blindspots.training.estimate import Plan, print_estimate
    from blindspots.training.run import training_arguments, training_pairs, training_sources

    recipe, training_keys = divide_batch(recipe, training_keys)
    training = training_arguments(TrainingArguments, recipe, training_keys, "unused")
    train, _ = training_pairs(recipe, training_sources(recipe))
    start = fetch(model_keys["model_name_or_path"], "model", model_keys.get("model_revision"), weights=False)
    config = Plan.of(read_model_config(model_keys), task=True, folder=start.path).config
    template = input_template(start, recipe.template, is_encoder(config), is_classifier(config))
    print_estimate(recipe, training, model_keys, task_texts(train, template), task=True)


def load_data(recipe, parents):
    """The test sets, the training and dev pairs, people's texts (None without), and how many rows were left out."""
    from blindspots.evaluation.people import read_labelled, require_known_labels
    from blindspots.evaluation.prediction import load_test_sets
    from blindspots.training.run import training_pairs

    left_out = {}
    tests, pairs = load_test_sets(recipe, parents), training_pairs(recipe, parents, left_out)
    people = read_labelled(parents["people"], recipe.text_columns) if recipe.people else None
    for role, rows in (("dev", pairs[1]), ("people", people)):
        if recipe.text_columns and rows is not None:
            require_known_labels(rows, pairs[0].features["label"].names, parents[role].name)
    return tests, pairs, people, left_out


def load_trainer(recipe, training, model_config, start, pairs):
    """The start with its tokenizer and label names, the trainer around it, and how many rows it trains on."""
    from transformers import DataCollatorWithPadding

    from blindspots.data.examples import task_examples
    from blindspots.evaluation.prediction import require_positions
    from blindspots.modeling.classifier import load_classifier
    from blindspots.modeling.precision import require_precision_of_start
    from blindspots.training.engines import require_autocast, require_spreadable
    from blindspots.training.estimate import Plan, require_fit
    from blindspots.training.run import within_length
    from blindspots.training.trainers import TaskTrainer

    require_precision_of_start(start, model_config)
    labels = pairs[0].features["label"].names if recipe.text_columns else LABELS
    classifier = load_classifier(
        start, model_config, training.seed, not recipe.as_published, template=recipe.template, labels=labels
    )
    require_autocast(classifier.model, training)
    require_spreadable(classifier.model)
    form = classifier.tokenizer, classifier.label2id, classifier.template
    train, dev = (rows and task_examples(rows, *form) for rows in pairs)
    row_counts = {"trained on": 0}
    if train is not None:
        train = within_length(train, [len(ids) for ids in train["input_ids"]], recipe.max_length, row_counts)
        for rows in filter(None, (train, dev)):
            require_positions(classifier, max(map(len, rows["input_ids"])))
        plan = Plan.of(model_config, task=True, folder=start.path)
        require_fit(plan, recipe, training, [len(ids) for ids in train["input_ids"]])
    trainer = TaskTrainer(
        classifier.model,
        training,
        train_dataset=train,
        eval_dataset=dev,
        data_collator=DataCollatorWithPadding(classifier.tokenizer),
        tokens_per_batch=recipe.tokens_per_batch,
        share_prefix=recipe.share_prefix,
    )
    return classifier, trainer, row_counts


def evaluate(recipe, model_config, tests, people, folder, template, labels):
    """Reopen the saved model, predict the test sets, and return their metrics (None without) and its precision."""
    from accelerate import PartialState

    from blindspots.artifacts.inputs import Source
    from blindspots.evaluation.people import predict_labels, score_people
    from blindspots.evaluation.prediction import predict_test_sets
    from blindspots.evaluation.scoring import score
    from blindspots.modeling.classifier import load_for_evaluation
    from blindspots.modeling.precision import base_precision

    saved = Source(recipe.output_dir, folder.staging, None, "model")
    classifier = load_for_evaluation(saved, base_precision(model_config), template, labels=labels)
    evaluated = {"evaluated": classifier.precision} if tests or people is not None else {}
    if recipe.text_columns:
        results = {"labels": list(labels)}
        if people is not None:
            predict_labels(classifier, people, recipe.eval_batch_tokens, folder.staging)
            PartialState().wait_for_everyone()
            results |= {"people": score_people(folder.staging)} if is_main_process() else {}
        return results, evaluated
    predict_test_sets(classifier, recipe, tests, folder.staging)
    PartialState().wait_for_everyone()  # the first process moves the folder, which others may still be reading
    return score(folder.staging) if tests and is_main_process() else None, evaluated


def main() -> None:
    recipe, training_keys, model_keys = parse_recipe(TaskRecipe, "TrainingArguments", "ModelConfig")
    if model_keys.get("model_name_or_path") is None:
        raise RecipeError("model_name_or_path is required: the model to tune.")
    check(recipe)
    if recipe.estimate:
        return estimate_run(recipe, training_keys, model_keys)
    from accelerate.utils.memory import clear_device_cache
    from transformers import TrainingArguments

    from blindspots.artifacts.folder import (
        only_to_push,
        output_folder,
        resolved_recipe,
        resume_or_clear,
        save_artifact,
    )
    from blindspots.artifacts.inputs import fetch
    from blindspots.artifacts.push import check_push, push_if_asked
    from blindspots.data.test_set_rows import test_set_sources
    from blindspots.evaluation.people import require_fitting
    from blindspots.evaluation.prediction import rehearse
    from blindspots.modeling.adapters import read_model_config
    from blindspots.modeling.input_form import input_record
    from blindspots.training import run
    from blindspots.training.batches import divide_batch
    from blindspots.training.out_of_memory import memory_errors_in_words

    artifact_type = "text_classifier" if recipe.text_columns else "task_model"
    check_push(recipe, artifact_type)
    resolved = resolved_recipe(recipe, training_keys, model_keys)
    recipe, training_keys = divide_batch(recipe, training_keys)
    model_config = read_model_config(model_keys)
    with output_folder(recipe, artifact_type, model_keys) as folder, memory_errors_in_words():
        training = run.training_arguments(TrainingArguments, recipe, training_keys, folder.checkpoints, model_config)
        start = fetch(model_config.model_name_or_path, "model", model_keys.get("model_revision"))
        parents = {"start": start, **run.training_sources(recipe), **test_set_sources(recipe)}
        if only_to_push(folder, resolved, parents):
            return push_if_asked(recipe)
        resume_or_clear(folder, resolved, parents)
        tests, pairs, people, left_out = load_data(recipe, parents)
        if pairs[0] is None:
            run.stop_sharded_loading()

        def load(recipe, training):
            classifier, trainer, row_counts = load_trainer(recipe, training, model_config, start, pairs)
            rehearse(classifier, tests, with_model=not run.is_sharded(trainer))
            if people is not None:
                require_fitting(classifier, people["text"][:])
            return classifier, trainer, row_counts

        classifier, trainer, row_counts = run.train(load, recipe, training_keys, training, folder, model_config)
        run.save_model(trainer, folder, classifier.tokenizer)
        run.stop_sharded_loading()
        precision, training_record = run.training_precision(trainer), run.training_record(trainer)
        template, form = classifier.template, input_record(classifier.template, classifier.label2id)
        trainer.accelerator.free_memory()
        labels = classifier.labels
        del classifier, trainer
        clear_device_cache(garbage_collection=True)  # evaluation loads another model
        results, evaluated = evaluate(recipe, model_config, tests, people, folder, template, labels)
        if is_main_process():
            row_counts |= left_out | {name: len(test) for name, test in tests.items()}
            row_counts |= {} if people is None else {"people": len(people)}
            facts = {"precision": precision | evaluated, "training": training_record}
            facts |= {} if recipe.text_columns else form
            save_artifact(folder, resolved, parents, row_counts, results, facts)
            push_if_asked(recipe)


if __name__ == "__main__":
    run_script(main)
