"""Completions of a model that was tuned for nothing: a server is shown labelled pairs and asked for one more."""

import random
from collections.abc import Mapping, Sequence
from typing import Any

from datasets import Dataset

from blindspots.artifacts.inputs import Source, fetch
from blindspots.config.errors import RecipeError, UserError
from blindspots.config.recipes import SynthesisRecipe
from blindspots.data.nli import END_MARKER, LABELS, generator_completion, generator_prompt
from blindspots.data.nli_datasets import nli_pairs, read_split
from blindspots.data.test_sets import test_set_of
from blindspots.modeling.sampling import require_whole, row_seed
from blindspots.modeling.server import Completion, Server

CHAT, COMPLETION = "chat", "completion"
BETWEEN = "\n\n"
# Before the examples, where a model is told what to do and does not go on with a text.
INSTRUCTION = (
    "Here are examples in one form. Write one more, on another subject, in exactly this form: after the sentence that "
    f"is given last write its premise, its hypothesis and the words {END_MARKER!r}, and nothing else."
)


def read_shots(recipe: SynthesisRecipe) -> tuple[Source, Dataset]:
    """The rows that prompts are made of, from a train split, and where they came from.

    Raises RecipeError for the dataset of a test set, whose rows the model would be shown before it is tested on them.
    """
    source = fetch(recipe.shots_from, "dataset", recipe.shots_revision)
    found = test_set_of(source.name)
    if found is not None:
        raise RecipeError(
            f"shots_from: {source.name} is the dataset of test set {found.name}. Name rows to train on, such as the "
            "artifact of prepare_mnli.py."
        )
    return source, nli_pairs(read_split(source, "train", recipe.shots_config), source.name)


class FewShotEngine:
    """A server whose model sees `shots` pairs of a label before each request, newly drawn for each row.

    Attributes:
        description: what decides the completions, beside the recipe.
        used: tokens of the prompts and the completions of the last call, where the server counts them.

    Raises UserError where the server does not offer the model, where a label has too few pairs, and where a price is
    given and the server does not count tokens.
    """

    def __init__(self, recipe: SynthesisRecipe, pairs: Dataset):
        self.shots = recipe.shots
        self.chat = recipe.server_api == CHAT
        self.examples = examples(pairs, recipe.shots)
        self.server = Server(recipe.server_url, recipe.batch_size)
        self.model = recipe.server_model
        self.used: dict[str, int] = {}
        offered = self.server.models()
        if self.model not in offered:
            raise UserError(
                f"The server at {self.server.url} offers {', '.join(offered) or 'nothing'}, and not {self.model}; set "
                "server_model to one of these."
            )
        version = self.server.version()
        self.sampling = {
            "model": self.model,
            "temperature": recipe.temperature,
            "top_p": recipe.top_p,
            "max_tokens": recipe.max_new_tokens,
            # An example is followed by an empty line; a chat ends by itself.
            **({} if self.chat else {"stop": [BETWEEN]}),
            # Beyond OpenAI's API: vLLM, which gives its version, may have defaults of its own for these.
            **({"top_k": -1, "min_p": 0.0, "repetition_penalty": 1.0} if version else {}),
        }
        self.description = {
            "engine": "server",
            "url": self.server.url,
            "model": self.model,
            "version": version,
            "api": recipe.server_api,
            "shots": recipe.shots,
        }
        if recipe.price_per_million_tokens:
            self._require_counts()

    def sample(self, prompt: str, count: int, seed: int) -> list[str]:
        """As `Engine.sample`; the prompt's own words, where a model repeats them first, are taken away."""
        seeds = [row_seed(seed, row) for row in range(count)]
        completions = self._ask([self._request(prompt, one) for one in seeds])
        self.used = counted(completions)
        return [completion.text.strip().removeprefix(prompt) for completion in completions]

    def _ask(self, requests: Sequence[dict[str, Any]]) -> list[Completion]:
        completions = self.server.answer(requests, chat=self.chat)
        require_whole(completions, self.sampling["max_tokens"], self.server.url)
        return completions

    def _request(self, prompt: str, seed: int) -> dict[str, Any]:
        shown = random.Random(seed).sample(self.examples[prompt], self.shots)
        text = BETWEEN.join([*shown, prompt])
        asked = {"messages": [{"role": "user", "content": f"{INSTRUCTION}{BETWEEN}{text}"}]} if self.chat else {}
        return {**self.sampling, "seed": seed, **(asked or {"prompt": text})}

    def _require_counts(self) -> None:
        if not counted(self._ask([self._request(generator_prompt(LABELS[0]), 0)])):
            raise UserError(
                f"The server at {self.server.url} does not count tokens, so there is no cost to tell; leave out "
                "price_per_million_tokens."
            )


def examples(pairs: Dataset, shots: int) -> dict[str, list[str]]:
    """The text of each pair by the prompt of its label. Raises UserError where a label has fewer pairs than shots."""
    texts: dict[str, list[str]] = {generator_prompt(label): [] for label in LABELS}
    for premise, hypothesis, label in zip(pairs["premise"], pairs["hypothesis"], pairs["label"]):
        prompt = generator_prompt(LABELS[label])
        texts[prompt].append(prompt + generator_completion(premise, hypothesis))
    for label in LABELS:
        there = len(texts[generator_prompt(label)])
        if there < shots:
            raise UserError(f"shots_from has {there} rows of {label}, and a prompt shows {shots}; lower shots.")
    return texts


def counted(completions: Sequence[Completion]) -> dict[str, int]:
    """Tokens of prompts and completions; nothing where the server left out one."""
    tokens = [(completion.prompt_tokens, completion.tokens) for completion in completions]
    if any(None in pair for pair in tokens):
        return {}
    return {"prompt tokens": sum(asked for asked, _ in tokens), "completion tokens": sum(made for _, made in tokens)}


def cost(counts: Mapping[str, Mapping[str, int]], prices: Sequence[float]) -> float | None:
    """What the kept answers took, by the counts of each label and the prices of a million tokens of either kind.

    None where the tokens of a shard are not known. Requests that failed, or whose run was cut off, are not in it.
    """
    names = ("prompt tokens", "completion tokens")
    if not all(name in count for count in counts.values() for name in names):
        return None
    return sum(count[name] * price / 1e6 for count in counts.values() for name, price in zip(names, prices))
