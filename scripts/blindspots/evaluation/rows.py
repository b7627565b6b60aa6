"""Files of predicted rows, checked where they are read, whoever wrote them."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from blindspots.config.errors import UserError, one_line
from blindspots.data.row_ids import repeated
from blindspots.data.test_sets import SLICES, test_set


def read_rows(file: Path, numbers: Sequence[str]) -> pd.DataFrame:
    """Every column of a parquet file: `numbers` as they are, the others as text, empty where there is no value.

    Raises UserError for a file that can't be read or has no rows, and for a column that is missing, is there twice or
    holds something else.
    """
    try:
        table = pq.read_table(file).replace_schema_metadata(None)  # pandas would take a column for its index
    except (OSError, pa.ArrowException) as error:
        raise UserError(f"{file} can't be read: {one_line(error)}") from None
    if (twice := repeated(table.column_names)) is not None:
        raise UserError(f"{file} has two columns {twice}.")
    if not table.num_rows:
        raise UserError(f"{file} has no rows.")
    columns = {}
    for name in (*numbers, *(name for name in table.column_names if name not in numbers)):
        column = _column(table, name, file)
        is_number = pa.types.is_integer(column.type) or pa.types.is_floating(column.type)
        is_text = pa.types.is_string(column.type) or pa.types.is_large_string(column.type)
        if not (is_number if name in numbers else is_text):
            wanted = "numbers" if name in numbers else "text"
            raise UserError(f"{file}: column {name} holds {column.type} in place of {wanted}.")
        columns[name] = column.to_numpy() if name in numbers else column.fill_null("").to_pylist()
    return pd.DataFrame(columns)


def _column(table: pa.Table, name: str, file: Path) -> pa.ChunkedArray:
    """A column; one of text may be encoded as a dictionary, and one without a value counts as text."""
    if name not in table.column_names:
        raise UserError(f"{file} has no column {name}; it has {', '.join(table.column_names)}.")
    column = table[name]
    if pa.types.is_dictionary(column.type) or pa.types.is_null(column.type):
        column = column.cast(column.type.value_type if pa.types.is_dictionary(column.type) else pa.string())
    return column


def check_rows(rows: pd.DataFrame, name: str, where: Path) -> None:
    """Raise UserError where rows are not those of a test set: its columns, ids that tell them apart, its labels.

    Also for a slice with a value that the test set does not allow, and for a test set that is not in
    recipes/test_sets.
    """
    found = test_set(name)
    for column in ("id", "gold", "cluster", *SLICES, *found.slices):
        if column not in rows:
            raise UserError(f"{where} has no column {column} of {name}; it has {', '.join(rows.columns)}.")
    ids = rows["id"].tolist()
    if not all(text.strip() for text in ids):
        raise UserError(f"{where}: a row of {name} has no id.")
    if (twice := repeated(ids)) is not None:
        raise UserError(f"{where}: row {twice!r} of {name} is there twice.")
    for column, allowed in {"gold": found.labels, **found.allowed}.items():
        for row, value in zip(ids, rows[column]):
            if value not in allowed:
                raise UserError(f"{where}, row {row!r} of {name}: {column} {value!r} is not {', '.join(allowed)}.")
