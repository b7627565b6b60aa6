"""The rows of one split of a dataset folder or file. Whatever reads data reads it here."""

import glob
import os
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from datasets import ClassLabel, Dataset, NamedSplit, load_dataset
from datasets.exceptions import DatasetsError

from blindspots.artifacts.inputs import Source
from blindspots.config.errors import UserError, one_line
from blindspots.data.data_files import BINARY_ENDINGS, KNOWN, DataFolder
from blindspots.data.text_files import TEXT_ENDINGS, ending, joined, read_text_file

# Given to `datasets`, whose own number, that of a file's first row group, may be 0.
BATCH_ROWS = 10_000
LFS_POINTER = b"version https://git-lfs.github.com/spec/"


def load_split(
    source: Source, name: str, split: str, config: str | None, cache: str, keep_in_memory: bool = False
) -> Dataset:
    """Every row of a split: parquet and arrow through `datasets` and its cache, text through `read_text_file`.

    Args:
        source: a folder, or a file, which is the split that is asked for.
        name: of the source, for messages.

    Raises UserError where config or split is not there or has no rows, where a README names files outside its folder,
    where a file is broken or does not hold rows, and where a label has no name.
    """
    arguments = {"split": split, "cache_dir": cache, "keep_in_memory": keep_in_memory}
    path = Path(os.path.abspath(source.path))  # a relative one may be the name of a builder, such as json
    if path.is_file():
        if config:
            raise UserError(f"{name} is a file and so the split {split} itself; it has no config {config}.")
        return _load_file(path, name, split, arguments)
    folder = DataFolder.read(path, name, config)
    files = {file: f"{name}: {file.relative_to(path)}" for file in folder.files(split)}
    for file, where in files.items():
        _require_whole(file, where)
    if any(ending(file) in TEXT_ENDINGS for file in files):
        folder.require_known_keys()
        return _as_stated(_dataset(files, split), folder, split)
    wanted = f"config {config}, split {split}" if config else f"split {split}"
    if _all_parquet(files):
        _require_stated_rows(folder, split, _require_rows(files, split))
        arguments["batch_size"] = BATCH_ROWS
    return _load(name, wanted, str(path), config, **arguments)


def _load_file(file: Path, name: str, split: str, arguments: Mapping) -> Dataset:
    _require_whole(file, name)
    if ending(file) in TEXT_ENDINGS:
        return _dataset({file: name}, split)
    if ending(file) not in BINARY_ENDINGS:
        raise UserError(f"{name} is none of {KNOWN}. Name a file of fields between tabs .tsv.")
    if _all_parquet({file: name}):
        _require_rows({file: name}, split)
    return _load(
        name, f"split {split}", BINARY_ENDINGS[ending(file)], data_files={split: glob.escape(str(file))}, **arguments
    )


def _load(name: str, wanted: str, *arguments, **keys) -> Dataset:
    """`load_dataset`, with its errors as UserError, and labels that have a name each."""
    try:
        dataset = load_dataset(*arguments, **keys)
    except FileNotFoundError as error:
        raise UserError(f"{name} has no {wanted}: {one_line(error)}") from None
    except (DatasetsError, pa.ArrowException) as error:
        raise UserError(f"{name}, {wanted}: can't be read: {one_line(error.__cause__ or error)}") from None
    except (ValueError, RuntimeError) as error:
        if "corresponds to no data" in str(error):
            raise UserError(f"{name}: {wanted} has no rows.") from None
        raise UserError(f"{name} has no {wanted}: {one_line(error)}") from None
    except Exception as error:  # whatever a file's metadata leads the library into
        raise UserError(f"{name}, {wanted}: can't be read: {type(error).__name__}: {one_line(error)}") from None
    _require_names(dataset, f"{name}, {wanted}")
    return dataset


def _require_names(dataset: Dataset, where: str) -> None:
    """Raise UserError for a number of a ClassLabel that has no name; -1 is a missing label.

    `datasets` compares the numbers of text files with the names, and not those of parquet and arrow files.
    """
    for column, feature in dataset.features.items():
        if not isinstance(feature, ClassLabel):
            continue
        found = pc.min_max(dataset.data.column(column)).as_py()
        for value in filter(None, found.values()):
            if not -1 <= value < feature.num_classes:
                raise UserError(
                    f"{where}: {column} {value} has no name; the names are {', '.join(feature.names)}, of the numbers "
                    f"0 to {feature.num_classes - 1}. Correct the rows, or the names in the README."
                )


def _all_parquet(files: Mapping[Path, str]) -> bool:
    return bool(files) and all(ending(file) == ".parquet" for file in files)


def _require_rows(files: Mapping[Path, str], split: str) -> int:
    """The rows of parquet files. Raises UserError where there are none."""
    count = sum(pq.read_metadata(file).num_rows for file in files)
    if not count:
        raise UserError(f"{', '.join(files.values())}: split {split} has no rows.")
    return count


def _require_stated_rows(folder: DataFolder, split: str, count: int) -> None:
    """Raise UserError where a split has another number of rows than the README states."""
    stated = (folder.info.splits or {}).get(split)
    if stated and stated.num_examples and stated.num_examples != count:
        raise UserError(
            f"{folder.name}, split {split}: {count} rows, but its README states {stated.num_examples}. Fetch the "
            "files again, or correct the README."
        )


def _require_whole(file: Path, where: str) -> None:
    """Raise UserError for a file that is empty, not fetched or, for parquet, not written to its end."""
    try:
        with file.open("rb") as stream:
            start = stream.read(len(LFS_POINTER))
        if ending(file) == ".parquet" and start and start != LFS_POINTER:
            pq.read_metadata(file)
    except (OSError, pa.ArrowException) as error:
        raise UserError(f"{where} can't be read: {one_line(error)}") from None
    if not start:
        raise UserError(f"{where} is empty.")
    if start == LFS_POINTER:
        raise UserError(f"{where} is a pointer of Git LFS in place of the file. Fetch it with git lfs pull.")


def _dataset(files: Mapping[Path, str], split: str) -> Dataset:
    """The rows of text files, one below the other. Raises UserError where they have not the same columns."""
    tables = {where: read_text_file(file, where) for file, where in files.items()}
    first, columns = next((where, table.column_names) for where, table in tables.items())
    for where, table in tables.items():
        if set(table.column_names) != set(columns):
            raise UserError(f"{where} has columns {', '.join(table.column_names)}; {first} has {', '.join(columns)}.")
    return Dataset(joined((table.select(columns) for table in tables.values()), first), split=NamedSplit(split))


def _as_stated(dataset: Dataset, folder: DataFolder, split: str) -> Dataset:
    """The dataset with the label names that the README states.

    Raises UserError for a label that is not among them, and for another number of rows than the README states.
    """
    _require_stated_rows(folder, split, len(dataset))
    for column, feature in folder.features.items():
        if isinstance(feature, ClassLabel) and column in dataset.column_names:
            try:
                dataset = dataset.cast_column(column, feature)
            except (ValueError, TypeError, pa.ArrowException) as error:
                raise UserError(f"{folder.name}, split {split}, column {column}: {one_line(error)}") from None
    return dataset
