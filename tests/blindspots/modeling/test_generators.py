"""Sampling: what is kept and counted, shards that come out the same whoever draws them, the known distribution."""

import itertools
import sys
from collections import Counter

import pytest
import torch
from made_generator import TEMPLATE
from scipy.stats import chisquare

from blindspots.artifacts.inputs import fetch
from blindspots.config.errors import UserError
from blindspots.config.recipes import SynthesisRecipe
from blindspots.data.nli import END_MARKER, LABELS, generator_prompt
from blindspots.modeling.generators import (
    Shard,
    TransformersEngine,
    draw_shard,
    end_marker_tail,
    is_drawn,
    load_engine,
    prompt_ids,
    read_shard,
    require_generator_tokenizer,
)

PROMPT = generator_prompt("neutral")
CPU = torch.device("cpu")


class Written:
    """An engine that writes what it is told to."""

    def __init__(self, *texts: str):
        self.texts = texts

    def sample(self, prompt: str, count: int, seed: int) -> list[str]:
        return list(self.texts)


def recipe(**keys) -> SynthesisRecipe:
    return SynthesisRecipe(output_dir="unused", generator="unused", **keys)


@pytest.fixture
def engine(world):
    """Builds the transformers engine of the made generator with other recipe keys."""
    return lambda **keys: load_engine(fetch(str(world / "generator"), "model"), recipe(**keys), CPU)


def test_what_is_kept_malformed_and_unfinished_is_counted(tmp_path):
    written = Written(
        f" Premise: A dog . Hypothesis: A cat . {END_MARKER}",
        f" Premise: A dog . Hypothesis: A cat . {END_MARKER}",
        f" Premise: A dog . Hypothesis: {END_MARKER}",  # no hypothesis
        f" Premise: A dog . {END_MARKER}",
        " Premise: A dog . Hypothesis: A cat .",  # no end
    )
    shard = Shard("neutral", 0, 5)
    draw_shard(written, shard, recipe(), tmp_path)
    pairs, counts = read_shard(shard, tmp_path)
    assert pairs == [("A dog .", "A cat .")] * 2
    assert counts == {"sampled": 5, "kept": 2, "unfinished": 1, "malformed": 2}
    assert not list(tmp_path.glob("*.partial"))


def test_a_shard_without_a_kept_pair_is_a_shard(tmp_path):
    shard = Shard("neutral", 0, 1)
    draw_shard(Written("nonsense"), shard, recipe(), tmp_path)
    assert read_shard(shard, tmp_path)[0] == []


def test_every_shard_of_every_label_and_seed_has_a_seed_of_its_own():
    seeds = {Shard(label, index, 8).seed(seed) for label in LABELS for index in range(50) for seed in range(3)}
    assert len(seeds) == 3 * 50 * 3


def test_the_same_seed_writes_the_same_and_another_seed_something_else(engine):
    draw = engine(batch_size=16)
    one, same, other = (draw.sample(PROMPT, 40, seed) for seed in (0, 0, 1))
    assert len(one) == 40
    assert one == same
    assert one != other


def test_completions_end_with_the_end_marker_or_at_the_limit(engine):
    drawing = engine(max_new_tokens=9)
    for text in drawing.sample(PROMPT, 64, seed=0):
        tokens = len(drawing.tokenizer(text, add_special_tokens=False)["input_ids"])
        assert text.endswith(END_MARKER) or tokens == 9
        assert text.count(END_MARKER) <= 1


def test_the_distribution_is_that_of_the_model(engine):
    """Next tokens of 400 completions against the probabilities that the generator was made of."""
    drawing = engine(batch_size=128)
    following = Counter()
    for text in drawing.sample(PROMPT, 400, seed=0):
        tokens = drawing.tokenizer.convert_ids_to_tokens(
            drawing.tokenizer(text, add_special_tokens=False)["input_ids"]
        )
        following.update(itertools.pairwise(tokens))
    for token in ("Ġthe", "Ġa", "Ġw"):
        seen = [following[token, name] for name in TEMPLATE[token]]
        assert sum(seen) > 100
        expected = [sum(seen) * probability for probability in TEMPLATE[token].values()]
        assert chisquare(seen, expected).pvalue > 0.001
    assert all(name in TEMPLATE[token] for token, name in following)


def test_top_k_takes_the_likeliest_token_only(engine):
    assert len(set(engine(top_k=1, max_new_tokens=20).sample(PROMPT, 30, seed=0))) == 1


def test_a_low_temperature_takes_the_likeliest_token(engine):
    texts = engine(temperature=0.01, max_new_tokens=20).sample(PROMPT, 30, seed=0)
    assert not any("w w" in text for text in texts)


def test_top_p_leaves_the_tail_out(engine):
    """Behind `a`, the end marker has a fifth of the probability; behind `w`, another w three tenths."""
    texts = engine(top_p=0.7).sample(PROMPT, 60, seed=0)
    assert all("Hypothesis:" in text for text in texts if END_MARKER in text)


def test_the_end_marker_is_found_in_tokens(world, engine):
    tokenizer = engine().tokenizer
    tail = end_marker_tail(tokenizer).tolist()
    for text in ("A dog .", "no"):
        assert tokenizer(f"{text} {END_MARKER}")["input_ids"][-len(tail) :] == tail


def test_an_engine_that_is_not_installed_says_so(world, monkeypatch):
    monkeypatch.setitem(sys.modules, "vllm", None)
    with pytest.raises(UserError, match=r"engine: vllm is not installed; pip install '\.\[vllm\]'"):
        load_engine(fetch(str(world / "generator"), "model"), recipe(engine="vllm"), CPU)


def test_the_engine_is_the_one_that_the_recipe_names(engine):
    assert isinstance(engine(), TransformersEngine)


def test_a_shard_that_was_cut_short_is_removed_and_drawn_again(engine, tmp_path):
    made, shard = engine(max_new_tokens=40), Shard("neutral", 0, 8)
    assert not is_drawn(shard, tmp_path)
    draw_shard(made, shard, recipe(), tmp_path)
    whole = shard.file(tmp_path).read_bytes()
    assert is_drawn(shard, tmp_path)
    for damaged in (whole[: len(whole) // 2], b"", b"PAR1PAR1"):
        shard.file(tmp_path).write_bytes(damaged)
        assert not is_drawn(shard, tmp_path)
        assert not shard.file(tmp_path).exists()
    draw_shard(made, shard, recipe(), tmp_path)
    assert shard.file(tmp_path).read_bytes() == whole


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
