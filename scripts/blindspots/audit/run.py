"""The audit as a whole: opens the sets, asks every question, and says why where one has no answer."""

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from blindspots.artifacts.inputs import Source, fetch
from blindspots.artifacts.lineage import code_commit, versions
from blindspots.audit import balance, classify, duplicates, text
from blindspots.audit.findings import NotComputedError, Section
from blindspots.audit.matching import matched
from blindspots.audit.rows import Columns, Rows, opened, shown_name
from blindspots.audit.tally import Tally, tally
from blindspots.config.analysis_recipes import AuditRecipe
from blindspots.config.errors import RecipeError, UserError, one_line

# role -> (key of the recipe, split), of the sets that rows may have leaked from.
LEAKAGE = {
    "MNLI train": ("mnli", "train"),
    "MNLI dev": ("mnli", "validation_matched"),
    "HANS": ("hans", "validation"),
}
SETTINGS = ("match_labels", "sample_rows", "self_bleu_texts", "near_threshold", "top_ngrams", "seed")
FAILED = "failed"


def fetch_sources(recipe: AuditRecipe) -> dict[str, Source]:
    """Every input that the recipe names, by its key.

    Raises UserError for one that is not there, and for a file in place of a dataset that is read in several splits.
    """
    repo_types = dict.fromkeys(("dataset", "reference", "mnli", "hans"), "dataset") | {"label_model": "model"}
    named = {role: getattr(recipe, role) for role in repo_types}
    sources = {
        role: fetch(name, repo_types[role], getattr(recipe, f"{role}_revision"))
        for role, name in named.items()
        if name
    }
    looked_for = [role for role, _ in LEAKAGE.values()]
    for role, source in sources.items():
        if source.path.is_file() and looked_for.count(role) > 1:
            raise UserError(
                f"{role} is the file {source.name}, and would be read as each of {role}'s splits; name a folder."
            )
    return sources


def check(recipe: AuditRecipe) -> None:
    """Raise RecipeError for a threshold that is not a share."""
    if not 0 < recipe.near_threshold <= 1:
        raise RecipeError(f"near_threshold is a share above 0 and at most 1; got {recipe.near_threshold}.")


def columns(recipe: AuditRecipe, prefix: str = "") -> Columns:
    """How the dataset's (prefix "") or the reference's ("reference_") columns and labels are named."""
    names = (getattr(recipe, f"{prefix}{key}_column") for key in ("premise", "hypothesis", "label"))
    return Columns(*names, getattr(recipe, f"{prefix}label_names"))


def audit(recipe: AuditRecipe, sources: dict[str, Source]) -> dict[str, Any]:
    """Audit a dataset; the result is what audit.json holds.

    A section without an answer holds {"not_computed": why}; where an unexpected error is why, `failed` is true too.
    Raises UserError where dataset or reference can't be read or hold no pair of texts, and where labels can't be
    matched.
    """
    commit = code_commit()  # of the code that runs, whatever is checked out meanwhile
    with ExitStack() as stack:
        sets = {}
        for role, prefix in (("dataset", ""), ("reference", "reference_")):
            split, config = getattr(recipe, f"{role}_split"), getattr(recipe, f"{role}_config")
            name = f"{shown_name(sources[role])} {split}"
            sets[role] = stack.enter_context(opened(sources[role], name, split, columns(recipe, prefix), config))
        whole = {role: len(rows) for role, rows in sets.items()}
        if recipe.match_labels:
            sets["dataset"] = matched(sets["dataset"], sets["reference"], recipe.seed)
        counts, other = (tally(rows) for rows in sets.values())
        samples = [rows.sample(recipe.sample_rows, recipe.seed) for rows in sets.values()]
        questions: dict[str, Callable[[], Section]] = {
            "comparability": lambda: text.comparability(*samples, (counts.name, other.name)),
            "labels": lambda: balance.label_balance(counts, other, recipe.seed),
            "heuristics": lambda: balance.heuristics(counts, other),
            "lengths": lambda: balance.lengths(counts, other),
            "overlap": lambda: balance.overlap(counts, other),
            "diversity": lambda: text.diversity(*samples, recipe.self_bleu_texts),
            "duplicates": lambda: find_duplicates(recipe, sources, sets, samples),
            "hypothesis only": lambda: classify.hypothesis_only(*samples, counts, other, recipe.seed),
            "n-grams": lambda: text.label_ngrams(*samples, counts, other, recipe.top_ngrams),
            "label noise": lambda: classify.label_noise(*samples, counts, recipe, sources.get("label_model")),
            "malformed": lambda: balance.malformed(counts, other),
        }
        sections = {name: answer(name, question) for name, question in questions.items()}
    return {
        "dataset": described(sources["dataset"], counts, whole["dataset"]),
        "reference": described(sources["reference"], other, whole["reference"]),
        "looked for in": {role: identity(sources[role]) for role in ("mnli", "hans") if role in sources},
        "settings": {key: getattr(recipe, key) for key in SETTINGS},
        "code_commit": commit,
        "versions": versions(),
        "sections": sections,
    }


def answer(name: str, question: Callable[[], Section]) -> dict[str, Any]:
    """The record of a section, or why there is none: one question that fails takes no other with it."""
    try:
        return question().record()
    except (NotComputedError, UserError) as why:
        return {"not_computed": str(why)}
    except Exception as error:
        print(one_line(f"{name}: {type(error).__name__}: {error}"))
        return {"not_computed": f"an unexpected {type(error).__name__}: {error}", FAILED: True}


def find_duplicates(recipe: AuditRecipe, sources: dict[str, Source], sets: dict[str, Rows], samples: list) -> Section:
    """Fingerprint the set, the reference and the sets that rows may have leaked from."""
    near = [duplicates.NearIndex(sample, recipe.near_threshold) for sample in samples]
    own = [duplicates.fingerprints(rows, index, same_set=True) for rows, index in zip(sets.values(), near)]
    others, notes = {}, []
    for name, (role, split) in LEAKAGE.items():
        try:
            if role not in sources:
                raise NotComputedError(f"name it with {role}")
            with opened(sources[role], f"{shown_name(sources[role])} {split}", split, Columns()) as rows:
                others[name] = duplicates.fingerprints(rows, near[0], same_set=False)
        except (NotComputedError, UserError) as why:
            notes.append(f"In {name}: not computed: {why}")
    section = duplicates.section(*own, others, tuple(near))
    section.notes += notes
    return section


def identity(source: Source) -> dict[str, str | None]:
    """Name, Hub commit and content hash of an input."""
    return {"name": shown_name(source)} | source.version()


def described(source: Source, counts: Tally, whole: int) -> dict[str, Any]:
    """An audited set: what it is, its split, its rows, and how many of its `whole` rows these are."""
    return {
        **identity(source),
        "split": counts.name.rsplit(" ", 1)[1],
        "rows": counts.read,
        **({} if counts.read == whole else {"of_rows": whole}),
        "usable_rows": counts.usable,
        "labels": counts.labels,
    }
