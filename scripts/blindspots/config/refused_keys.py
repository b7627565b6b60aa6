"""Keys of the libraries that would have no effect here: why, and what to use instead.

A recipe and the card made from it state every key that was given, so a key that nothing follows would be untrue there.
"""

import dataclasses
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from typing import Any

_LAST_STEP = "the artifact is the model after the last step; set num_train_epochs or max_steps"
_LOSS_ONLY = "evaluation during training computes the loss alone; name test sets in test_sets for more"
_PUSH = "an artifact is pushed whole and once; set push_to_hub"
_SHARDING = "an accelerate config says how processes share a model; see accelerate_configs"
_DTYPE = "the saved model is evaluated in the dtype that it was saved in; set dtype"
_TOKENS = "rows are kept apart; set tokens_per_batch for batches with almost no padding"
_LOSS_ON = "set loss_on"
_LOADED = "the model is loaded by this script, which runs no code of a checkpoint; set dtype and attn_implementation"
_TEXTS = "this script writes the texts itself; set loss_on"

# Keys that no value gives an effect, or a wrong one.
REFUSED = {
    "do_train": "a run trains where train_dataset is given",
    "do_eval": "set eval_strategy and dev_dataset",
    "do_predict": "name the test sets in test_sets",
    "hub_token": "a token has no place in a recipe; log in with `hf auth login`",
    "hub_model_id": "set hub_namespace and hub_name",
    "hub_revision": "set hub_tag",
    "hub_strategy": _PUSH,
    "hub_always_push": _PUSH,
    "local_rank": "accelerate launch numbers the processes",
    "remove_unused_columns": "the rows hold only what the model takes",
    "resume_from_checkpoint": "a run that is started again continues by itself; set save_steps",
    # which model is kept, and where a run continues
    "load_best_model_at_end": _LAST_STEP,
    "metric_for_best_model": _LAST_STEP,
    "greater_is_better": _LAST_STEP,
    "enable_jit_checkpoint": "a run ended by SIGTERM would be saved as if it were finished; set save_steps",
    "save_only_model": "a run can't continue from weights alone; set save_strategy: 'no' to keep no checkpoints",
    "ignore_data_skip": "a run that continues takes the rows that are left; leave it out",
    "restore_callback_states_from_checkpoint": "no callback here has a state that a checkpoint keeps; leave it out",
    "logging_nan_inf_filter": "a loss that is no finite number ends the run; leave it out",
    # evaluation
    "bf16_full_eval": _DTYPE,
    "fp16_full_eval": _DTYPE,
    "prediction_loss_only": _LOSS_ONLY,
    "include_for_metrics": _LOSS_ONLY,
    "batch_eval_metrics": _LOSS_ONLY,
    "eval_do_concat_batches": _LOSS_ONLY,
    "eval_use_gather_object": _LOSS_ONLY,
    "eval_accumulation_steps": _LOSS_ONLY,
    "label_names": "the label of a row is in its column labels; leave it out",
    # batches and devices
    "auto_find_batch_size": "it would change the batch of a step; set smaller_batches, which keeps it",
    "length_column_name": "the length of a row is counted from its tokens; leave it out",
    "parallelism_config": _SHARDING,
    "fsdp": _SHARDING,
    "fsdp_config": _SHARDING,
    "deepspeed": _SHARDING,
    # SFTConfig: the model and the rows are this script's
    "model_init_kwargs": _LOADED,
    "trust_remote_code": _LOADED,
    "router_aux_loss_coef": "a mixture of experts is trained with the coefficient in its own config; set it there",
    "chat_template_path": _TEXTS,
    "dataset_text_field": _TEXTS,
    "dataset_kwargs": _TEXTS,
    "completion_only_loss": _LOSS_ON,
    "assistant_only_loss": _LOSS_ON,
    "truncation_mode": "rows longer than max_length are left out, none is cut; set max_length",
    "packing": _TOKENS,
    "packing_strategy": _TOKENS,
    "eval_packing": _TOKENS,
    "padding_free": _TOKENS,
}

# What report_to may name -> package to install, module that it brings.
TRACKERS = {
    "azure_ml": ("azureml-sdk", "azureml"),
    "clearml": ("clearml", "clearml"),
    "codecarbon": ("codecarbon", "codecarbon"),
    "comet_ml": ("comet-ml", "comet_ml"),
    "dagshub": ("dagshub", "dagshub"),
    "dvclive": ("dvclive", "dvclive"),
    "flyte": ("flytekit", "flytekit"),
    "mlflow": ("mlflow", "mlflow"),
    "neptune": ("neptune", "neptune"),
    "swanlab": ("swanlab", "swanlab"),
    "tensorboard": ("tensorboard", "tensorboard"),
    "trackio": ("trackio", "trackio"),
    "wandb": ("wandb", "wandb"),
}

