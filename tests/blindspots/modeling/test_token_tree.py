"""A batch that is computed as a tree of tokens gives the losses and the gradients of the padded batch."""

import copy

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from peft import LoraConfig, PromptTuningConfig, get_peft_model
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSequenceClassification

from blindspots.modeling.token_tree import TESTED, TokenTree, TreeCollator, accept_trees, draws_dropout, obstacle

START = [7, 8, 9, 10]
# All rows share four tokens; the first three share four more, and one of these has a single token of its own.
ROWS = [
    [*START, 20, 21, 22, 23, 24],
    [*START, 20, 21, 22, 23, 30, 31, 32, 33, 34, 35, 36],
    [*START, 20, 21, 22, 23, 40, 41, 42],
    [*START, 50],
    [*START, 60, 61, 62, 63, 64, 65],
]
SHAPE = {
    "vocab_size": 100,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
    "num_labels": 3,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "sliding_window": None,
    **dict.fromkeys(("embd_pdrop", "attn_pdrop", "resid_pdrop", "embedding_dropout", "residual_dropout"), 0.0),
    "attention_dropout": 0.0,
}
LORA = {"r": 4, "target_modules": ["q_proj", "v_proj", "up_proj"], "init_lora_weights": False}


def made(model_type: str = "llama", task: bool = True, attention: str = "sdpa", **changed):
    """A tiny model of random weights, in training mode."""
    torch.manual_seed(0)
    kind = AutoModelForSequenceClassification if task else AutoModelForCausalLM
    config = AutoConfig.for_model(model_type, **SHAPE | changed)
    return kind.from_config(config, attn_implementation=attention).train()


def padded(rows: list[list[int]]) -> dict[str, torch.Tensor]:
    length = max(map(len, rows))
    ids = torch.tensor([row + [0] * (length - len(row)) for row in rows])
    return {"input_ids": ids, "attention_mask": (ids != 0).long()}


def batch(task: bool = True) -> dict[str, torch.Tensor]:
    made = padded(ROWS)
    labels = torch.arange(len(ROWS)) % 3 if task else made["input_ids"].where(made["attention_mask"] == 1, -100)
    return made | {"labels": labels}


