"""Task models: start 0, tuning, tuning further, and runs that continue where they stopped."""

import contextlib
import gc
import json
import re
import signal
import subprocess
import sys
import weakref
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from huggingface_hub import ModelCard
from safetensors.torch import load_file
from torch import OutOfMemoryError, equal

import finetune_task
from blindspots.artifacts.inputs import fetch
from blindspots.config.errors import RecipeError, UserError
from blindspots.config.yaml_files import read_yaml
from blindspots.data.nli import task_input
from blindspots.evaluation.prediction import predict_logits
from blindspots.evaluation.scoring import LOGITS
from blindspots.modeling.classifier import load_classifier
from blindspots.training.finite import FiniteSteps
from blindspots.training.trainers import TaskTrainer

REPO_ROOT = Path(__file__).resolve().parent.parent
RECIPE = """
dtype: float32
use_cpu: true
num_train_epochs: 1
learning_rate: 1.0e-3
save_strategy: "no"
report_to: none
disable_tqdm: true
"""
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
)


@pytest.fixture
def tune(world, tmp_path, script):
    """Runs the script on the tiny base, 8 rows per step and 38 steps, and returns the artifact."""

    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(RECIPE)

    def run(name: str, *arguments: object, model: Path | None = None, train: object = None) -> Path:
        script(
            "finetune_task",
            recipe,
            "--model_name_or_path",
            model or world / "base",
            "--train_dataset",
            train or world / "corpus/mnli",
            "--output_dir",
            tmp_path / name,
            *arguments,
        )
        return tmp_path / name

    return run


@pytest.fixture
def interrupt(monkeypatch):
    """Makes training stop, as by Ctrl-C, at a step; call it with None to let the next one through."""
    step = TaskTrainer.training_step

    def at(last: int | None) -> None:
        def stop(trainer, *args):
            if last is not None and trainer.state.global_step >= last:
                raise KeyboardInterrupt
            return step(trainer, *args)

        monkeypatch.setattr(TaskTrainer, "training_step", stop)

    return at


@pytest.fixture
def updates(monkeypatch):
    """How far a run moves each trained weight."""
    train, moved = TaskTrainer.train, {}

    def watched(trainer, *args, **kwargs):
        trained = {name: w for name, w in trainer.model.named_parameters() if w.requires_grad}
        before = {name: weight.detach().clone() for name, weight in trained.items()}
        done = train(trainer, *args, **kwargs)
        moved.update({name: weight.detach() - before[name] for name, weight in trained.items()})
        return done

    def run(tune_a_model) -> dict:
        moved.clear()
        tune_a_model()
        return dict(moved)

    monkeypatch.setattr(TaskTrainer, "train", watched)
    return run


def share_moved(update: dict) -> float:
    return sum(int((part != 0).sum()) for part in update.values()) / sum(part.numel() for part in update.values())


def size(update: dict) -> float:
    return sum(float(part.float().pow(2).sum()) for part in update.values()) ** 0.5


def weights(folder: Path) -> dict:
    (file,) = folder.glob("*.safetensors")
    return load_file(file)


def same(one: dict, other: dict) -> bool:
    return one.keys() == other.keys() and all(equal(one[name], other[name]) for name in one)


def lineage(folder: Path) -> dict:
    return json.loads((folder / "lineage.json").read_text())


def test_start_0_is_a_head_from_the_seed_and_nothing_more(world, tune, capsys):
    one, again, other = (tune(name, "--seed", seed, train="null") for name, seed in (("a", 0), ("b", 0), ("c", 1)))
    assert same(weights(one), weights(again))
    assert "There is no train_dataset: the model is saved as it was loaded, untrained." in capsys.readouterr().out
    assert not equal(weights(one)["score.weight"], weights(other)["score.weight"])
    base = weights(world / "base")
    assert all(equal(base[name], weight) for name, weight in weights(one).items() if name != "score.weight")
    assert lineage(one)["row_counts"] == {"trained on": 0}


