"""Every key of the libraries that the training scripts accept changes something, or is listed with why it can't here.

A key that a new version of a library brings is in none of the tables, and fails the first test: it goes into
`refused_keys` where nothing follows it, else into a table here.
"""

import hashlib
import re
import shutil
from pathlib import Path

import pytest
import torch
import yaml
from transformers import Trainer

from blindspots.config.library_keys import library_keys
from blindspots.config.parser import own_keys
from blindspots.config.scripts import RECIPE_CLASSES

SCRIPTS = {script: RECIPE_CLASSES[script] for script in ("finetune_task", "finetune_generator")}
RECIPE = {
    "model_name_or_path": "WORLD/base",
    "train_dataset": "WORLD/corpus/mnli",
    "dtype": "float32",
    "use_cpu": True,
    "bf16": False,
    "max_steps": 3,
    "per_device_train_batch_size": 4,
    "learning_rate": 1e-2,
    "logging_steps": 1,
    "save_strategy": "no",
    "report_to": "none",
    "disable_tqdm": True,
}
EPOCHS = {"max_steps": -1, "per_device_train_batch_size": 200}
DEV = {"dev_dataset": "WORLD/dev", "eval_strategy": "steps", "eval_steps": 1}
LORA = {"use_peft": True, "lora_r": 4, "lora_target_modules": ["q_proj", "v_proj"]}
SAVING = {"save_strategy": "steps", "save_steps": 1}

# Key: a value that is not the default, and the keys that it needs beside it.
BOTH = {
    "per_device_train_batch_size": (5, {}),
    "num_train_epochs": (1, EPOCHS),
    "max_steps": (2, {}),
    "learning_rate": (1e-3, {}),
    "lr_scheduler_type": ("constant", {}),
    "lr_scheduler_kwargs": ({"num_cycles": 2}, {"lr_scheduler_type": "cosine_with_restarts"}),
    "warmup_steps": (2, {}),
    "optim": ("sgd", {}),
    "optim_args": ("momentum=0.9", {"optim": "sgd"}),
    "weight_decay": (0.5, {}),
    "adam_beta1": (0.5, {}),
    "adam_beta2": (0.5, {}),
    "adam_epsilon": (1e-3, {}),
    "gradient_accumulation_steps": (2, {}),
    "max_grad_norm": (0.01, {}),
    "label_smoothing_factor": (0.3, {}),
    "bf16": (True, {}),
    "use_cache": (True, {}),
    "neftune_noise_alpha": (5, {}),
    "logging_strategy": ("no", {}),
    "logging_steps": (2, {}),
    "logging_first_step": (True, {"logging_steps": 2}),
    "include_num_input_tokens_seen": ("all", {}),
    "eval_strategy": ("epoch", DEV | {"eval_steps": None}),
    "eval_steps": (2, DEV),
    "eval_delay": (2, DEV),
    "eval_on_start": (True, DEV),
    "per_device_eval_batch_size": (7, DEV),
    "save_strategy": ("steps", {}),
    "save_steps": (2, SAVING),
    "save_total_limit": (1, SAVING),
    "full_determinism": (True, {}),
    "seed": (7, {}),
    "data_seed": (7, {}),
    "accelerator_config": ({"use_seedable_sampler": False}, {}),
    "dataloader_drop_last": (True, EPOCHS),
    "train_sampling_strategy": ("sequential", {}),
    "skip_memory_metrics": (False, {}),
    "model_name_or_path": ("WORLD/generator", {}),
    "dtype": ("bfloat16", LORA | {"bf16": True}),
    "attn_implementation": ("eager", {}),
    "use_peft": (True, {}),
    "lora_r": (8, LORA),
    "lora_alpha": (8, LORA),
    "lora_dropout": (0.5, LORA),
    "lora_target_modules": (["k_proj", "v_proj"], LORA),
    "lora_modules_to_save": (["embed_tokens"], LORA),
    "use_rslora": (True, LORA),
    "use_dora": (True, LORA),
}
GENERATOR = {
    "eos_token": ("<s>", {}),
    "pad_token": ("<s>", {}),
    "max_length": (40, {}),
    "shuffle_dataset": (True, {}),
    "pad_to_multiple_of": (64, {}),
    "loss_type": ("dft", {}),
}
# Keys that change nothing that is looked at here, by what they are about.
UNSEEN = {
    "what is shown or sent to a tracker": """
        disable_tqdm log_level debug report_to run_name project trackio_space_id
        trackio_bucket_id trackio_static_space_id""",
    "speed or memory, with the same numbers": """
        activation_checkpointing activation_checkpointing_kwargs gradient_checkpointing gradient_checkpointing_kwargs
        torch_compile torch_compile_backend torch_compile_mode torch_empty_cache_steps dataset_num_proc
        dataloader_num_workers dataloader_pin_memory dataloader_persistent_workers dataloader_prefetch_factor
        dataloader_multiprocessing_context dataloader_in_order""",
    "a GPU": "fp16 tf32 use_cpu activation_offloading load_in_8bit load_in_4bit bnb_4bit_quant_type "
    "use_bnb_nested_quant bnb_4bit_quant_storage",
    "several processes or machines": """
        average_tokens_across_devices ddp_find_unused_parameters ddp_bucket_cap_mb ddp_broadcast_buffers
        ddp_static_graph ddp_backend ddp_timeout log_on_each_node log_level_replica save_on_each_node""",
    "a package that is not installed": "use_liger_kernel liger_kernel_config optim_target_modules",
    "a mixture of experts": "lora_target_parameters",
    "the Hub": "model_revision",
    "what the script does anyway: any other value is refused": "lora_task_type",
}


