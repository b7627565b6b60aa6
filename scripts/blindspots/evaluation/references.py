"""How a generator does on people's answers to instructions: their likelihood, and ROUGE-L of its own answers."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from datasets import Dataset
from torch.nn.functional import cross_entropy
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from blindspots.config.errors import UserError
from blindspots.data.length_batches import length_batches
from blindspots.evaluation.people import FILE
from blindspots.evaluation.rouge import rouge_l
from blindspots.evaluation.rows import read_rows
from blindspots.modeling.generators import prompt_ids, require_generator_positions

NUMBERS = ["nll", "tokens", "rouge_l"]
_IGNORED = -100


def require_answerable(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, rows: Dataset, answer_tokens: int
) -> None:
    """Raise UserError where a row of people, or an answer to its prompt, may be longer than the model's positions."""
    prompts, encoded = _encoded(tokenizer, rows)
    require_generator_positions(model, max(map(len, encoded)), "The longest row of people")
    what = f"The longest prompt of people with answer_tokens {answer_tokens}"
    require_generator_positions(model, max(prompts) + answer_tokens, what)


def _encoded(tokenizer: PreTrainedTokenizerBase, rows: Dataset) -> tuple[list[int], list[list[int]]]:
    """The tokens of each prompt, and the token ids of each prompt with its completion and eos."""
    prompts = [len(prompt_ids(tokenizer, prompt)) for prompt in rows["prompt"]]
    whole = [text + other for text, other in zip(rows["prompt"], rows["completion"])]
    return prompts, [[*prompt_ids(tokenizer, text), tokenizer.eos_token_id] for text in whole]


@torch.inference_mode()
def reference_nll(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, rows: Dataset, batch_tokens: int
) -> tuple[np.ndarray, np.ndarray]:
    """Negative log-likelihood in nats of each completion and its eos after its prompt, and their number of tokens.

    Args:
        rows: with the columns prompt and completion, none longer than the model's positions.
    """
    model.eval()
    prompts, encoded = _encoded(tokenizer, rows)
    nll = np.zeros(len(encoded))
    for batch in length_batches(list(map(len, encoded)), batch_tokens):
        width = max(len(encoded[row]) for row in batch)
        ids = torch.tensor([encoded[row] + [tokenizer.pad_token_id] * (width - len(encoded[row])) for row in batch])
        mask = torch.tensor([[1] * len(encoded[row]) + [0] * (width - len(encoded[row])) for row in batch])
        labels = ids.masked_fill(mask == 0, _IGNORED)
        for place, row in enumerate(batch):
            labels[place, : prompts[row]] = _IGNORED
        logits = (
            model(input_ids=ids.to(model.device), attention_mask=mask.to(model.device)).logits[:, :-1].float().cpu()
        )
        loss = cross_entropy(logits.transpose(1, 2), labels[:, 1:], reduction="none", ignore_index=_IGNORED)
        nll[batch] = loss.sum(dim=1).numpy()
    return nll, np.array([len(ids) - start for ids, start in zip(encoded, prompts)])


@torch.inference_mode()
def answers(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: list[str],
    max_new_tokens: int,
    batch_tokens: int,
) -> list[str]:
    """The most likely answer to each prompt, word by word, of at most so many tokens."""
    model.eval()
    encoded = [prompt_ids(tokenizer, prompt) for prompt in prompts]
    found = [""] * len(prompts)
    for batch in length_batches([len(ids) + max_new_tokens for ids in encoded], batch_tokens):
        inputs = tokenizer.pad(
            {"input_ids": [encoded[row] for row in batch]}, padding_side="left", return_tensors="pt"
        ).to(model.device)
        made = model.generate(
            **inputs,
            do_sample=False,
            max_new_tokens=max_new_tokens,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
        texts = tokenizer.batch_decode(made[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
        for row, text in zip(batch, texts):
            found[row] = text
    return found


def predict_references(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, rows: Dataset, recipe: Any, folder: Path
) -> dict[str, float]:
    """Write predictions/people.parquet (id, unit, nll, tokens, rouge_l) and return what `score_references` does."""
    nll, tokens = reference_nll(model, tokenizer, rows, recipe.eval_batch_tokens)
    written = answers(model, tokenizer, rows["prompt"][:], recipe.answer_tokens, recipe.eval_batch_tokens)
    rouge = [rouge_l(text, reference) for text, reference in zip(written, rows["completion"])]
    if not np.isfinite(nll).all():
        raise UserError("The model gives an answer of people a likelihood that is not a finite number.")
    file = folder / FILE
    file.parent.mkdir(parents=True, exist_ok=True)
    columns = {
        "id": rows["id"][:],
        "unit": rows["unit"][:],
        "nll": nll,
        "tokens": tokens.astype(float),
        "rouge_l": rouge,
    }
    pq.write_table(pa.table(columns), file, compression="zstd")
    return score_references(folder)


def read_references(folder: Path) -> pd.DataFrame:
    """As `people.read_people`: score is ROUGE-L, and the mean of loss is the NLL in nats per token of all answers."""
    rows = read_rows(folder / FILE, NUMBERS)
    return pd.DataFrame(
        {
            **{name: rows[name] for name in ("id", "unit")},
            **dict.fromkeys(("gold", "prediction"), ""),
            "score": rows["rouge_l"],
            "loss": rows["nll"] * len(rows) / rows["tokens"].sum(),
        }
    )


def score_references(folder: Path) -> dict[str, float]:
    """NLL in nats per token of people's answers, and mean ROUGE-L of the model's own."""
    rows = read_references(folder)
    return {
        "nll_per_token": float(rows["loss"].mean()),
        "rouge_l": float(rows["score"].mean()),
        "rows": len(rows),
        "units": int(rows["unit"].nunique()),
    }
