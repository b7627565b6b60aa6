"""The parser: what a recipe may hold, what it means, and the one line that a mistake earns."""

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blindspots.config.analysis_recipes import AuditRecipe
from blindspots.config.errors import RecipeError
from blindspots.config.library_keys import library_keys
from blindspots.config.parser import own_keys, parse_recipe
from blindspots.config.paths import ROOT
from blindspots.config.recipes import (
    GeneratorRecipe,
    SynthesisRecipe,
    VariantsRecipe,
)
from blindspots.config.refused_keys import REFUSED
from blindspots.config.scripts import RECIPE_CLASSES

SCRIPTS_FOLDER = ROOT / "scripts"
# Those that read a recipe alone.
SCRIPTS = {
    script: found
    for script, found in RECIPE_CLASSES.items()
    if script not in ("report", "release", "reproduce_cell", "compare_published")
}
TASK = SCRIPTS["finetune_task"]


@pytest.fixture
def recipe(tmp_path: Path):
    """Writes a recipe file and returns its path."""

    def write(text: str) -> str:
        (tmp_path / "recipe.yaml").write_text(text)
        return str(tmp_path / "recipe.yaml")

    return write


def task(*argv: str) -> tuple:
    return parse_recipe(*TASK, argv=list(argv))


# What is understood


def test_keys_go_to_the_class_that_defines_them(recipe):
    ours, training, model = task(recipe("output_dir: out\nmax_length: 64\nseed: 3\ndtype: auto\n"))
    assert (ours.output_dir, ours.max_length) == ("out", 64)
    assert training == {"seed": 3}
    assert model == {"dtype": "auto"}


def test_the_command_line_wins_over_the_recipe(recipe):
    _, training, _ = task(recipe("output_dir: out\nlearning_rate: 1.0e-3\n"), "--learning_rate", "1e-5")
    assert training == {"learning_rate": 1e-5}


def test_config_is_another_way_to_name_the_recipe(recipe):
    path = recipe("output_dir: out\nseed: 1\n")
    assert task("--config", path) == task(path)


def test_a_recipe_is_not_needed():
    ours, _, _ = task("--output_dir", "out")
    assert ours.output_dir == "out"


@pytest.mark.parametrize("written", ["1e-5", "1.0e-5", "0.00001", "'1e-5'"])
def test_a_float_is_a_float_however_it_is_written(recipe, written):
    _, training, _ = task(recipe(f"output_dir: out\nlearning_rate: {written}\n"))
    assert training["learning_rate"] == 1e-5


@pytest.mark.parametrize("written", ["010", "08", "0x10", "0b1", "1_000", "1:30", "1_0.5", "010.5"])
@pytest.mark.parametrize("key", ["seed", "learning_rate"])
def test_a_number_that_is_not_decimal_is_refused_in_a_recipe_and_as_a_flag(recipe, key, written):
    said = rf"{key} wants (int|float), got '{written}'; write a number in decimal digits, without leading zeros"
    for words in (
        [recipe(f"output_dir: out\n{key}: {written}\n")],
        [recipe(f"output_dir: out\n{key}: '{written}'\n")],
        ["--output_dir", "out", f"--{key}", written],
    ):
        with pytest.raises(RecipeError, match=said):
            task(*words)


@pytest.mark.parametrize("written", ["[2:30]", "[010]", "[10, 1_000]"])
def test_so_is_one_within_a_list(recipe, written):
    words = ["--output_dir", "o", "--kind", "original"]
    for argv in ([recipe(f"sizes: {written}\n"), *words], [*words, "--sizes", written]):
        with pytest.raises(RecipeError, match=r"sizes wants list of int, got .*in decimal digits"):
            parse_recipe(VariantsRecipe, argv=argv)


