"""Generators: their prompts and tokenizers, merged adapters, and how long their completions are."""

import json
import re
import shutil
from pathlib import Path

import pytest
import torch
from made_generator import made_adapter
from peft import IA3Config, get_peft_model
from transformers import AutoModelForCausalLM, BloomConfig, GPT2Config, LlamaConfig
from trl import ModelConfig

from blindspots.artifacts.inputs import Source, fetch
from blindspots.config.errors import UserError
from blindspots.data.nli import END_MARKER, LABELS, generator_prompt
from blindspots.demo.base_model import tiny_base
from blindspots.modeling.generators import (
    end_marker_tail,
    generation_config,
    load_generator,
    longest_completion,
    prompt_ids,
    require_generator_positions,
    require_generator_tokenizer,
    served_name,
)
from blindspots.modeling.loading import load_tokenizer
from blindspots.modeling.precision import quantized_loading

LINEAGE = {
    "artifact": "tiny-generator",
    "artifact_type": "generator",
    "content_sha256": "0123456789abcdef",
    "files": {},
    "parents": [],
    "results": {},
}


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


# Merged adapters


@pytest.fixture
def adapter(world, tmp_path):
    """Makes an adapter of the base with the keys of `made_adapter`; returns it and its logits."""

    def make(base: Path = world / "base", **keys) -> tuple[Source, torch.Tensor]:
        model = made_adapter(base, **keys)
        model.save_pretrained(tmp_path / "adapter")
        return fetch(str(tmp_path / "adapter"), "model"), logits_of(model)

    return make


@torch.inference_mode()
def logits_of(model) -> torch.Tensor:
    return model(torch.arange(3, 40)[None]).logits.float()


@pytest.mark.parametrize(
    "keys",
    [{}, {"modules_to_save": None}, {"modules_to_save": None, "use_dora": True}],
    ids=["ends saved", "lora alone", "dora"],
)
def test_merged_weights_give_the_adapters_outputs_and_load_alone(adapter, tmp_path, keys):
    """The base ties its head to its embeddings; an adapter that trains both unties them."""
    source, expected = adapter(**keys)
    load_generator(source, "float32").save_pretrained(tmp_path / "merged")
    shutil.rmtree(source.path)
    merged, report = AutoModelForCausalLM.from_pretrained(tmp_path / "merged", output_loading_info=True)
    assert not report["missing_keys"]
    assert not report["unexpected_keys"]
    assert torch.allclose(logits_of(merged), expected, atol=1e-4)
    assert (logits_of(merged) - expected).abs().mean() < 1e-2 * expected.abs().mean()


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_an_adapter_of_a_quantised_base_is_merged_into_what_quantisation_left_of_it(adapter, tmp_path, dtype):
    pytest.importorskip("bitsandbytes")
    keys = {"dtype": "bfloat16", "load_in_4bit": True, "use_bnb_nested_quant": True}
    wide, _ = tiny_base(["a text"], seed=0, hidden_size=64, layers=2)  # a block of weights is 64 wide
    wide.save_pretrained(tmp_path / "wide")
    loading = {"dtype": "bfloat16", **quantized_loading(ModelConfig(**keys))}
    source, expected = adapter(tmp_path / "wide", loading=loading)
    (source.path / "lineage.json").write_text(json.dumps(LINEAGE | {"recipe": keys}))
    merged = load_generator(source, dtype)
    merged.save_pretrained(tmp_path / "merged")
    assert str(merged.dtype) == f"torch.{dtype}"
    assert (logits_of(merged) - expected).abs().mean() < 0.03 * expected.abs().mean()
    assert logits_of(AutoModelForCausalLM.from_pretrained(tmp_path / "merged")).equal(logits_of(merged))
    (source.path / "lineage.json").unlink()
    whole = load_generator(source, dtype)
    assert (logits_of(whole) - expected).abs().mean() > 0.1 * expected.abs().mean()


@pytest.mark.parametrize("precision", [{"load_in_4bit": True}, {"load_in_8bit": True}], ids=["nf4", "int8"])
def test_an_adapter_without_a_lineage_yet_is_merged_into_the_base_that_it_is_said_to_be_tuned_on(
    adapter, tmp_path, precision
):
    pytest.importorskip("bitsandbytes")
    tuned = ModelConfig(dtype="bfloat16", **precision)
    wide, _ = tiny_base(["a text"], seed=0, hidden_size=64, layers=2)
    wide.save_pretrained(tmp_path / "wide")
    source, _ = adapter(tmp_path / "wide", loading={"dtype": "bfloat16", **quantized_loading(tuned)})
    found = load_generator(source, "float32", tuned)
    whole = load_generator(source, "float32")
    (source.path / "lineage.json").write_text(json.dumps(LINEAGE | {"recipe": {"dtype": "bfloat16", **precision}}))
    assert logits_of(found).equal(logits_of(load_generator(source, "float32")))
    assert not logits_of(found).equal(logits_of(whole))


