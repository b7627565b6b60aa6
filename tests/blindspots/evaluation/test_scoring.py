"""Scores: numbers that are computed from a folder's predictions, which are checked when they are read."""

import numpy as np
import pandas as pd
import pytest

from blindspots.config.errors import UserError
from blindspots.data.nli import LABELS
from blindspots.evaluation.scoring import LOGITS, read_predictions, score


def write(folder, name: str, rows: list[tuple]) -> None:
    """Predictions by (gold, predicted, heuristic)."""
    (folder / "predictions").mkdir(exist_ok=True)
    frame = pd.DataFrame(rows, columns=["gold", "predicted", "heuristic"])
    logits = np.array([[3.0 if label == predicted else 0.0 for label in LABELS] for predicted in frame["predicted"]])
    frame[LOGITS] = logits.astype(np.float32)
    frame = frame.drop(columns="predicted").assign(subcase=frame["heuristic"], genre="", cluster="")
    frame["id"] = [str(row) for row in range(len(frame))]
    frame.to_parquet(folder / "predictions" / f"{name}.parquet")


def test_scores_equal_a_count_by_hand(tmp_path):
    write(
        tmp_path,
        "mnli_matched",
        [("neutral", "neutral", ""), ("neutral", "entailment", ""), ("entailment", "entailment", "")],
    )
    write(
        tmp_path,
        "hans",
        [
            ("entailment", "entailment", "lexical_overlap"),
            ("non-entailment", "neutral", "lexical_overlap"),
            ("non-entailment", "entailment", "lexical_overlap"),
            ("non-entailment", "contradiction", "lexical_overlap"),
            ("non-entailment", "entailment", "constituent"),
        ],
    )
    results = score(tmp_path)
    assert results["mnli_matched"] == pytest.approx(2 / 3)
    assert results["hans"] == pytest.approx(3 / 5)
    assert results["hans_lo_non_entailment"] == pytest.approx(2 / 3)
    assert [
        (headline["name"], headline["test_set"], headline["split"], headline["slice"], headline["accuracy"])
        for headline in results["headlines"]
    ] == [
        ("mnli_matched", "mnli_matched", "validation_matched", {}, results["mnli_matched"]),
        ("hans", "hans", "validation", {}, results["hans"]),
        (
            "hans_lo_non_entailment",
            "hans",
            "validation",
            {"heuristic": "lexical_overlap", "label": "non-entailment"},
            results["hans_lo_non_entailment"],
        ),
        (
            "hans_lo_entailment",
            "hans",
            "validation",
            {"heuristic": "lexical_overlap", "label": "entailment"},
            results["hans_lo_entailment"],
        ),
    ]


def test_an_accuracy_without_rows_is_not_a_headline(tmp_path):
    write(tmp_path, "hans", [("entailment", "entailment", "lexical_overlap")])
    results = score(tmp_path)
    assert results["hans_lo_non_entailment"] is None
    assert [headline["name"] for headline in results["headlines"]] == ["hans", "hans_lo_entailment"]


def test_predictions_are_label_names(tmp_path):
    write(tmp_path, "mnli_matched", [("neutral", label, "") for label in LABELS])
    rows = read_predictions(tmp_path)
    assert rows["prediction"].tolist() == list(LABELS)
    assert rows["entailment_score"].idxmax() == 0


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_logit_that_is_not_a_number_is_refused(tmp_path, bad):
    write(tmp_path, "hans", [("entailment", "entailment", "constituent")] * 2)
    file = tmp_path / "predictions" / "hans.parquet"
    rows = pd.read_parquet(file)
    rows.loc[1, "logit_neutral"] = bad
    rows.to_parquet(file)
    with pytest.raises(UserError, match="1 rows have a logit that is not a finite number"):
        score(tmp_path)


def test_a_model_without_predictions_says_so(tmp_path):
    with pytest.raises(UserError, match=r"holds no predictions; run evaluate_task\.py"):
        read_predictions(tmp_path)
