"""Loading: what a checkpoint lacks, or what has no place in a model, is an error that names it."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, TaskType, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSequenceClassification
from trl import ModelConfig

from blindspots.artifacts.inputs import Source
from blindspots.config.errors import UserError
from blindspots.config.recipes import SynthesisRecipe
from blindspots.modeling.classifier import load_classifier
from blindspots.modeling.generators import load_base
from blindspots.modeling.loading import check_saved_weights, load_model, load_tokenizer
from blindspots.modeling.sampling import load_engine


def source(folder: Path) -> Source:
    return Source(str(folder), folder, None, "model")


@pytest.fixture
def copy(world, tmp_path):
    """copy("start", rename) copies a model of the world with its tensors renamed; None drops a tensor."""

    def make(name: str, rename=lambda tensor: tensor, folder: str = "copy") -> Path:
        target = tmp_path / folder
        shutil.copytree(world / name, target)
        tensors = {rename(key): value for key, value in load_file(target / "model.safetensors").items()}
        tensors.pop(None, None)
        (target / "model.safetensors").unlink()
        save_file(tensors, target / "model.safetensors", metadata={"format": "pt"})
        return target

    return make


def test_a_checkpoint_under_another_prefix_is_refused_as_classifier_base_and_generator(copy):
    start, base = (
        copy("start", lambda name: f"_orig_mod.{name}", "start"),
        copy("base", lambda name: f"m.{name}", "base"),
    )
    for load in (
        lambda: load_classifier(source(start)),
        lambda: load_classifier(source(base)),
        lambda: load_base(source(base), ModelConfig(dtype="float32")),
        lambda: load_engine(source(base), SynthesisRecipe(output_dir="", generator=""), "cpu"),
    ):
        with pytest.raises(UserError, match=r"lacks \d+ tensors of the model \(.*\.weight.* and holds \d+ that"):
            load()


def test_a_classifier_without_its_head_is_refused_and_a_base_gets_a_new_one(copy, world):
    headless = copy("start", lambda name: None if name == "score.weight" else name)
    with pytest.raises(UserError, match=r"lacks 1 tensors of the model \(score\.weight\)"):
        load_classifier(source(headless))
    assert load_classifier(source(world / "base")).model.score.weight.shape[0] == 3


def test_a_base_without_one_layer_is_refused(copy):
    base = copy("base", lambda name: None if name == "model.layers.1.mlp.up_proj.weight" else name)
    with pytest.raises(UserError, match=r"model\.layers\.1\.mlp\.up_proj\.weight"):
        load_classifier(source(base))


def test_a_tensor_that_has_no_place_is_refused(copy, tmp_path):
    start = copy("start")
    tensors = load_file(start / "model.safetensors")
    save_file(tensors | {"model.layers.2.extra": tensors["score.weight"].clone()}, start / "model.safetensors")
    with pytest.raises(UserError, match=r"holds 1 that have no place in it \(model\.layers\.2\.extra\)"):
        load_model(AutoModelForSequenceClassification, source(start))


def test_the_head_of_an_untied_language_model_is_left_out_of_a_classifier(world, tmp_path):
    config = AutoConfig.from_pretrained(world / "base")
    config.tie_word_embeddings = False
    shutil.copytree(world / "base", tmp_path / "untied")
    AutoModelForCausalLM.from_config(config).save_pretrained(tmp_path / "untied")
    assert "lm_head.weight" in load_file(tmp_path / "untied" / "model.safetensors")
    assert load_classifier(source(tmp_path / "untied")).model.score.weight.shape[0] == 3


@pytest.fixture
def adapter(world, tmp_path) -> Path:
    """An adapter of the world's start, with its head."""
    start = AutoModelForSequenceClassification.from_pretrained(world / "start")
    start.name_or_path = str(world / "start")
    config = LoraConfig(r=2, target_modules=["q_proj"], modules_to_save=["score"], task_type=TaskType.SEQ_CLS)
    get_peft_model(start, config).save_pretrained(tmp_path / "adapter")
    for file in (world / "start").glob("tokenizer*"):
        shutil.copy(file, tmp_path / "adapter")
    return tmp_path / "adapter"


def test_a_whole_adapter_is_loaded(adapter):
    assert load_classifier(source(adapter)).label2id["entailment"] == 0


