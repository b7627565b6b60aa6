"""Trainers that compute shared tokens once end where those end that compute them in each row."""

import copy

import pytest
import torch
from datasets import Dataset
from peft import LoraConfig, get_peft_model
from transformers import DataCollatorWithPadding, LlamaForSequenceClassification, TrainingArguments
from trl import SFTConfig

from blindspots.config.errors import UserError
from blindspots.demo.base_model import tiny_base
from blindspots.training import run
from blindspots.training.run import print_plan, training_record
from blindspots.training.trainers import GeneratorTrainer, TaskTrainer

SHARED = list(range(10, 16))
ARGUMENTS = {
    "use_cpu": True,
    "report_to": "none",
    "disable_tqdm": True,
    "learning_rate": 1e-2,
    "logging_steps": 1,
    "max_steps": 6,
    "save_strategy": "no",
    "optim": "sgd",  # Adam's first steps follow the sign of a gradient, however near to zero it is
}


def rows(shared: list[int], **columns) -> Dataset:
    random = torch.Generator().manual_seed(0)
    ids = [shared + torch.randint(20, 200, (5 + row % 17,), generator=random).tolist() for row in range(64)]
    return Dataset.from_dict({"input_ids": ids, **columns})


@pytest.fixture(scope="module")
def base():
    return tiny_base(["a b c"], 0, hidden_size=16, layers=2)


@pytest.fixture
def task_trainer(base, tmp_path):
    """A TaskTrainer; arguments of Trainer and of LoraConfig by name."""
    base, tokenizer = base

    def new(share_prefix, shared=SHARED, tokens_per_batch=None, lora=None, **given) -> TaskTrainer:
        torch.manual_seed(0)
        config = copy.deepcopy(base.config)
        config.num_labels = 3
        model = LlamaForSequenceClassification(config)
        if lora is not None:
            model = get_peft_model(model, LoraConfig(task_type="SEQ_CLS", target_modules=["q_proj"], **lora))
        return TaskTrainer(
            model,
            TrainingArguments(tmp_path, **ARGUMENTS | given),
            train_dataset=rows(shared, labels=[row % 3 for row in range(64)]),
            data_collator=DataCollatorWithPadding(tokenizer),
            tokens_per_batch=tokens_per_batch,
            share_prefix=share_prefix,
        )

    return new


@pytest.fixture
def generator_trainer(base, tmp_path):
    base, tokenizer = base

    def new(share_prefix, **given) -> GeneratorTrainer:
        arguments = SFTConfig(tmp_path, gradient_checkpointing=False, bf16=False, **ARGUMENTS | given)
        data = rows(SHARED, labels=rows(SHARED)["input_ids"])
        return GeneratorTrainer(
            copy.deepcopy(base), arguments, train_dataset=data, processing_class=tokenizer, share_prefix=share_prefix
        )

    return new


def losses(trainer) -> list[float]:
    trainer.train()
    return [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]


def computed_tokens(trainer) -> list[int]:
    """A list that grows by the tokens of each batch while the trainer trains."""
    whole = trainer.model.get_base_model() if hasattr(trainer.model, "get_base_model") else trainer.model
    counts = []
    whole.model.layers[0].register_forward_pre_hook(lambda layer, args: counts.append(args[0][..., 0].numel()))
    return counts


@pytest.mark.parametrize(
    "given",
    [
        {"per_device_train_batch_size": 8},
        {"tokens_per_batch": 150},
        {"per_device_train_batch_size": 4, "gradient_accumulation_steps": 2},
        {"per_device_train_batch_size": 8, "activation_checkpointing": True},
        {"per_device_train_batch_size": 8, "lora": {}},
        {"per_device_train_batch_size": 8, "bf16": True},
    ],
    ids=["rows", "tokens", "accumulated", "checkpointed", "lora", "bf16"],
)
def test_a_task_model_learns_the_same_from_fewer_tokens(task_trainer, given):
    plain, shared = (task_trainer(share, **given) for share in (False, None))
    counts = [computed_tokens(trainer) for trainer in (plain, shared)]
    expected = losses(plain)
    assert losses(shared) == pytest.approx(expected, rel=2e-2 if given.get("bf16") else 1e-5)
    assert shared.shares_prefix
    assert sum(counts[1]) < 0.85 * sum(counts[0])


def test_a_generator_learns_the_same(generator_trainer):
    plain, shared = (generator_trainer(share, per_device_train_batch_size=8) for share in (False, None))
    counts = [computed_tokens(trainer) for trainer in (plain, shared)]
    assert losses(shared) == pytest.approx(losses(plain), rel=1e-5)
    assert sum(counts[1]) < 0.85 * sum(counts[0])


def test_losses_on_a_dev_set_are_the_same(task_trainer):
    plain, shared = (task_trainer(share) for share in (False, None))
    expected = plain.evaluate(plain.train_dataset)["eval_loss"]
    assert shared.evaluate(shared.train_dataset)["eval_loss"] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"lora": {"lora_dropout": 0.1}}, "dropout would leave out"),
        ({"neftune_noise_alpha": 5.0}, "neftune_noise_alpha adds noise"),
        ({"torch_compile": True}, "torch_compile would compile"),
    ],
)
def test_where_it_would_change_the_result_it_is_off_and_an_error_if_asked_for(task_trainer, capsys, given, why):
    trainer = task_trainer(None, **given)
    print_plan(trainer)
    assert f"share_prefix is off: {why}" in capsys.readouterr().out
    assert training_record(trainer) == {"share_prefix": False}
    with pytest.raises(UserError, match=f"share_prefix can't be used, since {why}.*; leave it out"):
        task_trainer(True, **given)


@pytest.mark.parametrize(("bf16", "here", "hinted"), [(False, True, True), (True, True, False), (False, False, False)])
def test_bfloat16_is_hinted_at_where_the_processor_has_it(task_trainer, monkeypatch, capsys, bf16, here, hinted):
    monkeypatch.setattr(run, "computes_bf16", lambda: here)
    print_plan(task_trainer(None, bf16=bf16))
    assert ("bf16: true would train faster" in capsys.readouterr().out) is hinted


def test_the_plan_and_the_lineage_say_that_it_is_used(task_trainer, capsys):
    trainer = task_trainer(True)
    print_plan(trainer)
    assert "share_prefix: tokens that rows of a batch share are computed once." in capsys.readouterr().out
    assert training_record(trainer) == {"share_prefix": True}
