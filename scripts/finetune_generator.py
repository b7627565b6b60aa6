"""Tune a generator G on labelled premise/hypothesis pairs as a causal language model.

accelerate launch scripts/finetune_generator.py recipes/smollm2-135m/generator.yaml
"""

from blindspots.errors import run_script
from blindspots.parsing import parse_recipe
from blindspots.recipes import GeneratorRecipe


def generator_rows(pairs, loss_on: str):
    """As SFTTrainer takes them: `text` (loss over all), or `prompt` and `completion` (loss over the latter)."""
    from blindspots.nli import LABELS, generator_completion, generator_prompt

    def write(row):
        prompt = generator_prompt(LABELS[row["label"]])
        completion = generator_completion(row["premise"], row["hypothesis"])
        return {"text": prompt + completion} if loss_on == "text" else {"prompt": prompt, "completion": completion}

    return pairs.map(write, remove_columns=pairs.column_names, desc="write examples")


def dry_run(recipe, training_keys, model_keys) -> None:
    """Print memory and hours of the run, without the model's weights."""
    from trl import SFTConfig

    from blindspots import dry_run
    from blindspots.training import training_arguments, training_pairs, training_sources

    training = training_arguments(SFTConfig, recipe, training_keys, "unused")
    train, _ = training_pairs(recipe, training_sources(recipe))
    texts = ["".join(example.values()) for example in generator_rows(train, recipe.loss_on)]
    dry_run.dry_run(recipe, training, model_keys, texts, task=False)


def tune(recipe, training_keys, model_keys, folder, resolved) -> None:
    """Load, train, save and publish one generator."""
    from transformers import AutoModelForCausalLM
    from trl import ModelConfig, SFTConfig, get_peft_config

    from blindspots.artifacts import publish, resume_or_clear
    from blindspots.batching import GeneratorTrainer
    from blindspots.classifier import load_tokenizer, name_the_base, quantization
    from blindspots.dry_run import Plan, require_fit
    from blindspots.sources import fetch
    from blindspots.training import (
        train_and_save,
        training_arguments,
        training_pairs,
        training_sources,
        within_length,
    )

    training = training_arguments(SFTConfig, recipe, training_keys, folder.checkpoints)
    model_config = ModelConfig(**model_keys)
    base = fetch(model_config.model_name_or_path, "model", model_keys.get("model_revision"))
    parents = {"base": base, **training_sources(recipe)}
    resume_or_clear(folder, resolved, parents)
    train, dev = training_pairs(recipe, parents)

    tokenizer = load_tokenizer(base.path)
    model = AutoModelForCausalLM.from_pretrained(
        base.path,
        dtype=model_config.dtype,
        attn_implementation=model_config.attn_implementation,
        quantization_config=quantization(model_config),
    )
    examples, row_counts = generator_rows(train, recipe.loss_on), {}
    texts = ["".join(example.values()) for example in examples]
    lengths = [len(ids) + 1 for ids in tokenizer(texts)["input_ids"]]  # SFTTrainer adds the eos token
    require_fit(Plan.of(model_config, task=False, folder=base.path), recipe, training, lengths)
    peft_config = get_peft_config(model_config)
    if peft_config is not None:
        peft_config.revision = base.revision
    trainer = GeneratorTrainer(
        name_the_base(model, base),
        training,
        train_dataset=within_length(examples, lengths, training.max_length, row_counts),
        eval_dataset=generator_rows(dev, recipe.loss_on) if dev is not None else None,
        processing_class=tokenizer,
        peft_config=peft_config,
        tokens_per_batch=recipe.tokens_per_batch,
    )
    train_and_save(trainer, folder, tokenizer)
    if training.process_index == 0:
        publish(folder, resolved, parents, row_counts)


def main() -> None:
    recipe, training_keys, model_keys = parse_recipe(GeneratorRecipe, "SFTConfig", "ModelConfig")
    if recipe.dry_run:
        return dry_run(recipe, training_keys, model_keys)
    from blindspots.artifacts import output_folder, resolved_recipe
    from blindspots.memory import within_memory

    resolved = resolved_recipe(recipe, training_keys, model_keys)
    with output_folder(recipe, "generator") as folder:
        within_memory(recipe, training_keys, lambda *batch: tune(*batch, model_keys, folder, resolved))


if __name__ == "__main__":
    run_script(main)
