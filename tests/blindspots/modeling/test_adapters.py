"""Keys of a new adapter: each fits the model, or is refused by its name and the model's."""

import pytest
import torch
from peft import LoraConfig

from blindspots.artifacts.inputs import Source
from blindspots.config.errors import RecipeError
from blindspots.config.parser import parse_recipe
from blindspots.config.recipes import TaskRecipe
from blindspots.modeling.adapters import add_adapter, read_model_config
from blindspots.modeling.classifier import load_classifier

LORA = {"use_peft": True, "lora_r": 2, "dtype": "float32"}


@pytest.fixture
def load(world):
    """Loads the start with a new adapter, from a recipe's keys."""

    def make(**keys):
        start = Source("org/start", world / "start", None, "model")
        return load_classifier(start, read_model_config(LORA | keys)).model

    return make


def adapted(model) -> set[str]:
    """The layers that have an adapter, by the last part of their names."""
    return {name.split(".lora_A")[0].rsplit(".")[-1] for name, _ in model.named_parameters() if "lora_A" in name}


@pytest.mark.parametrize(
    ("targets", "layers"),
    [
        (["q_proj"], {"q_proj"}),
        (["q_proj", "v_proj"], {"q_proj", "v_proj"}),
        (["layers.0.mlp.up_proj"], {"up_proj"}),
        ([r".*\.(k|v)_proj"], {"k_proj", "v_proj"}),
        (["all-linear"], {"q_proj", "k_proj", "v_proj", "o_proj", "up_proj", "down_proj", "gate_proj"}),
    ],
)
def test_one_name_several_names_and_a_pattern_find_their_layers(load, targets, layers):
    assert adapted(load(lora_target_modules=targets)) == layers


def test_the_names_in_a_recipe_stay_as_they_are(load):
    names = ["score"]
    for _ in range(2):  # a run that is short of memory loads its model again
        load(lora_modules_to_save=names)
    assert names == ["score"]


LINEAR = "its linear layers are down_proj, gate_proj, k_proj, o_proj, q_proj, score, up_proj, v_proj"


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"lora_target_modules": ["one"]}, f"lora_target_modules: org/start has no 'one'; {LINEAR}"),
        ({"lora_target_modules": ["q_proj", "proj"]}, "lora_target_modules: org/start has no 'proj'"),
        (
            {"lora_target_modules": [r".*\.one"]},
            r"lora_target_modules: the whole name of no module of org/start matches",
        ),
        ({"lora_target_modules": ["("]}, r"lora_target_modules: '\(' is neither a name nor a pattern"),
        ({"lora_modules_to_save": ["core"]}, "lora_modules_to_save: org/start has no 'core'"),
        ({"lora_target_parameters": ["q_proj.bias"]}, r"lora_target_parameters: org/start has no 'q_proj\.bias'"),
        ({"lora_target_modules": ["norm"]}, r"The keys lora_\* do not fit org/start: Target module LlamaRMSNorm"),
        (
            {"load_in_4bit": True, "load_in_8bit": True},
            "The keys of the model contradict each other: .*at the same time",
        ),
    ],
)
def test_a_key_that_does_not_fit_names_itself_and_the_model(load, keys, said):
    with pytest.raises(RecipeError, match=said) as error:
        load(**keys)
    assert str(error.value).isprintable()


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("lora_r", "0", "lora_r is at least 1"),
        ("lora_alpha", "0", "lora_alpha is at least 1"),
        ("lora_dropout", "1.5", "lora_dropout is at most 1"),
    ],
)
def test_a_size_that_no_adapter_has_is_refused_before_anything_is_loaded(key, value, said):
    with pytest.raises(RecipeError, match=said):
        parse_recipe(
            TaskRecipe, "TrainingArguments", "ModelConfig", argv=["--output_dir", "o", "--use_peft", f"--{key}", value]
        )


def test_what_the_library_refuses_is_one_line():
    with pytest.raises(RecipeError, match=r"The keys lora_\* do not fit a layer: ") as error:
        add_adapter(torch.nn.Sequential(torch.nn.Linear(2, 2)), LoraConfig(r=0, target_modules=["0"]), "a layer")
    assert str(error.value).isprintable()
