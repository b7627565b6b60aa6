"""Generators: their prompts and tokenizers, merged adapters, and how long their completions are."""

import pytest

from blindspots.artifacts.inputs import fetch
from blindspots.config.errors import UserError
from blindspots.data.nli import END_MARKER
from blindspots.modeling.generators import end_marker_tail, prompt_ids, require_generator_tokenizer
from blindspots.modeling.loading import load_tokenizer


def test_the_end_marker_is_found_in_tokens(world):
    tokenizer = load_tokenizer(fetch(str(world / "generator"), "model"))
    tail = end_marker_tail(tokenizer).tolist()
    for text in ("A dog .", "no"):
        assert tokenizer(f"{text} {END_MARKER}")["input_ids"][-len(tail) :] == tail


class Words:
    """A tokenizer of words that may put bos before and eos behind each text."""

    def __init__(self, eos_token_id: int | None = 1, appends: bool = False, joins: bool = False):
        self.eos_token_id, self.appends, self.joins = eos_token_id, appends, joins

    def __call__(self, text: str) -> dict:
        ids = [0] + [2 + hash(word) % 1000 for word in text.split()]
        if self.joins and len(ids) > 20:  # splits a long text differently
            ids[3] = 1002
        return {"input_ids": ids + [self.eos_token_id] * self.appends}


def test_a_prompt_never_ends_in_eos():
    assert prompt_ids(Words(appends=True), "a prompt") == prompt_ids(Words(), "a prompt")
    assert prompt_ids(Words(), "a prompt")[-1] != 1


def test_tokenizers_that_a_generator_cannot_be_trained_with_are_refused():
    for sound in (Words(), Words(appends=True)):
        require_generator_tokenizer(sound, "org/name")
    with pytest.raises(UserError, match="The tokenizer of org/name has no eos token"):
        require_generator_tokenizer(Words(eos_token_id=None), "org/name")
    with pytest.raises(UserError, match="splits the prompt for entailment differently"):
        require_generator_tokenizer(Words(joins=True), "org/name")
