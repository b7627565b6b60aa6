"""A tiny BERT through the scripts: a start, a cell, an evaluation, a report; and an NLI model made elsewhere."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
from huggingface_hub import ModelCard

from blindspots.artifacts.inputs import fetch
from blindspots.config.errors import RecipeError, UserError
from blindspots.evaluation.scoring import LOGITS
from blindspots.modeling.classifier import load_classifier

TRAINING = [
    *("--dtype", "float32", "--use_cpu", "--max_steps", 4, "--global_batch_size", 8, "--save_strategy", "no"),
    *("--report_to", "none", "--disable_tqdm", "--learning_rate", 1e-3),
]


def lineage(folder: Path) -> dict:
    return json.loads((folder / "lineage.json").read_text())


@pytest.fixture
def test_sets(world) -> list:
    return ["--mnli", world / "corpus/mnli", "--hans", world / "corpus/hans", "--hans_expected_rows", 60]


@pytest.fixture
def tune(encoders, world, tmp_path, script):
    def run(name: str, model: Path, *arguments: object, train: Path = world / "corpus/mnli") -> Path:
        out = tmp_path / "models" / name
        data = ["--train_dataset", train, "--output_dir", out]
        script("finetune_task", "--model_name_or_path", model, *data, *TRAINING, *arguments)
        return out

    return run


@pytest.fixture
def evaluate(test_sets, tmp_path, script):
    def run(model: Path, *arguments: object) -> Path:
        script("evaluate_task", "--model", model, "--output_dir", tmp_path / "out", *test_sets, *arguments)
        return tmp_path / "out"

    return run


@pytest.fixture
def elsewhere(encoders, tmp_path) -> Path:
    """A BERT for NLI as other people save one: no lineage, upper case, another order."""
    classifier = load_classifier(fetch(str(encoders / "bert"), "model"))
    for part in (classifier.model, classifier.tokenizer):
        part.save_pretrained(tmp_path / "elsewhere")
    rename(tmp_path / "elsewhere", "CONTRADICTION", "NEUTRAL", "ENTAILMENT")
    return tmp_path / "elsewhere"


def rename(folder: Path, *names: str) -> None:
    file = folder / "config.json"
    config = json.loads(file.read_text()) | {"id2label": dict(enumerate(names)), "label2id": {}}
    file.write_text(json.dumps(config))


def test_a_tiny_bert_goes_through_start_cell_evaluation_and_report(
    encoders, tune, evaluate, test_sets, tmp_path, script, capsys
):
    start = tune("n300-s0", encoders / "bert", *test_sets)
    cell = tune("n300-original-n60-s0", start, *test_sets)
    assert lineage(cell)["input"] == {"template": None, "labels": ["entailment", "neutral", "contradiction"]}
    assert 'tokenizer(premise, hypothesis, return_tensors="pt")' in str(ModelCard.load(cell / "README.md"))
    own = pd.read_parquet(cell / "predictions/hans.parquet")[LOGITS]
    again = pd.read_parquet(evaluate(cell) / "predictions/hans.parquet")[LOGITS]
    pd.testing.assert_frame_equal(again, own, atol=1e-6)
    assert lineage(tmp_path / "out")["input"]["template"] is None
    axes = ["--starts", 300, "--kinds", "original", "--sizes", 60]
    script("report", "--models", tmp_path / "models", *axes, "--output_dir", tmp_path / "report")
    assert "| 300 | original | 60 |" in capsys.readouterr().out
    assert (tmp_path / "report/index.html").is_file()


def test_an_adapter_of_an_encoder_is_tuned_further(encoders, tune, test_sets):
    start = tune("start", encoders / "distilbert", "--use_peft", "--lora_r", 4)
    cell = tune("cell", start, *test_sets)
    assert (cell / "adapter_config.json").is_file()
    assert lineage(cell)["input"]["template"] is None
    card = str(ModelCard.load(cell / "README.md"))
    assert 'labels = {0: "entailment", 1: "neutral", 2: "contradiction"}' in card


def test_a_run_of_an_encoder_is_estimated(encoders, tune, tmp_path, capsys):
    tune("T", encoders / "bert", "--estimate", "--estimate_tflops", 1, "--estimate_gpu_gib", 8)
    assert "parameters" in capsys.readouterr().out
    assert not (tmp_path / "models").exists()


def test_a_training_row_beyond_the_positions_is_refused_before_training(encoders, tune, tmp_path):
    rows = pd.DataFrame(
        {
            "premise": ["a dog ran " * 60, "a dog ran"],
            "hypothesis": ["a dog ran"] * 2,
            "label": ["neutral", "entailment"],
        }
    )
    long = tmp_path / "long.jsonl"
    rows.to_json(long, orient="records", lines=True)
    with pytest.raises(UserError, match="longer than the model's 128 positions"):
        tune("T", encoders / "bert", train=long)
    shorter = tune("T", encoders / "bert", "--max_length", 128, train=long)
    assert lineage(shorter)["row_counts"] == {"trained on": 1, "too long": 1}


def test_a_model_made_elsewhere_is_scored_by_its_own_label_names_and_the_form_is_told(elsewhere, evaluate, capsys):
    out = evaluate(elsewhere)
    assert lineage(out)["input"] == {"template": None, "labels": ["contradiction", "neutral", "entailment"]}
    assert "has no record of its input; it is given pairs as the tokenizer joins them" in capsys.readouterr().out
    before = pd.read_parquet(out / "predictions/hans.parquet")[LOGITS]
    rename(elsewhere, "LABEL_0", "LABEL_1", "LABEL_2")
    with pytest.raises(UserError, match="or give label_names"):
        evaluate(elsewhere)
    names = "{LABEL_0: contradiction, LABEL_1: neutral, LABEL_2: entailment}"
    after = pd.read_parquet(evaluate(elsewhere, "--label_names", names) / "predictions/hans.parquet")[LOGITS]
    pd.testing.assert_frame_equal(after, before)


def test_a_decoder_made_elsewhere_is_given_the_form_that_it_was_made_for(world, evaluate, tune, capsys):
    forms = {"auto": "Please indicate", "null": None, "{premise} so {hypothesis}": " so "}
    scored = {}
    for form in forms:
        out = evaluate(world / "start", "--template", form)
        scored[form] = pd.read_parquet(out / "predictions/hans.parquet")[LOGITS]
        template = lineage(out)["input"]["template"]
        assert template is None if form == "null" else forms[form] in template
    assert "is given the paper's text" in capsys.readouterr().out
    assert not scored["auto"].equals(scored["null"])
    assert not scored["null"].equals(scored["{premise} so {hypothesis}"])


def test_a_model_keeps_the_form_that_it_was_tuned_on(world, tune, evaluate):
    start = tune("start", world / "base", "--template", "{premise} so {hypothesis}")
    cell = tune("cell", start)
    assert lineage(cell)["input"]["template"] == "{premise} so {hypothesis}"
    assert lineage(evaluate(cell))["input"]["template"] == "{premise} so {hypothesis}"
    assert "one line, `{premise} so {hypothesis}`" in (cell / "README.md").read_text()
    with pytest.raises(
        RecipeError, match=r"was tuned on the text '\{premise\} so \{hypothesis\}'; leave out template"
    ):
        evaluate(cell, "--template", "null")


@pytest.mark.parametrize("form", ["{premise} alone", "neither"])
def test_a_template_without_both_places_is_refused(world, evaluate, form):
    with pytest.raises(RecipeError, match=r"lacks \{premise\} or \{hypothesis\}"):
        evaluate(world / "start", "--template", form)


def test_what_has_no_head_is_not_evaluated(encoders, evaluate):
    with pytest.raises(UserError, match="has no classification head: it is not a task model"):
        evaluate(encoders / "bert")


def test_an_adapter_without_its_label_names_is_not_evaluated(encoders, tune, evaluate, tmp_path):
    adapter = tune("start", encoders / "bert", "--use_peft")
    copy = shutil.copytree(adapter, tmp_path / "copy")
    (copy / "lineage.json").unlink()
    with pytest.raises(UserError, match="the order of its labels is not known"):
        evaluate(copy)