def test_an_artifact_is_a_model_with_predictions_results_and_card(world, tune):
    out = tune("model", "--mnli", world / "corpus/mnli", "--hans", world / "corpus/hans", "--hans_expected_rows", 60)
    classifier = load_classifier(fetch(str(out), "model"))
    rows = pd.read_parquet(out / "predictions/mnli_matched.parquet")
    test = pd.read_parquet(world / "corpus/mnli/data/validation_matched-00000-of-00001.parquet")
    texts = [task_input(premise, hypothesis) for premise, hypothesis in zip(test["premise"], test["hypothesis"])]
    assert np.allclose(predict_logits(classifier, texts, 500), rows[LOGITS], atol=1e-5)
    recorded = lineage(out)
    assert {parent["role"] for parent in recorded["parents"]} == {"start", "train", "mnli_matched", "hans"}
    assert recorded["row_counts"] == {"trained on": 300, "too long": 0, "mnli_matched": 60, "hans": 60}
    card = ModelCard.load(out / "README.md")
    assert {result.metric_name: result.metric_value for result in card.data.eval_results} == {
        name: round(recorded["results"][name], 4)
        for name in ("mnli_matched", "hans", "hans_lo_non_entailment", "hans_lo_entailment")
    }
    assert not list(out.glob("*.bin"))
    assert not [path for path in out.parent.iterdir() if path.name.endswith(".work")]


def test_a_rerun_of_the_saved_recipe_is_the_same_model(tune, script, tmp_path):
    one = tune("one", "--seed", 5)
    assert {"output_dir", "push_to_hub"}.isdisjoint(read_yaml(one / "recipe.yaml"))
    script("finetune_task", one / "recipe.yaml", "--output_dir", tmp_path / "two")
    assert same(weights(one), weights(tmp_path / "two"))
    assert lineage(one)["content_sha256"] == lineage(tmp_path / "two")["content_sha256"]


def test_rows_that_are_too_long_are_counted_in_the_card(tune):
    out = tune("model", "--max_length", 24)
    counts = lineage(out)["row_counts"]
    assert counts["trained on"] + counts["too long"] == 300
    assert min(counts.values()) > 0
    assert f"too long {counts['too long']}" in (out / "README.md").read_text()


@pytest.mark.parametrize("extra", [(), LORA, ("--tokens_per_batch", 400)], ids=["full", "lora", "tokens"])
def test_a_resumed_run_ends_as_an_uninterrupted_one(tune, interrupt, capsys, extra):
    saving = ("--save_strategy", "steps", "--save_steps", 5, *extra)
    whole = tune("whole", *saving)
    interrupt(8)
    with pytest.raises(KeyboardInterrupt):
        tune("stopped", *saving)
    checkpoints = whole.parent / ".stopped.work" / "checkpoints"
    assert [path.name for path in checkpoints.iterdir()] == ["checkpoint-5"]
    interrupt(None)
    assert same(weights(tune("stopped", *saving)), weights(whole))
    assert "is cleared" not in capsys.readouterr().out


@pytest.mark.parametrize(
    "extra",
    [(), ("--train_sampling_strategy", "group_by_length"), ("--tokens_per_batch", 400)],
    ids=["random", "group_by_length", "tokens"],
)
@pytest.mark.parametrize("stops", [(8, 13), (27, 31), (33, 36)], ids=["first epoch", "at its end", "second epoch"])
def test_a_resumed_epoch_continues_in_the_order_in_which_it_began(tune, interrupt, extra, stops):
    """Stopped twice; 25 steps per epoch (with tokens 20), a checkpoint every 5."""
    saving = ("--save_strategy", "steps", "--save_steps", 5, "--num_train_epochs", 2, *extra)
    if "--tokens_per_batch" not in extra:
        saving += ("--per_device_train_batch_size", 12)
    whole = tune("whole", *saving)
    for step in stops:
        interrupt(step)
        with pytest.raises(KeyboardInterrupt):
            tune("stopped", *saving)
    interrupt(None)
    assert same(weights(tune("stopped", *saving)), weights(whole))


