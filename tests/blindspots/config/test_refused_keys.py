"""Keys that would have no effect are refused by name, before anything is imported, with what to use instead."""

import importlib.util
import re
from importlib.machinery import ModuleSpec

import pytest
import torch
from transformers import SchedulerType, TrainingArguments
from transformers.integrations import integration_utils
from transformers.optimization import get_scheduler

from blindspots.config import refused_keys
from blindspots.config.analysis_recipes import AuditRecipe
from blindspots.config.errors import RecipeError
from blindspots.config.library_keys import class_keys, library_keys
from blindspots.config.parser import own_keys, parse_recipe
from blindspots.config.recipes import GeneratorRecipe, TaskRecipe, TrainingDataKeys
from blindspots.config.refused_keys import REFUSED, RULES, TRACKERS

TASK = (TaskRecipe, "TrainingArguments", "ModelConfig")
GENERATOR = (GeneratorRecipe, "SFTConfig", "ModelConfig")
OF_GENERATORS = sorted(REFUSED.keys() & class_keys("SFTConfig").keys() - class_keys("TrainingArguments").keys())


def parse(script: tuple, words: str) -> tuple:
    return parse_recipe(*script, argv=["--output_dir", "out", *words.split()])


@pytest.mark.parametrize("name", sorted(REFUSED.keys() - set(OF_GENERATORS)))
def test_a_refused_key_says_why_from_the_command_line_and_from_a_recipe(name, tmp_path):
    file = tmp_path / "recipe.yaml"
    file.write_text(f"output_dir: out\n{name}: null\n")
    for script in (TASK, GENERATOR):
        with pytest.raises(RecipeError) as error:
            parse(script, f"--{name}=1")
        assert str(error.value) == f"command line: {name} is not a key of this script: {REFUSED[name]}."
        with pytest.raises(RecipeError) as error:
            parse_recipe(*script, argv=[str(file)])
        assert str(error.value) == f"{file}: {name} is not a key of this script: {REFUSED[name]}."


@pytest.mark.parametrize("name", OF_GENERATORS)
def test_a_key_of_sftconfig_is_refused_where_it_would_be_one(name):
    with pytest.raises(RecipeError, match=f"{name} is not a key of this script: "):
        parse(GENERATOR, f"--{name} 1")
    with pytest.raises(RecipeError, match=rf"{name} is not a key of this script.* --help lists them all\."):
        parse(TASK, f"--{name} 1")


def test_a_key_of_our_own_with_the_name_of_a_refused_one_is_taken():
    words = ["--dataset", "a", "--reference", "b", "--output_dir", "out", "--label_names", "{0: neutral}"]
    assert parse_recipe(AuditRecipe, argv=words)[0].label_names == {"0": "neutral"}


