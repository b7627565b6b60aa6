"""What the training scripts do around their Trainer."""

from collections.abc import Callable, Sized
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import torch
from accelerate.utils import disable_fsdp_ram_efficient_loading
from datasets import Dataset
from transformers import PreTrainedTokenizerBase, TrainingArguments
from transformers.integrations.deepspeed import unset_hf_deepspeed_config
from trl import ModelConfig

from blindspots.artifacts.folder import OutputFolder
from blindspots.artifacts.inputs import Source, fetch
from blindspots.config.errors import RecipeError, UserError
from blindspots.config.recipes import GeneratorRecipe, PreferenceRecipe, TaskRecipe, TrainingDataKeys
from blindspots.config.refused_keys import tracker
from blindspots.data.nli_datasets import nli_pairs, read_split
from blindspots.data.people_rows import labelled_texts, prompted_texts
from blindspots.data.row_ids import note
from blindspots.modeling.loading import check_saved_weights
from blindspots.modeling.precision import held_in, trained_dtype
from blindspots.training.checkpoints import last_checkpoint
from blindspots.training.engines import autocast_dtype, let_recipe_decide_precision, prepare_engine
from blindspots.training.optimisation import check_optimisation
from blindspots.training.out_of_memory import smaller_batches
from blindspots.training.trainers import GeneratorTrainer, TaskTrainer

Arguments = TypeVar("Arguments", bound=TrainingArguments)
Loaded = TypeVar("Loaded", bound=tuple)


def training_arguments(
    arguments_class: type[Arguments],
    recipe: TrainingDataKeys,
    keys: dict[str, Any],
    folder: Path,
    model_config: ModelConfig | None = None,
) -> Arguments:
    """The library's arguments of a training run, with its checkpoints in `folder`.

    Args:
        keys: training keys of the recipe; see `batches.divide_batch`.
        model_config: of a model that is to be loaded next, for which the engine is made ready.

    Raises RecipeError for keys that exclude each other, for keys that this machine does not have the device or package
    for, for several GPUs in one process, for an optimiser or schedule that can't be made or ignores one of its keys,
    for a batch that can't be divided by the processes, for what the engine can't do, and for rows that are needed and
    not named.
    """
    if recipe.train_dataset is None and (recipe.estimate or isinstance(recipe, GeneratorRecipe | PreferenceRecipe)):
        raise RecipeError("train_dataset is needed: there is nothing to train on.")
    if recipe.estimate:  # the run is to be on another machine
        keys = keys | {"use_cpu": True}
    elif keys.get("use_cpu") or not torch.accelerator.is_available():
        _require_no_accelerator(keys)
    let_recipe_decide_precision()
    keys = keys | {"report_to": tracker(keys.get("report_to", "none"))}
    try:
        training = arguments_class(output_dir=str(folder), **keys, logging_nan_inf_filter=False)
    except (TypeError, ValueError) as error:
        raise RecipeError(f"The training keys contradict each other or do not fit this machine: {error}") from None
    if training.n_gpu > 1:
        raise RecipeError(
            f"One process sees {training.n_gpu} GPUs and would split each batch over them (nn.DataParallel). Start it "
            "by python scripts/launch.py --gpus N, which gives each of N processes a GPU of its own."
        )
    if recipe.train_dataset is not None and not recipe.estimate:
        check_optimisation(training, keys)
    batch, processes = training.per_device_train_batch_size, training.world_size
    if training.accelerator_config.dispatch_batches and processes > 1:
        raise RecipeError(
            "accelerator_config: dispatch_batches would fill the last batches of an epoch with rows that it has had; "
            "leave it out."
        )
    if training.accelerator_config.split_batches and batch % processes:
        raise RecipeError(
            f"split_batches spreads a batch of {batch} rows over the processes, and {processes} do not divide it; "
            "change per_device_train_batch_size or --num_processes."
        )
    if model_config is not None:
        prepare_engine(training, recipe, model_config)
    return training


