"""Sampling labelled pairs from a generator: shards that any process can draw, engines behind one small interface."""

import copy
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pyarrow as pa
import pyarrow.parquet as pq
import torch
from peft import PeftModel, get_peft_model
from transformers import (
    AutoModelForCausalLM,
    DynamicCache,
    LogitsProcessorList,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
    set_seed,
)
from trl import ModelConfig, get_peft_config

from blindspots.artifacts.inputs import Source
from blindspots.config.errors import UserError
from blindspots.config.recipes import SynthesisRecipe
from blindspots.data.nli import END_MARKER, LABELS, generator_completion, generator_prompt, parse_generated
from blindspots.modeling.classifier import name_the_base
from blindspots.modeling.loading import adapter_base, load_adapter, load_model, load_tokenizer
from blindspots.modeling.precision import keep_in_float32, quantized_loading

# Rows that have ended are dropped once fewer than this share of the batch is running; dropping copies the cache.
FULL_ENOUGH = 0.9


class Engine(Protocol):
    """What draws completions."""

    def sample(self, prompt: str, count: int, seed: int) -> list[str]:
        """`count` completions of one prompt, the same for the same seed; a finished one ends with the end marker."""


@dataclass(frozen=True)
class Shard:
    """The unit of work: the `index`-th shard of one label, of `rows` samples."""

    label: str
    index: int
    rows: int

    def seed(self, seed: int) -> int:
        """A seed of its own, so that a shard comes out the same whoever draws it and when."""
        return int.from_bytes(hashlib.sha256(f"{seed}/{self.label}/{self.index}".encode()).digest()[:4])

    def file(self, folder: Path) -> Path:
        return folder / f"{self.label}-{self.index:06d}.parquet"


def draw_shard(engine: Engine, shard: Shard, recipe: SynthesisRecipe, folder: Path) -> None:
    """Sample one shard and write its kept pairs, with the counts of the others in the file's metadata.

    Source of the filter: the paper keeps what can be extracted and carries the end marker, nothing else.
    """
    texts = engine.sample(generator_prompt(shard.label), shard.rows, shard.seed(recipe.seed))
    pairs = [parse_generated(text) for text in texts]
    unfinished = sum(END_MARKER not in text for text in texts)
    kept = [pair for pair in pairs if pair is not None]
    counts = {
        "sampled": len(texts),
        "kept": len(kept),
        "unfinished": unfinished,
        "malformed": len(texts) - len(kept) - unfinished,
    }
    table = pa.table(
        {"premise": [pair[0] for pair in kept], "hypothesis": [pair[1] for pair in kept]},
        schema=pa.schema({"premise": pa.string(), "hypothesis": pa.string()}),
    )
    file = shard.file(folder)
    unfinished_file = file.with_suffix(".partial")
    pq.write_table(table.replace_schema_metadata({"counts": json.dumps(counts)}), unfinished_file)
    unfinished_file.rename(file)


def read_shard(shard: Shard, folder: Path) -> tuple[list[tuple[str, str]], dict[str, int]]:
    """Kept (premise, hypothesis) pairs of a finished shard, and its counts."""
    table = pq.read_table(shard.file(folder))
    pairs = list(zip(table["premise"].to_pylist(), table["hypothesis"].to_pylist()))
    return pairs, json.loads(table.schema.metadata[b"counts"])


def is_drawn(shard: Shard, folder: Path) -> bool:
    """Whether a shard is there and whole; one that a full disk cut short is removed, to be drawn again."""
    try:
        read_shard(shard, folder)
    except FileNotFoundError:
        return False
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowException):
        shard.file(folder).unlink()
        return False
    return True


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
        raise UserError(f"The tokenizer of {where} has no eos token, which ends each training example; add one.")
    for label in LABELS:
        prompt = generator_prompt(label)
        ids = prompt_ids(tokenizer, prompt)
        whole = tokenizer(prompt + generator_completion("A man sleeps.", "A man rests."))["input_ids"]
        if whole[: len(ids)] != ids:
            raise UserError(
                f"The tokenizer of {where} splits the prompt for {label} differently on its own than before a "
                "completion; a generator trained with it could not be prompted."
            )


def _draw(probabilities: torch.Tensor, random: torch.Generator) -> torch.Tensor:
    """One token per row by the inverse of the cumulative distribution: a random number per row, not per token."""
    cumulative = probabilities.cumsum(-1)
    uniform = torch.rand(len(cumulative), 1, generator=random, device=cumulative.device) * cumulative[:, -1:]
    return torch.searchsorted(cumulative, uniform, right=True)[:, 0].clamp(max=cumulative.shape[1] - 1)


