"""Evaluation beside Trainer.predict and the text-classification pipeline, on the same rows at the same batch size."""

import tempfile
from pathlib import Path

import numpy as np
import torch
from datasets import Dataset
from side_by_side import Result, alternate, hans, matmul_parameters, mnli
from transformers import DataCollatorWithPadding, LlamaForSequenceClassification, Trainer, TrainingArguments, pipeline
from transformers.utils import logging

from blindspots.artifacts.inputs import Source
from blindspots.data.examples import task_texts
from blindspots.data.nli import LABELS
from blindspots.data.prefixes import common_prefix
from blindspots.evaluation.prediction import predict_logits
from blindspots.modeling.classifier import Classifier, load_classifier

BATCH = 32
REPEATS = 3


def run(base, tokenizer, rate: float, rows: int) -> list[Result]:
    """The evaluation section of the table; `rows` of each test set, `rate` in operations a second."""
    with tempfile.TemporaryDirectory() as folder:
        base.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        classifier = load_classifier(Source("base", Path(folder), None, "model"))
    logging.set_verbosity_error()
    results = []
    for name, data, goal in (
        ("MNLI matched", mnli("validation_matched", rows, True), ">= 2.2"),
        ("HANS", hans(rows), ">= 1.8"),
    ):
        results += compare(classifier, name, task_texts(data), goal, rate)
    return results


def compare(classifier: Classifier, name: str, texts: list[str], goal: str, rate: float) -> list[Result]:
    """Ours, Trainer.predict and the pipeline on the same texts, in turns."""
    lengths = [len(ids) for ids in classifier.tokenizer(texts)["input_ids"]]
    prefix = common_prefix(classifier.tokenizer(texts)["input_ids"])
    tokens = int(BATCH * (np.mean(lengths) - prefix))  # BATCH rows of mean length
    logits: dict[str, np.ndarray] = {}

    def keep(which: str, function):
        return lambda: logits.__setitem__(which, function(classifier, texts))

    seconds = alternate(
        {
            "ours": keep("ours", lambda c, t: predict_logits(c, t, tokens)),
            "trainer": keep("trainer", trainer_logits),
            "pipeline": keep("pipeline", pipeline_logits),
            "premises": keep("premises", premise_logits),
        },
        REPEATS,
    )
    needed = prefix + sum(lengths) - prefix * len(lengths)
    floor = 2 * matmul_parameters(classifier.model) * needed / rate
    lines = []
    for other, label in (("trainer", "Trainer.predict"), ("pipeline", "pipeline"), ("premises", "shared premises")):
        difference = np.abs(logits["ours"] - logits[other]).max()
        same = (logits["ours"].argmax(1) == logits[other].argmax(1)).mean()
        if difference >= 1e-4 or same < 1:
            raise AssertionError(f"{name}, {label}: logits differ by {difference:.2g}, {same:.2%} equal predictions")
        note = f"{len(texts)} rows, batches of {BATCH}; equal predictions, logits within {difference:.1g}"
        lines.append(
            Result(
                "evaluation",
                f"{name}, {label}",
                len(texts) / seconds["ours"],
                len(texts) / seconds[other],
                "rows/s",
                seconds[other] / seconds["ours"],
                goal if other != "premises" else "",
                floor / seconds["ours"],
                note,
            )
        )
    return lines


def trainer_logits(classifier: Classifier, texts: list[str]) -> np.ndarray:
    """Logits in the order of LABELS by the stock Trainer with dynamic padding."""
    arguments = TrainingArguments(
        "unused", per_device_eval_batch_size=BATCH, use_cpu=True, report_to="none", disable_tqdm=True
    )
    collator = DataCollatorWithPadding(classifier.tokenizer)
    trainer = Trainer(classifier.model, arguments, data_collator=collator)
    rows = Dataset.from_dict(dict(classifier.tokenizer(texts)))
    return trainer.predict(rows).predictions[:, [classifier.label2id[label] for label in LABELS]]


def pipeline_logits(classifier: Classifier, texts: list[str]) -> np.ndarray:
    """Logits in the order of LABELS by the text-classification pipeline."""
    classify = pipeline("text-classification", classifier.model, tokenizer=classifier.tokenizer, device="cpu")
    rows = classify(texts, batch_size=BATCH, top_k=None, function_to_apply="none")
    named = [{entry["label"]: entry["score"] for entry in row} for row in rows]
    return np.array([[row[label] for label in LABELS] for row in named], dtype=np.float32)


@torch.inference_mode()
def premise_logits(classifier: Classifier, texts: list[str]) -> np.ndarray:
    """Logits with keys and values computed once a premise, not only once for the prefix that all rows share.

    An experiment, not a part of the scripts: premises of one length form a batch, so that no cache holds padding.
    """
    model: LlamaForSequenceClassification = classifier.model
    encoded = classifier.tokenizer(texts)["input_ids"]
    prefix = common_prefix(encoded)
    groups: dict[tuple, list[int]] = {}
    for row, text in enumerate(texts):
        groups.setdefault(text.split(" Hypothesis: ")[0], []).append(row)
    by_length: dict[int, list[tuple[list[int], list[int]]]] = {}
    for rows in groups.values():
        shared = common_prefix([encoded[row] for row in rows])
        by_length.setdefault(shared, []).append((rows, encoded[rows[0]][prefix:shared]))
    common = model.model(torch.tensor([encoded[0][:prefix]]), use_cache=True).past_key_values
    result = np.empty((len(texts), len(LABELS)), dtype=np.float32)
    for shared, premises in by_length.items():
        for start in range(0, len(premises), BATCH):
            part = premises[start : start + BATCH]
            rows = [row for members, _ in part for row in members]
            of_premise = [index for index, (members, _) in enumerate(part) for _ in members]
            cache = _extended(model, common, torch.tensor([ids for _, ids in part]), of_premise)
            result[rows] = _pooled(model, cache, [encoded[row][shared:] for row in rows])
    return result[:, [classifier.label2id[label] for label in LABELS]]


def _extended(model, common, premises: torch.Tensor, of_premise: list[int]):
    """A copy of the common cache, grown by each premise, one entry a row."""
    cache = type(common)(config=model.config)
    for layer, source in enumerate(common.layers):
        cache.update(*(part.expand(len(premises), -1, -1, -1) for part in (source.keys, source.values)), layer)
    if premises.shape[1]:
        model.model(premises, past_key_values=cache, use_cache=True)
    cache.batch_select_indices(torch.tensor(of_premise))
    return cache


def _pooled(model, cache, rests: list[list[int]]) -> np.ndarray:
    longest = max(map(len, rests))
    ids = torch.tensor([rest + [0] * (longest - len(rest)) for rest in rests])
    hidden = model.model(ids, past_key_values=cache, use_cache=True).last_hidden_state
    return model.score(hidden[torch.arange(len(rests)), [len(rest) - 1 for rest in rests]]).numpy()
