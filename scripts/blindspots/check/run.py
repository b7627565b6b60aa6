"""A check from its first look to its verdict."""

import dataclasses
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from blindspots.artifacts.inputs import Source, fetch
from blindspots.artifacts.lineage import code_commit, versions
from blindspots.artifacts.names import NAME, TAG
from blindspots.audit.run import audit, fetch_sources
from blindspots.audit.write import FILES as AUDIT_FILES
from blindspots.audit.write import write_audit
from blindspots.check import runs
from blindspots.check.explain import Explanation, explain, save_cleaned
from blindspots.check.sequential import HARMS, UNDECIDED, HeadlineVerdict, SequentialTest, overall
from blindspots.check.sets import CheckedSet, read_set, require_known_words, write_copy
from blindspots.config.analysis_recipes import AuditRecipe, CheckRecipe
from blindspots.config.errors import RecipeError, UserError, one_line
from blindspots.config.parser import parse_recipe
from blindspots.config.paths import RECIPES
from blindspots.data.kinds import BIASED, ORIGINAL
from blindspots.data.nli import LABELS
from blindspots.data.nli_datasets import pool_pairs
from blindspots.report.collect import Grid
from blindspots.report.contrasts import ABOVE_ZERO, Pair, Place, Reading, read
from blindspots.report.findings import what_moved

PLANTED = "planted bias"


@dataclasses.dataclass
class SetResult:
    """What is known of one set after a look.

    name, kind: as tables and cells call it. source: the dataset, None for the planted bias.
    verdict: of all its headlines. beside: what is not judged, with 95% intervals of this look alone.
    moved: whether the threshold moved or the ability, in a sentence; empty where no test set tells.
    audit: folder of its audit, None without.
    explained: which rows do the harm, None where that was not asked. cleaned: artifact of the set without them.
    """

    name: str
    kind: str
    source: dict[str, Any] | None = None
    rows: dict[str, int] = dataclasses.field(default_factory=dict)
    verdict: str = UNDECIDED
    headlines: list[HeadlineVerdict] = dataclasses.field(default_factory=list)
    beside: list[Reading] = dataclasses.field(default_factory=list)
    moved: str = ""
    audit: str | None = None
    explained: Explanation | None = None
    cleaned: str | None = None


@dataclasses.dataclass
class CheckResult:
    """A check after a look.

    titles: of the headlines and of what is measured beside them. seeds: of the look. stopped: why no look follows,
    empty while one does.
    """

    recipe: CheckRecipe
    titles: dict[str, str]
    levels: dict[int, float]
    seeds: int
    stopped: str
    sets: list[SetResult]
    planted: SetResult | None
    code_commit: str | None
    versions: dict[str, str] = dataclasses.field(default_factory=versions)

    @property
    def verdict(self) -> str:
        """HARMS where a set does, NO_HARM where none does, else UNDECIDED."""
        return overall(one.verdict for one in self.sets)


def check_recipe(recipe: CheckRecipe) -> None:
    """Raise RecipeError for values that contradict one another, before anything is read."""
    if not (recipe.datasets and recipe.starts):
        raise RecipeError("datasets and starts each need a value.")
    if recipe.looks != sorted(set(recipe.looks)) or not recipe.looks:
        raise RecipeError(f"looks are numbers of seeds that grow, such as [3, 5, 8, 12]; got {recipe.looks}.")
    if recipe.max_seeds and recipe.max_seeds < recipe.looks[0]:
        raise RecipeError(
            f"max_seeds is {recipe.max_seeds}, and the first look has {recipe.looks[0]} seeds; raise it."
        )
    if not 0 < recipe.alpha < 0.5:
        raise RecipeError(f"alpha is the chance of an error, above 0 and below 0.5; got {recipe.alpha}.")
    if (recipe.hub_tag is None) != (recipe.hub_namespace is None):
        raise RecipeError("hub_namespace and hub_tag name a release together; give both or neither.")
    if recipe.hub_tag and not (NAME.fullmatch(recipe.hub_namespace) and TAG.fullmatch(recipe.hub_tag)):
        raise RecipeError("hub_namespace is a name and hub_tag a tag such as v1.0.")
    if recipe.hub_tag and "--config" in (recipe.workflow_arguments or ""):
        raise RecipeError("workflow_arguments: --config may name other inputs than a release has; leave hub_tag out.")
    for name, margin in {"margin": recipe.margin, **recipe.margins}.items():
        if not (isinstance(margin, int | float) and 0 < margin < 1):
            raise RecipeError(f"The margin {name} is above 0 and below 1; got {margin}.")
    for theirs, ours in recipe.label_names.items():
        if ours not in LABELS:
            raise RecipeError(f"label_names maps {theirs} to {ours!r}, which is not one of {', '.join(LABELS)}.")
    runs.check_starts(recipe)
    runs.margins(recipe)


def read_sets(recipe: CheckRecipe) -> list[CheckedSet]:
    """Every dataset of the recipe. Raises UserError as `read_set`, and for two that hold the same rows."""
    sets = [read_set(recipe, dataset) for dataset in recipe.datasets]
    keys = [found.key for found in sets]
    for found in sets:
        if keys.count(found.key) > 1:
            raise UserError(f"{found.source.name} is named twice; keep one.")
    return sets


def prepare(recipe: CheckRecipe, sets: Sequence[CheckedSet]) -> None:
    """Make the original rows, require that the sets are of their language, and write the sets' copies."""
    runs.make_original_rows(recipe)
    original = pool_pairs(fetch(str(runs.original_rows(recipe)), "dataset"))
    for found in sets:
        require_known_words(found, original, recipe.model)
        write_copy(found, runs.cells_folder(recipe) / "sets" / found.key)


