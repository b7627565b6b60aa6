"""The one place that prepares a task model: labels by name, a pad id that agrees, heads that are refused."""

import shutil
from pathlib import Path

import pytest
import torch
from made_classifiers import disturb, edit, logits, save, source
from peft import PeftModel
from safetensors.torch import load_file, save_file
from transformers import AutoTokenizer
from trl import ModelConfig

from blindspots.config.errors import UserError
from blindspots.data.nli import LABELS, task_input
from blindspots.modeling.classifier import load_classifier, load_tokenizer

LORA = {
    "use_peft": True,
    "lora_r": 4,
    "lora_target_modules": ["q_proj", "v_proj"],
    "lora_task_type": "SEQ_CLS",
    "lora_modules_to_save": ["score"],
    "dtype": "float32",
}
TEXTS = [
    task_input("A dog ran .", "A cat sat ."),
    task_input("The grocer and the dentist welcomed the surgeon at dawn .", "The grocer ran ."),
    task_input("No nurse slept .", "A nurse slept , perhaps , or the uncle did , or he was said to have slept ."),
]


@pytest.fixture
def folder(world, tmp_path) -> Path:
    """A copy of the start that a test may spoil."""
    return shutil.copytree(world / "start", tmp_path / "copy")


# Labels


def test_a_new_head_has_the_label_names(world):
    assert load_classifier(source(world / "base")).model.config.id2label == dict(enumerate(LABELS))


def test_a_head_without_names_is_refused(folder):
    edit(folder / "config.json", id2label={str(i): f"LABEL_{i}" for i in range(3)})
    with pytest.raises(UserError, match="names its labels LABEL_0, LABEL_1, LABEL_2; set id2label"):
        load_classifier(source(folder))


def test_label_names_that_contradict_one_another_are_refused(folder):
    edit(folder / "config.json", label2id={"entailment": 2, "neutral": 1, "contradiction": 0})
    with pytest.raises(UserError, match=r"id2label and label2id in its config\.json contradict each other"):
        load_classifier(source(folder))


def test_another_number_of_labels_is_refused(folder):
    edit(folder / "config.json", id2label={"0": "entailment", "1": "non-entailment"}, label2id={})
    with pytest.raises(UserError, match="has 2 labels"):
        load_classifier(source(folder))


def test_predictions_go_by_label_name_whatever_the_order_of_the_head(folder):
    """A head whose rows and names are permuted together is the same model."""
    before = logits(load_classifier(source(folder)), TEXTS)
    order = [2, 0, 1]
    weights = load_file(folder / "model.safetensors")
    weights["score.weight"] = weights["score.weight"][order].clone()
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    names = [LABELS[index] for index in order]
    edit(folder / "config.json", id2label=dict(enumerate(names)), label2id={n: i for i, n in enumerate(names)})
    permuted = load_classifier(source(folder))
    assert permuted.label2id == {"contradiction": 0, "entailment": 1, "neutral": 2}
    torch.testing.assert_close(logits(permuted, TEXTS), before)


# Tokenizer and padding


def test_a_tokenizer_without_any_token_to_pad_with_is_refused(folder):
    edit(folder / "tokenizer_config.json", pad_token=None, eos_token=None, unk_token=None)
    with pytest.raises(UserError, match="has no pad, unk or eos token"):
        load_tokenizer(source(folder))


def test_the_pad_id_of_model_and_tokenizer_agree(folder):
    edit(folder / "tokenizer_config.json", pad_token=None)  # as Llama 2, which then pads with unk, else eos
    classifier = load_classifier(source(folder))
    assert classifier.tokenizer.pad_token == classifier.tokenizer.eos_token
    assert classifier.model.config.pad_token_id == classifier.tokenizer.pad_token_id
    classifier = load_classifier(save(classifier, folder))
    assert classifier.model.config.pad_token_id == classifier.tokenizer.pad_token_id


def test_a_tokenizer_of_another_model_is_refused(folder):
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.add_tokens([f"word{i}" for i in range(2000)])
    tokenizer.save_pretrained(folder)
    with pytest.raises(UserError, match=r"the tokenizer has .* tokens, the model"):
        load_classifier(source(folder))


