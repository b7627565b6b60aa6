"""The scripts as commands: start-up beside bare imports, two processes beside one, time and memory as rows grow."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from datasets import Dataset
from side_by_side import ROOT, Result, mnli

from blindspots.demo.base_model import tiny_base

IMPORTS = "import torch, transformers, trl, peft; from transformers import Trainer, TrainingArguments, AutoModel"
# A small parent of its own, because a child's peak starts with that of the process that forked it.
PEAK_MEMORY = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""
SIZES = (1_000, 10_000, 100_000)
WORKER = Path(__file__).with_name("predict_worker.py")


def command(*words: str | Path) -> tuple[float, float]:
    """Seconds and peak memory (MB) of a command that must succeed."""
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-S", "-c", PEAK_MEMORY, sys.executable, *map(str, words)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise RuntimeError(f"{words[0]} ended with {done.returncode}: {done.stderr[-2000:]}")
    return time.perf_counter() - start, int(done.stdout.splitlines()[-1]) / 1024


def startup() -> list[Result]:
    """--help, and the first optimiser step, each beside the bare imports of what training needs."""
    turns = [(command("scripts/finetune_task.py", "--help")[0], command("-c", IMPORTS)[0]) for _ in range(5)]
    help_time, imports = (statistics.median(turn[side] for turn in turns) for side in (0, 1))
    with tempfile.TemporaryDirectory() as folder:
        first_step = statistics.median(seconds_to_first_step(Path(folder)) for _ in range(3))
    return [
        Result("start-up", "finetune_task.py --help, goal 0.5 s", help_time, 0.5, "s", help_time / 0.5, "<= 1"),
        Result(
            "start-up",
            "first optimiser step, bare imports",
            first_step,
            imports,
            "s",
            first_step / imports,
            "",
            None,
            "tiny model, 64 rows, from the command to the logged loss of step 1",
        ),
    ]


def seconds_to_first_step(folder: Path) -> float:
    """From the command to the line that finetune_task.py logs after its first step."""
    rows = mnli("train", 64)
    rows.to_parquet(folder / "data" / "train.parquet")
    for part in tiny_base((*rows["premise"], *rows["hypothesis"]), 0, hidden_size=64, layers=2):
        part.save_pretrained(folder / "base")
    words = {
        "model_name_or_path": folder / "base",
        "train_dataset": folder / "data",
        "output_dir": folder / "out",
        "max_steps": 1,
        "logging_steps": 1,
        "use_cpu": "true",
        "report_to": "none",
        "save_strategy": "no",
        "disable_tqdm": "true",
    }
    start = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-u", "scripts/finetune_task.py", *(f"--{name}={value}" for name, value in words.items())],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    lines = []
    for line in process.stdout:
        lines.append(line)
        if "'loss'" in line:
            spent = time.perf_counter() - start
            process.communicate()
            return spent
    raise RuntimeError(f"finetune_task.py logged no loss: {''.join(lines)[-2000:]}")


def scaling(base, tokenizer) -> list[Result]:
    """Two processes beside one, and each script's time and memory at the smallest and the largest number of rows."""
    with tempfile.TemporaryDirectory() as folder:
        lines = [processes(base, tokenizer, Path(folder))]
        seconds, memory = {}, {}
        for size in SIZES:
            for name, measured in sized_commands(Path(folder) / str(size), size).items():
                seconds[name, size], memory[name, size] = measured
    for name in dict.fromkeys(name for name, _ in seconds):
        first, last = SIZES[0], SIZES[-1]
        a_row = (seconds[name, last] - seconds[name, first]) / (last - first)
        ten = (seconds[name, SIZES[1]] - seconds[name, first]) / (SIZES[1] - first)
        lines.append(
            Result(
                "scaling",
                f"{name}, {last:,} rows beside {first:,}",
                seconds[name, last],
                seconds[name, first],
                "s",
                seconds[name, last] / seconds[name, first],
                f"<= {last // first}",
                None,
                f"{a_row * 1e6:.0f} us a further row ({ten * 1e6:.0f} up to {SIZES[1]:,}); peak memory "
                f"{memory[name, first]:.0f}, {memory[name, SIZES[1]]:.0f} and {memory[name, last]:.0f} MB",
            )
        )
    return lines


def processes(base, tokenizer, folder: Path) -> Result:
    """Rows a second of evaluation with two processes of one thread and with one."""
    for part in (base, tokenizer):
        part.save_pretrained(folder / "base")
    speed = {}
    for count in (1, 2, 1, 2):
        words = ["-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={count}", WORKER, folder / "base"]
        done = subprocess.run(
            [sys.executable, *words],
            cwd=ROOT,
            capture_output=True,
            text=True,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )
        if done.returncode:
            raise RuntimeError(f"{count} processes: {done.stderr[-2000:]}")
        measured = json.loads(done.stdout.splitlines()[-1])
        if measured["processes"] != count:
            raise RuntimeError(f"{count} processes were wanted, {measured['processes']} ran.")
        speed.setdefault(count, []).append(measured["rows_per_second"])
    one, two = (statistics.median(speed[count]) for count in (1, 2))
    return Result(
        "scaling",
        "evaluation, 2 processes beside 1",
        two,
        one,
        "rows/s",
        two / one,
        "",
        None,
        "one thread each; MNLI matched, start-up left out",
    )


def sized_commands(folder: Path, size: int) -> dict[str, tuple[float, float]]:
    """Seconds and MB of preparation, of a variant and of the scores, on `size` rows resampled from MNLI train."""
    data = mnli("train")
    rows = data.select(np.random.default_rng(0).integers(len(data), size=size))
    texts = [f"{text} {row}" for row, text in enumerate(rows["hypothesis"])]  # no pair comes twice
    columns = {"premise": rows["premise"], "hypothesis": texts, "label": rows["label"]}
    Dataset.from_dict(columns, features=data.select_columns(list(columns)).features).to_parquet(
        folder / "raw" / "train.parquet"
    )
    prepared, variant = folder / "prepared", folder / "variant"
    return {
        "prepare_mnli.py": command(
            "scripts/prepare_mnli.py",
            f"--mnli={folder / 'raw'}",
            f"--output_dir={prepared}",
            "--dev_rows_per_label=10",
            f"--start_sizes=[{size // 2}]",
        ),
        "build_variants.py": command(
            "scripts/build_variants.py",
            "--kind=original",
            f"--original={prepared}",
            f"--output_dir={variant}",
            f"--sizes=[{size // 2}]",
        ),
        "score of predictions": command(WORKER, "--score", scored(folder / "model", size)),
    }


def scored(folder: Path, size: int) -> Path:
    """A folder with predictions of `size` rows in the file that evaluation writes."""
    random = np.random.default_rng(0)
    logits = random.normal(size=(size, 3)).astype(np.float32)
    empty = [""] * size
    table = {
        "id": [str(row) for row in range(size)],
        "gold": random.choice(["entailment", "neutral"], size).tolist(),
        "logit_entailment": logits[:, 0],
        "logit_neutral": logits[:, 1],
        "logit_contradiction": logits[:, 2],
        "heuristic": empty,
        "subcase": empty,
        "genre": ["fiction"] * size,
        "cluster": empty,
    }
    (folder / "predictions").mkdir(parents=True)
    pq.write_table(pa.table(table), folder / "predictions" / "mnli_matched.parquet")
    return folder
