"""NLI datasets from a Hub snapshot or a folder, checked row by row, with labels by name."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from datasets import ClassLabel, Dataset, Features, Value, load_dataset

from blindspots.errors import UserError
from blindspots.nli import HANS_LABELS, LABELS
from blindspots.sources import Source

HEURISTICS = ("lexical_overlap", "subsequence", "constituent")
PAIR_FEATURES = Features(
    {
        "id": Value("string"),
        "premise": Value("string"),
        "hypothesis": Value("string"),
        "label": ClassLabel(names=list(LABELS)),
    }
)
# As SNLI's and MNLI's own files and WANLI's call the column where it is not `label`.
OTHER_LABEL_COLUMNS = ("gold_label", "gold")
# MNLI writes no gold label as -1 on the Hub and as "-" in the original files.
NO_LABEL = "-"


def read_split(source: Source, split: str, config: str | None = None) -> Dataset:
    """Load one split of a dataset folder into memory. Raises UserError where the config or split is not there.

    The library's cache knows a folder by its path, not by its content: it would return a former artifact's rows.
    """
    with TemporaryDirectory() as cache:
        try:
            return load_dataset(str(source.path), config, split=split, cache_dir=cache, keep_in_memory=True)
        except (ValueError, FileNotFoundError) as error:
            named = f"config {config}, split {split}" if config else f"split {split}"
            raise UserError(f"{source.name} has no {named}: {' '.join(str(error).split())[:300]}") from None


def require_columns(dataset: Dataset, columns: Sequence[str], where: str) -> None:
    """Raise UserError naming the first missing column and those that are there."""
    for column in columns:
        if column not in dataset.column_names:
            raise UserError(f"{where} has no column {column}; it has {', '.join(dataset.column_names)}.")


def require_text(dataset: Dataset, where: str) -> None:
    """Raise UserError where a premise or a hypothesis is not text or is empty, naming the first such row."""
    for column in ("premise", "hypothesis"):
        for row, text in enumerate(dataset[column]):
            if not isinstance(text, str) or not text.strip():
                raise UserError(f"{where}, row {row}: the {column} is empty or no text. Mend or drop the row.")


def label_names(dataset: Dataset, allowed: Sequence[str], where: str) -> list[str]:
    """The label of each row by name, whatever the order of the ClassLabel.

    Raises UserError for numbers without names and for a name that is not allowed.
    """
    feature = dataset.features["label"]
    values = dataset["label"]
    if isinstance(feature, ClassLabel):
        names = [NO_LABEL if value is None or value < 0 else feature.names[value] for value in values]
    elif feature.dtype in ("string", "large_string"):
        names = [NO_LABEL if value in (None, "") else value.strip().lower() for value in values]
    else:
        raise UserError(f"{where}: labels are {feature.dtype} without names; give the column a ClassLabel feature.")
    for row, name in enumerate(names):
        if name not in allowed:
            raise UserError(f"{where}, row {row}: label {name!r} is not one of {', '.join(allowed)}.")
    return names


def nli_pairs(dataset: Dataset, where: str, unlabelled: bool = False) -> Dataset:
    """Rows as PAIR_FEATURES: id, premise, hypothesis, label (0 entailment, 1 neutral, 2 contradiction).

    Args:
        dataset: any NLI dataset; its `id`, else its `pairID`, else the row number becomes the id. The label is in
            `label`, else in one of OTHER_LABEL_COLUMNS.
        where: name of the dataset, for messages.
        unlabelled: leave rows without a gold label out instead of refusing them.

    Raises UserError for a missing column, an unknown label or an empty text.
    """
    other = next((column for column in OTHER_LABEL_COLUMNS if column in dataset.column_names), None)
    if other and "label" not in dataset.column_names:
        dataset = dataset.rename_column(other, "label")
    require_columns(dataset, ("premise", "hypothesis", "label"), where)
    names = label_names(dataset, (*LABELS, NO_LABEL) if unlabelled else LABELS, where)
    id_column = next((column for column in ("id", "pairID") if column in dataset.column_names), None)
    ids = [str(value) for value in (dataset[id_column] if id_column else range(len(dataset)))]
    labelled = [row for row, name in enumerate(names) if name in LABELS]
    dataset = dataset.select(labelled)
    require_text(dataset, where)
    return Dataset.from_dict(
        {
            "id": [ids[row] for row in labelled],
            "premise": dataset["premise"],
            "hypothesis": dataset["hypothesis"],
            "label": [LABELS.index(names[row]) for row in labelled],
        },
        features=PAIR_FEATURES,
    )


def pool_pairs(source: Source, config: str | None = None) -> Dataset:
    """The train rows of a prepared or raw synthetic dataset of ours (config full), or of a set made elsewhere."""
    ours = (source.path / "lineage.json").is_file()
    return nli_pairs(read_split(source, "train", config or ("full" if ours else None)), source.name)


def mnli_test(source: Source) -> Dataset:
    """MNLI matched for evaluation: id, premise, hypothesis, gold, genre, cluster (the premise), heuristic, subcase.

    The last two are empty; they are HANS's.
    """
    split = read_split(source, "validation_matched")
    where = f"{source.name} validation_matched"
    pairs = nli_pairs(split, where)
    count = len(pairs)
    return Dataset.from_dict(
        {
            "id": pairs["id"],
            "premise": pairs["premise"],
            "hypothesis": pairs["hypothesis"],
            "gold": [LABELS[label] for label in pairs["label"]],
            "genre": split["genre"] if "genre" in split.column_names else [""] * count,
            "cluster": [str(value) for value in split["promptID" if "promptID" in split.column_names else "premise"]],
            "heuristic": [""] * count,
            "subcase": [""] * count,
        }
    )


def hans_test(source: Source, expected_rows: int) -> Dataset:
    """HANS for evaluation, in the columns of `mnli_test`; id is ex<row>, as in the official file.

    Raises UserError where the split has another number of rows, another heuristic or label, or a missing column.
    """
    split = read_split(source, "validation")
    where = f"{source.name} validation"
    require_columns(split, ("premise", "hypothesis", "label", "heuristic", "subcase"), where)
    if len(split) != expected_rows:
        raise UserError(
            f"{where} has {len(split)} rows where HANS has {expected_rows}; it is another file or a broken one."
        )
    require_text(split, where)
    for row, heuristic in enumerate(split["heuristic"]):
        if heuristic not in HEURISTICS:
            raise UserError(f"{where}, row {row}: heuristic {heuristic!r} is not one of {', '.join(HEURISTICS)}.")
    return Dataset.from_dict(
        {
            "id": [f"ex{row}" for row in range(len(split))],
            "premise": split["premise"],
            "hypothesis": split["hypothesis"],
            "gold": label_names(split, HANS_LABELS, where),
            "genre": [""] * len(split),
            "cluster": split["subcase"],
            "heuristic": split["heuristic"],
            "subcase": split["subcase"],
        }
    )


def stratified(dataset: Dataset, rows: int | None, column: str) -> Dataset:
    """A part of `rows` rows with the shares of `column` kept, in the old order; all rows where rows is None.

    The part is the same for every model (seed 0). Raises UserError where the dataset is smaller, or has too
    few rows of a kind.
    """
    if rows is None or rows == len(dataset):
        return dataset
    if rows > len(dataset):
        raise UserError(f"{rows} rows are wanted for evaluation, the test set has {len(dataset)}.")
    from sklearn.model_selection import train_test_split

    try:
        part, _ = train_test_split(range(len(dataset)), train_size=rows, stratify=dataset[column], random_state=0)
    except ValueError as error:
        raise UserError(f"No part of {rows} rows can keep the shares of {column}: {error}.") from None
    return dataset.select(sorted(part))


def write_configs(folder: Path, configs: dict[str, dict[str, Dataset]]) -> dict[str, dict[str, int]]:
    """Write each config's splits as parquet below folder/data in the Hub's layout; returns the row counts."""
    for config, splits in configs.items():
        for split, dataset in splits.items():
            file = folder / "data" / config / f"{split}-00000-of-00001.parquet"
            file.parent.mkdir(parents=True, exist_ok=True)
            dataset.to_parquet(file)
    return {config: {split: len(rows) for split, rows in splits.items()} for config, splits in configs.items()}
