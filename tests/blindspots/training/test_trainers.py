"""A loss that does not depend on how rows are spread over batches, and each row once per epoch."""

from pathlib import Path

import pytest
import torch
from datasets import Dataset
from transformers import DataCollatorWithPadding, LlamaForSequenceClassification, Trainer, TrainingArguments
from trl import RewardConfig

from blindspots.config.errors import UserError
from blindspots.demo.base_model import tiny_base
from blindspots.training.trainers import PreferenceTrainer, TaskTrainer


@pytest.fixture
def rows() -> Dataset:
    random = torch.Generator().manual_seed(0)
    ids = [torch.randint(3, 200, (5 + row % 17,), generator=random).tolist() for row in range(64)]
    return Dataset.from_dict(
        {"input_ids": ids, "attention_mask": [[1] * len(i) for i in ids], "labels": [row % 3 for row in range(64)]}
    )


@pytest.fixture
def new_trainer(rows, tmp_path):
    base, tokenizer = tiny_base(["a b c"], 0, hidden_size=16, layers=1)
    base.config.num_labels = 3
    torch.manual_seed(0)
    weights = LlamaForSequenceClassification(base.config).state_dict()

    def new(kind=TaskTrainer, tokens_per_batch=None, **given) -> Trainer:
        model = LlamaForSequenceClassification(base.config)
        model.load_state_dict(weights)
        arguments = TrainingArguments(
            tmp_path,
            use_cpu=True,
            report_to="none",
            disable_tqdm=True,
            learning_rate=1e-2,
            logging_steps=1,
            max_grad_norm=0,
            optim="sgd",
            **given,
        )
        extra = {"tokens_per_batch": tokens_per_batch} if kind is TaskTrainer else {}
        return kind(model, arguments, train_dataset=rows, data_collator=DataCollatorWithPadding(tokenizer), **extra)

    return new


def losses(trainer: Trainer) -> list[float]:
    trainer.train(resume_from_checkpoint=None)
    return [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]


def test_accumulation_changes_nothing(new_trainer):
    """Batch 2 x accumulation 4 = batch 8, which stock Trainer breaks for a Llama classifier (transformers 5.23)."""
    whole = new_trainer(per_device_train_batch_size=8, save_strategy="no")
    parts = new_trainer(per_device_train_batch_size=2, gradient_accumulation_steps=4, save_strategy="no")
    assert losses(parts) == pytest.approx(losses(whole), rel=1e-5)


def test_without_accumulation_the_loss_is_that_of_stock_trainer(new_trainer):
    ours = new_trainer(per_device_train_batch_size=8, save_strategy="no")
    stock = new_trainer(Trainer, per_device_train_batch_size=8, save_strategy="no")
    assert losses(ours) == pytest.approx(losses(stock), rel=1e-6)


def test_smoothed_labels_are_those_of_stock_trainer(new_trainer):
    ours, stock, plain = (
        new_trainer(kind, per_device_train_batch_size=8, save_strategy="no", label_smoothing_factor=factor)
        for kind, factor in ((TaskTrainer, 0.3), (Trainer, 0.3), (TaskTrainer, 0.0))
    )
    got = losses(ours)
    assert got == pytest.approx(losses(stock), rel=1e-5)
    assert got != pytest.approx(losses(plain), rel=1e-2)
    assert ours.evaluate(ours.train_dataset)["eval_loss"] == pytest.approx(
        stock.evaluate(stock.train_dataset)["eval_loss"], rel=1e-5
    )


def test_accumulation_changes_nothing_of_smoothed_labels_either(new_trainer):
    given = {"save_strategy": "no", "label_smoothing_factor": 0.3}
    whole = new_trainer(per_device_train_batch_size=8, **given)
    parts = new_trainer(per_device_train_batch_size=2, gradient_accumulation_steps=4, **given)
    assert losses(parts) == pytest.approx(losses(whole), rel=1e-5)


@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_every_row_counts_the_same_with_batches_of_tokens(new_trainer, smoothing):
    """At a learning rate of nothing, the mean of the steps' losses is the mean over all rows."""
    trainer = new_trainer(
        tokens_per_batch=100,
        save_strategy="no",
        lr_scheduler_type="constant_with_warmup",
        warmup_steps=10_000,
        label_smoothing_factor=smoothing,
    )
    steps = losses(trainer)
    batches = list(trainer.get_train_dataloader().batch_sampler)
    assert len({len(batch) for batch in batches}) > 1
    assert sum(steps) / len(steps) == pytest.approx(trainer.evaluate(trainer.train_dataset)["eval_loss"], rel=1e-2)


def test_a_run_resumed_in_its_second_epoch_draws_the_batches_that_were_left(new_trainer):
    given = {"tokens_per_batch": 100, "num_train_epochs": 2, "save_strategy": "steps", "save_steps": 1}
    whole = new_trainer(**given)
    expected = losses(whole)
    stop = len(expected) - 2
    resumed = new_trainer(**given)
    resumed.train(resume_from_checkpoint=f"{resumed.args.output_dir}/checkpoint-{stop}")
    got = [entry["loss"] for entry in resumed.state.log_history if "loss" in entry]
    assert got[-2:] == pytest.approx(expected[-2:], rel=1e-5)


def batches(trainer: Trainer) -> list[list[int]]:
    """The row lengths of each batch of an epoch."""
    return [batch["attention_mask"].sum(1).tolist() for batch in trainer.get_train_dataloader()]


