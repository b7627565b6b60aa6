"""Damaged model folders: what is loaded predicts as stock transformers does, or one line names the folder."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from safetensors.torch import load_file

from blindspots.data.nli import generator_prompt, task_input

from .damage import Json
from .made_inputs import RECIPES, TRAINING, flag, put
from .model_folders import Damaged, Tensors, model_damages, next_token, stock_logits
from .reading import LABELS
from .running import OUT, Ending, attempt, run, scratch

LOGITS = [f"logit_{label}" for label in LABELS]


@dataclass(frozen=True)
class Loader:
    """A script that loads a model folder.

    model: which of the inputs it is; key: what names it; words: the rest of the command line; reads: further inputs.
    right: (the damaged folder, the inputs, output, what was printed) -> raises AssertionError.
    """

    script: str
    model: str
    key: str
    words: dict[str, Any]
    reads: tuple[str, ...]
    right: Callable[[Path, Path, Path, Ending], None]


def predicted(model: Path, inputs: Path, out: Path, ending: Ending) -> None:
    """The predictions are those of stock transformers."""
    rows = pd.read_parquet(out / "predictions/mnli_matched.parquet")
    test = pd.read_parquet(inputs / "mnli/data/validation_matched-00000-of-00001.parquet")
    texts = [task_input(*pair) for pair in zip(test["premise"], test["hypothesis"])]
    wanted = stock_logits(model, texts)
    assert rows["id"].tolist() == test["pairID"].tolist()
    assert np.isfinite(rows[LOGITS]).all(axis=None)
    assert np.allclose(rows[LOGITS], wanted, rtol=1e-3, atol=1e-3 * np.abs(wanted).max()), "other logits than stock"


def copied(model: Path, inputs: Path, out: Path, ending: Ending) -> None:
    """Start 0: the weights are those of the folder, the head is new."""
    saved, given = load_file(out / "model.safetensors"), load_file(model / "model.safetensors")
    assert all(tensor.isfinite().all() for tensor in saved.values())
    for name, tensor in saved.items():
        source = given.get(name, given.get(f"model.{name}"))  # under the prefix of a whole model, it is found too
        assert name == "score.weight" or tensor.equal(source.to(tensor)), f"{name} is not that of the folder"
    assert json.loads((out / "config.json").read_text())["id2label"] == {str(i): name for i, name in enumerate(LABELS)}


def trained(model: Path, inputs: Path, out: Path, ending: Ending) -> None:
    """Every row was trained on, and the result holds numbers."""
    counts = json.loads((out / "lineage.json").read_text())["row_counts"]
    assert counts["trained on"] + counts["too long"] == 24
    for file in out.glob("*.safetensors"):
        assert all(tensor.isfinite().all() for tensor in load_file(file).values())


def estimated(model: Path, inputs: Path, out: Path, ending: Ending) -> None:
    assert "24 rows of" in ending.stdout
    assert not out.exists()


def merged(model: Path, inputs: Path, out: Path, ending: Ending) -> None:
    """The merged model predicts as base and adapter do by PEFT alone."""
    prompt = generator_prompt("neutral")
    assert np.allclose(next_token(out, prompt), next_token(model, prompt), atol=1e-4), "other logits than PEFT"


@cache
def undamaged(inputs: Path) -> tuple[np.ndarray, pd.DataFrame]:
    """The generator's next token after a prompt, and the rows that it writes."""
    words = RECIPES["generate_synthetic"] | {"output_dir": OUT}
    with scratch() as folder:
        put(inputs, folder, "generator")
        assert (
            run("generate_synthetic", [w for key, value in words.items() for w in flag(key, value)], folder).code == 0
        )
        rows = pd.read_parquet(folder / OUT / "data/full/train-00000-of-00001.parquet")
        return next_token(folder / "generator", generator_prompt("neutral")), rows


def sampled(model: Path, inputs: Path, out: Path, ending: Ending) -> None:
    """The rows are those of the undamaged generator where the next token is."""
    rows = pd.read_parquet(out / "data/full/train-00000-of-00001.parquet")
    counts = json.loads((out / "lineage.json").read_text())["row_counts"]
    assert len(rows) == sum(count["kept"] for count in counts.values()) > 0
    logits, wanted = undamaged(inputs)
    found = next_token(model, generator_prompt("neutral"))
    assert np.isfinite(found).all()
    if found.shape == logits.shape and np.allclose(found, logits, atol=1e-5):
        assert rows.equals(wanted)


def judged(model: Path, inputs: Path, out: Path, ending: Ending) -> None:
    """The audit answers with the model, or says why it does not."""
    section = json.loads((out / "audit.json").read_text())["sections"]["label noise"]
    assert section.get("not_computed") or section["numbers"] or section


