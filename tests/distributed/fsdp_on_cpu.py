"""Lets accelerate shard over CPU processes, for tests.

AcceleratorState (accelerate 1.15) takes FSDP up for every kind of accelerator and, without a word, not for CPUs,
although torch's fully_shard runs there over gloo. And what is gathered on a CPU still has to be waited for, where a
copy from a GPU has been.
"""

from accelerate import Accelerator
from accelerate.state import AcceleratorState, PartialState
from accelerate.utils import DistributedType
from torch.distributed._functional_collectives import AsyncCollectiveTensor

initialise, gather = AcceleratorState.__init__, Accelerator.get_state_dict


def initialise_with_fsdp(self, *args, fsdp_plugin=None, **kwargs) -> None:
    initialise(self, *args, fsdp_plugin=fsdp_plugin, **kwargs)
    if fsdp_plugin is not None and self.distributed_type == DistributedType.MULTI_CPU:
        self.fsdp_plugin = fsdp_plugin
        self.distributed_type = PartialState._shared_state["distributed_type"] = DistributedType.FSDP
        if self._mixed_precision != "no":
            fsdp_plugin.set_mixed_precision(self._mixed_precision)


def gather_and_wait(self, *args, **kwargs) -> dict:
    weights = gather(self, *args, **kwargs)
    return {name: w.wait() if isinstance(w, AsyncCollectiveTensor) else w for name, w in weights.items()}


def shard_on_cpu() -> None:
    AcceleratorState.__init__, Accelerator.get_state_dict = initialise_with_fsdp, gather_and_wait
