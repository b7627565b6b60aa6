"""Sections on instructions that people and a model wrote: signs of corruption, lengths, diversity, duplicates."""

from collections.abc import Iterator
from functools import cached_property

import numpy as np
import pandas as pd

from blindspots.artifacts.inputs import fetch
from blindspots.audit import text
from blindspots.audit.duplicates import NearIndex
from blindspots.audit.findings import LEVEL, Finding, Moments, NotComputedError, Section, mean, share
from blindspots.audit.rows import Batch
from blindspots.config.errors import RecipeError, UserError
from blindspots.config.source_recipes import CompareRecipe, is_count
from blindspots.data.heuristics import words
from blindspots.data.instructions import MISSING_INPUT, OF_THE_END, RULES, WEAK, Task, signs
from blindspots.data.source_rows import read_columns
from blindspots.data.text_style import looks_cut
from blindspots.evaluation.statistics import Interval, wilson
from blindspots.sources.claims import Claim, Questions

INSTRUCTION, INPUT, OUTPUT = "instruction", "input", "output"
SHOWN_SAMPLES = 5
ANY = "any sign"
CUT_COPY = "the answers of {name} look cut at a length in this copy (the longest tenth ends in mid-sentence)"


def columns(recipe: CompareRecipe) -> list[str]:
    """The columns that the rows must have. Raises RecipeError where the recipe can't name tasks."""
    if recipe.reference is None:
        raise RecipeError("reference is needed: people's instructions to compare with.")
    if not 0 < recipe.near_threshold <= 1:
        raise RecipeError(f"near_threshold is a share above 0 and at most 1; got {recipe.near_threshold}.")
    for key, needed in (("fields", OUTPUT), ("reference_fields", OUTPUT), ("test_set_fields", INSTRUCTION)):
        fields = getattr(recipe, key)
        if not {INSTRUCTION, needed} <= fields.keys() <= {INSTRUCTION, INPUT, OUTPUT}:
            raise RecipeError(f"{key} must name the columns of {INSTRUCTION} and {needed}, and may name {INPUT}.")
    for name, counts in recipe.annotated.items():
        if not is_count(counts):
            raise RecipeError(f"annotated: {name} must hold [rows with errors, rows], not {counts}.")
    return list(recipe.fields.values())


def questions(recipe: CompareRecipe, rows: pd.DataFrame) -> Questions:
    """The sections on instructions and the claims. Raises UserError where the reference can't be read."""
    source = fetch(recipe.reference, "dataset", recipe.reference_revision)
    read = read_columns(source, recipe.reference_split, recipe.reference_config, recipe.reference_fields.values())
    sets = {recipe.machine: tasks(rows, recipe.fields, recipe.dataset)}
    sets[recipe.human] = tasks(read, recipe.reference_fields, source.name)
    instructions = Instructions(recipe, sets)
    sections = {
        "signs": instructions.signs,
        "lengths": instructions.lengths,
        "diversity": instructions.diversity,
        "duplicates": instructions.duplicates,
        "annotated": lambda: annotated(recipe),
    }
    return Questions(sections, lambda: claims(instructions))


def tasks(rows: pd.DataFrame, fields: dict[str, str], where: str) -> dict[int, Task]:
    """Row number -> task. Raises UserError for an instruction that is empty and a text that is none."""
    found = {}
    for number, row in zip(rows.index, rows[list(fields.values())].itertuples(index=False, name=None)):
        texts = dict(zip(fields, row))
        for name, value in texts.items():
            if not isinstance(value, str) or (name == INSTRUCTION and not value.strip()):
                raise UserError(f"{where}, row {number}: the {name} is empty or not text. Correct or drop the row.")
        found[number] = Task(texts[INSTRUCTION], texts.get(INPUT), texts.get(OUTPUT, ""))
    return found


