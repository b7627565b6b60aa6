"""Texts and token ids that models are trained on and evaluated with."""

from collections.abc import Mapping, Sequence
from typing import Any

from datasets import Dataset
from transformers import PreTrainedTokenizerBase

from blindspots.data.nli import LABELS, generator_completion, generator_prompt, task_input


def task_texts(rows: Mapping[str, Sequence[str]]) -> list[str]:
    """The texts that a task model classifies: the column text, else the template of premise and hypothesis."""
    if "text" in (rows.column_names if isinstance(rows, Dataset) else rows):
        return list(rows["text"])
    return [task_input(premise, hypothesis) for premise, hypothesis in zip(rows["premise"], rows["hypothesis"])]


def task_examples(pairs: Dataset, tokenizer: PreTrainedTokenizerBase, label2id: Mapping[str, int]) -> Dataset:
    """Token ids and the label id of the model's own head, for a Dataset of PAIR_FEATURES or of `labelled_texts`."""
    names = pairs.features["label"].names

    def encode(rows: dict[str, list]) -> dict[str, Any]:
        return {**tokenizer(task_texts(rows)), "labels": [label2id[names[label]] for label in rows["label"]]}

    return pairs.map(encode, batched=True, remove_columns=pairs.column_names, desc="tokenise")


def generator_examples(pairs: Dataset, loss_on: str) -> Dataset:
    """As SFTTrainer takes them: `text` (loss over all), or `prompt` and `completion` (loss over the latter).

    Args:
        pairs: of PAIR_FEATURES, or of `prompted_texts`.
    """
    prompted = "prompt" in pairs.column_names

    def write(row: dict[str, Any]) -> dict[str, str]:
        if prompted:
            prompt, completion = row["prompt"], row["completion"]
        else:
            prompt = generator_prompt(LABELS[row["label"]])
            completion = generator_completion(row["premise"], row["hypothesis"])
        return {"text": prompt + completion} if loss_on == "text" else {"prompt": prompt, "completion": completion}

    return pairs.map(write, remove_columns=pairs.column_names, desc="write examples")


def generator_texts(examples: Dataset) -> list[str]:
    """The whole text of each example of `generator_examples`."""
    return ["".join(example.values()) for example in examples]
