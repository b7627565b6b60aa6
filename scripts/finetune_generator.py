"""Tune a generator G on labelled premise/hypothesis pairs, or on instructions, as a causal language model.

accelerate launch scripts/finetune_generator.py recipes/smollm2-135m/generator.yaml
"""

from blindspots.config.errors import RecipeError
from blindspots.config.parser import parse_recipe
from blindspots.config.processes import is_main_process, run_script
from blindspots.config.recipes import GeneratorRecipe


def estimate_run(recipe, training_keys, model_keys) -> None:
    """Print memory and hours of the run, without the model's weights."""
    from trl import SFTConfig

    from blindspots.data.examples import generator_examples, generator_texts
    from blindspots.training.batches import divide_batch
    from blindspots.training.estimate import print_estimate
    from blindspots.training.run import training_arguments, training_pairs, training_sources

    recipe, training_keys = divide_batch(recipe, training_keys)
    training = training_arguments(SFTConfig, recipe, training_keys, "unused")
    train, _ = training_pairs(recipe, training_sources(recipe))
    texts = generator_texts(generator_examples(train, recipe.loss_on))
    print_estimate(recipe, training, model_keys, texts, task=False)


def load_trainer(recipe, training, model_config, base, pairs):
    """The base model with its tokenizer, the trainer around it, and how many rows it trains on."""
    from blindspots.data.examples import generator_examples, generator_texts
    from blindspots.modeling.generators import (
        generation_config,
        load_base,
        prompt_ids,
        require_generator_positions,
        require_generator_tokenizer,
        sampling_config,
    )
    from blindspots.modeling.loading import load_tokenizer, require_embeddings, use_eos_token
    from blindspots.training.engines import require_autocast
    from blindspots.training.estimate import Plan, require_fit
    from blindspots.training.run import within_length
    from blindspots.training.trainers import GeneratorTrainer

    tokenizer = load_tokenizer(base)
    use_eos_token(tokenizer, training.eos_token, base.name)
    model = load_base(base, model_config, training.seed, float32=not recipe.as_published)
    require_embeddings(model, tokenizer, base.name)
    require_autocast(model, training)
    require_generator_tokenizer(tokenizer, base.name)
    row_counts = {}

    def examples(rows, of_dev=False):
        rows = generator_examples(rows, recipe.loss_on)
        lengths = [len(ids) + 1 for ids in tokenizer(generator_texts(rows))["input_ids"]]  # SFTTrainer adds eos
        return within_length(rows, lengths, training.max_length, row_counts, of_dev), lengths

    train, lengths = examples(pairs[0])
    dev = examples(pairs[1], of_dev=True)[0] if pairs[1] else None
    longest = training.max_length or max(lengths)
    if recipe.prompts:
        prompts = [len(prompt_ids(tokenizer, prompt)) for prompt in pairs[0]["prompt"]]
        answers = [length - start for start, length in zip(prompts, lengths) if length <= longest]
        model.generation_config = sampling_config(tokenizer, max(answers))
    else:
        trained = [(label, length) for label, length in zip(pairs[0]["label"], lengths) if length <= longest]
        model.generation_config = generation_config(tokenizer, trained)
    lengths = [length for length in lengths if length <= longest]
    require_generator_positions(model, max(lengths), "The longest training row")
    require_fit(Plan.of(model_config, task=False, folder=base.path), recipe, training, lengths)
    trainer = GeneratorTrainer(
        model,
        training,
        train_dataset=train,
        eval_dataset=dev,
        processing_class=tokenizer,
        as_published=recipe.as_published,
        tokens_per_batch=recipe.tokens_per_batch,
        share_prefix=recipe.share_prefix,
    )
    return tokenizer, trainer, row_counts


def evaluate(recipe, model_config, people, folder):
    """Reopen the saved generator, and return how it does on people's answers (None without) and its precision."""
    from blindspots.artifacts.inputs import Source
    from blindspots.evaluation.references import predict_references
    from blindspots.modeling.generators import load_generator
    from blindspots.modeling.loading import load_tokenizer
    from blindspots.modeling.precision import base_precision, held_in

    if people is None or not is_main_process():
        return None, {}
    saved = Source(recipe.output_dir, folder.staging, None, "model")
    model = load_generator(saved, "float32", base_precision(model_config))  # it has no lineage yet
    results = predict_references(model, load_tokenizer(saved), people, recipe, folder.staging)
    return {"people": results}, {"evaluated": held_in(model)}


def main() -> None:
    recipe, training_keys, model_keys = parse_recipe(GeneratorRecipe, "SFTConfig", "ModelConfig")
    if model_keys.get("model_name_or_path") is None:
        raise RecipeError("model_name_or_path is required: the model to tune.")
    if recipe.people and not recipe.prompts:
        raise RecipeError("people has no effect without prompts: true.")
    if recipe.estimate:
        return estimate_run(recipe, training_keys, model_keys)
    from accelerate.utils.memory import clear_device_cache
    from trl import SFTConfig

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
    from blindspots.data.people_rows import TEST, prompted_texts
    from blindspots.evaluation.references import require_answerable
    from blindspots.modeling.adapters import read_model_config
    from blindspots.training import run
    from blindspots.training.batches import divide_batch
    from blindspots.training.out_of_memory import memory_errors_in_words

    artifact_type = "instruction_model" if recipe.prompts else "generator"
    check_push(recipe, artifact_type)
    resolved = resolved_recipe(recipe, training_keys, model_keys)
    recipe, training_keys = divide_batch(recipe, training_keys)
    model_config = read_model_config(model_keys)
    with output_folder(recipe, artifact_type, model_keys) as folder, memory_errors_in_words():
        training = run.training_arguments(SFTConfig, recipe, training_keys, folder.checkpoints, model_config)
        base = fetch(model_config.model_name_or_path, "model", model_keys.get("model_revision"))
        parents = {"base": base, **run.training_sources(recipe)}
        if only_to_push(folder, resolved, parents):
            return push_if_asked(recipe)
        resume_or_clear(folder, resolved, parents)
        left_out = {}
        pairs, people = run.training_pairs(recipe, parents, left_out), None
        if recipe.people:
            people = prompted_texts(read_split(parents["people"], TEST, TEST), parents["people"].name)

        def load(recipe, training):
            tokenizer, trainer, row_counts = load_trainer(recipe, training, model_config, base, pairs)
            if people is not None:
                require_answerable(trainer.model, tokenizer, people, recipe.answer_tokens)
            return tokenizer, trainer, row_counts

        tokenizer, trainer, row_counts = run.train(load, recipe, training_keys, training, folder, model_config)
        run.save_model(trainer, folder, tokenizer)
        if is_main_process():
            trainer.model.generation_config.save_pretrained(folder.staging)  # an adapter is saved without it
        facts = {"precision": run.training_precision(trainer), "training": run.training_record(trainer)}
        if people is not None:
            run.stop_sharded_loading()
            trainer.accelerator.free_memory()
            del trainer
            clear_device_cache(garbage_collection=True)  # evaluation loads another model
        results, evaluated = evaluate(recipe, model_config, people, folder)
        if is_main_process():
            facts["precision"] |= evaluated
            row_counts |= left_out | ({} if people is None else {"people": len(people)})
            save_artifact(folder, resolved, parents, row_counts, results, facts)
            push_if_asked(recipe)


if __name__ == "__main__":
    run_script(main)
