"""The metadata of a dataset folder that decides which rows and labels are read: what its README states, what it holds.

Of the README's metadata these are the keys `configs` and `dataset_info`; the rest describes.
"""

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import yaml
from datasets import DatasetInfo, Features, SplitDict, SplitInfo
from datasets.config import REPOCARD_FILENAME, REPOYAML_FILENAME
from datasets.info import DatasetInfosDict
from huggingface_hub import DatasetCardData, metadata_load

from blindspots.config.errors import UserError, one_line

DECIDING_KEYS = ("configs", "dataset_info")
_UNREADABLE = (OSError, ValueError, TypeError, LookupError, AttributeError, RecursionError, yaml.YAMLError)


def stated_metadata(folder: Path, name: str) -> dict[str, Any]:
    """The deciding keys of README.md, under those of .huggingface.yaml; empty where none is stated.

    Raises UserError where the metadata can't be read; `name` is the folder's for the message.
    """
    readme, other = folder / REPOCARD_FILENAME, folder / REPOYAML_FILENAME
    try:
        stated = (metadata_load(readme) if readme.is_file() else None) or {}
        stated |= (yaml.safe_load(other.read_text("utf-8")) if other.is_file() else None) or {}
    except _UNREADABLE as error:
        raise UserError(f"{name}: the metadata of its README can't be used: {one_line(error)}") from None
    return {key: stated[key] for key in DECIDING_KEYS if stated.get(key)}


def require_written_metadata(folder: Path, name: str) -> None:
    """Raise UserError where an artifact's README does not state the configs and columns that its files have."""
    files = data_files(folder)
    if not files:
        return
    stated = stated_metadata(folder, name)
    try:
        infos = DatasetInfosDict.from_dataset_card_data(DatasetCardData(**stated))
    except _UNREADABLE:
        infos = {}
    columns = {config: info.features for config, info in infos.items()}
    if stated.get("configs") != configs(folder) or columns != {key: _features(found) for key, found in files.items()}:
        raise UserError(
            f"{name}: its README does not state the configs and columns of its files, so that other rows or labels "
            "would be read. Make the artifact again, or take lineage.json out of the folder."
        )


def data_files(folder: Path) -> dict[str, dict[str, list[Path]]]:
    """The parquet files of a dataset artifact by config and split; predictions are a config per test set."""
    found: dict[str, dict[str, list[Path]]] = {}
    for file in sorted(folder.glob("data/*/*.parquet"), key=lambda file: (len(file.parent.name), file)):
        found.setdefault(file.parent.name, {}).setdefault(file.name.split("-")[0], []).append(file)
    return found or {file.stem: {"test": [file]} for file in sorted(folder.glob("predictions/*.parquet"))}


def configs(folder: Path) -> list[dict[str, Any]]:
    """The configs of a dataset artifact, as its README states them."""
    found = data_files(folder)
    default = "full" if "full" in found else next(iter(found), None)
    return [
        {
            "config_name": name,
            "data_files": [
                {"split": split, "path": [file.relative_to(folder).as_posix() for file in files]}
                for split, files in splits.items()
            ],
            **({"default": True} if name == default else {}),
        }
        for name, splits in found.items()
    ]


def statistics(folder: Path) -> DatasetInfosDict:
    """Features, rows and bytes of each config of a dataset artifact."""
    return DatasetInfosDict({name: _statistics(splits) for name, splits in data_files(folder).items()})


def _statistics(splits: dict[str, list[Path]]) -> DatasetInfo:
    """Features, and rows and bytes (uncompressed) of each split, from the parquet files' own metadata."""
    infos = SplitDict()
    for split, files in splits.items():
        parts = [pq.read_metadata(file) for file in files]
        size = sum(part.row_group(group).total_byte_size for part in parts for group in range(part.num_row_groups))
        infos.add(SplitInfo(split, num_bytes=size, num_examples=sum(part.num_rows for part in parts)))
    return DatasetInfo(
        features=_features(splits),
        splits=infos,
        download_size=sum(file.stat().st_size for files in splits.values() for file in files),
        dataset_size=sum(info.num_bytes for info in infos.values()),
    )


def _features(splits: dict[str, list[Path]]) -> Features:
    return Features.from_arrow_schema(pq.read_schema(next(iter(splits.values()))[0]))
