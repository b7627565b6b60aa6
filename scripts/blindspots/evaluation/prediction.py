"""Batched inference: what rows share, such as the premise, computed once a batch; one parquet per test set."""

import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from accelerate import PartialState
from accelerate.utils import gather_object
from datasets import Dataset
from tqdm import tqdm
from transformers import BatchEncoding

from blindspots.artifacts.inputs import Source
from blindspots.config.errors import UserError
from blindspots.config.test_set_keys import TestSetKeys, TestSetSources
from blindspots.data.examples import TaskInputs, encode, task_texts
from blindspots.data.length_batches import length_batches
from blindspots.data.nli import LABELS
from blindspots.data.prefixes import common_prefix, prefix_groups
from blindspots.data.test_set_rows import read_test_set, stratified
from blindspots.data.test_sets import named_test_sets
from blindspots.evaluation.scoring import LOGITS, score_rows
from blindspots.modeling.architectures import is_encoder, positions
from blindspots.modeling.classifier import Classifier
from blindspots.modeling.heads import head_dtype
from blindspots.modeling.loading import errors_in_words
from blindspots.modeling.precision import base_model
from blindspots.modeling.token_tree import TreeCollator, accept_trees, obstacle


def load_test_sets(recipe: TestSetSources, sources: dict[str, Source]) -> dict[str, Dataset]:
    """Read and check the recipe's test sets, each cut to the stratified part that the recipe asks for."""
    tests = {}
    for found in named_test_sets(recipe):
        rows = read_test_set(found, sources[found.name], getattr(recipe, f"{found.key}_expected_rows"))
        tests[found.name] = stratified(rows, getattr(recipe, f"{found.key}_rows"), found.stratify)
    return tests


def rehearse(classifier: Classifier, tests: dict[str, Dataset], with_model: bool = True) -> None:
    """Find out before the first step what would stop the evaluation after the last one.

    Every row is encoded and measured, the longest of each set (without sets, a made one) is predicted, and the metric
    module checks all rows.

    Args:
        with_model: whether the model can be called; one that is spread over processes cannot.

    Raises UserError for a row that is longer than the model's positions, for a model that can't predict one, for an
    encoder whose logits depend on the padding, and for rows that the metric refuses.
    """
    if with_model and not tests:
        made = {"premise": ["A man sleeps."], "hypothesis": ["A man rests."]}
        _try(classifier, task_texts(made, classifier.template))
    if with_model and classifier.is_encoder:
        _require_independent_rows(classifier)
    for name, test in tests.items():
        texts = task_texts(test, classifier.template)
        if not texts:
            raise UserError(f"{name} has no rows to evaluate.")
        lengths = [len(row) for row in encode(classifier.tokenizer, texts)["input_ids"]]
        require_positions(classifier, max(lengths))
        if with_model:
            _try(classifier, [texts[lengths.index(max(lengths))]])
    rows = [test.remove_columns(["premise", "hypothesis"]).to_pandas().assign(test_set=n) for n, test in tests.items()]
    if rows:
        frame = pd.concat(rows, ignore_index=True).fillna("").assign(prediction=LABELS[0], entailment_score=1.0)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                score_rows(frame)
        except ValueError as error:
            raise UserError(f"The test sets can't be scored: {error}") from error


def _try(classifier: Classifier, row: TaskInputs) -> None:
    """Predict one row. Raises UserError where that fails: a config can ask for what the architecture does not do."""
    training = classifier.model.training
    with errors_in_words(f"{classifier.name} can't predict a row"):
        predict_logits(classifier, row, batch_tokens=1)
    classifier.model.train(training)


def _require_independent_rows(classifier: Classifier) -> None:
    """Raise UserError for an encoder that looks at padding: not every kind masks it, as BERT does."""
    made = {"premise": ["A man sleeps."] * 2, "hypothesis": ["A man rests.", "A man rests or eats."]}
    training, rows = classifier.model.training, task_texts(made, classifier.template)
    with errors_in_words(f"{classifier.name} can't predict a row"):
        alone = predict_logits(classifier, rows[:1], batch_tokens=1)[0]
        padded = predict_logits(classifier, rows, batch_tokens=1024)[0]
    classifier.model.train(training)
    if not np.allclose(alone, padded, rtol=1e-3, atol=1e-3):
        raise UserError(
            f"{classifier.name} gives a row other logits beside a longer one: its architecture does not mask padding, "
            "so its predictions would depend on the batch. Take another base model."
        )


def require_positions(classifier: Classifier, longest: int) -> None:
    """Raise UserError where a row is longer than the model's positions."""
    limit = positions(base_model(classifier.model))
    if longest > limit:
        raise UserError(f"A row of {longest} tokens is longer than the model's {limit} positions.")