class Instructions:
    """A model's tasks and people's, by row number."""

    def __init__(self, recipe: CompareRecipe, sets: dict[str, dict[int, Task]]) -> None:
        self.recipe, self.sets = recipe, sets
        self.machine, self.human = (sets[name] for name in (recipe.machine, recipe.human))

    @cached_property
    def with_sign(self) -> dict[str, dict[str, list[int]]]:
        """Source -> sign -> the rows that show it, of the signs that both sets can show; ANY but for the weak ones."""
        left_out = [*([] if self.have_input else [MISSING_INPUT]), *(OF_THE_END if self.cut else [])]
        rules = [rule for rule in RULES if rule not in left_out]
        found = {name: {rule: [] for rule in (ANY, *rules)} for name in self.sets}
        for name, one in self.sets.items():
            for number, task in one.items():
                shown = [sign for sign in signs(task) if sign in rules]
                for sign in shown:
                    found[name][sign].append(number)
                if set(shown) - set(WEAK):
                    found[name][ANY].append(number)
        return found

    @property
    def have_input(self) -> bool:
        """Whether both sets have an input."""
        return all(INPUT in fields for fields in (self.recipe.fields, self.recipe.reference_fields))

    @cached_property
    def cut(self) -> list[str]:
        """Sources whose answers look cut at a length, in this copy of them."""
        return [name for name, one in self.sets.items() if looks_cut([task.output for task in one.values()])]

    def signs(self) -> Section:
        """Share of rows with each sign, beside people's, and samples to read."""
        section = Section(
            "Share of rows that show a sign of a fault (Wilson interval; difference by Newcombe's method), beside "
            "people's rows. A sign is not proof, and a wrong answer shows none. "
            + "; ".join(f"{sign}: {meaning}" for sign, meaning in RULES.items())
            + f". {ANY}: any but {', '.join(WEAK)}, which people's sound rows show too."
        )
        by_set = self.with_sign
        for sign in by_set[self.recipe.machine]:
            section.findings.append(self.share(sign))
        if not self.have_input:
            section.notes.append(f"{MISSING_INPUT}: not computed, one of the sets has no column for it.")
        for name in self.cut:
            section.notes.append(f"{' and '.join(OF_THE_END)}: not computed, {CUT_COPY.format(name=name)}.")
        rng = np.random.default_rng(self.recipe.seed)
        for name, found in by_set.items() if self.recipe.show_texts else ():
            section.tables[f"samples of {name}"] = [
                {
                    "sign": sign,
                    "row": row,
                    "instruction": task.instruction,
                    "input": task.input or "",
                    "answer": task.output,
                }
                for sign, numbers in found.items()
                if sign != ANY
                for row in sorted(rng.permutation(numbers)[:SHOWN_SAMPLES].tolist())
                for task in [self.sets[name][row]]
            ]
        return section

    def share(self, sign: str) -> Finding:
        """Share of the model's rows with a sign, beside people's."""
        mine, people = (len(self.with_sign[name][sign]) for name in (self.recipe.machine, self.recipe.human))
        return share(sign, mine, len(self.machine), (people, len(self.human)))

    def lengths(self) -> Section:
        """Words of instructions and answers."""
        section = Section("Mean number of words (white-space tokens; Welch's interval), beside people's.", "words")
        for name in self.cut:
            section.notes.append(f"{OUTPUT}: not computed, {CUT_COPY.format(name=name)}.")
        for field in (INSTRUCTION,) if self.cut else (INSTRUCTION, OUTPUT):
            counts = [
                Moments.of([len(getattr(task, field).split()) for task in one.values()])
                for one in (self.machine, self.human)
            ]
            section.findings.append(mean(field, *counts))
        return section

    def diversity(self) -> Section:
        """distinct-n and self-BLEU of instructions, as in an audit."""
        section = text.diversity(self._batch(self.machine), self._batch(self.human), self.recipe.self_bleu_texts)
        section.about = section.about.replace("Hypotheses", "Instructions")
        return section

    def _batch(self, one: dict[int, Task]) -> Batch:
        """Instructions and inputs of tasks in random order, as premises (inputs) and hypotheses (instructions)."""
        order = np.random.default_rng(self.recipe.seed).permutation(list(one)).tolist()
        inputs, instructions = ([getattr(one[row], field) or "" for row in order] for field in (INPUT, INSTRUCTION))
        return Batch(inputs, instructions, [""] * len(order), order)

    def duplicates(self) -> Section:
        """Rows that occur again in their set, in people's set and in the test set."""
        section = Section(
            "Share of rows whose instruction and input each share at least "
            f"{self.recipe.near_threshold:g} of their words and word pairs (Jaccard) with those of another row: near "
            "duplicates, found by MinHash LSH and verified; candidates that LSH misses make it a lower bound."
        )
        batches = [self._batch(one) for one in (self.machine, self.human)]
        near = [NearIndex(batch, self.recipe.near_threshold) for batch in batches]
        within = [sum(repeated(index, batch, same=True)) for index, batch in zip(near, batches)]
        sizes = [len(batch) for batch in batches]
        section.findings.append(share("within the set", within[0], sizes[0], (within[1], sizes[1])))
        section.findings.append(share(f"in {self.recipe.human}", sum(repeated(near[1], batches[0])), sizes[0]))
        if self.recipe.test_set is None:
            section.notes.append("In the test set: not computed, none is named with test_set.")
            return section
        index = NearIndex(self._batch(self._test_tasks()), self.recipe.near_threshold)
        found = [sum(repeated(index, batch)) for batch in batches]
        section.findings.append(share("in the test set", found[0], sizes[0], (found[1], sizes[1])))
        return section

    def _test_tasks(self) -> dict[int, Task]:
        recipe = self.recipe
        source = fetch(recipe.test_set, "dataset", recipe.test_set_revision)
        fields = {name: column for name, column in recipe.test_set_fields.items() if name != OUTPUT}
        return tasks(read_columns(source, recipe.test_set_split, None, fields.values()), fields, source.name)