@pytest.mark.parametrize("key", ["seed", "data_seed"])
@pytest.mark.parametrize("given", [{}, {"train_sampling_strategy": "batch_rebalance"}, {"tokens_per_batch": 100}])
def test_each_seed_draws_its_own_batches(new_trainer, key, given):
    """Stock Trainer rebalances the same batches for every seed (transformers 5.23)."""
    one, again, other = (batches(new_trainer(**{key: seed}, **given)) for seed in (1, 1, 2))
    assert one == again
    assert one != other


@pytest.mark.parametrize("given", [{}, {"train_sampling_strategy": "batch_rebalance"}])
def test_rows_that_fill_no_batch_are_an_error_and_not_a_run_of_no_steps(new_trainer, given):
    trainer = new_trainer(per_device_train_batch_size=65, dataloader_drop_last=True, max_steps=2, **given)
    with pytest.raises(UserError, match="64 rows fill no batch of 65"):
        trainer.train()


def test_keys_that_do_not_fit_the_model_are_one_line(new_trainer):
    with pytest.raises(UserError, match=r"keys do not fit the model or one another: .*eval_dataset"):
        new_trainer(eval_strategy="epoch")


def test_training_stops_at_the_first_loss_that_is_not_a_number(new_trainer):
    trainer = new_trainer(per_device_train_batch_size=8, save_strategy="steps", save_steps=1)
    trainer.model.score.weight.data[0, 0] = torch.nan
    with pytest.raises(UserError, match=r"The loss of step 1 is nan; training stops, and nothing of it is saved"):
        trainer.train()
    assert not list(Path(trainer.args.output_dir).glob("checkpoint-*"))


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_training_stops_at_the_first_gradient_that_is_not_finite(new_trainer, value):
    """Before the weights are moved by it, whether or not gradients are clipped."""
    trainer = new_trainer(per_device_train_batch_size=8, save_strategy="steps", save_steps=2)
    steps = iter(range(100))
    weight = trainer.model.score.weight
    weight.register_hook(lambda gradient: gradient * (value if next(steps) == 2 else 1))
    with pytest.raises(UserError, match=r"The gradient of step 3 is (nan|inf)"):
        trainer.train()
    assert [path.name for path in Path(trainer.args.output_dir).glob("checkpoint-*")] == ["checkpoint-2"]
    assert weight.isfinite().all()


def test_rows_that_batch_rebalance_would_repeat_are_an_error_before_the_first_step(new_trainer):
    """64 rows in steps of 21 leave 1 row for 3 batches."""
    given = {"train_sampling_strategy": "batch_rebalance", "per_device_train_batch_size": 7}
    with pytest.raises(UserError, match="has 1, to which batch_rebalance would add others again for 3 batches"):
        new_trainer(gradient_accumulation_steps=3, **given).train()
    new_trainer(gradient_accumulation_steps=3, max_steps=2, **given).train()  # it ends before them


# A reward model


@pytest.fixture
def new_reward_trainer(tmp_path):
    base, tokenizer = tiny_base(["a b c"], 0, hidden_size=16, layers=1)
    base.config.num_labels, base.config.pad_token_id = 1, tokenizer.pad_token_id
    torch.manual_seed(0)
    weights = LlamaForSequenceClassification(base.config).state_dict()
    pairs = Dataset.from_dict(
        {"chosen": ["a b c" * (row + 1) for row in range(6)], "rejected": ["c a" * (7 - row) for row in range(6)]}
    )

    def new(model=None, **given) -> PreferenceTrainer:
        if model is None:
            model = LlamaForSequenceClassification(base.config)
            model.load_state_dict(weights)
        common = {"use_cpu": True, "bf16": False, "report_to": "none", "disable_tqdm": True, "save_strategy": "no"}
        common |= {"logging_steps": 1, "gradient_checkpointing": False, "max_grad_norm": 0, "optim": "sgd"}
        arguments = RewardConfig(str(tmp_path), learning_rate=1e-2, num_train_epochs=1, **common, **given)
        return PreferenceTrainer(model, arguments, train_dataset=pairs, processing_class=tokenizer)

    return new


def test_every_pair_of_a_step_counts_the_same(new_reward_trainer):
    """6 pairs at once, and 4 and 2."""
    whole = new_reward_trainer(per_device_train_batch_size=6)
    parts = new_reward_trainer(per_device_train_batch_size=4, gradient_accumulation_steps=2)
    assert losses(parts) == pytest.approx(losses(whole), rel=1e-5)
    for one, other in zip(whole.model.parameters(), parts.model.parameters()):
        assert one.allclose(other, atol=1e-6)


@pytest.mark.parametrize("flag", ["is_loaded_in_4bit", "is_loaded_in_8bit"])
def test_what_a_reward_model_trains_beside_quantised_weights_stays_float32(new_reward_trainer, flag):
    """TRL makes bfloat16 of it, in which small updates are rounded away."""
    quantised = new_reward_trainer().model
    setattr(quantised, flag, True)
    made = new_reward_trainer(quantised)
    assert {p.dtype for p in made.model.parameters() if p.requires_grad} == {torch.float32}


# Processes


@pytest.mark.parametrize("processes", [1, 4])
def test_rows_are_grouped_by_the_batch_of_all_processes(new_trainer, monkeypatch, processes):
    trainer = new_trainer(
        per_device_train_batch_size=8 // processes,
        gradient_accumulation_steps=2,
        train_sampling_strategy="group_by_length",
    )
    monkeypatch.setattr(TrainingArguments, "world_size", processes)
    assert trainer._get_train_sampler().batch_size == 16
