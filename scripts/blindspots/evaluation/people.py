"""How a model does on rows that people labelled or decided: predictions/people.parquet, and what follows from it."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from accelerate import PartialState
from datasets import Dataset
from scipy.special import log_expit, log_softmax

from blindspots.artifacts.inputs import Source
from blindspots.config.errors import UserError
from blindspots.data.nli_datasets import read_split
from blindspots.data.people_rows import FIRST, SECOND, TEST, decided_pairs, labelled_texts
from blindspots.evaluation.prediction import predict_logits, require_positions
from blindspots.evaluation.rows import read_rows
from blindspots.modeling.classifier import Classifier

FILE = "predictions/people.parquet"
# The one label of a reward model, which scores a text.
REWARD = ("reward",)
REWARDS = ["reward_1", "reward_2"]
TIE = "tie"


def read_labelled(source: Source, columns: list[str]) -> Dataset:
    """People's labelled texts; errors as in `labelled_texts`."""
    return labelled_texts(read_split(source, TEST, TEST), columns, f"{source.name} {TEST}")


def read_decided(source: Source) -> Dataset:
    """People's decided pairs; errors as in `decided_pairs`."""
    return decided_pairs(read_split(source, TEST, TEST), f"{source.name} {TEST}")


def require_known_labels(rows: Dataset, labels: list[str], where: str) -> None:
    """Raise UserError where people give a label that the model can't, or the other way round."""
    names = rows.features["label"].names
    if set(names) != set(labels):
        raise UserError(f"{where} has the labels {', '.join(names)}, the train set {', '.join(labels)}; name another.")


def reward_texts(rows: Dataset, column: str, eos_token: str) -> list[str]:
    """The texts that a reward model scores: prompt and text, ended by eos as RewardTrainer does (trl 1.16)."""
    prompts = rows["prompt"] if "prompt" in rows.column_names else [""] * len(rows)
    ended = (text if text.endswith(eos_token) else text + eos_token for text in rows[column])
    return [prompt + text for prompt, text in zip(prompts, ended)]


def require_fitting(classifier: Classifier, texts: list[str]) -> None:
    """Raise UserError where a text is longer than the model's positions."""
    require_positions(classifier, max(len(ids) for ids in classifier.tokenizer(texts)["input_ids"]))


def predict_labels(classifier: Classifier, rows: Dataset, batch_tokens: int, folder: Path) -> None:
    """Write the logits of every label: id, unit, gold and `logit_<label>`."""
    logits = predict_logits(classifier, rows["text"][:], batch_tokens, "evaluate people")
    names = rows.features["label"].names
    gold = [names[label] for label in rows["label"]]
    columns = {f"logit_{label}": logits[:, place] for place, label in enumerate(classifier.labels)}
    _write(rows, gold, columns, classifier.name, folder)


def predict_choices(classifier: Classifier, rows: Dataset, batch_tokens: int, folder: Path) -> None:
    """Write the rewards of both texts: id, unit, gold (first or second), reward_1 and reward_2."""
    eos = classifier.tokenizer.eos_token
    texts = [text for column in ("text_1", "text_2") for text in reward_texts(rows, column, eos)]
    rewards = predict_logits(classifier, texts, batch_tokens, "evaluate people")[:, 0]
    columns = dict(zip(REWARDS, np.split(rewards, 2)))
    _write(rows, rows["label"][:], columns, classifier.name, folder)


def _write(rows: Dataset, gold: list[str], numbers: dict[str, np.ndarray], name: str, folder: Path) -> None:
    """Raises UserError where a number is not finite."""
    if not PartialState().is_main_process:
        return
    if count := int((~np.isfinite(np.stack(list(numbers.values())))).any(axis=0).sum()):
        raise UserError(f"{name} gives {count} of people's rows a number that is not finite.")
    file = folder / FILE
    file.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(
        pa.table({"id": rows["id"][:], "unit": rows["unit"][:], "gold": gold, **numbers}), file, compression="zstd"
    )


def read_people(folder: Path) -> pd.DataFrame:
    """Predictions of a model artifact: id, unit, gold, prediction (a label, or tie), score and loss.

    score: 1 where the prediction is people's, half for a tie, else 0. loss: log-loss of people's label in nats.
    Raises UserError where the file is not there or can't be used.
    """
    file = folder / FILE
    if not file.is_file():
        raise UserError(f"{folder} holds no {FILE}; name people's rows in the key people, and train the model again.")
    columns = pq.read_schema(file).names
    of_choices = REWARDS[0] in columns
    numbers = REWARDS if of_choices else [name for name in columns if name.startswith("logit_")]
    rows = read_rows(file, numbers)
    if of_choices:
        apart = (rows[REWARDS[0]] - rows[REWARDS[1]]).to_numpy(float)
        rows["prediction"] = np.select([apart > 0, apart < 0], [FIRST, SECOND], TIE)
        rows["loss"] = -log_expit(np.where(rows["gold"] == FIRST, apart, -apart))
    else:
        known = [name.removeprefix("logit_") for name in numbers]
        rows["prediction"] = np.array(known)[rows[numbers].to_numpy().argmax(axis=1)]
        places = rows["gold"].map({name: place for place, name in enumerate(known)})
        if places.isna().any():
            raise UserError(f"{file}: gold {rows['gold'][places.isna()].iloc[0]!r} is not one of {', '.join(known)}.")
        rows["loss"] = -log_softmax(rows[numbers].to_numpy(float), axis=1)[np.arange(len(rows)), places.astype(int)]
    right, tie = rows["prediction"] == rows["gold"], rows["prediction"] == TIE
    rows["score"] = np.select([right, tie], [1.0, 0.5], 0.0)
    return rows[["id", "unit", "gold", "prediction", "score", "loss"]]


def score_people(folder: Path) -> dict[str, Any]:
    """Accuracy against people and mean log-loss in nats, with rows and units."""
    rows = read_people(folder)
    return {
        "accuracy": float(rows["score"].mean()),
        "log_loss": float(rows["loss"].mean()),
        "rows": len(rows),
        "units": int(rows["unit"].nunique()),
    }