LOADERS = {
    "a task model, evaluated": Loader("evaluate_task", "start", "model", {"mnli": "mnli"}, ("mnli",), predicted),
    "an adapter, evaluated": Loader("evaluate_task", "task_adapter", "model", {"mnli": "mnli"}, ("mnli",), predicted),
    "a base model, start 0": Loader("finetune_task", "base", "model_name_or_path", TRAINING, (), copied),
    "a base model, tuned": Loader(
        "finetune_task", "base", "model_name_or_path", TRAINING | {"train_dataset": "mnli"}, ("mnli",), trained
    ),
    "an adapter, tuned": Loader(
        "finetune_task", "task_adapter", "model_name_or_path", TRAINING | {"train_dataset": "mnli"}, ("mnli",), trained
    ),
    "a base model, estimated": Loader(
        "finetune_task",
        "base",
        "model_name_or_path",
        {"train_dataset": "mnli", "estimate": True, "estimate_tflops": 1, "estimate_gpu_gib": 9},
        ("mnli",),
        estimated,
    ),
    "a base model, tuned to generate": Loader(
        "finetune_generator",
        "base",
        "model_name_or_path",
        TRAINING | {"train_dataset": "mnli", "bf16": False},
        ("mnli",),
        trained,
    ),
    "an adapter, merged": Loader("merge_generator", "adapter", "generator", {}, (), merged),
    "a generator": Loader(
        "generate_synthetic",
        "generator",
        "generator",
        {key: value for key, value in RECIPES["generate_synthetic"].items() if key != "generator"},
        (),
        sampled,
    ),
}

ADAPTERS = [name for name, loader in LOADERS.items() if "adapter" in loader.model]


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in LOADERS if name not in ADAPTERS])
@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(damage=model_damages())
def test_a_model_is_loaded_as_it_is_or_refused(inputs, name, damage):
    check_model(inputs, name, damage)


@pytest.mark.slow
@pytest.mark.parametrize("name", ADAPTERS)
@settings(max_examples=40, suppress_health_check=list(HealthCheck))
@given(damage=model_damages(adapter=True))
def test_an_adapter_is_loaded_as_it_is_or_refused(inputs, name, damage):
    check_model(inputs, name, damage)


def check_model(inputs: Path, name: str, damage: Damaged) -> None:
    loader = LOADERS[name]
    with scratch() as folder:
        put(inputs, folder, loader.model, *loader.reads)
        model = folder / loader.model
        damage(model)
        keys = loader.words | {loader.key: loader.model, "output_dir": OUT}
        attempt(
            loader.script,
            f"model folder: {name}",
            [word for key, value in keys.items() for word in flag(key, value)],
            folder,
            [loader.model, damage.file, "the model's"],
            lambda out, ending: loader.right(model, inputs, out, ending),
        )


# Damages on which a script failed once: with a traceback, or, of NaN in a generator, in silence.
FOUND = [
    ("a task model, evaluated", Damaged("config.json", Json(0, 9, "architectures"))),
    ("a task model, evaluated", Damaged("config.json", Json(0, [7], "architectures"))),
    ("a task model, evaluated", Damaged("config.json", Json(0, {"0": 1, "1": 2, "2": 3}, "id2label"))),
    ("a task model, evaluated", Damaged("config.json", Json(0, [], "sliding_window"))),
    ("a task model, evaluated", Damaged("config.json", Json(0, "../x", "dtype"))),
    ("a task model, evaluated", Damaged("config.json", Json(0, 1e308, "vocab_size"))),
    ("a task model, evaluated", Damaged("config.json", Json(0, 0, "num_attention_heads"))),
    ("a task model, evaluated", Damaged("config.json", Json(0, [[["a"]]], "text_config"))),
    ("a task model, evaluated", Damaged("tokenizer_config.json", Json(0, "x", "model_max_length"))),
    ("a task model, evaluated", Damaged("model.safetensors", Tensors("inf", 3))),
    ("an adapter, evaluated", Damaged("adapter_config.json", Json(0, 1, "target_modules"))),
    ("an adapter, evaluated", Damaged("adapter_config.json", Json(0, "../x", "modules_to_save"))),
    ("an adapter, evaluated", Damaged("adapter_config.json", Json(0, {"a": 1}, "megatron_config"))),
    ("an adapter, evaluated", Damaged("adapter_model.safetensors", Tensors("nan", 1))),
    ("an adapter, merged", Damaged("adapter_config.json", Json(0, [1, 2], "alora_invocation_tokens"))),
    ("an adapter, merged", Damaged("adapter_config.json", Json(0, " ", "base_model_name_or_path"))),
    ("an adapter, merged", Damaged("adapter_config.json", Json(0, "0", "base_model_name_or_path"))),
    ("an adapter, merged", Damaged("tokenizer_config.json", Json(1, "00"))),
    ("an adapter, tuned", Damaged("tokenizer_config.json", Json(1, "00"))),
    ("a generator", Damaged("tokenizer_config.json", Json(1, "00"))),
    ("a base model, tuned to generate", Damaged("tokenizer_config.json", Json(1, "00"))),
    ("a base model, estimated", Damaged("config.json", Json(0, "7", "problem_type"))),
    ("a base model, estimated", Damaged("config.json", Json(0, "x", "hidden_act"))),
    ("a generator", Damaged("config.json", Json(0, [], "sliding_window"))),
    ("a generator", Damaged("model.safetensors", Tensors("nan", 0))),
    ("a base model, tuned", Damaged("tokenizer.json", Json(1103, 68))),
]


@pytest.mark.parametrize(("name", "damage"), FOUND)
def test_a_model_on_which_a_script_failed_once(inputs, name, damage):
    check_model(inputs, name, damage)
