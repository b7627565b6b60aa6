"""NLI datasets from a Hub snapshot or a folder, checked row by row, with labels by name."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from datasets import ClassLabel, Dataset, Features, Value

from blindspots.artifacts.inputs import Source
from blindspots.config.errors import UserError
from blindspots.data.nli import LABELS
from blindspots.data.reading import load_split
from blindspots.data.row_ids import note, repeated, row_ids

PAIR_FEATURES = Features(
    {
        "id": Value("string"),
        "premise": Value("string"),
        "hypothesis": Value("string"),
        "label": ClassLabel(names=list(LABELS)),
    }
)
# As the files of GLUE, SNLI, MNLI and HANS and those of WANLI call them, where a file has no column of our name.
OTHER_COLUMNS = {
    "premise": ("sentence1", "text1"),
    "hypothesis": ("sentence2", "text2"),
    "label": ("gold_label", "gold"),
}
# MNLI writes no gold label as -1 on the Hub and as "-" in the original files.
NO_LABEL = "-"


def read_split(source: Source, split: str, config: str | None = None) -> Dataset:
    """Load one split of a dataset folder or file into memory. Raises UserError as `load_split` does.

    The library's cache knows a folder by its path, not by its content: it would return a former artifact's rows.
    """
    with TemporaryDirectory() as cache:
        return load_split(source, source.name, split, config, cache, keep_in_memory=True)


def require_columns(dataset: Dataset, columns: Sequence[str], where: str) -> None:
    """Raise UserError naming the first missing column and those that are there."""
    for column in columns:
        if column not in dataset.column_names:
            raise UserError(f"{where} has no column {column}; it has {', '.join(dataset.column_names)}.")


def require_text(
    dataset: Dataset,
    where: str,
    columns: Sequence[str] = ("premise", "hypothesis"),
    numbers: Sequence[int] | None = None,
) -> None:
    """Raise UserError where a value of the columns is not text or is empty, naming the first such row.

    Args:
        numbers: of the rows in their file, where others of it are left out.
    """
    numbers = range(len(dataset)) if numbers is None else numbers
    for column in columns:
        for row, text in zip(numbers, dataset[column]):
            if not isinstance(text, str) or not text.strip():
                raise UserError(f"{where}, row {row}: the {column} is empty or not text. Correct or drop the row.")


def label_values(dataset: Dataset) -> list[Any]:
    """The label of each row as it is there; of a ClassLabel its name, None where there is none."""
    feature, values = dataset.features["label"], dataset["label"]
    if isinstance(feature, ClassLabel):
        return [None if value is None or value < 0 else feature.names[value] for value in values]
    return list(values)


def label_names(
    dataset: Dataset, allowed: Sequence[str], where: str, names: Mapping[Any, str] | None = None
) -> list[str]:
    """The label of each row by name, in any case, whatever the order of the ClassLabel.

    Args:
        names: the dataset's label -> ours, where they differ.

    Raises UserError for numbers without names, for true and false, and for a name that is not allowed.
    """
    feature = dataset.features["label"]
    dtype = getattr(feature, "dtype", "struct")
    values = label_values(dataset)
    known = {str(theirs).strip().lower(): ours for theirs, ours in (names or {}).items()}
    if not isinstance(feature, ClassLabel) and (
        dtype == "bool" or (dtype not in ("string", "large_string") and not known)
    ):
        raise UserError(f"{where}: labels are {dtype} without names; give the column a ClassLabel feature.")
    found = [NO_LABEL if value in (None, "", -1, "-1") else str(value).strip().lower() for value in values]
    found = [known.get(name, name) for name in found]
    for row, name in enumerate(found):
        if name not in allowed:
            raise UserError(f"{where}, row {row}: label {name!r} is not one of {', '.join(allowed)}.")
    return found


def with_our_columns(dataset: Dataset, where: str, wanted: Iterable[str] = tuple(OTHER_COLUMNS)) -> Dataset:
    """The dataset with its OTHER_COLUMNS under our names, where it has no column of these; says which are taken.

    Args:
        wanted: our names, of the columns that may be taken.
    """
    there = set(dataset.column_names)
    others = {ours: next(filter(there.__contains__, OTHER_COLUMNS[ours]), None) for ours in wanted}
    taken = {other: ours for ours, other in others.items() if other and ours not in there}
    if taken:
        note(f"{where}: {', '.join(f'{other} is taken as the {ours}' for other, ours in taken.items())}.")
    return dataset.rename_columns(taken)


def nli_pairs(
    dataset: Dataset, where: str, unlabelled: bool = False, row_counts: dict[str, Any] | None = None
) -> Dataset:
    """Rows as PAIR_FEATURES: id, premise, hypothesis, label (0 entailment, 1 neutral, 2 contradiction).

    Args:
        dataset: any NLI dataset; its `id`, else its `pairID` becomes the id, and the row number where these are not
            there or do not tell the rows apart. Texts and labels may be in OTHER_COLUMNS.
        where: name of the dataset, for messages.
        unlabelled: leave rows whose label is missing out instead of refusing them. A label that is `-`, as writers
            have no agreed label in SNLI and MNLI, is always left out.
        row_counts: gets the number of rows that are left out.

    Raises UserError for a missing column, an unknown label or an empty text.
    """
    dataset = with_our_columns(dataset, where)
    require_columns(dataset, ("premise", "hypothesis", "label"), where)
    names = label_names(dataset, (*LABELS, NO_LABEL), where)
    id_column = next((column for column in ("id", "pairID") if column in dataset.column_names), None)
    labelled = labelled_rows(dataset["label"], names, where, unlabelled)
    if row_counts is not None and len(labelled) < len(names):
        row_counts["without label"] = len(names) - len(labelled)
    dataset = dataset.select(labelled)
    require_text(dataset, where, numbers=labelled)
    ids = row_ids(dataset[id_column] if id_column else None, labelled, where)
    if (twice := repeated(ids)) is not None:
        note(f"{where}: id {twice} occurs more than once, so that all rows go by their number.")
        ids = list(map(str, labelled))
    return Dataset.from_dict(
        {
            "id": ids,
            "premise": dataset["premise"],
            "hypothesis": dataset["hypothesis"],
            "label": [LABELS.index(names[row]) for row in labelled],
        },
        features=PAIR_FEATURES,
    )


def labelled_rows(values: Sequence[Any], names: list[str], where: str, drop_missing: bool) -> list[int]:
    """Numbers of the rows that have a label; says how many have none.

    Args:
        values: labels as the dataset has them.
        names: the same by name.
        drop_missing: leave rows whose label is missing out, not only those that state that they have none.

    Raises UserError for a label that is missing.
    """
    for row, (value, name) in enumerate(zip(values, names)):
        if name == NO_LABEL and value != NO_LABEL and not drop_missing:
            raise UserError(f"{where}, row {row}: the label is missing. Correct or drop the row.")
    labelled = [row for row, name in enumerate(names) if name != NO_LABEL]
    if len(labelled) < len(names):
        note(f"{where}: {len(names) - len(labelled)} of {len(names)} rows have no gold label and are left out.")
    return labelled


def pool_pairs(source: Source, config: str | None = None, row_counts: dict[str, Any] | None = None) -> Dataset:
    """The train rows of a prepared or raw synthetic dataset of ours (config full), or of a set made elsewhere.

    Errors and `row_counts` as in `nli_pairs`.
    """
    ours = (source.path / "lineage.json").is_file()
    rows = read_split(source, "train", config or ("full" if ours else None))
    return nli_pairs(rows, source.name, row_counts=row_counts)


def write_configs(folder: Path, configs: dict[str, dict[str, Dataset]]) -> dict[str, dict[str, int]]:
    """Write each config's splits as parquet below folder/data in the Hub's layout; returns the row counts."""
    for config, splits in configs.items():
        for split, dataset in splits.items():
            file = folder / "data" / config / f"{split}-00000-of-00001.parquet"
            file.parent.mkdir(parents=True, exist_ok=True)
            dataset.to_parquet(file)
    return {config: {split: len(rows) for split, rows in splits.items()} for config, splits in configs.items()}
