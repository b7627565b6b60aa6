"""Texts and token ids that models are trained on and evaluated with, made from premise and hypothesis."""

from collections.abc import Mapping, Sequence
from typing import Any

from datasets import Dataset
from transformers import BatchEncoding, PreTrainedTokenizerBase

from blindspots.data.nli import LABELS, TASK_TEMPLATE, generator_completion, generator_prompt, task_input

# What a task model classifies: texts, or pairs of premise and hypothesis that the tokenizer joins.
TaskInputs = list[str] | list[tuple[str, str]]


def task_texts(rows: Mapping[str, Sequence[str]], template: str | None = TASK_TEMPLATE) -> TaskInputs:
    """What a task model classifies: premise and hypothesis, or the column text where there is no premise.

    Args:
        template: the text that a row is written in; None leaves premise and hypothesis a pair, as they stand.
    """
    if "premise" not in (rows.column_names if isinstance(rows, Dataset) else rows):
        return list(rows["text"])
    pairs = zip(rows["premise"], rows["hypothesis"])
    return list(pairs) if template is None else [task_input(*pair, template) for pair in pairs]


def encode(tokenizer: PreTrainedTokenizerBase, inputs: TaskInputs) -> BatchEncoding:
    """Token ids of each row, and what else the model takes; nothing is cut."""
    if inputs and isinstance(inputs[0], tuple):
        premises, hypotheses = map(list, zip(*inputs))
        return tokenizer(premises, hypotheses)
    return tokenizer(inputs)


def task_examples(
    pairs: Dataset,
    tokenizer: PreTrainedTokenizerBase,
    label2id: Mapping[str, int],
    template: str | None = TASK_TEMPLATE,
) -> Dataset:
    """Token ids and the label id of the model's own head, for a Dataset of PAIR_FEATURES or of `labelled_texts`."""
    names = pairs.features["label"].names

    def example(rows: dict[str, list]) -> dict[str, Any]:
        encoded = encode(tokenizer, task_texts(rows, template))
        return {**encoded, "labels": [label2id[names[label]] for label in rows["label"]]}

    return pairs.map(example, batched=True, remove_columns=pairs.column_names, desc="tokenise")


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
