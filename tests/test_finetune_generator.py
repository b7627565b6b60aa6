"""Generators: what the loss covers, and that the end can be learnt."""

import json

import pytest
import torch
from datasets import load_dataset
from huggingface_hub import ModelCard
from safetensors.torch import load_file

from blindspots.artifacts.inputs import fetch
from blindspots.config.errors import UserError
from blindspots.data.nli import END_MARKER, generator_prompt
from blindspots.modeling.generators import longest_completion, prompt_ids
from blindspots.modeling.loading import load_tokenizer
from blindspots.training.trainers import GeneratorTrainer

RECIPE = """
dtype: float32
use_cpu: true
bf16: false
gradient_checkpointing: false
num_train_epochs: 1
learning_rate: 1.0e-3
report_to: none
disable_tqdm: true
"""


@pytest.fixture
def tune(world, tmp_path, script):
    (tmp_path / "recipe.yaml").write_text(RECIPE)

    def run(name: str, *arguments: object):
        script(
            "finetune_generator",
            tmp_path / "recipe.yaml",
            "--model_name_or_path",
            world / "base",
            "--train_dataset",
            world / "corpus/mnli",
            "--output_dir",
            tmp_path / name,
            *arguments,
        )
        return tmp_path / name

    return run


@pytest.mark.parametrize("loss_on", ["text", "completion"])
def test_the_loss_covers_the_text_or_the_completion_and_always_the_end(tune, monkeypatch, loss_on):
    seen = []

    def watch(trainer, model, inputs, *args, **kwargs):
        seen.append((trainer.processing_class, {name: inputs[name].clone() for name in ("input_ids", "labels")}))
        raise KeyboardInterrupt

    monkeypatch.setattr(GeneratorTrainer, "compute_loss", watch)
    with pytest.raises(KeyboardInterrupt):
        tune("generator", "--loss_on", loss_on)
    tokenizer, batch = seen[0]
    for ids, labels in zip(batch["input_ids"], batch["labels"]):
        learnt = ids[labels != -100]
        assert torch.equal(learnt, labels[labels != -100])
        assert learnt[-1] == tokenizer.eos_token_id
        text = tokenizer.decode(learnt[:-1], skip_special_tokens=True)
        assert text.endswith(END_MARKER)
        prompt = generator_prompt("entailment").split(" entailment")[0]
        assert text.startswith(prompt if loss_on == "text" else " Premise:")


def test_a_generator_is_an_artifact_that_follows_its_seed(tune):
    one, again, other = (
        tune(name, "--seed", seed, "--max_length", 40) for name, seed in (("a", 0), ("b", 0), ("c", 1))
    )
    weights = [load_file(folder / "model.safetensors") for folder in (one, again, other)]
    assert all(weights[0][name].equal(weights[1][name]) for name in weights[0])
    assert any(not weights[0][name].equal(weights[2][name]) for name in weights[0])
    counts = json.loads((one / "lineage.json").read_text())["row_counts"]
    assert counts["trained on"] + counts["too long"] == 300
    assert counts["too long"] > 0
    assert longest_completion(fetch(str(one), "model")) == 40 - prompt_tokens(one)
    assert ModelCard.load(one / "README.md").data.pipeline_tag == "text-generation"


def prompt_tokens(folder) -> int:
    tokenizer = load_tokenizer(fetch(str(folder), "model"))
    return len(prompt_ids(tokenizer, generator_prompt("neutral")))


def test_dev_rows_are_not_cut_either(tune, world, tmp_path, monkeypatch, capsys):
    """SFTTrainer would cut both sorts of rows at max_length."""
    dev = load_dataset(str(world / "corpus/mnli"), split="validation_matched", cache_dir=str(tmp_path / "cache"))
    (tmp_path / "dev").mkdir()
    dev.to_parquet(tmp_path / "dev" / "validation.parquet")
    ends = []

    def watch(trainer, *args, **kwargs):
        for rows in (trainer.train_dataset, trainer.eval_dataset):
            ends.append({ids[-1] == trainer.processing_class.eos_token_id for ids in rows["input_ids"]})
        raise KeyboardInterrupt

    monkeypatch.setattr(GeneratorTrainer, "train", watch)
    evaluated = ("--dev_dataset", tmp_path / "dev", "--eval_strategy", "epoch")
    with pytest.raises(KeyboardInterrupt):
        tune("generator", "--max_length", 40, *evaluated)
    assert ends == [{True}, {True}]
    assert "dev rows are longer than 40 tokens and are left out." in capsys.readouterr().out


