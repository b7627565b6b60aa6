"""A prefix that is computed once a batch gives the losses and the gradients of one that is computed in each row."""

import copy

import pytest
import torch
from peft import LoraConfig, PromptTuningConfig, get_peft_model
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSequenceClassification

from blindspots.modeling.shared_prefix import TESTED, obstacle, share_prefix

PREFIX, LENGTH, ROWS = 6, 19, 5
SHAPE = {
    "vocab_size": 100,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 64,
    "num_labels": 3,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "sliding_window": None,
}
LORA = {"r": 4, "target_modules": ["q_proj", "v_proj", "up_proj"], "init_lora_weights": False}


def made(model_type: str = "llama", task: bool = True, attention: str = "sdpa", **changed):
    """A tiny model of random weights, in training mode."""
    torch.manual_seed(0)
    kind = AutoModelForSequenceClassification if task else AutoModelForCausalLM
    config = AutoConfig.for_model(model_type, **SHAPE | changed)
    return kind.from_config(config, attn_implementation=attention).train()


def batch(task: bool = True) -> dict[str, torch.Tensor]:
    """Right-padded rows that start with the same tokens; the shortest has one token of its own."""
    random = torch.Generator().manual_seed(0)
    ids = torch.randint(3, 100, (ROWS, LENGTH), generator=random)
    ids[:, :PREFIX] = ids[0, :PREFIX]
    lengths = torch.tensor([LENGTH, PREFIX + 1, PREFIX + 2, 12, 15])
    mask = torch.arange(LENGTH) < lengths[:, None]
    ids = ids.where(mask, 0)
    labels = torch.arange(ROWS) % 3 if task else ids.where(mask, -100)
    return {"input_ids": ids, "attention_mask": mask.long(), "labels": labels}


def learnt(model, given: dict[str, torch.Tensor], **extra) -> tuple[float, dict[str, torch.Tensor]]:
    """Loss and gradients of a batch."""
    model.zero_grad()
    loss = model(**given, **extra).loss
    loss.backward()
    return loss.item(), {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


def assert_learns_the_same(plain, task: bool = True) -> None:
    given, shared = batch(task), copy.deepcopy(plain)
    assert obstacle(shared) is None
    share_prefix(shared)
    expected_loss, expected = learnt(plain, given)
    loss, gradients = learnt(shared, given, prefix_length=PREFIX)
    assert loss == pytest.approx(expected_loss, rel=1e-5)
    assert gradients.keys() == expected.keys()
    largest = max(gradient.abs().max() for gradient in expected.values())
    assert all((gradients[name] - expected[name]).abs().max() < 5e-6 * largest for name in expected)


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("task", [True, False], ids=["T", "G"])
@pytest.mark.parametrize("model_type", TESTED)
def test_losses_and_gradients_are_those_of_ordinary_rows(model_type, task, attention):
    assert_learns_the_same(made(model_type, task, attention), task)


@pytest.mark.parametrize("kind", ["SEQ_CLS", "CAUSAL_LM"])
def test_an_adapter_gets_the_same_gradients(kind):
    task = kind == "SEQ_CLS"
    assert_learns_the_same(get_peft_model(made(task=task), LoraConfig(task_type=kind, **LORA)), task)


@pytest.mark.parametrize("reentrant", [True, False])
def test_activations_may_be_computed_again(reentrant):
    model = made()
    model.enable_input_require_grads()
    model.gradient_checkpointing_enable({"use_reentrant": reentrant})
    assert_learns_the_same(model)


def test_rotary_positions_that_are_scaled_by_length_stay_right():
    scaled = {"rope_type": "dynamic", "factor": 4.0, "rope_theta": 10_000.0}
    assert_learns_the_same(made(max_position_embeddings=8, rope_parameters=scaled))


def test_under_autocast_gradients_are_as_near_to_those_of_float32():
    plain, given = made(), batch()
    shared = copy.deepcopy(plain)
    share_prefix(shared)
    _, exact = learnt(plain, given)
    with torch.autocast("cpu", torch.bfloat16):
        _, ordinary = learnt(plain, given)
        _, gradients = learnt(shared, given, prefix_length=PREFIX)

    def error(found: dict[str, torch.Tensor]) -> float:
        return sum((found[name] - exact[name]).square().sum() for name in exact).sqrt()

    assert 0 < error(gradients) < 1.5 * error(ordinary)


def test_the_prefix_is_computed_once():
    model = made()
    share_prefix(model)
    seen = []
    model.model.layers[0].register_forward_pre_hook(lambda layer, args: seen.append(tuple(args[0].shape[:2])))
    model(**batch(), prefix_length=PREFIX)
    assert seen == [(1, PREFIX + ROWS * (LENGTH - PREFIX))]


def test_without_a_length_the_model_computes_what_it_did():
    plain, given = made(), batch()
    shared = copy.deepcopy(plain)
    share_prefix(shared)
    assert torch.equal(shared(**given).logits, plain(**given).logits)


def windowed():
    return made("qwen2", use_sliding_window=True, sliding_window=8, max_window_layers=0)


@pytest.mark.parametrize(
    ("model", "why"),
    [
        (lambda: made("gpt_neox"), "gpt_neox model has not been tested"),
        (lambda: made(attention="flex_attention"), "attn_implementation is flex_attention"),
        (lambda: made("mistral", sliding_window=8), "sliding window"),
        (windowed, "sliding window"),
        (lambda: made(attention_dropout=0.1), "dropout"),
        (lambda: get_peft_model(made(), LoraConfig(task_type="SEQ_CLS", lora_dropout=0.1, **LORA)), "dropout"),
        (
            lambda: get_peft_model(made(), PromptTuningConfig(task_type="SEQ_CLS", num_virtual_tokens=3)),
            "not a plain LoRA",
        ),
    ],
)
def test_models_that_would_learn_something_else_are_told(model, why):
    assert why in obstacle(model())
