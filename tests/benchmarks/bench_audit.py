"""The audit at the paper's scale, 1.82 million rows made by resampling: writes results/benchmarks/audit.json.

python tests/benchmarks/bench_audit.py

The heuristics beside a plain-Python word loop over the same rows in one run, the same flags from both; then the whole
audit as a process of its own, with its wall time and its peak memory.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[2]
os.environ |= {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "TQDM_DISABLE": "1"}
sys.path[:0] = [str(ROOT / "scripts")]
HUB = ROOT.parent / "shared" / "hub" / "datasets"
PAPER_ROWS = 1_819_813
POOL = ("nyu-mll/multi_nli", "ling-in-loop/lingnli", "external/wanli", "external/supergen-mnli")


def made_rows(folder: Path, rows: int) -> str:
    """Write a dataset folder of rows drawn from the pool with replacement, seed 0; returns what the pool is."""
    import numpy as np
    import pyarrow as pa
    from datasets import Dataset, concatenate_datasets, load_dataset

    from blindspots.demo.corpus import mnli_like

    if HUB.is_dir():
        columns = ["premise", "hypothesis", "label"]
        parts = [load_dataset(str(HUB / name), split="train").select_columns(columns) for name in POOL]
        pool, named = concatenate_datasets(parts), ", ".join(POOL)
    else:
        pool, named = (
            mnli_like(40_000, 3, 0)["train"].select_columns(["premise", "hypothesis", "label"]),
            "demo corpus",
        )
    drawn = pool.with_format("arrow")[:].take(pa.array(np.random.default_rng(0).integers(len(pool), size=rows)))
    (folder / "data").mkdir(parents=True)
    Dataset(drawn, info=pool.info).to_parquet(folder / "data" / "train-00000-of-00001.parquet")
    return f"{named}: {len(pool):,} rows"


def heuristic_seconds(folder: Path) -> dict:
    """CPU seconds of the batch function and of a loop over the same rows; both must flag the same rows."""
    from blindspots.artifacts.inputs import fetch
    from blindspots.audit.rows import Columns, opened
    from blindspots.data.heuristics import HEURISTICS, WORD_RULES, count_heuristics, lexical_overlap, subsequence

    seconds = {"batch": 0.0, "word loop": 0.0}
    counts, looped = None, dict.fromkeys([(rule, name) for rule in WORD_RULES for name in HEURISTICS[:2]], 0)
    with opened(fetch(str(folder), "dataset"), "rows", "train", Columns()) as rows:
        for batch in rows.batches():
            start = time.process_time()
            more = count_heuristics(batch.premises, batch.hypotheses, batch.labels)
            counts = more if counts is None else counts.add(more, fill_value=0)
            middle = time.process_time()
            for pair in zip(batch.premises, batch.hypotheses):
                for stripped, rule in enumerate(WORD_RULES):
                    looped[rule, "lexical_overlap"] += lexical_overlap(*pair, bool(stripped))
                    looped[rule, "subsequence"] += subsequence(*pair, bool(stripped))
            seconds["batch"] += middle - start
            seconds["word loop"] += time.process_time() - middle
    flagged = counts["count"].groupby(level=["words", "heuristic"]).sum().astype(int).to_dict()
    if flagged != looped:
        raise SystemExit(f"The batch function flags {flagged}, the loop {looped}.")
    return {name: round(value, 1) for name, value in seconds.items()}


def whole_audit(folder: Path, reference: str, output: Path) -> dict:
    """Wall and CPU seconds and peak memory of audit_dataset.py on the rows."""
    command = [
        sys.executable,
        "-W",
        "ignore",
        ROOT / "scripts" / "audit_dataset.py",
        "--dataset",
        folder,
        "--reference",
        reference,
        "--output_dir",
        output,
    ]
    command += ["--mnli", HUB / "nyu-mll/multi_nli", "--hans", HUB / "jhu-cogsci/hans"] if HUB.is_dir() else []
    start = time.perf_counter()
    subprocess.run([str(part) for part in command], check=True)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "wall_s": round(time.perf_counter() - start, 1),
        "cpu_s": round(used.ru_utime + used.ru_stime, 1),
        "peak_memory_gib": round(used.ru_maxrss / 2**20, 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=PAPER_ROWS)
    parser.add_argument("--output", type=Path, default=ROOT / "results" / "benchmarks" / "audit.json")
    arguments = parser.parse_args()

    from blindspots.artifacts.lineage import code_commit, hardware

    load = os.getloadavg()
    with TemporaryDirectory() as work:
        pool = made_rows(Path(work) / "rows", arguments.rows)
        seconds = heuristic_seconds(Path(work) / "rows")
        reference = str(HUB / POOL[0]) if HUB.is_dir() else str(Path(work) / "rows")
        audit = whole_audit(Path(work) / "rows", reference, Path(work) / "audit")
    record = {
        "date": datetime.now(UTC).date().isoformat(),
        "commit": code_commit(),
        "hardware": hardware(),
        "load_average": {"start": load, "end": os.getloadavg()},
        "processes": 1,
        "rows": arguments.rows,
        "drawn from": pool,
        "heuristics_cpu_s": seconds,
        "speedup": round(seconds["word loop"] / seconds["batch"], 1),
        "whole_audit": audit,
    }
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(json.dumps(record, indent=2) + "\n")
    print(json.dumps(record, indent=2))


if __name__ == "__main__":
    main()
