"""Models that were trained on people's and on models' data, read from their artifacts or from a former report.

A report keeps of them predictions.parquet and lineage.jsonl, and is computed from these two files alone.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from blindspots.artifacts.files import json_text
from blindspots.artifacts.names import LINEAGE, checked_lineage, read_lineage
from blindspots.config.errors import UserError, one_line
from blindspots.data.people_rows import TEST
from blindspots.evaluation.people import read_people
from blindspots.evaluation.references import read_references
from blindspots.evaluation.rows import read_rows

PREDICTIONS, LINEAGES = "predictions.parquet", "lineage.jsonl"
FILES = {PREDICTIONS, LINEAGES, "trained.json", "README.md"}
TYPES = {"text_classifier": read_people, "reward_model": read_people, "instruction_model": read_references}
DECIMALS = 3
_COLUMNS = ["set", "kind", "seed", "id", "unit", "gold", "prediction", "score", "loss"]
# Keys of a training recipe in which the models of a set differ.
_OWN_KEYS = frozenset("train_config seed data_seed output_dir".split())


def strange_file(folder: Path) -> str | None:
    """A file of a folder that is not part of a report, None where all are."""
    return next(iter(sorted({path.name for path in folder.iterdir()} - FILES)), None)


@dataclass
class TrainedSet:
    """The models of one dataset of prepare_sources.py.

    lineage: of the dataset; models: lineage of each model by (kind, seed).
    kinds: what the dataset holds; seeds: those of which every kind has a model; missing: configs without one.
    test: id, unit and gold of people's rows.
    score: by kind, shape [seeds, rows]: 1, 0 or half for a tie; of answers ROUGE-L.
    loss: likewise, log-loss of people's label; of answers such that their mean is the NLL per token.
    """

    name: str
    lineage: dict[str, Any]
    models: dict[tuple[str, int], dict[str, Any]]
    kinds: list[str]
    seeds: list[int]
    missing: list[str]
    test: pd.DataFrame
    score: dict[str, NDArray]
    loss: dict[str, NDArray]

    @property
    def recipe(self) -> dict[str, Any]:
        """Of the dataset."""
        return self.lineage["recipe"]

    @property
    def settings(self) -> dict[str, Any]:
        """The source set's recipe."""
        return self.recipe["source_settings"]


def read_models(models: Path, sets: Iterable[Path]) -> tuple[pd.DataFrame, list[dict[str, Any]]]:
    """Predictions and lineages of every model artifact below a folder, and the lineages of their train sets.

    Raises UserError for another dataset, a model of another train set, and two of the same train set and config.
    """
    lineages = [read_lineage(folder) for folder in sets]
    for lineage in lineages:
        if lineage["artifact_type"] != "source_sets":
            raise UserError(f"{lineage['artifact']} is not a dataset of prepare_sources.py; name one in sets.")
    names = {lineage["content_sha256"]: lineage["artifact"] for lineage in lineages}
    tables, seen = [], {}
    for file in sorted(models.rglob(LINEAGE)):
        lineage = read_lineage(file.parent)
        if lineage["artifact_type"] not in TYPES:
            continue
        where, config = _train_set(lineage, names, file.parent)
        if (where, config) in seen:
            raise UserError(
                f"{file.parent} and {seen[where, config]} are both trained on {where}, {config}; keep one."
            )
        seen[where, config] = file.parent
        kind, seed = _kind_and_seed(config)
        read = TYPES[lineage["artifact_type"]]
        tables.append(read(file.parent).assign(set=where, kind=kind, seed=seed))
        lineages.append(lineage)
    if not tables:
        raise UserError(f"{models} holds no model of finetune_task.py or finetune_preference.py.")
    rows = pd.concat(tables, ignore_index=True)
    rows[["score", "loss"]] = rows[["score", "loss"]].astype(float).round(DECIMALS)
    order = ["set", "id", "kind", "seed"]  # the models of a row together, which takes the least space
    return rows[_COLUMNS].sort_values(order, kind="stable", ignore_index=True), lineages


def _train_set(lineage: dict[str, Any], names: dict[str, str], where: Path) -> tuple[str, str]:
    """Name of the train set and its config. Raises UserError where it, or people's rows, are of none of the sets."""
    parents = {parent["role"]: parent["content_sha256"] for parent in lineage["parents"]}
    name = names.get(parents.get("train", ""))
    if name is None or parents.get("people") != parents["train"]:
        raise UserError(
            f"{where} was not trained and tested on one of the sets that are named; name its train_dataset."
        )
    return name, lineage["recipe"]["train_config"] or ""


def _kind_and_seed(config: str) -> tuple[str, int]:
    kind, _, seed = config.rpartition("-s")
    if not kind or not seed.isdigit():
        raise UserError(f"{config!r} is not a train set of prepare_sources.py, which are called <kind>-s<seed>.")
    return kind, int(seed)


