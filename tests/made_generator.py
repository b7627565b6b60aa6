"""Generators made at once: one whose every probability is known, and adapters with random weights.

In the first, what comes next depends on the last token alone.
"""

from pathlib import Path

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM, LlamaForCausalLM, PreTrainedTokenizerFast

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


def made_adapter(base: Path, change: float = 0.1, loading: dict | None = None, **keys) -> PeftModel:
    """A LoRA adapter of a base model, which differs by so much from a new one; by default it also trains the ends."""
    keys = {"r": 4, "target_modules": ["q_proj", "v_proj"], "modules_to_save": ["embed_tokens", "lm_head"]} | keys
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = get_peft_model(
            AutoModelForCausalLM.from_pretrained(base, **(loading or {})), LoraConfig(task_type="CAUSAL_LM", **keys)
        ).eval()
        for weight in model.parameters():
            if weight.requires_grad:
                weight.data += change * torch.randn_like(weight)
    return model
