"""A batch in pieces: the same rows in the same steps, the same sum."""

import pytest
import torch
from datasets import Dataset
from hypothesis import given
from hypothesis import strategies as st
from transformers import DataCollatorWithPadding, LlamaForSequenceClassification, TrainingArguments
from trl import SFTConfig

from blindspots.config.errors import UserError
from blindspots.demo.base_model import tiny_base
from blindspots.training.pieces import CutBatches, PieceCollator
from blindspots.training.trainers import GeneratorTrainer, TaskTrainer


@given(st.lists(st.integers(), min_size=1, max_size=20), st.integers(1, 9))
def test_pieces_are_consecutive_rows_and_none_is_empty(rows, pieces):
    cut = PieceCollator(list, pieces)(rows)
    assert [row for piece in cut for row in piece] == rows
    assert len(cut) == min(pieces, len(rows))
    assert max(map(len, cut)) - min(map(len, cut)) <= 1


@pytest.fixture
def new_trainer(tmp_path):
    """A trainer of a task model or of a generator, of 30 rows of several lengths."""
    random = torch.Generator().manual_seed(0)
    texts = [" ".join("abc"[word] for word in torch.randint(3, (4 + row % 9,), generator=random)) for row in range(30)]
    base, tokenizer = tiny_base(["a b c"], 0, hidden_size=16, layers=1)
    base.config.num_labels = 3
    torch.manual_seed(0)
    weights = LlamaForSequenceClassification(base.config).state_dict()
    common = {"use_cpu": True, "report_to": "none", "disable_tqdm": True, "logging_steps": 1, "num_train_epochs": 2}
    common |= {"learning_rate": 1e-2, "optim": "sgd", "max_grad_norm": 0, "save_strategy": "steps", "save_steps": 1}

    def task(**keys):
        model = LlamaForSequenceClassification(base.config)
        model.load_state_dict(weights)
        rows = Dataset.from_dict({**tokenizer(texts), "labels": [row % 3 for row in range(30)]})
        keys = {"data_collator": DataCollatorWithPadding(tokenizer), "train_dataset": rows} | keys
        return TaskTrainer(model, TrainingArguments(tmp_path, **common), **keys)

    def generator(**keys):
        model = type(base)(base.config)
        model.load_state_dict(base.state_dict())
        arguments = SFTConfig(tmp_path, **common, bf16=False, gradient_checkpointing=False)
        rows = Dataset.from_dict({"text": texts})
        return GeneratorTrainer(model, arguments, train_dataset=rows, processing_class=tokenizer, **keys)

    return {"task": task, "generator": generator}


def losses(trainer, **keys) -> list[float]:
    trainer.train(**keys)
    return [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]


@pytest.mark.parametrize("kind", ["task", "generator"])
@pytest.mark.parametrize("given", [{}, {"tokens_per_batch": 40}, {"share_prefix": False}])
def test_pieces_change_no_step(new_trainer, kind, given):
    whole, cut = (new_trainer[kind](**given) for _ in range(2))
    cut.pieces = 3
    assert losses(cut) == pytest.approx(losses(whole), rel=1e-5)
    for one, other in zip(whole.model.parameters(), cut.model.parameters()):
        assert one.allclose(other, atol=1e-6)
    assert cut.state.total_flos > 0


@pytest.mark.parametrize("given", [{}, {"tokens_per_batch": 40}])
def test_a_run_continues_in_pieces_with_the_rows_that_are_left(new_trainer, given):
    """Stopped in the middle of an epoch of whole batches; the rows of a resumed one are the rest of that epoch."""
    whole = new_trainer["task"](**given)
    expected = losses(whole)
    cut = new_trainer["task"](**given)
    cut.pieces = 2
    resumed = losses(cut, resume_from_checkpoint=f"{cut.args.output_dir}/checkpoint-2")
    assert resumed[2:] == pytest.approx(expected[2:], rel=1e-5)


class Means:
    """A trainer whose loss of a batch is a mean."""

    def training_step(self, model, inputs, num_items_in_batch=None):
        return torch.tensor(1.0)


def test_a_mean_over_a_batch_is_not_added_up():
    class Trainer(CutBatches, Means):
        pass

    assert Trainer().training_step(None, [{}, {}], 4) == 2
    assert Trainer().training_step(None, {}) == 1
    with pytest.raises(UserError, match="smaller_batches can't be used with this model"):
        Trainer().training_step(None, [{}, {}])
