"""Evaluation beside Trainer.predict and the text-classification pipeline, on the same rows at the same batch size."""

import tempfile
from pathlib import Path

import numpy as np
from datasets import Dataset
from side_by_side import Result, alternate, computed_tokens, hans, matmul_parameters, mnli
from transformers import DataCollatorWithPadding, Trainer, TrainingArguments, pipeline
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
    """The evaluation section of the table; `rows` of each test set, `rate` in operations per second."""
    with tempfile.TemporaryDirectory() as folder:
        base.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        classifier = load_classifier(Source("base", Path(folder), None, "model"))
    logging.set_verbosity_error()
    results = []
    for name, data, goal in (
        ("MNLI matched", mnli("validation_matched", rows, True), ">= 3.2"),
        ("HANS", hans(rows), ">= 1.8"),
    ):
        results += compare(classifier, name, task_texts(data), goal, rate)
    return results


def compare(classifier: Classifier, name: str, texts: list[str], goal: str, rate: float) -> list[Result]:
    """Ours, Trainer.predict and the pipeline on the same texts, in turns."""
    encoded = classifier.tokenizer(texts)["input_ids"]
    own = np.mean([len(ids) for ids in encoded]) - common_prefix(encoded)
    tokens = int(BATCH * own)  # BATCH rows of mean length
    logits: dict[str, np.ndarray] = {}

    def keep(which: str, function):
        return lambda: logits.__setitem__(which, function(classifier, texts))

    seconds = alternate(
        {
            "ours": keep("ours", lambda c, t: predict_logits(c, t, tokens)),
            "trainer": keep("trainer", trainer_logits),
            "pipeline": keep("pipeline", pipeline_logits),
        },
        REPEATS,
    )
    needed = computed_tokens(encoded, [list(range(len(encoded)))])
    floor = 2 * matmul_parameters(classifier.model) * needed / rate
    lines = []
    for other, label in (("trainer", "Trainer.predict"), ("pipeline", "pipeline")):
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
                goal,
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
