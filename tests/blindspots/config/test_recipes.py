"""Every recipe in recipes/ is one that its script takes and that the libraries accept."""

from pathlib import Path

import pytest
import yaml
from peft import LoraConfig
from test_parser import SCRIPTS
from transformers import BitsAndBytesConfig, TrainingArguments
from trl import ModelConfig, SFTConfig, get_peft_config, get_quantization_config

from blindspots.check.run import check_recipe as check_recipe_of_check
from blindspots.config.analysis_recipes import AuditRecipe, CheckRecipe, GridRecipe, ReportRecipe
from blindspots.config.parser import own_keys, parse_recipe
from blindspots.config.paths import RECIPES
from blindspots.config.source_recipes import CompareRecipe, check_recipe
from blindspots.config.yaml_files import read_yaml
from blindspots.data import test_sets
from blindspots.grid import check_axes

SCRIPT_OF = {
    "inputs": "make_demo_inputs",
    "base": "base_from_gguf",
    "prepare": "prepare_mnli",
    "start": "finetune_task",
    "augment": "finetune_task",
    "generator": "finetune_generator",
    "merge": "merge_generator",
    "synthesize": "generate_synthetic",
    "synthesize_server": "generate_synthetic",
    "variants": "build_variants",
    "evaluate": "evaluate_task",
    "audit": "audit_dataset",
}
AXES = ("grid", "replicates", "doses", "first")
FILES = [file for file in sorted(RECIPES.glob("*/*.yaml")) if file.stem in SCRIPT_OF]
TRAINING = [file for file in FILES if SCRIPT_OF[file.stem].startswith("finetune")]


def name(file: Path) -> str:
    return f"{file.parent.name}/{file.stem}"


def test_every_file_is_a_recipe_of_a_known_script():
    models = {
        file.stem
        for file in RECIPES.glob("*/*.yaml")
        if file.parent.name not in ("audits", "check", "sources", "test_sets")
    }
    assert models == {*SCRIPT_OF, *AXES, "resources", "published"}
    for file in RECIPES.glob("audits/*.yaml"):
        parse_recipe(AuditRecipe, argv=[str(file)])
    for file in RECIPES.glob("sources/*.yaml"):
        (recipe,) = parse_recipe(CompareRecipe, argv=[str(file)])
        check_recipe(recipe)
        assert recipe.output_dir == f"outputs/sources/{file.stem}"
    for file in RECIPES.glob("check/*.yaml"):
        (recipe,) = parse_recipe(CheckRecipe, argv=[str(file), "--datasets", "mine.jsonl"])
        check_recipe_of_check(recipe)
        assert recipe.model == file.stem
    for file in RECIPES.glob("test_sets/*.yaml"):
        test_sets.test_set(file.stem)
    in_each = {*SCRIPT_OF, "grid"} - {"inputs", "base", "merge", "synthesize_server"}
    for model in ("demo", "smollm2-135m", "llama2-7b", "llama2-7b-fast"):
        assert {file.stem for file in (RECIPES / model).glob("*.yaml")} >= in_each
    no_generator = {"prepare", "start", "variants", "augment", "grid", "resources"}
    assert {file.stem for file in RECIPES.glob("smollm2-135m-cpu/*.yaml")} == no_generator
    assert {file.stem for file in RECIPES.glob("smollm2-135m-fewgen/*.yaml")} == {*no_generator, "base"}


@pytest.mark.parametrize("file", sorted(RECIPES.glob("sources/trained/*.yaml")), ids=lambda file: file.stem)
def test_a_recipe_of_models_trained_on_sources_parses_and_is_pinned(file):
    script = file.read_text().removeprefix("# ").split(".py")[0]
    recipe, *libraries = parse_recipe(*SCRIPTS[script], argv=[str(file)])
    assert recipe.output_dir.startswith("outputs/trained/")
    if script == "prepare_sources":
        (compare,) = parse_recipe(CompareRecipe, argv=[str(RECIPES.parent / recipe.source_set)])
        check_recipe(compare)
    if libraries:
        model = ModelConfig(**libraries[1])
        assert model.model_name_or_path.startswith("outputs/") or len(read_yaml(file)["model_revision"]) == 40


@pytest.mark.parametrize("file", FILES, ids=name)
def test_a_recipe_parses(file):
    recipe, *_ = parse_recipe(*SCRIPTS[SCRIPT_OF[file.stem]], argv=[str(file)])
    assert recipe.output_dir.startswith(f"outputs/{'base' if file.stem == 'base' else file.parent.name}/")


