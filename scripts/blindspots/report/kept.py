"""What a report keeps of its models: predictions.parquet, lineage.jsonl and examples.jsonl.

From these files alone the report can be made again. Every number of a report is computed from the kept form, in which
the probability of entailment has three decimals.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from blindspots.artifacts.files import json_text, parse_json
from blindspots.artifacts.names import checked_lineage
from blindspots.config.errors import UserError, one_line
from blindspots.data.nli import LABELS
from blindspots.evaluation.rows import check_rows, read_rows

PREDICTIONS, LINEAGES, EXAMPLES = "predictions.parquet", "lineage.jsonl", "examples.jsonl"
# Files that hold an artifact's weights or rows.
_DATA = (".safetensors", ".parquet")
# Units of the kept probability of entailment.
PARTS = 1000


@dataclass
class Predictions:
    """Predictions of several models on the same rows.

    tests: by test set, the rows that every model predicted: id, gold, slice columns, cluster.
    predicted: by (model, test set), index in LABELS of each row's prediction, shape [rows], int8.
    entailment: by the same, probability of entailment in PARTS, shape [rows], uint16.
    """

    tests: dict[str, pd.DataFrame] = field(default_factory=dict)
    predicted: dict[tuple[str, str], np.ndarray] = field(default_factory=dict)
    entailment: dict[tuple[str, str], np.ndarray] = field(default_factory=dict)

    def models(self) -> list[str]:
        """Names of the models, in the order in which they were added."""
        return list(dict.fromkeys(model for model, _ in self.predicted))

    def only(self, models: list[str]) -> "Predictions":
        """The predictions of some of the models, in this order."""
        keys = [
            (model, test_set) for model in models for test_set in self.tests if (model, test_set) in self.predicted
        ]
        return Predictions(
            self.tests, *({key: values[key] for key in keys} for values in (self.predicted, self.entailment))
        )

    def joined(self, others: "Predictions") -> "Predictions":
        """These and those of the models that are in the others alone. Raises UserError as `add`."""
        if not self.predicted:
            return others
        both = Predictions(dict(self.tests), dict(self.predicted), dict(self.entailment))
        for model in others.models():
            if model not in self.models():
                both.add(model, others.rows_of(model))
        return both

    def add(self, model: str, rows: pd.DataFrame) -> None:
        """Add a model's rows, as `read_predictions` gives them.

        Raises UserError where it was evaluated on other test sets or rows than the models before it.
        """
        first = next(iter(self.models()), None)
        found = set(rows["test_set"])
        for test_set in [*self.tests, *found]:
            if first is not None and (test_set in found) != (test_set in self.tests):
                lacking, having = (first, model) if test_set in found else (model, first)
                raise UserError(
                    f"{lacking} has no predictions of {test_set}, {having} has; evaluate all on the same sets."
                )
        for test_set, part in rows.groupby("test_set"):
            self._add_rows(model, str(test_set), part, first)

    def _add_rows(self, model: str, test_set: str, part: pd.DataFrame, first: str | None) -> None:
        part = part.sort_values("id", kind="stable").reset_index(drop=True)
        described = part[["id", "gold", *_slices(part), "cluster"]]
        common = self.tests.setdefault(test_set, described)
        if not common.equals(described):
            lone = len(set(common["id"]) ^ set(described["id"]))
            raise UserError(
                f"{first} and {model} were evaluated on different rows of {test_set}: {len(common)} and "
                f"{len(described)} rows, {lone} of them in only one of the two. Evaluate both again on the same set."
            )
        self.predicted[model, test_set] = part["prediction"].map(LABELS.index).to_numpy(np.int8)
        self.entailment[model, test_set] = (part["entailment_score"] * PARTS).round().to_numpy(np.uint16)

    def rows_of(self, model: str) -> pd.DataFrame:
        """The rows of one model in the columns that `scoring.score_rows` takes."""
        parts = [
            rows.assign(
                test_set=test_set,
                prediction=np.array(LABELS)[self.predicted[model, test_set]],
                entailment_score=self.entailment[model, test_set] / PARTS,
            )
            for test_set, rows in self.tests.items()
        ]
        rows = pd.concat(parts, ignore_index=True)
        texts = rows.columns.difference(["entailment_score"])
        rows[texts] = rows[texts].fillna("")
        return rows

    def write(self, folder: Path) -> None:
        """Write predictions.parquet: a line per model and row, the models of a row together."""
        models = self.models()
        parts = []
        for test_set, rows in self.tests.items():
            number = np.repeat(np.arange(len(rows)), len(models))
            stacked = {
                name: np.stack([values[model, test_set] for model in models], axis=1).ravel()
                for name, values in {"prediction": self.predicted, "entailment": self.entailment}.items()
            }
            part = rows.iloc[number].assign(test_set=test_set, model=models * len(rows), **stacked)
            part["prediction"] = np.array(LABELS)[part["prediction"]]
            parts.append(part)
        if not parts:
            return
        table = pd.concat(parts, ignore_index=True)
        texts = table.columns.difference(["entailment"])
        table[texts] = table[texts].fillna("")
        columns = ["test_set", *[name for name in table if name not in ("test_set", "entailment")], "entailment"]
        arrow = pa.Table.from_pandas(table[columns], preserve_index=False).replace_schema_metadata(None)
        pq.write_table(arrow, folder / PREDICTIONS, compression="zstd", compression_level=19)


def _slices(rows: pd.DataFrame) -> list[str]:
    """The slice columns of a model's rows of one test set."""
    own = {"id", "gold", "cluster", "test_set", "prediction", "entailment_score", "entailment", "model"}
    return [name for name in rows if name not in own and not name.startswith("logit_")]