@pytest.mark.parametrize(
    "rename",
    [
        lambda name: name.replace("base_model.model.", "base_model.model.model.") if "lora" in name else name,
        lambda name: name.replace(".layers.0.", ".layers.7."),
        lambda name: None if "layers.1" in name and "lora_A" in name else name,
    ],
    ids=["one level off", "another layer", "one tensor less"],
)
def test_an_adapter_whose_tensors_are_not_those_of_the_model_is_refused(adapter, rename):
    file = adapter / "adapter_model.safetensors"
    tensors = {rename(name): tensor for name, tensor in load_file(file).items()}
    tensors.pop(None, None)
    save_file(tensors, file)
    with pytest.raises(UserError, match=r"The checkpoint of .*adapter (lacks|holds) \d+"):
        load_classifier(source(adapter))


def no_config(folder: Path) -> None:
    (folder / "config.json").unlink()


def lfs_pointer(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 3\n")


def cut_short(folder: Path) -> None:
    whole = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors").write_bytes(whole[: len(whole) // 2])


def pickled_only(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def not_json(folder: Path) -> None:
    (folder / "config.json").write_text("{")


def json_list(folder: Path) -> None:
    (folder / "config.json").write_text("[1]")


def unknown_architecture(folder: Path) -> None:
    (folder / "config.json").write_text(json.dumps({"model_type": "no such model"}))


def whole_and_sharded(folder: Path) -> None:
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": {}}))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (no_config, r"has no config\.json"),
        (lfs_pointer, "is a Git LFS pointer"),
        (cut_short, "can't be loaded"),
        (pickled_only, "has no safetensors weights"),
        (not_json, r"config\.json can't be read"),
        (json_list, "holds a list, not a JSON object"),
        (unknown_architecture, "can't be loaded"),
        (whole_and_sharded, r"holds model\.safetensors and shards of it; leave one of the two in the folder"),
    ],
)
def test_a_broken_folder_ends_in_one_line_that_names_it(copy, damage, message):
    folder = copy("start")
    damage(folder)
    with pytest.raises(UserError, match=message) as error:
        load_classifier(source(folder))
    assert str(folder) in str(error.value)
    assert len(str(error.value).splitlines()) == 1


def test_a_tokenizer_with_two_tokens_of_one_id_is_refused(copy):
    folder = copy("base")
    file = folder / "tokenizer.json"
    saved = json.loads(file.read_text())
    vocabulary = saved["model"]["vocab"]
    one, other, *_ = sorted(vocabulary)
    vocabulary[one] = vocabulary[other]
    file.write_text(json.dumps(saved))
    with pytest.raises(UserError, match="gives several tokens one id"):
        load_tokenizer(source(folder))


def test_a_folder_without_a_tokenizer_is_refused(copy):
    folder = copy("start")
    for file in folder.glob("tokenizer*"):
        file.unlink()
    with pytest.raises(UserError, match=r"The tokenizer of .* can't be loaded"):
        load_tokenizer(source(folder))


def test_code_of_a_repo_is_never_run(copy, monkeypatch):
    folder = copy("start")
    config = json.loads((folder / "config.json").read_text())
    config |= {
        "model_type": "mine",
        "auto_map": {"AutoConfig": "mine.Config", "AutoModelForSequenceClassification": "mine.M"},
    }
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "mine.py").write_text("raise SystemExit('code of the repo was run')")
    monkeypatch.setattr("builtins.input", lambda *_: pytest.fail("a terminal is asked whether to run code"))
    with pytest.raises(UserError, match="can't be loaded"):
        load_classifier(source(folder))


# What was saved


def test_whole_weights_pass(world):
    check_saved_weights(world / "start")
    assert isinstance(AutoModelForSequenceClassification.from_pretrained(world / "start"), torch.nn.Module)


def test_an_empty_tensor_is_refused(copy):
    folder = copy("start")
    weights = load_file(folder / "model.safetensors") | {"score.weight": torch.empty(0)}
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(UserError, match=r"tensor score\.weight was saved empty"):
        check_saved_weights(folder)


def test_a_folder_without_weights_is_refused(tmp_path):
    with pytest.raises(UserError, match="holds no safetensors file"):
        check_saved_weights(tmp_path)
