"""A recipe from outside is data: only keys that say how a model is trained and evaluated are taken from it.

Where files go, what is pushed or reported and which code is loaded is for the one who runs it to say. Which inputs are
read comes from the lineage, by commit.
"""

import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from blindspots.artifacts.names import NAME
from blindspots.config.errors import RecipeError
from blindspots.config.library_keys import Key, library_keys
from blindspots.config.parser import check_value, own_keys
from blindspots.config.recipes import TaskRecipe
from blindspots.config.test_set_keys import test_set_keys
from blindspots.config.yaml_files import read_yaml

# Keys of a tuning that its evaluation shares.
EVALUATION_KEYS = frozenset(
    ["test_sets", "eval_batch_tokens"]
    + [key + ending for key in test_set_keys().values() for ending in ("_rows", "_expected_rows")]
)
TRAINING_KEYS = EVALUATION_KEYS | frozenset(
    """
    train_config tokens_per_batch global_batch_size as_published share_prefix smaller_batches max_length
    per_device_train_batch_size num_train_epochs max_steps learning_rate lr_scheduler_type lr_scheduler_kwargs
    warmup_steps optim weight_decay adam_beta1 adam_beta2 adam_epsilon gradient_accumulation_steps
    average_tokens_across_devices max_grad_norm label_smoothing_factor bf16 fp16 tf32 gradient_checkpointing
    activation_checkpointing
    template neftune_noise_alpha full_determinism seed data_seed use_cpu dataloader_drop_last
    train_sampling_strategy logging_strategy logging_steps disable_tqdm eval_strategy eval_steps eval_delay
    per_device_eval_batch_size save_strategy save_steps save_total_limit
    dtype attn_implementation use_peft lora_r lora_alpha lora_dropout lora_target_modules lora_modules_to_save
    use_rslora use_dora load_in_8bit load_in_4bit bnb_4bit_quant_type use_bnb_nested_quant bnb_4bit_quant_storage
    """.split()
)
ATTENTION = ("eager", "sdpa", "flash_attention_2")  # any other name would be fetched from the Hub as code


def taken(
    file: Path, allowed: frozenset[str], inputs: Collection[str], recipe_class: type, *libraries: str
) -> dict[str, Any]:
    """The keys of a recipe from outside that are allowed, checked as those of a command line; others are told.

    Args:
        allowed: TRAINING_KEYS or EVALUATION_KEYS.
        inputs: keys that the lineage gives.
        recipe_class, libraries: of the script that gets them, as `parse_recipe` takes them.

    Raises RecipeError for a recipe that can't be read and for a value that is none of its key's.
    """
    known: dict[str, Key] = {}
    for library in libraries:
        known |= library_keys(library)
    known |= own_keys(recipe_class)
    values, ignored = {}, []
    for name, value in read_yaml(file).items():
        if name in allowed and name in known:
            values[name] = _checked(str(file), known[name], value)
        elif name not in inputs and value not in (None, False):  # these ask for nothing
            ignored.append(name if isinstance(name, str) and NAME.fullmatch(name) else "an unknown key")
    if ignored:
        print(f"Of the released recipe these keys are ignored: {', '.join(sorted(set(ignored)))}.")
    return {name: value for name, value in values.items() if value is not None or name == "template"}


def training_keys(file: Path, inputs: Collection[str]) -> dict[str, Any]:
    """What finetune_task.py takes of a released recipe; see `taken`."""
    return taken(file, TRAINING_KEYS, inputs, TaskRecipe, "TrainingArguments", "ModelConfig")


def evaluation_keys(file: Path) -> dict[str, Any]:
    """What evaluate_task.py takes of a released recipe; its other keys were for the training. See `taken`."""
    return taken(file, EVALUATION_KEYS, read_yaml(file).keys(), TaskRecipe)


def _checked(where: str, key: Key, value: Any) -> Any:
    """The value in the key's kind. Raises RecipeError for another one, and for what no recipe of ours holds."""
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else [value]
    # Checked before anything prints it: nested aliases of YAML are endless when written out.
    if not all(part is None or isinstance(part, str | int | float) for part in parts):
        raise RecipeError(f"{where}: {key.name} holds lists or dicts within others; that is not a value of this key.")
    if any(isinstance(part, str) and not part.isprintable() for part in parts):
        raise RecipeError(f"{where}: {key.name} holds a control character.")
    value = check_value(where, key, value)
    if key.name == "attn_implementation" and value not in (None, *ATTENTION):
        raise RecipeError(f"{where}: attn_implementation is one of {', '.join(ATTENTION)}; got {value!r}.")
    if key.name in ("train_config", "test_sets"):
        for name in value if isinstance(value, list) else [value]:
            if name is not None and not NAME.fullmatch(name):
                raise RecipeError(f"{where}: {name!r} is not a name for {key.name}.")
    return value


@contextmanager
def recipe_file(values: dict[str, Any]) -> Iterator[Path]:
    """A file with these keys, for as long as a script needs it."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "recipe.yaml")
        file.write_text(yaml.safe_dump(values, sort_keys=True), encoding="utf-8")
        yield file
