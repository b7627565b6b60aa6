"""Generators: how they are prompted, loaded and merged, and how long their completions are."""

import re
from collections.abc import Iterable
from pathlib import Path

import torch
from peft import PeftModel, PeftType
from peft.tuners.lora import LoraLayer
from transformers import AutoModelForCausalLM, GenerationConfig, PreTrainedModel, PreTrainedTokenizerBase, set_seed
from trl import ModelConfig, get_peft_config

from blindspots.artifacts.inputs import Source
from blindspots.config.errors import UserError
from blindspots.data.nli import END_MARKER, LABELS, generator_completion, generator_prompt
from blindspots.modeling.adapters import add_adapter
from blindspots.modeling.classifier import name_the_base
from blindspots.modeling.loading import adapter_base, errors_in_words, load_adapter, load_model
from blindspots.modeling.precision import base_model, keep_in_float32, quantized_loading, tuned_precision

# The least share of an adapter's change that must be left in merged weights; half precision rounds small changes away.
KEPT_AT_LEAST = 0.9


def end_marker_tail(tokenizer) -> torch.Tensor:
    """The last tokens of the end marker, those that no text before it changes."""
    ids = [
        tokenizer(f"{word} {END_MARKER}", add_special_tokens=False)["input_ids"][::-1] for word in ("text", "other")
    ]
    shared = next(index for index, (one, other) in enumerate(zip(*ids)) if one != other)
    return torch.tensor(ids[0][: min(shared, 6)][::-1])


def prompt_ids(tokenizer: PreTrainedTokenizerBase, prompt: str) -> list[int]:
    """Token ids of a prompt that a model is to continue: without the eos that some tokenizers put behind each text."""
    ids = tokenizer(prompt)["input_ids"]
    while len(ids) > 1 and ids[-1] == tokenizer.eos_token_id:
        ids = ids[:-1]
    return ids


def require_generator_tokenizer(tokenizer: PreTrainedTokenizerBase, where: str) -> None:
    """Raise UserError for a tokenizer that a generator can't be trained with.

    It needs an eos token, which ends each example, and the prompt's tokens must be those with which the whole example
    begins: what the generator is prompted with later is then what it was trained on.
    """
    if tokenizer.eos_token_id is None:
        raise UserError(f"The tokenizer of {where} has no eos token, which ends each training example; set eos_token.")
    for label in LABELS:
        prompt = generator_prompt(label)
        ids = prompt_ids(tokenizer, prompt)
        whole = tokenizer(prompt + generator_completion("A man sleeps.", "A man rests."))["input_ids"]
        if whole[: len(ids)] != ids:
            raise UserError(
                f"The tokenizer of {where} splits the prompt for {label} differently on its own than before a "
                "completion; a generator trained with it could not be prompted."
            )


def require_generator_positions(model: PreTrainedModel | PeftModel, longest: int, what: str) -> None:
    """Raise UserError where a generator is to read and write more tokens than it has positions.

    A model without a fixed number of positions, such as Bloom, has no limit.

    Args:
        what: is so long, for the message.
    """
    limit = getattr(base_model(model).config.get_text_config(), "max_position_embeddings", None)
    if limit is not None and longest > limit:
        raise UserError(f"{what} takes {longest} tokens, more than the model's {limit} positions.")


def load_base(source: Source, model_config: ModelConfig, seed: int = 0, float32: bool = False) -> PreTrainedModel:
    """The base model that a generator is tuned from, quantised and with a new adapter as the recipe asks.

    Args:
        seed: of the adapter.
        float32: keep what is to be trained in float32.

    Raises UserError for an adapter (its base would be tuned with it, and only the adapter saved) and for 4-bit without
    bitsandbytes, and RecipeError for an adapter that does not fit the model and for `float32` where a whole model is
    to be trained in half precision.
    """
    if (source.path / "adapter_config.json").is_file():
        raise UserError(f"{source.name} is an adapter; a generator is tuned from a whole model, so merge it first.")
    model = load_model(
        AutoModelForCausalLM,
        source,
        dtype=model_config.dtype,
        attn_implementation=model_config.attn_implementation,
        **quantized_loading(model_config),
    )
    model = name_the_base(model, source)
    peft_config = get_peft_config(model_config)
    if peft_config is not None:
        set_seed(seed)
        model = add_adapter(model, peft_config, source.name, revision=source.revision)
    if float32:
        keep_in_float32(model, source.name)
    return model