def repeated(index: NearIndex, batch: Batch, same: bool = False) -> Iterator[bool]:
    """Whether each row is a near duplicate of a row of an index, of another row where that is the `same` set."""
    for place, pair in enumerate(zip(batch.premises, batch.hypotheses)):
        tokens = (words(one, strip_punctuation=True) for one in pair)
        yield any(not (same and other == place) for other in index.near(*tokens))


def annotated(recipe: CompareRecipe) -> Section:
    """Errors that people found in the paper's own annotation."""
    if not recipe.annotated:
        raise NotComputedError("the recipe names no counts; give them with annotated")
    section = Section("Share of rows with an error, as people annotated them for the paper (Wilson interval).")
    section.findings = [share(name, *counts) for name, counts in recipe.annotated.items()]
    return section


def claims(instructions: Instructions) -> Iterator[Claim]:
    """That instructions of models are corrupt, about half of them in some sets: section 4.3 of Das et al. (2024)."""
    recipe = instructions.recipe
    found = instructions.share(ANY)
    yield Claim(
        statement=f"Instructions of {recipe.machine} show faults more often than people's",
        published=recipe.published.get(ANY),
        published_as=ANY,
        repeated=None,
        repeated_as="",
        corrected=found.contrast,
        corrected_as=f"rows with any sign, minus people's; the model's {found.value.estimate:.1%}",
        sign=1,
        moved_by="automatic signs in place of people's reading: a wrong answer shows none, so that shares are low",
    )
    if recipe.annotated:
        name, (errors, rows) = max(recipe.annotated.items(), key=lambda item: item[1][0] / item[1][1])
        of_several = wilson(errors, rows, level=1 - (1 - LEVEL) / len(recipe.annotated))
        yield Claim(
            statement=f"At least half of the instructions are corrupt in some set ({name})",
            published=errors / rows,
            published_as=name,
            repeated=wilson(errors, rows),
            repeated_as=f"{errors} of {rows} rows that people read",
            corrected=Interval(*(limit - 0.5 for limit in of_several)),
            corrected_as=f"the same minus a half, corrected for the number of sets ({len(recipe.annotated)})",
            sign=1,
            moved_by=f"{rows} rows per set; the highest of {len(recipe.annotated)} sets; the rows are not at hand",
        )
