"""Encoders as task models: pairs of texts, a padded batch, whole new heads, adapters that hold them."""

import shutil
from pathlib import Path

import pytest
import torch
from made_classifiers import disturb, edit, logits, save, source
from made_encoders import FAMILIES, POSITIONS
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForSequenceClassification, TrainingArguments
from trl import ModelConfig

from blindspots.config.errors import RecipeError, UserError
from blindspots.data.nli import LABELS, TASK_TEMPLATE
from blindspots.evaluation.prediction import rehearse, require_positions
from blindspots.modeling.architectures import head_names, is_encoder, positions
from blindspots.modeling.classifier import load_classifier, load_for_evaluation
from blindspots.training.estimate import Plan, footprint

LORA = {"use_peft": True, "lora_r": 4, "dtype": "float32"}
PAIRS = [
    ("A dog ran .", "A cat sat ."),
    ("The grocer and the dentist welcomed the surgeon at dawn .", "The grocer ran ."),
    ("No nurse slept .", "A nurse slept , perhaps , or the uncle did , or he was said to have slept ."),
]
# The parts of each family's head; a pooler within the backbone too.
HEADS = {
    "bert": ["bert.pooler", "classifier"],
    "minilm": ["bert.pooler", "classifier"],
    "roberta": ["classifier"],
    "deberta": ["pooler", "classifier"],
    "deberta-v2": ["pooler", "classifier"],
    "modernbert": ["head", "classifier"],
    "electra": ["classifier"],
    "distilbert": ["pre_classifier", "classifier"],
}
each_family = pytest.mark.parametrize("family", FAMILIES)


@pytest.fixture
def task_model(encoders, tmp_path) -> Path:
    """A tiny BERT with a head of ours, that a test may spoil."""
    save(load_classifier(source(encoders / "bert")), tmp_path / "T")
    return tmp_path / "T"


# Inputs and batches


@each_family
@torch.no_grad()
def test_a_row_does_not_depend_on_its_batch_or_padding(encoders, family):
    classifier = load_classifier(source(encoders / family))
    assert classifier.template is None
    model, tokenizer = classifier.model.eval(), classifier.tokenizer
    alone = torch.cat([model(**tokenizer(*pair, return_tensors="pt")).logits for pair in PAIRS])
    assert (alone[0] - alone[1]).abs().max() > 1e-3
    for batch_tokens in (1, 40, 1024):
        assert (logits(classifier, PAIRS, batch_tokens) - alone).abs().max() < 1e-5


def test_an_encoder_that_looks_at_padding_is_refused(encoders, monkeypatch):
    classifier = load_classifier(source(encoders / "bert"))
    rehearse(classifier, {})
    forward = type(classifier.model.bert).forward
    blind = lambda backbone, ids=None, attention_mask=None, **inputs: forward(backbone, ids, **inputs)  # noqa: E731
    monkeypatch.setattr(type(classifier.model.bert), "forward", blind)
    with pytest.raises(UserError, match="gives a row other logits beside a longer one"):
        rehearse(classifier, {})


def test_premise_and_hypothesis_are_told_apart_where_the_model_has_token_types(encoders):
    bert, roberta = (load_classifier(source(encoders / family)) for family in ("bert", "roberta"))
    hypothesis = bert.tokenizer(PAIRS[0][1], add_special_tokens=False)["input_ids"]
    assert sum(bert.tokenizer(*PAIRS[0])["token_type_ids"]) == len(hypothesis) + 1  # and the token behind it
    assert "token_type_ids" not in roberta.tokenizer(*PAIRS[0])


@pytest.mark.parametrize(("family", "limit"), [("bert", POSITIONS), ("roberta", POSITIONS)])
def test_a_row_may_fill_all_positions_and_no_more(encoders, family, limit):
    """RoBERTa's config says two more than it can use."""
    classifier = load_classifier(source(encoders / family))
    assert positions(classifier.model) == limit
    ids = torch.full((1, limit), classifier.tokenizer.cls_token_id)
    assert classifier.model(input_ids=ids).logits.isfinite().all()
    with pytest.raises((IndexError, RuntimeError)):
        classifier.model(input_ids=torch.cat([ids, ids[:, :1]], dim=1))
    require_positions(classifier, limit)
    with pytest.raises(UserError, match=f"A row of {limit + 1} tokens is longer than the model's {limit} positions"):
        require_positions(classifier, limit + 1)