def pooled_part(row: list[int], pad_token_id: int) -> list[int]:
    """A row up to the token at which the model pools: the last one that is not the pad token, as in training.

    A tokenizer that ends each text in eos, and pads with eos, would otherwise be pooled one token later than it was
    trained. Causal attention never looks beyond that token, so the rest is not needed.
    """
    end = len(row)
    while end > 1 and row[end - 1] == pad_token_id:
        end -= 1
    return row[:end]


@torch.inference_mode()
def predict_logits(classifier: Classifier, texts: TaskInputs, batch_tokens: int, description: str = "") -> np.ndarray:
    """Logits of each text or pair, float32 of shape (rows, labels), columns in the order of the classifier's labels.

    Under `accelerate launch` every process computes a part of the batches and returns all rows. A row is never cut:
    raises UserError where one is longer than the model's positions.
    """
    state = PartialState()
    model = classifier.model.eval()
    if model.device != state.device:
        model = model.to(state.device)
    encoded = _encoded(classifier, texts)
    require_positions(classifier, max(len(row["input_ids"]) for row in encoded))
    batches, collate = _batches(classifier, encoded, batch_tokens)
    done = []
    mine = batches[state.process_index :: state.num_processes]
    for rows in tqdm(mine, desc=description, disable=not state.is_main_process, leave=False):
        batch = collate([encoded[row] for row in rows]).to(state.device)
        done.append((rows, _logits(model, batch).float().cpu().numpy()))
    result = np.empty((len(texts), len(classifier.labels)), dtype=np.float32)
    for rows, logits in gather_object(done) if state.num_processes > 1 else done:
        result[rows] = logits
    return result[:, [classifier.label2id[label] for label in classifier.labels]]


def _encoded(classifier: Classifier, texts: TaskInputs) -> list[dict[str, list[int]]]:
    """What the model takes of each row; of a causal model's row the tokens up to the one at which it pools."""
    columns = encode(classifier.tokenizer, texts)
    if classifier.is_encoder:
        return [dict(zip(columns, values)) for values in zip(*columns.values())]
    return [{"input_ids": pooled_part(row, classifier.tokenizer.pad_token_id)} for row in columns["input_ids"]]


def _batches(
    classifier: Classifier, encoded: list[dict[str, list[int]]], batch_tokens: int
) -> tuple[list[list[int]], Callable[[list[dict[str, list[int]]]], BatchEncoding]]:
    """Row numbers of each batch, and what makes a batch of rows; where the model can, with what they share once."""
    collate = partial(classifier.tokenizer.pad, padding_side="right", return_tensors="pt")
    rows = [row["input_ids"] for row in encoded]
    if obstacle(classifier.model):
        return length_batches([len(row) for row in rows], batch_tokens), collate
    accept_trees(classifier.model)
    start = common_prefix(rows)
    return length_batches([len(row) - start for row in rows], batch_tokens, prefix_groups(rows)), TreeCollator(collate)


def _logits(model, batch: BatchEncoding) -> torch.Tensor:
    """Logits of one right-padded batch; a causal model's at each row's own last token by position, not by pad id.

    An adapter in float32 is computed in the half precision of its base, the head in its own. An encoder is held and
    computed in float32.
    """
    classifier = base_model(model)
    if is_encoder(classifier.config):
        return classifier(**batch).logits
    half = classifier.dtype != torch.float32
    with torch.autocast(classifier.device.type, classifier.dtype if half else None, enabled=half):
        hidden = classifier.base_model(**batch, use_cache=False).last_hidden_state
    last = batch["attention_mask"].sum(dim=1) - 1
    pooled = hidden[torch.arange(len(last), device=hidden.device), last]
    return classifier.score(pooled.to(head_dtype(model)))


def predict_test_sets(classifier: Classifier, recipe: TestSetKeys, tests: dict[str, Dataset], folder: Path) -> None:
    """Write folder/predictions/<test set>.parquet: id, gold, the three logits, the slice columns and cluster.

    Raises UserError where a logit is not a finite number.
    """
    for name, test in tests.items():
        texts = task_texts(test, classifier.template)
        logits = predict_logits(classifier, texts, recipe.eval_batch_tokens, f"evaluate {name}")
        if not PartialState().is_main_process:
            continue
        if count := int((~np.isfinite(logits)).any(axis=1).sum()):
            raise UserError(f"{classifier.name} gives {count} rows of {name} a logit that is not a finite number.")
        columns = {"id": test["id"], "gold": test["gold"]}
        columns |= {column: logits[:, index] for index, column in enumerate(LOGITS)}
        slices = [name for name in test.column_names if name not in ("id", "premise", "hypothesis", "gold", "cluster")]
        columns |= {column: list(test[column]) for column in (*slices, "cluster")}
        file = folder / "predictions" / f"{name}.parquet"
        file.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table(columns), file, compression="zstd")
