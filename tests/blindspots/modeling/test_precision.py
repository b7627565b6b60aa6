"""Precision: trained weights in float32 exactly as saved, and a model evaluated on the base that it was tuned on."""

import json
import shutil
from importlib.machinery import PathFinder
from pathlib import Path

import pytest
import torch
from made_classifiers import edit, source
from safetensors.torch import load_file
from trl import ModelConfig

from blindspots.artifacts.inputs import Source
from blindspots.config.errors import RecipeError, UserError
from blindspots.data.nli import task_input
from blindspots.evaluation.prediction import predict_logits
from blindspots.modeling import precision
from blindspots.modeling.classifier import Classifier, load_classifier, load_for_evaluation
from blindspots.modeling.generators import load_base
from blindspots.modeling.precision import held_in, require_precision_of_start, trained_dtype, tuned_precision

LORA = {"use_peft": True, "lora_r": 4, "lora_target_modules": ["q_proj", "v_proj"], "lora_modules_to_save": ["score"]}
NF4 = {"dtype": "bfloat16", "load_in_4bit": True}
TEXTS = [task_input("A dog ran .", "A cat sat ."), task_input("No nurse slept .", "A nurse slept , perhaps .")]


def trained(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: weight.detach() for name, weight in model.named_parameters() if weight.requires_grad}


def save(classifier: Classifier, folder: Path, start: Source | None = None, **recipe: object) -> Source:
    """A task model's folder, with the lineage of one that was tuned by this recipe, from this start."""
    classifier.model.save_pretrained(folder)
    classifier.tokenizer.save_pretrained(folder)
    lineage = {"artifact": "x", "artifact_type": "task_model", "content_sha256": "", "parents": [], "results": {}}
    lineage |= {"files": {}, "recipe": recipe, "parents": [start.record("start")] if start else []}
    (folder / "lineage.json").write_text(json.dumps(lineage))
    return source(folder)


@pytest.fixture
def adapter(world, tmp_path) -> Source:
    """A task model that was tuned on a base in bfloat16; no weight of it is a bfloat16."""
    model_config = ModelConfig(dtype="bfloat16", **LORA)
    classifier = load_classifier(source(world / "base"), model_config, seed=3, float32=True)
    torch.manual_seed(0)
    with torch.no_grad():
        for weight in trained(classifier.model).values():
            weight.add_(torch.randn_like(weight) * 0.1)
    return save(classifier, tmp_path / "T", dtype="bfloat16", use_peft=True)


def test_what_is_trained_beside_a_base_in_half_precision_is_float32(world):
    half = ModelConfig(dtype="bfloat16", **LORA)
    classifier = load_classifier(source(world / "base"), half, float32=True)
    assert trained_dtype(classifier.model) == "float32"
    assert classifier.precision == {"base": "bfloat16", "compute": "bfloat16", "head": "float32"}
    as_published = load_classifier(source(world / "base"), half)
    assert trained_dtype(as_published.model) == "bfloat16, float32"  # the head, and the adapter
    half = ModelConfig(dtype="bfloat16", **LORA | {"lora_modules_to_save": ["embed_tokens", "lm_head"]})
    assert trained_dtype(load_base(source(world / "base"), half, float32=True)) == "float32"


@pytest.mark.parametrize("load", [load_classifier, load_base])
def test_a_whole_model_is_trained_in_float32_or_refused(world, load):
    with pytest.raises(RecipeError, match="base are trained and kept in float32: set dtype: float32, and bf16: true"):
        load(source(world / "base"), ModelConfig(dtype="bfloat16"), float32=True)


def test_an_adapter_and_its_head_are_tuned_further_exactly_as_saved(adapter):
    """PEFT rounds the head to the dtype of the base."""
    saved = load_file(adapter.path / "adapter_model.safetensors")
    further = trained(load_classifier(adapter, ModelConfig(dtype="bfloat16"), float32=True).model)
    found = {name.replace(".default", "").replace(".modules_to_save", ""): w for name, w in further.items()}
    assert found.keys() == saved.keys()
    assert all(found[name].equal(weight) for name, weight in saved.items())


def test_a_model_is_evaluated_on_the_base_that_it_was_tuned_on_with_the_head_in_float32(adapter):
    classifier = load_for_evaluation(adapter)
    assert classifier.precision == {"base": "bfloat16", "compute": "bfloat16", "head": "float32"}
    logits = predict_logits(classifier, TEXTS, 1024)
    assert not (torch.tensor(logits) == torch.tensor(logits).bfloat16()).all()
    other = load_for_evaluation(adapter, ModelConfig(dtype="float32"))
    assert other.precision["base"] == "float32"
    assert predict_logits(other, TEXTS, 1024) == pytest.approx(logits, abs=0.05)


def test_a_whole_model_and_an_adapter_made_elsewhere_are_evaluated_as_saved(world, adapter):
    assert tuned_precision(source(world / "start")).dtype == "auto"
    (adapter.path / "lineage.json").unlink()
    assert tuned_precision(adapter).dtype == "auto"