def read_kept(folder: Path) -> tuple[pd.DataFrame, list[dict[str, Any]]]:
    """What `write_kept` wrote. Raises UserError where it can't be read."""
    rows = read_rows(folder / PREDICTIONS, ["seed", "score", "loss"])
    try:
        lines = (folder / LINEAGES).read_text("utf-8").splitlines()
        lineages = [
            checked_lineage(json.loads(line), f"{folder / LINEAGES}, line {n}") for n, line in enumerate(lines, 1)
        ]
    except (OSError, ValueError) as error:
        raise UserError(f"{folder / LINEAGES} can't be read: {one_line(error)}.") from None
    if missing := sorted(set(_COLUMNS) - set(rows)):
        raise UserError(f"{folder / PREDICTIONS} has no column {missing[0]}.")
    return rows[_COLUMNS], lineages


def write_kept(folder: Path, rows: pd.DataFrame, lineages: list[dict[str, Any]]) -> None:
    """Write predictions.parquet and lineage.jsonl, without the hashes of single files."""
    table = pa.Table.from_pandas(rows, preserve_index=False).replace_schema_metadata(None)
    pq.write_table(table, folder / PREDICTIONS, compression="zstd", compression_level=19)
    lines = (json_text({**lineage, "files": {}}, indent=None) for lineage in lineages)
    (folder / LINEAGES).write_text("".join(f"{line.strip()}\n" for line in lines), "utf-8")


def trained_sets(rows: pd.DataFrame, lineages: list[dict[str, Any]]) -> Iterator[TrainedSet]:
    """The models by train set, in the order of the lineages.

    Seeds of which a kind has no model are left out. Raises UserError where fewer than two are left, where the models
    of a set were trained otherwise than one another, and where they predicted other rows.
    """
    models = [lineage for lineage in lineages if lineage["artifact_type"] in TYPES]
    for lineage in lineages:
        if lineage["artifact_type"] in TYPES:
            continue
        of_set = [model for model in models if _trained_on(model) == lineage["content_sha256"]]
        by_config = {_kind_and_seed(model["recipe"]["train_config"]): model for model in of_set}
        configs = [name for name in lineage["row_counts"]["units"] if name != TEST]
        wanted = {config: _kind_and_seed(config) for config in configs}
        name = lineage["artifact"]
        missing = [config for config, key in wanted.items() if key not in by_config]
        lacking = {wanted[config][1] for config in missing}
        kinds = list(dict.fromkeys(kind for kind, _ in wanted.values()))
        seeds = sorted({seed for _, seed in wanted.values()} - lacking)
        if len(seeds) < 2:
            why = f"no model of {missing[0]} is there" if missing else "it has one seed"
            raise UserError(f"{name}: {why}; train every kind with two seeds or more.")
        _require_alike(name, of_set)
        yield _set_of(name, lineage, by_config, kinds, seeds, missing, rows[rows["set"] == name])


def _trained_on(model: dict[str, Any]) -> str | None:
    return next((parent["content_sha256"] for parent in model["parents"] if parent["role"] == "train"), None)


def _require_alike(name: str, models: list[dict[str, Any]]) -> None:
    """Raise UserError where models of one set differ in more than their train set and seed."""
    first = models[0]
    for model in models:
        keys = (first["recipe"].keys() | model["recipe"].keys()) - _OWN_KEYS
        other = [key for key in sorted(keys) if first["recipe"].get(key) != model["recipe"].get(key)]
        starts = [[p["content_sha256"] for p in one["parents"] if p["role"] == "start"] for one in (first, model)]
        if other or starts[0] != starts[1]:
            what = other[0] if other else "their start"
            raise UserError(f"{name}: {first['artifact']} and {model['artifact']} differ in {what}; train all alike.")


def _set_of(
    name: str,
    lineage: dict[str, Any],
    models: dict[tuple[str, int], dict[str, Any]],
    kinds: list[str],
    seeds: list[int],
    missing: list[str],
    rows: pd.DataFrame,
) -> TrainedSet:
    parts = {config: part.reset_index(drop=True) for config, part in rows.groupby(["kind", "seed"])}
    test = parts[kinds[0], seeds[0]][["id", "unit", "gold"]]
    score, loss = {}, {}
    for kind in kinds:
        of_kind = [parts[kind, seed] for seed in seeds]
        if not all(part[["id", "unit", "gold"]].equals(test) for part in of_kind):
            raise UserError(f"{name}: the models of {kind} predicted other rows than those of {kinds[0]}.")
        score[kind], loss[kind] = (np.stack([part[name] for part in of_kind]) for name in ("score", "loss"))
    return TrainedSet(name, lineage, models, kinds, seeds, missing, test, score, loss)
