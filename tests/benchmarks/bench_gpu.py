"""Training, evaluation and generation on one CUDA device, offline, random weights: results/benchmarks/gpu.json.

python tests/benchmarks/bench_gpu.py            (on a machine with a CUDA device; within 10 minutes)
python tests/benchmarks/bench_gpu.py --rehearse (the same code in tiny sizes on the CPU; nothing is written)

The file is written after each line. A line that fails is in it with the reason, as is every line where there is no
CUDA device; nothing is written there.
"""

import argparse
import functools
import os
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
os.environ |= {"HF_HUB_OFFLINE": "1", "HF_UPDATE_DOWNLOAD_COUNTS": "0", "TQDM_DISABLE": "1"}
sys.path[:0] = [str(ROOT / "scripts"), str(Path(__file__).parent)]

import torch  # noqa: E402
from gpu_lines import Record, Task, measure  # noqa: E402
from gpu_training import Variant, random_llama, rate_of_steps, variants  # noqa: E402
from results_table import gpu_table  # noqa: E402
from side_by_side import bpe, hans, matmul_rate, mnli  # noqa: E402

from blindspots.artifacts.inputs import Source  # noqa: E402
from blindspots.config.recipes import SynthesisRecipe  # noqa: E402
from blindspots.data.examples import task_texts  # noqa: E402
from blindspots.data.nli import LABELS, generator_prompt  # noqa: E402
from blindspots.demo.base_model import tiny_base  # noqa: E402
from blindspots.evaluation.prediction import predict_logits  # noqa: E402
from blindspots.modeling.classifier import Classifier  # noqa: E402
from blindspots.modeling.sampling import TransformersEngine  # noqa: E402

RESULTS = ROOT / "results" / "benchmarks"
# Shapes of Llama-2-7B and of SmolLM2-135M, from their published configs.
SEVEN = {
    "hidden_size": 4096,
    "intermediate_size": 11008,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "vocab_size": 32000,
}
SMALL = {
    "hidden_size": 576,
    "intermediate_size": 1536,
    "num_hidden_layers": 30,
    "num_attention_heads": 9,
    "num_key_value_heads": 3,
    "vocab_size": 49152,
    "tie_word_embeddings": True,
}
# Dense bf16 operations a second by the makers' data sheets; elsewhere MFU is over the measured matrix products.
PEAK = {"H200": 989e12, "H100": 989e12, "A100": 312e12}
TINY = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "vocab_size": 8192,
    "tie_word_embeddings": True,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rehearse", action="store_true", help="tiny sizes on the CPU")
    rehearse = parser.parse_args().rehearse
    device = "cpu" if rehearse or not torch.cuda.is_available() else "cuda"
    keep = Record(RESULTS) if device == "cuda" else lambda lines: None
    lines = measure(tasks(device, rehearse) if rehearse or device == "cuda" else without_device(), keep)
    print(gpu_table(lines))
    if device == "cpu":
        print(f"Nothing was measured on a CUDA device; {RESULTS.name}/gpu.json is as it was.")


def without_device() -> list[Task]:
    """The tasks of a machine that has no CUDA device, none of which can be measured."""

    def fail() -> dict:
        raise RuntimeError("this machine has no CUDA device")

    return [(name, fail) for name, _ in tasks("cuda", rehearse=False)]


def tasks(device: str, rehearse: bool) -> list[Task]:
    """What is measured, one line each."""
    seven, small = (TINY, TINY) if rehearse else (SEVEN, SMALL)
    training = [
        (f"{variant.name}, {batch} rows per batch", lambda v=variant, b=batch: train_line(v, b, device))
        for variant in variants(seven, small, rehearse)
        for batch in variant.batches
    ]
    return [
        ("matrix products", lambda: product_line(device, rehearse)),
        *training,
        ("evaluation", lambda: evaluation_line(device, test_texts(rehearse), small)),
        ("generation", lambda: generation_line(device, small, rehearse)),
    ]


def product_line(device: str, rehearse: bool) -> dict:
    """The rate of square matrix products."""
    rate = matmul_rate(device, torch.float32 if rehearse else torch.bfloat16, 256 if rehearse else 8192)
    note = "256 x 256, fp32" if rehearse else "8192 x 8192, bf16"
    return {"value": f"{rate / 1e12:.3g} TFLOP/s", "note": note}