@pytest.mark.parametrize("file", [file for file in FILES if file.stem in ("start", "augment", "evaluate")], ids=name)
def test_a_recipe_of_task_models_evaluates_them_on_the_test_sets_of_the_paper(file):
    recipe, *_ = parse_recipe(*SCRIPTS[SCRIPT_OF[file.stem]], argv=[str(file)])
    assert {"mnli_matched", "hans"} <= {found.name for found in test_sets.named_test_sets(recipe)}


@pytest.mark.parametrize("file", TRAINING, ids=name)
def test_a_training_recipe_builds_the_library_arguments(file, tmp_path):
    _, training_keys, model_keys = parse_recipe(*SCRIPTS[SCRIPT_OF[file.stem]], argv=[str(file)])
    here = {"output_dir": str(tmp_path), "use_cpu": True, "bf16": False}  # this machine may have no GPU
    training = (SFTConfig if "generator" in file.stem else TrainingArguments)(**training_keys | here)
    model_config = ModelConfig(**model_keys)
    assert training.num_train_epochs == {"demo/generator": 1.3, "bert-base/start": 3}.get(name(file), 1)
    assert training.lr_scheduler_type == ("linear" if file.parent.name == "bert-base" else "cosine")
    assert model_config.model_name_or_path is not None
    assert isinstance(get_peft_config(model_config), LoraConfig) == model_keys.get("use_peft", False)
    assert isinstance(get_quantization_config(model_config), BitsAndBytesConfig) == model_config.load_in_4bit


def test_the_settings_of_the_paper_are_in_its_recipes():
    """The authors' code: NF4, LoRA r 64 and alpha 16 on seven projections, 2e-5 cosine, warm-up .3, batch 2 and 6."""
    saved = {"start": ["score"], "generator": ["embed_tokens", "lm_head"]}
    for stem, batch in (("start", 2), ("generator", 6)):
        script = SCRIPTS[SCRIPT_OF[stem]]
        recipe, training, model = parse_recipe(*script, argv=[str(RECIPES / "llama2-7b" / f"{stem}.yaml")])
        lora, quantized = get_peft_config(ModelConfig(**model)), get_quantization_config(ModelConfig(**model))
        assert (lora.r, lora.lora_alpha, lora.lora_dropout, lora.bias) == (64, 16, 0.1, "none")
        assert lora.target_modules == {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}
        assert lora.modules_to_save == saved[stem]
        assert (quantized.load_in_4bit, quantized.bnb_4bit_quant_type) == (True, "nf4")
        expected = {
            "num_train_epochs": 1,
            "learning_rate": 2e-5,
            "lr_scheduler_type": "cosine",
            "warmup_steps": 0.3,
            "weight_decay": 0.001,
            "max_grad_norm": 0.3,
            "optim": "paged_adamw_32bit",
            "train_sampling_strategy": "group_by_length",
        }
        assert {key: training.get(key) for key in expected} == expected
        assert recipe.global_batch_size == batch


def test_the_settings_of_100_berts_are_in_their_recipe():
    """McCoy, Min & Linzen (2020): BERT-base, 2e-5, three epochs, batches of 32, at most 128 tokens; a pair a row."""
    recipe, training, model = parse_recipe(*SCRIPTS["finetune_task"], argv=[str(RECIPES / "bert-base/start.yaml")])
    assert (recipe.template, recipe.max_length, recipe.global_batch_size) == (None, 128, 32)
    assert (training["learning_rate"], training["num_train_epochs"]) == (2e-5, 3)
    assert model["model_name_or_path"] == "google-bert/bert-base-uncased"


GRIDS = sorted(
    RECIPES / file for name in ("grid", "replicates", "doses", "first") for file in RECIPES.glob(f"*/{name}.yaml")
)


@pytest.mark.parametrize("file", GRIDS, ids=name)
def test_a_grid_has_axes_that_exist(file):
    values = yaml.safe_load(file.read_text())
    recipe, *_ = parse_recipe(ReportRecipe, argv=[str(file), "--output_dir", "out"])
    assert {axis: getattr(recipe, axis) for axis in values} == values
    check_axes(GridRecipe(**values))


@pytest.mark.parametrize("file", sorted(RECIPES.glob("*/*.yaml")), ids=name)
def test_a_recipe_holds_no_token(file):
    assert "token:" not in file.read_text()
    assert "hf_" not in file.read_text()


@pytest.mark.parametrize("classes", SCRIPTS.values(), ids=SCRIPTS)
def test_every_key_of_ours_has_a_meaning(classes):
    assert all(key.help for key in own_keys(classes[0]).values())