def run_check(
    recipe: CheckRecipe, sets: Sequence[CheckedSet], after_look: Callable[[CheckResult], None]
) -> CheckResult:
    """Add seeds look by look until nothing is left to decide or the budget ends.

    Args:
        after_look: called after each look with what is known by then.
    """
    begun, commit = time.monotonic(), code_commit()
    margins = runs.margins(recipe)
    results = [described(found) for found in sets]
    planted = SetResult(PLANTED, BIASED) if recipe.biased else None
    judged = [*results, *([planted] if planted else [])]
    tests = {one.kind: SequentialTest(recipe.looks, margins, recipe.alpha) for one in judged}
    for look, seeds in enumerate(recipe.looks, 1):
        print(f"look {look} of {len(recipe.looks)}: {seeds} seeds", flush=True)
        grid = runs.make_models(recipe, sets, seeds)
        for one in judged:
            judge(one, grid, recipe, tests[one.kind])
        if look == 1 and recipe.audit:
            for one, found in zip(results, sets):
                one.audit = audited(recipe, found)
        minutes = (time.monotonic() - begun) / 60
        titles = {metric.name: metric.title for metric in grid.shown}
        levels = next(iter(tests.values())).levels
        stopped = why_stop(recipe, results, look, minutes)
        result = CheckResult(recipe, titles, levels, seeds, stopped, results, planted, commit)
        after_look(result)
        if stopped:
            break
    return result


def explain_sets(result: CheckResult, sets: Sequence[CheckedSet]) -> None:
    """Fill in which rows of each set do the harm: to the headlines that it harms, or to all where it harms none."""
    for one, found in zip(result.sets, sets):
        print(f"which rows of {found.name} do the harm", flush=True)
        harmed = [line.metric for line in one.headlines if line.verdict == HARMS]
        one.explained, cleaned = explain(result.recipe, found, harmed or list(runs.margins(result.recipe)))
        if cleaned:
            one.cleaned = str(save_cleaned(result.recipe, found, cleaned, one.explained, result.titles))


def described(found: CheckedSet) -> SetResult:
    """A set before the first look."""
    labels = found.pairs["label"][:]
    rows = {"rows": len(found.pairs)} | {name: labels.count(index) for index, name in enumerate(LABELS)}
    return SetResult(found.name, found.kind, identity(found.source), rows | found.left_out)


def identity(source: Source) -> dict[str, Any]:
    """Name, commit and content hash of a dataset."""
    return {"name": source.name} | source.version()


def judge(one: SetResult, grid: Grid, recipe: CheckRecipe, test: SequentialTest) -> None:
    """Fill in what a look says of a set."""
    scores = {
        metric: tuple(runs.seed_means(grid, metric, kind, recipe) for kind in (one.kind, ORIGINAL))
        for metric in test.margins
    }
    one.headlines = test.look(scores)
    for line in one.headlines:
        line.more_seeds = None if line.decided_at else test.more_seeds(line)
    one.verdict = overall(line.verdict for line in one.headlines)
    pairs = [Pair(start, Place(one.kind, recipe.size), Place(ORIGINAL, recipe.size)) for start in recipe.starts]
    readings = [read(grid, metric.name, f"{one.name} - original", pairs, ABOVE_ZERO) for metric in grid.shown]
    known = [reading for reading in readings if reading.estimate is not None]
    one.beside = [reading for reading in known if reading.metric not in test.margins]
    one.moved = what_moved(known)


def why_stop(recipe: CheckRecipe, results: Sequence[SetResult], look: int, minutes: float) -> str:
    """Why no look follows this one; empty where one does.

    Args:
        look: number of the look, from 1. minutes: since the check began.
    """
    if all(one.verdict != UNDECIDED for one in results) and (
        recipe.stop_at_verdict or all(line.decided_at for one in results for line in one.headlines)
    ):
        return "each dataset has a verdict" if recipe.stop_at_verdict else "every headline has a verdict"
    if look == len(recipe.looks):
        return "it was the last look"
    done, following = recipe.looks[look - 1], recipe.looks[look]
    if recipe.max_seeds and following > recipe.max_seeds:
        return f"the next look has {following} seeds, more than max_seeds"
    if recipe.max_minutes and minutes * following / done > recipe.max_minutes:
        return f"the next look would end after about {minutes * following / done:.0f} minutes, more than max_minutes"
    return ""


def audited(recipe: CheckRecipe, found: CheckedSet) -> str | None:
    """Audit a set against the original rows, once; returns the folder, or None after a line that says why."""
    folder = runs.cells_folder(recipe) / "audits" / f"{found.key}-{runs.start_name(recipe)}"
    copy, original = runs.cells_folder(recipe) / "sets" / found.key, runs.original_rows(recipe)
    judge_model = Path("outputs", recipe.model, "models", runs.start_name(recipe)) if max(recipe.starts) else "null"
    file = RECIPES / recipe.model / "audit.yaml"
    flags = {"dataset": copy, "reference": original, "label_model": judge_model, "output_dir": folder}
    argv = [str(file)] if file.is_file() else []
    argv += [word for key, value in flags.items() for word in (f"--{key}", str(value))]
    try:
        if not all((folder / name).is_file() for name in AUDIT_FILES):
            print(f"audit of {found.name}", flush=True)
            (settings,) = parse_recipe(AuditRecipe, argv=argv)
            write_audit(folder, audit(settings, fetch_sources(settings)))
    except UserError as why:
        print(one_line(f"{found.name} is not audited: {why}"))
        return None
    return str(folder)


def exit_code(verdict: str) -> int:
    """What a CI job can gate on: 0 no harm, 1 harm, 3 undecided."""
    return {HARMS: 1, UNDECIDED: 3}.get(verdict, 0)
