"""The rows of a test set, checked against its file in recipes/test_sets."""

import hashlib
import json
from collections.abc import Sequence

from datasets import Dataset

from blindspots.artifacts.inputs import Source, fetch
from blindspots.config.errors import UserError
from blindspots.config.test_set_keys import TestSetSources
from blindspots.data.nli_datasets import (
    NO_LABEL,
    label_names,
    labelled_rows,
    read_split,
    require_columns,
    require_text,
    with_our_columns,
)
from blindspots.data.row_ids import as_text, repeated, row_ids
from blindspots.data.test_sets import SLICES, TestSet, named_test_sets


def test_set_sources(recipe: TestSetSources) -> dict[str, Source]:
    """The datasets of a recipe's test sets, by name."""
    return {found.name: test_set_source(recipe, found) for found in named_test_sets(recipe)}


def test_set_source(recipe: TestSetSources, test_set: TestSet) -> Source:
    """The dataset of a test set: what the recipe's key names, else that of the test set's file, at its commit."""
    name, revision = getattr(recipe, test_set.key), getattr(recipe, f"{test_set.key}_revision")
    if name in (None, test_set.dataset):
        name, revision = test_set.dataset, revision or test_set.revision
    return fetch(name, "dataset", revision)


def read_test_set(test_set: TestSet, source: Source, expected_rows: int | None = None) -> Dataset:
    """The rows of a test set: id, premise, hypothesis, gold (a name), cluster and slice columns, all as text.

    The slice columns are SLICES and those of the set; one that the source does not have is empty.

    Args:
        expected_rows: rows that the source must have in place of the test set's own number.

    Raises UserError where a column is missing, none of those that tell clusters is there, a label or a slice has a
    value that the set does not allow, a text is empty, an id occurs twice, or the rows are not those that the test
    set's file states.
    """
    own = source.revision is not None and source.name == test_set.dataset
    split = read_split(source, test_set.split, test_set.config if own else None)
    where = f"{source.name} {test_set.split}"
    rows = _with_columns_of(test_set, split, where)
    require_columns(rows, ("premise", "hypothesis", "label", *_needed_columns(test_set)), where)
    gold = label_names(rows, (*test_set.labels, NO_LABEL), where, test_set.label_names)
    kept = labelled_rows(rows["label"], gold, where, drop_missing=test_set.unlabelled == "drop")
    gold, rows = [gold[row] for row in kept], rows.select(kept)
    _require_rows(test_set, rows, gold, where, expected_rows, own)
    require_text(rows, where, numbers=kept)
    _require_allowed(test_set, rows, where, kept)
    has_ids = "id" in rows.column_names and "id" in test_set.columns
    ids = row_ids(rows["id"] if has_ids else None, kept, where, test_set.id_prefix)
    if (twice := repeated(ids)) is not None:
        raise UserError(f"{where}: id {twice} occurs more than once; ids must tell the rows apart.")
    columns = {"id": ids, "premise": rows["premise"], "hypothesis": rows["hypothesis"], "gold": gold}
    slices = dict.fromkeys([*SLICES, *test_set.slices])
    texts = {name: _text(rows, name) if name in test_set.slices else [""] * len(rows) for name in slices}
    return Dataset.from_dict(columns | texts | {"cluster": _clusters(test_set, rows, where)})


def _with_columns_of(test_set: TestSet, rows: Dataset, where: str) -> Dataset:
    """The rows with the columns that the test set's file names under our names, where they are there."""
    for ours, theirs in test_set.columns.items():
        if ours != theirs and theirs in rows.column_names:
            rows = rows.remove_columns(ours) if ours in rows.column_names else rows
            rows = rows.rename_column(theirs, ours)
    return with_our_columns(rows, where)


def _needed_columns(test_set: TestSet) -> list[str]:
    """Slice columns that headlines, checked values or the drawing of a part need."""
    used = {column for headline in test_set.shown for column in headline.slice} | test_set.allowed.keys()
    used |= {test_set.stratify}
    return [column for column in test_set.slices if column in used]


def _require_rows(
    test_set: TestSet, rows: Dataset, gold: list[str], where: str, expected_rows: int | None, own: bool
) -> None:
    """Raise UserError where the rows are not as many, or not the same, as the test set's file states.

    Another source may have another number of rows unless the set is strict; the hash is of the set's own dataset.
    """
    wanted = expected_rows or (test_set.rows if own or test_set.strict_rows else len(rows))
    if len(rows) != wanted:
        raise UserError(
            f"{where} has {len(rows)} rows where {test_set.title} has {wanted}; it is another file or a broken one."
        )
    if own and test_set.sha256 and (found := rows_sha256(rows, gold)) != test_set.sha256:
        raise UserError(
            f"{where} holds other rows than {test_set.name}.yaml states (sha256 {found}); it is another version or a "
            "broken file."
        )


def rows_sha256(rows: Dataset, gold: Sequence[str]) -> str:
    """sha256 of premise, hypothesis and label name of every row, as one JSON list per line, in order."""
    digest = hashlib.sha256()
    for row in zip(rows["premise"], rows["hypothesis"], gold):
        digest.update((json.dumps(row, ensure_ascii=False) + "\n").encode())
    return digest.hexdigest()


def _require_allowed(test_set: TestSet, rows: Dataset, where: str, numbers: Sequence[int]) -> None:
    """Raise UserError for another value of a slice, by the number of its row in the file."""
    for column, allowed in test_set.allowed.items():
        for row, value in zip(numbers, rows[column]):
            if as_text(value) not in allowed:
                raise UserError(f"{where}, row {row}: {column} {value!r} is not one of {', '.join(allowed)}.")


def _text(rows: Dataset, column: str) -> list[str]:
    """A column as text; empty where it is not there or holds no value."""
    if column not in rows.column_names:
        return [""] * len(rows)
    return [as_text(value) for value in rows[column]]


def _clusters(test_set: TestSet, rows: Dataset, where: str) -> list[str]:
    """What rows of a cluster share, by the first of the set's cluster columns that is there.

    A row without a value is a cluster of its own, and so is every row of a set that names no column. Raises UserError
    where the columns that it names are not there: rows that depend on one another would pass for independent ones.
    """
    if not test_set.cluster:
        return list(map(str, range(len(rows))))
    named = [test_set.cluster] if isinstance(test_set.cluster, str) else test_set.cluster
    renamed = {theirs: ours for ours, theirs in test_set.columns.items()}
    ours = [renamed.get(column, column) for column in named]
    column = next((column for column in ours if column in rows.column_names), None)
    if column is None:
        raise UserError(
            f"{where} has no column {' or '.join(named)}, by which rows of {test_set.title} belong together; it has "
            f"{', '.join(rows.column_names)}. Add the column, or correct cluster in {test_set.name}.yaml (null: rows "
            "stand alone)."
        )
    return [value if value.strip() else f"row {row} without {column}" for row, value in enumerate(_text(rows, column))]


def stratified(dataset: Dataset, rows: int | None, column: str) -> Dataset:
    """A part of `rows` rows with the shares of `column` kept, in the old order; all rows where rows is None.

    The part is the same for every model (seed 0). Raises UserError where the dataset is smaller, or has too
    few rows of a value of the column.
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
