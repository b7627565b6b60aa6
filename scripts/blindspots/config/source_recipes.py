"""The keys of the scripts on data that people and models made, of one of five types."""

from __future__ import annotations

import dataclasses
from typing import Any

from blindspots.config.errors import RecipeError
from blindspots.config.recipes import ArtifactRecipe, key, seed_key

TASK_LABELS, PREFERENCES, INSTRUCTIONS, DIALOGUES, FREE_TEXT = DATA_TYPES = (
    "task_labels",
    "preferences",
    "instructions",
    "dialogues",
    "free_text",
)
LABELLED = (TASK_LABELS, PREFERENCES)
FIELDS = {"instruction": "instruction", "input": "input", "output": "output"}
WITH_SOURCES = (*LABELLED, FREE_TEXT)


def typed(types: tuple[str, ...], help: str, *arguments: Any, **limits: Any) -> Any:
    """A `key` that only some types of data have."""
    field = key(f"{help} ({', '.join(types)})", *arguments, **limits)
    field.metadata = {**field.metadata, "types": types}
    return field


@dataclasses.dataclass(kw_only=True)
class CompareRecipe:
    """First-order comparison of what people and models labelled, preferred, instructed, said or wrote."""

    output_dir: str = key("folder of the comparison, replaced whole")
    data_type: str = key("what the data are", choices=DATA_TYPES)
    title: str | None = key("how the page calls the data, by default by the dataset's name", None)
    dataset: str = key("dataset to compare the sources of, a Hub id, folder or file")
    dataset_config: str | None = key("config of dataset", None)
    dataset_revision: str | None = key("commit or tag of dataset", None)
    dataset_split: str = key("split of dataset", "train")
    row_filter: dict[str, Any] = key("use rows with this value, or one of these, such as {dataset: SBIC}", {})
    unit: list[str] = key(
        "columns of what rows share, such as a text or a question: rows that share a value of any are one unit, and "
        "intervals are by unit; by default each row is one",
        [],
    )
    human: str = key("name of the source that is people", "human")
    published: dict[str, float] = key("numbers of the paper, by the name of what they measure on the page", {})
    licence: str = key("licence of the data, as the page states it", "unknown")
    limits: list[str] = key("what a reader must know of these data, a sentence each", [])
    resamples: int = key("resamples of a bootstrap", 2000, minimum=100)
    seed: int = key("seed of the samples and resamples", 0)

    sources: dict[str, str] = typed(WITH_SOURCES, "source: its column, people's among them", {})
    codes: dict[str, str] = typed(LABELLED, "code: its label, such as {0: no, 1: yes}; labels in this order", {})
    missing_codes: list[int | str] = typed(LABELLED, "codes that stand for no label; they are counted", [])
    ordered: bool = typed((TASK_LABELS,), "whether the labels are in order, for ordinal distances too", False)
    inverted: list[str] = typed(
        LABELLED, "sources whose codes are read in reverse order, since they were published so; both are shown", []
    )

    text_columns: list[str] = typed(
        (PREFERENCES,), "columns of the two texts; with points the column of the one text", ["text_1", "text_2"]
    )
    points: bool = typed(
        (PREFERENCES,),
        "whether sources give points to one text per row; the texts of a unit are paired, more is better",
        False,
    )
    item: list[str] = typed(
        (PREFERENCES,), "columns that name a pair where it has several rows, such as judgments", []
    )
    repeated: list[str] = typed((PREFERENCES,), "sources whose one choice of an item stands on each of its rows", [])
    position: bool = typed((PREFERENCES,), "whether the order of the texts is the one that was shown", True)
    cues: dict[str, Any] = typed(
        (PREFERENCES,), "further cues: name: [column of the first text, of the second], with points one column", {}
    )
    lexicon: str | None = typed((PREFERENCES,), "words with weights, a Hub id, folder or file", None)
    lexicon_filter: dict[str, Any] = typed((PREFERENCES,), "rows of lexicon to use, such as {style: sentiment}", {})
    lexicon_columns: list[str] = typed((PREFERENCES,), "columns of lexicon: word, weight", ["word", "weight"])

    reference: str | None = typed((INSTRUCTIONS,), "people's instructions, a Hub id, folder or file", None)
    reference_config: str | None = typed((INSTRUCTIONS,), "config of reference", None)
    reference_revision: str | None = typed((INSTRUCTIONS,), "commit or tag of reference", None)
    reference_split: str = typed((INSTRUCTIONS,), "split of reference", "train")
    machine: str = typed((INSTRUCTIONS,), "name of the model that wrote dataset", "model")
    fields: dict[str, str] = typed((INSTRUCTIONS,), "instruction, input (if there is one) and output: column", FIELDS)
    reference_fields: dict[str, str] = typed((INSTRUCTIONS,), "the same of reference", FIELDS)
    test_set: str | None = typed((INSTRUCTIONS,), "instructions that must not be in dataset, a Hub id or file", None)
    test_set_revision: str | None = typed((INSTRUCTIONS,), "commit or tag of test_set", None)
    test_set_split: str = typed((INSTRUCTIONS,), "split of test_set", "test")
    test_set_fields: dict[str, str] = typed((INSTRUCTIONS,), "instruction and input of test_set: column", FIELDS)
    annotated: dict[str, Any] = typed((INSTRUCTIONS,), "set: [rows with errors, rows], as read for the paper", {})
    self_bleu_texts: int = typed((INSTRUCTIONS,), "texts of one group of self-BLEU", 100, minimum=2)
    near_threshold: float = typed(
        (INSTRUCTIONS,), "Jaccard share of words and word pairs from which on a text is a near duplicate", 0.7
    )
    show_texts: bool = typed((INSTRUCTIONS, DIALOGUES), "whether the page may show texts of the data", True)

    turns_column: str = typed((DIALOGUES,), "column of the turns of a dialogue, a list of texts", "turns")
    roles_column: str = typed((DIALOGUES,), "column of who says each turn, a list of names", "roles")
    prompt_column: str | None = typed((DIALOGUES,), "column of what the dialogue is about, such as a puzzle", None)
    success_column: str | None = typed((DIALOGUES,), "column of whether the dialogue succeeded, 0 or 1", None)
    size_pattern: str | None = typed((DIALOGUES,), "pattern with one group: the size of a task in its prompt", None)
    role_keywords: dict[str, str] = typed((DIALOGUES,), "role: a word that its turns must hold, as in CAMEL", {})
    end_token: str | None = typed((DIALOGUES,), "text that ends a dialogue, in place of a keyword", None)
    judged: dict[str, Any] = typed(
        (DIALOGUES,), "digressing and other: [successes, dialogues] as the paper judged them", {}
    )

    group_columns: list[str] = typed(
        (FREE_TEXT,), "columns whose values are compared separately, such as the model", []
    )
    shared_prefix: bool = typed(
        (FREE_TEXT,), "strip what the texts of a row start with in common, such as a prompt", False
    )
    cut_to_length: bool = typed(
        (FREE_TEXT,), "whether one text was cut to the other's length, which says nothing then", False
    )
    formality_model: str | None = typed((FREE_TEXT,), "classifier of formality, a Hub id or folder", None)
    formality_model_revision: str | None = typed((FREE_TEXT,), "commit or tag of formality_model", None)
    formality_label: str = typed((FREE_TEXT,), "label of formality_model that is formal", "formal")


