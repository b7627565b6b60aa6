"""A comparison as a whole: reads the rows, asks every question of their type, and says why where one has no answer."""

from datetime import UTC, datetime
from pathlib import PurePath
from types import ModuleType
from typing import Any

from blindspots.artifacts.inputs import Source, fetch
from blindspots.artifacts.lineage import code_commit, hardware, versions
from blindspots.audit.findings import NotComputedError
from blindspots.audit.run import answer, identity
from blindspots.config.errors import RecipeError, UserError
from blindspots.config.source_recipes import (
    DIALOGUES,
    FREE_TEXT,
    INSTRUCTIONS,
    PREFERENCES,
    TASK_LABELS,
    CompareRecipe,
    defaults,
)
from blindspots.data.source_rows import read_rows, units, without_unit
from blindspots.sources import dialogues, free_text, instructions, labels, preferences
from blindspots.sources.claims import Claim, Questions

MODULES: dict[str, ModuleType] = {
    TASK_LABELS: labels,
    PREFERENCES: preferences,
    INSTRUCTIONS: instructions,
    DIALOGUES: dialogues,
    FREE_TEXT: free_text,
}
# Keys of a recipe that the page shows elsewhere, or that say where things are.
SHOWN_ELSEWHERE = frozenset("output_dir data_type title dataset dataset_revision licence limits published".split())
# Further inputs of a recipe, and what they are.
INPUTS = {"reference": "dataset", "test_set": "dataset", "lexicon": "dataset", "formality_model": "model"}


def fetch_source(recipe: CompareRecipe) -> Source:
    """The recipe's dataset. Raises UserError where it is not there."""
    return fetch(recipe.dataset, "dataset", recipe.dataset_revision)


def compare(recipe: CompareRecipe, source: Source) -> dict[str, Any]:
    """Compare the sources of a dataset; the result is what comparison.json holds.

    A section without an answer holds {"not_computed": why}, as in an audit.
    Raises UserError where the rows can't be read, or do not fit the recipe; RecipeError for a published number of
    something that is not measured.
    """
    commit, module = code_commit(), MODULES[recipe.data_type]
    rows = read_rows(recipe, source, module.columns(recipe))
    n_units = len(set(units(rows, recipe.unit).tolist()))
    if n_units < 2:
        raise UserError(f"{source.name}: all rows are one unit of {', '.join(recipe.unit)}; intervals need several.")
    questions = module.questions(recipe, rows)
    sections = {name: answer(name, question) for name, question in questions.sections.items()}
    of_rows = {"rows": len(rows), "units": n_units, "rows_without_unit": without_unit(rows, recipe.unit)}
    return {
        "data_type": recipe.data_type,
        "title": recipe.title,
        "dataset": {**identity(source), "split": recipe.dataset_split, **of_rows},
        "inputs": {key: identity(one) for key, one in further_inputs(recipe).items()},
        "licence": recipe.licence,
        "limits": recipe.limits,
        "settings": settings(recipe),
        "code_commit": commit,
        "date": datetime.now(UTC).date().isoformat(),
        "hardware": hardware(),
        "versions": versions(),
        "sections": sections,
        "claims": [claim.record() for claim in decided(recipe, questions)],
    }


def decided(recipe: CompareRecipe, questions: Questions) -> list[Claim]:
    """The claims; none where what they need could not be computed, as the sections say.

    Raises RecipeError for a published number of something that is not measured.
    """
    try:
        claims = list(questions.claims())
    except NotComputedError:
        return []
    known = [claim.published_as for claim in claims if claim.published_as]
    if unknown := sorted(recipe.published.keys() - set(known)):
        raise RecipeError(f"published names {unknown[0]!r}; these data can give {', '.join(known) or 'nothing'}.")
    return claims


def further_inputs(recipe: CompareRecipe) -> dict[str, Source]:
    """The inputs of a recipe beside its dataset, by key."""
    named = {key: getattr(recipe, key) for key in INPUTS}
    return {
        key: fetch(name, INPUTS[key], getattr(recipe, f"{key}_revision", None)) for key, name in named.items() if name
    }


def settings(recipe: CompareRecipe) -> dict[str, Any]:
    """The keys that are not at their default, as JSON holds them."""
    values = {name: value for name, value in vars(recipe).items() if name not in SHOWN_ELSEWHERE}
    return {name: _shown(name, value) for name, value in values.items() if value != defaults(recipe)[name]}


def _shown(key: str, value: Any) -> Any:
    """A value with text for keys; an input elsewhere on the machine goes by the last part of its path."""
    if isinstance(value, dict):
        return {str(name): item for name, item in value.items()}
    if key in INPUTS and value.startswith(("/", ".", "~")):
        return PurePath(value).name
    return value