def _require_no_accelerator(keys: dict[str, Any]) -> None:
    """Raise RecipeError where a key needs what this run does not have."""
    for name in ("fp16", "activation_offloading"):
        if keys.get(name):
            raise RecipeError(f"{name} needs an accelerator, and this run has none; leave it out.")
    for name in ("activation_checkpointing_kwargs", "gradient_checkpointing_kwargs"):
        if (keys.get(name) or {}).get("offload"):
            raise RecipeError(f"offload in {name} needs an accelerator, and this run has none; leave it out.")


def training_sources(recipe: TrainingDataKeys) -> dict[str, Source]:
    """The datasets that a recipe trains on, watches, and tests on as people's: `train`, `dev` and `people`."""
    named = {
        "train": (recipe.train_dataset, recipe.train_revision),
        "dev": (recipe.dev_dataset, recipe.dev_revision),
        "people": (recipe.people, recipe.people_revision),
    }
    return {role: fetch(name, "dataset", revision) for role, (name, revision) in named.items() if name}


def training_pairs(
    recipe: TrainingDataKeys, sources: dict[str, Source], row_counts: dict[str, Any] | None = None
) -> tuple[Dataset | None, Dataset | None]:
    """Checked train and dev pairs (PAIR_FEATURES), None where the recipe names none.

    With text_columns they are labelled texts, with prompts prompted ones.

    Args:
        row_counts: gets the number of train rows that are left out since they have no label.

    Raises UserError where there is no row with a label.
    """
    train = dev = None
    read = nli_pairs
    if isinstance(recipe, TaskRecipe) and recipe.text_columns:
        read = partial(labelled_texts, columns=recipe.text_columns)
    elif isinstance(recipe, GeneratorRecipe) and recipe.prompts:
        read = prompted_texts
    if "train" in sources:
        rows = read_split(sources["train"], "train", recipe.train_config)
        counted = {"row_counts": row_counts} if read is nli_pairs else {}
        train = read(rows, where=sources["train"].name, **counted)
    if "dev" in sources:
        dev = read(read_split(sources["dev"], "validation"), where=sources["dev"].name)
    for role, pairs in (("train", train), ("dev", dev)):
        if pairs is not None and not len(pairs):
            raise UserError(f"{sources[role].name} has no rows with a label; name another {role}_dataset.")
    return train, dev


def within_length(
    rows: Dataset, lengths: list[int], max_length: int | None, row_counts: dict[str, Any], of_dev: bool = False
) -> Dataset:
    """Leave out rows of more than `max_length` tokens, and say how many; nothing is ever cut.

    Args:
        row_counts: gets the rows that are kept and left out.
        of_dev: whether these are the rows of dev_dataset.

    Raises UserError where no row is left.
    """
    kept = [row for row, length in enumerate(lengths) if max_length is None or length <= max_length]
    require_rows(kept, max_length, of_dev)
    used, too_long = ("dev", "dev too long") if of_dev else ("trained on", "too long")
    row_counts |= {used: len(kept), too_long: len(rows) - len(kept)}
    if len(kept) < len(rows):
        what = "dev rows" if of_dev else "rows"
        print(f"{len(rows) - len(kept)} of {len(rows)} {what} are longer than {max_length} tokens and are left out.")
        return rows.select(kept)
    return rows


def is_sharded(trainer: TaskTrainer | GeneratorTrainer) -> bool:
    """Whether the processes hold parts of the model, which then can only be called by the training engine."""
    return trainer.is_deepspeed_enabled or trainer.is_fsdp_enabled


def require_rows(kept: Sized, max_length: int | None, of_dev: bool = False) -> None:
    """Raise UserError where nothing is left of the rows of at most `max_length` tokens."""
    if not len(kept):
        what, use = ("dev row", "evaluate") if of_dev else ("row", "train on")
        raise UserError(
            f"Every {what} is longer than {max_length} tokens, so there is none to {use}; raise max_length."
        )


def stop_sharded_loading() -> None:
    """From here on every process loads whole models; ZeRO-3 and FSDP spread each one over the processes."""
    unset_hf_deepspeed_config()
    disable_fsdp_ram_efficient_loading()


