"""The figures of results/benchmarks/*.json as tables, and the README that holds them."""

import json
from pathlib import Path

from blindspots.artifacts.files import markdown_table

README = """# Benchmarks

Written by `make bench` (cpu.json) and `make bench-gpu` (gpu.json); the code is in tests/benchmarks/.

A line compares ours with what it replaces, run in turns on the same rows; figures are medians. `ratio` above 1 means
that ours is faster; where a goal reads `<=`, lower is better. Evaluation, training and generation are in seconds of
processor time of one thread, start-up and scaling by the clock, which a busy machine stretches. `floor`: the share of
our time that the useful operations alone would take at the rate of the machine's own matrix products.

## Two CPU cores

{cpu}

## One CUDA device

{gpu}
"""
NOT_MEASURED = "Not measured: no CUDA device was at hand. `make bench-gpu` measures it and writes gpu.json.\n"


def cpu_table(results: list[dict]) -> str:
    """The lines of a cpu.json as a Markdown table."""
    lines = [
        {
            "section": line["section"],
            "measured": line["what"],
            "ours": f"{line['ours']:.4g}",
            "other": f"{line['other']:.4g}",
            "unit": line["unit"],
            "ratio": f"{line['ratio']:.2f}",
            "goal": line["goal"],
            "met": line["met"],
            "floor": "" if line["of_floor"] is None else f"{line['of_floor']:.0%}",
            "note": line["note"],
        }
        for line in results
    ]
    return markdown_table(lines)


def gpu_table(results: list[dict]) -> str:
    """The lines of a gpu.json as a Markdown table."""
    columns = list(dict.fromkeys(column for line in results for column in line))
    return markdown_table([dict.fromkeys(columns, "") | line for line in results])


def conditions(record: dict) -> str:
    """On what the figures were measured."""
    machine = record["hardware"]
    load = record["load_average"]
    packages = ", ".join(f"{name} {record['versions'][name]}" for name in ("python", "torch", "transformers", "trl"))
    return (
        f"{', '.join(machine['gpus']) or machine['cpu']}, {machine['cores']} cores, {machine['memory_gib']} GiB; "
        f"{packages}; {record['date']}, commit {record['commit']}.\n"
        f"Model: {record['model']}. Rows: {record['rows']}. Load average of the machine {load['start'][0]:.1f} at the "
        f"start, {load['end'][0]:.1f} at the end.\n\n"
    )


def write_readme(folder: Path) -> None:
    """Write folder/README.md from the figures that are there."""
    texts = {}
    for name, table in (("cpu", cpu_table), ("gpu", gpu_table)):
        file = folder / f"{name}.json"
        record = json.loads(file.read_text()) if file.is_file() else None
        texts[name] = conditions(record) + table(record["results"]) if record else NOT_MEASURED
    (folder / "README.md").write_text(README.format(**texts).rstrip() + "\n")
