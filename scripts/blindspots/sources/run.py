"""A comparison as a whole: reads the rows, asks every question of their type, and says why where one has no answer."""

from datetime import UTC, datetime
from types import ModuleType
from typing import Any

from blindspots.artifacts.inputs import Source, fetch
from blindspots.artifacts.lineage import code_commit, hardware, versions
from blindspots.audit.run import answer, identity
from blindspots.config.errors import RecipeError
from blindspots.config.source_recipes import (
    DIALOGUES,
    FREE_TEXT,
    INSTRUCTIONS,
    PREFERENCES,
    TASK_LABELS,
    CompareRecipe,
)
from blindspots.data.source_rows import read_rows, units, without_unit
from blindspots.sources import dialogues, free_text, instructions, labels, preferences

MODULES: dict[str, ModuleType] = {
    TASK_LABELS: labels,
    PREFERENCES: preferences,
    INSTRUCTIONS: instructions,
    DIALOGUES: dialogues,
    FREE_TEXT: free_text,
}
SETTINGS = ("row_filter", "unit", "human", "inverted", "resamples", "seed")


def fetch_source(recipe: CompareRecipe) -> Source:
    """The recipe's dataset. Raises UserError where it is not there."""
    return fetch(recipe.dataset, "dataset", recipe.dataset_revision)


def compare(recipe: CompareRecipe, source: Source) -> dict[str, Any]:
    """Compare the sources of a dataset; the result is what comparison.json holds.

    A section without an answer holds {"not_computed": why}, as in an audit.
    Raises UserError where the rows can't be read, or do not fit the recipe; RecipeError for a published number of
    something that is not measured.
    """
    module = MODULES[recipe.data_type]
    rows = read_rows(recipe, source, module.columns(recipe))
    of_rows = {
        "rows": len(rows),
        "units": len(set(units(rows, recipe.unit).tolist())),
        "rows_without_unit": without_unit(rows, recipe.unit),
    }
    questions = module.questions(recipe, rows)
    sections = {name: answer(name, question) for name, question in questions.sections.items()}
    claims = list(questions.claims())
    known = [claim.published_as for claim in claims]
    if unknown := sorted(recipe.published.keys() - set(known)):
        raise RecipeError(f"published names {unknown[0]!r}; these data can give {', '.join(known) or 'nothing'}.")
    return {
        "data_type": recipe.data_type,
        "title": recipe.title,
        "dataset": {**identity(source), "split": recipe.dataset_split, **of_rows},
        "licence": recipe.licence,
        "limits": recipe.limits,
        "settings": {key: getattr(recipe, key) for key in SETTINGS if getattr(recipe, key)},
        "code_commit": code_commit(),
        "date": datetime.now(UTC).date().isoformat(),
        "hardware": hardware(),
        "versions": versions(),
        "sections": sections,
        "claims": [claim.record() for claim in claims],
    }
