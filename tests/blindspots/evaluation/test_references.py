"""Likelihood of people's answers, against the model's own loss, and answers of a model."""

from types import SimpleNamespace

import pandas as pd
import pytest
import torch
from datasets import Dataset
from transformers import BloomConfig, BloomForCausalLM

from blindspots.artifacts.inputs import fetch
from blindspots.config.errors import UserError
from blindspots.evaluation.people import FILE
from blindspots.evaluation.references import (
    answers,
    predict_references,
    read_references,
    reference_nll,
    require_answerable,
)
from blindspots.modeling.generators import load_generator
from blindspots.modeling.loading import load_tokenizer

ROWS = Dataset.from_dict(
    {
        "id": ["a", "b"],
        "unit": ["u", "v"],
        "prompt": ["A man sleeps.", "A dog"],
        "completion": [" A woman sings.", " runs in a park and sleeps."],
    }
)


@pytest.fixture
def generator(world):
    source = fetch(str(world / "base"), "model")
    return load_generator(source, "float32"), load_tokenizer(source)


@pytest.mark.parametrize("batch_tokens", [1, 1000])
def test_the_likelihood_is_that_of_the_completion_and_eos_whatever_the_batch(generator, batch_tokens):
    model, tokenizer = generator
    nll, tokens = reference_nll(model, tokenizer, ROWS, batch_tokens)
    for row, (prompt, completion) in enumerate(zip(ROWS["prompt"], ROWS["completion"])):
        start = len(tokenizer(prompt)["input_ids"])
        ids = torch.tensor([tokenizer(prompt + completion)["input_ids"] + [tokenizer.eos_token_id]])
        labels = ids.clone()
        labels[:, :start] = -100
        loss = model(input_ids=ids, labels=labels).loss.item()
        assert tokens[row] == ids.shape[1] - start
        assert nll[row] == pytest.approx(loss * tokens[row], rel=1e-4)


def test_answers_do_not_depend_on_their_batch(generator):
    model, tokenizer = generator
    together, alone = (answers(model, tokenizer, ROWS["prompt"][:], 5, size) for size in (1000, 1))
    assert together == alone
    assert len(together) == 2


def test_the_mean_loss_is_that_of_all_tokens(generator, tmp_path):
    recipe = SimpleNamespace(eval_batch_tokens=1000, answer_tokens=4)
    found = predict_references(*generator, ROWS, recipe, tmp_path)
    kept = pd.read_parquet(tmp_path / FILE)
    assert found["nll_per_token"] == pytest.approx(kept["nll"].sum() / kept["tokens"].sum())
    assert read_references(tmp_path)["score"].tolist() == kept["rouge_l"].tolist()
    assert found["units"] == 2


@pytest.mark.parametrize(
    ("completion", "answer_tokens", "message"),
    [
        (" runs" * 5000, 4, r"The longest row of people takes \d+ tokens, more than the model's 256 positions"),
        (" runs.", 255, r"The longest prompt of people with answer_tokens 255 takes \d+ tokens, more than"),
    ],
)
def test_rows_and_answers_beyond_the_models_positions_are_refused(generator, completion, answer_tokens, message):
    rows = Dataset.from_dict({"prompt": ["A dog"], "completion": [completion]})
    with pytest.raises(UserError, match=message):
        require_answerable(*generator, rows, answer_tokens)
    require_answerable(*generator, ROWS, 64)


def test_a_model_without_positions_takes_rows_of_any_length(generator):
    torch.manual_seed(0)
    config = BloomConfig(vocab_size=400, hidden_size=32, n_layer=1, n_head=2)
    model, tokenizer = BloomForCausalLM(config), generator[1]
    require_answerable(model, tokenizer, ROWS, 10**6)
    nll, _ = reference_nll(model, tokenizer, ROWS, 1000)
    assert (nll > 0).all()
