"""Engines of accelerate: what they can't do is one line before a model is loaded, and the recipe decides precision."""

import os

import pytest
from transformers import TrainingArguments
from transformers.integrations.deepspeed import (
    HfDeepSpeedConfig,
    is_deepspeed_zero3_enabled,
    unset_hf_deepspeed_config,
)
from trl import ModelConfig

from blindspots.artifacts.inputs import fetch
from blindspots.config.errors import RecipeError
from blindspots.config.processes import engine
from blindspots.config.recipes import TaskRecipe
from blindspots.modeling.classifier import load_classifier
from blindspots.training import engines
from blindspots.training.engines import prepare_engine, require_autocast, require_spreadable, whole_models
from blindspots.training.optimisation import check_optimisation
from blindspots.training.run import training_arguments

ENVIRONMENTS = {
    None: {},
    "DDP": {"WORLD_SIZE": "2"},
    "FSDP1": {"ACCELERATE_USE_FSDP": "true", "FSDP_VERSION": "1"},
    "FSDP2": {"ACCELERATE_USE_FSDP": "true", "FSDP_VERSION": "2"},
    "ZeRO-2": {"ACCELERATE_USE_DEEPSPEED": "true", "ACCELERATE_DEEPSPEED_ZERO_STAGE": "2"},
    "ZeRO-3": {"ACCELERATE_USE_DEEPSPEED": "true", "ACCELERATE_DEEPSPEED_ZERO_STAGE": "3"},
}


@pytest.fixture
def under(monkeypatch):
    """Sets the environment that `accelerate launch` would set for an engine."""

    def set_environment(name: str | None) -> None:
        for variable, value in ENVIRONMENTS[name].items():
            monkeypatch.setenv(variable, value)

    return set_environment


@pytest.fixture
def arguments(tmp_path) -> TrainingArguments:
    return TrainingArguments(tmp_path, use_cpu=True, report_to="none")


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_an_engine_is_known_by_the_environment_that_accelerate_sets(under, name):
    under(name)
    assert engine() == name


@pytest.mark.parametrize(
    ("name", "recipe", "model", "message"),
    [
        ("FSDP1", {}, {}, "FSDP1 is not supported; set fsdp_version: 2"),
        ("FSDP2", {"as_published": True}, {}, "as_published has no effect under FSDP2"),
        ("ZeRO-2", {"as_published": True}, {}, "as_published has no effect under ZeRO-2"),
        ("FSDP2", {}, {"load_in_8bit": True}, "load_in_8bit can't be spread by FSDP2"),
        ("ZeRO-3", {}, {"load_in_8bit": True}, "load_in_8bit can't be spread by ZeRO-3"),
        (
            "FSDP2",
            {},
            {"use_peft": True, "lora_modules_to_save": ["embed_tokens", "lm_head"]},
            "lora_modules_to_save: lm_head can't be trained under FSDP2",
        ),
    ],
)
def test_what_an_engine_can_t_do_is_one_line(under, arguments, name, recipe, model, message):
    under(name)
    with pytest.raises(RecipeError, match=message) as error:
        prepare_engine(arguments, TaskRecipe(output_dir="unused", **recipe), ModelConfig(**model))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["FSDP2", "ZeRO-2"])
def test_float16_is_for_one_process_or_ddp(under, arguments, name):
    under(name)
    arguments.fp16 = True
    with pytest.raises(RecipeError, match=f"fp16 is not supported under {name}; set bf16: true"):
        prepare_engine(arguments, TaskRecipe(output_dir="unused"), ModelConfig())


@pytest.mark.parametrize("optim", ["paged_adamw_32bit", "adamw_8bit", "lion_32bit"])
def test_an_optimiser_of_bitsandbytes_is_refused_under_fsdp2(under, tmp_path, optim):
    training = TrainingArguments(tmp_path, use_cpu=True, report_to="none", optim=optim)
    under("FSDP2")
    with pytest.raises(RecipeError, match=f"optim: {optim} can't update weights that FSDP2 spreads"):
        check_optimisation(training, {"optim": optim})


@pytest.mark.parametrize(("bf16", "precision"), [(False, "no"), (True, "bf16")])
def test_the_recipe_decides_the_precision_and_not_the_accelerate_config(monkeypatch, tmp_path, bf16, precision):
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "no" if bf16 else "bf16")
    recipe = TaskRecipe(output_dir="unused")
    made = training_arguments(TrainingArguments, recipe, {"use_cpu": True, "bf16": bf16}, tmp_path)
    assert made.mixed_precision == precision


def test_float32_weights_beside_a_half_precision_base_need_autocast(world, arguments):
    lora = ModelConfig(dtype="bfloat16", use_peft=True, lora_target_modules=["q_proj", "v_proj"], lora_r=2)
    base = fetch(str(world / "base"), "model")
    model = load_classifier(base, lora, float32=True).model
    with pytest.raises(RecipeError, match=r"base weights are bfloat16 and trained weights float32; set bf16: true"):
        require_autocast(model, arguments)
    arguments.bf16 = True
    require_autocast(model, arguments)
    arguments.bf16 = False
    require_autocast(load_classifier(base, lora).model, arguments)  # as published


def test_4_bit_weights_are_loaded_by_every_process_under_fsdp2(under, monkeypatch, arguments):
    """Else the new head of all processes but the first would be whatever their memory held."""
    under("FSDP2")
    monkeypatch.setenv("FSDP_CPU_RAM_EFFICIENT_LOADING", "true")
    recipe = TaskRecipe(output_dir="unused")
    prepare_engine(arguments, recipe, ModelConfig())
    assert os.environ["FSDP_CPU_RAM_EFFICIENT_LOADING"] == "true"
    prepare_engine(arguments, recipe, ModelConfig(load_in_4bit=True))
    assert os.environ["FSDP_CPU_RAM_EFFICIENT_LOADING"] == "False"


def test_models_are_built_whole_for_the_estimate_and_spread_again_after_it(arguments):
    class Plugin:
        dschf = HfDeepSpeedConfig({"zero_optimization": {"stage": 3}})

    arguments.deepspeed_plugin = Plugin
    try:
        assert is_deepspeed_zero3_enabled()
        with whole_models(arguments):
            assert not is_deepspeed_zero3_enabled()
        assert is_deepspeed_zero3_enabled()
    finally:
        unset_hf_deepspeed_config()


def test_embeddings_that_fsdp2_would_spread_twice_are_refused(world, encoders, monkeypatch):
    bert, llama = (load_classifier(fetch(str(base), "model")).model for base in (encoders / "bert", world / "base"))
    require_spreadable(bert)
    monkeypatch.setattr(engines, "engine", lambda: "FSDP2")
    require_spreadable(llama)
    with pytest.raises(RecipeError, match="A BertForSequenceClassification can't be trained under FSDP2"):
        require_spreadable(bert)