def read_kept(folder: Path) -> Predictions:
    """The predictions of a kept report. Raises UserError where there is no such file or it is not one of ours."""
    file = folder / PREDICTIONS
    if not file.is_file():
        raise UserError(f"There is no {PREDICTIONS} in {folder}; name the folder of an earlier report.")
    table = read_rows(file, ["entailment"])
    for column in ("test_set", "model", "prediction"):
        if column not in table:
            raise UserError(f"{file} has no column {column}; it is not the predictions of a report.")
    kept = Predictions()
    for test_set, part in table.groupby("test_set", sort=False):
        models = list(dict.fromkeys(part["model"]))
        rows = part.iloc[:: len(models)].reset_index(drop=True)
        if not (
            part["model"].tolist() == models * len(rows)
            and part["id"].tolist() == rows["id"].repeat(len(models)).tolist()
            and part["prediction"].isin(LABELS).all()
            and part["entailment"].isin(range(PARTS + 1)).all()
        ):
            raise UserError(f"{file}: {test_set} has not one prediction and probability per row of each model.")
        check_rows(rows, str(test_set), file)
        kept.tests[str(test_set)] = rows[["id", "gold", *_slices(rows), "cluster"]]
        labels = part["prediction"].map(LABELS.index).to_numpy(np.int8).reshape(len(rows), len(models))
        shares = part["entailment"].to_numpy(np.uint16).reshape(len(rows), len(models))
        for column, model in enumerate(models):
            kept.predicted[model, str(test_set)] = labels[:, column]
            kept.entailment[model, str(test_set)] = shares[:, column]
    return kept


def write_lines(file: Path, records: Iterable[dict[str, Any]]) -> None:
    """Write JSON Lines."""
    file.write_text("".join(json_text(record, indent=None) for record in records), encoding="utf-8")


def read_lines(file: Path) -> list[dict[str, Any]]:
    """Read JSON Lines; nothing where the file is not there. Raises UserError naming a line that is not an object."""
    records = []
    for number, line in enumerate(file.read_bytes().split(b"\n") if file.is_file() else [], 1):
        try:
            record = parse_json(line) if line.strip() else None
        except (ValueError, RecursionError) as error:
            raise UserError(f"{file}, line {number} is not JSON: {one_line(error)}") from None
        if isinstance(record, dict):
            records.append(record)
        elif line.strip():
            raise UserError(f"{file}, line {number} is not a JSON object.")
    return records


def read_lineages(folder: Path) -> list[dict[str, Any]]:
    """The lineages of a kept report, without their results; `model` is None for that of a dataset.

    Raises UserError naming a line that is not a lineage.
    """
    lines = read_lines(folder / LINEAGES)
    for number, line in enumerate(lines, 1):
        where = f"{folder / LINEAGES}, line {number}"
        model = line.get("model", 0)
        if not (model is None or isinstance(model, str)):
            raise UserError(f"{where} does not say which model it is of.")
        checked_lineage({**line, "results": {}}, where)
    return lines


def joined_lineages(lines: list[dict[str, Any]], earlier: list[dict[str, Any]], where: str) -> list[dict[str, Any]]:
    """The lineages of a folder of models and those of a kept report that it lacks; of a model, the folder's.

    Raises UserError where an artifact has other weights or rows in the two: what is said to share it would not. Other
    files may differ: a base model that was tuned again is the same although its tokenizer was saved differently.
    """
    known = {(line["artifact"], line["content_sha256"]): line for line in [*lines, *earlier]}
    contents, kept_contents = _contents(lines), _contents(earlier)
    for name in sorted(contents.keys() & kept_contents):
        if len({_data(known.get((name, one)), one) for one in contents[name] | kept_contents[name]}) > 1:
            raise UserError(
                f"{name} does not have the same weights or rows in {where}; "
                "report on each by itself, or make what came of it again."
            )
    models = {line["model"] for line in lines if line["model"]}
    there = {(line["artifact"], line["content_sha256"]) for line in lines}
    return lines + [
        line
        for line in earlier
        if line["model"] not in models and (line["artifact"], line["content_sha256"]) not in there
    ]


def _contents(lines: list[dict[str, Any]]) -> dict[str, set[str]]:
    """The contents of each artifact that lineages are of or name as a parent, by its name."""
    found: dict[str, set[str]] = {}
    for record in [*lines, *(parent for line in lines for parent in line["parents"])]:
        if record.get("artifact"):
            found.setdefault(record["artifact"], set()).add(record["content_sha256"])
    return found


def _data(line: dict[str, Any] | None, content: str) -> Any:
    """What an artifact's weights and rows are known by: their hashes, or its content where they are not listed."""
    files = (line or {}).get("files") or {}
    return frozenset((name, one["sha256"]) for name, one in files.items() if name.endswith(_DATA)) or content