@pytest.mark.parametrize(
    "words",
    [
        "--tokens_per_batch 512 --per_device_train_batch_size 8",
        "--tokens_per_batch 512 --train_sampling_strategy random",
        "--tokens_per_batch 512 --dataloader_drop_last",
        "--tokens_per_batch 512 --accelerator_config {split_batches: true}",
        "--gradient_accumulation_steps 1 --global_batch_size 8",
        "--accelerator_config {split_batches: true} --global_batch_size 8",
        "--data_seed 1 --train_sampling_strategy group_by_length",
        "--dataloader_persistent_workers",
        "--dataloader_prefetch_factor 2",
        "--dataloader_multiprocessing_context fork",
        "--dataloader_in_order false",
        "--accelerator_config file.json",
        "--accelerator_config {use_configured_state: true}",
        "--accelerator_config {gradient_accumulation_kwargs: {num_steps: 2}}",
        "--eval_strategy epoch",
        "--eval_on_start",
        "--dev_dataset dev",
        "--per_device_eval_batch_size 4",
        "--eval_delay 1 --eval_on_start --dev_dataset dev",
        "--eval_steps 2 --eval_strategy epoch --dev_dataset dev",
        "--save_strategy best",
        "--label_smoothing_factor 1.5",
        "--label_smoothing_factor -0.1",
        "--label_smoothing_factor nan",
        "--warmup_steps 0.1 --lr_scheduler_type constant",
        "--lr_scheduler_kwargs {num_cycles: 2} --lr_scheduler_type constant_with_warmup",
        "--optim_target_modules all-linear",
        "--weight_decay 0.1 --optim galore_adamw",
        "--gradient_checkpointing --activation_checkpointing false",
        "--gradient_checkpointing_kwargs {a: 1} --activation_checkpointing --activation_checkpointing_kwargs {a: 1}",
        "--activation_checkpointing_kwargs {every_n_layers: 2} --activation_checkpointing false",
        "--activation_checkpointing_kwargs file.json --activation_checkpointing",
        "--liger_kernel_config {rope: true}",
        "--lora_r 8",
        "--lora_alpha 8",
        "--lora_dropout 0",
        "--lora_target_modules q_proj",
        "--lora_target_parameters experts",
        "--lora_modules_to_save score",
        "--use_rslora",
        "--use_dora",
        "--lora_r 8 --use_peft false",
        "--bnb_4bit_quant_type fp4",
        "--use_bnb_nested_quant --load_in_8bit",
        "--bnb_4bit_quant_storage uint8",
        "--load_in_8bit --load_in_4bit",
        "--load_in_4bit --dtype auto",
        "--dtype bfloat16 --bf16 false",
        "--as_published",
    ],
)
@pytest.mark.parametrize("script", [TASK, GENERATOR], ids=["task", "generator"])
def test_a_key_that_has_no_effect_beside_the_others_is_refused_by_name(script, words, tmp_path):
    """The first key of each line, or the second where that is tokens_per_batch."""
    argv = ["--output_dir", "out", *_words(words)]
    name = next(word for word in words.split() if word.startswith("--") and word != "--tokens_per_batch")[2:]
    with pytest.raises(RecipeError, match=f"^command line: {name} ") as error:
        parse_recipe(*script, argv=argv)
    assert "\n" not in str(error.value)


def _words(line: str) -> list[str]:
    """The line cut at the spaces outside braces."""
    words, depth = [""], 0
    for character in line:
        depth += (character == "{") - (character == "}")
        if character == " " and not depth:
            words.append("")
        else:
            words[-1] += character
    return words


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--tokens_per_batch 512 --pad_to_multiple_of 8", "pad_to_multiple_of has no effect with tokens_per_batch"),
        ("--loss_type dft --label_smoothing_factor 0.1", "label_smoothing_factor has no effect with loss_type: dft"),
        ("--use_peft --lora_task_type SEQ_CLS", "lora_task_type is .* CAUSAL_LM for a generator"),
    ],
)
def test_keys_of_generators_that_have_no_effect_beside_others_are_refused(words, message):
    with pytest.raises(RecipeError, match=message):
        parse(GENERATOR, words)


def test_a_task_model_takes_no_lora_of_a_generator():
    with pytest.raises(RecipeError, match="lora_task_type is SEQ_CLS for a task model"):
        parse(TASK, "--use_peft --lora_task_type CAUSAL_LM")


@pytest.mark.parametrize(
    "words",
    [
        "--dev_dataset dev --eval_strategy epoch --per_device_eval_batch_size 4 --eval_delay 1",
        "--dev_dataset dev --eval_on_start",
        "--tokens_per_batch 512 --data_seed 1",
        "--train_sampling_strategy batch_rebalance --data_seed 1",
        "--warmup_steps 0 --lr_scheduler_type constant",
        "--use_peft false --lora_r 16",
        "--use_peft --lora_r 8 --use_dora",
        "--load_in_4bit --bnb_4bit_quant_type fp4",
        "--gradient_checkpointing",
        "--gradient_checkpointing false --activation_checkpointing false",
        "--activation_checkpointing --gradient_checkpointing_kwargs {use_reentrant:true}",
        "--dataloader_num_workers 1 --dataloader_persistent_workers --dataloader_prefetch_factor 3",
        "--report_to none",
        "--report_to all",
        "--max_steps 5 --num_train_epochs 1",
    ],
)
@pytest.mark.parametrize("script", [TASK, GENERATOR], ids=["task", "generator"])
def test_keys_that_have_an_effect_together_and_defaults_are_taken(script, words):
    recipe, training, model = parse(script, words)
    assert set(re.findall(r"--(\w+)", words)) <= vars(recipe).keys() | training.keys() | model.keys()


