"""Which rows a batch holds: every row once per epoch, and as many batches on every process."""

from collections.abc import Iterator

import numpy as np
import torch
from accelerate.data_loader import BatchSamplerShard
from torch.utils.data import Sampler
from transformers.trainer_pt_utils import BatchRebalanceSampler

from blindspots.config.errors import UserError
from blindspots.data.length_batches import length_batches


class TokenBatchSampler(BatchRebalanceSampler):
    """`length_batches` for training: every row once per epoch, batches in random order, as many on every process.

    Rows of one length change places from epoch to epoch, so the number of batches stays. Trainer hands a
    BatchRebalanceSampler to the DataLoader as it is, and leaves the spreading over processes to it.
    """

    def __init__(self, lengths: list[int], batch_tokens: int, seed: int, processes: int = 1, rank: int = 0):
        if len(lengths) < processes:
            raise UserError(f"{len(lengths)} rows can't be spread over {processes} processes; use fewer processes.")
        super().__init__(lengths, processes, processes, 1, seed=seed, rank=rank)
        self.batch_tokens = batch_tokens
        self.batches_per_process = len(self.all_batches()) // processes

    def all_batches(self) -> list[list[int]]:
        """The batches of all processes in this epoch: those of one optimiser step stand together."""
        random = torch.Generator().manual_seed(self.seed + self.epoch)
        rows = torch.randperm(len(self.lengths), generator=random).tolist()
        batches = [
            [rows[index] for index in batch]
            for batch in length_batches([self.lengths[row] for row in rows], self.batch_tokens)
        ]
        batches = self._spread_evenly(batches)
        return [batches[index] for index in torch.randperm(len(batches), generator=random).tolist()]

    def _spread_evenly(self, batches: list[list[int]]) -> list[list[int]]:
        """As many batches as a multiple of the processes, with every row once.

        The fullest are halved; where too few hold more than one row, the shortest are joined, beyond batch_tokens.
        """
        missing = -len(batches) % self.dp_size
        if sum(len(batch) - 1 for batch in batches) >= missing:
            for _ in range(missing):
                fullest = batches.pop(max(range(len(batches)), key=lambda index: len(batches[index])))
                batches += [fullest[: len(fullest) // 2], fullest[len(fullest) // 2 :]]
            return batches
        for _ in range(len(batches) % self.dp_size):
            first, second, *batches = sorted(batches, key=lambda batch: sum(self.lengths[row] for row in batch))
            batches.append(first + second)
        return batches

    def __iter__(self) -> Iterator[list[int]]:
        yield from self.all_batches()[self.rank :: self.dp_size]

    def __len__(self) -> int:
        return self.batches_per_process


class StepShares(Sampler[list[int]]):
    """The batches of one process in an order of rows that all processes share: every row once per epoch.

    An optimiser step takes the same consecutive rows, however many processes share them. Those of the last step of an
    epoch are spread evenly over as few batches as hold them, the same number on every process; where a batch is one
    row, a batch of two may be among them.

    Args:
        sampler: the numbers of the rows, in the order of the epoch.
        batch_rows: rows of a full batch of a process.
        accumulation: batches of a process in an optimiser step.
        max_steps: optimiser steps of the run, 0 or less where its epochs decide.

    Raises UserError where the last step has fewer rows than there are processes, and the run gets that far.
    """

    def __init__(
        self,
        sampler: Sampler[int],
        batch_rows: int,
        accumulation: int = 1,
        processes: int = 1,
        rank: int = 0,
        max_steps: int = 0,
    ):
        self.sampler, self.batch_rows, self.processes, self.rank = sampler, batch_rows, processes, rank
        self.accumulation = accumulation
        self.step_rows = batch_rows * accumulation * processes
        steps, left = divmod(len(sampler), self.step_rows)
        self.last_batches = min(-(-left // (batch_rows * processes)), left // processes)
        if left and not self.last_batches and reaches_last_step(steps, max_steps):
            raise UserError(
                f"Of {len(sampler)} rows in steps of {self.step_rows}, {left} are left for the last step of an epoch, "
                f"fewer than the {processes} processes. Change global_batch_size (or per_device_train_batch_size), or "
                "use fewer processes."
            )

    def __iter__(self) -> Iterator[list[int]]:
        rows = list(self.sampler)
        whole = len(rows) - len(rows) % self.step_rows
        for first in range(self.rank * self.batch_rows, whole, self.batch_rows * self.processes):
            yield rows[first : first + self.batch_rows]
        if self.last_batches:
            shares = np.array_split(rows[whole:], self.last_batches * self.processes)
            yield from (share.tolist() for share in shares[self.rank :: self.processes])

    def __len__(self) -> int:
        return len(self.sampler) // self.step_rows * self.accumulation + self.last_batches


def share_steps(shard: BatchSamplerShard, accumulation: int, max_steps: int) -> None:
    """Have accelerate's batches of one process, in place, be StepShares.

    Its own fill the last batches of an epoch with the first rows of it, which would be trained on twice.
    """
    batch_rows = shard.batch_size // shard.num_processes if shard.split_batches else shard.batch_size
    processes, rank = shard.num_processes, shard.process_index
    order = shard.batch_sampler.sampler
    shard.batch_sampler = StepShares(order, batch_rows, accumulation, processes, rank, max_steps)
    # They are of this process already, and of any size: the rest is to pass them on.
    shard.num_processes, shard.process_index, shard.batch_size, shard.split_batches = 1, 0, None, False


def require_no_repeats(sampler: BatchRebalanceSampler, max_steps: int) -> None:
    """Raise UserError where batch_rebalance would fill the last step of an epoch with rows that it has had."""
    batches = sampler.dp_size * sampler.grad_accum
    repeats = sampler.has_tail and sampler.remainder < batches
    if repeats and reaches_last_step(sampler.num_full_batches, max_steps):
        raise UserError(
            f"Of {len(sampler.lengths)} rows in steps of {sampler.effective_batch_size}, the last step of an epoch "
            f"has {sampler.remainder}, to which batch_rebalance would add others again for {batches} batches. Change "
            "global_batch_size (or per_device_train_batch_size), or train_sampling_strategy."
        )


def reaches_last_step(whole_steps: int, max_steps: int) -> bool:
    """Whether a run gets beyond the steps of an epoch that are full."""
    return not 0 < max_steps <= whole_steps
