"""What every benchmark shares: rows, model, the machine's measured rate, and timing in turns."""

import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from datasets import Dataset, load_dataset
from tokenizers import ByteLevelBPETokenizer
from transformers import (
    AutoModelForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
)

from blindspots.artifacts.inputs import fetch
from blindspots.data.examples import task_texts
from blindspots.demo.corpus import hans_like, mnli_like
from blindspots.modeling.loading import load_tokenizer
from blindspots.modeling.token_tree import TokenTree

ROOT = Path(__file__).parents[2]
HUB = ROOT.parent / "shared" / "hub" / "datasets"
# Of a deeper model: every layer costs the same, so ratios hold for all of them, and the benchmarks end in minutes.
LAYERS = 8


@dataclass
class Result:
    """One line of the table: ours against another, both in `unit`; `ratio` above 1 means that ours is better.

    of_floor is the share of the time that the useful operations alone take at the machine's measured rate.
    """

    section: str
    what: str
    ours: float
    other: float
    unit: str
    ratio: float
    goal: str = ""
    of_floor: float | None = None
    note: str = ""

    @property
    def met(self) -> str:
        """Whether the ratio reaches the goal, written `>= 2.2` or `<= 1.05`; empty where there is no goal."""
        if not self.goal:
            return ""
        sign, bound = self.goal.split()
        return "yes" if (self.ratio >= float(bound) if sign == ">=" else self.ratio <= float(bound)) else "no"

    def record(self) -> dict:
        """The line as cpu.json holds it, to four digits."""
        values = {name: float(f"{v:.4g}") if isinstance(v, float) else v for name, v in asdict(self).items()}
        return values | {"met": self.met}


def alternate(runs: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Median seconds of processor time of each run, one after the other in turns.

    With one thread that is the wall time of an idle machine, whatever else runs on this one.
    """
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    names = list(runs)
    for turn in range(repeats):
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            start = time.process_time()
            runs[name]()
            seconds[name].append(time.process_time() - start)
    return {name: statistics.median(values) for name, values in seconds.items()}


def matmul_rate(device: str = "cpu", dtype: torch.dtype = torch.float32, size: int = 1536) -> float:
    """Operations a second of square matrix products: the best of five rounds of at least 0.1 s."""
    a, b = (torch.randn(size, size, device=device, dtype=dtype) for _ in range(2))
    clock = time.process_time if device == "cpu" else time.perf_counter
    best, products = 0.0, 1
    while True:
        start = clock()
        for _ in range(products):
            a @ b
        if device != "cpu":
            torch.cuda.synchronize()
        spent = clock() - start
        if spent >= 0.1:
            break
        products *= 2
    for _ in range(5):
        start = clock()
        for _ in range(products):
            a @ b
        if device != "cpu":
            torch.cuda.synchronize()
        best = max(best, 2 * size**3 * products / (clock() - start))
    return best


def matmul_parameters(model: torch.nn.Module) -> int:
    """Weights that every token of the backbone is multiplied with: two operations a token and weight."""
    return sum(p.numel() for name, p in model.named_parameters() if p.dim() == 2 and "embed_tokens" not in name)


def padding_share(lengths: list[int], batches: list[list[int]]) -> float:
    """Share of the computed tokens that is padding, each batch being padded to its longest row."""
    computed = sum(len(batch) * max(lengths[row] for row in batch) for batch in batches)
    return 1 - sum(lengths[row] for batch in batches for row in batch) / computed


def computed_tokens(rows: list[list[int]], batches: list[list[int]]) -> int:
    """Tokens that are computed of rows of token ids where a batch computes what its rows share once."""
    return sum(len(TokenTree.of([rows[row] for row in batch]).cells) for batch in batches)


def mnli(split: str, rows: int | None = None, whole_premises: bool = False) -> Dataset:
    """Rows of real MNLI where ../shared holds it, else of the demo corpus; a sample of them, seed 0.

    whole_premises keeps the rows of one premise together and samples premises.
    """
    folder = HUB / "nyu-mll" / "multi_nli"
    data = load_dataset(str(folder), split=split) if folder.is_dir() else mnli_like(6000, 2000, 0)[split]
    if rows is None or rows >= len(data):
        return data
    if not whole_premises:
        return data.shuffle(seed=0).select(range(rows))
    premises = list(dict.fromkeys(data.shuffle(seed=0)["premise"]))[: rows // 3]
    chosen = set(premises)
    return data.select([row for row, premise in enumerate(data["premise"]) if premise in chosen])


def hans(rows: int | None = None) -> Dataset:
    """Rows of real HANS where ../shared holds it, else of the demo's challenge set; a sample, seed 0."""
    folder = HUB / "jhu-cogsci" / "hans"
    data = load_dataset(str(folder), split="validation") if folder.is_dir() else hans_like(3000, 0)
    return data if rows is None else data.shuffle(seed=0).select(range(rows))


def bpe(texts: list[str]) -> PreTrainedTokenizerFast:
    """A tokenizer trained on task inputs; like a large one it writes the template's words as a token each."""
    tokenizer = ByteLevelBPETokenizer()
    tokenizer.train_from_iterator(texts, vocab_size=8192, special_tokens=["<pad>", "</s>"], show_progress=False)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer._tokenizer, pad_token="<pad>", eos_token="</s>")


def base_model(folder: Path | None, rows: Dataset) -> tuple[LlamaForCausalLM, PreTrainedTokenizerBase]:
    """The first LAYERS layers of the base model of a folder, in fp32; without one a random Llama of four layers.

    The random one has SmolLM2-135M's width.
    """
    if folder is not None:
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
        model.model.layers = model.model.layers[:LAYERS]
        model.config.num_hidden_layers, model.config.layer_types = len(model.model.layers), None
        return model, load_tokenizer(fetch(str(folder), "model"))
    tokenizer = bpe(task_texts(rows))
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=576,
        intermediate_size=1536,
        num_hidden_layers=4,
        num_attention_heads=9,
        num_key_value_heads=3,
        tie_word_embeddings=True,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    torch.manual_seed(0)
    return LlamaForCausalLM(config), tokenizer


def described(folder: Path | None, model: LlamaForCausalLM) -> str:
    """The model of a benchmark in words, never its path."""
    shape = f"{model.config.num_hidden_layers} layers, width {model.config.hidden_size}"
    if folder is None:
        return f"random Llama, {shape}, tokenizer trained on the rows"
    return f"pretrained {model.config.model_type} weights, {shape}, fp32"
