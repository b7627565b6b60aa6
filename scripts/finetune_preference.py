"""Tune a reward model on texts that people or a model chose and rejected, and test it on people's choices.

accelerate launch scripts/finetune_preference.py recipes/sources/trained/smollm2-135m-preference.yaml
"""

import dataclasses

from blindspots.config.errors import RecipeError
from blindspots.config.parser import parse_recipe
from blindspots.config.processes import is_main_process, run_script
from blindspots.config.recipes import PreferenceRecipe

# Keys of the other training scripts that RewardTrainer has nothing for.
NOT_HERE = (
    "dev_dataset dev_revision tokens_per_batch as_published share_prefix smaller_batches estimate estimate_tflops "
    "estimate_gpu_gib"
).split()


def check(recipe: PreferenceRecipe, model_keys: dict) -> None:
    """Raise RecipeError for a missing model and for keys without effect."""
    if model_keys.get("model_name_or_path") is None:
        raise RecipeError("model_name_or_path is required: the model to tune.")
    defaults = {field.name: field.default for field in dataclasses.fields(recipe)}
    for name in NOT_HERE:
        if getattr(recipe, name) != defaults[name]:
            raise RecipeError(f"{name} has no effect on a reward model; leave it out.")


def load_trainer(recipe, training, model_config, start, rows):
    """The start with its tokenizer, the trainer around it, and how many rows it trains on."""
    from blindspots.evaluation.people import REWARD, reward_texts
    from blindspots.modeling.classifier import load_classifier
    from blindspots.modeling.loading import use_eos_token
    from blindspots.modeling.precision import require_precision_of_start
    from blindspots.training.engines import require_autocast
    from blindspots.training.run import within_length
    from blindspots.training.trainers import PreferenceTrainer

    require_precision_of_start(start, model_config)
    classifier = load_classifier(start, model_config, training.seed, True, template=None, labels=REWARD)
    require_autocast(classifier.model, training)
    tokenizer, row_counts = classifier.tokenizer, {}
    use_eos_token(tokenizer, training.eos_token, start.name)
    if tokenizer.eos_token is None:
        raise RecipeError(f"The tokenizer of {start.name} has no eos token, which ends each text; set eos_token.")
    sides = [tokenizer(reward_texts(rows, side, tokenizer.eos_token))["input_ids"] for side in ("chosen", "rejected")]
    lengths = [max(map(len, pair)) for pair in zip(*sides)]
    train = within_length(rows, lengths, training.max_length, row_counts)
    trainer = PreferenceTrainer(classifier.model, training, train_dataset=train, processing_class=tokenizer)
    return classifier, trainer, row_counts


def evaluate(recipe, model_config, people, folder):
    """Reopen the saved model, score both texts of every pair, and return accuracy against people and its precision."""
    from accelerate import PartialState

    from blindspots.artifacts.inputs import Source
    from blindspots.evaluation.people import REWARD, predict_choices, score_people
    from blindspots.modeling.classifier import load_for_evaluation
    from blindspots.modeling.precision import base_precision

    saved = Source(recipe.output_dir, folder.staging, None, "model")
    classifier = load_for_evaluation(saved, base_precision(model_config), None, labels=REWARD)
    PartialState().wait_for_everyone()  # the first process moves the folder, which others may still be reading
    if people is None:
        return None, {}
    predict_choices(classifier, people, recipe.eval_batch_tokens, folder.staging)
    results = {"people": score_people(folder.staging)} if is_main_process() else None
    return results, {"evaluated": classifier.precision}


def main() -> None:
    recipe, training_keys, model_keys = parse_recipe(PreferenceRecipe, "RewardConfig", "ModelConfig")
    check(recipe, model_keys)
    from accelerate.utils.memory import clear_device_cache
    from trl import RewardConfig

    from blindspots.artifacts.folder import (
        only_to_push,
        output_folder,
        resolved_recipe,
        resume_or_clear,
        save_artifact,
    )
    from blindspots.artifacts.inputs import fetch
    from blindspots.artifacts.push import check_push, push_if_asked
    from blindspots.data.nli_datasets import read_split
    from blindspots.data.people_rows import chosen_texts
    from blindspots.evaluation.people import read_decided, require_fitting, reward_texts
    from blindspots.modeling.adapters import read_model_config
    from blindspots.training import run
    from blindspots.training.batches import divide_batch
    from blindspots.training.checkpoints import last_checkpoint
    from blindspots.training.out_of_memory import memory_errors_in_words

    check_push(recipe, "reward_model")
    resolved = resolved_recipe(recipe, training_keys, model_keys)
    recipe, training_keys = divide_batch(recipe, training_keys)
    model_config = read_model_config(model_keys)
    with output_folder(recipe, "reward_model", model_keys) as folder, memory_errors_in_words():
        training = run.training_arguments(RewardConfig, recipe, training_keys, folder.checkpoints, model_config)
        start = fetch(model_config.model_name_or_path, "model", model_keys.get("model_revision"))
        parents = {"start": start, **run.training_sources(recipe)}
        if only_to_push(folder, resolved, parents):
            return push_if_asked(recipe)
        resume_or_clear(folder, resolved, parents)
        rows = chosen_texts(read_split(parents["train"], "train", recipe.train_config), parents["train"].name)
        people = read_decided(parents["people"]) if recipe.people else None
        classifier, trainer, row_counts = load_trainer(recipe, training, model_config, start, rows)
        if people is not None:
            for column in ("text_1", "text_2"):
                require_fitting(classifier, reward_texts(people, column, classifier.tokenizer.eos_token))
        trainer.train(resume_from_checkpoint=last_checkpoint(folder))
        run.save_model(trainer, folder, classifier.tokenizer)
        run.stop_sharded_loading()
        facts = {"precision": run.training_precision(trainer)}
        trainer.accelerator.free_memory()
        del classifier, trainer
        clear_device_cache(garbage_collection=True)  # evaluation loads another model
        results, evaluated = evaluate(recipe, model_config, people, folder)
        if is_main_process():
            row_counts |= {} if people is None else {"people": len(people)}
            facts["precision"] |= evaluated
            save_artifact(folder, resolved, parents, row_counts, results, facts)
            push_if_asked(recipe)


if __name__ == "__main__":
    run_script(main)
