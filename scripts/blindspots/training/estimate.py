"""What a training run needs before it starts: memory per device, hours, and the largest batch that fits.

The whole model is built on the meta device to count its weights; one forward and backward pass of its first layer,
and of its first two, on tensors without storage counts operations and the bytes that are kept for the backward pass.
"""

import copy
import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import yaml
from peft import PeftConfig, TaskType, get_peft_model
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.autograd.graph import saved_tensors_hooks
from torch.nn.functional import cross_entropy
from torch.utils.flop_counter import FlopCounterMode
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    PretrainedConfig,
    TrainingArguments,
)
from trl import ModelConfig, get_peft_config

from blindspots.artifacts.files import markdown_table
from blindspots.artifacts.inputs import Source, fetch
from blindspots.config.errors import UserError, one_line
from blindspots.config.paths import ACCELERATE_CONFIGS
from blindspots.config.processes import engine
from blindspots.config.recipes import TrainingDataKeys
from blindspots.data.examples import TaskInputs, encode
from blindspots.data.length_batches import length_batches
from blindspots.data.nli import LABELS
from blindspots.modeling.adapters import add_adapter, read_model_config
from blindspots.modeling.loading import errors_in_words, load_config, load_tokenizer
from blindspots.training.devices import GIB, REACHED, device_memory, device_rate, sharding, sharding_of
from blindspots.training.engines import autocast_dtype, whole_models
from blindspots.training.run import require_rows

FLOAT32 = 4
# Assumptions: NF4 and its block constants, 8-bit weights, the share that the allocator loses, what the driver takes.
BYTES_4BIT, BYTES_8BIT, FRAGMENTS, DRIVER = 0.5 + 4 / 64, 1.0, 1.1, 1 * GIB


@dataclasses.dataclass(frozen=True)
class Footprint:
    """Sizes of a training run: counts, bytes of the whole model, and bytes and operations per (padded) token."""

    parameters: int
    trainable: int
    weights: float
    gradients: float
    optimiser: float
    activation_bytes_per_token: float
    operations_per_token: float

    def needed(self, tokens: int, sharding: dict[str, int]) -> float:
        """Bytes on one device for a batch of so many padded tokens."""
        state = sum(getattr(self, part) / sharding[part] for part in ("weights", "gradients", "optimiser"))
        return FRAGMENTS * (state + self.activation_bytes_per_token * tokens) + DRIVER

    def tokens_that_fit(self, memory: float, sharding: dict[str, int]) -> int:
        """Padded tokens of the largest batch in so many bytes of a device; below 1 where not even the model fits."""
        return int((memory - self.needed(0, sharding)) / (FRAGMENTS * self.activation_bytes_per_token))


@dataclasses.dataclass(frozen=True)
class Plan:
    """A model that is to be trained: its config, LoRA, dtype and quantisation, and whether it is a classifier (T)."""

    config: PretrainedConfig
    peft: PeftConfig | None
    model: ModelConfig
    task: bool

    @classmethod
    def of(cls, model: ModelConfig, task: bool, folder: Path) -> "Plan":
        """Read the config in the folder of a checkpoint; for an adapter that of its base, and the adapter's own.

        Raises UserError for a broken one.
        """
        source, peft = Source(str(folder), folder, None, "model"), get_peft_config(model)
        if (folder / "adapter_config.json").is_file():
            with errors_in_words(f"{source.name} can't be loaded"):
                peft = PeftConfig.from_pretrained(folder)
                source = fetch(peft.base_model_name_or_path, "model", peft.revision, weights=False)
                peft.inference_mode = False
        if task and peft is not None:
            peft.task_type = TaskType.SEQ_CLS  # TRL's default is CAUSAL_LM
        return cls(load_config(source), peft, model, task)

    def build(self, dtype: torch.dtype, layers: int):
        """The model on the current device, cut to its first layers."""
        config = copy.deepcopy(self.config)
        config.num_hidden_layers, config.use_cache = layers, False
        if getattr(config, "layer_types", None):
            config.layer_types = config.layer_types[:layers]
        if self.task:
            config.num_labels = len(LABELS)
            config.pad_token_id = 0 if config.pad_token_id is None else config.pad_token_id
        kind = AutoModelForSequenceClassification if self.task else AutoModelForCausalLM
        attention = "sdpa" if kind._model_mapping[type(config)]._supports_sdpa else "eager"
        built = kind.from_config(config, dtype=dtype, attn_implementation=attention)
        if self.peft is None:
            return built
        if self.model.use_peft:
            return add_adapter(built, self.peft, self.model.model_name_or_path)
        return get_peft_model(built, copy.deepcopy(self.peft))  # an adapter that was saved


