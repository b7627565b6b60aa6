"""Sections on dialogues that models made: rates of faults, how well they are found, success by size of the task."""

import re
from collections.abc import Iterator
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from blindspots.audit.findings import Finding, NotComputedError, Section
from blindspots.audit.findings import share as plain_share
from blindspots.config.errors import RecipeError, UserError
from blindspots.config.source_recipes import CompareRecipe, is_count
from blindspots.data.dialogues import Dialogue
from blindspots.data.source_rows import as_texts, units
from blindspots.evaluation.agreement import Measure, mean, share
from blindspots.evaluation.unit_statistics import unit_interval
from blindspots.sources.claims import Claim, Questions
from blindspots.sources.faults import DIGRESSION, FLIP, Fault, calibration, faults

FEWEST_TURNS = 3
SHOWN_TURNS = 5
JUDGED = ("digressing", "other")
BY_SIZE_ALONE = "largest difference by size alone"


def columns(recipe: CompareRecipe) -> list[str]:
    """The columns that the rows must have. Raises RecipeError for keys that do not fit one another."""
    if recipe.size_pattern is not None:
        if recipe.prompt_column is None:
            raise RecipeError("size_pattern needs prompt_column: the size of a task is read from its prompt.")
        if _groups(recipe.size_pattern) != 1:
            raise RecipeError(f"size_pattern must have one group, the size; got {recipe.size_pattern!r}.")
    if recipe.judged and (recipe.judged.keys() != set(JUDGED) or not all(map(is_count, recipe.judged.values()))):
        raise RecipeError(f"judged must hold {' and '.join(JUDGED)}, each [successes, dialogues].")
    named = (recipe.prompt_column, recipe.success_column)
    return [recipe.turns_column, recipe.roles_column, *(column for column in named if column)]


def _groups(pattern: str) -> int:
    """How many groups a pattern has. Raises RecipeError for one that can't be read."""
    try:
        return re.compile(pattern).groups
    except re.error as error:
        raise RecipeError(f"size_pattern {pattern!r} is no regular expression: {error}.") from None


def questions(recipe: CompareRecipe, rows: pd.DataFrame) -> Questions:
    """The sections on dialogues and the claims. Raises UserError where the rows do not fit the recipe."""
    dialogues = Dialogues(recipe, rows)
    sections = {
        "rates": dialogues.rates,
        "detectors": dialogues.detectors,
        "success": dialogues.success_by_size,
        "success and digression": dialogues.success_and_digression,
        "judged": dialogues.judged,
    }
    return Questions(sections, lambda: claims(dialogues))


