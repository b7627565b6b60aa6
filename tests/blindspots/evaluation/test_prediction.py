"""Predictions: every row's own logits in the order of the rows, one parquet per test set."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from blindspots.artifacts.inputs import fetch
from blindspots.config.errors import UserError
from blindspots.config.recipes import EvaluateRecipe
from blindspots.data import test_set_rows, test_sets
from blindspots.data.nli import LABELS, task_input
from blindspots.evaluation.prediction import load_test_sets, pooled_part, predict_logits, predict_test_sets, rehearse
from blindspots.evaluation.scoring import LOGITS
from blindspots.modeling.classifier import load_classifier


@pytest.fixture(scope="module")
def classifier(world):
    return load_classifier(fetch(str(world / "start"), "model"))


@pytest.fixture
def keys(world) -> EvaluateRecipe:
    corpus = world / "corpus"
    return EvaluateRecipe(
        output_dir="unused",
        model="unused",
        mnli=str(corpus / "mnli"),
        hans=str(corpus / "hans"),
        hans_expected_rows=60,
    )


@torch.no_grad()
@pytest.mark.parametrize("batch_tokens", [60, 10_000])
def test_logits_are_those_of_the_plain_model_in_the_order_of_the_rows(world, classifier, batch_tokens):
    source = fetch(str(world / "corpus/mnli"), "dataset")
    test = test_set_rows.read_test_set(test_sets.test_set("mnli_matched"), source)
    texts = [task_input(premise, hypothesis) for premise, hypothesis in zip(test["premise"], test["hypothesis"])]
    plain = [classifier.model(**classifier.tokenizer(text, return_tensors="pt")).logits[0] for text in texts]
    assert len({len(text) for text in texts}) > 10
    logits = predict_logits(classifier, texts, batch_tokens)
    assert np.abs(logits - torch.stack(plain).numpy()).max() < 1e-5


def test_one_row_alone_is_predicted(classifier):
    assert predict_logits(classifier, [task_input("A dog ran .", "A dog ran .")], 100).shape == (1, 3)


def test_a_row_longer_than_the_model_is_refused_not_cut(classifier):
    with pytest.raises(UserError, match=r"A row of \d+ tokens is longer than the model's 256 positions"):
        predict_logits(classifier, [task_input("dog " * 300, "cat")], 8192)


def test_a_parquet_holds_every_row_with_its_slices(keys, classifier, tmp_path):
    tests = load_test_sets(keys, test_set_rows.test_set_sources(keys))
    predict_test_sets(classifier, keys, tests, tmp_path)
    for name, test in tests.items():
        rows = pd.read_parquet(tmp_path / "predictions" / f"{name}.parquet")
        assert list(rows) == ["id", "gold", *LOGITS, "heuristic", "subcase", "genre", "cluster"]
        assert rows["id"].tolist() == test["id"][:]
        assert rows["gold"].tolist() == test["gold"][:]
        assert (rows[LOGITS].dtypes == np.float32).all()


def test_a_part_of_the_test_sets_keeps_its_shares(keys):
    keys.mnli_rows = 30
    tests = load_test_sets(keys, test_set_rows.test_set_sources(keys))
    assert [tests["mnli_matched"]["gold"][:].count(label) for label in LABELS] == [10, 10, 10]


def test_a_part_that_cannot_keep_its_shares_says_so(keys):
    keys.hans_rows = 3
    with pytest.raises(UserError, match="No part of 3 rows can keep the shares of subcase"):
        load_test_sets(keys, test_set_rows.test_set_sources(keys))


def test_a_test_set_that_is_not_named_is_not_read(keys):
    keys.hans = keys.hans_expected_rows = None
    assert set(load_test_sets(keys, test_set_rows.test_set_sources(keys))) == {"mnli_matched"}


# The same token is pooled in training and in prediction


@given(st.lists(st.integers(0, 3), min_size=1, max_size=6), st.integers(0, 4))
def test_a_row_ends_at_its_last_token_that_is_not_padding(row, pads):
    part = pooled_part(row + [0] * pads, 0)
    assert part == row[: len(part)]
    assert len(part) >= 1
    assert part[-1] != 0 or not any(row[1:])


@torch.no_grad()
@pytest.mark.parametrize("pad", ["eos", "own"])
def test_a_tokenizer_that_appends_eos_is_pooled_as_the_stock_model_pools(world, tmp_path, pad):
    shutil.copytree(world / "start", tmp_path / "start")
    file = tmp_path / "start" / "tokenizer.json"
    tokenizer = json.loads(file.read_text())
    eos = tokenizer["post_processor"]["special_tokens"]["<s>"]["ids"][0] + 1
    tokenizer["post_processor"]["single"].append({"SpecialToken": {"id": "</s>", "type_id": 0}})
    tokenizer["post_processor"]["special_tokens"]["</s>"] = {"id": "</s>", "ids": [eos], "tokens": ["</s>"]}
    file.write_text(json.dumps(tokenizer))
    if pad == "eos":
        file = tmp_path / "start" / "tokenizer_config.json"
        config = json.loads(file.read_text())
        del config["pad_token"]
        file.write_text(json.dumps(config))
    changed = load_classifier(fetch(str(tmp_path / "start"), "model"))
    texts = [task_input("A dog ran .", "A dog ran ."), task_input("A cat sat near two dogs .", "Two dogs sat .")]
    batch = changed.tokenizer(texts, return_tensors="pt", padding=True)
    assert batch["input_ids"][0].tolist().count(eos) >= 1
    stock = changed.model(**batch).logits.numpy()
    assert np.abs(predict_logits(changed, texts, 10_000) - stock).max() < 1e-5


# What would stop the evaluation is found before the first step


def test_a_rehearsal_of_sound_test_sets_says_nothing_and_leaves_the_model_in_training(classifier, keys):
    tests = load_test_sets(keys, test_set_rows.test_set_sources(keys))
    classifier.model.train()
    rehearse(classifier, tests)
    assert classifier.model.training
    rehearse(classifier, {})


def test_a_row_that_is_too_long_and_a_set_without_rows_are_found(classifier, keys):
    tests = load_test_sets(keys, test_set_rows.test_set_sources(keys))
    longest = tests["hans"].add_item(tests["hans"][0] | {"premise": "word " * 300})
    with pytest.raises(UserError, match=r"A row of \d+ tokens is longer than the model's 256 positions"):
        rehearse(classifier, {"hans": longest}, with_model=False)
    with pytest.raises(UserError, match="mnli_matched has no rows to evaluate"):
        rehearse(classifier, {"mnli_matched": tests["mnli_matched"].select([])})


def test_what_the_metric_refuses_is_found(classifier, keys):
    tests = load_test_sets(keys, test_set_rows.test_set_sources(keys))
    wrong = tests["hans"].map(lambda row: row | {"heuristic": "negation"})
    with pytest.raises(UserError, match=r"The test sets can't be scored: .*heuristic 'negation' is not one of"):
        rehearse(classifier, {"hans": wrong})
