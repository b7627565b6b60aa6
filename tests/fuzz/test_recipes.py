"""Recipes and command lines that nobody meant: what is recorded is what was given, or one line says what is wrong."""

import contextlib
import dataclasses
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pandas as pd
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made_grid import test_sets as made_test_sets
from safetensors.torch import load_file

from blindspots.config.library_keys import Key, library_keys
from blindspots.config.parser import own_keys
from blindspots.config.scripts import RECIPE_CLASSES
from blindspots.data import test_sets

from .damage import Bytes
from .made_inputs import READS, RECIPES, flag, put
from .recipe_text import LARGE, RECIPE, VALUES, Edit, edits, fitting, means, read, text_of
from .running import OUT, Ending, attempt, scratch

# Those of the other scripts are tried beside their inputs, in test_checks.py and test_sources.py.
ELSEWHERE = ("check_dataset", "compare_sources")
CLASSES = {script: found for script, found in RECIPE_CLASSES.items() if script not in ELSEWHERE}
CLASSES["validate"] = RECIPE_CLASSES["finetune_task"]
# Scripts that print what they found and write nothing below output_dir.
PRINTING = frozenset(["release", "compare_published", "validate"])
# Keys of which a large number is a lot of work, or which would change this process for the tests after it.
HEAVY = frozenset(
    """
    train_rows matched_rows hans_rows samples_per_label kept_per_label max_new_tokens shard_rows batch_size
    num_train_epochs max_steps per_device_train_batch_size gradient_accumulation_steps lora_r starts sizes seeds
    dataset_num_proc dataloader_num_workers torch_empty_cache_steps label_model_rows ddp_timeout start_draws
    global_batch_size generator_rows generator_draws train_tokens longest
    dataloader_prefetch_factor
    """.split()
)
LEFT_OUT = frozenset(
    """
    full_determinism torch_compile torch_compile_backend torch_compile_mode dataloader_num_workers dataset_num_proc
    debug log_level log_level_replica tf32 use_cpu launch ddp_backend ddp_timeout disable_tqdm output_dir
    server_url package
    """.split()
)


# How messages call what a key asks for where they do not name the key.
SAID = ("A set of", "No part of", "gguf", "has no config", "The run would stop at")
# What a recipe of validate.py says first.
FIRST_LINES = {"validate": b"# finetune_task.py: a start.\n"}


def names_in(content: bytes) -> list[str]:
    """The texts that a recipe holds, by which a message may call an input."""
    try:
        values = read(content)
    except Exception:
        return []
    values = values.values() if isinstance(values, dict) else []
    return [
        text for value in values for text in (value if isinstance(value, list) else [value]) if isinstance(text, str)
    ]


def known_keys(script: str) -> dict[str, Key]:
    """The keys of a script that are tried."""
    own, *libraries = CLASSES[script]
    keys = {name: key for library in libraries for name, key in library_keys(library).items()} | own_keys(own)
    return {name: key for name, key in keys.items() if name not in LEFT_OUT}


def recorded(out: Path, script: str) -> dict[str, Any]:
    """The keys that an output says it was made with."""
    if script == "report_sources":
        return {}
    if script == "report":
        return yaml.safe_load((out / "report.yaml").read_text("utf-8"))
    if script == "audit_dataset":
        return json.loads((out / "audit.json").read_text("utf-8"))["settings"]
    return json.loads((out / "lineage.json").read_text("utf-8"))["recipe"]


def right(inputs: Path, script: str, given: Callable[[], dict[str, Any]]) -> Callable[[Path, Ending], None]:
    """What must hold of the output where the values that `given` returns were accepted."""

    def check(out: Path, ending: Ending) -> None:
        if script in PRINTING or script == "reproduce_cell":
            return
        values = given()
        if values.get("estimate") in (True, "true"):
            assert "GiB per device" in ending.stdout
            return
        found = recorded(out, script)
        for key, value in values.items():
            assert key not in found or means(value, found[key]), f"{key}: {value!r} became {found[key]!r}"
        made(inputs, script, out, found)

    return check