def test_the_message_names_the_recipe_that_holds_the_key(tmp_path):
    file = tmp_path / "recipe.yaml"
    file.write_text("output_dir: out\nwarmup_steps: 0.1\n")
    with pytest.raises(RecipeError, match=f"^{file}: warmup_steps has no effect on this lr_scheduler_type"):
        parse_recipe(*TASK, argv=[str(file), "--lr_scheduler_type", "constant"])


# Trackers


def test_a_tracker_that_is_not_installed_is_named_with_its_package(monkeypatch):
    monkeypatch.setattr(refused_keys, "find_spec", lambda module: None)
    with pytest.raises(RecipeError, match="report_to names wandb, and wandb is not installed; pip install wandb"):
        parse(TASK, "--report_to wandb")
    with pytest.raises(RecipeError, match=r"names azure_ml, .* pip install azureml-sdk"):
        parse(TASK, "--report_to azure_ml wandb")
    with pytest.raises(RecipeError, match=r"names wandbb, which is none of .*, wandb"):
        parse(TASK, "--report_to wandbb")


def test_a_tracker_that_is_installed_is_taken(monkeypatch):
    monkeypatch.setattr(refused_keys, "find_spec", lambda module: ModuleSpec(module, None))
    assert parse(TASK, "--report_to wandb trackio")[1] == {"report_to": ["wandb", "trackio"]}


@pytest.mark.parametrize("installed", [True, False])
def test_auto_is_trackio_where_it_is_installed(installed, monkeypatch):
    monkeypatch.setattr(refused_keys, "find_spec", lambda module: ModuleSpec(module, None) if installed else None)
    given = parse(TASK, "--report_to auto")[1]["report_to"]  # as it stands in a lineage, whatever is installed
    assert given in ("auto", ["auto"])
    assert refused_keys.tracker(given) == ("trackio" if installed else "none")
    assert refused_keys.tracker("wandb") == "wandb"


def test_the_trackers_are_those_of_transformers():
    """Kubeflow is not chosen in a recipe: Trainer turns it on inside a Kubeflow job."""
    assert {*TRACKERS, "kubeflow"} == integration_utils.INTEGRATION_TO_CALLBACK.keys()


def test_liger_needs_its_package():
    if importlib.util.find_spec("liger_kernel") is None:
        with pytest.raises(RecipeError, match="use_liger_kernel needs a package that is not installed; pip install"):
            parse(TASK, "--use_liger_kernel")


# The tables against the libraries


def test_every_key_of_a_rule_is_one_that_a_script_takes():
    taken = library_keys("SFTConfig").keys() | library_keys("ModelConfig").keys() | own_keys(TrainingDataKeys).keys()
    assert {name for rule in RULES for name in rule.keys.split()} <= taken


def test_every_reason_is_part_of_a_sentence():
    for reason in (*REFUSED.values(), *(rule.why for rule in RULES)):
        assert not reason.endswith((".", ";"))
        assert "\n" not in reason


@pytest.mark.parametrize("kind", [kind.value for kind in SchedulerType])
def test_the_schedules_without_warm_up_are_those_that_the_rule_names(kind):
    needed = {"cosine_with_min_lr": {"min_lr": 0}, "cosine_warmup_with_min_lr": {"min_lr": 0}}
    needed["warmup_stable_decay"] = {"num_decay_steps": 3}

    def first_rate(warmup: int) -> float:
        optimiser = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
        get_scheduler(kind, optimiser, warmup, 10, needed.get(kind))
        return optimiser.param_groups[0]["lr"]

    words = f"--lr_scheduler_type {kind} --warmup_steps 3"
    if first_rate(3) == first_rate(0):
        with pytest.raises(RecipeError, match="warmup_steps has no effect"):
            parse(TASK, words)
    else:
        parse(TASK, words)


def test_the_defaults_of_the_rules_are_those_of_the_class():
    keys = library_keys("TrainingArguments")
    for name in ("eval_strategy", "lr_scheduler_type", "warmup_steps", "train_sampling_strategy", "save_strategy"):
        assert keys[name].default_value == TrainingArguments.__dataclass_fields__[name].default
