"""The devices of a run: their memory, how fast they are, and how an accelerate config spreads a model over them."""

import os
import time

import torch

GIB = 2**30
# Share of a device's matrix-product rate that training is taken to reach where the recipe gives no estimate_tflops.
REACHED = 0.5


def sharding(accelerate_config: dict) -> dict[str, int]:
    """Over how many devices a config spreads weights, gradients and optimiser states."""
    stage = accelerate_config.get("deepspeed_config", {}).get("zero_stage")
    name = "FSDP2" if accelerate_config["distributed_type"] == "FSDP" else f"ZeRO-{stage}"
    return sharding_of(name, accelerate_config["num_processes"])


def sharding_of(name: str | None, devices: int) -> dict[str, int]:
    """The same, of an engine as `processes.engine` names it."""
    stage = {"ZeRO-1": 1, "ZeRO-2": 2, "ZeRO-3": 3, "FSDP2": 3}.get(name, 0)
    return {
        "devices": devices,
        "weights": devices if stage == 3 else 1,
        "gradients": devices if stage >= 2 else 1,
        "optimiser": devices if stage >= 1 else 1,
    }


def device_memory() -> float:
    """Bytes of the first CUDA device, else of this machine."""
    return (
        torch.cuda.mem_get_info()[1]
        if torch.cuda.is_available()
        else os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    )


def device_rate() -> float:
    """Operations a second that training is taken to reach here: REACHED of a measured matrix product's."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    size, dtype = (8192, torch.bfloat16) if device == "cuda" else (1024, torch.float32)
    matrix = torch.randn(size, size, device=device, dtype=dtype)
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        matrix @ matrix
        if device == "cuda":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - start)
    return REACHED * 2 * size**3 / min(seconds)