def made(inputs: Path, script: str, out: Path, recipe: dict[str, Any]) -> None:
    """Raise AssertionError where an artifact is not what its recipe asks for."""
    sizes = {
        file.relative_to(out / "data").as_posix().partition("-00000-of-")[0]: len(pd.read_parquet(file))
        for file in out.glob("data/*/*.parquet")
    }
    if script == "prepare_mnli":
        if recipe["also"] or recipe["start_draws"] or recipe["generator_rows"]:
            return
        assert sizes["full/train"] + sizes["full/validation"] == 24
        assert sizes["full/validation"] == min(24, 3 * recipe["dev_rows_per_label"])
        assert {f"n{size}/train" for size in recipe["start_sizes"]} == sizes.keys() - {"full/train", "full/validation"}
        assert all(sizes[f"n{size}/train"] == size for size in recipe["start_sizes"])
    elif script.startswith("finetune"):
        counts = json.loads((out / "lineage.json").read_text())["row_counts"]
        trained = recipe.get("train_dataset") is not None
        rows = RECIPES["prepare_sources"]["train_rows"] if script == "finetune_preference" else 24
        assert not trained or counts["trained on"] + counts["too long"] == rows
        weights = {name: tensor for file in out.glob("*.safetensors") for name, tensor in load_file(file).items()}
        assert weights
        assert all(tensor.isfinite().all() for tensor in weights.values()), "weights that are not numbers"
        base = load_file(inputs / "base/model.safetensors")
        moved = any(
            name not in base or not tensor.equal(base[name].to(tensor))
            for name, tensor in weights.items()
            if "score" not in name
        )
        slow = recipe.get("learning_rate", 1) < 1e-6 or recipe.get("warmup_steps")
        assert moved or not trained or slow, "nothing was trained"
    elif script == "report_sources":
        (found,) = json.loads((out / "trained.json").read_text("utf-8"))["sets"]
        assert found["test_rows"] == RECIPES["prepare_sources"]["test_rows"]
    elif script == "prepare_sources":
        kinds = ["human", *[f"machine_{name}" for name in recipe["machines"] or ["gpt"]]]
        train = {f"{kind}-s{seed}/train": recipe["train_rows"] for kind in kinds for seed in recipe["seeds"]}
        assert sizes == train | {"test/test": recipe["test_rows"]}
    elif script == "build_variants":
        assert sizes == {f"n{size}/train": size for size in recipe["sizes"]}
    elif script == "generate_synthetic":
        counts = json.loads((out / "lineage.json").read_text())["row_counts"]
        assert sizes == {"full/train": sum(count["rows"] for count in counts.values())}
        kept = recipe["kept_per_label"]
        for label, count in counts.items():
            assert kept is None or count["rows"] == (kept[label] if isinstance(kept, dict) else kept)
        assert all(count["sampled"] == recipe["samples_per_label"] or count["kept"] for count in counts.values())


# Numbers of a training, and what has to be there for some of them to have an effect.
NUMBERS = """
per_device_train_batch_size gradient_accumulation_steps num_train_epochs max_steps learning_rate warmup_steps
adam_beta1 adam_beta2 adam_epsilon max_grad_norm weight_decay label_smoothing_factor neftune_noise_alpha logging_steps
save_steps save_total_limit eval_steps eval_delay per_device_eval_batch_size lora_r lora_alpha lora_dropout
tokens_per_batch max_length torch_empty_cache_steps pad_to_multiple_of data_seed seed eval_batch_tokens mnli_rows
estimate_tflops estimate_gpu_gib
""".split()
SETTINGS = [
    {},
    {"use_peft": True, "lora_target_modules": ["q_proj", "v_proj"]},
    {"dev_dataset": "prepared", "eval_strategy": "steps", "eval_steps": 1},
    {"save_strategy": "steps", "save_steps": 1},
    {"estimate": True, "estimate_tflops": 1, "estimate_gpu_gib": 1},
    {"max_steps": None},
    {"optim": "sgd"},
    {"optim": "adafactor", "lr_scheduler_type": "cosine"},
]


def training_edits(script: str) -> st.SearchStrategy[list[Edit]]:
    """Numbers of a training that are out of range or nearly so."""
    keys = st.sampled_from([key for key in NUMBERS if key in known_keys(script)])
    values = st.sampled_from(["-1", "0", "1", "3", "0.5", "1e-30", "1e30", "-0.0", "1.0", "25", "null"])
    numbers = st.lists(st.builds(Edit, st.just("set"), keys, values), min_size=1, max_size=2)
    settings = [
        [
            Edit("set", key, json.dumps(value)) if value is not None else Edit("remove", key)
            for key, value in one.items()
        ]
        for one in SETTINGS
    ]
    return st.builds(list.__add__, st.sampled_from(settings), numbers)


@contextlib.contextmanager
def small_test_sets() -> Iterator[None]:
    """Published scores are compared on test sets of as many rows as the models of these inputs predicted."""
    sizes = {
        name: dataclasses.replace(test_sets.test_set(name), rows=len(rows)) for name, rows in made_test_sets().items()
    }
    with patch("blindspots.release.published.test_set", sizes.get):
        yield


@pytest.mark.slow
@pytest.mark.parametrize("script", CLASSES)
@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_recipe_is_followed_or_refused(all_inputs, script, data):
    check_recipe(all_inputs, script, data.draw(edits(RECIPES[script], known_keys(script), HEAVY)))


def check_recipe(inputs, script, changes):
    with scratch() as folder:
        put(inputs, folder, *READS[script])
        content = FIRST_LINES.get(script, b"") + text_of(RECIPES[script], changes)
        (folder / RECIPE).write_bytes(content)
        keys = [edit.key for edit in changes if isinstance(edit, Edit) if edit.key]
        words = [RECIPE, *known_keys(script), *SAID, *names_in(content), *keys]
        output = [] if script in PRINTING else ["--output_dir", OUT]
        with small_test_sets():
            attempt(script, "recipe", [RECIPE, *output], folder, words, right(inputs, script, lambda: read(content)))


