"""Which rows a batch holds: every row once per epoch, and as many batches on every process."""

import pytest
from accelerate.data_loader import BatchSamplerShard
from hypothesis import example, given
from hypothesis import strategies as st
from torch.utils.data import BatchSampler, SequentialSampler
from transformers.trainer_pt_utils import BatchRebalanceSampler

from blindspots.config.errors import UserError
from blindspots.training.samplers import StepShares, TokenBatchSampler, require_no_repeats, share_steps

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


# The rows of a step, shared by processes


def shares(rows: int, batch_rows: int, accumulation: int, processes: int) -> list[list[list[int]]]:
    """The batches of each process."""
    order = list(range(rows))[::-1]
    return [list(StepShares(order, batch_rows, accumulation, processes, rank)) for rank in range(processes)]


@given(st.integers(1, 90), st.integers(1, 4), st.integers(1, 4), st.integers(1, 4))
@example(18020 % 97, 8, 1, 4)
@example(7, 1, 2, 2)  # the last step: 3 rows in batches of one row by 2 processes
def test_processes_share_the_steps_of_one_process_and_draw_each_row_once(rows, batch_rows, accumulation, processes):
    step = batch_rows * accumulation * processes
    if 0 < rows % step < processes:
        with pytest.raises(UserError, match=f"{rows % step} are left for the last step of an epoch, fewer than the"):
            shares(rows, batch_rows, accumulation, processes)
        return
    parts = shares(rows, batch_rows, accumulation, processes)
    sampler = StepShares(range(rows), batch_rows, accumulation, processes)
    assert {len(part) for part in parts} == {len(sampler)}
    order = list(range(rows))[::-1]
    for number in range(-(-rows // step)):
        batches = slice(number * accumulation, (number + 1) * accumulation)
        drawn = [row for part in parts for batch in part[batches] for row in batch]
        assert sorted(drawn) == sorted(order[number * step : (number + 1) * step])
    sizes = [len(batch) for part in parts for batch in part]
    assert min(sizes) > 0
    assert max(sizes) <= max(batch_rows, 2 if processes > 1 else 1)


def test_a_run_that_ends_before_the_last_step_needs_no_rows_for_it():
    assert len(StepShares(range(9), 2, 1, 4, max_steps=1)) == 1
    with pytest.raises(UserError, match="Of 9 rows in steps of 8, 1 are left"):
        StepShares(range(9), 2, 1, 4, max_steps=2)


@pytest.mark.parametrize("split", [False, True])
def test_batches_of_accelerate_become_shares(split):
    """Its own would draw the first rows again: 20 rows by two processes, 8 rows at a time."""
    drawn = []
    for rank in range(2):
        batches = BatchSampler(SequentialSampler(range(20)), 8 if split else 4, drop_last=False)
        shard = BatchSamplerShard(batches, 2, rank, split_batches=split)
        share_steps(shard, accumulation=1, max_steps=0)
        drawn.append(list(shard))
        assert len(shard) == 3
    assert drawn == [
        [[0, 1, 2, 3], [8, 9, 10, 11], [16, 17]],
        [[4, 5, 6, 7], [12, 13, 14, 15], [18, 19]],
    ]


@pytest.mark.parametrize(("rows", "refused"), [(8, False), (9, True), (11, True), (12, False)])
def test_batch_rebalance_may_not_repeat_rows(rows, refused):
    """Steps of 8 rows in 2 x 2 batches; fewer than 4 rows do not fill the batches of the last one."""
    sampler = BatchRebalanceSampler([5] * rows, 8, dp_size=2, grad_accum=2, drop_last=False)
    if refused:
        with pytest.raises(UserError, match="batch_rebalance would add others again for 4 batches"):
            require_no_repeats(sampler, max_steps=0)
    else:
        require_no_repeats(sampler, max_steps=0)
    require_no_repeats(sampler, max_steps=1)