@pytest.mark.parametrize("pad_token", ["<pad>", "</s>"])
@pytest.mark.parametrize("side", ["left", "right"])
@torch.no_grad()
def test_a_row_does_not_depend_on_its_batch_or_padding_side(folder, side, pad_token):
    edit(folder / "tokenizer_config.json", pad_token=pad_token)
    classifier = load_classifier(source(folder))
    model, tokenizer = classifier.model.eval(), classifier.tokenizer
    alone = torch.cat([model(**tokenizer(text, return_tensors="pt")).logits for text in TEXTS])
    tokenizer.padding_side = side
    batch = tokenizer(TEXTS, padding=True, return_tensors="pt")
    positions = (batch["attention_mask"].cumsum(-1) - 1).clamp(min=0)  # as every row counts from its first word
    together = model(**batch, position_ids=positions).logits
    assert (batch["attention_mask"] == 0).any()
    assert (together - alone).abs().max() < 1e-5
    assert (logits(classifier, TEXTS) - alone).abs().max() < 1e-5


# New heads, and heads that are kept


def test_a_new_head_follows_the_seed(world):
    one, same, other = (load_classifier(source(world / "base"), seed=seed).model.score.weight for seed in (0, 0, 1))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_a_task_model_keeps_its_head_whatever_the_seed(world):
    one, other = (load_classifier(source(world / "start"), seed=seed).model.score.weight for seed in (0, 1))
    assert torch.equal(one, other)


def test_a_new_adapter_and_head_follow_the_seed(world):
    one, same, other = (
        load_classifier(source(world / "base"), ModelConfig(**LORA), seed).model.state_dict() for seed in (0, 0, 1)
    )
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert any(not torch.equal(one[name], other[name]) for name in one if "lora_A" in name)
    assert any(not torch.equal(one[name], other[name]) for name in one if "score" in name)


@pytest.mark.parametrize("keys", [{"dtype": "float32"}, LORA], ids=["full", "lora"])
def test_a_saved_model_comes_back_with_equal_logits(world, tmp_path, keys):
    classifier = load_classifier(source(world / "base"), ModelConfig(**keys), seed=3)
    disturb(classifier)
    assert (
        logits(classifier, TEXTS) - logits(load_classifier(source(world / "base"), seed=3), TEXTS)
    ).abs().max() > 0.01
    again = load_classifier(save(classifier, tmp_path / "saved"))
    torch.testing.assert_close(logits(again, TEXTS), logits(classifier, TEXTS), rtol=0, atol=1e-6)


def test_an_adapter_is_continued_not_stacked(world, tmp_path):
    """Tuning T further keeps T's adapter and its head, and both are trainable."""
    first = load_classifier(source(world / "base"), ModelConfig(**LORA))
    disturb(first)
    weights = {name: weight for name, weight in first.model.state_dict().items() if "original_module" not in name}
    again = load_classifier(save(first, tmp_path / "T"), ModelConfig(dtype="float32"), seed=9)
    assert isinstance(again.model, PeftModel)
    assert not isinstance(again.model.get_base_model(), PeftModel)
    assert list(again.model.peft_config) == ["default"]
    kept = again.model.state_dict()
    assert all(torch.equal(kept[name], weight) for name, weight in weights.items())
    trainable = {name for name, weight in again.model.named_parameters() if weight.requires_grad}
    assert trainable == {name for name, weight in first.model.named_parameters() if weight.requires_grad}
    assert any("score" in name for name in trainable)


def test_an_adapter_without_its_head_is_refused(world, tmp_path):
    first = load_classifier(source(world / "base"), ModelConfig(**LORA | {"lora_modules_to_save": None}))
    weights = save(first, tmp_path / "T").path / "adapter_model.safetensors"
    save_file({name: tensor for name, tensor in load_file(weights).items() if "score" not in name}, weights)
    with pytest.raises(UserError, match="is an adapter without a classification head"):
        load_classifier(source(tmp_path / "T"))
