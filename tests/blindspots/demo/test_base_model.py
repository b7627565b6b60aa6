"""The tiny base: its tokenizer gives every text back, and both load like any other checkpoint."""

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer

from blindspots.data.nli import LABELS, generator_completion, generator_prompt, parse_generated, task_input
from blindspots.demo.base_model import template_pieces, tiny_base
from blindspots.demo.corpus import mnli_like

ROWS = mnli_like(train_rows=600, matched_rows=0, seed=3)["train"].to_list()


@pytest.fixture(scope="module")
def base():
    return tiny_base((text for row in ROWS for text in (row["premise"], row["hypothesis"])), seed=0)


@pytest.fixture(scope="module")
def folder(base, tmp_path_factory):
    path = tmp_path_factory.mktemp("base")
    for part in base:
        part.save_pretrained(path)
    return path


def _texts(row):
    generated = generator_completion(row["premise"], row["hypothesis"])
    return task_input(row["premise"], row["hypothesis"]), generator_prompt(LABELS[row["label"]]) + generated


def test_decoding_gives_both_templates_back(base, folder):
    for tokenizer in (base[1], AutoTokenizer.from_pretrained(folder)):
        for text in (text for row in ROWS for text in _texts(row)):
            assert tokenizer.decode(tokenizer(text).input_ids, skip_special_tokens=True) == text


def test_a_decoded_completion_can_be_parsed(base):
    tokenizer = base[1]
    for row in ROWS[:100]:
        prompt, whole = (
            tokenizer(text).input_ids for text in (generator_prompt(LABELS[row["label"]]), _texts(row)[1])
        )
        assert whole[: len(prompt)] == prompt
        completion = tokenizer.decode(whole[len(prompt) :], skip_special_tokens=True)
        assert parse_generated(completion) == (row["premise"], row["hypothesis"])


def test_rows_are_short(base):
    lengths = [len(base[1](text).input_ids) for row in ROWS for text in _texts(row)]
    assert sum(lengths) / len(lengths) < 28
    assert max(lengths) < 60


def test_template_pieces_are_single_ordinary_tokens(base):
    tokenizer = base[1]
    assert all(len(tokenizer(piece, add_special_tokens=False).input_ids) == 1 for piece in template_pieces())
    assert set(tokenizer.all_special_tokens) == {tokenizer.pad_token, tokenizer.bos_token, tokenizer.eos_token}


def test_special_tokens_have_ids_of_their_own_that_the_model_knows(base):
    model, tokenizer = base
    ids = [tokenizer.pad_token_id, tokenizer.bos_token_id, tokenizer.eos_token_id]
    assert len(set(ids)) == 3
    assert ids == [model.config.pad_token_id, model.config.bos_token_id, model.config.eos_token_id]
    assert tokenizer("a text").input_ids[0] == tokenizer.bos_token_id


def test_size(base):
    assert base[0].num_parameters() < 1_000_000


def test_reloaded_model_gives_equal_logits(base, folder):
    ids = torch.tensor([base[1](_texts(ROWS[0])[0]).input_ids])
    with torch.no_grad():
        assert torch.equal(base[0](ids).logits, AutoModelForCausalLM.from_pretrained(folder)(ids).logits)


def test_it_loads_with_a_classification_head(folder):
    model = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=3)
    assert model.score.weight.shape == (3, model.config.hidden_size)


def test_weights_follow_the_seed():
    one, same, other = (tiny_base(["A text ."], seed)[0].lm_head.weight for seed in (0, 0, 1))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
