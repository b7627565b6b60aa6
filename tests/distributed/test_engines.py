"""Two processes, by each engine, end where one process does: losses, gradients, weights, predictions, synthetic rows.

The configs are those of accelerate_configs/ with the CPU in place of the GPUs. All cases of an engine run in one group
of processes, and those that they are compared with in one process.
"""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from cases import LEARNING_RATE, MATRIX, OTHERS, STEPS, UNEVEN, case
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from blindspots.evaluation.scoring import LOGITS
from blindspots.modeling.loading import check_saved_weights

REPO_ROOT = Path(__file__).resolve().parents[2]
ENGINES = {"ddp": "multi_gpu", "zero2": "zero2", "zero3": "zero3", "fsdp2": "fsdp2"}
# How far two processes may end from one: losses and norms of gradients relatively; weights in the mean, in units of
# how far AdamW moves one whose gradient keeps its sign; logits of the evaluation absolutely. A bfloat16 has 8
# significant bits: one logit between 4 and 8, of one row of 8, that is rounded the other way moves the loss by 0.004.
TOLERANCE = {
    "fp32": {"loss": 1e-5, "norm": 1e-4, "weights": 1e-5, "logits": 1e-5},
    "bf16": {"loss": 3e-3, "norm": 5e-3, "weights": 1e-2, "logits": 3e-2},
}
# Combinations of the matrix that are tried at each change; the others take minutes more.
ALWAYS = ("T-full-bf16", "TD-lora-fp32", "T-nf4-bf16", "TD-nf4-fp32", "TD-nf4-bf16", "G-full-fp32", "G-lora-bf16")


@dataclass
class Run:
    """What a case ended with: its artifact, losses and norms of gradients by step, and why it was refused."""

    folder: Path
    losses: list[float]
    norms: list[float]
    refused: str | None

    @property
    def weights(self) -> dict[str, torch.Tensor]:
        (file,) = self.folder.glob("*.safetensors")
        return load_file(file)

    def rows(self, process: int) -> list[list[int]]:
        return json.loads(Path(f"{self.folder}-{process}.json").read_text())

    def predictions(self, test_set: str) -> pd.DataFrame:
        return pd.read_parquet(self.folder / f"predictions/{test_set}.parquet")


