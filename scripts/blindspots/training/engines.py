"""What accelerate's engines need, so that a run by several processes ends where one process would end.

Whatever spreads the model, weights that are trained are float32, `bf16: true` computes in bfloat16 by autocast (FSDP2:
by its own policy), and gradients are added up in float32.
"""

import os
from typing import Any

import torch
from accelerate import FullyShardedDataParallelPlugin
from accelerate.utils import disable_fsdp_ram_efficient_loading
from transformers import TrainingArguments
from trl import ModelConfig

from blindspots.config.errors import RecipeError
from blindspots.config.processes import engine
from blindspots.config.recipes import TrainingDataKeys

SHARDED = ("ZeRO-3", "FSDP2")  # engines whose processes hold parts of the weights
DEEPSPEED = ("ZeRO-1", "ZeRO-2", "ZeRO-3")
FSDP_BF16 = {"param_dtype": torch.bfloat16, "reduce_dtype": torch.float32, "output_dtype": torch.float32}


def let_recipe_decide_precision() -> None:
    """Set accelerate's own mixed_precision aside: it would train in bfloat16 what a recipe trains in float32."""
    os.environ["ACCELERATE_MIXED_PRECISION"] = "no"


def prepare_engine(training: TrainingArguments, recipe: TrainingDataKeys, model_config: ModelConfig) -> None:
    """Make the engine that `accelerate launch` names ready for a model, before it is loaded.

    Raises RecipeError for keys that the engine can't follow.
    """
    _require_possible(training, recipe, model_config)
    if training.deepspeed_plugin is not None:
        _use_autocast(training, model_config)
    if engine() == "FSDP2" and (model_config.load_in_4bit or model_config.load_in_8bit):
        # Other processes than the first would wait for weights that accelerate sends for no quantised model.
        disable_fsdp_ram_efficient_loading()


def _require_possible(training: TrainingArguments, recipe: TrainingDataKeys, model_config: ModelConfig) -> None:
    name = engine()
    if name == "FSDP1":
        raise RecipeError("FSDP1 is not supported; set fsdp_version: 2 in the accelerate config.")
    if training.fp16 and name in (*DEEPSPEED, "FSDP2"):
        raise RecipeError(f"fp16 is not supported under {name}; set bf16: true.")
    if recipe.as_published and name in (*DEEPSPEED, "FSDP2"):
        raise RecipeError(
            f"as_published has no effect under {name}, which keeps trained weights in float32; leave it out, or take "
            "one process or multi_gpu.yaml."
        )
    if model_config.load_in_8bit and name in SHARDED:
        raise RecipeError(
            f"load_in_8bit can't be spread by {name}; set load_in_4bit, or take multi_gpu.yaml or zero2.yaml."
        )


def _use_autocast(training: TrainingArguments, model_config: ModelConfig) -> None:
    """Have DeepSpeed compute in bfloat16 by torch's autocast; its own bf16 mode makes trained weights bfloat16 too."""
    plugin = training.deepspeed_plugin
    config: dict[str, Any] = plugin.deepspeed_config
    config["bf16"] = {"enabled": model_config.dtype == "bfloat16"}
    plugin.set_deepspeed_weakref()  # ZeRO-3 loads weights in the dtype that the config names at this moment
    config["bf16"] = {"enabled": False}
    if training.bf16:
        # Modules named here would send their weights and add up their gradients in bfloat16.
        config["torch_autocast"] = {"enabled": True, "dtype": "bfloat16", "lower_precision_safe_modules": []}
        training.bf16, training.mixed_precision = False, "no"


def computes_in_half(training: TrainingArguments) -> bool:
    """Whether matrix products are computed in 16 bits."""
    by_deepspeed = training.deepspeed_plugin and "torch_autocast" in training.deepspeed_plugin.deepspeed_config
    return bool(training.bf16 or training.fp16 or by_deepspeed)


class EnginePrecision:
    """A Trainer whose gradients are added up in float32 under FSDP2 too; accelerate would do that in bfloat16."""

    def _build_accelerator_args(self, **arguments: Any) -> dict[str, Any]:
        arguments = super()._build_accelerator_args(**arguments)
        if engine() == "FSDP2" and self.args.mixed_precision == "bf16":
            arguments["fsdp_plugin"] = FullyShardedDataParallelPlugin(mixed_precision_policy=FSDP_BF16)
        return arguments