class Dialogues:
    """The dialogues of a recipe; arrays are of shape [dialogues]."""

    def __init__(self, recipe: CompareRecipe, rows: pd.DataFrame) -> None:
        self.recipe, self.numbers = recipe, rows.index.to_numpy()
        if recipe.prompt_column:
            rows = rows.assign(**{recipe.prompt_column: as_texts(rows[recipe.prompt_column])})
        self.dialogues = [_dialogue(recipe, number, row) for number, row in rows.iterrows()]
        self.units = units(rows, recipe.unit)
        self.all = np.ones(len(rows), dtype=bool)
        self.success = None if recipe.success_column is None else _success(recipe, rows[recipe.success_column])
        self.sizes = np.zeros(len(rows), dtype=int) if recipe.size_pattern is None else _sizes(recipe, rows)

    @cached_property
    def faults(self) -> list[Fault]:
        """The kinds of fault that are looked for."""
        return faults(self.recipe, self.dialogues, self.units)

    @cached_property
    def flagged(self) -> dict[str, list[set[int]]]:
        """For each kind of fault the flagged turns of each dialogue."""
        pairs = list(zip(self.dialogues, self.units.tolist()))
        return {
            fault.name: [fault.detect(one, unit) if one.turns else set() for one, unit in pairs]
            for fault in self.faults
        }

    def with_fault(self, name: str) -> NDArray:
        """Dialogues with a flagged turn."""
        return np.array([bool(places) for places in self.flagged[name]])

    def finding(self, what: str, measure: Measure) -> Finding:
        """A measure with its interval by unit."""
        settings = {"resamples": self.recipe.resamples, "rng": self.recipe.seed}
        return Finding(what, unit_interval(measure, self.units, **settings), measure.n)

    def rates(self) -> Section:
        """Share of dialogues with each fault."""
        section = Section(
            "Share of dialogues with a flagged turn. How far the flags can be trusted is in the next section; no "
            "dialogues of people stand beside these."
        )
        section.findings = [self.finding(fault, share(self.with_fault(fault), self.all)) for fault in self.flagged]
        if not self.recipe.role_keywords:
            section.notes.append("By keyword, the published rule: not computed, the recipe names no role_keywords.")
        if FLIP not in self.flagged:
            section.notes.append(f"{FLIP}: not computed, the dialogues do not all have the same two roles.")
        if self.recipe.show_texts:
            section.tables["flagged turns"] = list(self._samples())
        return section

    def _samples(self) -> Iterator[dict]:
        rng = np.random.default_rng(self.recipe.seed)
        for fault, places in self.flagged.items():
            turns = [(row, place) for row, found in enumerate(places) for place in sorted(found)]
            for row, place in (turns[one] for one in sorted(rng.permutation(len(turns))[:SHOWN_TURNS])):
                said = {"role": self.dialogues[row].roles[place], "text": self.dialogues[row].turns[place]}
                yield {"fault": fault, "row": int(self.numbers[row]), "turn": place, **said}

    def detectors(self) -> Section:
        """Precision and recall of each detector on planted faults."""
        section = Section(
            "One fault is planted in each dialogue of three turns or more: a turn said again, cut in half, taken "
            "from a dialogue about something else, taken from the other role, or without its keyword. Recall: how "
            "many are flagged. Precision: how many flags in these dialogues are on the planted turn; a flag on a "
            "fault that the dialogue had before counts as wrong, so that precision is a lower bound. The "
            "digression detector is set on half of the units and measured on the other half; roles are learnt from "
            "other units."
        )
        rng = np.random.default_rng(self.recipe.seed)
        several = np.array([len(one.turns) >= FEWEST_TURNS and len(set(one.roles)) > 1 for one in self.dialogues])
        for fault in self.faults:
            used = several & ~np.isin(self.units, list(calibration(self.units) if fault.name == DIGRESSION else ()))
            hits, flags = np.zeros((2, len(used)))
            for row in np.flatnonzero(used):
                unit = int(self.units[row])
                planted, place = fault.plant(self.dialogues[row], unit, rng)
                found = fault.detect(planted, unit)
                hits[row], flags[row] = place in found, len(found)
            if used.any():
                section.findings.append(self.finding(f"{fault.name}: recall", share(hits, used)))
            if flags.any():
                precision = mean(hits / np.maximum(flags, 1), flags)
                section.findings.append(self.finding(f"{fault.name}: precision", precision))
        if not section.findings:
            raise NotComputedError("no dialogue has three turns of two roles")
        return section

    def success_by_size(self) -> Section:
        """Share of dialogues that succeed, all and by size of the task."""
        section = Section("Share of dialogues that succeed, all and by size of the task.")
        section.findings.append(self.finding("all", share(self._success(), self.all)))
        for size in self.strata:
            section.findings.append(self.finding(f"size {size}", share(self._success(), self.sizes == size)))
        return section

    def success_and_digression(self) -> Section:
        """Success of dialogues with a flagged digression against those without, crude and within sizes."""
        section = Section(
            "Log-odds ratio of success of dialogues with a flagged digression against those without: as they come "
            "(crude), and within tasks of one size (Mantel & Haenszel 1959). Below 0: digressing dialogues fail more "
            "often.",
            "number",
        )
        section.findings.append(self.finding("crude", self.odds(by_size=False)))
        if self.strata:
            section.findings.append(self.finding("within sizes", self.odds(by_size=True)))
        else:
            section.notes.append("within sizes: not computed, the recipe reads no size with size_pattern.")
        return section

    def _success(self) -> NDArray:
        if self.success is None:
            raise NotComputedError("the recipe names no success_column")
        return self.success

    @property
    def strata(self) -> list[int]:
        """The sizes of tasks, none where there are not several."""
        sizes = sorted(set(self.sizes.tolist()))
        return sizes if len(sizes) > 1 else []

    def odds(self, by_size: bool) -> Measure:
        """Log-odds ratio of success with against without a flagged digression."""
        if DIGRESSION not in self.flagged:
            raise NotComputedError("digressions can't be looked for in one unit")
        strata = self.sizes if by_size else np.zeros_like(self.sizes)
        return mantel_haenszel(self.with_fault(DIGRESSION), self._success() > 0, strata)

    def judged(self) -> Section:
        """The paper's own counts, and how much of their difference the size of tasks could make by itself."""
        if not self.recipe.judged:
            raise NotComputedError("the recipe names no counts; give them with judged")
        digressing, other = (tuple(self.recipe.judged[name]) for name in JUDGED)
        section = Section(
            "Share of dialogues that succeed, with and without a digression as the paper judged them (Wilson "
            "intervals; difference by Newcombe's method). Beside it the largest difference that the size of tasks "
            "alone could make: if the digressing dialogues were those of the largest tasks, and digression changed "
            "nothing."
        )
        section.findings.append(plain_share("digressing, beside other", *digressing, other))
        if self.strata and self.success is not None:
            section.findings.append(
                self.finding(BY_SIZE_ALONE, by_size_alone(self.success, self.sizes, digressing[1]))
            )
        return section


