"""Training, evaluation and generation on one CUDA device, offline, random weights: results/benchmarks/gpu.json.

python tests/benchmarks/bench_gpu.py            (on a machine with a CUDA device; within 10 minutes)
python tests/benchmarks/bench_gpu.py --rehearse (the same code in tiny sizes on the CPU; nothing is written)
"""

import argparse
import json
import os
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).parents[2]
os.environ |= {"HF_HUB_OFFLINE": "1", "HF_UPDATE_DOWNLOAD_COUNTS": "0", "TQDM_DISABLE": "1"}
sys.path[:0] = [str(ROOT / "scripts"), str(Path(__file__).parent)]

import torch  # noqa: E402
from gpu_training import Variant, bpe, random_llama, rate_of_steps, variants  # noqa: E402
from side_by_side import hans, matmul_rate, mnli  # noqa: E402

from blindspots.artifacts.inputs import Source  # noqa: E402
from blindspots.artifacts.lineage import code_commit, hardware, versions  # noqa: E402
from blindspots.config.errors import UserError  # noqa: E402
from blindspots.config.processes import run_script  # noqa: E402
from blindspots.config.recipes import SynthesisRecipe  # noqa: E402
from blindspots.data.examples import task_texts  # noqa: E402
from blindspots.data.nli import LABELS, generator_prompt  # noqa: E402
from blindspots.demo.base_model import tiny_base  # noqa: E402
from blindspots.evaluation.prediction import predict_logits  # noqa: E402
from blindspots.modeling.classifier import Classifier  # noqa: E402
from blindspots.modeling.engines import TransformersEngine  # noqa: E402

MINUTES = 9.0  # measurements that have not begun by then are left out, and the table says so
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
    if not rehearse and not torch.cuda.is_available():
        raise UserError(
            "bench-gpu needs a CUDA device and this machine has none, so nothing was measured. "
            "--rehearse runs the same code in tiny sizes on the CPU."
        )
    started, load = time.time(), os.getloadavg()
    lines = measure("cpu" if rehearse else "cuda", rehearse, started)
    from results_table import gpu_table, write_readme

    print(gpu_table(lines))
    if rehearse:
        return
    record = {
        "date": datetime.now(UTC).date().isoformat(),
        "commit": code_commit(),
        "hardware": hardware(),
        "load_average": {"start": load, "end": os.getloadavg()},
        "versions": versions(),
        "model": "random weights in the shapes of Llama-2-7B and SmolLM2-135M",
        "rows": "lengths of real rows where ../shared is, else of the demo corpus",
        "wall_time_s": round(time.time() - started),
        "results": lines,
    }
    folder = ROOT / "results" / "benchmarks"
    (folder / "gpu.json").write_text(json.dumps(record, indent=2) + "\n")
    write_readme(folder)


def measure(device: str, rehearse: bool, started: float) -> list[dict]:
    """All lines of the table; one that fails or comes too late says so in its place."""
    peak = matmul_rate(device, torch.float32 if rehearse else torch.bfloat16, 256 if rehearse else 8192)
    lines = [
        {
            "measured": "matrix products",
            "value": f"{peak / 1e12:.3g} TFLOP/s",
            "note": "256 x 256, fp32" if rehearse else "8192 x 8192, bf16",
        }
    ]
    if not rehearse:
        name = torch.cuda.get_device_name()
        peak = next((rate for device_name, rate in PEAK.items() if device_name in name), peak)
    tests = test_texts(rehearse)
    tasks = [
        *(
            (f"T and G steps, {variant.name}", lambda v=variant: train_lines(v, device, peak))
            for variant in variants(TINY if rehearse else SEVEN, TINY if rehearse else SMALL, rehearse)
        ),
        ("evaluation", lambda: evaluation_lines(device, tests, TINY if rehearse else SMALL)),
        ("generation", lambda: generation_lines(device, TINY if rehearse else SMALL, rehearse)),
    ]
    for name, task in tasks:
        if time.time() - started > 60 * MINUTES:
            lines.append({"measured": name, "value": "not measured", "note": "the time was up"})
            continue
        try:
            lines += task()
        except (ImportError, torch.OutOfMemoryError, RuntimeError, ValueError) as error:
            reason = " ".join(str(error).split())[:160]
            lines.append({"measured": name, "value": "not measured", "note": f"{type(error).__name__}: {reason}"})
        if device == "cuda":
            torch.cuda.empty_cache()
        print(f"{name}: {time.time() - started:.0f} s", flush=True)
    return lines


def test_texts(rehearse: bool) -> list[str]:
    """The inputs of all 39,815 test rows where ../shared is, else of as many as the demo corpus has."""
    texts = []
    for data in (mnli("validation_matched", 20 if rehearse else None), hans(20 if rehearse else None)):
        texts += task_texts(data)
    return texts


def train_lines(variant: Variant, device: str, peak: float) -> list[dict]:
    """One line a batch size of a variant: rows and tokens a second, share of the peak, memory."""
    lines = []
    for batch in variant.batches:
        if device == "cuda":
            torch.cuda.reset_peak_memory_stats()
        rows, tokens, operations = rate_of_steps(variant, batch, device)
        memory = torch.cuda.max_memory_allocated() / 2**30 if device == "cuda" else float("nan")
        lines.append(
            {
                "measured": f"{variant.name}, {batch} rows a batch",
                "value": f"{tokens:,.0f} tokens/s",
                "rows/s": f"{rows:.1f}",
                "MFU": f"{operations / peak:.1%}",
                "peak GiB": f"{memory:.1f}",
                "note": variant.note,
            }
        )
    return lines


def evaluation_lines(device: str, texts: list[str], shape: dict) -> list[dict]:
    """Seconds for all test rows through a random classifier."""
    tokenizer = bpe(texts[:3000])
    dtype = torch.float32 if device == "cpu" else torch.bfloat16
    model = random_llama(shape, True, dtype, device)
    model.config.id2label = dict(enumerate(LABELS))
    start = time.perf_counter()
    predict_logits(Classifier(model, tokenizer), texts, 4096 if device == "cpu" else 65536)
    spent = time.perf_counter() - start
    return [
        {
            "measured": f"evaluation of {len(texts):,} rows",
            "value": f"{spent:.1f} s",
            "rows/s": f"{len(texts) / spent:,.0f}",
            "note": "tokenising included; goal below 20 s",
        }
    ]


def generation_lines(device: str, shape: dict, rehearse: bool) -> list[dict]:
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
    start = time.perf_counter()
    engine.sample(generator_prompt("neutral"), count, seed=0)
    spent = time.perf_counter() - start
    return [
        {
            "measured": "generation",
            "value": f"{count / spent:,.0f} samples/s",
            "note": f"batch {batch}, ends drawn at 1/60 a token, at most {longest} tokens",
        }
    ]


def end_at(scores: torch.Tensor, eos: int, share: float) -> torch.Tensor:
    """Scores under which the end token has the probability `share`."""
    scores = scores.clone()
    scores[:, eos] = float("-inf")
    scores[:, eos] = scores.logsumexp(-1) + torch.tensor(share / (1 - share)).log()
    return scores


if __name__ == "__main__":
    run_script(main)