# trackio where it is installed, else none.
AUTO = "auto"

Values = Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class Rule:
    """Keys that have an effect only beside others.

    Attributes:
        keys: names, in a string.
        holds: whether the keys have an effect, by the values of all keys, defaults included.
        why: what is wrong and what to do, to be read after the name of the key.
        default_too: whether a key is also refused where its value is the default.
    """

    keys: str
    holds: Callable[[Values], bool]
    why: str
    default_too: bool = False


def _evaluates(values: Values) -> bool:
    return values["eval_strategy"] != "no" or values["eval_on_start"]


def _checkpoints_activations(values: Values) -> bool:
    new, old = values["activation_checkpointing"], values["gradient_checkpointing"]
    return bool(old if new is None else new)


def _optim_is(values: Values, *names: str) -> bool:
    return values["optim"].startswith(names)


def _plain_accelerator_config(values: Values) -> bool:
    config = values["accelerator_config"]
    if not isinstance(config, dict):
        return config is None
    return "num_steps" not in (config.get("gradient_accumulation_kwargs") or {}) and not config.get(
        "use_configured_state"
    )


def _splits_batches(values: Values) -> bool:
    config = values["accelerator_config"]
    return isinstance(config, dict) and bool(config.get("split_batches"))


def _computes_in_half(values: Values) -> bool:
    bf16 = values["bf16"]
    return bool(values["fp16"] or (bf16 is None or bf16))  # SFTConfig takes no value for true