def test_a_pad_token_that_moves_the_positions_is_refused(encoders, tmp_path):
    folder = shutil.copytree(encoders / "roberta", tmp_path / "copy")
    edit(folder / "tokenizer_config.json", pad_token="<mask>")
    with pytest.raises(UserError, match=r"the tokenizer pads with token 4, the model counts positions from token 1"):
        load_classifier(source(folder))


def test_a_text_may_take_the_place_of_the_pair(encoders):
    pair, text = (load_classifier(source(encoders / "bert"), template=form) for form in (None, TASK_TEMPLATE))
    assert (pair.template, text.template) == (None, TASK_TEMPLATE)
    rehearse(text, {})


# New heads


@each_family
def test_only_the_head_is_drawn_from_the_seed(encoders, family):
    one, same, other = (load_classifier(source(encoders / family), seed=seed).model for seed in (0, 0, 1))
    assert head_names(one) == HEADS[family]
    assert one.config.id2label == dict(enumerate(LABELS))
    drawn = {name for name, weight in one.state_dict().items() if not weight.equal(other.state_dict()[name])}
    assert all(weight.equal(same.state_dict()[name]) for name, weight in one.state_dict().items())
    assert "classifier.weight" in drawn or "classifier.out_proj.weight" in drawn
    assert all(name.startswith(tuple(HEADS[family])) for name in drawn)


@each_family
def test_a_lost_tensor_of_the_encoder_is_refused(encoders, tmp_path, family):
    folder = shutil.copytree(encoders / family, tmp_path / "copy")
    weights = load_file(folder / "model.safetensors")
    lost = next(name for name in sorted(weights) if "layer" in name and name.endswith("weight") and "1" in name)
    del weights[lost]
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(UserError, match=r"lacks 1 tensors of the model"):
        load_classifier(source(folder))


def test_a_layer_that_has_no_place_is_refused(encoders, tmp_path):
    folder = shutil.copytree(encoders / "bert", tmp_path / "copy")
    edit(folder / "config.json", num_hidden_layers=1)
    with pytest.raises(UserError, match="that have no place in it"):
        load_classifier(source(folder))


def test_a_finished_model_without_its_whole_head_is_refused(task_model):
    weights = load_file(task_model / "model.safetensors")
    del weights["bert.pooler.dense.weight"]
    save_file(weights, task_model / "model.safetensors", {"format": "pt"})
    with pytest.raises(UserError, match=r"lacks 1 tensors of the model \(bert\.pooler\.dense\.weight\)"):
        load_classifier(source(task_model))


# Saved, reopened, tuned further


@each_family
@pytest.mark.parametrize("keys", [{"dtype": "float32"}, LORA], ids=["full", "lora"])
def test_a_saved_model_comes_back_with_equal_logits_and_is_continued(encoders, tmp_path, family, keys):
    first = load_classifier(source(encoders / family), ModelConfig(**keys), seed=3)
    disturb(first)
    again = load_classifier(save(first, tmp_path / "T"), ModelConfig(dtype="float32"), seed=9)
    torch.testing.assert_close(logits(again, PAIRS), logits(first, PAIRS), rtol=0, atol=1e-6)
    trained = [
        {name for name, weight in one.model.named_parameters() if weight.requires_grad} for one in (first, again)
    ]
    assert trained[0] == trained[1]
    assert all(any(part in name for name in trained[0]) for part in HEADS[family])
    torch.testing.assert_close(
        logits(load_for_evaluation(source(tmp_path / "T")), PAIRS), logits(first, PAIRS), rtol=0, atol=1e-6
    )


def test_the_attention_of_each_family_gets_an_adapter(encoders):
    for family in FAMILIES:
        names = load_classifier(source(encoders / family), ModelConfig(**LORA)).model.state_dict()
        assert sum("lora_A" in name for name in names) >= 2, family  # a layer each


def test_an_adapter_without_a_part_of_the_head_that_was_drawn_is_refused(encoders, tmp_path):
    first = load_classifier(source(encoders / "distilbert"), ModelConfig(**LORA))
    file = save(first, tmp_path / "T").path / "adapter_model.safetensors"
    save_file({name: weight for name, weight in load_file(file).items() if "pre_classifier" not in name}, file)
    with pytest.raises(UserError, match="is an adapter without a classification head"):
        load_classifier(source(tmp_path / "T"))