@dataclasses.dataclass(kw_only=True)
class PrepareSourcesRecipe(ArtifactRecipe):
    """Draw train sets from a set of several sources, and the rows of people that models are tested on."""

    source_set: str = key("recipe of compare_sources.py that says what the rows, units, sources and codes are")
    text_columns: list[str] = key("columns of the text to classify, one or two (task_labels)", ["text"])
    prompt_columns: list[str] = key("columns of what the two texts answer, if any (preferences)", [])
    label_column: str = key("column of the label (free_text)", "label")
    people_filter: dict[str, Any] = key(
        "rows of people's own texts to train on, such as {split: train} (free_text)", {}
    )
    test_filter: dict[str, Any] = key("rows of people's own texts to test on (free_text)", {})
    people_column: str = key("column of people's own texts (free_text)", "text")
    machines: list[str] = key("sources to train on beside people; by default all", [])
    train_rows: int | None = key("rows of each train set (all but instructions)", None, minimum=2)
    train_tokens: int | None = key("tokens of each train set (instructions)", None, minimum=2)
    tokenizer: str | None = key("model whose tokens are counted, a Hub id or folder (instructions)", None)
    longest: int = key("longest row to train on, in tokens (instructions)", 256, minimum=1)
    test_output: str = key("column of people's answers in the test_set of source_set (instructions)", "output")
    train_units: int | None = key("units of each train set; by default as many as its rows need", None, minimum=2)
    test_rows: int = key("rows of people's test set", minimum=2)
    test_units: int | None = key("units of people's test set; by default as many as its rows need", None, minimum=2)
    split_by: str = key(
        "unit: no unit of a train set is in the test set; row: as published, where it may be", "unit", ("unit", "row")
    )
    published: float | None = key("the paper's difference in accuracy, trained on a model minus on people", None)
    limits: list[str] = key("what a reader must know of what is trained on these sets, a sentence each", [])
    seeds: list[int] = seed_key("seeds of the train sets; the test set is the same for all", [0, 1, 2])
    test_seed: int = seed_key("seed of the test set", 0)


@dataclasses.dataclass(kw_only=True)
class ReportSourcesRecipe:
    """What became of models that were trained on people's and on models' data, from their predictions alone."""

    output_dir: str = key("folder of the report; an earlier report there is replaced whole")
    models: str | None = key("folder that holds one model artifact per train set", None)
    sets: list[str] = key("train sets, artifacts of prepare_sources.py, in the order of the report", [])
    kept: str | None = key("folder of an earlier report, to be made again from its predictions.parquet", None)


def check_recipe(recipe: CompareRecipe) -> None:
    """Raise RecipeError for a key that the recipe's type of data does not have."""
    for field in dataclasses.fields(recipe):
        types = field.metadata.get("types", DATA_TYPES)
        if recipe.data_type not in types and getattr(recipe, field.name) != defaults(recipe)[field.name]:
            named = " or ".join(types)
            raise RecipeError(f"{field.name} has no effect: data_type is {recipe.data_type}, not {named}.")


def is_count(value: Any) -> bool:
    """Whether a value is [how many of them, how many in all]."""
    if not (isinstance(value, list) and len(value) == 2 and all(type(one) is int for one in value)):
        return False
    return 0 <= value[0] <= value[1] and value[1] > 0


def defaults(recipe: CompareRecipe) -> dict[str, Any]:
    """The default of every key that has one; of a required key None."""
    found = {}
    for field in dataclasses.fields(recipe):
        missing = dataclasses.MISSING
        default = None if field.default is missing else field.default
        found[field.name] = default if field.default_factory is missing else field.default_factory()
    return found