@pytest.mark.slow
@pytest.mark.parametrize("script", CLASSES)
@settings(max_examples=40, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_command_line_is_followed_or_refused(all_inputs, script, data):
    check_command_line(all_inputs, script, data.draw(command_lines(script)))


def command_lines(script: str) -> st.SearchStrategy[tuple[dict[str, str], list[str]]]:
    """Values of some keys as words of a command line, and further words among them."""
    known = {name: key for name, key in known_keys(script).items() if "dict" not in key.types or "list" in key.types}
    light = st.sampled_from(sorted(known.keys() - HEAVY))
    words = st.one_of(st.sampled_from([*VALUES, *LARGE]), st.text(max_size=6))
    fit = st.sampled_from(sorted(known)).flatmap(lambda name: st.tuples(st.just(name), fitting(known[name])))
    values = st.lists(st.one_of(fit, fit, st.tuples(light, words)), max_size=2).map(dict)
    flags = st.sampled_from(sorted(known)).map(lambda name: f"--{name}")
    strange = st.sampled_from(
        ["--", "-", "-h", "-x", "--=", "--no", "@file", "recipe.yaml", "x.yaml", "--config", "-1", ""]
    )
    return st.tuples(values, st.lists(st.one_of(strange, flags, words), max_size=1))


def check_command_line(inputs: Path, script: str, case: tuple[dict[str, str], list[str]]) -> None:
    values, more = case
    values = {key: text for key, text in values.items() if text and "\0" not in text}
    given = RECIPES[script] | values
    words = [word for key, value in given.items() for word in flag(key, value)] + more
    with scratch() as folder:
        put(inputs, folder, *READS[script])
        if script in FIRST_LINES:
            (folder / RECIPE).write_bytes(FIRST_LINES[script] + text_of(RECIPES[script], []))
            words = [RECIPE, *words]
        output = [] if script in PRINTING else ["--output_dir", OUT]
        texts = [part for text in [*more, *values.values()] for part in [text, *text.strip("[]").split(", ")]]
        inputs_named = [value for value in given.values() if isinstance(value, str)]
        names = [*known_keys(script), *SAID, *texts, *inputs_named, "command line", "recipe"]

        def check(out: Path, ending: Ending) -> None:
            if not ending.stdout.startswith("usage:"):
                right(inputs, script, lambda: given)(out, ending)

        with small_test_sets():
            attempt(script, "command line", [*output, *words], folder, names, check)


def setting(key: str, text: str) -> list[Edit]:
    """A recipe with another value of one key."""
    return [Edit("set", key, text)]


# Recipes on which a script failed once: with a traceback, in silence, or late.
FOUND = [
    ("make_demo_inputs", setting("hans_rows", "10")),
    ("make_demo_inputs", [Edit("last", "", "? [a, b]\n: 1")]),
    ("prepare_mnli", setting("seed", "1" * 5000)),
    ("prepare_mnli", setting("seed", "-1")),
    ("prepare_mnli", setting("seed", "!!timestamp x")),
    ("prepare_mnli", setting("seed", "!!float x")),
    ("prepare_mnli", setting("seed", "&a [*a]")),
    ("prepare_mnli", setting("mnli", "x" * 5000)),
    ("prepare_mnli", setting("mnli", '"a\\0b"')),
    ("prepare_mnli", [Bytes("utf16")]),
    ("prepare_mnli", [Bytes("packed")]),
    ("prepare_mnli", [Bytes("bom"), Bytes("bom")]),
    ("build_variants", setting("original", "''")),
    ("build_variants", setting("sizes", "[]")),
    ("build_variants", setting("kind", "/".join(["x"] * 3000))),
    ("generate_synthetic", setting("temperature", ".nan")),
    ("generate_synthetic", setting("temperature", "1" * 400)),
    ("evaluate_task", setting("dtype", "none")),
    ("finetune_task", [Edit("remove", "model_name_or_path")]),
    ("finetune_task", setting("per_device_train_batch_size", "-1")),
    ("finetune_task", setting("gradient_accumulation_steps", "0")),
    ("finetune_task", setting("adam_beta1", "2")),
    ("finetune_task", setting("max_steps", "0")),
    ("finetune_task", [Edit("remove", "max_steps"), *setting("num_train_epochs", "0")]),
    ("finetune_generator", setting("pad_to_multiple_of", "0")),
    ("finetune_generator", setting("pad_to_multiple_of", "many")),
    ("finetune_generator", setting("neftune_noise_alpha", "-1")),
    ("finetune_generator", setting("activation_checkpointing_kwargs", "{a: 1}")),
    ("report", setting("anli_r1", "nowhere")),
    ("reproduce_cell", setting("starts", '"[1"')),
    ("reproduce_cell", setting("generators", '["\\e"]')),
    ("release", setting("modules", "nowhere")),
]


@pytest.mark.parametrize(("script", "changes"), FOUND)
def test_a_recipe_on_which_a_script_failed_once(inputs, script, changes):
    check_recipe(inputs, script, changes)


@pytest.mark.parametrize("word", ["--corpus", "", "--config"])
def test_a_command_line_on_which_a_script_failed_once(inputs, word):
    check_command_line(inputs, "make_demo_inputs", ({}, [word]))
