"""Sampling labelled pairs from a generator: shards that any process can draw, engines behind one small interface."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pyarrow as pa
import pyarrow.parquet as pq
import torch
from peft import AutoPeftModelForCausalLM
from transformers import AutoModelForCausalLM, GenerationConfig, StoppingCriteria, set_seed

from blindspots.classifier import load_tokenizer
from blindspots.errors import UserError
from blindspots.nli import END_MARKER, generator_prompt, parse_generated
from blindspots.recipes import SynthesisRecipe
from blindspots.sources import Source


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
    counts = {"sampled": len(texts), "kept": len(kept), "unfinished": unfinished,
              "malformed": len(texts) - len(kept) - unfinished}  # fmt: skip
    table = pa.table({"premise": [pair[0] for pair in kept], "hypothesis": [pair[1] for pair in kept]},
                     schema=pa.schema({"premise": pa.string(), "hypothesis": pa.string()}))  # fmt: skip
    file = shard.file(folder)
    unfinished_file = file.with_suffix(".partial")
    pq.write_table(table.replace_schema_metadata({"counts": json.dumps(counts)}), unfinished_file)
    unfinished_file.rename(file)


def read_shard(shard: Shard, folder: Path) -> tuple[list[tuple[str, str]], dict[str, int]]:
    """Kept (premise, hypothesis) pairs of a finished shard, and its counts."""
    table = pq.read_table(shard.file(folder))
    pairs = list(zip(table["premise"].to_pylist(), table["hypothesis"].to_pylist()))
    return pairs, json.loads(table.schema.metadata[b"counts"])


class EndMarker(StoppingCriteria):
    """Stops a row whose last tokens are those of the end marker."""

    def __init__(self, tokenizer):
        # The marker's first tokens may merge with what stands before them; its last ones never do.
        ids = tokenizer(f"text {END_MARKER}", add_special_tokens=False)["input_ids"]
        alone = tokenizer(f"other {END_MARKER}", add_special_tokens=False)["input_ids"]
        shared = next((i for i, (a, b) in enumerate(zip(reversed(ids), reversed(alone))) if a != b), len(ids))
        self.tail = torch.tensor(ids[-max(1, min(shared - 1, 6)) :])

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor, **kwargs) -> torch.BoolTensor:
        return (input_ids[:, -len(self.tail) :] == self.tail.to(input_ids.device)).all(dim=1)


class TransformersEngine:
    """`model.generate` on batches of one prompt."""

    def __init__(self, source: Source, recipe: SynthesisRecipe, device: torch.device):
        adapter = (source.path / "adapter_config.json").is_file()
        loader = AutoPeftModelForCausalLM if adapter else AutoModelForCausalLM
        self.tokenizer = load_tokenizer(source.path)
        self.model = loader.from_pretrained(source.path, dtype=recipe.dtype).to(device).eval()
        self.batch_size = recipe.batch_size
        self.config = GenerationConfig(
            do_sample=True,
            temperature=recipe.temperature,
            top_p=recipe.top_p,
            top_k=recipe.top_k,
            max_new_tokens=recipe.max_new_tokens,
            eos_token_id=self.tokenizer.eos_token_id,
            pad_token_id=self.tokenizer.pad_token_id,
            bos_token_id=self.tokenizer.bos_token_id,
        )
        self.stop = [EndMarker(self.tokenizer)]

    @torch.inference_mode()
    def sample(self, prompt: str, count: int, seed: int) -> list[str]:
        set_seed(seed)
        ids = self.tokenizer(prompt, return_tensors="pt").to(self.model.device)
        texts = []
        for start in range(0, count, self.batch_size):
            size = min(self.batch_size, count - start)
            batch = {name: tensor.expand(size, -1) for name, tensor in ids.items() if name != "token_type_ids"}
            output = self.model.generate(**batch, generation_config=self.config, stopping_criteria=self.stop)
            new = output[:, ids["input_ids"].shape[1] :]
            texts += self.tokenizer.batch_decode(new, skip_special_tokens=True)
        return texts


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
        self.model = LLM(base, tokenizer=str(source.path), dtype=recipe.dtype, enable_lora=self.lora is not None,
                         max_lora_rank=rank, seed=recipe.seed, enable_prefix_caching=True)  # fmt: skip

    def sample(self, prompt: str, count: int, seed: int) -> list[str]:
        from vllm import SamplingParams

        recipe = self.recipe
        parameters = [
            SamplingParams(temperature=recipe.temperature, top_p=recipe.top_p, top_k=recipe.top_k or -1,
                           max_tokens=recipe.max_new_tokens, seed=seed + row, stop=[END_MARKER],
                           include_stop_str_in_output=True)
            for row in range(count)
        ]  # fmt: skip
        outputs = self.model.generate([prompt] * count, parameters, lora_request=self.lora, use_tqdm=False)
        return [output.outputs[0].text for output in outputs]


def load_engine(source: Source, recipe: SynthesisRecipe, device: torch.device) -> Engine:
    """The engine that the recipe names. Raises UserError where vllm is not installed."""
    return VllmEngine(source, recipe) if recipe.engine == "vllm" else TransformersEngine(source, recipe, device)