def mantel_haenszel(exposed: NDArray, success: NDArray, strata: NDArray) -> Measure:
    """The common log-odds ratio over strata (Mantel & Haenszel 1959): all of shape [rows]."""
    cells = [exposed & success, exposed & ~success, ~exposed & success, ~exposed & ~success]
    parts = [cell & (strata == one) for one in np.unique(strata) for cell in cells]

    def of(totals: NDArray) -> NDArray:
        table = totals.reshape(*totals.shape[:-1], -1, 4)
        n = np.maximum(table.sum(axis=-1), 1)
        with np.errstate(divide="ignore", invalid="ignore"):
            same = (table[..., 0] * table[..., 3] / n).sum(axis=-1)
            return np.log(same / (table[..., 1] * table[..., 2] / n).sum(axis=-1))

    return Measure(np.stack(parts, axis=1).astype(float), of, len(exposed))


def by_size_alone(success: NDArray, sizes: NDArray, exposed: int) -> Measure:
    """Difference in success if `exposed` of the rows were those of the sizes with least success, and that was all.

    Args:
        success: 1 or 0; sizes: of the task; both of shape [rows].
    """
    order = sorted(set(sizes.tolist()), key=lambda size: success[sizes == size].mean())
    parts = [part for size in order for part in (sizes == size, (sizes == size) * success)]
    share_exposed = exposed / len(success)

    def of(totals: NDArray) -> NDArray:
        rows, right = totals[..., 0::2], totals[..., 1::2]
        wanted = share_exposed * rows.sum(axis=-1, keepdims=True)
        before = np.cumsum(rows, axis=-1) - rows
        taken = np.clip(wanted - before, 0, rows)
        chance = right / np.maximum(rows, 1)
        left = rows - taken
        return (taken * chance).sum(axis=-1) / taken.sum(axis=-1) - (left * chance).sum(axis=-1) / left.sum(axis=-1)

    return Measure(np.stack(parts, axis=1).astype(float), of, len(success), bounds=(-1, 1))


def _dialogue(recipe: CompareRecipe, number: int, row: pd.Series) -> Dialogue:
    """A row's dialogue. Raises UserError where roles and turns are not equally many texts."""
    roles, turns = (row[column] for column in (recipe.roles_column, recipe.turns_column))
    where = f"{recipe.dataset}, row {number}"
    for column, values in ((recipe.roles_column, roles), (recipe.turns_column, turns)):
        if not isinstance(values, list | np.ndarray) or not all(isinstance(one, str) for one in values):
            raise UserError(f"{where}: {column} is no list of texts.")
    if len(roles) != len(turns):
        raise UserError(f"{where}: {len(roles)} {recipe.roles_column} for {len(turns)} {recipe.turns_column}.")
    prompt = row[recipe.prompt_column] if recipe.prompt_column else ""
    return Dialogue(prompt, list(roles), list(turns))


def _success(recipe: CompareRecipe, values: pd.Series) -> NDArray:
    """Success as 1 and 0. Raises UserError for another value."""
    for number, value in values.items():
        if not np.isscalar(value) or value not in (0, 1):
            raise UserError(f"{recipe.dataset}, row {number}: {values.name} {value!r} is neither 0 nor 1.")
    return values.to_numpy(dtype=float)


def _sizes(recipe: CompareRecipe, rows: pd.DataFrame) -> NDArray:
    """The size of each row's task. Raises UserError for a prompt that holds none."""
    found = []
    for number, prompt in rows[recipe.prompt_column].items():
        match = re.search(recipe.size_pattern, prompt)
        if match is None or not match[1].isdigit():
            raise UserError(f"{recipe.dataset}, row {number}: size_pattern finds no number in {recipe.prompt_column}.")
        found.append(int(match[1]))
    return np.array(found)


def claims(dialogues: Dialogues) -> Iterator[Claim]:
    """That dialogues with digressions fail more often: section 4.4 of Das et al. (2024)."""
    if dialogues.success is None or DIGRESSION not in dialogues.flagged:
        return
    counts = dialogues.recipe.judged
    judged = plain_share("", *counts["digressing"], tuple(counts["other"])) if counts else None
    moved = "digressions are flagged by a detector whose errors are measured, not judged by GPT-4"
    if judged and dialogues.strata:
        alone = dialogues.finding("", by_size_alone(dialogues.success, dialogues.sizes, counts["digressing"][1])).value
        moved += f"; size of tasks alone could make a difference of up to {alone.estimate:+.3f}"
    yield Claim(
        statement="Dialogues that digress fail more often",
        published=judged and judged.contrast.estimate,
        published_as="",
        repeated=judged and judged.contrast,
        repeated_as="difference in success, from the paper's counts",
        corrected=dialogues.finding("", dialogues.odds(by_size=bool(dialogues.strata))).value,
        corrected_as="log-odds ratio of success" + (" within sizes" if dialogues.strata else ""),
        sign=-1,
        moved_by=moved,
        unit="number",
    )