def footprint(plan: Plan, training: TrainingArguments, length: int) -> Footprint:
    """Measure a model without computing it; operations and activations are counted on a row of `length` tokens."""
    dtype = torch.float32 if plan.model.dtype == "float32" else torch.bfloat16
    layers = plan.config.num_hidden_layers
    with torch.device("meta"):
        whole = plan.build(dtype, layers)
    trainable = sum(p.numel() for p in whole.parameters() if p.requires_grad)
    half = autocast_dtype(training) is not None
    one, two = (_one_step(plan, torch.bfloat16 if half else dtype, count, length) for count in (1, 2))
    layer = {name: two[name] - one[name] for name in one}
    total = {name: one[name] + (layers - 1) * layer[name] for name in one}
    if training.activation_checkpointing:  # a layer keeps its input and is computed once more
        held = length * plan.config.hidden_size * (2 if half or dtype == torch.bfloat16 else 4)
        total["kept"] = one["kept"] + layers * held
        total["backward"] += layers * layer["forward"]
    moments = 2 if "8bit" in str(training.optim) else 0 if "sgd" in str(training.optim) else 8
    return Footprint(
        parameters=sum(p.numel() for p in whole.parameters()),
        trainable=trainable,
        weights=_weight_bytes(whole, plan.model, autocast=half),
        gradients=FLOAT32 * trainable,
        optimiser=moments * trainable,
        activation_bytes_per_token=total["kept"] / length,
        operations_per_token=(total["forward"] + total["backward"]) / length,
    )


def _weight_bytes(whole: torch.nn.Module, model: ModelConfig, autocast: bool) -> float:
    """Bytes of the weights: trained ones in float32, quantised ones where asked for, and autocast's half copies."""
    quantised = BYTES_4BIT if model.load_in_4bit else BYTES_8BIT if model.load_in_8bit else None
    total = 0.0
    for name, parameter in whole.named_parameters():
        linear = parameter.dim() == 2 and "embed" not in name
        if quantised and linear and not parameter.requires_grad and "lm_head" not in name and "score" not in name:
            total += quantised * parameter.numel()
        else:
            size = FLOAT32 if parameter.requires_grad else parameter.element_size()
            total += parameter.numel() * (size + (2 if autocast and linear and size == FLOAT32 else 0))
    return total


def _one_step(plan: Plan, dtype: torch.dtype, layers: int, length: int) -> dict[str, float]:
    """Operations forward and backward, and bytes kept in between, of one row through the first layers."""
    storages = {}
    with torch.device("meta"):
        part = plan.build(dtype, layers)
    with FakeTensorMode(), FlopCounterMode(display=False) as counter:
        _without_storage(part)
        own = {p.untyped_storage()._cdata for p in part.parameters()}

        def keep(tensor):
            storages[tensor.untyped_storage()._cdata] = tensor.untyped_storage()
            return tensor

        ids = torch.ones(1, length, dtype=torch.long)
        with saved_tensors_hooks(keep, lambda tensor: tensor):
            if plan.task:  # as the Trainer computes it; DeBERTa's own loss can't be computed without storage
                loss = cross_entropy(part(input_ids=ids).logits.float(), torch.zeros(1, dtype=torch.long))
            else:
                loss = part(input_ids=ids, labels=ids).loss
        forward = counter.get_total_flops()
        loss.backward()
    kept = sum(storage.nbytes() for key, storage in storages.items() if key not in own)
    return {"forward": forward, "backward": counter.get_total_flops() - forward, "kept": kept}


def _without_storage(module: torch.nn.Module) -> None:
    """Turn tensors of the meta device, which some operations refuse, into CPU tensors without storage, in place."""
    made = {}
    for part in module.modules():
        for tensors in (part._parameters, part._buffers):
            for name, old in tensors.items():
                if old is not None and id(old) not in made:
                    new = torch.empty(old.shape, dtype=old.dtype, device="cpu")
                    if isinstance(old, torch.nn.Parameter):
                        new = torch.nn.Parameter(new, requires_grad=old.requires_grad)
                    made[id(old)] = old, new  # the old one is kept, so that its id is not given twice
                if old is not None:
                    tensors[name] = made[id(old)][1]


def batch_tokens(recipe: TrainingDataKeys, training: TrainingArguments, lengths: Sequence[int]) -> int:
    """Padded tokens of the fullest batch on one device."""
    return recipe.tokens_per_batch or training.per_device_train_batch_size * max(lengths)


def trained_tokens(
    recipe: TrainingDataKeys, training: TrainingArguments, lengths: Sequence[int], devices: int
) -> float:
    """Tokens of the whole run, padding left out: of max_steps where they are given, else of the epochs."""
    if training.max_steps <= 0:
        return sum(lengths) * training.num_train_epochs
    if recipe.tokens_per_batch:
        batches = len(length_batches(lengths, recipe.tokens_per_batch))
    else:
        batches = max(1, len(lengths) / training.per_device_train_batch_size)
    one_batch = recipe.global_batch_size or training.accelerator_config.split_batches  # of all devices together
    in_step = training.gradient_accumulation_steps * (1 if one_batch else devices)
    return training.max_steps * in_step * sum(lengths) / batches