def train(
    load: Callable[[TrainingDataKeys, Arguments], Loaded],
    recipe: TrainingDataKeys,
    keys: dict[str, Any],
    training: Arguments,
    folder: OutputFolder,
    model_config: ModelConfig,
) -> Loaded:
    """What `load` gives, its trainer trained from the last checkpoint on; one without rows stays as it is.

    Where the device has too little memory and the recipe allows it, all is loaded again, and batches are computed in
    more pieces.

    Args:
        load: from recipe and arguments to the model or tokenizer, the trainer, and what else the script needs.
        keys, training, model_config: see `training_arguments`.
    """
    pieces = 1
    while True:
        loaded = load(recipe, training)
        trainer = loaded[1]
        if trainer.train_dataset is None:
            note("There is no train_dataset: the model is saved as it was loaded, untrained.")
            return loaded
        trainer.pieces = pieces
        print_plan(trainer)
        try:
            trainer.train(resume_from_checkpoint=last_checkpoint(folder))
            return loaded
        except RuntimeError as error:
            del loaded, trainer
            pieces = smaller_batches(error, recipe, training, pieces)
            training = training_arguments(type(training), recipe, keys, folder.checkpoints, model_config)


def print_plan(trainer: TaskTrainer | GeneratorTrainer) -> None:
    """A line on the rows and batches of a run, one on whether shared tokens are computed once, and a hint."""
    arguments = trainer.args
    if not trainer.is_world_process_zero():
        return
    rows = arguments.train_batch_size * arguments.gradient_accumulation_steps * arguments.world_size
    size = f"{trainer.tokens_per_batch} tokens per batch" if trainer.tokens_per_batch else f"{rows} rows per step"
    print(f"{len(trainer.train_dataset)} rows, {size} over {arguments.world_size} process(es)")
    if trainer.shares_prefix:
        print("share_prefix: tokens that rows of a batch share are computed once.")
    elif trainer.no_prefix:
        print(f"share_prefix is off: {trainer.no_prefix}.")
    in_float32 = trainer.model.dtype == torch.float32 and not arguments.bf16
    if arguments.device.type == "cpu" and in_float32 and computes_bf16():
        print("This processor multiplies bfloat16 numbers: bf16: true would train faster, with their rounding.")


def computes_bf16() -> bool:
    """Whether this machine's processor multiplies bfloat16 numbers."""
    found = torch.cpu.get_capabilities()
    return any(found.get(name, False) for name in ("avx512_bf16", "amx_bf16"))


def training_record(trainer: TaskTrainer | GeneratorTrainer) -> dict[str, Any]:
    """What a lineage says of training beyond the recipe; nothing for a model that was not trained."""
    return {"share_prefix": trainer.shares_prefix} if trainer.train_dataset is not None else {}


def training_precision(trainer: TaskTrainer | GeneratorTrainer) -> dict[str, dict[str, str]]:
    """What a lineage says of the precision of training; nothing for a model that was not trained."""
    if trainer.train_dataset is None:
        return {}
    computed = autocast_dtype(trainer.args)
    precision = held_in(trainer.model) | ({"compute": computed} if computed else {})
    return {"trained": precision | {"weights": trained_dtype(trainer.model)}}


def save_model(
    trainer: TaskTrainer | GeneratorTrainer, folder: OutputFolder, tokenizer: PreTrainedTokenizerBase
) -> None:
    """Stage weights and tokenizer, safetensors only, and check what was written. Every process calls it."""
    _sort_modules(trainer.model)
    if trainer.train_dataset is not None:
        trainer.save_model(str(folder.staging))
    elif trainer.is_world_process_zero():
        trainer.model.save_pretrained(folder.staging)
    trainer.accelerator.wait_for_everyone()
    if trainer.is_world_process_zero():
        tokenizer.save_pretrained(folder.staging)
        Path(folder.staging, "training_args.bin").unlink(missing_ok=True)
        Path(folder.staging, "README.md").unlink(missing_ok=True)
        check_saved_weights(folder.staging)
    trainer.accelerator.wait_for_everyone()


def _sort_modules(model: torch.nn.Module) -> None:
    """Sort the sets of an adapter's config, which PEFT would write in another order in each process."""
    for config in getattr(model, "peft_config", {}).values():
        for key, value in vars(config).items():
            if isinstance(value, set):
                setattr(config, key, sorted(value))
