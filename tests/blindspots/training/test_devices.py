"""Devices: how a model is spread over them, their memory and their rate."""

from blindspots.training.devices import GIB, device_memory, device_rate, sharding


def test_zero_and_fsdp_spread_what_they_are_known_to_spread():
    zero = {
        stage: {"num_processes": 8, "distributed_type": "DEEPSPEED", "deepspeed_config": {"zero_stage": stage}}
        for stage in (2, 3)
    }
    assert sharding(zero[2]) == {"devices": 8, "weights": 1, "gradients": 8, "optimiser": 8}
    assert sharding(zero[3]) == {"devices": 8, "weights": 8, "gradients": 8, "optimiser": 8}
    assert sharding({"num_processes": 8, "distributed_type": "FSDP"}) == sharding(zero[3])
    assert sharding({"num_processes": 8, "distributed_type": "MULTI_GPU"})["optimiser"] == 1


def test_memory_and_rate_are_those_of_a_machine():
    assert GIB / 4 < device_memory() < 2**14 * GIB
    assert 1e8 < device_rate() < 1e16
