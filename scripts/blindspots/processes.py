"""The processes that `accelerate launch` started for one run."""

import os

import torch
from accelerate import PartialState

from blindspots.errors import UserError


def process_state() -> PartialState:
    """The processes of this run, joined by gloo where there is no accelerator.

    Raises UserError where several were started that do not see one another: each would take itself for the only one.
    """
    state = PartialState(cpu=not torch.accelerator.is_available())
    started = int(os.environ.get("WORLD_SIZE", "1"))
    if state.num_processes != started:
        raise UserError(
            f"{started} processes were started, and each sees {state.num_processes}; on CPUs set use_cpu: true."
        )
    return state
