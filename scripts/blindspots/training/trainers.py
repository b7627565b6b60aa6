"""The Trainers: every row once per epoch, a loss that is a mean over rows, and epochs that resume in order."""

from functools import partial
from pathlib import Path

import numpy as np
import torch
from accelerate.data_loader import BatchSamplerShard
from accelerate.utils import synchronize_rng_states
from datasets import Dataset
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader
from transformers import PreTrainedModel, Trainer, TrainerCallback, TrainingArguments
from transformers.trainer_pt_utils import BatchRebalanceSampler, LengthGroupedSampler
from trl import RewardTrainer, SFTTrainer

from blindspots.config.errors import UserError
from blindspots.training.engines import EngineAutocast
from blindspots.training.finite import FiniteSteps
from blindspots.training.pieces import CutBatches
from blindspots.training.prefix import SharedPrefix
from blindspots.training.samplers import TokenBatchSampler, require_no_repeats, share_steps


class _DrawEpoch(TrainerCallback):
    """Tells the sampler its epoch, which a resumed run of several processes otherwise does not."""

    def __init__(self, sampler: TokenBatchSampler):
        self.sampler = sampler

    def on_epoch_begin(self, args, state, control, **kwargs) -> None:
        self.sampler.set_epoch(int(state.epoch or 0))


class _EveryRowOnce:
    """A Trainer that trains on each row once per epoch, in batches of `tokens_per_batch` padded tokens if given.

    Raises UserError for keys that do not fit the model, where the rows of the last step can't be spread over the
    processes, and where no batch is full and `dataloader_drop_last` is set: Trainer would stop before the first step,
    as if it had trained.
    """

    def __init__(self, *args, tokens_per_batch: int | None = None, **kwargs):
        self.tokens_per_batch = tokens_per_batch
        try:
            super().__init__(*args, **kwargs)
        except ValueError as error:
            raise UserError(
                f"These keys do not fit the model or one another: {' '.join(str(error).split())}"
            ) from error

    def get_train_dataloader(self) -> DataLoader:
        batches = super().get_train_dataloader()
        shard = batches.batch_sampler
        if isinstance(shard, BatchSamplerShard) and shard.num_processes > 1 and not shard.drop_last:
            share_steps(shard, self.args.gradient_accumulation_steps, self.args.max_steps)
        if len(batches) == 0:
            raise UserError(
                f"{len(self.train_dataset)} rows fill no batch of {self.args.train_batch_size}, and "
                "dataloader_drop_last leaves out one that is not full; lower per_device_train_batch_size."
            )
        return batches

    def _get_train_sampler(self, train_dataset: Dataset | None = None):
        arguments = self.args
        seed = arguments.seed if arguments.data_seed is None else arguments.data_seed
        if self.tokens_per_batch is None:
            sampler = super()._get_train_sampler(train_dataset)
            if isinstance(sampler, BatchRebalanceSampler):
                sampler.seed = seed  # which Trainer does not tell it (transformers 5.23): each seed drew one order
                require_no_repeats(sampler, arguments.max_steps)
            if isinstance(sampler, LengthGroupedSampler):
                sampler.batch_size *= arguments.world_size  # rows are grouped alike, however many processes there are
            return sampler
        rows = self.train_dataset if train_dataset is None else train_dataset
        lengths = [len(ids) for ids in rows["input_ids"]]
        sampler = TokenBatchSampler(
            lengths, self.tokens_per_batch, seed, arguments.world_size, arguments.process_index
        )
        self.add_callback(_DrawEpoch(sampler))
        self.rows_per_step = len(rows) / len(sampler) * arguments.gradient_accumulation_steps
        return sampler


class _SameOrder:
    """A Trainer that continues through the rows of an epoch in the order in which the epoch began.

    LengthGroupedSampler draws that order from the global random state (transformers 5.23), which in a resumed run is
    another one from the second epoch on; so every checkpoint also keeps the state in which its epoch began.
    """

    def _run_epoch(self, **arguments):
        checkpoint = arguments["resume_from_checkpoint"]
        if checkpoint is not None and arguments["epoch"] == arguments["epochs_trained"]:
            if arguments["steps_trained_in_current_epoch"]:
                torch.set_rng_state(torch.from_numpy(np.load(self._epoch_start_file(checkpoint))))
            else:
                self._load_rng_state(checkpoint)
        if self.args.world_size > 1:
            synchronize_rng_states(["torch"])  # else processes may draw different orders, and rows twice or never
        self.epoch_start = torch.get_rng_state()
        return super()._run_epoch(**arguments)

    def _save_rng_state(self, output_dir: str) -> None:
        super()._save_rng_state(output_dir)
        np.save(self._epoch_start_file(output_dir), self.epoch_start.numpy())

    def _epoch_start_file(self, checkpoint: str) -> Path:
        return Path(checkpoint, f"epoch_start_{self.args.process_index}.npy")


