"""A test set is added by one file in recipes/test_sets: it then is in predictions, card, tables, figure and page."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from datasets import load_dataset
from huggingface_hub import ModelCard

REPO_ROOT = Path(__file__).resolve().parent.parent
MADE_UP = """\
title: Colours
dataset: someone/colours
split: test
rows: 60
columns: {premise: first, hypothesis: second, label: verdict}
label_names: {yes it follows: entailment, it does not: non-entailment}
folding: {non-entailment: [neutral, contradiction]}
slices: [colour]
headlines:
  colours_red_non_entailment: {colour: red, label: non-entailment}
titles:
  colours_red_non_entailment: Red pairs that do not follow
"""


@pytest.fixture(scope="module")
def checkout(world, tmp_path_factory) -> Path:
    """A copy of the checkout with one more test set, and a model and a cell that were evaluated on it."""
    root = tmp_path_factory.mktemp("checkout")
    for name in ("scripts", "recipes", "evaluate_modules", "model_cards", "data_cards"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(REPO_ROOT / name, root / name, symlinks=True, ignore=ignored)
    (root / "recipes/test_sets/colours.yaml").write_text(MADE_UP)
    matched = load_dataset(str(world / "corpus/mnli"), split="validation_matched").to_pandas()
    rows = pd.DataFrame({"first": matched["premise"], "second": matched["hypothesis"]})
    rows["verdict"] = ["yes it follows" if label == 0 else "it does not" for label in matched["label"]]
    rows["colour"] = ["red" if row % 2 else "blue" for row in range(len(rows))]
    (root / "colours").mkdir()
    rows.to_parquet(root / "colours" / "test-00000-of-00001.parquet")
    (root / "train.yaml").write_text(
        "dtype: float32\nuse_cpu: true\nsave_strategy: 'no'\nreport_to: none\ndisable_tqdm: true\nmax_steps: 3\n"
    )
    tests = ("--test_sets", "mnli_matched", "colours", "--mnli", world / "corpus/mnli", "--colours", root / "colours")
    models = root / "outputs" / "models"
    for name, start in (("n100-s0", world / "base"), ("n100-original-n60-s0", models / "n100-s0")):
        run(
            root,
            "finetune_task",
            root / "train.yaml",
            "--model_name_or_path",
            start,
            "--train_dataset",
            world / "corpus/mnli",
            *tests,
            "--output_dir",
            models / name,
        )
    run(
        root,
        "report",
        "--models",
        models,
        "--starts",
        100,
        "--kinds",
        "original",
        "--sizes",
        60,
        *tests,
        "--output_dir",
        root / "report",
    )
    return root


def run(root: Path, script: str, *words: object) -> None:
    environment = os.environ | {"HF_DATASETS_DISABLE_PROGRESS_BARS": "1"}
    command = [sys.executable, f"scripts/{script}.py", *map(str, words)]
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]


def test_predictions_hold_its_rows_and_slices(checkout):
    rows = pd.read_parquet(checkout / "outputs/models/n100-s0/predictions/colours.parquet")
    assert len(rows) == 60
    assert set(rows["gold"]) == {"entailment", "non-entailment"}
    assert rows["colour"].tolist() == ["blue", "red"] * 30


def test_the_card_states_its_headlines(checkout):
    card = ModelCard.load(checkout / "outputs/models/n100-s0/README.md")
    stated = {result.metric_name for result in card.data.eval_results}
    assert stated == {"mnli_matched", "colours", "colours_red_non_entailment"}
    assert "| colours_red_non_entailment |" in card.text


def test_tables_figure_and_page_show_its_headlines(checkout):
    report = checkout / "report"
    grid = pd.read_csv(report / "grid.csv", index_col="model")
    rows = pd.read_parquet(checkout / "outputs/models/n100-s0/predictions/colours.parquet")
    logits = rows[["logit_entailment", "logit_neutral", "logit_contradiction"]].to_numpy()
    right = (logits.argmax(axis=1) == 0) == (rows["gold"] == "entailment")
    red = (rows["colour"] == "red") & (rows["gold"] == "non-entailment")
    assert grid.at["n100-s0", "colours"] == pytest.approx(right.mean(), abs=1e-6)
    assert grid.at["n100-s0", "colours_red_non_entailment"] == pytest.approx(right[red].mean(), abs=1e-6)
    for name in ("README.md", "index.html", "grid.tex"):
        assert "Red pairs that do not follow" in (report / name).read_text(), name
    assert "curve.100.original.colours_red_non_entailment" in (report / "figure1.svg").read_text()