def test_a_killed_run_continues_where_it_stopped_and_ends_with_the_same_predictions(tune, world, tmp_path, capsys):
    """SIGKILL after the first checkpoint."""
    keys = ("--save_strategy", "steps", "--save_steps", 5, "--num_train_epochs", 3, "--mnli", world / "corpus/mnli")
    whole = tune("whole", *keys)
    data = ("--model_name_or_path", world / "base", "--train_dataset", world / "corpus/mnli")
    command = ["scripts/finetune_task.py", tmp_path / "recipe.yaml", *data, "--output_dir", tmp_path / "killed", *keys]
    run = subprocess.Popen([sys.executable, *map(str, command)], cwd=REPO_ROOT, stderr=subprocess.DEVNULL)
    checkpoints = tmp_path / ".killed.work" / "checkpoints"
    while not list(checkpoints.glob("*/trainer_state.json")):
        with contextlib.suppress(subprocess.TimeoutExpired):
            pytest.fail(f"ended with {run.wait(0.02)} before it was killed")
    run.kill()
    assert run.wait() == -signal.SIGKILL
    assert not (tmp_path / "killed").exists()
    killed = tune("killed", *keys)
    assert "is cleared" not in capsys.readouterr().out
    assert same(weights(killed), weights(whole))
    predictions = [folder / "predictions/mnli_matched.parquet" for folder in (killed, whole)]
    assert predictions[0].read_bytes() == predictions[1].read_bytes()
    assert len(json.loads((killed / "lineage.json").read_text())["earlier_runs"]) == 1


def test_a_run_killed_while_it_saved_continues_from_the_checkpoint_before(tune, interrupt):
    saving = ("--save_strategy", "steps", "--save_steps", 5)
    whole = tune("whole", *saving)
    interrupt(12)
    with pytest.raises(KeyboardInterrupt):
        tune("stopped", *saving)
    (whole.parent / ".stopped.work/checkpoints/checkpoint-10/trainer_state.json").unlink()
    interrupt(None)
    assert same(weights(tune("stopped", *saving)), weights(whole))


def test_the_model_is_moved_after_every_process_has_read_it(tune, monkeypatch):
    """Without test sets nothing else makes the first process wait for the others."""
    from accelerate import PartialState

    from blindspots.artifacts import folder
    from blindspots.modeling import classifier

    events = []

    def noted(owner, name: str) -> None:
        call = getattr(owner, name)
        monkeypatch.setattr(owner, name, lambda *args, **keys: (events.append(name), call(*args, **keys))[1])

    for owner, name in (
        (classifier, "load_for_evaluation"),
        (PartialState, "wait_for_everyone"),
        (folder, "save_artifact"),
    ):
        noted(owner, name)
    tune("model")
    assert events[-3:] == ["load_for_evaluation", "wait_for_everyone", "save_artifact"]


def test_what_another_recipe_left_is_cleared(tune, interrupt, capsys):
    saving = ("--save_strategy", "steps", "--save_steps", 5)
    interrupt(8)
    with pytest.raises(KeyboardInterrupt):
        tune("model", *saving)
    interrupt(None)
    out = tune("model", *saving, "--learning_rate=0.002")
    assert "an unfinished run of another recipe, input, process count or engine is cleared" in capsys.readouterr().out
    assert same(weights(out), weights(tune("fresh", *saving, "--learning_rate=0.002")))