def mean_row_loss(
    outputs, labels: torch.Tensor, num_items_in_batch=None, label_smoothing: float = 0.0
) -> torch.Tensor:
    """Cross-entropy of a (micro-)batch, summed over its rows and divided by the rows of the whole optimiser step."""
    loss = cross_entropy(outputs.logits.float(), labels, reduction="sum", label_smoothing=label_smoothing)
    return loss / (num_items_in_batch or len(labels))


class TaskTrainer(CutBatches, SharedPrefix, _EveryRowOnce, _SameOrder, FiniteSteps, EngineAutocast, Trainer):
    """Trainer of a task model whose loss is a mean over the rows of a step, however these are spread.

    LlamaForSequenceClassification leaves `num_items_in_batch` unused although Trainer relies on it (transformers
    5.23): stock Trainer's gradients grow with gradient_accumulation_steps and with the number of processes. A loss
    function of its own takes the place of Trainer's label smoother, so it smooths labels itself, and as there in
    evaluation too.
    """

    def __init__(self, model: PreTrainedModel, args: TrainingArguments, **kwargs):
        loss = partial(mean_row_loss, label_smoothing=args.label_smoothing_factor)
        super().__init__(model, args, compute_loss_func=loss, **kwargs)

    def compute_loss(self, model, inputs, return_outputs: bool = False, num_items_in_batch=None):
        """With batches of tokens the divisor is the mean number of rows per step: every row counts the same."""
        if self.tokens_per_batch is not None and model.training and num_items_in_batch is not None:
            shared = self.args.average_tokens_across_devices
            num_items_in_batch = self.rows_per_step / (1 if shared else self.args.world_size)
        return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)


class _KeptPrecision:
    """A trainer of TRL that leaves trained weights as they are; beside quantised ones TRL makes bfloat16 of them.

    Args:
        as_published: let it do so.
    """

    def __init__(self, model: PreTrainedModel, args: TrainingArguments, as_published: bool = False, **kwargs):
        kept = {} if as_published else {p: p.data for p in model.parameters() if p.requires_grad}
        super().__init__(model, args, **kwargs)
        for parameter, values in kept.items():
            parameter.data = values


class GeneratorTrainer(
    _KeptPrecision, CutBatches, SharedPrefix, _EveryRowOnce, _SameOrder, FiniteSteps, EngineAutocast, SFTTrainer
):
    """SFTTrainer of a generator; its loss is a mean over tokens, of which batches of tokens hold the same number."""


class PreferenceTrainer(_KeptPrecision, _EveryRowOnce, _SameOrder, FiniteSteps, EngineAutocast, RewardTrainer):
    """RewardTrainer whose loss is a mean over the pairs of a step, however these are spread.

    Each text is scored alone, so that the order of the two texts of a pair plays no part.
    """

    loss_is_scaled_for_ga = True  # by its pairs, see compute_loss

    def _get_num_items_in_batch(self, batch_samples: list, device: torch.device) -> torch.Tensor:
        """The pairs of an optimiser step over all processes; Trainer would count labels, which pairs do not have."""
        pairs = sum(_pairs(batch) for batch in batch_samples)
        return self.accelerator.gather(torch.tensor(pairs, device=device)).sum()

    def compute_loss(self, model, inputs, return_outputs: bool = False, num_items_in_batch=None):
        """TRL's loss, a mean over a batch, weighted in training by the batch's share of the step."""
        share = _pairs(inputs) / num_items_in_batch * self.args.world_size if num_items_in_batch is not None else 1
        found = super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        return (found[0] * share, found[1]) if return_outputs else found * share


def _pairs(batch: dict[str, torch.Tensor]) -> int:
    """How many pairs of texts a batch holds: the chosen texts, then the rejected ones."""
    return len(batch["input_ids"]) // 2
