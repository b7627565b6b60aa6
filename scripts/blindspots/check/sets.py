"""The rows of a dataset under check: read, checked, and copied under a name that tells them from all others."""

import re
from dataclasses import dataclass
from pathlib import Path

from datasets import Dataset

from blindspots.artifacts.inputs import Source, fetch
from blindspots.artifacts.output_dir import whole_folder
from blindspots.config.analysis_recipes import CheckRecipe
from blindspots.config.errors import UserError
from blindspots.data.augmentation import label_shares
from blindspots.data.heuristics import words
from blindspots.data.nli import CONTRADICTION, ENTAILMENT, LABELS, NEUTRAL
from blindspots.data.nli_datasets import label_values, nli_pairs, read_split, require_columns, with_our_columns
from blindspots.data.row_ids import note
from blindspots.data.test_set_rows import rows_sha256

# Other names of our labels, taken where no label_names are given; a line says so.
OTHER_NAMES = {
    **dict.fromkeys(("e", "entailed", "entails", "entail"), ENTAILMENT),
    **dict.fromkeys(("n", "neutrality"), NEUTRAL),
    **dict.fromkeys(("c", "contradictory", "contradicts", "contradict"), CONTRADICTION),
}
# Share of a set's words that original rows must have. English sets have most; a set of another language hardly any.
KNOWN_WORDS = 0.5


@dataclass(frozen=True)
class CheckedSet:
    """A dataset under check.

    name: as tables call it. key: the same and a hash of the rows, its name in a grid's `external`.
    pairs: rows of PAIR_FEATURES. left_out: how many rows are not among them, by reason.
    """

    name: str
    key: str
    source: Source
    pairs: Dataset
    left_out: dict[str, int]

    @property
    def kind(self) -> str:
        """Its augmentation kind."""
        return f"external_{self.key}"


def read_set(recipe: CheckRecipe, dataset: str) -> CheckedSet:
    """Read and check a dataset. Raises UserError for a row or a column that is not understood, or too few rows."""
    source = fetch(dataset, "dataset")
    where = source.name if source.path.is_file() else f"{source.name} {recipe.dataset_split}"
    rows = with_named_columns(read_split(source, recipe.dataset_split, recipe.dataset_config), recipe, where)
    rows = rows.remove_columns("label").add_column("label", named_labels(rows, recipe.label_names, where))
    left_out: dict[str, int] = {}
    pairs = nli_pairs(rows, where, row_counts=left_out)
    require_size(pairs, recipe.size, where)
    name = source.path.name.partition(".")[0] if source.revision is None else source.name.rpartition("/")[2]
    return CheckedSet(name, key_of(name, pairs), source, pairs, left_out)


def key_of(name: str, pairs: Dataset) -> str:
    """A name with a hash of the rows: other rows have another one."""
    digest = rows_sha256(pairs, [LABELS[label] for label in pairs["label"]])
    return f"{re.sub(r'[^a-zA-Z0-9_]+', '_', name)}_{digest[:8]}"


def with_named_columns(rows: Dataset, recipe: CheckRecipe, where: str) -> Dataset:
    """The rows with the columns that the recipe names under our names. Raises UserError for one that is not there."""
    for ours in ("premise", "hypothesis", "label"):
        theirs = getattr(recipe, f"{ours}_column")
        if theirs != ours:
            require_columns(rows, [theirs], where)
            rows = rows.remove_columns(ours) if ours in rows.column_names else rows
            rows = rows.rename_column(theirs, ours)
    rows = with_our_columns(rows, where)
    for ours in ("premise", "hypothesis", "label"):
        if ours not in rows.column_names:
            there = ", ".join(rows.column_names)
            raise UserError(f"{where} has no column {ours}; it has {there}. Name the {ours}'s with --{ours}_column.")
    return rows


def named_labels(rows: Dataset, given: dict[str, str], where: str) -> list[str | None]:
    """The label of each row, by our name where it is known; what is unknown or missing stays as it is.

    Raises UserError for numbers without names.
    """
    texts = [value if value is None else str(value).strip().lower() for value in label_values(rows)]
    names = {str(theirs).strip().lower(): ours for theirs, ours in given.items()}
    numbers = sorted({text for text in texts if text and text.isdigit()} - names.keys())
    if numbers:
        raise UserError(
            f"{where}: labels are numbers, such as {numbers[0]}; say what they mean, as in --label_names "
            "'{0: entailment, 1: neutral, 2: contradiction}'."
        )
    guessed = {text: OTHER_NAMES[text] for text in texts if not given and text in OTHER_NAMES}
    if guessed:
        note(f"{where}: {', '.join(f'label {theirs} is taken as {ours}' for theirs, ours in guessed.items())}.")
    known = names | guessed
    return [known.get(text, text) for text in texts]


def require_size(pairs: Dataset, size: int, where: str) -> None:
    """Raise UserError where no set of `size` different pairs, equally many of each label, can be drawn."""
    different = pairs.select_columns(["premise", "hypothesis", "label"]).to_pandas()
    counts = different.drop_duplicates(["premise", "hypothesis"])["label"].value_counts()
    for label, (name, wanted) in enumerate(zip(LABELS, label_shares(size))):
        if (there := int(counts.get(label, 0))) < wanted:
            possible = 3 * min(int(counts.get(other, 0)) for other in range(len(LABELS)))
            what_to_do = f"Pass --size {possible} or less, or more rows." if possible else "Add rows of that label."
            raise UserError(
                f"{where} has {there} different rows of {name}; models are tuned on {size} rows, {wanted} of them of "
                f"this label. {what_to_do}"
            )


def require_known_words(found: CheckedSet, original: Dataset, recipe: str) -> None:
    """Raise UserError where most words of a set never occur in the original rows, as in a set of another language."""
    known = {word for column in ("premise", "hypothesis") for text in original[column] for word in words(text, True)}
    own = [word for column in ("premise", "hypothesis") for text in found.pairs[column] for word in words(text, True)]
    share = sum(word in known for word in own) / max(1, len(own))
    if share < KNOWN_WORDS:
        raise UserError(
            f"{found.source.name}: {1 - share:.0%} of its words never occur in the original rows of the model "
            f"{recipe}, so that its models could not read it. Name another recipe, such as "
            "recipes/check/smollm2-135m.yaml."
        )


def write_copy(found: CheckedSet, folder: Path) -> None:
    """Write the pairs as a dataset folder, once: its name says which rows it holds."""
    if folder.is_dir():
        return
    with whole_folder(folder, "checked copy", lambda _: None) as new:
        (new / "data").mkdir()
        found.pairs.to_parquet(new / "data/train-00000-of-00001.parquet")