class TransformersEngine:
    """Waves of one prompt: its keys and values are computed once, and rows that have ended leave the batch.

    All rows of a wave are equally long at every step, so there is no padding; `model.generate` would carry each
    finished row until the longest one ends.
    """

    def __init__(self, source: Source, recipe: SynthesisRecipe, device: torch.device):
        self.tokenizer = load_tokenizer(source)
        self.model = load_generator(source, recipe.dtype).to(device).eval()
        self.batch_size = recipe.batch_size
        self.max_new_tokens = recipe.max_new_tokens
        self.tail = end_marker_tail(self.tokenizer).to(device)
        eos = self.tokenizer.eos_token_id
        self.ends = torch.tensor([] if eos is None else [eos], dtype=torch.long, device=device)
        self.warp = LogitsProcessorList([TemperatureLogitsWarper(recipe.temperature)])
        if recipe.top_k:
            self.warp.append(TopKLogitsWarper(recipe.top_k))
        if recipe.top_p < 1:
            self.warp.append(TopPLogitsWarper(recipe.top_p))

    @torch.inference_mode()
    def sample(self, prompt: str, count: int, seed: int) -> list[str]:
        random = torch.Generator(self.model.device).manual_seed(seed)
        prefix = DynamicCache(config=self.model.config)
        ids = torch.tensor([prompt_ids(self.tokenizer, prompt)], device=self.model.device)
        logits = self.model(ids, past_key_values=prefix, logits_to_keep=1).logits[:, -1]
        texts = []
        for start in range(0, count, self.batch_size):
            wave = self._wave(prefix, logits, min(self.batch_size, count - start), random)
            texts += self.tokenizer.batch_decode(wave, skip_special_tokens=True)
        return texts

    def _wave(self, prefix: DynamicCache, logits: torch.Tensor, rows: int, random: torch.Generator) -> torch.Tensor:
        """Tokens of `rows` completions, (rows, max_new_tokens), padded behind their end."""
        cache = copy.deepcopy(prefix)
        cache.batch_repeat_interleave(rows)
        logits = logits.expand(rows, -1)
        tokens = torch.full((rows, self.max_new_tokens), self.tokenizer.pad_token_id, device=logits.device)
        batch = torch.arange(rows, device=logits.device)  # which row of `tokens` each row of the batch writes
        running = torch.ones(rows, dtype=torch.bool, device=logits.device)
        for step in range(self.max_new_tokens):
            scores = self.warp(tokens[batch, :step], logits.float())
            drawn = _draw(scores.softmax(-1), random)
            tokens[batch[running], step] = drawn[running]
            ended = torch.isin(drawn, self.ends)
            if step + 1 >= len(self.tail):
                ended |= (tokens[batch, step + 1 - len(self.tail) : step + 1] == self.tail).all(dim=1)
            running &= ~ended
            if not running.any():
                break
            if running.float().mean() < FULL_ENOUGH:
                cache.batch_select_indices(running.nonzero()[:, 0])
                batch, drawn, running = batch[running], drawn[running], running[running]
            logits = self.model(drawn[:, None], past_key_values=cache, logits_to_keep=1).logits[:, -1]
        return tokens


class VllmEngine:
    """vLLM's continuous batching, with the same sampling parameters; an adapter is passed as LoRA."""

    def __init__(self, source: Source, recipe: SynthesisRecipe):
        try:
            from vllm import LLM
            from vllm.lora.request import LoRARequest
        except ImportError:
            raise UserError(
                "engine: vllm is not installed; pip install '.[vllm]', or set engine: transformers."
            ) from None
        adapter = source.path / "adapter_config.json"
        self.recipe = recipe
        self.lora = LoRARequest("generator", 1, str(source.path)) if adapter.is_file() else None
        base = json.loads(adapter.read_text())["base_model_name_or_path"] if self.lora else str(source.path)
        rank = json.loads(adapter.read_text())["r"] if self.lora else 16
        self.model = LLM(
            base,
            tokenizer=str(source.path),
            dtype=recipe.dtype,
            enable_lora=self.lora is not None,
            max_lora_rank=rank,
            seed=recipe.seed,
            enable_prefix_caching=True,
        )

    def sample(self, prompt: str, count: int, seed: int) -> list[str]:
        from vllm import SamplingParams

        recipe = self.recipe
        parameters = [
            SamplingParams(
                temperature=recipe.temperature,
                top_p=recipe.top_p,
                top_k=recipe.top_k or -1,
                max_tokens=recipe.max_new_tokens,
                seed=seed + row,
                stop=[END_MARKER],
                include_stop_str_in_output=True,
            )
            for row in range(count)
        ]
        outputs = self.model.generate([prompt] * count, parameters, lora_request=self.lora, use_tqdm=False)
        return [output.outputs[0].text for output in outputs]


def load_base(source: Source, model_config: ModelConfig, seed: int = 0, float32: bool = False) -> PreTrainedModel:
    """The base model that a generator is tuned from, quantised and with a new adapter as the recipe asks.

    Args:
        seed: of the adapter.
        float32: keep what is to be trained in float32.

    Raises UserError for an adapter (its base would be tuned with it, and only the adapter saved) and for 4-bit without
    bitsandbytes, and RecipeError for `float32` where a whole model is to be trained in half precision.
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
        model = get_peft_model(model, peft_config, revision=source.revision)
    if float32:
        keep_in_float32(model, source.name)
    return model


def load_generator(source: Source, dtype: str) -> PreTrainedModel | PeftModel:
    """A generator's weights, or its adapter on its base model."""
    if not (source.path / "adapter_config.json").is_file():
        return load_model(AutoModelForCausalLM, source, dtype=dtype)
    base = adapter_base(source)
    return load_adapter(load_model(AutoModelForCausalLM, base, dtype=dtype), source)


def load_engine(source: Source, recipe: SynthesisRecipe, device: torch.device) -> Engine:
    """The engine that the recipe names. Raises UserError where vllm is not installed."""
    return VllmEngine(source, recipe) if recipe.engine == "vllm" else TransformersEngine(source, recipe, device)
