"""A generator whose every probability is known: what comes next depends on the last token alone."""

import torch
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

# Next token by last token, with probabilities. `.` ends the prompt. A premise that goes straight to the end marker is
# malformed; one that circles on " Premise:" too long is unfinished; few words make repeated pairs likely.
TEMPLATE = {
    ".": {" Premise:": 1.0},
    " Premise:": {"Ġthe": 0.6, "Ġa": 0.4},
    "Ġthe": {"Ġa": 0.5, "Ġthe": 0.2, " Hypothesis:": 0.3},
    "Ġa": {"Ġthe": 0.45, " Hypothesis:": 0.35, " -- This is the end of the example.": 0.2},
    " Hypothesis:": {"Ġw": 1.0},
    "Ġw": {"Ġw": 0.3, " -- This is the end of the example.": 0.7},
    " -- This is the end of the example.": {"</s>": 1.0},
}
# Never writes a hypothesis.
HOPELESS = TEMPLATE | {token: {" -- This is the end of the example.": 1.0} for token in ("Ġthe", "Ġa")}


def made_generator(
    base: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, chain: dict[str, dict[str, float]] = TEMPLATE
) -> LlamaForCausalLM:
    """A Llama shaped like `base` that follows the chain: its layers add nothing, its head holds the log-odds."""
    config = base.config
    config.tie_word_embeddings = False
    model = LlamaForCausalLM(config).requires_grad_(False)
    for layer in model.model.layers:
        layer.self_attn.o_proj.weight.zero_()
        layer.mlp.down_proj.weight.zero_()
    known = {token: tokenizer.convert_tokens_to_ids(token) for row in chain.values() for token in row} | {
        token: tokenizer.convert_tokens_to_ids(token) for token in chain
    }
    model.model.embed_tokens.weight.zero_()
    model.model.embed_tokens.weight[:, -1] = 1.0  # every other token
    model.lm_head.weight.fill_(-30.0)
    length = config.hidden_size**0.5  # of a one-hot embedding behind the norm
    for column, (token, following) in enumerate(chain.items()):
        model.model.embed_tokens.weight[known[token]] = torch.eye(config.hidden_size)[column]
        for name, probability in following.items():
            model.lm_head.weight[known[name], column] = torch.tensor(probability).log() / length
    return model
