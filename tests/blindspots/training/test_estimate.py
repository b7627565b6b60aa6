"""The estimate before a run: counts that are known, bytes that a real model keeps, and batches that cannot fit."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.autograd.graph import saved_tensors_hooks
from transformers import LlamaConfig, LlamaForSequenceClassification, TrainingArguments
from trl import ModelConfig, get_peft_config

from blindspots.artifacts.inputs import fetch
from blindspots.config.errors import RecipeError, UserError
from blindspots.config.paths import ACCELERATE_CONFIGS, ROOT
from blindspots.config.recipes import TaskRecipe
from blindspots.demo.base_model import tiny_base
from blindspots.demo.corpus import mnli_like
from blindspots.modeling.adapters import read_model_config
from blindspots.modeling.classifier import load_classifier
from blindspots.training.devices import GIB
from blindspots.training.estimate import Footprint, Plan, footprint, report, require_fit, trained_tokens
from blindspots.training.run import training_arguments

# The shape of Llama-2-7B is that of LlamaConfig's defaults.
LLAMA = LlamaConfig()
LORA = {
    "use_peft": True,
    "lora_r": 64,
    "lora_target_modules": ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"],
}


def plan(task: bool, config: LlamaConfig = LLAMA, **model) -> Plan:
    model_config = ModelConfig(**{"dtype": "bfloat16"} | model)
    return Plan(config, get_peft_config(model_config), model_config, task)


def arguments(**given) -> TrainingArguments:
    return TrainingArguments("unused", use_cpu=True, report_to="none", **given)


def test_the_published_size_of_llama_2_7b_is_counted():
    run = footprint(plan(task=False), arguments(bf16=True), length=64)
    assert run.parameters == run.trainable == 6_738_415_616
    multiplied = 6_738_415_616 - 32000 * 4096  # embeddings are looked up
    assert run.gradients == 4 * 6_738_415_616
    assert run.weights == pytest.approx(4 * 6_738_415_616 + 2 * multiplied, rel=1e-4)  # and autocast's copies
    assert run.optimiser == 8 * 6_738_415_616
    assert run.operations_per_token == pytest.approx(6 * multiplied, rel=0.02)


def test_lora_trains_its_matrices_and_the_head_alone_and_quantised_weights_are_small():
    lora = plan(task=True, load_in_4bit=True, lora_task_type="SEQ_CLS", lora_modules_to_save=["score"], **LORA)
    run = footprint(lora, arguments(bf16=True), length=64)
    a_layer = 64 * (4 * (4096 + 4096) + 3 * (4096 + 11008))
    assert run.trainable == 32 * a_layer + 3 * 4096
    assert run.weights < 4.6 * GIB
    assert run.gradients == 4 * run.trainable
    assert run.operations_per_token == pytest.approx(4 * 6_607_000_000, rel=0.05)


def test_an_adapter_that_was_saved_is_counted_as_it_is(world, tmp_path):
    """PEFT saves it with the names of heads that the model does not have."""
    new = {"use_peft": True, "lora_r": 2, "lora_target_modules": ["q_proj"], "dtype": "float32"}
    start = fetch(str(world / "start"), "model")
    load_classifier(start, read_model_config(new)).model.save_pretrained(tmp_path)
    saved = Plan.of(ModelConfig(dtype="float32"), task=True, folder=tmp_path)
    assert "classifier" in saved.peft.modules_to_save
    whole = Plan.of(read_model_config(new | {"lora_task_type": "SEQ_CLS"}), task=True, folder=start.path)
    trained = [footprint(one, arguments(), length=16).trainable for one in (saved, whole)]
    assert trained == [2 * 2 * (32 + 32) + 3 * 32] * 2


def test_computing_activations_again_takes_a_third_more_operations_and_far_less_memory():
    kept = footprint(plan(task=False), arguments(bf16=True), length=64)
    again = footprint(plan(task=False), arguments(bf16=True, activation_checkpointing=True), length=64)
    assert again.operations_per_token == pytest.approx(4 / 3 * kept.operations_per_token, rel=0.03)
    assert again.activation_bytes_per_token < kept.activation_bytes_per_token / 8


def test_the_bytes_kept_are_those_that_a_real_model_keeps():
    config = LlamaConfig(
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=5,
        num_attention_heads=4,
        vocab_size=200,
        num_labels=3,
        pad_token_id=0,
        use_cache=False,
    )
    model = LlamaForSequenceClassification(config)
    own, storages = {p.untyped_storage().data_ptr() for p in model.parameters()}, {}

    def keep(tensor):
        storages[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage()
        return tensor

    with saved_tensors_hooks(keep, lambda tensor: tensor):
        model(input_ids=torch.ones(1, 48, dtype=torch.long), labels=torch.zeros(1, dtype=torch.long))
    real = sum(storage.nbytes() for key, storage in storages.items() if key not in own)
    estimate = footprint(plan(True, config, dtype="float32"), arguments(), length=48)
    assert 48 * estimate.activation_bytes_per_token == pytest.approx(real, rel=0.06)


@given(st.floats(2 * GIB, 200 * GIB), st.floats(1e3, 1e7), st.integers(1, 64))
def test_the_largest_batch_fits_and_one_token_more_does_not(memory, activations, devices):
    run = Footprint(10**8, 10**8, 2e8, 2e8, 8e8, activations, 6e8)
    spread = dict.fromkeys(("weights", "gradients", "optimiser"), devices)
    most = run.tokens_that_fit(memory, spread)
    if most >= 1:
        assert run.needed(most, spread) <= memory * (1 + 1e-9)
        assert run.needed(most + 1, spread) > memory * (1 - 1e-9)


def test_a_batch_that_cannot_fit_is_refused_with_what_would():
    recipe = TaskRecipe(output_dir="unused")
    tiny = LlamaConfig(hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4)
    require_fit(plan(True, tiny), recipe, arguments(per_device_train_batch_size=8), [20, 90])
    with pytest.raises(UserError, match=r"A batch of 90000000 tokens.* GiB of the device's .* hold a batch of \d+"):
        require_fit(plan(True, tiny), recipe, arguments(per_device_train_batch_size=1_000_000), [20, 90])


def test_the_table_has_a_row_for_each_accelerate_config_and_scales_hours_with_devices():
    recipe = TaskRecipe(output_dir="unused", estimate_gpu_gib=80, estimate_tflops=100)
    text, fits = report(plan(task=True), recipe, arguments(bf16=True, per_device_train_batch_size=2), [60, 70] * 5000)
    cells = {line.split(" | ")[0].strip("| "): line.split(" | ") for line in text.splitlines() if line[:1] == "|"}
    assert {file.stem for file in ACCELERATE_CONFIGS.glob("*.yaml")} <= cells.keys()
    assert fits
    assert cells["single_gpu"][7] == "no"  # full tuning of 7B takes 37 + 25 + 50 GiB
    assert cells["zero3"][7] == "yes"


@pytest.mark.parametrize(
    ("keys", "recipe", "tokens"),
    [
        ({"num_train_epochs": 2}, {}, 2 * 6500),
        ({"max_steps": 3, "per_device_train_batch_size": 4}, {}, 3 * 4 * 65 * 8),
        ({"max_steps": 3, "per_device_train_batch_size": 4, "gradient_accumulation_steps": 2}, {}, 3 * 8 * 65 * 8),
        ({"max_steps": 3, "per_device_train_batch_size": 500}, {}, 3 * 6500 * 8),  # a batch is all 100 rows
        ({"max_steps": 3, "per_device_train_batch_size": 4}, {"global_batch_size": 4}, 3 * 4 * 65),
        ({"max_steps": 3}, {"tokens_per_batch": 130}, 3 * 130 * 8),
    ],
)
def test_a_run_of_max_steps_takes_the_tokens_of_so_many_steps(keys, recipe, tokens):
    """100 rows of 65 tokens on eight devices."""
    recipe = TaskRecipe(output_dir="unused", **recipe)
    assert trained_tokens(recipe, arguments(**keys), [65] * 100, devices=8) == pytest.approx(tokens)


ESTIMATE = {"estimate": True, "train_dataset": "unused"}


@pytest.mark.parametrize(
    ("keys", "recipe", "message"),
    [
        ({"fp16": True, "use_cpu": True}, {}, "fp16 needs an accelerator"),
        pytest.param({"bf16": True}, {}, "bf16", marks=pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU")),
        ({"bf16": True, "fp16": True, "use_cpu": True}, ESTIMATE, "At most one of fp16 and bf16"),
        ({}, {"estimate": True}, "train_dataset is needed"),
    ],
)
def test_training_keys_that_cannot_work_are_one_line(keys, recipe, message):
    with pytest.raises(RecipeError, match=message):
        training_arguments(TrainingArguments, TaskRecipe(output_dir="unused", **recipe), keys, Path("unused"))


@pytest.fixture(scope="module")
def inputs(tmp_path_factory) -> Path:
    """A base model's folder without weights, and a dataset."""
    folder = tmp_path_factory.mktemp("inputs")
    rows = mnli_like(60, 3, 0)["train"]
    for part in tiny_base(rows["premise"], 0, hidden_size=16, layers=2):
        part.save_pretrained(folder / "base")
    (folder / "base" / "model.safetensors").unlink()
    rows.to_parquet(folder / "data" / "train.parquet")
    return folder


@pytest.mark.parametrize("script", ["finetune_task.py", "finetune_generator.py"])
@pytest.mark.parametrize(("batch", "code"), [(4, 0), (10**9, 1)])
def test_estimate_needs_no_weights_and_leaves_nothing(inputs, tmp_path, script, batch, code):
    words = {
        "model_name_or_path": inputs / "base",
        "train_dataset": inputs / "data",
        "output_dir": tmp_path / "out",
        "per_device_train_batch_size": batch,
        "estimate_gpu_gib": 80,
        "estimate_tflops": 100,
    }
    done = subprocess.run(
        [sys.executable, f"scripts/{script}", "--estimate", *(f"--{name}={value}" for name, value in words.items())],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == code, done.stderr
    assert "| single_gpu | 1 |" in done.stdout
    assert ("fits under no accelerate config" in done.stderr) == bool(code)
    assert not (tmp_path / "out").exists()
