"""Batches of equal token count, and a task model's loss that does not depend on how rows are spread over batches."""

from pathlib import Path

import pytest
import torch
from datasets import Dataset
from hypothesis import example, given
from hypothesis import strategies as st
from transformers import DataCollatorWithPadding, LlamaForSequenceClassification, Trainer, TrainingArguments

from blindspots.config.errors import UserError
from blindspots.demo.base_model import tiny_base
from blindspots.training.trainers import TaskTrainer, TokenBatchSampler

LENGTHS = st.lists(st.integers(1, 90), min_size=1, max_size=120)


@given(LENGTHS, st.integers(90, 300), st.integers(1, 8), st.integers(0, 3))
@example([1, 46, 46], 90, 2, 0)  # three batches of one row
@example([90] * 15, 90, 8, 0)  # seven pairs must be joined
@example([90, 90, 1, 1, 1], 90, 4, 1)  # splitting would be enough
def test_every_process_draws_as_many_batches_and_together_every_row_once(lengths, batch_tokens, processes, epoch):
    if len(lengths) < processes:
        with pytest.raises(UserError, match="rows can't be spread over"):
            TokenBatchSampler(lengths, batch_tokens, 0, processes)
        return
    parts = []
    for rank in range(processes):
        sampler = TokenBatchSampler(lengths, batch_tokens, 0, processes, rank)
        sampler.set_epoch(epoch)
        parts.append(list(sampler))
        assert len(parts[-1]) == len(sampler)
    assert sorted(row for part in parts for batch in part for row in batch) == list(range(len(lengths)))
    padded = [len(batch) * max(lengths[row] for row in batch) for part in parts for batch in part]
    beyond = [size for size in padded if size > max(batch_tokens, max(lengths))]
    assert len(beyond) < processes  # only batches that had to be joined


def test_epochs_differ_and_an_epoch_is_the_same_twice():
    sampler = TokenBatchSampler([5, 9, 5, 7] * 20, 40, seed=0)
    first, again = list(sampler), list(sampler)
    sampler.set_epoch(1)
    assert first == again
    assert list(sampler) != first


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


@pytest.mark.parametrize("processes", [1, 4])
def test_rows_are_grouped_by_the_batch_of_all_processes(new_trainer, monkeypatch, processes):
    trainer = new_trainer(
        per_device_train_batch_size=8 // processes,
        gradient_accumulation_steps=2,
        train_sampling_strategy="group_by_length",
    )
    monkeypatch.setattr(TrainingArguments, "world_size", processes)
    assert trainer._get_train_sampler().batch_size == 16