def require_fit(plan: Plan, recipe: TrainingDataKeys, training: TrainingArguments, lengths: Sequence[int]) -> None:
    """Raise UserError where the fullest batch cannot fit on a device here."""
    try:
        with whole_models(training):
            run = footprint(plan, training, max(lengths))
    except Exception as error:  # an architecture that can't be run without storage is still trained
        print(f"The memory of a batch could not be estimated for this model: {one_line(error)}")
        return
    tokens, memory = batch_tokens(recipe, training, lengths), device_memory()
    spread = sharding_of(engine(), training.world_size)
    needed, fits = run.needed(tokens, spread), max(0, run.tokens_that_fit(memory, spread))
    if needed > memory:
        raise UserError(
            f"A batch of {tokens} tokens, padding included, needs about {needed / GIB:.0f} GiB of the device's "
            f"{memory / GIB:.0f}, which hold a batch of {fits} tokens. Lower per_device_train_batch_size or "
            "tokens_per_batch (global_batch_size keeps the step as it is), or set activation_checkpointing."
        )


def print_estimate(
    recipe: TrainingDataKeys,
    training: TrainingArguments,
    model_keys: dict[str, Any],
    texts: TaskInputs,
    task: bool,
) -> None:
    """Print what a run on these texts would take; of the model only config and tokenizer are read.

    Args:
        model_keys: those of ModelConfig that the recipe gives.

    Raises UserError where no row is short enough, where the model can't be built, and where the fullest batch fits
    under no accelerate config.
    """
    model = read_model_config(model_keys)
    source = fetch(model.model_name_or_path, "model", model_keys.get("model_revision"), weights=False)
    tokenizer = load_tokenizer(source)
    extra = 0 if task else 1  # SFTTrainer adds the eos token
    lengths = [len(ids) + extra for ids in encode(tokenizer, texts)["input_ids"]]
    limit = recipe.max_length if task else training.max_length
    lengths = [length for length in lengths if limit is None or length <= limit]
    require_rows(lengths, limit)
    with errors_in_words(f"No estimate can be made for {source.name}"):
        text, fits = report(Plan.of(model, task, source.path), recipe, training, lengths)
    print(text)
    if not fits:
        raise UserError("The fullest batch fits under no accelerate config; lower the batch or take larger devices.")


def report(
    plan: Plan, recipe: TrainingDataKeys, training: TrainingArguments, lengths: Sequence[int]
) -> tuple[str, bool]:
    """Counts, the assumptions and one row per accelerate config; and whether the fullest batch fits under any."""
    mean = sum(lengths) / len(lengths)
    run = footprint(plan, training, round(mean))
    memory = recipe.estimate_gpu_gib * GIB if recipe.estimate_gpu_gib else device_memory()
    rate = recipe.estimate_tflops * 1e12 if recipe.estimate_tflops else device_rate()
    tokens = batch_tokens(recipe, training, lengths)
    lines = table(run, recipe, training, lengths, memory, rate)
    given = "given" if recipe.estimate_tflops else f"{REACHED:.0%} of the matrix-product rate measured here"
    return (
        f"{run.parameters:,} parameters, {run.trainable:,} trainable; {len(lengths):,} rows of {mean:.1f} tokens in "
        f"the mean, {max(lengths)} at most; fullest batch {tokens:,} tokens.\n"
        f"{run.operations_per_token / 1e9:.3g} x 10^9 operations and "
        f"{run.activation_bytes_per_token / 2**20:.3g} MiB of activations per token. "
        f"Estimated for devices of {memory / GIB:.0f} GiB at {rate / 1e12:.3g} x 10^12 operations per second "
        f"({given}); padding between rows of like length is left out of the hours.\n\n" + markdown_table(lines)
    ), any(line["fits"] == "yes" for line in lines)


def table(
    run: Footprint,
    recipe: TrainingDataKeys,
    training: TrainingArguments,
    lengths: Sequence[int],
    memory: float,
    rate: float,
) -> list[dict[str, str]]:
    """One row per accelerate config: devices, GiB on each by what takes it, the largest batch, hours of the run."""
    tokens, longest = batch_tokens(recipe, training, lengths), max(lengths)
    rows = []
    for file in sorted(ACCELERATE_CONFIGS.glob("*.yaml")):
        shared = sharding(yaml.safe_load(file.read_text()))
        needed, fits = run.needed(tokens, shared), run.tokens_that_fit(memory, shared)
        trained = trained_tokens(recipe, training, lengths, shared["devices"])
        hours = trained * run.operations_per_token / (rate * shared["devices"]) / 3600
        parts = {part: getattr(run, part) / shared[part] for part in ("weights", "gradients", "optimiser")}
        parts["activations"] = run.activation_bytes_per_token * tokens
        rows.append(
            {"config": file.stem, "devices": str(shared["devices"])}
            | {f"{name} GiB": f"{size / GIB:.2f}" for name, size in parts.items()}
            | {
                "GiB per device": f"{needed / GIB:.1f}",
                "fits": "yes" if needed <= memory else "no",
                "largest batch": f"{fits // longest} rows of {longest} tokens" if fits >= longest else "none",
                "hours": f"{hours:.2g}",
            }
        )
    return rows