@pytest.mark.parametrize(
    ("key", "written", "value"),
    [
        ("seed", "10", 10),
        ("seed", "'10'", 10),
        ("seed", "+3", 3),
        ("learning_rate", "5.", 5.0),
        ("learning_rate", ".5", 0.5),
        ("learning_rate", "10", 10.0),
        ("learning_rate", "'1.0e-3'", 1e-3),
        ("adam_epsilon", "1E-8", 1e-8),
    ],
)
def test_a_recipe_and_a_flag_mean_the_same_number(recipe, key, written, value):
    of_recipe = task(recipe(f"output_dir: out\n{key}: {written}\n"))[1]
    of_flag = task("--output_dir", "out", f"--{key}", written.strip("'"))[1]
    assert of_recipe == of_flag == {key: value}
    assert type(of_recipe[key]) is type(value)


@pytest.mark.parametrize("written", [".inf", "-.inf", ".nan", "inf", "nan", "1e999"])
def test_a_number_is_finite(recipe, written):
    with pytest.raises(RecipeError, match="learning_rate wants a finite number"):
        task(recipe(f"output_dir: out\nlearning_rate: {written}\n"))


def test_text_may_look_like_a_number_of_another_notation(recipe):
    ours, _, _ = task(recipe("output_dir: 010\ntrain_dataset: rows\ntrain_config: 0x10\nhub_name: 1:30\n"))
    assert (ours.output_dir, ours.train_config, ours.hub_name) == ("010", "0x10", "1:30")


@settings(max_examples=25)
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_any_float_survives_the_command_line(value):
    _, training, _ = task("--output_dir=out", f"--learning_rate={value!r}")
    assert training["learning_rate"] == value


@settings(max_examples=25)
@given(st.lists(st.integers(1, 10**6), min_size=1, max_size=5))
def test_a_list_is_written_in_brackets_or_with_spaces(sizes):
    spaced, bracketed = (
        parse_recipe(VariantsRecipe, argv=["--output_dir", "o", "--kind", "original", "--sizes", *words])[0]
        for words in (map(str, sizes), [str(sizes)])
    )
    assert spaced.sizes == bracketed.sizes == sizes


@pytest.mark.parametrize(("words", "value"), [(["--bf16"], True), (["--bf16", "false"], False)])
def test_a_switch_is_on_by_its_name_alone(words, value):
    assert task("--output_dir", "out", *words)[1] == {"bf16": value}


@pytest.mark.parametrize("written", ["yes", "on", "true", "True", "'yes'"])
def test_a_switch_takes_the_words_of_yaml(recipe, written):
    assert task(recipe(f"output_dir: out\nbf16: {written}\n"))[1] == {"bf16": True}


def test_names_of_labels_are_text_however_they_are_written(recipe):
    names = "{Yes: entailment, No: contradiction, 0: neutral, true: neutral}"
    expected = {"Yes": "entailment", "No": "contradiction", "0": "neutral", "true": "neutral"}
    words = ["--output_dir", "o", "--dataset", "d", "--reference", "r"]
    assert parse_recipe(AuditRecipe, argv=[*words, "--label_names", names])[0].label_names == expected
    assert parse_recipe(AuditRecipe, argv=[recipe(f"label_names: {names}\n"), *words])[0].label_names == expected


def test_a_word_that_yaml_takes_for_false_is_text_where_text_is_wanted(recipe):
    ours, training, _ = task(recipe("output_dir: out\neval_strategy: no\nhub_name: off\n"))
    assert (ours.hub_name, training["eval_strategy"]) == ("off", "no")


def test_null_takes_a_value_back(recipe):
    ours, _, _ = task(recipe("output_dir: out\ntrain_dataset: data\n"), "--train_dataset", "null")
    assert ours.train_dataset is None