def learnt(model, inputs: dict[str, torch.Tensor], **extra) -> tuple[float, dict[str, torch.Tensor]]:
    """Loss and gradients of a batch."""
    model.zero_grad()
    loss = model(**inputs, **extra).loss
    loss.backward()
    return loss.item(), {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


def with_trees(model):
    """A copy of a model that takes trees."""
    accepting = copy.deepcopy(model)
    accept_trees(accepting)
    return accepting


def assert_learns_the_same(plain, task: bool = True) -> None:
    assert obstacle(plain) is None
    expected_loss, expected = learnt(plain, batch(task))
    loss, gradients = learnt(with_trees(plain), batch(task), token_tree=TokenTree.of(ROWS))
    assert loss == pytest.approx(expected_loss, rel=1e-5)
    assert gradients.keys() == expected.keys()
    largest = max(gradient.abs().max() for gradient in expected.values())
    assert all((gradients[name] - expected[name]).abs().max() < 5e-6 * largest for name in expected)


@pytest.mark.parametrize(("task", "attention"), [(True, "sdpa"), (False, "sdpa"), (True, "eager")])
@pytest.mark.parametrize("model_type", TESTED)
def test_losses_and_gradients_are_those_of_the_padded_batch(model_type, task, attention):
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


def test_a_batch_may_be_padded_beyond_its_longest_row():
    plain, wide = made(), batch()
    for name in ("input_ids", "attention_mask"):
        wide[name] = torch.nn.functional.pad(wide[name], (0, 5))
    expected, _ = learnt(plain, wide)
    accepting = with_trees(plain)
    rows = [{"input_ids": ids} for ids in wide["input_ids"]]
    tree = TreeCollator(lambda _: wide)(rows).get("token_tree")
    assert tree.length == wide["input_ids"].shape[1]
    assert accepting(**wide).loss.item() == pytest.approx(expected, rel=1e-5)


def test_rotary_positions_that_are_scaled_by_length_stay_right():
    scaled = {"rope_type": "dynamic", "factor": 4.0, "rope_theta": 10_000.0}
    assert_learns_the_same(made(max_position_embeddings=8, rope_parameters=scaled))


def test_under_autocast_gradients_are_as_near_to_those_of_float32():
    plain = made()
    _, exact = learnt(plain, batch())
    with torch.autocast("cpu", torch.bfloat16):
        _, ordinary = learnt(plain, batch())
        _, gradients = learnt(with_trees(plain), batch(), token_tree=TokenTree.of(ROWS))

    def error(found: dict[str, torch.Tensor]) -> float:
        return sum((found[name] - exact[name]).square().sum() for name in exact).sqrt()

    assert 0 < error(gradients) < 1.5 * error(ordinary)


@torch.no_grad()
@given(st.lists(st.lists(st.integers(3, 5), min_size=1, max_size=7), min_size=1, max_size=8))
def test_any_rows_get_the_hidden_states_of_the_padded_batch(rows):
    inputs, tree = padded(rows), TokenTree.of(rows)
    assert len(tree.cells) <= sum(map(len, rows))
    expected, found = (
        model(**inputs, **tree_of).last_hidden_state
        for model, tree_of in ((PLAIN, {}), (ACCEPTING, {"token_tree": tree}))
    )
    there = inputs["attention_mask"] == 1
    assert torch.allclose(found[there], expected[there], atol=1e-5)


PLAIN = made().eval().model
ACCEPTING = with_trees(made()).eval().model


def test_shared_tokens_are_computed_once_and_padding_never():
    model = with_trees(made())
    seen = []
    model.model.layers[0].register_forward_pre_hook(lambda layer, args: seen.append(tuple(args[0].shape[:2])))
    model(**batch(), token_tree=TokenTree.of(ROWS))
    assert seen == [(1, 4 + 4 + (1 + 7 + 3) + 1 + 6)]


def test_groups_that_share_little_are_no_level_of_their_own():
    rows = [[*START, 20, *range(30, 60)], [*START, 20, *range(60, 90)], [*START, *range(30, 60)]]
    assert [level.lengths.tolist() for level in TokenTree.of(rows).levels] == [[4], [31, 31, 30]]


def test_without_a_tree_the_model_computes_what_it_did():
    plain = made()
    accepting = with_trees(plain)
    accept_trees(accepting)  # once more changes nothing
    assert torch.equal(accepting(**batch()).logits, plain(**batch()).logits)


def collated(ids: list[list[int]], mask: list[list[int]]) -> dict:
    inputs = {"input_ids": torch.tensor(ids), "attention_mask": torch.tensor(mask)}
    return TreeCollator(lambda rows: inputs)([])


@pytest.mark.parametrize(
    ("ids", "mask", "tokens"),
    [
        ([[5, 6, 7, 8], [5, 6, 9, 0]], [[1, 1, 1, 1], [1, 1, 1, 0]], 5),
        ([[5, 6, 7], [5, 6, 7]], [[1, 1, 1], [1, 1, 1]], 4),  # rows keep a token of their own
        ([[5, 6, 7], [5, 6, 7]], [[1, 1, 1], [1, 1, 0]], 4),  # padding, though its id is that of another row
        ([[1, 2, 3, 4], [5, 6, 7, 8]], [[1, 1, 1, 1], [1, 1, 1, 1]], None),  # nothing to save
        ([[0, 5, 6], [5, 6, 7]], [[0, 1, 1], [1, 1, 1]], None),  # padded on the left
    ],
)
def test_a_batch_comes_with_a_tree_where_that_saves_tokens(ids, mask, tokens):
    tree = collated(ids, mask).get("token_tree")
    assert (tree and len(tree.cells)) == tokens


def windowed():
    return made("qwen2", use_sliding_window=True, sliding_window=8, max_window_layers=0)


@pytest.mark.parametrize(
    ("model", "why"),
    [
        (lambda: made("stablelm"), "stablelm model has not been tested"),
        (lambda: made(attention="flex_attention"), "attn_implementation is flex_attention"),
        (lambda: made("mistral", sliding_window=8), "sliding window"),
        (windowed, "sliding window"),
        (
            lambda: get_peft_model(made(), PromptTuningConfig(task_type="SEQ_CLS", num_virtual_tokens=3)),
            "not a plain LoRA",
        ),
    ],
)
def test_models_that_would_compute_something_else_are_told(model, why):
    assert why in obstacle(model())


def test_dropout_is_found_in_models_and_adapters():
    assert not draws_dropout(made())
    assert draws_dropout(made(attention_dropout=0.1))
    assert draws_dropout(made("gpt2", resid_pdrop=0.1))
    assert draws_dropout(get_peft_model(made(), LoraConfig(task_type="SEQ_CLS", lora_dropout=0.1, **LORA)))
