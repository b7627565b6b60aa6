"""Valid inputs of every script, small enough that a run takes a fraction of a second."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import yaml
from made_grid import test_sets, write_model
from made_sources import preference_rows
from trl import ModelConfig

from blindspots.artifacts.inputs import fetch
from blindspots.demo.corpus import hans_like, mnli_like
from blindspots.modeling.classifier import load_classifier

from .running import run

TRAINING = {
    "max_steps": 1,
    "use_cpu": True,
    "dtype": "float32",
    "learning_rate": 0.001,
    "save_strategy": "no",
    "report_to": "none",
    "disable_tqdm": True,
}
AXES = {"starts": [0], "kinds": ["original", "synthetic"], "sizes": [60], "seeds": [0]}
# Of each script a recipe that works in a folder of these inputs.
RECIPES = {
    "make_demo_inputs": {"part": "hans", "hans_rows": 34, "train_rows": 9, "matched_rows": 6, "corpus": "mnli"},
    "base_from_gguf": {"gguf_file": "base.gguf", "gguf_sha256": "0" * 64, "origin": "a tiny Llama", "license": "mit"},
    "prepare_mnli": {"mnli": "mnli", "start_sizes": [6, 9], "dev_rows_per_label": 1, "seed": 1},
    "build_variants": {
        "kind": "mixed_50",
        "original": "prepared",
        "synthetic": "synthetic",
        "sizes": [6, 9],
        "seed": 1,
    },
    "finetune_task": {"model_name_or_path": "base", "train_dataset": "mnli", "mnli": "mnli"} | TRAINING,
    "finetune_generator": {"model_name_or_path": "base", "train_dataset": "mnli", "bf16": False} | TRAINING,
    "merge_generator": {"generator": "adapter"},
    "generate_synthetic": {
        "generator": "generator",
        "samples_per_label": 6,
        "max_new_tokens": 24,
        "shard_rows": 8,
        "batch_size": 8,
    },
    "evaluate_task": {"model": "start", "mnli": "mnli", "hans": "hans", "hans_expected_rows": 60},
    "audit_dataset": {"dataset": "mnli", "reference": "prepared", "sample_rows": 12, "self_bleu_texts": 3},
    "report": AXES | {"models": "models"},
    "reproduce_cell": AXES
    | {"start": 0, "kind": "synthetic", "size": 60, "hub_namespace": "someone", "hub_tag": "v1.0", "model": "demo"},
    "release": {
        "action": "plan",
        "folder": "artifacts",
        "modules": "modules",
        "hub_namespace": "someone",
        "hub_tag": "v1.0",
    },
    "prepare_sources": {"source_set": "sources.yaml", "seeds": [0, 1], "train_rows": 6, "test_rows": 4},
    "finetune_preference": {"model_name_or_path": "base", "train_dataset": "choices", "people": "choices"}
    | {"train_config": "human-s0", "bf16": False}
    | TRAINING,
    "report_sources": {"models": "reward_models", "sets": ["choices"]},
    "compare_published": {
        "models": "runs",
        "source": "a paper",
        "runs": 3,
        "scores": {"hans": {"mean": 0.6, "sd": 0.1}, "mnli_matched": {"mean": 0.7, "sd": 0.1}},
    },
    "validate": {"model_name_or_path": "base", "train_dataset": "mnli", "output_dir": "unused"} | TRAINING,
}
# Which of the inputs each recipe reads.
READS = {
    "make_demo_inputs": ["mnli"],
    "base_from_gguf": ["base.gguf"],
    "prepare_mnli": ["mnli"],
    "build_variants": ["prepared", "synthetic"],
    "finetune_task": ["base", "mnli", "prepared"],
    "finetune_generator": ["base", "mnli", "prepared"],
    "merge_generator": ["adapter"],
    "generate_synthetic": ["generator"],
    "evaluate_task": ["start", "mnli", "hans"],
    "audit_dataset": ["mnli", "prepared"],
    "report": ["models"],
    "reproduce_cell": [],
    "release": ["artifacts", "modules"],
    "prepare_sources": ["sources.yaml", "pairs.parquet"],
    "finetune_preference": ["base", "choices"],
    "report_sources": ["reward_models", "choices"],
    "compare_published": ["runs"],
    "validate": ["base", "mnli"],
}
# What people and a model chose; see made_sources.
PAIRS = {
    "dataset": "pairs.parquet",
    "data_type": "preferences",
    "sources": {"human": "people", "gpt": "model"},
    "codes": {"0": "first", "1": "second", "2": "tie"},
    "unit": ["question"],
    "output_dir": "unused",
}


def make_inputs(folder: Path, world: Path, modules: Path) -> None:
    """Write all inputs that RECIPES name."""
    rows = dict(mnli_like(24, 12, seed=1)) | {"validation": hans_like(60, seed=1)}
    for split, name in {"train": "mnli", "validation_matched": "mnli", "validation": "hans"}.items():
        file = folder / name / "data" / f"{split}-00000-of-00001.parquet"
        file.parent.mkdir(parents=True, exist_ok=True)
        rows[split].to_parquet(file)
    for name in ("base", "start", "generator", "adapter"):
        shutil.copytree(world / name, folder / name)
    lora = {
        "use_peft": True,
        "lora_r": 2,
        "lora_target_modules": ["q_proj", "v_proj"],
        "lora_modules_to_save": ["score"],
    }
    adapter = load_classifier(fetch(str(world / "base"), "model"), ModelConfig(dtype="float32", **lora))
    for part in (adapter.model, adapter.tokenizer):
        part.save_pretrained(folder / "task_adapter")
    lineage = {"artifact": "task_adapter", "artifact_type": "task_model", "content_sha256": "0" * 64, "parents": []}
    (folder / "task_adapter/lineage.json").write_text(json.dumps(lineage | {"results": {}, "files": {}}))
    (folder / "base.gguf").write_bytes(b"GGUF")
    _made(folder, "prepared", "prepare_mnli")
    _made(folder, "synthetic", "generate_synthetic", samples_per_label=24)
    _made(folder, "sets", "build_variants")
    preference_rows(60).to_parquet(folder / "pairs.parquet")
    (folder / "sources.yaml").write_text(yaml.safe_dump(PAIRS))
    _made(folder, "choices", "prepare_sources")
    for name in ("prepared", "sets"):
        shutil.copytree(folder / name, folder / "artifacts" / name)
    shutil.copytree(modules / "heuristic_audit", folder / "modules" / "heuristic_audit")
    for seed, name in enumerate(("n0-s0", "n0-original-n60-s0", "n0-synthetic-n60-s0")):
        write_model(folder / "models" / name, 0.7, np.random.default_rng(seed), test_sets())
    for seed in range(2):
        write_model(folder / "runs" / f"s{seed}", 0.7, np.random.default_rng(seed), test_sets())
        lineage = json.loads((folder / f"runs/s{seed}/lineage.json").read_text())
        lineage["recipe"]["seed"] = seed
        (folder / f"runs/s{seed}/lineage.json").write_text(json.dumps(lineage))


def make_more(folder: Path) -> None:
    """Write `model`, a tuned task model with predictions, `kept`, a report on `models`, and `reward_models`."""
    _made(folder, "model", "finetune_task", hans="hans", hans_expected_rows=60)
    _made(folder, "kept", "report")
    for config in ("human-s0", "machine_gpt-s0", "human-s1", "machine_gpt-s1"):
        _made(folder, f"reward_models/{config}", "finetune_preference", train_config=config, seed=config[-1])


def _made(folder: Path, name: str, script: str, **keys: object) -> None:
    """Make one input by a script from those that are there."""
    values = RECIPES[script] | keys | {"output_dir": name}
    ending = run(script, [word for key, value in values.items() for word in flag(key, value)], folder)
    assert ending.code == 0, ending.stderr


def flag(key: str, value: object) -> list[object]:
    """A key on the command line."""
    return [f"--{key}", *(value if isinstance(value, list) else [value])]


Put = Callable[..., None]


def put(inputs: Path, folder: Path, *names: str) -> None:
    """Copy some of the inputs into the folder of a run."""
    for name in names:
        source = inputs / name
        if source.is_dir():
            shutil.copytree(source, folder / name)
        else:
            shutil.copy(source, folder / name)
