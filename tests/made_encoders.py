"""Tiny random encoders of each family as they are pretrained: two layers of width 32, 128 positions."""

from collections.abc import Iterable
from pathlib import Path

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers
from transformers import (
    AutoModelForMaskedLM,
    BertConfig,
    BertModel,
    DebertaConfig,
    DebertaV2Config,
    DistilBertConfig,
    ElectraConfig,
    ElectraForPreTraining,
    ModernBertConfig,
    PreTrainedTokenizerFast,
    RobertaConfig,
)

POSITIONS = 128
SHAPE = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
RELATIVE = {"relative_attention": True, "max_relative_positions": POSITIONS, "pos_att_type": ["p2c", "c2p"]}
RELATIVE |= {"position_biased_input": False, "type_vocab_size": 0, "pooler_hidden_size": 32}
# Of each family its config and what its tokenizer is.
FAMILIES = {
    "bert": (BertConfig, SHAPE, "wordpiece"),
    "minilm": (BertConfig, SHAPE, "wordpiece"),
    "roberta": (RobertaConfig, SHAPE | {"type_vocab_size": 1}, "bpe"),
    "deberta": (DebertaConfig, SHAPE | RELATIVE, "bpe"),
    "deberta-v2": (
        DebertaV2Config,
        SHAPE | RELATIVE | {"position_buckets": 16, "norm_rel_ebd": "layer_norm", "share_att_key": True},
        "wordpiece",
    ),
    "modernbert": (ModernBertConfig, SHAPE | {"local_attention": 16}, "bpe"),
    "electra": (ElectraConfig, SHAPE | {"embedding_size": 16}, "wordpiece"),
    "distilbert": (DistilBertConfig, {"dim": 32, "n_layers": 2, "n_heads": 2, "hidden_dim": 64}, "wordpiece"),
}
# RoBERTa counts positions from its pad token, id 1.
SPECIAL = {
    "wordpiece": ["[PAD]", "[CLS]", "[SEP]", "[UNK]", "[MASK]"],
    "bpe": ["<s>", "<pad>", "</s>", "<unk>", "<mask>"],
}


def make_encoder(folder: Path, family: str, texts: Iterable[str]) -> None:
    """Write model and tokenizer of a family to a folder."""
    config_class, shape, kind = FAMILIES[family]
    tokenizer = make_tokenizer(kind, texts)
    config = config_class(
        vocab_size=len(tokenizer),
        max_position_embeddings=POSITIONS + (2 if family == "roberta" else 0),
        initializer_range=0.2,
        pad_token_id=tokenizer.pad_token_id,
        **shape,
    )
    if family == "modernbert":
        for name in ("bos", "eos", "cls", "sep"):
            setattr(config, f"{name}_token_id", getattr(tokenizer, f"{name}_token_id", None))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        if family == "minilm":
            model = BertModel(config)
        elif family == "electra":
            model = ElectraForPreTraining(config)
        else:
            model = AutoModelForMaskedLM.from_config(config)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def make_tokenizer(kind: str, texts: Iterable[str]) -> PreTrainedTokenizerFast:
    """A tokenizer of 300 tokens that joins a pair as BERT's (wordpiece) or RoBERTa's (bpe) does."""
    special = SPECIAL[kind]
    if kind == "wordpiece":
        pad, first, last, unknown, mask = special
        tokenizer = Tokenizer(models.WordPiece(unk_token=unknown))
        tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        trainer = trainers.WordPieceTrainer(vocab_size=300, special_tokens=special, show_progress=False)
        pair = f"{first} $A {last} $B:1 {last}:1"
    else:
        first, pad, last, unknown, mask = special
        tokenizer = Tokenizer(models.BPE(unk_token=unknown))
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        alphabet = pre_tokenizers.ByteLevel.alphabet()
        trainer = trainers.BpeTrainer(
            vocab_size=400, special_tokens=special, initial_alphabet=alphabet, show_progress=False
        )
        pair = f"{first} $A {last} {last} $B {last}"
    tokenizer.train_from_iterator(texts, trainer)
    ids = [(token, tokenizer.token_to_id(token)) for token in (first, last)]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{first} $A {last}", pair=pair, special_tokens=ids
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=pad,
        cls_token=first,
        sep_token=last,
        unk_token=unknown,
        mask_token=mask,
        model_max_length=POSITIONS,
        model_input_names=["input_ids", *(["token_type_ids"] if kind == "wordpiece" else []), "attention_mask"],
    )
