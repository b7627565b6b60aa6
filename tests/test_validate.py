"""validate.py: what of a recipe would do, and what would stop its run."""

import pytest

from blindspots.config.errors import RecipeError, UserError


@pytest.fixture
def validate(world, tmp_path, script):
    def run(*arguments: object, first: str = "# finetune_task.py: a start.", model: str = "base") -> None:
        file = tmp_path / "recipe.yaml"
        file.write_text(
            f"{first}\nmodel_name_or_path: {world / model}\ntrain_dataset: {world / 'corpus/mnli'}\n"
            f"output_dir: {tmp_path / 'out'}\nhans: {world / 'corpus/hans'}\nhans_expected_rows: 60\n"
        )
        script("validate", file, *arguments)

    return run


def test_a_recipe_that_would_do_is_said_to(validate, tmp_path, capsys):
    validate()
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["ok"] * 6
    said = "\n".join(lines)
    assert "keys: of finetune_task.py" in said
    assert "Hub: no push is asked for" in said
    assert "data: 300 rows" in said
    assert "test sets: hans 60 rows" in said
    assert "model: LlamaForSequenceClassification with 256 positions, given the paper's text" in said
    assert not (tmp_path / "out").exists()


def test_an_encoder_is_given_pairs(validate, encoders, capsys):
    validate("--model_name_or_path", encoders / "roberta")
    assert "RobertaForSequenceClassification with 128 positions, given pairs" in capsys.readouterr().out


def test_everything_that_would_stop_the_run_is_told(validate, world, capsys):
    with pytest.raises(UserError, match=r"The run would stop at: Hub, test sets, model\.$"):
        validate("--push_to_hub", "--hans_expected_rows", 61, "--template", "{premise}")
    said = capsys.readouterr().out
    assert "wrong  Hub: A push needs hub_namespace." in said
    assert "wrong  test sets: " in said
    assert "lacks {premise} or {hypothesis}" in said
    assert "ok     data: 300 rows" in said


def test_an_input_that_is_not_there_ends_it(validate, capsys):
    with pytest.raises(UserError, match="would stop at: inputs"):
        validate("--train_dataset", "outputs/not/made")
    assert "outputs/not/made is neither a folder here nor a Hub id" in capsys.readouterr().out


def test_a_misspelt_key_is_refused(validate):
    with pytest.raises(RecipeError, match="learning_rat is not a key of this script; the nearest is learning_rate"):
        validate("--learning_rat", 1)


@pytest.mark.parametrize("first", ["", "# a recipe", "# launch.py: x"])
def test_a_recipe_that_names_no_script_is_refused(validate, first):
    with pytest.raises(RecipeError, match="the first line is to name one of prepare_mnli, finetune_task"):
        validate(first=first)


def test_help_is_given_without_a_recipe(script, capsys):
    script("validate", "--help")
    assert "python scripts/validate.py recipes/" in capsys.readouterr().out


def test_help_after_a_recipe_lists_the_keys_of_its_script(validate, capsys):
    with pytest.raises(SystemExit):
        validate("--help")
    assert "--learning_rate" in capsys.readouterr().out


def test_without_a_recipe_there_is_nothing_to_check(script):
    with pytest.raises(RecipeError, match="Name a recipe that is there"):
        script("validate", "recipes/none.yaml")