def test_a_resumed_generator_is_the_uninterrupted_one(tune, monkeypatch):
    """Stopped in its second epoch of batches that are grouped by length, as in the demo."""
    saving = (
        "--num_train_epochs",
        2,
        "--train_sampling_strategy",
        "group_by_length",
        "--save_strategy",
        "steps",
        "--save_steps",
        10,
        "--per_device_train_batch_size",
        12,
    )
    whole = load_file(tune("whole", *saving) / "model.safetensors")
    step = GeneratorTrainer.training_step

    def stop(trainer, *args):
        if trainer.state.global_step == 34:
            raise KeyboardInterrupt
        return step(trainer, *args)

    with monkeypatch.context() as patched:
        patched.setattr(GeneratorTrainer, "training_step", stop)
        with pytest.raises(KeyboardInterrupt):
            tune("stopped", *saving)
    stopped = load_file(tune("stopped", *saving) / "model.safetensors")
    assert all(stopped[name].equal(weight) for name, weight in whole.items())


def test_an_adapter_can_be_tuned_and_sampled_from(tune, script, tmp_path):
    lora = ("--use_peft", "--lora_r", 4, "--lora_target_modules", "q_proj", "v_proj", "--lora_task_type", "CAUSAL_LM")
    out = tune("adapter", *lora)
    assert (out / "adapter_model.safetensors").is_file()
    assert longest_completion(fetch(str(out), "model")) > 20
    sampling = ("--samples_per_label", 4, "--max_new_tokens", 8)
    with pytest.raises(UserError, match=r"No sample of entailment was kept: \d of 4 were unfinished"):  # 8 are few
        script("generate_synthetic", "--generator", out, "--output_dir", tmp_path / "raw", *sampling)


def test_a_new_adapter_follows_the_seed(tune):
    lora = ("--use_peft", "--lora_r", 4, "--lora_target_modules", "q_proj", "v_proj", "--max_steps", 1)
    one, same, other = (
        load_file(tune(name, *lora, "--seed", seed, "--data_seed", 0) / "adapter_model.safetensors")
        for name, seed in (("a", 0), ("b", 0), ("c", 1))
    )
    assert all(one[name].equal(weight) for name, weight in same.items())
    assert not any(one[name].equal(weight) for name, weight in other.items() if "lora_A" in name)


def test_what_is_trained_beside_4_bit_weights_is_float32_and_as_published_bfloat16(tune):
    """SFTTrainer makes bfloat16 of it, in which an update at this learning rate is rounded away."""
    lora = ("--use_peft", "--lora_r", 4, "--lora_target_modules", "q_proj", "v_proj")
    keys = (*lora, "--lora_modules_to_save", "lm_head", "--load_in_4bit", "--dtype", "bfloat16", "--bf16", "true")
    keys += ("--max_steps", 3, "--lora_dropout", 0)
    head, slow = "base_model.model.lm_head.weight", "--learning_rate=2e-5"
    ours, published = tune("ours", *keys, slow), tune("published", *keys, slow, "--as_published")
    found = {folder: load_file(folder / "adapter_model.safetensors") for folder in (ours, published)}
    assert {weight.dtype for weight in found[ours].values()} == {torch.float32}
    assert {weight.dtype for weight in found[published].values()} == {torch.bfloat16}
    still = load_file(tune("still", *keys, "--learning_rate=1e-30") / "adapter_model.safetensors")
    moved = {folder: (weights[head].float() != still[head]).float().mean() for folder, weights in found.items()}
    assert moved[ours] > 0.99
    assert moved[published] < 0.5
    trained = [
        json.loads((folder / "lineage.json").read_text())["precision"]["trained"] for folder in (ours, published)
    ]
    assert trained[0] == {"base": "nf4", "compute": "bfloat16", "weights": "float32"}
    assert trained[1] == {"base": "nf4", "compute": "bfloat16", "weights": "bfloat16"}


def test_a_generator_is_not_tuned_from_an_adapter(tune, script, world, tmp_path):
    """Its base would be tuned too, and the adapter alone saved."""
    start = ("--model_name_or_path", tune("adapter", "--use_peft", "--max_steps", 1))
    data = ("--train_dataset", world / "corpus/mnli")
    with pytest.raises(UserError, match="adapter is an adapter; a generator is tuned from a whole model"):
        script("finetune_generator", tmp_path / "recipe.yaml", *start, *data, "--output_dir", tmp_path / "further")