def test_half_precision_may_hold_an_adapter_and_says_where_it_does_not(adapter):
    source, expected = adapter()
    merged = load_generator(source, "bfloat16")
    assert merged.dtype == torch.bfloat16
    assert (logits_of(merged) - expected).abs().mean() < 0.03 * expected.abs().mean()
    source, _ = adapter(change=1e-4)
    with pytest.raises(
        UserError, match=r"adapter: merged in bfloat16, \d+% of what the adapter changes is left, .* fl"
    ):
        load_generator(source, "bfloat16")
    load_generator(source, "float32")


def test_only_lora_adapters_are_merged(world, tmp_path):
    base = AutoModelForCausalLM.from_pretrained(world / "base")
    get_peft_model(base, IA3Config(task_type="CAUSAL_LM")).save_pretrained(tmp_path)
    with pytest.raises(UserError, match="is an adapter of the kind IA3; only LoRA adapters can be merged"):
        load_generator(fetch(str(tmp_path), "model"), "float32")


# How long completions are


@pytest.mark.parametrize(
    ("config", "limit"),
    [
        (GPT2Config(n_positions=16), 16),
        (LlamaConfig(max_position_embeddings=16), 16),
        (BloomConfig(), None),
    ],
    ids=["gpt2", "llama", "bloom"],
)
def test_a_generator_is_held_to_its_positions_where_it_has_a_number_of_them(config, limit):
    """GPT-2 has no embeddings beyond them, and a Llama runs past them unnoticed."""
    with torch.device("meta"):
        config.num_hidden_layers, config.hidden_size, config.num_attention_heads = 1, 32, 2
        model = AutoModelForCausalLM.from_config(config)
    require_generator_positions(model, 16, "A row")
    if limit is None:
        return require_generator_positions(model, 10**6, "A row")
    with pytest.raises(UserError, match="A row takes 17 tokens, more than the model's 16 positions"):
        require_generator_positions(model, 17, "A row")


def test_completions_are_as_long_as_the_longest_that_a_generator_was_trained_on(world, tmp_path):
    tokenizer = load_tokenizer(fetch(str(world / "base"), "model"))
    prompts = [len(tokenizer(generator_prompt(label))["input_ids"]) for label in LABELS]
    config = generation_config(tokenizer, [(0, prompts[0] + 9), (1, prompts[1] + 12), (2, prompts[2] + 7)])
    config.save_pretrained(tmp_path)
    assert longest_completion(fetch(str(tmp_path), "model")) == 12


@pytest.mark.parametrize("content", [None, "{}", '{"max_length": 4096}'])
def test_a_generator_that_does_not_say_how_long_is_an_error(tmp_path, content):
    if content:
        (tmp_path / "generation_config.json").write_text(content)
    with pytest.raises(UserError, match=r"does not say how long its completions are \(.*\); give max_new_tokens"):
        longest_completion(fetch(str(tmp_path), "model"))


@pytest.mark.parametrize("content", ["{", '{"max_new_tokens": "many"}'])
def test_a_broken_generation_config_is_an_error(tmp_path, content):
    (tmp_path / "generation_config.json").write_text(content)
    with pytest.raises(UserError, match=r"generation_config\.json can't be read"):
        longest_completion(fetch(str(tmp_path), "model"))


def test_the_name_at_a_server_changes_with_the_content_and_follows_the_artifact(tmp_path):
    folder = tmp_path / "outputs" / "tiny" / "generator"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    plain = served_name(fetch(str(folder), "model"))
    assert re.fullmatch("generator-[0-9a-f]{12}", plain)
    (folder / "config.json").write_text("{ }")
    assert served_name(fetch(str(folder), "model")) != plain
    (folder / "lineage.json").write_text(json.dumps(LINEAGE))
    pushed = Source("org/other", folder, "c" * 40, "model")
    assert served_name(fetch(str(folder), "model")) == served_name(pushed) == "tiny-generator-0123456789ab"
    (folder / "lineage.json").write_text(json.dumps(LINEAGE | {"artifact": "a; rm -rf b"}))
    assert served_name(pushed) == "a__rm_-rf_b-0123456789ab"
    (folder / "lineage.json").unlink()
    assert served_name(pushed) == "other-cccccccccccc"