# What is refused


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("output_dir: out\nlearning_rat: 1\n", r"learning_rat is not a key of this script; .* is learning_rate"),
        ("output_dir: out\nhub_token: secret\n", r"hub_token is not a key"),
        ("output_dir: out\nlearning_rate: fast\n", r"learning_rate wants float, got 'fast'"),
        ("output_dir: out\nseed: 1.5\n", r"seed wants int, got 1\.5"),
        ("output_dir: out\nseed: true\n", r"seed wants int, got True"),
        ("output_dir: out\nbf16: perhaps\n", r"bf16 wants bool, got 'perhaps'"),
        ("output_dir: out\nlora_target_modules: 5\n", r"lora_target_modules wants .*list.*, got 5"),
        ("output_dir: [a, b]\n", r"output_dir wants str"),
        ("seed: 1\nseed: 2\noutput_dir: out\n", r"seed is given two values"),
        ("seed: 1\n", r"output_dir is required: folder of the finished artifact"),
        ("", r"is empty"),
        ("# only a comment\n", r"is empty"),
        ("- a\n- b\n", r"must hold one `key: value` per line, not a list"),
        ("seed: [1\n", r"is not valid YAML"),
    ],
)
def test_a_recipe_that_cannot_be_used_says_why(recipe, text, message):
    path = recipe(text)
    with pytest.raises(RecipeError, match=message) as error:
        task(path)
    assert path in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--learning_rat", "1"], r"command line: learning_rat is not a key .* nearest is learning_rate"),
        (["--learning_rate", "fast"], r"command line: learning_rate wants float, got 'fast'"),
        (["--seed", "1", "--seed", "2"], r"--seed is given two values"),
        (["--seed=1", "--seed=1"], r"--seed is given two values"),
        (["a.yaml", "--config", "b.yaml"], r"two recipes are named, a.yaml and b.yaml"),
        (["a.yaml", "b.yaml"], r"'b.yaml' belongs to no key"),
        (["--lora_target_modules", "[a"], r"is not valid YAML"),
        (["--train_config", "n\udcff"], r"train_config is not UTF-8: 'n\\udcff'"),
    ],
)
def test_a_command_line_that_cannot_be_used_says_why(words, message):
    with pytest.raises(RecipeError, match=message):
        task("--output_dir", "out", *words)


@pytest.mark.parametrize(
    ("script", "words", "needed"),
    [
        ("finetune_task", "--train_config n100", "train_dataset"),
        ("finetune_generator", "--train_revision v0.1 --train_dataset null", "train_dataset"),
        ("finetune_preference", "--people_revision v0.1 --train_dataset rows", "people"),
        ("finetune_task", "--dev_revision v0.1 --eval_strategy epoch", "dev_dataset"),
        ("generate_synthetic", "--generator_revision v0.1 --shots 2 --shots_from rows", "generator"),
        ("generate_synthetic", "--shots_config n100 --generator g", "shots_from"),
        ("build_variants", "--synthetic_config full --kind original --original rows", "synthetic"),
        ("audit_dataset", "--label_model_revision v0.1 --dataset a --reference b", "label_model"),
        ("audit_dataset", "--hans_revision v0.1 --dataset a --reference b", "hans"),
        ("compare_sources", "--reference_config all --dataset a --data_type instructions", "reference"),
    ],
)
def test_a_config_or_revision_needs_what_it_belongs_to(script, words, needed):
    with pytest.raises(RecipeError, match=f"^command line: {words.split()[0][2:]} needs {needed}\\.$"):
        parse_recipe(*SCRIPTS[script], argv=["--output_dir", "out", *words.split()])


@pytest.mark.parametrize("script", ["finetune_task", "finetune_generator", "finetune_preference"])
def test_a_config_and_revision_are_taken_with_what_they_belong_to_and_null_without(script, recipe):
    written = recipe("output_dir: out\ntrain_dataset: rows\ntrain_config: n100\ntrain_revision: v0.1\n")
    assert parse_recipe(*SCRIPTS[script], argv=[written])[0].train_config == "n100"
    argv = [written, "--train_dataset", "null"]
    with pytest.raises(RecipeError, match=r"recipe\.yaml: train_config needs train_dataset\.$"):
        parse_recipe(*SCRIPTS[script], argv=argv)
    argv += ["--train_config", "null", "--train_revision", "null"]
    assert parse_recipe(*SCRIPTS[script], argv=argv)[0].train_config is None


