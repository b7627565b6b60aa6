"""Evaluation as an artifact: predictions of every row and the numbers computed from them."""

import json

import pandas as pd
import pytest
from datasets import load_dataset

from blindspots.config.errors import RecipeError, UserError
from blindspots.evaluation.scoring import score


@pytest.fixture
def evaluate(world, tmp_path, script):
    def run(*arguments: object, model: str = "start"):
        script("evaluate_task", "--model", world / model, "--output_dir", tmp_path / "out", *arguments)
        return tmp_path / "out"

    return run


def test_predictions_of_both_test_sets_are_an_artifact(evaluate, world, tmp_path, capsys):
    out = evaluate("--mnli", world / "corpus/mnli", "--hans", world / "corpus/hans", "--hans_expected_rows", 60)
    recorded = json.loads((out / "lineage.json").read_text())
    assert recorded["row_counts"] == {"mnli_matched": 60, "hans": 60}
    assert {parent["role"] for parent in recorded["parents"]} == {"model", "mnli_matched", "hans"}
    assert recorded["results"]["hans"] == score(out)["hans"]
    assert f"hans {recorded['results']['hans']:.4f}" in capsys.readouterr().out
    rows = load_dataset(str(out), "hans", split="test", cache_dir=str(tmp_path / "cache"))
    assert len(rows) == 60


def test_a_part_is_evaluated_where_that_is_asked_for(evaluate, world):
    out = evaluate("--mnli", world / "corpus/mnli", "--mnli_rows", 30)
    rows = pd.read_parquet(out / "predictions/mnli_matched.parquet")
    assert rows["gold"].value_counts().tolist() == [10, 10, 10]
    assert not (out / "predictions/hans.parquet").exists()


def test_hans_of_another_size_is_refused(evaluate, world, tmp_path):
    with pytest.raises(UserError, match="60 rows where HANS has 30000"):
        evaluate("--hans", world / "corpus/hans")
    assert not (tmp_path / "out").exists()


def test_without_a_test_set_there_is_nothing_to_do(evaluate):
    with pytest.raises(RecipeError, match=r"nothing to evaluate on; name test_sets, such as \[mnli_matched, hans\]"):
        evaluate()