@functools.cache
def peak_rate(device: str) -> float:
    """Operations a second that MFU is a share of: the maker's figure, else the rate of matrix products."""
    if device == "cpu":
        return matmul_rate(device, torch.float32, 256)
    name = torch.cuda.get_device_name()
    known = [rate for device_name, rate in PEAK.items() if device_name in name]
    return known[0] if known else matmul_rate(device, torch.bfloat16, 8192)


def test_texts(rehearse: bool) -> list[str]:
    """The inputs of all 39,815 test rows where ../shared is, else of as many as the demo corpus has."""
    texts = []
    for data in (mnli("validation_matched", 20 if rehearse else None), hans(20 if rehearse else None)):
        texts += task_texts(data)
    return texts


def train_line(variant: Variant, batch: int, device: str) -> dict:
    """Rows and tokens per second, milliseconds per step, share of the peak and memory."""
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    rate = rate_of_steps(variant, batch, device)
    memory = torch.cuda.max_memory_allocated() / 2**30 if device == "cuda" else float("nan")
    return {
        "value": f"{rate.tokens / rate.seconds:,.0f} tokens/s",
        "rows/s": f"{rate.rows / rate.seconds:.1f}",
        "ms a step": f"{1000 * rate.seconds / rate.steps:.0f}",
        "MFU": f"{rate.operations / rate.seconds / peak_rate(device):.1%}",
        "peak GiB": f"{memory:.1f}",
        "note": variant.note,
    }


def evaluation_line(device: str, texts: list[str], shape: dict) -> dict:
    """Seconds for all test rows through a random classifier, the second time that they are predicted."""
    tokenizer = bpe(texts[:3000])
    dtype = torch.float32 if device == "cpu" else torch.bfloat16
    model = random_llama(shape, True, dtype, device)
    model.config.id2label = dict(enumerate(LABELS))
    for _ in ("warm up", "timed"):
        start = time.perf_counter()
        predict_logits(Classifier(model, tokenizer), texts, 4096 if device == "cpu" else 65536)
        spent = time.perf_counter() - start
    return {
        "value": f"{spent:.1f} s",
        "rows/s": f"{len(texts) / spent:,.0f}",
        "note": f"{len(texts):,} rows, tokenising included; goal below 20 s",
    }


def generation_line(device: str, shape: dict, rehearse: bool) -> dict:
    """Samples a second of a random generator whose rows end at a constant rate, 60 tokens in the mean."""
    texts = test_texts(True)
    _, tokenizer = tiny_base(texts, 0, hidden_size=32, layers=1, vocabulary=1024)
    model = random_llama(shape | {"tie_word_embeddings": False}, False, torch.float32, device)
    batch, count, longest = (8, 16, 20) if rehearse else (1024, 4096, 256)
    with tempfile.TemporaryDirectory() as folder:
        model.config.eos_token_id, model.config.pad_token_id = tokenizer.eos_token_id, tokenizer.pad_token_id
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        recipe = SynthesisRecipe(
            output_dir="unused",
            generator=folder,
            samples_per_label=count,
            batch_size=batch,
            max_new_tokens=longest,
            dtype="float32" if rehearse else "bfloat16",
        )
        engine = TransformersEngine(Source("generator", Path(folder), None, "model"), recipe, torch.device(device))
    engine.warp.append(lambda ids, scores: end_at(scores, engine.tokenizer.eos_token_id, 1 / 60))
    for _ in ("warm up", "timed"):
        start = time.perf_counter()
        engine.sample(generator_prompt("neutral"), count, seed=0)
        spent = time.perf_counter() - start
    return {
        "value": f"{count / spent:,.0f} samples/s",
        "note": f"batch {batch}, ends drawn at 1/60 a token, at most {longest} tokens",
    }


def end_at(scores: torch.Tensor, eos: int, share: float) -> torch.Tensor:
    """Scores under which the end token has the probability `share`."""
    scores = scores.clone()
    scores[:, eos] = float("-inf")
    scores[:, eos] = scores.logsumexp(-1) + torch.tensor(share / (1 - share)).log()
    return scores


if __name__ == "__main__":
    main()
