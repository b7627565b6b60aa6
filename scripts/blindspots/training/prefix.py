"""What makes a Trainer compute the tokens that rows of a batch share once, and no padding: see modeling.token_tree."""

from blindspots.config.errors import UserError
from blindspots.modeling.token_tree import TreeCollator, accept_trees, draws_dropout, obstacle


class SharedPrefix:
    """A Trainer that computes the tokens that rows of a batch share once.

    Args:
        share_prefix: by default wherever that gives the same gradients; True raises UserError elsewhere.

    Attributes:
        shares_prefix: whether it does.
        no_prefix: why it does not; None where it does or was told not to.
    """

    def __init__(self, *args, share_prefix: bool | None = None, **kwargs):
        super().__init__(*args, **kwargs)
        trains = self.train_dataset is not None and share_prefix is not False
        self.no_prefix = self._prefix_obstacle() if trains else None
        self.shares_prefix = trains and self.no_prefix is None
        if share_prefix and self.no_prefix:
            raise UserError(f"share_prefix can't be used, since {self.no_prefix}; leave it out.")
        if self.shares_prefix:
            accept_trees(self.model)
            self.data_collator = TreeCollator(self.data_collator)

    def _prefix_obstacle(self) -> str | None:
        if draws_dropout(self.model):
            return "dropout would leave out the same of a shared token for all rows"
        if self.args.neftune_noise_alpha is not None:
            return "neftune_noise_alpha adds noise by the length of a row"
        if self.args.torch_compile:
            return "torch_compile would compile each batch again"
        if self.accelerator.parallelism_config is not None:
            return "the accelerate config spreads each row over processes"
        return obstacle(self.model)
