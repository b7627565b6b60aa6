"""The cases that one process and two processes of each engine run: a script and its recipe, by name.

The matrix is <model>-<adapter>-<precision>: T is a start, TD a start tuned further, G a generator.
"""

from itertools import product
from pathlib import Path
from typing import Any

LEARNING_RATE, STEPS = 2e-5, 2
TRAINING = {
    "dtype": "float32",
    "bf16": False,
    "use_cpu": True,
    "max_steps": STEPS,
    "learning_rate": LEARNING_RATE,
    "lr_scheduler_type": "constant",
    "global_batch_size": 8,
    "per_device_train_batch_size": 2,
    "gradient_checkpointing": False,
    "logging_steps": 1,
    "save_strategy": "no",
    "report_to": "none",
    "disable_tqdm": True,
}
LORA = {"use_peft": True, "lora_r": 4, "lora_target_modules": ["q_proj", "v_proj"], "lora_dropout": 0.0}
NF4 = {"load_in_4bit": True, "gradient_checkpointing": True}  # as the recipes of Llama-2-7B have it
MATRIX = ["-".join(axes) for axes in product(("T", "TD", "G"), ("full", "lora", "nf4"), ("fp32", "bf16"))]
UNEVEN = ["uneven_T", "uneven_G", "uneven_pairs"]  # rows that the steps of an epoch do not divide
OTHERS = [
    "stored",
    "start0",
    "grouped",
    "dropout",
    "predictions",
    "sampled",
    "kept",
    "encoder",
    "encoder_lora",
    *UNEVEN,
]


def case(name: str, inputs: Path, starts: Path) -> tuple[str, dict[str, Any]]:
    """Script and recipe of a case.

    Args:
        inputs: folder with corpus, pairs, base, untied (the same with a head of its own), bert, start and generator.
        starts: where one process has left its case T-<adapter>-<precision>, which TD-<adapter>-<precision> continues.
    """
    if name in MATRIX:
        return tuning(*name.split("-"), inputs, starts)
    base = TRAINING | {"model_name_or_path": inputs / "base"}
    sampling = {"generator": inputs / "generator", "shard_rows": 16, "batch_size": 16, "max_new_tokens": 24}
    if name == "stored":
        script, recipe = tuning("T", "nf4", "bf16", inputs, starts)
        return script, recipe | {
            "bnb_4bit_quant_storage": "bfloat16"
        }  # with which FSDP2 spreads the 4-bit weights too
    encoder = TRAINING | {"model_name_or_path": inputs / "bert", "train_dataset": inputs / "corpus/mnli"}
    encoder |= test_sets(inputs)
    grouped = base | {"train_dataset": inputs / "corpus/mnli", "train_sampling_strategy": "group_by_length"}
    grouped |= {"max_steps": 60, "global_batch_size": 10, "per_device_train_batch_size": 5}  # two epochs
    epoch = {key: value for key, value in base.items() if key != "max_steps"} | {"num_train_epochs": 1}
    rows = {"train_dataset": inputs / "corpus/mnli", "global_batch_size": 16, "per_device_train_batch_size": 4}
    return {
        "uneven_T": ("finetune_task", epoch | rows),
        "uneven_G": ("finetune_generator", epoch | rows),
        "uneven_pairs": ("finetune_preference", epoch | {"train_dataset": inputs / "pairs"}),
        "start0": ("finetune_task", base),
        "grouped": ("finetune_task", grouped),
        "encoder": ("finetune_task", encoder),
        "encoder_lora": ("finetune_task", encoder | {"use_peft": True, "lora_r": 4, "lora_dropout": 0.0}),
        "dropout": ("finetune_task", grouped | LORA | {"lora_dropout": 0.5}),
        "predictions": ("evaluate_task", {"model": inputs / "start", "eval_batch_tokens": 300, **test_sets(inputs)}),
        "sampled": ("generate_synthetic", {**sampling, "samples_per_label": 40}),
        "kept": ("generate_synthetic", {**sampling, "kept_per_label": 30}),
    }[name]


def tuning(model: str, adapter: str, precision: str, inputs: Path, starts: Path) -> tuple[str, dict[str, Any]]:
    """A case of the matrix."""
    recipe = TRAINING | {"train_dataset": inputs / "corpus/mnli"} | (NF4 if adapter == "nf4" else {})
    if precision == "bf16":
        recipe |= {"bf16": True, "dtype": "float32" if adapter == "full" else "bfloat16"}
    if model != "TD" and adapter != "full":
        recipe |= LORA | {"lora_modules_to_save": ["score"] if model == "T" else ["embed_tokens", "lm_head"]}
    if model == "G":
        tied = adapter == "full" and precision == "fp32"
        return "finetune_generator", recipe | {"model_name_or_path": inputs / ("base" if tied else "untied")}
    start = inputs / "base" if model == "T" else starts / f"T-{adapter}-{precision}"
    return "finetune_task", recipe | {"model_name_or_path": start} | test_sets(inputs)


def test_sets(inputs: Path) -> dict[str, Any]:
    return {"mnli": inputs / "corpus/mnli", "hans": inputs / "corpus/hans", "hans_expected_rows": 60}
