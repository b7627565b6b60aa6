"""What makes a Trainer compute the prefix that all rows of a batch share once: see modeling.shared_prefix."""

from collections.abc import Callable
from typing import Any

from transformers import TrainingArguments

from blindspots.config.errors import UserError
from blindspots.data.prefixes import common_prefix
from blindspots.modeling.shared_prefix import PREFIX_LENGTH, obstacle, share_prefix

# Below so many tokens sharing them takes about as long as computing them in each row.
WORTHWHILE = 4
# Rows that are looked at before training to see whether any prefix is shared.
LOOKED_AT = 1000


class PrefixCollator:
    """A data collator that tells the model how many tokens the rows of a batch share, where they are `minimum`."""

    def __init__(self, collator: Callable[[list[dict[str, Any]]], Any], minimum: int):
        self.collator = collator
        self.minimum = minimum

    def __call__(self, rows: list[dict[str, Any]]) -> Any:
        batch = self.collator(rows)
        ids, mask = batch["input_ids"], batch["attention_mask"]
        alike = ((ids == ids[0]) & (mask == 1)).all(dim=0)
        length = min(int(alike.cumprod(dim=0).sum()), ids.shape[1] - 1)  # every row keeps a token of its own
        if len(ids) > 1 and length >= self.minimum:
            batch[PREFIX_LENGTH] = length
        return batch


class SharedPrefix:
    """A Trainer that computes the prefix that all rows of a batch share once.

    Args:
        share_prefix: by default where that gives the same gradients and is worth while; True raises UserError where
            the gradients would differ.

    Attributes:
        shares_prefix: whether it does.
        no_prefix: why it does not; None where it does or was told not to.
    """

    def __init__(self, *args, share_prefix: bool | None = None, **kwargs):
        super().__init__(*args, **kwargs)
        self.shares_prefix, self.no_prefix = False, None
        if share_prefix is False or self.train_dataset is None:
            return
        self.no_prefix = obstacle(self.model) or self._prefix_obstacle(self.args)
        if share_prefix and self.no_prefix:
            raise UserError(f"share_prefix can't be used, since {self.no_prefix}; leave it out.")
        if not share_prefix and not self.no_prefix:
            self.no_prefix = self._not_worthwhile()
        if not self.no_prefix:
            self._share_prefix(1 if share_prefix else WORTHWHILE)

    def _prefix_obstacle(self, arguments: TrainingArguments) -> str | None:
        if arguments.neftune_noise_alpha is not None:
            return "neftune_noise_alpha adds noise by the length of a row"
        if arguments.torch_compile:
            return "torch_compile would compile each batch anew"
        if self.accelerator.parallelism_config is not None:
            return "the accelerate config spreads each row over processes"
        return None

    def _not_worthwhile(self) -> str | None:
        shared = common_prefix(self.train_dataset[:LOOKED_AT]["input_ids"])
        return f"the rows start with only {shared} same token(s)" if shared < WORTHWHILE else None

    def _share_prefix(self, minimum: int) -> None:
        share_prefix(self.model)
        self.data_collator = PrefixCollator(self.data_collator, minimum)
        self.shares_prefix = True
