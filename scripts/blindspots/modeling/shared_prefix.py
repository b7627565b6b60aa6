"""The tokens that all rows of a batch start with, computed once a batch in training, with the same gradients.

The backbone is given one long row: the shared prefix, then what is left of each row. Only attention looks at more than
one token, so only attention has to know: the rest of each row attends to the prefix and to itself. The result is cut
into rows again, so heads, losses and trainers see an ordinary batch. It is one forward pass without a cache, so
activation checkpointing and every engine work as before.
"""

import sys
from collections.abc import Callable
from typing import Any

import torch
from peft import PeftModel, PeftType
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import eager_mask, sdpa_mask

# Model types for which a test shows equal losses and gradients.
TESTED = ("gemma", "llama", "mistral", "olmo2", "phi3", "qwen2", "qwen3")
# The argument of the forward pass that says how many tokens the rows share.
PREFIX_LENGTH = "prefix_length"
NAMES = {"sdpa": "shared_prefix_sdpa", "eager": "shared_prefix_eager"}


def obstacle(model: PreTrainedModel | PeftModel) -> str | None:
    """Why a model can't compute a shared prefix once and learn the same, None where it can."""
    whole = _without_adapter(model)
    config = whole.config.get_text_config()
    if config.model_type not in TESTED:
        return f"a {config.model_type} model has not been tested with it"
    if whole.config._attn_implementation not in NAMES:
        return f"attn_implementation is {whole.config._attn_implementation}, not sdpa or eager"
    if set(getattr(config, "layer_types", None) or ()) - {"full_attention"} or getattr(config, "sliding_window", None):
        return "the model attends within a sliding window"
    if isinstance(model, PeftModel) and not all(map(_plain_lora, model.peft_config.values())):
        return "the adapter is not a plain LoRA"
    dropout = any(isinstance(part, torch.nn.Dropout) and part.p > 0 for part in model.modules())
    if dropout or getattr(config, "attention_dropout", 0):
        return "dropout would leave out the same of the prefix for all rows"
    return None


def share_prefix(model: PreTrainedModel | PeftModel) -> None:
    """From now on compute the first `prefix_length` tokens of a batch once, where the forward pass is given a number.

    Without that argument the model computes what it did before.
    """
    whole = _without_adapter(model)
    whole.set_attn_implementation(NAMES[whole.config._attn_implementation])
    whole.base_model.register_forward_pre_hook(_join_rows, with_kwargs=True)
    whole.base_model.register_forward_hook(_part_rows, with_kwargs=True)


def _without_adapter(model: PreTrainedModel | PeftModel) -> PreTrainedModel:
    return model.get_base_model() if isinstance(model, PeftModel) else model


def _plain_lora(config: Any) -> bool:
    return config.peft_type == PeftType.LORA and not config.alora_invocation_tokens


def _join_rows(backbone: PreTrainedModel, args: tuple, kwargs: dict[str, Any]) -> tuple[tuple, dict[str, Any]]:
    """Turn right-padded rows, (rows, length), into one row: the prefix, then the rest of each.

    Padding needs no mask, since no token attends to what comes after it.
    """
    prefix = kwargs.pop(PREFIX_LENGTH, 0)
    if not prefix:
        return args, kwargs
    ids = args[0] if args else kwargs["input_ids"]
    rows, length = ids.shape
    positions = torch.arange(length, device=ids.device)
    causal = positions[:, None] >= positions
    if backbone.config._attn_implementation == NAMES["eager"]:
        dtype = backbone.get_input_embeddings().weight.dtype
        causal = torch.zeros(length, length, dtype=dtype, device=ids.device).masked_fill(
            ~causal, torch.finfo(dtype).min
        )
    return (), kwargs | {
        "input_ids": torch.cat([ids[0, :prefix], ids[:, prefix:].flatten()])[None],
        "position_ids": torch.cat([positions[:prefix], positions[prefix:].repeat(rows)])[None],
        "attention_mask": causal[None, None],
        "use_cache": False,
        PREFIX_LENGTH: prefix,
    }


def _part_rows(backbone: PreTrainedModel, args: tuple, kwargs: dict[str, Any], output: Any) -> Any:
    """Turn the hidden states of one long row into those of the batch that it was made from."""
    prefix = kwargs.get(PREFIX_LENGTH)
    if prefix:
        first, rest = _split(output.last_hidden_state, 1, prefix, kwargs["attention_mask"].shape[-1])
        output.last_hidden_state = torch.cat([first.expand(len(rest), -1, -1), rest], dim=1)
    return output


def _split(states: torch.Tensor, dim: int, prefix: int, length: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The prefix (batch dimension 1) and the rest of each row (batch dimension rows); tokens are in `dim`."""
    first, rest = states.split([prefix, states.shape[dim] - prefix], dim)
    return first, rest[0].unflatten(dim - 1, (-1, length - prefix)).movedim(dim - 1, 0)


def _attention_by(attention: Callable) -> Callable:
    """An attention function of transformers' interface that keeps the rows of one long row apart."""

    def attend(module, query, key, value, attention_mask, prefix_length: int = 0, **kwargs):
        if not prefix_length:
            return attention(module, query, key, value, attention_mask, **kwargs)
        length = attention_mask.shape[-1]
        (query, queries), (key, keys), (value, values) = (
            _split(states, 2, prefix_length, length) for states in (query, key, value)
        )
        rows = len(queries)
        keys = torch.cat([key.expand(rows, -1, -1, -1), keys], dim=2)
        values = torch.cat([value.expand(rows, -1, -1, -1), values], dim=2)
        first, rest = attention_mask.split([prefix_length, length - prefix_length], dim=2)
        of_prefix, _ = attention(module, query, key, value, first[..., :prefix_length], **kwargs)
        of_rows, _ = attention(module, queries, keys, values, rest, **kwargs)
        return torch.cat([of_prefix, of_rows.flatten(0, 1)[None]], dim=1), None

    return attend


def _eager_attention(module: torch.nn.Module, *args, **kwargs):
    """The eager attention of the module's own model, which stands beside it in its file."""
    return sys.modules[type(module).__module__].eager_attention_forward(module, *args, **kwargs)


for _name, _attention, _mask in (("sdpa", sdpa_attention_forward, sdpa_mask), ("eager", _eager_attention, eager_mask)):
    AttentionInterface.register(NAMES[_name], _attention_by(_attention))
    AttentionMaskInterface.register(NAMES[_name], _mask)
