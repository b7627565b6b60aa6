"""Every CPU benchmark side by side with what it replaces: prints one table and writes results/benchmarks/cpu.json.

python tests/benchmarks/bench.py --model outputs/smollm2-135m/base
"""

import argparse
import json
import os
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).parents[2]
os.environ |= {
    "HF_HUB_OFFLINE": "1",
    "HF_UPDATE_DOWNLOAD_COUNTS": "0",
    "TOKENIZERS_PARALLELISM": "false",
    "TQDM_DISABLE": "1",
}
sys.path[:0] = [str(ROOT / "scripts")]

SECTIONS = ("evaluation", "training", "generation", "startup", "scaling")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, help="folder of a base model, cut to 8 layers; by default a random one")
    parser.add_argument("--sections", nargs="+", choices=SECTIONS, default=SECTIONS)
    parser.add_argument("--rows", type=int, default=256, help="rows of each test set in the evaluation section")
    parser.add_argument("--output", type=Path, default=ROOT / "results" / "benchmarks" / "cpu.json")
    arguments = parser.parse_args()

    import torch
    from results_table import cpu_table, write_readme
    from side_by_side import base_model, described, matmul_rate, mnli

    from blindspots.artifacts.lineage import code_commit, hardware, versions

    torch.set_num_threads(1)
    started, load = time.time(), os.getloadavg()
    rate = matmul_rate()
    train = mnli("train")
    base, tokenizer = base_model(arguments.model, train)
    lines = []
    for section in arguments.sections:
        lines += run_section(section, base, tokenizer, rate, arguments.rows)
        print(f"{section}: done after {time.time() - started:.0f} s", flush=True)
    record = {
        "date": datetime.now(UTC).date().isoformat(),
        "commit": code_commit(),
        "hardware": hardware(),
        "load_average": {"start": load, "end": os.getloadavg()},
        "threads_a_process": torch.get_num_threads(),
        "matmul_gflops": round(rate / 1e9, 1),
        "versions": versions(),
        "model": described(arguments.model, base),
        "rows": "MultiNLI and HANS" if (ROOT.parent / "shared" / "hub").is_dir() else "demo corpus",
        "wall_time_s": round(time.time() - started),
        "results": [line.record() for line in lines],
    }
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(json.dumps(record, indent=2) + "\n")
    print(cpu_table(record["results"]))
    write_readme(arguments.output.parent)


def run_section(section: str, base, tokenizer, rate: float, rows: int) -> list:
    """The lines of one section."""
    if section == "evaluation":
        import bench_evaluation

        return bench_evaluation.run(base, tokenizer, rate, rows)
    if section == "training":
        import bench_training

        return bench_training.run(base, tokenizer, rate)
    if section == "generation":
        import bench_generation

        return bench_generation.run(rate)
    import bench_scripts

    return bench_scripts.startup() if section == "startup" else bench_scripts.scaling(base, tokenizer)


if __name__ == "__main__":
    main()
