"""What completions are drawn by: transformers in this process, or a server that holds the generator."""

import copy
import hashlib
from dataclasses import dataclass

import torch
from transformers import (
    DynamicCache,
    LogitsProcessorList,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)
from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer

from blindspots.artifacts.inputs import Source
from blindspots.config.errors import UserError
from blindspots.config.recipes import SynthesisRecipe
from blindspots.data.nli import END_MARKER, LABELS, generator_prompt
from blindspots.modeling.generators import (
    end_marker_tail,
    load_generator,
    prompt_ids,
    require_generator_positions,
    served_name,
)
from blindspots.modeling.loading import errors_in_words, load_tokenizer, require_embeddings
from blindspots.modeling.server import Completion, Server
from blindspots.modeling.shards import Engine

# Rows that have ended are dropped once fewer than this share of a batch is running; dropping copies the cache.
FULL_ENOUGH = 0.9
# Completions that a server is tried with.
TRIED = 4


@dataclass
class Batch:
    """Rows that are equally far, so that there is no padding."""

    rows: torch.Tensor  # which completion each one writes
    running: torch.Tensor  # whether it has not ended
    cache: DynamicCache
    logits: torch.Tensor  # (rows, vocabulary), of the next token
    step: int = 0  # tokens that each has written

    def join(self, other: "Batch") -> None:
        """Take over the rows of a batch that is as far."""
        for layer, others in zip(self.cache.layers, other.cache.layers):
            layer.keys = torch.cat([layer.keys, others.keys])
            layer.values = torch.cat([layer.values, others.values])
        self.rows = torch.cat([self.rows, other.rows])
        self.running = torch.cat([self.running, other.running])
        self.logits = torch.cat([self.logits, other.logits])


