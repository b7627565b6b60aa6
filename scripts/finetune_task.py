"""Tune a task model T from a base model, or a start T further on an augmentation set.

accelerate launch scripts/finetune_task.py recipes/smollm2-135m/augment.yaml --learning_rate 1e-5
"""

from blindspots.errors import run_script
from blindspots.parsing import parse_recipe
from blindspots.recipes import TaskRecipe


def task_rows(pairs, classifier):
    """Token ids and the label id of the model's own head, for a Dataset of PAIR_FEATURES."""
    from blindspots.nli import LABELS, task_input

    def encode(rows):
        texts = [task_input(premise, hypothesis) for premise, hypothesis in zip(rows["premise"], rows["hypothesis"])]
        labels = [classifier.label2id[LABELS[label]] for label in rows["label"]]
        return {**classifier.tokenizer(texts), "labels": labels}

    return pairs.map(encode, batched=True, remove_columns=pairs.column_names, desc="tokenise")


def dry_run(recipe, training_keys, model_keys) -> None:
    """Print memory and hours of the run, without the model's weights."""
    from transformers import TrainingArguments

    from blindspots import dry_run
    from blindspots.nli import task_input
    from blindspots.training import training_arguments, training_pairs, training_sources

    training = training_arguments(TrainingArguments, recipe, training_keys, "unused")
    train, _ = training_pairs(recipe, training_sources(recipe))
    texts = [task_input(premise, hypothesis) for premise, hypothesis in zip(train["premise"], train["hypothesis"])]
    dry_run.dry_run(recipe, training, model_keys, texts, task=True)


def tune(recipe, training_keys, model_keys, folder, resolved) -> None:
    """Load, train, save, evaluate and publish one model."""
    from transformers import DataCollatorWithPadding, TrainingArguments
    from trl import ModelConfig

    from blindspots.artifacts import publish, resume_or_clear
    from blindspots.batching import TaskTrainer
    from blindspots.classifier import load_classifier
    from blindspots.dry_run import Plan, require_fit
    from blindspots.prediction import load_test_sets, predict_test_sets, score, test_set_sources
    from blindspots.sources import Source, fetch
    from blindspots.training import (
        stop_sharded_loading,
        train_and_save,
        training_arguments,
        training_pairs,
        training_sources,
        within_length,
    )

    training = training_arguments(TrainingArguments, recipe, training_keys, folder.checkpoints)
    model_config = ModelConfig(**model_keys)
    start = fetch(model_config.model_name_or_path, "model", model_keys.get("model_revision"))
    parents = {"start": start, **training_sources(recipe), **test_set_sources(recipe)}
    resume_or_clear(folder, resolved, parents)
    tests = load_test_sets(recipe, parents)
    train, dev = training_pairs(recipe, parents)

    if train is None:
        stop_sharded_loading()
    classifier = load_classifier(start, model_config, training.seed)
    train, dev = (rows and task_rows(rows, classifier) for rows in (train, dev))
    row_counts = {"trained on": 0}
    if train is not None:
        lengths = [len(ids) for ids in train["input_ids"]]
        train = within_length(train, lengths, recipe.max_length, row_counts)
        plan = Plan.of(model_config, task=True, folder=start.path)
        require_fit(plan, recipe, training, [len(ids) for ids in train["input_ids"]])
    trainer = TaskTrainer(
        classifier.model,
        training,
        train_dataset=train,
        eval_dataset=dev,
        data_collator=DataCollatorWithPadding(classifier.tokenizer),
        tokens_per_batch=recipe.tokens_per_batch,
    )
    train_and_save(trainer, folder, classifier.tokenizer)

    stop_sharded_loading()
    saved = Source(recipe.output_dir, folder.staging, None, "model")
    predict_test_sets(load_classifier(saved, ModelConfig(dtype="auto")), recipe, tests, folder.staging)
    if training.process_index == 0:
        results = score(folder.staging) if tests else None
        row_counts |= {name: len(test) for name, test in tests.items()}
        publish(folder, resolved, parents, row_counts, results)


def main() -> None:
    recipe, training_keys, model_keys = parse_recipe(TaskRecipe, "TrainingArguments", "ModelConfig")
    if recipe.dry_run:
        return dry_run(recipe, training_keys, model_keys)
    from blindspots.artifacts import output_folder, resolved_recipe
    from blindspots.memory import within_memory

    resolved = resolved_recipe(recipe, training_keys, model_keys)
    with output_folder(recipe, "task_model") as folder:
        within_memory(recipe, training_keys, lambda *batch: tune(*batch, model_keys, folder, resolved))


if __name__ == "__main__":
    run_script(main)