@pytest.fixture
def small_device(monkeypatch):
    """A device that runs out of memory on more than 4 rows at a time, from a step on."""
    step = FiniteSteps.training_step

    def from_step(first: int) -> None:
        def with_less_memory(trainer, model, inputs, *args):
            if trainer.state.global_step >= first and len(inputs["labels"]) > 4:
                raise OutOfMemoryError("CUDA out of memory.")
            return step(trainer, model, inputs, *args)

        monkeypatch.setattr(FiniteSteps, "training_step", with_less_memory)

    return from_step


@pytest.mark.parametrize("batch", [(), ("--tokens_per_batch", 200)], ids=["rows", "tokens"])
def test_a_device_that_holds_fewer_rows_ends_with_the_same_model(tune, small_device, capsys, batch):
    """The run continues from its checkpoint, in the middle of the epoch, with the rows that are left."""
    saving = ("--save_strategy", "steps", "--save_steps", 5, *batch)
    whole = tune("whole", *saving)
    small_device(7)
    with pytest.raises(UserError, match="set smaller_batches: true"):
        tune("stopped", *saving)
    less = weights(tune("less", *saving, "--smaller_batches"))
    assert "continuing with each batch in 2 pieces" in capsys.readouterr().out
    assert all(weight.allclose(less[name], atol=1e-5) for name, weight in weights(whole).items())


def test_a_model_that_did_not_fit_is_gone_before_the_next_one_is_loaded(tune, small_device, monkeypatch):
    """Else a device that was too small for one model would have to hold two."""
    load, models, held = finetune_task.load_trainer, [], []

    def watched(*args):
        held.append([model() for model in models if model() is not None])
        loaded = load(*args)
        models.append(weakref.ref(loaded[1].model))
        return loaded

    small_device(0)
    monkeypatch.setattr(finetune_task, "load_trainer", watched)
    gc.disable()  # what is gone is gone for certain
    try:
        tune("model", "--smaller_batches", "--bf16")  # autocast ties a model to itself
    finally:
        gc.enable()
    assert held == [[], []]


def test_the_trainer_is_gone_before_the_saved_model_is_loaded(tune, monkeypatch):
    load, evaluate, models, held = finetune_task.load_trainer, finetune_task.evaluate, [], []

    def watched(*args):
        loaded = load(*args)
        models.append(weakref.ref(loaded[1].model))
        return loaded

    def evaluated(*args):
        held.extend(model() for model in models)
        return evaluate(*args)

    monkeypatch.setattr(finetune_task, "load_trainer", watched)
    monkeypatch.setattr(finetune_task, "evaluate", evaluated)
    tune("model", "--bf16", "--max_steps", 2)
    assert held == [None]


def test_a_global_batch_is_the_recipe_and_its_parts_are_not(tune):
    """8 rows at once, and 2 rows four times: one model, by a recipe that states the 8."""
    keys = ("--max_steps", 5, "--global_batch_size", 8)
    whole, parts = tune("whole", *keys), tune("parts", *keys, "--per_device_train_batch_size", 2)
    assert all(weight.allclose(weights(parts)[name], atol=1e-6) for name, weight in weights(whole).items())
    recipe = lineage(whole)["recipe"]
    assert recipe["global_batch_size"] == 8
    assert {"per_device_train_batch_size", "gradient_accumulation_steps"}.isdisjoint(recipe)


def test_trained_weights_move_beside_a_half_or_4_bit_base_as_beside_a_float32_one(tune, updates):
    """As published, the head is bfloat16: at this learning rate no update is larger than half of its rounding."""
    keys = (*LORA, "--learning_rate=2e-5", "--max_steps", 4, "--lora_dropout", 0)
    half = (*keys, "--dtype", "bfloat16", "--bf16")
    expected = updates(lambda: tune("float32", *keys))
    for name, extra in {"half": (), "nf4": ("--load_in_4bit",)}.items():
        found = updates(lambda name=name, extra=extra: tune(name, *half, *extra))
        assert share_moved(found) == pytest.approx(share_moved(expected), abs=0.01)
        assert size(found) == pytest.approx(size(expected), rel=0.05)
    head = "base_model.model.score.modules_to_save.default.weight"
    published = updates(lambda: tune("published", *half, "--as_published"))
    assert share_moved({head: expected[head]}) == 1
    assert share_moved({head: published[head]}) < 0.5


