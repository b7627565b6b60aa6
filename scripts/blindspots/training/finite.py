"""Training ends at the first loss or gradient that is not a finite number: every later weight would be one neither."""

import math

import torch

from blindspots.config.errors import UserError


class FiniteSteps:
    """A Trainer that raises UserError for the first loss, or norm of a step's gradients, that is NaN or infinite.

    In float16 the gradients of a step may overflow: the scaler then leaves the step out and tries a smaller scale.
    """

    def training_step(self, *args, **kwargs) -> torch.Tensor:
        loss = super().training_step(*args, **kwargs)
        self._require_finite("loss", loss.item())
        return loss

    def _get_grad_norm(self, model, grad_norm=None):
        grad_norm = super()._get_grad_norm(model, grad_norm)
        if grad_norm is not None and not self.args.fp16:
            self._require_finite("gradient", float(grad_norm))
        return grad_norm

    def _require_finite(self, what: str, value: float) -> None:
        if not math.isfinite(value):
            raise UserError(
                f"The {what} of step {self.state.global_step + 1} is {value}; training stops, and nothing of it is "
                "saved. Lower learning_rate, or set max_grad_norm or a longer warmup_steps."
            )
