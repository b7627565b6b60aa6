"""Merging a generator: an artifact that loads on its own, and what to serve it as."""

import json
import re

import pytest
import torch
from huggingface_hub import ModelCard
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig

from blindspots.config.errors import UserError

PROMPT = torch.arange(3, 40)[None]


@pytest.fixture
def adapter(world, tmp_path):
    """The folder of an adapter of the base that also trains its embeddings and head, and its logits."""
    torch.manual_seed(0)
    lora = LoraConfig(target_modules=["q_proj"], modules_to_save=["embed_tokens", "lm_head"], task_type="CAUSAL_LM")
    model = get_peft_model(AutoModelForCausalLM.from_pretrained(world / "base"), lora).eval()
    for weight in model.parameters():
        if weight.requires_grad:
            weight.data += 0.1 * torch.randn_like(weight)
    folder = tmp_path / "adapter"
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(world / "base").save_pretrained(folder)
    GenerationConfig(max_new_tokens=33).save_pretrained(folder)
    with torch.inference_mode():
        return folder, model(PROMPT).logits


def test_a_merged_generator_is_an_artifact_that_loads_alone(adapter, world, script, tmp_path, capsys):
    folder, expected = adapter
    out = tmp_path / "outputs" / "tiny" / "merged"
    script("merge_generator", "--generator", folder, "--output_dir", out)
    with torch.inference_mode():
        assert torch.allclose(AutoModelForCausalLM.from_pretrained(out)(PROMPT).logits, expected, atol=1e-4)
    assert AutoTokenizer.from_pretrained(out).get_vocab() == AutoTokenizer.from_pretrained(folder).get_vocab()
    assert GenerationConfig.from_pretrained(out).max_new_tokens == 33
    assert not (out / "adapter_config.json").exists()
    lineage = json.loads((out / "lineage.json").read_text())
    assert [(parent["role"], parent["name"]) for parent in lineage["parents"]] == [
        ("adapter", str(folder)),
        ("base", str(world / "base")),
    ]
    card = ModelCard.load(out / "README.md")
    assert card.data.library_name == "transformers"
    assert "Rows:" not in card.text
    name = f"tiny-merged-{lineage['content_sha256'][:12]}"
    assert re.search(rf"^vllm serve {out} --served-model-name {name}$", capsys.readouterr().out, re.MULTILINE)


def test_what_is_no_adapter_needs_no_merging(world, script, tmp_path):
    with pytest.raises(UserError, match="generator is no adapter: it can be served as it is"):
        script("merge_generator", "--generator", world / "generator", "--output_dir", tmp_path / "merged")
