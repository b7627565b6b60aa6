"""Merging a generator: an artifact that loads on its own, and what to serve it as."""

import json
import re
import shutil
from pathlib import Path

import pytest
import torch
from huggingface_hub import ModelCard
from peft import AutoPeftModelForCausalLM
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig

from blindspots.config.errors import UserError


@pytest.fixture
def adapter(world, tmp_path) -> Path:
    """The adapter of the world, which says how long its completions are."""
    shutil.copytree(world / "adapter", tmp_path / "adapter")
    GenerationConfig(max_new_tokens=33).save_pretrained(tmp_path / "adapter")
    return tmp_path / "adapter"


@torch.inference_mode()
def logits_of(model) -> torch.Tensor:
    return model(torch.arange(3, 40)[None]).logits


def test_a_merged_generator_is_an_artifact_that_loads_alone(adapter, world, script, tmp_path, capsys):
    out = tmp_path / "outputs" / "tiny" / "merged"
    script("merge_generator", "--generator", adapter, "--output_dir", out)
    expected = logits_of(AutoPeftModelForCausalLM.from_pretrained(adapter))
    assert torch.allclose(logits_of(AutoModelForCausalLM.from_pretrained(out)), expected, atol=1e-4)
    assert AutoTokenizer.from_pretrained(out).get_vocab() == AutoTokenizer.from_pretrained(adapter).get_vocab()
    assert GenerationConfig.from_pretrained(out).max_new_tokens == 33
    assert not (out / "adapter_config.json").exists()
    lineage = json.loads((out / "lineage.json").read_text())
    assert [(parent["role"], parent["name"]) for parent in lineage["parents"]] == [
        ("adapter", str(adapter)),
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