def test_the_revision_of_a_test_set_needs_no_other_dataset():
    """It is one of the dataset that recipes/test_sets names."""
    assert task("--output_dir", "out", "--test_sets", "hans", "--hans_revision", "v0.1")[0].hans is None


def test_a_value_outside_the_choices_names_them(recipe):
    with pytest.raises(RecipeError, match="loss_on is one of text, completion; got 'prompt'"):
        parse_recipe(GeneratorRecipe, argv=["--output_dir", "out", "--loss_on", "prompt"])


@pytest.mark.parametrize(("text", "value"), [("auto", "auto"), ("8", 8), ("null", None)])
def test_a_number_may_have_a_word_in_its_place(text, value):
    _, keys = parse_recipe(GeneratorRecipe, "SFTConfig", argv=["--output_dir", "out", "--pad_to_multiple_of", text])
    assert keys == {"pad_to_multiple_of": value}
    with pytest.raises(RecipeError, match="pad_to_multiple_of is a number or one of auto; got 'many'"):
        parse_recipe(GeneratorRecipe, "SFTConfig", argv=["--output_dir", "out", "--pad_to_multiple_of", "many"])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--sizes", "10", "ten"], r"sizes wants list of int, got \['10', 'ten'\]"),
        (["--sizes", "1.5"], r"sizes wants list of int, got"),
        (["--sizes", "-3"], r"sizes is at least 1; got -3"),
        (["--sizes", "[30, 0]"], r"sizes is at least 1; got 0"),
    ],
)
def test_the_items_of_a_list_are_checked_too(words, message):
    with pytest.raises(RecipeError, match=message):
        parse_recipe(VariantsRecipe, argv=["--output_dir", "out", "--kind", "original", *words])


@pytest.mark.parametrize("key", ["shard_rows", "batch_size", "max_new_tokens", "samples_per_label"])
def test_a_count_of_nothing_is_refused(key):
    with pytest.raises(RecipeError, match=f"{key} is at least 1; got 0"):
        parse_recipe(SynthesisRecipe, argv=["--output_dir", "out", "--generator", "g", f"--{key}", "0"])


# In a real process


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_wrong_recipe_ends_a_script_with_2_before_anything_heavy_is_imported(script, recipe):
    run = subprocess.run(
        [sys.executable, "-X", "importtime", SCRIPTS_FOLDER / f"{script}.py", recipe("output_dirr: out\n")],
        capture_output=True,
        text=True,
    )
    lines = run.stderr.splitlines()
    imported = {line.split("|")[-1].strip().split(".")[0] for line in lines if line.startswith("import time:")}
    said = [line for line in lines if not line.startswith("import time:")]
    assert run.returncode == 2
    assert len(said) == 1
    assert "output_dirr is not a key of this script; the nearest is output_dir" in said[0]
    heavy = {"torch", "transformers", "trl", "peft", "accelerate", "datasets", "pyarrow", "pandas", "numpy"}
    assert not imported & heavy


@pytest.mark.parametrize("script", SCRIPTS)
def test_help_lists_every_key_with_its_default(script):
    recipe_class, *libraries = SCRIPTS[script]
    keys = own_keys(recipe_class)
    for library in libraries:
        keys = library_keys(library) | keys
    run = subprocess.run(
        [sys.executable, SCRIPTS_FOLDER / f"{script}.py", "--help"],
        capture_output=True,
        text=True,
        env={"COLUMNS": "100000"},
    )
    assert run.returncode == 0
    assert f"scripts/{script}.py recipes/" in run.stdout  # the docstring is a command
    for key in keys.values():
        assert f"--{key.name} " in run.stdout
        assert f"; default: {key.default})" in run.stdout
    assert not [name for name in REFUSED if name not in keys and f"--{name} " in run.stdout]