def test_an_adapter_keeps_the_label_order_of_the_task_model_below_it(task_model, tmp_path):
    names = dict(enumerate(("contradiction", "entailment", "neutral")))
    edit(task_model / "config.json", id2label=names, label2id={name: index for index, name in names.items()})
    first = load_classifier(source(task_model), ModelConfig(**LORA))
    disturb(first)
    again = load_classifier(save(first, tmp_path / "adapter"))
    assert again.label2id == {"contradiction": 0, "entailment": 1, "neutral": 2}
    torch.testing.assert_close(logits(again, PAIRS), logits(first, PAIRS), rtol=0, atol=1e-6)


@pytest.mark.parametrize("keys", [{"dtype": "bfloat16"}, {"dtype": "float32", "load_in_8bit": True}], ids=str)
def test_an_encoder_in_less_than_float32_is_refused(encoders, keys):
    with pytest.raises(RecipeError, match="is an encoder, whose weights are held in float32"):
        load_classifier(source(encoders / "bert"), ModelConfig(**keys))


def test_a_checkpoint_in_half_precision_is_computed_in_float32(task_model):
    model = AutoModelForSequenceClassification.from_pretrained(task_model, dtype=torch.float16)
    model.save_pretrained(task_model)
    classifier = load_for_evaluation(source(task_model))
    assert classifier.precision == {"base": "float32", "compute": "float32", "head": "float32"}
    assert classifier.model.classifier.weight.equal(model.classifier.weight.float())


# Labels of checkpoints made elsewhere


@pytest.mark.parametrize(
    "names", [("CONTRADICTION", "NEUTRAL", "ENTAILMENT"), ("Entailment ", "neutral", "contradiction")]
)
def test_labels_are_ours_in_any_case_and_order(task_model, names):
    edit(task_model / "config.json", id2label=dict(enumerate(names)), label2id={})
    classifier = load_classifier(source(task_model))
    assert classifier.label2id == {name.strip().lower(): index for index, name in enumerate(names)}
    raw = classifier.model.eval()(**classifier.tokenizer(*PAIRS[0], return_tensors="pt")).logits[0]
    ours = logits(classifier, PAIRS[:1])[0]
    assert ours[LABELS.index("neutral")] == pytest.approx(raw[1].item(), abs=1e-5)
    assert ours[LABELS.index("entailment")] == pytest.approx(raw[classifier.label2id["entailment"]].item(), abs=1e-5)


def test_numbered_labels_need_names(task_model):
    edit(task_model / "config.json", id2label={i: f"LABEL_{i}" for i in range(3)}, label2id={})
    with pytest.raises(UserError, match="or give label_names"):
        load_for_evaluation(source(task_model))
    given = {"LABEL_0": "contradiction", "1": "neutral", "LABEL_2": "entailment"}
    assert load_for_evaluation(source(task_model), label_names=given).label2id == {
        "contradiction": 0,
        "neutral": 1,
        "entailment": 2,
    }
    with pytest.raises(RecipeError, match="has no label 'LABEL_3'"):
        load_for_evaluation(source(task_model), label_names=given | {"LABEL_3": "neutral"})


def test_label_names_do_not_rename_labels_that_have_ours(task_model):
    with pytest.raises(RecipeError, match="leave out label_names"):
        load_for_evaluation(source(task_model), label_names={"0": "contradiction"})


# What is refused, and what a run takes


def test_what_is_an_encoder_goes_by_the_library(encoders, world):
    assert all(is_encoder(AutoConfig.from_pretrained(encoders / family)) for family in FAMILIES)
    assert not is_encoder(AutoConfig.from_pretrained(world / "base"))


def test_an_encoder_that_is_set_to_read_from_left_to_right_is_refused(task_model):
    edit(task_model / "config.json", is_decoder=True)
    with pytest.raises(UserError, match="only encoders such as BERT, and causal models"):
        load_classifier(source(task_model))


@each_family
def test_a_run_is_estimated(encoders, family):
    plan = Plan.of(ModelConfig(dtype="float32"), task=True, folder=encoders / family)
    run = footprint(plan, TrainingArguments("unused", use_cpu=True, report_to="none"), length=24)
    model = load_classifier(source(encoders / family)).model
    assert run.parameters == run.trainable == sum(weight.numel() for weight in model.parameters())
    assert run.operations_per_token > 0