def test_an_adapter_whose_base_holds_another_model_by_now_is_refused(world, tmp_path):
    shutil.copytree(world / "base", tmp_path / "base")
    base = source(tmp_path / "base")
    tuned = save(load_classifier(base, ModelConfig(dtype="float32", **LORA)), tmp_path / "adapter", base)
    load_for_evaluation(tuned)
    shutil.copy(world / "generator/model.safetensors", tmp_path / "base")
    with pytest.raises(UserError, match=r"is an adapter of .*base, whose files are others by now"):
        load_for_evaluation(tuned)


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        ({"dtype": "int4"}, "its recipe has dtype: 'int4'"),
        ({"load_in_4bit": 1}, "its recipe has load_in_4bit: 1"),
        ({"bnb_4bit_quant_type": ["nf4"]}, "its recipe has bnb_4bit_quant_type: "),
        ({"load_in_4bit": True, "load_in_8bit": True}, "its recipe has load_in_4bit with load_in_8bit or dtype: auto"),
        ({"load_in_4bit": True, "dtype": "auto"}, "its recipe has load_in_4bit with load_in_8bit or dtype: auto"),
    ],
)
def test_a_lineage_that_names_no_precision_is_refused(adapter, recipe, message):
    file = adapter.path / "lineage.json"
    edit(file, recipe=recipe)
    with pytest.raises(UserError, match=message):
        tuned_precision(adapter)


@pytest.mark.parametrize(
    ("now", "message"),
    [
        ({}, "on a base in nf4 and would be tuned further on one in no quantisation"),
        ({"load_in_8bit": True}, "one in int8"),
        ({"load_in_4bit": True, "use_bnb_nested_quant": True}, "one in nf4, double"),
    ],
)
def test_an_adapter_is_not_tuned_further_on_a_base_of_another_quantisation(adapter, now, message):
    file = adapter.path / "lineage.json"
    edit(file, recipe=NF4)
    require_precision_of_start(adapter, ModelConfig(**NF4))
    with pytest.raises(RecipeError, match=message):
        require_precision_of_start(adapter, ModelConfig(**now))


def test_quantisation_needs_bitsandbytes(world, monkeypatch):
    found = PathFinder.find_spec
    monkeypatch.setattr(precision, "find_spec", lambda name: None if name == "bitsandbytes" else found(name))
    with pytest.raises(UserError, match="load_in_4bit and load_in_8bit need bitsandbytes; pip install bitsandbytes"):
        load_classifier(source(world / "base"), ModelConfig(load_in_4bit=True))


@pytest.fixture
def nf4(world, tmp_path) -> Source:
    """A task model that was tuned on NF4."""
    classifier = load_classifier(source(world / "base"), ModelConfig(**NF4, **LORA), seed=3, float32=True)
    return save(classifier, tmp_path / "T", **NF4)


def test_a_model_tuned_on_nf4_is_evaluated_on_nf4(nf4):
    tuned = load_classifier(nf4, ModelConfig(**NF4), float32=True)
    evaluated = load_for_evaluation(nf4)
    assert evaluated.precision == {"base": "nf4", "compute": "bfloat16", "head": "float32"}
    assert held_in(tuned.model) == {"base": "nf4", "compute": "bfloat16"}
    codes = [
        {name: weight for name, weight in classifier.model.named_parameters() if weight.dtype == torch.uint8}
        for classifier in (tuned, evaluated)
    ]
    assert codes[0].keys() == codes[1].keys() != set()
    assert all(weight.equal(codes[1][name]) for name, weight in codes[0].items())
    assert (predict_logits(tuned, TEXTS, 1024) == predict_logits(evaluated, TEXTS, 1024)).all()


def test_a_prediction_leaves_4_bit_weights_as_they_are_trained(nf4):
    """On some CPUs bitsandbytes would pack them then, and let no gradient through from then on."""
    classifier = load_classifier(nf4, ModelConfig(**NF4), float32=True)
    before = {name: weight.clone() for name, weight in classifier.model.named_parameters()}
    predict_logits(classifier, TEXTS, 1024)
    assert all(weight.equal(before[name]) for name, weight in classifier.model.named_parameters())
    batch = classifier.tokenizer(TEXTS, padding=True, return_tensors="pt")
    classifier.model.train()
    with torch.autocast("cpu", torch.bfloat16):
        classifier.model(**batch).logits.sum().backward()
    moved = [
        name for name, weight in classifier.model.named_parameters() if weight.requires_grad and weight.grad.any()
    ]
    assert any("layers.0" in name for name in moved)


def test_4_bit_weights_may_be_held_as_any_number(world):
    """FSDP2 and ZeRO-3 spread them as bfloat16, of which many hold what would be NaN."""
    config = ModelConfig(**NF4, bnb_4bit_quant_storage="bfloat16", **LORA)
    model = load_classifier(source(world / "base"), config).model
    packed = [weight for weight in model.parameters() if getattr(weight, "bnb_quantized", False)]
    assert {weight.dtype for weight in packed} == {torch.bfloat16}
    assert not all(weight.isfinite().all() for weight in packed)
