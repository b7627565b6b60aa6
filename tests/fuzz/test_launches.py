"""Command lines of launch.py: the script gets the words that were meant for it, or one line says what is wrong."""

import os
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import launch  # noqa: F401

from .running import attempt, scratch

WORDS = """
--gpus 0 1 2 -1 x 1.5 --threads 8 --multi_gpu_config a.yaml
--gpus=1 --gpus= --gpus=9999 -- -x --gpu script.py
""".split()


@pytest.mark.slow
@settings(max_examples=100, suppress_health_check=list(HealthCheck))
@given(words=st.lists(st.one_of(st.sampled_from(WORDS), st.just("")), max_size=6))
def test_a_job_gets_the_words_that_were_meant_for_it(words):
    check_launch(words)


@pytest.mark.parametrize("words", [["--gpus", "x", "script.py"], ["--gpus"], ["--gpus", "-1", "script.py"], []])
def test_a_launch_that_failed_once(words):
    check_launch(words)


def check_launch(words: list[str]) -> None:
    started = []

    def right(out, ending) -> None:
        (command,) = started
        own = command[command.index("--num_processes") + 2 :] if "--num_processes" in command else command[1:]
        assert [word for word in words if word != "--"][-len(own) :] == [word for word in own if word != "--"]

    with (
        scratch() as folder,
        patch("os.execv", lambda path, command: started.append(command)),
        patch("launch.take_gpus", lambda count: [str(number) for number in range(min(count, 8))]),
        patch.dict(os.environ),
    ):
        attempt("launch", "command line", words, folder, ["command line", "--gpus", "--threads"], right)