class TransformersEngine:
    """Completions of one prompt, in batches that are refilled.

    The prompt's keys and values are computed once. Rows that have ended leave their batch. When half of a batch have,
    it waits for another that is as far, and the two go on as one: no batch runs on for its longest rows alone, as in
    `model.generate`, and no row is padded. What a row draws depends on the seed and its number, not on the rows beside
    it, up to the rounding of the logits.

    Raises UserError where prompt and completion may be longer than the model's positions.
    """

    def __init__(self, source: Source, recipe: SynthesisRecipe, device: torch.device):
        self.name = source.name
        self.tokenizer = load_tokenizer(source)
        self.model = load_generator(source, recipe.dtype).to(device).eval()
        if device.type == "cpu":
            self.model.set_attn_implementation("eager")  # on a CPU sdpa is slow where a row has one new token
        require_embeddings(self.model, self.tokenizer, source.name)
        self.batch_size = recipe.batch_size
        self.max_new_tokens = recipe.max_new_tokens
        prompt = max(len(prompt_ids(self.tokenizer, generator_prompt(label))) for label in LABELS)
        what = f"{source.name}: a prompt of {prompt} tokens with max_new_tokens {self.max_new_tokens}"
        require_generator_positions(self.model, prompt + self.max_new_tokens, what)
        self.tail = end_marker_tail(self.tokenizer).to(device)
        eos = self.tokenizer.eos_token_id
        self.ends = torch.tensor([] if eos is None else [eos], dtype=torch.long, device=device)
        self.warp = LogitsProcessorList()
        if recipe.temperature != 1:
            self.warp.append(TemperatureLogitsWarper(recipe.temperature))
        if recipe.top_k:
            self.warp.append(TopKLogitsWarper(recipe.top_k))
        if recipe.top_p < 1:
            self.warp.append(TopPLogitsWarper(recipe.top_p))
        name = torch.cuda.get_device_name(device) if self.model.device.type == "cuda" else str(self.model.device)
        self.description = {"engine": "transformers", "device": name}
        self.used: dict[str, int] = {}

    @torch.inference_mode()
    def sample(self, prompt: str, count: int, seed: int) -> list[str]:
        device = self.model.device
        # A number for each token and row, made on the CPU so that every device gets the same.
        random = torch.Generator().manual_seed(seed)
        uniform = torch.rand(self.max_new_tokens, count, generator=random, dtype=torch.float64).to(device)
        tokens = torch.full((count, self.max_new_tokens), self.tokenizer.pad_token_id, device=device)
        with errors_in_words(f"{self.name} can't be sampled from"):  # a config can ask for what the code does not do
            prefix, logits = self._read(prompt)
        waiting: dict[int, Batch] = {}  # by their step
        begun = 0
        while begun < count or waiting:
            if begun < count:
                rows = torch.arange(begun, min(begun + self.batch_size, count), device=device)
                begun += len(rows)
                cache = copy.deepcopy(prefix)
                cache.batch_repeat_interleave(len(rows))
                batch = Batch(rows, torch.ones_like(rows, dtype=torch.bool), cache, logits.expand(len(rows), -1))
            else:
                batch = waiting.pop(min(waiting))
            self._write(batch, tokens, uniform, waiting, more_come=begun < count)
        return self.tokenizer.batch_decode(tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False)

    def _read(self, prompt: str) -> tuple[DynamicCache, torch.Tensor]:
        """The cache of a prompt and the logits behind it, (1, vocabulary).

        Raises UserError for a model that keeps another kind of state, whose batches could not be joined.
        """
        cache = DynamicCache(config=self.model.config)
        ids = torch.tensor([prompt_ids(self.tokenizer, prompt)], device=self.model.device)
        logits = self.model(ids, past_key_values=cache, logits_to_keep=1).logits[:, -1]
        if not all(type(layer) in (DynamicLayer, DynamicSlidingWindowLayer) for layer in cache.layers):
            raise UserError(
                f"A {type(self.model).__name__} keeps more than keys and values of what it has read, which can't be "
                "sampled from here; use engine: server."
            )
        return cache, logits

    def _write(
        self, batch: Batch, tokens: torch.Tensor, uniform: torch.Tensor, waiting: dict[int, Batch], more_come: bool
    ) -> None:
        """Continue a batch until its rows have ended, or half of them and others may join it later: then it waits.

        Args:
            tokens: (completions, max_new_tokens), which is written to.
            uniform: random numbers from 0 to 1, (max_new_tokens, completions).
            more_come: whether further batches will begin.
        """
        while True:
            drawn = self._draw(batch, tokens, uniform)
            batch.step += 1
            running = int(batch.running.sum())
            if running == 0 or batch.step == self.max_new_tokens:
                return
            if running < FULL_ENOUGH * len(batch.rows):
                batch.cache.batch_select_indices(batch.running.nonzero()[:, 0])
                batch.rows, drawn = batch.rows[batch.running], drawn[batch.running]
                batch.running = batch.running[batch.running]
            batch.logits = self.model(drawn[:, None], past_key_values=batch.cache, logits_to_keep=1).logits[:, -1]
            if batch.step in waiting:
                batch.join(waiting.pop(batch.step))
            elif 2 * running <= self.batch_size and (more_come or min(waiting, default=batch.step) < batch.step):
                waiting[batch.step] = batch
                return

    def _draw(self, batch: Batch, tokens: torch.Tensor, uniform: torch.Tensor) -> torch.Tensor:
        """Draw the next token of each row, write it down, and note which rows end with it."""
        scores = self.warp(tokens, batch.logits.float())  # the tokens are not looked at
        weights = (scores - scores.amax(-1, keepdim=True)).exp()
        # In float64 the sum's rounding, which on a GPU may differ from run to run, changes no token.
        cumulative = weights.cumsum(-1, dtype=torch.float64)
        places = uniform[batch.step, batch.rows, None] * cumulative[:, -1:]
        drawn = torch.searchsorted(cumulative, places, right=True)[:, 0].clamp(max=cumulative.shape[1] - 1)
        tokens[batch.rows[batch.running], batch.step] = drawn[batch.running]
        ended = torch.isin(drawn, self.ends)
        begin = batch.step + 1 - len(self.tail)
        if begin >= 0:
            ended |= (tokens[batch.rows, begin : batch.step + 1] == self.tail).all(dim=1)
        batch.running &= ~ended
        return drawn


