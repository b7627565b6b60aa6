"""A batch that does not fit on the device whole, computed in pieces: the same rows, the same sum, less memory."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import torch
from torch.utils.data import DataLoader

from blindspots.config.errors import UserError


class PieceCollator:
    """A data collator that cuts the rows of a batch into so many pieces (or one for each row), as a list."""

    def __init__(self, collator: Callable[[list[Any]], Any], pieces: int):
        self.collator, self.pieces = collator, pieces

    def __call__(self, rows: list[Any]) -> list[Any]:
        pieces = min(self.pieces, len(rows))
        ends = [len(rows) * piece // pieces for piece in range(pieces + 1)]
        return [self.collator(rows[start:end]) for start, end in pairwise(ends)]


class CutBatches:
    """A Trainer that may compute each batch in pieces, one after the other.

    Batches, steps and schedule stay those of the recipe, so that a run continues in pieces where a checkpoint of whole
    batches stops.

    Attributes:
        pieces: of a batch; 1 computes it whole.
    """

    pieces = 1

    def get_train_dataloader(self) -> DataLoader:
        whole = self.data_collator
        if self.pieces > 1:
            self.data_collator = PieceCollator(whole, self.pieces)
        try:
            return super().get_train_dataloader()
        finally:
            self.data_collator = whole  # evaluation uses it too

    def training_step(self, model, inputs, num_items_in_batch=None) -> torch.Tensor:
        """The loss of a batch, the sum of those of its pieces.

        Raises UserError for a loss that is a mean over each batch, which can't be added up.
        """
        step = super().training_step
        if not isinstance(inputs, list):
            return step(model, inputs, num_items_in_batch)
        if num_items_in_batch is None or getattr(self, "aux_loss_enabled", False):
            raise UserError(
                "smaller_batches can't be used with this model, whose loss is not a sum over rows or tokens; leave it "
                "out and lower the batch (global_batch_size keeps the step)."
            )
        return torch.stack([step(model, piece, num_items_in_batch) for piece in inputs]).sum()

    def _get_num_items_in_batch(self, batch_samples: list, device: torch.device) -> torch.Tensor | int | None:
        return super()._get_num_items_in_batch([part for batch in batch_samples for part in _parts(batch)], device)

    def floating_point_ops(self, inputs: Any) -> int:
        return sum(map(super().floating_point_ops, _parts(inputs)))

    def _track_num_input_tokens(self, inputs: Any) -> None:
        for part in _parts(inputs):
            super()._track_num_input_tokens(part)


def _parts(inputs: Any) -> list[Any]:
    return inputs if isinstance(inputs, list) else [inputs]
