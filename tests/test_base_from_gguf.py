"""A base model from a GGUF file: another file is refused before it is read, and every tensor finds its place."""

import hashlib
import json
import sys
from importlib.util import find_spec

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

import base_from_gguf
from blindspots.config.errors import UserError

FILE = "tiny.gguf"
KEYS = ("--origin", "a tiny Llama", "--license", "mit")


@pytest.fixture
def package(tmp_path, monkeypatch):
    """An installed package that holds a file, whatever it is."""
    folder = tmp_path / "weights_of_a_llama"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / FILE).write_bytes(b"GGUF")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield folder
    sys.modules.pop(folder.name, None)


def flags(folder, out, **keys):
    values = {"package": folder.name, "gguf_file": FILE, "gguf_sha256": hashlib.sha256(b"GGUF").hexdigest()} | keys
    return [word for name, value in values.items() for word in (f"--{name}", value)] + [*KEYS, "--output_dir", out]


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"package": "no_such_package"}, "The package no_such_package is not installed"),
        ({"gguf_file": "other.gguf"}, "There is no file other.gguf"),
        ({"gguf_sha256": "0" * 64}, "it is another file|pip install gguf"),
    ],
)
def test_what_is_not_the_recipes_file_is_refused(package, tmp_path, script, keys, message):
    with pytest.raises(UserError, match=message):
        script("base_from_gguf", *flags(package, tmp_path / "out", **keys))
    assert not (tmp_path / "out").exists()


@pytest.fixture
def as_if_read(world, monkeypatch):
    """transformers reads any GGUF file as the base of the small world; returns what its loading report says."""
    report = {"missing_keys": [], "unexpected_keys": [], "error_msgs": []}
    model, tokenizer = (part.from_pretrained(world / "base") for part in (AutoModelForCausalLM, AutoTokenizer))
    monkeypatch.setattr(AutoModelForCausalLM, "from_pretrained", lambda *args, **keys: (model, report))
    monkeypatch.setattr(AutoTokenizer, "from_pretrained", lambda *args, **keys: tokenizer)
    monkeypatch.setattr(base_from_gguf, "find_spec", lambda name: find_spec("json" if name == "gguf" else name))
    return report


def test_the_artifact_holds_the_weights_and_says_what_they_are(package, tmp_path, script, world, as_if_read):
    script("base_from_gguf", *flags(package, tmp_path / "out"))
    wanted, found = (load_file(folder / "model.safetensors") for folder in (world / "base", tmp_path / "out"))
    assert wanted.keys() == found.keys()
    for name in wanted:
        torch.testing.assert_close(found[name], wanted[name].to(torch.bfloat16))
    lineage = json.loads((tmp_path / "out/lineage.json").read_text())
    assert (lineage["license"], lineage["recipe"]["origin"]) == ("mit", "a tiny Llama")
    assert "a tiny Llama" in (tmp_path / "out/README.md").read_text()


def test_a_file_that_leaves_tensors_unfilled_is_refused(package, tmp_path, script, as_if_read):
    as_if_read["missing_keys"].append("model.norm.weight")
    with pytest.raises(UserError, match=r"does not fill the model.*model\.norm\.weight"):
        script("base_from_gguf", *flags(package, tmp_path / "out"))
    assert not (tmp_path / "out").exists()
