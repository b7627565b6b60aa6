"""Two processes, by each engine, end where one process does: losses, weights, predictions, synthetic rows.

The configs are those of accelerate_configs/ with the CPU in place of the GPUs. Losses are printed with four digits,
which is the tolerance.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from safetensors.torch import load_file

from blindspots.evaluation.prediction import LOGITS
from blindspots.modeling.classifier import check_saved_weights

pytestmark = pytest.mark.distributed

REPO_ROOT = Path(__file__).resolve().parents[2]
ENGINES = {"ddp": "multi_gpu", "zero2": "zero2", "zero3": "zero3", "fsdp2": "fsdp2"}
LORA = (
    "--use_peft",
    "--lora_r",
    4,
    "--lora_target_modules",
    "q_proj",
    "v_proj",
    "--lora_task_type",
    "SEQ_CLS",
    "--lora_modules_to_save",
    "score",
    "--lora_dropout",
    0,
)
RECIPE = """
dtype: float32
use_cpu: true
bf16: false
learning_rate: 1.0e-2
max_steps: 6
logging_steps: 1
save_strategy: "no"
report_to: none
disable_tqdm: true
"""


@pytest.fixture(scope="module")
def recipe(tmp_path_factory) -> Path:
    file = tmp_path_factory.mktemp("recipe") / "recipe.yaml"
    file.write_text(RECIPE)
    return file


@pytest.fixture(scope="module")
def launch(tmp_path_factory):
    """Runs a script under an engine, by two processes, or by one where no engine is named; returns what it printed."""
    configs = tmp_path_factory.mktemp("configs")

    def run(engine: str | None, script: str, *arguments: object) -> str:
        config = yaml.safe_load((REPO_ROOT / f"accelerate_configs/{ENGINES.get(engine, 'cpu')}.yaml").read_text())
        if engine:
            config |= {"use_cpu": True, "mixed_precision": "no", "num_processes": 2, "main_process_port": 0}
        (configs / "config.yaml").write_text(yaml.safe_dump(config))
        shim = ["tests/distributed/fsdp_on_cpu.py"] if engine == "fsdp2" else []
        command = [
            sys.executable,
            "-m",
            "accelerate.commands.launch",
            "--config_file",
            configs / "config.yaml",
            *shim,
            f"scripts/{script}.py",
            *arguments,
        ]
        # As in an activated environment: DeepSpeed compiles again whenever it finds its tools elsewhere.
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        environment = os.environ | {"OMP_NUM_THREADS": "1", "PATH": path}
        done = subprocess.run([*map(str, command)], cwd=REPO_ROOT, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-9000:]
        return done.stdout

    return run


def losses(printed: str) -> list[float]:
    return [float(value) for value in re.findall(r"'loss': '([^']+)'", printed)]


def weights(folder: Path) -> dict:
    (file,) = folder.glob("*.safetensors")
    return load_file(file)


@pytest.fixture(scope="module")
def tune(world, recipe, launch):
    """Tunes the tiny base with 8 rows per step and predicts; returns the losses."""

    def run(engine: str | None, folder: Path, *arguments: object) -> list[float]:
        corpus = world / "corpus"
        printed = launch(
            engine,
            "finetune_task",
            recipe,
            "--model_name_or_path",
            world / "base",
            "--train_dataset",
            corpus / "mnli",
            "--mnli",
            corpus / "mnli",
            "--hans",
            corpus / "hans",
            "--hans_expected_rows",
            60,
            "--output_dir",
            folder,
            "--per_device_train_batch_size",
            4 if engine else 8,
            *arguments,
        )
        return losses(printed)

    return run


@pytest.fixture(scope="module", params=[(), LORA], ids=["full", "lora"])
def by_one(request, tune, tmp_path_factory) -> tuple[tuple, Path, list[float]]:
    """What one process ends with: the arguments, the artifact and the losses."""
    folder = tmp_path_factory.mktemp("one") / "model"
    return request.param, folder, tune(None, folder, *request.param)


@pytest.mark.parametrize("engine", ENGINES)
def test_two_processes_end_where_one_does(by_one, tune, tmp_path, engine):
    arguments, one, expected = by_one
    two = tmp_path / "model"
    assert len(expected) == 6
    assert tune(engine, two, *arguments, "--share_prefix", "true") == pytest.approx(expected, rel=2e-3)
    check_saved_weights(two)
    assert {name: weight.shape for name, weight in weights(two).items()} == {
        name: weight.shape for name, weight in weights(one).items()
    }
    for name in ("mnli_matched", "hans"):
        rows, expected_rows = (pd.read_parquet(folder / f"predictions/{name}.parquet") for folder in (two, one))
        assert rows["id"].tolist() == expected_rows["id"].tolist()
        assert np.abs(rows[LOGITS].to_numpy() - expected_rows[LOGITS].to_numpy()).max() < 1e-2  # six steps apart


@pytest.mark.parametrize("engine", ["zero3", "fsdp2"])
def test_start_0_is_the_same_under_engines_that_spread_a_model(world, launch, recipe, script, tmp_path, engine):
    start = ("--model_name_or_path", world / "base")
    launch(engine, "finetune_task", recipe, *start, "--output_dir", tmp_path / "two")
    script("finetune_task", recipe, *start, "--output_dir", tmp_path / "one")
    one, two = weights(tmp_path / "one"), weights(tmp_path / "two")
    assert one.keys() == two.keys()
    assert all(one[name].equal(two[name]) for name in one)


@pytest.mark.parametrize("engine", ["zero3", "fsdp2"])
def test_a_generator_is_tuned_alike(world, launch, recipe, tmp_path, engine):
    """The engines that spread weights, with a head that is tied to the embeddings."""
    arguments = (
        recipe,
        "--model_name_or_path",
        world / "base",
        "--train_dataset",
        world / "corpus/mnli",
        "--gradient_checkpointing",
        "false",
    )
    printed = [
        launch(
            by,
            "finetune_generator",
            *arguments,
            "--output_dir",
            tmp_path / name,
            "--per_device_train_batch_size",
            rows,
            "--share_prefix",
            "true" if by else "false",
        )
        for by, name, rows in ((None, "one", 8), (engine, "two", 4))
    ]
    one, two = map(losses, printed)
    assert len(one) == 6
    assert two == pytest.approx(one, rel=2e-3)
    one, two = weights(tmp_path / "one"), weights(tmp_path / "two")
    tied = two["model.embed_tokens.weight"]
    assert two.pop("lm_head.weight", tied).equal(tied)  # FSDP writes the shared weights twice
    assert one.keys() == two.keys()
    assert all(one[name].allclose(two[name], atol=1e-3) for name in one)


def test_predictions_of_two_processes_are_those_of_one(world, launch, script, tmp_path):
    test_sets = (
        "--model",
        world / "start",
        "--mnli",
        world / "corpus/mnli",
        "--hans",
        world / "corpus/hans",
        "--hans_expected_rows",
        60,
        "--eval_batch_tokens",
        300,
    )
    launch("ddp", "evaluate_task", *test_sets, "--output_dir", tmp_path / "two")
    script("evaluate_task", *test_sets, "--output_dir", tmp_path / "one")
    for name in ("mnli_matched", "hans"):
        one, two = (pd.read_parquet(tmp_path / folder / f"predictions/{name}.parquet") for folder in ("one", "two"))
        pd.testing.assert_frame_equal(one, two, rtol=0, atol=1e-6)


@pytest.mark.parametrize("wanted", [("--samples_per_label", 40), ("--kept_per_label", 30)])
def test_synthetic_rows_of_two_processes_are_those_of_one_byte_by_byte(world, launch, script, tmp_path, wanted):
    sampling = ("--generator", world / "generator", "--shard_rows", 16, "--batch_size", 16, "--max_new_tokens", 24)
    launch("ddp", "generate_synthetic", *sampling, *wanted, "--output_dir", tmp_path / "two")
    script("generate_synthetic", *sampling, *wanted, "--output_dir", tmp_path / "one")
    one, two = (tmp_path / name / "data/full/train-00000-of-00001.parquet" for name in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()
