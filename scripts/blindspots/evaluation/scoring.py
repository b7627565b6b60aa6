"""What a folder's predictions say: they are read, checked and scored by the metric module, without the model."""

from functools import cache
from pathlib import Path
from typing import Any

import evaluate
import numpy as np
import pandas as pd
from scipy.special import softmax

from blindspots.config.errors import UserError
from blindspots.config.paths import EVALUATE_MODULES
from blindspots.config.test_set_keys import test_set_keys
from blindspots.data.nli import LABELS
from blindspots.data.test_sets import SLICES, test_set
from blindspots.evaluation.rows import check_rows, read_rows

METRIC = EVALUATE_MODULES / "nli_blindspot"
LOGITS = [f"logit_{label}" for label in LABELS]


def read_predictions(folder: Path) -> pd.DataFrame:
    """The predictions of a model artifact, all test sets below one another, with `test_set` and `prediction` (a name).

    Raises UserError where there are none, where a file can't be used (see `rows`) and where a logit is not finite.
    """
    files = sorted((folder / "predictions").glob("*.parquet"))
    if not files:
        raise UserError(f"{folder} holds no predictions; run evaluate_task.py on it.")
    rows = pd.concat([_read(file) for file in files], ignore_index=True)
    texts = rows.columns.difference(LOGITS)
    rows[texts] = rows[texts].fillna("")  # slices that another test set has
    logits = rows[LOGITS].to_numpy()
    rows["prediction"] = np.array(LABELS)[logits.argmax(axis=1)]
    rows["entailment_score"] = softmax(logits.astype(np.float64), axis=1)[:, LABELS.index("entailment")]
    return rows


def _read(file: Path) -> pd.DataFrame:
    rows = read_rows(file, LOGITS)
    check_rows(rows, file.stem, file)
    if count := int((~np.isfinite(rows[LOGITS])).any(axis=1).sum()):
        raise UserError(f"{file}: {count} rows have a logit that is not a finite number.")
    return rows.assign(test_set=file.stem)


def score(folder: Path) -> dict[str, Any]:
    """The metric module's numbers for a folder's predictions, and its headlines with what a card says of them.

    headlines: name, title, test_set, split, slice and accuracy of each accuracy that the test sets' files name.
    """
    return score_rows(read_predictions(folder))


@cache
def _metric() -> evaluate.Metric:
    return evaluate.load(str(METRIC), keep_in_memory=True)


def score_rows(rows: pd.DataFrame) -> dict[str, Any]:
    """As `score`, from the rows of `read_predictions`."""
    there = set(rows["test_set"])
    sets = [test_set(name) for name in sorted(there, key=[*test_set_keys(), *there].index)]
    others = sorted({column for found in sets for column in found.slices} - set(SLICES))
    results = _metric().compute(
        predictions=rows["prediction"].tolist(),
        references=rows["gold"].tolist(),
        **{name: rows[name].tolist() for name in ("test_set", *SLICES, "entailment_score")},
        other_slices={name: rows[name].tolist() for name in others},
        test_sets={found.name: found.metric_entry() for found in sets},
    )
    shown = [(found, headline) for found in sets for headline in found.shown if results[headline.name] is not None]
    results["headlines"] = [
        {
            "name": headline.name,
            "title": headline.title,
            "test_set": found.name,
            "split": found.split,
            "slice": dict(headline.slice),
            "accuracy": results[headline.name],
        }
        for found, headline in shown
    ]
    return results
