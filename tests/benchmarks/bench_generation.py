"""Generation beside plain `model.generate` on static batches of the same size, from a generator tuned on the spot."""

import copy
import tempfile
from pathlib import Path

import numpy as np
import torch
from datasets import Dataset
from scipy import stats
from side_by_side import Result, alternate, matmul_parameters, mnli
from sklearn.feature_extraction.text import CountVectorizer
from transformers import PreTrainedModel, PreTrainedTokenizerBase
from trl import SFTConfig

from blindspots.artifacts.inputs import Source
from blindspots.config.recipes import SynthesisRecipe
from blindspots.data.examples import generator_examples
from blindspots.data.nli import END_MARKER, ENTAILMENT, generator_prompt, parse_generated
from blindspots.data.nli_datasets import nli_pairs
from blindspots.demo.base_model import tiny_base
from blindspots.modeling.sampling import TransformersEngine
from blindspots.training.trainers import GeneratorTrainer

ROWS = 4000
BATCH = 128
SAMPLES = 512
MAX_NEW_TOKENS = 200
REPEATS = 3


def run(rate: float) -> list[Result]:
    """The generation section of the table; `rate` in operations per second."""
    with tempfile.TemporaryDirectory() as folder:
        tune(Path(folder))
        recipe = SynthesisRecipe(
            output_dir="unused",
            generator=folder,
            samples_per_label=SAMPLES,
            batch_size=BATCH,
            max_new_tokens=MAX_NEW_TOKENS,
        )
        engine = TransformersEngine(Source("generator", Path(folder), None, "model"), recipe, torch.device("cpu"))
    plain = copy.deepcopy(engine.model)
    plain.set_attn_implementation("sdpa")  # the default of transformers
    prompt, texts = generator_prompt(ENTAILMENT), {"ours": [], "static": []}
    seconds = alternate(
        {
            "ours": lambda: texts["ours"].append(engine.sample(prompt, SAMPLES, seed=len(texts["ours"]))),
            "static": lambda: texts["static"].append(
                static(plain, engine.tokenizer, prompt, seed=len(texts["static"]))
            ),
        },
        REPEATS,
    )
    drawn = {name: [text for part in parts for text in part] for name, parts in texts.items()}
    kept = {name: sum(parse_generated(text) is not None for text in part) / REPEATS for name, part in drawn.items()}
    ended = {name: [text.split(END_MARKER)[0] for text in part] for name, part in drawn.items()}
    lengths = {name: [len(ids) for ids in engine.tokenizer(part)["input_ids"]] for name, part in ended.items()}
    floor = 2 * matmul_parameters(engine.model) * sum(lengths["ours"]) / REPEATS / rate / seconds["ours"]
    speed = {name: kept[name] / seconds[name] for name in kept}
    return [
        Result(
            "generation",
            "kept examples, static model.generate",
            speed["ours"],
            speed["static"],
            "examples/s",
            speed["ours"] / speed["static"],
            ">= 2",
            floor,
            f"batches of {BATCH}, {kept['ours'] / SAMPLES:.0%} and {kept['static'] / SAMPLES:.0%} kept; tokens per "
            f"sample: mean {np.mean(lengths['ours']):.0f}, longest {max(lengths['ours'])}",
        ),
        same_distribution(ended, lengths),
    ]


def tune(folder: Path) -> None:
    """Tune a small Llama on rows of natural length for one epoch and save it."""
    pairs = nli_pairs(mnli("train", ROWS), "MNLI", unlabelled=True)
    base, tokenizer = tiny_base(
        (*pairs["premise"], *pairs["hypothesis"]), 0, hidden_size=192, layers=3, vocabulary=2048
    )
    texts = [
        text
        for text in generator_examples(pairs, "text")["text"]
        if len(tokenizer(text)["input_ids"]) < MAX_NEW_TOKENS
    ]
    arguments = SFTConfig(
        str(folder),
        num_train_epochs=1,
        learning_rate=2e-3,
        lr_scheduler_type="cosine",
        per_device_train_batch_size=32,
        save_strategy="no",
        logging_strategy="no",
        use_cpu=True,
        bf16=False,
        gradient_checkpointing=False,
        report_to="none",
        disable_tqdm=True,
    )
    trainer = GeneratorTrainer(
        base,
        arguments,
        train_dataset=Dataset.from_dict({"text": texts}),
        processing_class=tokenizer,
        tokens_per_batch=2048,
    )
    trainer.train()
    trainer.save_model(str(folder))


@torch.inference_mode()
def static(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, prompt: str, seed: int) -> list[str]:
    """SAMPLES completions in static batches: each runs until its longest row has ended."""
    torch.manual_seed(seed)
    ids = tokenizer(prompt, return_tensors="pt")["input_ids"]
    settings = {"do_sample": True, "temperature": 1.0, "top_k": 0, "top_p": 1.0, "max_new_tokens": MAX_NEW_TOKENS}
    texts = []
    for _ in range(0, SAMPLES, BATCH):
        rows = model.generate(ids.repeat(BATCH, 1), pad_token_id=tokenizer.pad_token_id, **settings)
        texts += tokenizer.batch_decode(rows[:, ids.shape[1] :], skip_special_tokens=True)
    return texts


def same_distribution(drawn: dict[str, list[str]], lengths: dict[str, list[int]]) -> Result:
    """Lengths by a Kolmogorov-Smirnov test; the 100 commonest bigrams by a permutation test over whole texts."""
    by_length = stats.ks_2samp(lengths["ours"], lengths["static"]).pvalue
    counts = {name: bigram_counts(part, drawn["static"]) for name, part in drawn.items()}

    def distance(ours: np.ndarray, other: np.ndarray) -> float:
        return np.abs(ours.mean(axis=0) - other.mean(axis=0)).sum()

    pooled, random = np.concatenate([counts["ours"], counts["static"]]), np.random.default_rng(0)
    observed, size = distance(counts["ours"], counts["static"]), len(counts["ours"])
    shuffled = [distance(*np.split(random.permutation(pooled), [size])) for _ in range(199)]
    by_bigram = (1 + sum(value >= observed for value in shuffled)) / 200
    return Result(
        "generation",
        "p of one distribution: lengths, bigrams",
        by_length,
        by_bigram,
        "p",
        min(by_length, by_bigram),
        ">= 0.01",
        None,
        f"{size} texts each; the ratio is the smaller p",
    )


def bigram_counts(texts: list[str], reference: list[str]) -> np.ndarray:
    """Counts of the reference's 100 commonest word bigrams in each text, (texts, 100)."""
    vectorizer = CountVectorizer(ngram_range=(2, 2), max_features=100).fit(reference)
    return vectorizer.transform(texts).toarray()