class ServerEngine:
    """Completions of a server that holds the generator: a request each, with a seed of its own.

    Raises UserError where the generator is an adapter, where the server offers no model of its name, and where it does
    not sample as asked.
    """

    def __init__(self, source: Source, recipe: SynthesisRecipe):
        if (source.path / "adapter_config.json").is_file():
            raise UserError(
                f"{source.name} is an adapter, which a server can't be relied on to apply whole. Merge it with "
                "scripts/merge_generator.py, then serve and name what that makes."
            )
        self.tokenizer = load_tokenizer(source)
        self.used: dict[str, int] = {}
        self.server = Server(recipe.server_url, recipe.batch_size)
        self.model = recipe.server_model or served_name(source)
        self.sampling = {
            "temperature": recipe.temperature,
            "top_p": recipe.top_p,
            "max_tokens": recipe.max_new_tokens,
            "stop": [END_MARKER],
            # Beyond OpenAI's API. A server may have defaults of its own for these, from generation_config.json.
            "top_k": recipe.top_k or -1,
            "min_p": 0.0,
            "repetition_penalty": 1.0,
            "include_stop_str_in_output": True,
        }
        offered = self.server.models()
        if self.model not in offered:
            raise UserError(
                f"The server at {self.server.url} offers {', '.join(offered) or 'nothing'}, and not {self.model}. "
                f"Start it with `vllm serve {source.name} --served-model-name {self.model}`, or set server_model to "
                "the name that it gives this very generator."
            )
        self.description = {
            "engine": "server",
            "url": self.server.url,
            "model": self.model,
            "version": self.server.version(),
            "same_seed_same_text": self._try(),
        }

    def sample(self, prompt: str, count: int, seed: int) -> list[str]:
        seeds = [row_seed(seed, row) for row in range(count)]
        return [completion.text for completion in self._complete(prompt, seeds)]

    def _complete(self, prompt: str, seeds: list[int], **sampling) -> list[Completion]:
        """Completions as the recipe asks, or as `sampling` does. Raises UserError for one that is cut too early."""
        asked = self.sampling | sampling
        completions = self.server.complete(self.model, prompt_ids(self.tokenizer, prompt), seeds, **asked)
        require_whole(completions, asked["max_tokens"], self.server.url)
        return completions

    def _try(self) -> bool:
        """Whether the same seed gives the same text. Raises UserError for a server that ignores what it is asked."""
        prompt, seeds = generator_prompt(LABELS[0]), list(range(TRIED))
        first, again = self._complete(prompt, seeds), self._complete(prompt, seeds)
        ended = [completion.text for completion in first if completion.finish_reason == "stop"]
        if ended and not any(END_MARKER in text for text in ended):
            raise UserError(
                f"None of {len(ended)} completions of the server at {self.server.url} holds the end marker. Either it "
                "ignores include_stop_str_in_output, which vLLM knows, or the generator does not write the template."
            )
        if self.sampling["top_k"] > 0:
            likeliest = self._complete(prompt, seeds, top_k=1, temperature=2.0)
            if len({completion.text for completion in likeliest}) > 1:
                raise UserError(f"The server at {self.server.url} ignores top_k; set top_k: 0, or use another server.")
        return [one.text for one in first] == [other.text for other in again]


def require_whole(completions: list[Completion], limit: int, url: str) -> None:
    """Raise UserError for a completion that was cut before the limit that was asked for."""
    for completion in completions:
        cut = completion.finish_reason == "length" and completion.tokens is not None
        if cut and completion.tokens < limit:
            raise UserError(
                f"The server at {url} cuts completions at {completion.tokens} tokens, before max_new_tokens, {limit}. "
                "Start it with a larger --max-model-len and with --generation-config vllm, or lower max_new_tokens."
            )


def row_seed(seed: int, row: int) -> int:
    """The seed of one row of a shard: of 48 bits, so that among millions hardly two are the same."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{row}".encode()).digest()[:6])


def load_engine(source: Source, recipe: SynthesisRecipe, device: torch.device) -> Engine:
    """The engine that the recipe names."""
    return ServerEngine(source, recipe) if recipe.engine == "server" else TransformersEngine(source, recipe, device)
