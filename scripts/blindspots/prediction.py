"""Batched inference: rows sorted by length, the constant prompt prefix computed once, one parquet a test set."""

from pathlib import Path
from typing import Any

import evaluate
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from accelerate import PartialState
from accelerate.utils import gather_object
from datasets import Dataset
from scipy.special import softmax
from tqdm import tqdm
from transformers import DynamicCache

from blindspots.batching import length_batches
from blindspots.classifier import Classifier
from blindspots.corpora import hans_test, mnli_test, stratified
from blindspots.errors import UserError
from blindspots.nli import LABELS, task_input
from blindspots.recipes import TestSetKeys
from blindspots.sources import Source, fetch

METRIC = Path(__file__).parents[2] / "evaluate_modules" / "nli_blindspot"
LOGITS = [f"logit_{label}" for label in LABELS]


def test_set_sources(recipe: TestSetKeys) -> dict[str, Source]:
    """The test sets that a recipe names, by `mnli_matched` and `hans`."""
    named = {"mnli_matched": (recipe.mnli, recipe.mnli_revision), "hans": (recipe.hans, recipe.hans_revision)}
    return {name: fetch(source, "dataset", revision) for name, (source, revision) in named.items() if source}


def load_test_sets(recipe: TestSetKeys, sources: dict[str, Source]) -> dict[str, Dataset]:
    """Read and check the test sets, cut to the stratified part that the recipe asks for."""
    tests = {}
    if "mnli_matched" in sources:
        tests["mnli_matched"] = stratified(mnli_test(sources["mnli_matched"]), recipe.mnli_rows, "gold")
    if "hans" in sources:
        tests["hans"] = stratified(hans_test(sources["hans"], recipe.hans_expected_rows), recipe.hans_rows, "subcase")
    return tests


def shared_prefix(rows: list[list[int]]) -> int:
    """Length of the tokens that all rows start with; every row keeps at least one token of its own."""
    first, last = min(rows), max(rows)
    limit = min(map(len, rows)) - 1
    return next((i for i in range(limit) if first[i] != last[i]), limit)


@torch.inference_mode()
def predict_logits(classifier: Classifier, texts: list[str], batch_tokens: int, description: str = "") -> np.ndarray:
    """Logits of each text, float32 of shape (rows, 3), columns in the order of LABELS.

    Under `accelerate launch` every process computes a part of the batches and returns all rows. A row is never cut:
    raises UserError where one is longer than the model's positions.
    """
    state = PartialState()
    model = classifier.model.eval().to(state.device)
    encoded = classifier.tokenizer(texts)["input_ids"]
    limit = model.config.get_text_config().max_position_embeddings
    if max(map(len, encoded)) > limit:
        raise UserError(f"A row of {max(map(len, encoded))} tokens is longer than the model's {limit} positions.")
    prefix = shared_prefix(encoded)
    keys_values = _prefix_cache(model, encoded[0][:prefix])
    rests = [row[prefix:] for row in encoded]
    mine = length_batches([len(rest) for rest in rests], batch_tokens)[state.process_index :: state.num_processes]
    done = []
    for rows in tqdm(mine, desc=description, disable=not state.is_main_process, leave=False):
        logits = _forward(model, [rests[row] for row in rows], keys_values, classifier.tokenizer.pad_token_id)
        done.append((rows, logits.float().cpu().numpy()))
    result = np.empty((len(texts), len(LABELS)), dtype=np.float32)
    for rows, logits in gather_object(done) if state.num_processes > 1 else done:
        result[rows] = logits
    return result[:, [classifier.label2id[label] for label in LABELS]]


def _prefix_cache(model, prefix: list[int]) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Keys and values of each layer for the shared prefix, batch dimension 1."""
    if not prefix:
        return []
    cache = DynamicCache(config=model.config)
    _backbone(model)(input_ids=torch.tensor([prefix], device=model.device), past_key_values=cache, use_cache=True)
    return [(layer.keys, layer.values) for layer in cache.layers]


def _backbone(model):
    classifier = model.get_base_model() if hasattr(model, "get_base_model") else model
    return classifier.get_decoder() if hasattr(classifier, "get_decoder") else classifier.base_model


def _forward(model, rests: list[list[int]], keys_values: list, pad_token_id: int) -> torch.Tensor:
    """Logits of one right-padded batch, pooled at each row's own last token by position, not by pad id."""
    size, longest = len(rests), max(map(len, rests))
    input_ids = torch.full((size, longest), pad_token_id)
    for row, rest in enumerate(rests):
        input_ids[row, : len(rest)] = torch.tensor(rest)
    last = torch.tensor([len(rest) - 1 for rest in rests], device=model.device)
    cache = DynamicCache(config=model.config) if keys_values else None
    for layer, (keys, values) in enumerate(keys_values):
        cache.update(keys.expand(size, -1, -1, -1), values.expand(size, -1, -1, -1), layer)
    # Causal attention never looks right, so padding behind a row's last token needs no mask.
    hidden = _backbone(model)(
        input_ids=input_ids.to(model.device), past_key_values=cache, use_cache=cache is not None
    ).last_hidden_state
    pooled = hidden[torch.arange(size, device=model.device), last]
    classifier = model.get_base_model() if hasattr(model, "get_base_model") else model
    return classifier.score(pooled)


def predict_test_sets(classifier: Classifier, recipe: TestSetKeys, tests: dict[str, Dataset], folder: Path) -> None:
    """Write folder/predictions/<test set>.parquet: id, gold, the three logits, heuristic, subcase, genre, cluster."""
    for name, test in tests.items():
        texts = [task_input(premise, hypothesis) for premise, hypothesis in zip(test["premise"], test["hypothesis"])]
        logits = predict_logits(classifier, texts, recipe.eval_batch_tokens, f"evaluate {name}")
        if not PartialState().is_main_process:
            continue
        columns = {"id": test["id"], "gold": test["gold"]}
        columns |= {column: logits[:, index] for index, column in enumerate(LOGITS)}
        columns |= {column: list(test[column]) for column in ("heuristic", "subcase", "genre", "cluster")}
        file = folder / "predictions" / f"{name}.parquet"
        file.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table(columns), file, compression="zstd")


def read_predictions(folder: Path) -> pd.DataFrame:
    """The predictions of a model artifact, all test sets below one another, with `test_set` and `prediction` (a name).

    Raises UserError where there are none or where a logit is not a finite number.
    """
    files = sorted((folder / "predictions").glob("*.parquet"))
    if not files:
        raise UserError(f"{folder} holds no predictions; run evaluate_task.py on it.")
    frames = [pd.read_parquet(file).assign(test_set=file.stem) for file in files]
    rows = pd.concat(frames, ignore_index=True)
    logits = rows[LOGITS].to_numpy()
    if not np.isfinite(logits).all():
        raise UserError(f"{folder}: {(~np.isfinite(logits)).any(axis=1).sum()} rows have a logit that is no number.")
    rows["prediction"] = np.array(LABELS)[logits.argmax(axis=1)]
    rows["entailment_score"] = softmax(logits.astype(np.float64), axis=1)[:, LABELS.index("entailment")]
    return rows


def score(folder: Path) -> dict[str, Any]:
    """The metric module's numbers for a folder's predictions: the paper's three accuracies and every slice."""
    rows = read_predictions(folder)
    return evaluate.load(str(METRIC), keep_in_memory=True).compute(
        predictions=rows["prediction"].tolist(),
        references=rows["gold"].tolist(),
        **{name: rows[name].tolist() for name in ("test_set", "heuristic", "subcase", "genre", "entailment_score")},
    )