def load_generator(source: Source, dtype: str, tuned: ModelConfig | None = None) -> PreTrainedModel:
    """A generator's weights; an adapter is merged into its base model, as that was when the adapter was tuned.

    Args:
        tuned: precision of the base that an adapter was tuned on; by default that in its lineage.

    Raises UserError for an adapter that can't be merged: see `merge_adapter`.
    """
    if not (source.path / "adapter_config.json").is_file():
        return load_model(AutoModelForCausalLM, source, dtype=dtype)
    base = _base_as_tuned(source, dtype, tuned or tuned_precision(source))
    model = merge_adapter(load_adapter(base, source), source.name)
    if (source.path / "generation_config.json").is_file():
        model.generation_config = load_generation_config(source)
    return model


def _base_as_tuned(source: Source, dtype: str, tuned: ModelConfig) -> PreTrainedModel:
    """The base model of an adapter: where it was quantised, the values that are left of its weights, in `dtype`."""
    quantized = quantized_loading(tuned)
    if not quantized:
        return load_model(AutoModelForCausalLM, adapter_base(source), dtype=dtype)
    base = load_model(AutoModelForCausalLM, adapter_base(source), dtype=tuned.dtype, **quantized).dequantize()
    if dtype != "auto":
        for parameter in base.parameters():  # `base.to` would round the buffers of the positions too
            parameter.data = parameter.data.to(getattr(torch, dtype))
    return base


def merge_adapter(model: PeftModel, where: str) -> PreTrainedModel:
    """The base model with a LoRA adapter added to its weights, and with the modules that the adapter replaces.

    Raises UserError for another kind of adapter, one that PEFT can't merge, and where the precision of the base's
    weights is too coarse for it.
    """
    kinds = {config.peft_type for config in model.peft_config.values()}
    if kinds != {PeftType.LORA}:
        raise UserError(f"{where} is an adapter of the kind {kinds.pop().value}; only LoRA adapters can be merged.")
    wanted = kept = 0.0
    for layer in model.modules():
        if isinstance(layer, LoraLayer) and not layer.lora_variant:  # DoRA also scales the weights of its base
            weight = layer.get_base_layer().weight.detach()
            change = layer.get_delta_weight(model.active_adapter)
            merged = weight + change.to(weight.dtype)  # as PEFT does it
            wanted += change.float().square().sum().item()
            kept += (change.float() * (merged - weight).float()).sum().item()
    if kept < KEPT_AT_LEAST * wanted:
        raise UserError(
            f"{where}: merged in {str(model.dtype).removeprefix('torch.')}, {kept / wanted:.0%} of what the adapter "
            "changes is left, the rest is rounded away. Set dtype: float32, or float16."
        )
    with errors_in_words(f"{where} can't be merged"):
        return model.merge_and_unload()


def load_generation_config(source: Source) -> GenerationConfig:
    """How a generator is to be sampled. Raises UserError for a broken file."""
    with errors_in_words(f"{source.name}: generation_config.json can't be read"):
        return GenerationConfig.from_pretrained(source.path)


def generation_config(tokenizer: PreTrainedTokenizerBase, examples: Iterable[tuple[int, int]]) -> GenerationConfig:
    """How a generator is to be sampled: no completion longer than the longest that it is trained on.

    Args:
        examples: label, and tokens of prompt, completion and eos, of each.
    """
    prompts = [len(prompt_ids(tokenizer, generator_prompt(label))) for label in LABELS]
    return sampling_config(tokenizer, max(length - prompts[label] for label, length in examples))


def sampling_config(tokenizer: PreTrainedTokenizerBase, longest: int) -> GenerationConfig:
    """How a generator is to be sampled, with completions of at most so many tokens."""
    return GenerationConfig(
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        do_sample=True,
        max_new_tokens=longest,
    )


def longest_completion(source: Source) -> int:
    """Tokens of the longest completion that a generator was trained on, as its generation_config.json says.

    Raises UserError where it does not say.
    """
    known = (source.path / "generation_config.json").is_file()
    longest = load_generation_config(source).max_new_tokens if known else None
    if not isinstance(longest, int) or longest < 1:
        raise UserError(
            f"{source.name} does not say how long its completions are (max_new_tokens in generation_config.json); "
            "give max_new_tokens."
        )
    return longest


def served_name(source: Source) -> str:
    """What a server is to call a generator: part of the content's hash is in it, so that no other passes for it.

    A repo of the Hub that is not an artifact goes by its commit.
    """
    record = source.record("generator")
    artifact, commit = record["artifact"], record["revision"]
    content = commit if commit and not artifact else record["content_sha256"]
    name = f"{artifact or Path(source.name).absolute().name}-{str(content)[:12]}"
    return re.sub(r"[^\w.-]", "_", name)  # it stands in a command line, and a lineage may be somebody else's