def test_a_model_tuned_on_nf4_is_evaluated_on_nf4_now_and_later(tune, world, script, tmp_path):
    tests = ("--mnli", world / "corpus/mnli")
    nf4 = (*LORA, "--load_in_4bit", "--dtype", "bfloat16", "--bf16", "--max_steps", 3)
    out = tune("model", *nf4, *tests)
    evaluated = {"base": "nf4", "compute": "bfloat16", "head": "float32"}
    trained = {"base": "nf4", "compute": "bfloat16", "weights": "float32"}
    assert lineage(out)["precision"] == {"trained": trained, "evaluated": evaluated}
    card = (out / "README.md").read_text()
    assert "Evaluated on base weights in nf4, computed in bfloat16; head and logits in float32." in card
    script("evaluate_task", "--model", out, *tests, "--output_dir", tmp_path / "later")
    assert lineage(tmp_path / "later")["precision"] == {"evaluated": evaluated}
    now, later = (pd.read_parquet(folder / "predictions/mnli_matched.parquet") for folder in (out, tmp_path / "later"))
    pd.testing.assert_frame_equal(now, later)
    with pytest.raises(RecipeError, match="was tuned on a base in nf4 and would be tuned further on one in no quant"):
        tune("further", model=out)


def test_tuning_further_continues_the_same_adapter_and_head(tune):
    start = tune("start", *LORA)
    further = tune("further", model=start)
    assert weights(further).keys() == weights(start).keys()  # no second adapter on top of the first
    assert not equal(
        weights(further)["base_model.model.score.weight"], weights(start)["base_model.model.score.weight"]
    )
    kept = tune("kept", "--learning_rate=1e-12", model=start)
    for name, weight in weights(kept).items():
        assert weight.allclose(weights(start)[name], atol=1e-6)
    config = json.loads((further / "adapter_config.json").read_text())
    assert (
        config["base_model_name_or_path"]
        == json.loads((start / "adapter_config.json").read_text())["base_model_name_or_path"]
    )
    assert re.search(r"library_name: peft", (further / "README.md").read_text())


def test_an_adapter_takes_no_second_one(tune):
    """Its own would be continued, whatever the keys say."""
    start = tune("start", *LORA)
    with pytest.raises(RecipeError, match=r"start is an adapter .* leave out use_peft and lora_"):
        tune("further", *LORA, model=start)


def test_a_head_of_another_order_is_trained_by_label_name(world, tune, tmp_path):
    """Permuting the head and its names together permutes what is trained, and nothing else."""
    start = load_classifier(fetch(str(world / "start"), "model"))
    order = [1, 2, 0]
    names = [start.model.config.id2label[index] for index in order]
    start.model.score.weight.data = start.model.score.weight.data[order].clone()
    start.model.config.id2label = dict(enumerate(names))
    start.model.config.label2id = {name: index for index, name in enumerate(names)}
    start.model.save_pretrained(tmp_path / "permuted")
    start.tokenizer.save_pretrained(tmp_path / "permuted")
    plain, permuted = tune("plain", model=world / "start"), tune("other", model=tmp_path / "permuted")
    heads = (weights(folder)["score.weight"] for folder in (plain, permuted))
    assert next(heads)[order].allclose(next(heads), atol=1e-5)


def test_a_bad_dataset_leaves_nothing_behind(tune, world, tmp_path):
    (tmp_path / "data").mkdir()
    pd.DataFrame({"hypothesis": ["h"], "label": ["neutral"]}).to_parquet(tmp_path / "data/train.parquet")
    with pytest.raises(UserError, match="has no column premise"):
        tune("model", train=tmp_path / "data")
    assert not (tmp_path / "model").exists()
