"""What differs between the two kinds of task model: decoders, which read from left to right, and encoders."""

import inspect

from torch.nn import Embedding
from transformers import MODEL_FOR_MASKED_LM_MAPPING, PretrainedConfig, PreTrainedModel

from blindspots.config.errors import UserError

# Name of the head of transformers' causal classifiers.
HEAD = "score"
# What checkpoints hold beside the backbone after pretraining, for which a classifier has no place.
LM_HEADS = ("lm_head.", "embed_out.")
ENCODER_HEADS = (
    *LM_HEADS,
    *("cls.", "decoder.", "discriminator_predictions.", "generator_lm_head.", "generator_predictions."),
    *("lm_predictions.", "mask_predictions.", "predictions.", "vocab_layer_norm.", "vocab_projector."),
    "vocab_transform.",
)
# For model types that PEFT has no default for: the attention's queries and values, as in its defaults.
LORA_TARGETS = {
    "albert": ["query", "value"],
    "camembert": ["query", "value"],
    "distilbert": ["q_lin", "v_lin"],
    "modernbert": ["Wqkv"],
    "mpnet": ["q", "v"],
}


def is_encoder(config: PretrainedConfig) -> bool:
    """Whether a model reads a row in both directions: it is one of transformers' masked language models."""
    masked = type(config) in MODEL_FOR_MASKED_LM_MAPPING
    return masked and not config.is_encoder_decoder and not getattr(config, "is_decoder", False)


def check_architecture(model: PreTrainedModel, where: str) -> None:
    """Raise UserError for a classifier that can't be evaluated: neither a causal model with a head, nor an encoder."""
    known = is_encoder(model.config) or hasattr(model, HEAD)
    if not known or not getattr(model.config.get_text_config(), "max_position_embeddings", None):
        raise UserError(
            f"{where} is a {type(model).__name__}; only encoders such as BERT, and causal models with a head named "
            f"{HEAD}, such as Llama, with a fixed number of positions are trained and evaluated."
        )


def head_names(model: PreTrainedModel) -> list[str]:
    """The modules of a classifier that turn hidden states into logits: all outside the backbone, and its pooler."""
    backbone = model.base_model_prefix
    outside = [
        name for name, part in model.named_children() if name != backbone and any(True for _ in part.parameters())
    ]
    pooler = [f"{backbone}.pooler"] if getattr(model.base_model, "pooler", None) is not None else []
    return pooler + outside


def is_of_head(model: PreTrainedModel, tensor: str) -> bool:
    """Whether a tensor belongs to what `head_names` names, by its own name."""
    backbone = f"{model.base_model_prefix}."
    return not tensor.startswith(backbone) or tensor.startswith(f"{backbone}pooler.")


def has_no_place(model: PreTrainedModel, tensor: str, new_head: bool) -> bool:
    """Whether a tensor of a checkpoint may be left out of a classifier: it belongs to a head that this one lacks.

    Args:
        new_head: whether the classifier gets a new head, so that the checkpoint's may go.
    """
    encoder = is_encoder(model.config)
    if encoder and tensor.removeprefix(f"{model.base_model_prefix}.").startswith("pooler."):
        return True
    return new_head and tensor.startswith(ENCODER_HEADS if encoder else LM_HEADS)


def positions(model: PreTrainedModel) -> int:
    """Tokens of the longest row that a model has positions for.

    RoBERTa and its kin count from the pad token's id, and have that many fewer than their config says.
    """
    counted = _counted_positions(model)
    if counted is not None:
        return counted.num_embeddings - counted.padding_idx - 1
    return model.config.get_text_config().max_position_embeddings


def require_pad_token(model: PreTrainedModel, pad_token_id: int, where: str) -> None:
    """Raise UserError where a tokenizer pads with another token than the one from which a model counts positions."""
    counted = _counted_positions(model)
    if counted is not None and counted.padding_idx != pad_token_id:
        raise UserError(
            f"{where}: the tokenizer pads with token {pad_token_id}, the model counts positions from token "
            f"{counted.padding_idx}; set the pad token of the one as in the other."
        )


def _counted_positions(model: PreTrainedModel) -> Embedding | None:
    """The positions of a model that leaves out pad tokens when it counts them."""
    for name, part in model.named_modules():
        if name.endswith("position_embeddings") and isinstance(part, Embedding) and part.padding_idx is not None:
            return part
    return None


def takes_token_types(model: PreTrainedModel) -> bool:
    """Whether a model tells the tokens of a pair's first text from those of its second (token_type_ids)."""
    return "token_type_ids" in inspect.signature(model.forward).parameters and (
        getattr(model.config, "type_vocab_size", 0) > 1
    )