def cases(script: str) -> dict[str, tuple]:
    return BOTH | (GENERATOR if script == "finetune_generator" else {})


@pytest.mark.parametrize("script", SCRIPTS)
def test_every_accepted_key_is_in_one_of_the_tables(script):
    recipe_class, *libraries = SCRIPTS[script]
    accepted = set().union(*map(library_keys, libraries)) - own_keys(recipe_class).keys()
    unseen = set(" ".join(UNSEEN.values()).split())
    assert accepted - cases(script).keys() - unseen == set()
    assert cases(script).keys() - accepted == set()
    assert unseen & cases(script).keys() == set()


def test_the_tables_hold_no_key_that_is_gone():
    accepted = set().union(*(library_keys(library) for _, *libraries in SCRIPTS.values() for library in libraries))
    assert set(" ".join(UNSEEN.values()).split()) <= accepted


@pytest.fixture(scope="module")
def without_key() -> dict[str, dict]:
    """What was seen without a key, by script and the keys beside it."""
    return {}


@pytest.fixture(scope="module")
def inputs(world, tmp_path_factory) -> Path:
    """The world, and a dataset with a validation split."""
    folder = tmp_path_factory.mktemp("inputs")
    (folder / "dev/data").mkdir(parents=True)
    rows = world / "corpus/mnli/data/validation_matched-00000-of-00001.parquet"
    shutil.copy(rows, folder / "dev/data/validation.parquet")
    for name in ("base", "generator", "corpus"):
        (folder / name).symlink_to(world / name)
    return folder


def without_times(entry: dict) -> dict:
    return {name: value for name, value in entry.items() if not re.search("runtime|per_second", name)}


@pytest.fixture
def observe(inputs, tmp_path, script, monkeypatch):
    """Runs a script on a recipe; returns what can be seen of the run and of its artifact."""
    seen = {}
    step, train = Trainer.training_step, Trainer.train

    def watch_step(trainer, model, batch, *arguments):
        seen["batches"].append(batch["input_ids"].tolist())
        return step(trainer, model, batch, *arguments)

    def watch_training(trainer, *arguments, **keys):
        done = train(trainer, *arguments, **keys)
        seen["log"] = list(map(without_times, trainer.state.log_history))
        seen["optimiser"] = repr(trainer.optimizer)
        seen["checkpoints"] = sorted(path.name for path in Path(trainer.args.output_dir).iterdir())
        seen["deterministic"] = torch.are_deterministic_algorithms_enabled()
        return done

    monkeypatch.setattr(Trainer, "training_step", watch_step)
    monkeypatch.setattr(Trainer, "train", watch_training)

    def run(name: str, recipe: dict) -> dict:
        seen.clear()
        seen["batches"] = []
        file, out = tmp_path / "recipe.yaml", tmp_path / "out"
        file.write_text(yaml.safe_dump(recipe).replace("WORLD", str(inputs)))
        script(name, file, "--output_dir", out)
        # Three files of an artifact state the recipe.
        made = {path for path in out.iterdir() if path.name not in ("lineage.json", "README.md", "recipe.yaml")}
        files = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in made}
        shutil.rmtree(out)
        return {**seen, "files": files}

    yield run
    torch.use_deterministic_algorithms(False)


@pytest.mark.parametrize("script_name", SCRIPTS)
def test_a_run_is_the_same_twice(observe, script_name):
    """Else a difference would prove nothing."""
    assert observe(script_name, RECIPE | DEV) == observe(script_name, RECIPE | DEV)


@pytest.mark.parametrize(("script_name", "key"), [(script, key) for script in SCRIPTS for key in cases(script)])
def test_an_accepted_key_has_an_effect(observe, without_key, script_name, key):
    value, beside = cases(script_name)[key]
    without = f"{script_name} {beside}"
    if without not in without_key:
        without_key[without] = observe(script_name, RECIPE | beside)
    assert observe(script_name, RECIPE | beside | {key: value}) != without_key[without]