RULES = (
    Rule(
        "per_device_train_batch_size train_sampling_strategy dataloader_drop_last accelerator_config "
        "pad_to_multiple_of",
        lambda values: values["tokens_per_batch"] is None,
        "has no effect with tokens_per_batch, which makes the batches; leave one of the two out",
        default_too=True,
    ),
    Rule(
        "gradient_accumulation_steps",
        lambda values: values["global_batch_size"] is None,
        "follows from global_batch_size; leave one of the two out",
        default_too=True,
    ),
    Rule(
        "accelerator_config",
        lambda values: values["global_batch_size"] is None or not _splits_batches(values),
        "has split_batches, another way to divide a batch than global_batch_size; leave one of the two out",
    ),
    Rule(
        "data_seed",
        lambda values: (
            values["tokens_per_batch"] is not None
            or values["train_sampling_strategy"] in ("random", "batch_rebalance")
        ),
        "has no effect on this train_sampling_strategy; leave it out",
    ),
    Rule(
        "dataloader_persistent_workers dataloader_prefetch_factor dataloader_multiprocessing_context "
        "dataloader_in_order",
        lambda values: values["dataloader_num_workers"] > 0,
        "needs dataloader_num_workers",
    ),
    Rule(
        "accelerator_config",
        _plain_accelerator_config,
        "takes no file, no use_configured_state and no num_steps; set gradient_accumulation_steps for the last",
    ),
    # evaluation during training
    Rule("eval_strategy eval_on_start", lambda values: values["dev_dataset"] is not None, "needs dev_dataset"),
    Rule("dev_dataset dev_revision", _evaluates, "has no effect without eval_strategy; set it to steps or epoch"),
    Rule("per_device_eval_batch_size", _evaluates, "needs eval_strategy and dev_dataset"),
    Rule("eval_delay", lambda values: values["eval_strategy"] != "no", "needs eval_strategy and dev_dataset"),
    Rule("eval_steps", lambda values: values["eval_strategy"] == "steps", "needs eval_strategy: steps"),
    Rule("save_strategy", lambda values: values["save_strategy"] != "best", f"is steps, epoch or 'no': {_LAST_STEP}"),
    # loss, optimiser and schedule
    Rule("num_train_epochs", lambda values: values["num_train_epochs"] > 0, "is above 0"),
    Rule(
        "max_steps",
        lambda values: values["max_steps"] > 0,
        "is above 0; leave it out to train for num_train_epochs",
    ),
    Rule("label_smoothing_factor", lambda values: 0 <= values["label_smoothing_factor"] <= 1, "lies between 0 and 1"),
    Rule(
        "label_smoothing_factor",
        lambda values: values.get("loss_type") != "dft",
        "has no effect with loss_type: dft; leave one of the two out",
    ),
    Rule(
        "warmup_steps",
        lambda values: (
            values["lr_scheduler_type"] not in ("constant", "reduce_lr_on_plateau", "greedy")
            or _optim_is(values, "schedule_free_adamw", "schedule_free_sgd")
        ),
        "has no effect on this lr_scheduler_type; set constant_with_warmup, or leave it out",
    ),
    Rule(
        "lr_scheduler_kwargs",
        lambda values: values["lr_scheduler_type"] not in ("constant", "constant_with_warmup"),
        "has no effect on this lr_scheduler_type; leave it out",
    ),
    Rule(
        "optim_target_modules",
        lambda values: _optim_is(values, "galore_", "apollo_"),
        "is read by the optimisers galore_* and apollo_* alone; leave it out",
    ),
    Rule(
        "weight_decay",
        lambda values: not _optim_is(values, "galore_", "apollo_", "lomo", "adalomo"),
        "has no effect on this optim; leave it out",
    ),
    # memory and speed
    Rule(
        "gradient_checkpointing",
        lambda values: values["activation_checkpointing"] in (None, values["gradient_checkpointing"]),
        "is another name of activation_checkpointing; keep one",
        default_too=True,
    ),
    Rule(
        "gradient_checkpointing_kwargs",
        lambda values: values["activation_checkpointing_kwargs"] is None,
        "is another name of activation_checkpointing_kwargs; keep one",
    ),
    Rule(
        "activation_checkpointing_kwargs gradient_checkpointing_kwargs",
        _checkpoints_activations,
        "needs activation_checkpointing: true",
    ),
    Rule(
        "activation_checkpointing_kwargs gradient_checkpointing_kwargs",
        lambda values: (
            not any(isinstance(values[f"{name}_checkpointing_kwargs"], str) for name in ("activation", "gradient"))
        ),
        "is a mapping",
    ),
    Rule(
        "use_liger_kernel",
        lambda values: find_spec("liger_kernel") is not None,
        "needs a package that is not installed; pip install liger-kernel",
    ),
    Rule("liger_kernel_config", lambda values: values["use_liger_kernel"], "needs use_liger_kernel: true"),
    # ModelConfig
    Rule(
        "lora_r lora_alpha lora_dropout lora_target_modules lora_target_parameters lora_modules_to_save "
        "lora_task_type use_rslora use_dora",
        lambda values: values["use_peft"],
        "has no effect without use_peft: true",
    ),
    Rule(
        "lora_task_type",
        lambda values: values["lora_task_type"] == ("CAUSAL_LM" if "loss_on" in values else "SEQ_CLS"),
        "is SEQ_CLS for a task model and CAUSAL_LM for a generator; leave it out",
        default_too=True,
    ),
    Rule(
        "train_sampling_strategy",
        lambda values: (
            "disable_dropout" not in values or values["train_sampling_strategy"] in ("random", "sequential")
        ),
        "is random or sequential for a reward model, whose rows hold two texts each",
    ),
    Rule(
        "lora_dropout",
        lambda values: values["lora_dropout"] == 0 or not values.get("disable_dropout"),
        "has no effect with disable_dropout: true, the default of a reward model; set that to false",
    ),
    Rule(
        "dtype",
        lambda values: (
            values["dtype"] not in ("bfloat16", "float16") or _computes_in_half(values) or values["as_published"]
        ),
        "needs bf16: true, by which trained weights in float32 are computed with these",
    ),
    Rule(
        "as_published",
        lambda values: values["dtype"] != "float32" or values["load_in_4bit"] or values["load_in_8bit"],
        "changes nothing of a model in float32; leave it out",
    ),
    Rule("load_in_8bit", lambda values: not values["load_in_4bit"], "excludes load_in_4bit; keep one"),
    Rule(
        "load_in_4bit",
        lambda values: values["dtype"] in ("bfloat16", "float16", "float32"),
        "needs a dtype that it is computed in: bfloat16, float16 or float32",
    ),
    Rule(
        "bnb_4bit_quant_type use_bnb_nested_quant bnb_4bit_quant_storage",
        lambda values: values["load_in_4bit"],
        "needs load_in_4bit: true",
    ),
)


def without_effect(given: Values, defaults: Values) -> tuple[str, str] | None:
    """The first key that would have no effect beside the others, and why; None where each has one.

    Args:
        given: values of the recipe and the command line.
        defaults: of every key of the script.
    """
    values = {**defaults, **given}
    for rule in RULES:
        names = [name for name in rule.keys.split() if name in given]
        names = [name for name in names if rule.default_too or given[name] != defaults[name]]
        if names and not rule.holds(values):
            return names[0], rule.why
    wrong = _trackers_not_here(values["report_to"])
    return ("report_to", wrong) if wrong else None


def tracker(report_to: str | list[str] | None) -> str | list[str] | None:
    """What transformers takes in place of AUTO: trackio where it is installed, else none; other values as they are."""
    if report_to not in (AUTO, [AUTO]):
        return report_to
    return "trackio" if find_spec("trackio") else "none"


def _trackers_not_here(report_to: str | list[str] | None) -> str | None:
    for name in [report_to] if isinstance(report_to, str) else report_to or []:
        if name in ("none", "all", AUTO):
            continue
        if name not in TRACKERS:
            return f"names {name}, which is none of {', '.join(TRACKERS)}"
        package, module = TRACKERS[name]
        if find_spec(module) is None:
            return f"names {name}, and {name} is not installed; pip install {package}, or set report_to: none"
    return None