@pytest.fixture(scope="module")
def inputs(world, encoders, tmp_path_factory) -> Path:
    """The world, pairs to choose from, a base whose head is not tied to its embeddings, and a BERT without dropout."""
    folder = tmp_path_factory.mktemp("inputs")
    for part in world.iterdir():
        (folder / part.name).symlink_to(part)
    texts = pd.read_parquet(world / "corpus/mnli/data/train-00000-of-00001.parquet").head(22)
    pairs = texts[["premise", "hypothesis"]].rename(columns={"premise": "chosen", "hypothesis": "rejected"})
    (folder / "pairs").mkdir()
    pairs.to_parquet(folder / "pairs/train.parquet")
    model = AutoModelForCausalLM.from_pretrained(world / "base")
    model.config.tie_word_embeddings = False
    model.lm_head.weight = torch.nn.Parameter(model.lm_head.weight.detach() + 0.01)
    model.save_pretrained(folder / "untied")
    for file in (world / "base").glob("tokenizer*"):
        (folder / "untied" / file.name).symlink_to(file)
    config = json.loads((shutil.copytree(encoders / "bert", folder / "bert") / "config.json").read_text())
    config |= {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    (folder / "bert/config.json").write_text(json.dumps(config))
    return folder


def launch(engine: str, cases: list[tuple[str, Path]], config_file: Path) -> str | None:
    """Run scripts with their recipes, by two processes of an engine or by `one`; returns what was wrong with it."""
    launcher = [sys.executable]
    if engine != "one":
        config = yaml.safe_load((REPO_ROOT / f"accelerate_configs/{ENGINES[engine]}.yaml").read_text())
        config |= {"use_cpu": True, "num_processes": 2, "main_process_port": 0}
        config_file.write_text(yaml.safe_dump(config))
        launcher += ["-m", "accelerate.commands.launch", "--config_file", str(config_file)]
    words = [f"{script}:{recipe}" for script, recipe in cases]
    # As in an activated environment: DeepSpeed compiles again whenever it finds its tools elsewhere.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PATH": path}
    worker = [*launcher, "tests/distributed/run_cases.py", *words]
    done = subprocess.run(worker, cwd=REPO_ROOT, env=environment, capture_output=True, text=True, timeout=3600)
    failed = done.returncode or "could not be estimated" in done.stdout
    return f"{done.stdout[-4000:]}\n{done.stderr[-9000:]}" if failed else None


@pytest.fixture(scope="module")
def run(request, inputs, tmp_path_factory):
    """What a case ends with under an engine; the first call runs all cases of the engine that were selected."""
    folder = tmp_path_factory.mktemp("runs")
    selected = [
        item.callspec.params for item in request.session.items if "engine" in getattr(item, "fixturenames", ())
    ]

    @cache
    def run_all(engine: str) -> str | None:
        names = {params["name"] for params in selected if engine in ("one", params["engine"])}
        if engine == "one":
            names |= {name.replace("TD", "T") for name in names}
        (folder / engine).mkdir()
        cases = []
        for name in [name for name in (*MATRIX, *OTHERS) if name in names]:
            script, recipe = case(name, inputs, folder / "one")
            if name in MATRIX:  # so the tokens that rows share are computed once by the engine alone
                recipe = recipe | {"share_prefix": engine != "one"}
            file = folder / engine / f"{name}.yaml"
            recipe = {key: str(value) if isinstance(value, Path) else value for key, value in recipe.items()}
            file.write_text(yaml.safe_dump(recipe | {"output_dir": str(folder / engine / name)}))
            cases.append((script, file))
        return launch(engine, cases, folder / f"{engine}.yaml")

    def ended(engine: str, name: str) -> Run:
        for by in ("one", engine):
            assert run_all(by) is None, run_all(by)
        return Run(folder / engine / name, **json.loads((folder / engine / f"{name}.json").read_text()))

    return ended


def marks(name: str) -> list:
    return [pytest.mark.distributed] + ([] if name in ALWAYS else [pytest.mark.slow])


COMBINATIONS = [pytest.param(engine, name, marks=marks(name)) for engine in ENGINES for name in MATRIX]


@pytest.mark.parametrize(("engine", "name"), COMBINATIONS)
def test_two_processes_end_where_one_does(run, engine, name):
    one, two = run("one", name), run(engine, name)
    assert one.refused is None
    if engine == "fsdp2" and name.startswith(("G-lora", "G-nf4")):
        assert two.refused.startswith("lora_modules_to_save: lm_head can't be trained under FSDP2")
        assert "\n" not in two.refused
        assert not two.folder.exists()
        return
    assert two.refused is None
    within = TOLERANCE[name.split("-")[2]]
    assert len(one.losses) == STEPS
    assert two.losses == pytest.approx(one.losses, rel=within["loss"])
    assert two.norms == pytest.approx(one.norms, rel=within["norm"])
    assert mean_distance(one.weights, two.weights) < within["weights"] * STEPS * LEARNING_RATE
    check_saved_weights(two.folder)
    if not name.startswith("G"):
        for test_set in ("mnli_matched", "hans"):
            assert_predictions_agree(one.predictions(test_set), two.predictions(test_set), within["logits"])


def mean_distance(one: dict[str, torch.Tensor], two: dict[str, torch.Tensor]) -> float:
    """Mean absolute difference of the weights of two models."""
    if "model.embed_tokens.weight" in two and "lm_head.weight" not in one:
        tied = two["model.embed_tokens.weight"]
        assert two.pop("lm_head.weight", tied).equal(tied)  # some engines write shared weights twice
    assert one.keys() == two.keys()
    assert {weight.dtype for weight in (*one.values(), *two.values())} == {torch.float32}
    total = sum((one[name] - two[name]).abs().sum().item() for name in one)
    return total / sum(weight.numel() for weight in one.values())


def assert_predictions_agree(one: pd.DataFrame, two: pd.DataFrame, tolerance: float) -> None:
    assert two["id"].tolist() == one["id"].tolist()
    assert np.abs(two[LOGITS].to_numpy() - one[LOGITS].to_numpy()).max() < tolerance


def new_names(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Weights by the names of today: under ZeRO-3 transformers writes BERT's by those of its first version."""
    old = {"gamma": "weight", "beta": "bias"}
    return {
        ".".join([*name.split(".")[:-1], old.get(name.split(".")[-1], name.split(".")[-1])]): weight
        for name, weight in weights.items()
    }


ENCODERS = [("ddp", "encoder"), ("ddp", "encoder_lora")]
SLOWER = [(engine, name) for engine in ("zero2", "zero3", "fsdp2") for name in ("encoder", "encoder_lora")]


@pytest.mark.distributed
@pytest.mark.parametrize(
    ("engine", "name"), [*ENCODERS, *(pytest.param(*case, marks=pytest.mark.slow) for case in SLOWER)]
)
def test_an_encoder_ends_where_one_process_does(run, engine, name):
    one, two = run("one", name), run(engine, name)
    assert one.refused is None
    if engine == "fsdp2":
        assert two.refused.startswith("A BertForSequenceClassification can't be trained under FSDP2")
        assert not two.folder.exists()
        return
    assert two.refused is None
    within = TOLERANCE["fp32"]
    assert two.losses == pytest.approx(one.losses, rel=within["loss"])
    # The bias of BERT's keys has no gradient but rounding, by which AdamW moves it as far as any other weight.
    assert mean_distance(one.weights, new_names(two.weights)) < 10 * within["weights"] * STEPS * LEARNING_RATE
    for test_set in ("mnli_matched", "hans"):
        assert_predictions_agree(one.predictions(test_set), two.predictions(test_set), within["logits"])


@pytest.mark.distributed
@pytest.mark.slow
@pytest.mark.parametrize(("engine", "name"), [("zero3", "stored"), ("fsdp2", "stored")])
def test_4_bit_weights_that_are_spread_too_end_alike(run, engine, name):
    one, two = run("one", name), run(engine, name)
    assert one.refused is two.refused is None
    assert two.norms == pytest.approx(one.norms, rel=TOLERANCE["bf16"]["norm"])
    assert mean_distance(one.weights, two.weights) < TOLERANCE["bf16"]["weights"] * STEPS * LEARNING_RATE


@pytest.mark.distributed
@pytest.mark.parametrize(("engine", "name"), [("zero3", "start0"), ("fsdp2", "start0")])
def test_start_0_is_the_same_under_engines_that_spread_a_model(run, engine, name):
    one, two = run("one", name).weights, run(engine, name).weights
    assert one.keys() == two.keys()
    assert all(one[name].equal(two[name]) for name in one)


@pytest.mark.distributed
@pytest.mark.parametrize(("engine", "name"), [("ddp", "grouped")])
def test_rows_are_grouped_by_length_alike_in_every_epoch(run, engine, name):
    one, two = run("one", name), run(engine, name)
    assert len(one.losses) == 60
    assert two.losses == pytest.approx(one.losses, rel=1e-3)


@pytest.mark.distributed
@pytest.mark.parametrize(("engine", "name"), [("ddp", "dropout")])
def test_processes_that_draw_other_numbers_share_one_order_of_the_rows(run, engine, name):
    """Dropout draws as many numbers as a batch is wide; the order of the second epoch is drawn after that."""
    whole = sorted(run("one", name).rows(process=0)[:300])
    processes = [run(engine, name).rows(process) for process in (0, 1)]
    for epoch in (slice(0, 150), slice(150, 300)):
        assert sorted(row for rows in processes for row in rows[epoch]) == whole


@pytest.mark.distributed
@pytest.mark.parametrize(("engine", "name"), [("ddp", name) for name in UNEVEN])
def test_rows_that_the_steps_do_not_divide_are_trained_on_once_each(run, engine, name):
    """300 rows in steps of 16, and 22 pairs in steps of 8, with two accumulation steps of two processes."""
    one, two = run("one", name), run(engine, name)
    assert one.refused is two.refused is None
    assert sorted(two.rows(0) + two.rows(1)) == sorted(one.rows(0))
    assert two.losses == pytest.approx(one.losses, rel=1e-4)
    assert mean_distance(one.weights, two.weights) < 1e-3 * len(one.losses) * LEARNING_RATE


@pytest.mark.distributed
@pytest.mark.parametrize(("engine", "name"), [("ddp", "predictions")])
def test_predictions_of_two_processes_are_those_of_one(run, engine, name):
    one, two = run("one", name), run(engine, name)
    for test_set in ("mnli_matched", "hans"):
        pd.testing.assert_frame_equal(one.predictions(test_set), two.predictions(test_set), rtol=0, atol=1e-6)


@pytest.mark.distributed
@pytest.mark.parametrize(("engine", "name"), [("ddp", "sampled"), ("ddp", "kept")])
def test_synthetic_rows_of_two_processes_are_those_of_one_byte_by_byte(run, engine, name):
    one, two = (run(by, name).folder / "data/full/train-00000-of-00001.parquet" for by in ("one", engine))
    assert one.read_bytes() == two.read_bytes()
