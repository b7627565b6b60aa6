"""A tiny Llama and its tokenizer, from scratch, for the demo and for tests."""

from collections.abc import Iterable

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from blindspots.data.nli import GENERATOR_COMPLETION, GENERATOR_PROMPT, LABELS, TASK_TEMPLATE

PAD, BOS, EOS = "<pad>", "<s>", "</s>"


def tiny_base(
    texts: Iterable[str], seed: int, hidden_size: int = 128, layers: int = 4, vocabulary: int = 1024
) -> tuple[LlamaForCausalLM, PreTrainedTokenizerFast]:
    """A Llama with random weights (about 0.8 M parameters) and a byte-level BPE tokenizer trained on the texts.

    The constant parts of the paper's templates are one token each: a row of the demo corpus is about 25 tokens.
    They are ordinary tokens, so decoding keeps them.
    """
    tokenizer = _tokenizer(texts, vocabulary)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=hidden_size,
        intermediate_size=2 * hidden_size,
        num_hidden_layers=layers,
        num_attention_heads=8,
        max_position_embeddings=256,
        tie_word_embeddings=True,
        # One over the root of the width; the usual 0.02 suits wider models and learns far slower here.
        initializer_range=hidden_size**-0.5,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return LlamaForCausalLM(config), tokenizer


def template_pieces() -> list[str]:
    """Label names and the constant parts of both templates, each with the space before it and none after it."""
    pieces = [f" {label}" for label in LABELS]
    for template in (TASK_TEMPLATE, GENERATOR_PROMPT, GENERATOR_COMPLETION):
        for field in ("{premise}", "{hypothesis}", "{label}"):
            template = template.replace(field, "\n")
        pieces += [piece.rstrip() for piece in template.split("\n")]
    return sorted({piece for piece in pieces if len(piece) > 1})


def _tokenizer(texts: Iterable[str], vocabulary: int) -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[PAD, BOS, EOS],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    # Words of a template row follow a space, the first one too.
    tokenizer.train_from_iterator((f" {text}" for text in texts), trainer)
    tokenizer.add_tokens([AddedToken(piece, normalized=False, special=False) for piece in template_pieces()])
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A", pair=f"{BOS} $A $B", special_tokens=[(BOS, tokenizer.token_to_id(BOS))]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        bos_token=BOS,
        eos_token=EOS,
        clean_up_tokenization_spaces=False,
        model_max_length=256,
    )
