"""Rows that a model is trained on or that people decided: labelled texts, and pairs of which one text was chosen."""

from collections.abc import Sequence

from datasets import ClassLabel, Dataset

from blindspots.config.errors import UserError
from blindspots.data.nli import one_line
from blindspots.data.nli_datasets import require_columns, require_text
from blindspots.data.row_ids import as_text, repeated, row_ids

FIRST, SECOND = CHOSEN = ("first", "second")
# Config and split of people's test set in a dataset of prepare_sources.py.
TEST = "test"


def labelled_texts(dataset: Dataset, columns: Sequence[str], where: str) -> Dataset:
    """Rows as id, unit, text and label, a ClassLabel of the dataset's own names.

    Args:
        columns: of the text, one or two; two texts stand on two lines, each without line breaks of its own.
        where: name of the dataset, for messages.

    Raises UserError for another number of columns, one that is not there, a label without a name, names that a saved
    model could not tell apart, and an empty text.
    """
    if len(columns) not in (1, 2):
        raise UserError(f"text_columns names {len(columns)} columns; name one or two.")
    require_columns(dataset, (*columns, "label"), where)
    names, labels = _label_names(dataset, where)
    parts = [_texts(dataset, column, where) for column in columns]
    texts = ["\n".join(map(one_line, row)) if len(row) > 1 else row[0] for row in zip(*parts)]
    made = Dataset.from_dict({**_ids_and_units(dataset, where), "text": texts, "label": labels})
    return made.cast_column("label", ClassLabel(names=names))


def _label_names(dataset: Dataset, where: str) -> tuple[list[str], list[int]]:
    """The names of the labels, in order, and the place of each row's label among them."""
    feature, values = dataset.features["label"], dataset["label"][:]
    if isinstance(feature, ClassLabel):
        names = feature.names
    elif getattr(feature, "dtype", "") in ("string", "large_string"):
        names = sorted({value for value in values if value})
        values = [names.index(value) if value else None for value in values]
    else:
        raise UserError(f"{where}: labels have no names; give the column a ClassLabel feature.")
    for row, value in enumerate(values):
        if value is None or value < 0:
            raise UserError(f"{where}, row {row}: the label is missing. Correct or drop the row.")
    if len(names) < 2:
        raise UserError(f"{where}: every row has the label {names[0]}; there is nothing to learn.")
    _require_apart(names, where)
    return list(names), values


def _require_apart(names: Sequence[str], where: str) -> None:
    """Raise UserError for names with spaces around them, and for two that differ only in case.

    The labels of a model are read in any case, without such spaces.
    """
    known: dict[str, str] = {}
    for name in names:
        if name != name.strip():
            raise UserError(f"{where}: the label {name!r} has white space around it; write it without.")
        other = known.setdefault(name.lower(), name)
        if other != name:
            raise UserError(f"{where}: the labels {other!r} and {name!r} differ only in case; write them alike.")


def prompted_texts(dataset: Dataset, where: str) -> Dataset:
    """Rows as id, unit, prompt and completion. Raises UserError for a missing column and an empty text."""
    require_columns(dataset, ("prompt", "completion"), where)
    texts = {name: _texts(dataset, name, where) for name in ("prompt", "completion")}
    return Dataset.from_dict({**_ids_and_units(dataset, where), **texts})


def chosen_texts(dataset: Dataset, where: str) -> Dataset:
    """Rows as prompt (where there is one), chosen and rejected, as RewardTrainer takes them.

    Raises UserError for a missing column and an empty text.
    """
    return _with_prompt(dataset, ("chosen", "rejected"), where)


def decided_pairs(dataset: Dataset, where: str) -> Dataset:
    """Rows as id, unit, prompt (where there is one), text_1, text_2 and label, the name of the text that was chosen.

    Raises UserError for a missing column, another label than CHOSEN, and an empty text.
    """
    require_columns(dataset, ("label",), where)
    names, labels = _label_names(dataset, where)
    if unknown := sorted(set(names) - set(CHOSEN)):
        raise UserError(f"{where}: the label {unknown[0]!r} is not {FIRST} or {SECOND}.")
    rows = _with_prompt(dataset, ("text_1", "text_2"), where)
    for name, values in {**_ids_and_units(dataset, where), "label": [names[label] for label in labels]}.items():
        rows = rows.add_column(name, values)
    return rows


def _with_prompt(dataset: Dataset, columns: Sequence[str], where: str) -> Dataset:
    require_columns(dataset, columns, where)
    there = [name for name in ("prompt", *columns) if name in dataset.column_names]
    return Dataset.from_dict({name: _texts(dataset, name, where) for name in there})


def _texts(dataset: Dataset, column: str, where: str) -> list[str]:
    require_text(dataset, where, [column])
    return dataset[column][:]


def _ids_and_units(dataset: Dataset, where: str) -> dict[str, list[str]]:
    """Ids, and units, which are the ids where the dataset has no column unit."""
    rows = range(len(dataset))
    ids = row_ids(dataset["id"][:] if "id" in dataset.column_names else None, rows, where)
    if (twice := repeated(ids)) is not None:
        raise UserError(f"{where}: id {twice} occurs more than once; ids must tell the rows apart.")
    units = list(map(as_text, dataset["unit"])) if "unit" in dataset.column_names else ids
    return {"id": ids, "unit": units}
