"""Sections on preferences: agreement, ties, codes, and the cues that people and models follow."""

import math
from collections.abc import Iterator
from functools import cached_property, partial

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from blindspots.audit.findings import Finding, NotComputedError, Section
from blindspots.config.source_recipes import CompareRecipe
from blindspots.data.source_rows import check_sources
from blindspots.evaluation.agreement import share
from blindspots.evaluation.cues import FEWEST, CueEffect, Estimate, choices, cue_effects, pearson_of_codes
from blindspots.evaluation.statistics import Interval
from blindspots.sources import labels, pairs
from blindspots.sources.claims import Claim, Questions
from blindspots.sources.pairs import LEXICON, Pairs, read_pairs

# Cues of the meaning of a text, which the claim is about; the others stand beside them.
PUBLISHED_CUES = (LEXICON, "entailment")
NO_ESTIMATE = (
    f"No effect can be told for a cue that varies in fewer than {FEWEST} units, nor for any where choices follow the "
    "cues without exception."
)


def columns(recipe: CompareRecipe) -> list[str]:
    """The columns that the rows must have. Raises UserError where the recipe does not name them."""
    check_sources(recipe)
    return pairs.columns(recipe)


def questions(recipe: CompareRecipe, rows: pd.DataFrame) -> Questions:
    """The sections on preferences and the claims. Raises UserError where the rows do not fit the recipe."""
    corrected = Preferences(recipe, read_pairs(recipe, rows, recipe.inverted))
    published = Preferences(recipe, read_pairs(recipe, rows)) if recipe.inverted else corrected
    sections = {name: partial(corrected.agreement.section, name) for name in (labels.ALPHA, labels.AGREEMENT)}
    sections |= {
        "decided": corrected.decided,
        "cues": corrected.cues,
        "cues as published": published.published_cues,
        "codes": lambda: labels.codes(corrected.agreement),
    }
    if recipe.inverted:
        sections |= {
            "cues by the published method": corrected.published_cues,
            "decided as published": published.decided,
            "codes as published": lambda: labels.codes(published.agreement),
        }
    return Questions(sections, lambda: claims(corrected, published))


class Preferences:
    """The pairs of a recipe under one reading of its codes."""

    def __init__(self, recipe: CompareRecipe, read: Pairs) -> None:
        self.recipe, self.pairs = recipe, read
        self.agreement = labels.Comparison(recipe, read.labels)
        self.choices = {source: choices(counts) for source, counts in read.labels.counts.items()}

    def decided(self) -> Section:
        """How often a model chooses as people do where both decide, and how often each source decides nothing."""
        section = Section(
            "Share of pairs with a tie, and of the pairs that both people and the model decide, how often they choose "
            "the same text; half is chance. Several choices of people count by their mean."
        )
        people = self.choices[self.recipe.human]
        for source, chosen in self.choices.items():
            known = np.isfinite(chosen)
            section.findings.append(self._share(f"{source}: ties", chosen == 0.5, known))
        for source in self.agreement.models:
            model = self.choices[source]
            both = np.isfinite(people) & np.isfinite(model) & (people != 0.5) & (model != 0.5)
            if both.any():
                same = (people > 0.5) == (model > 0.5)
                section.findings.append(self._share(f"{source}: same choice as people", same, both))
        return section

    def _share(self, what: str, hits: NDArray, used: NDArray) -> Finding:
        measure = share(hits, used)
        return Finding(what, self.agreement.interval(measure), measure.n)

    @cached_property
    def effects(self) -> dict[str, list[CueEffect]]:
        """Effects of the cues on people and on each model. Raises NotComputedError where they can't be told."""
        people, units = self.choices[self.recipe.human], self.pairs.labels.units
        try:
            return {
                source: cue_effects(people, self.choices[source], self.pairs.cues, units, self.recipe.position)
                for source in self.agreement.models
            }
        except ValueError as error:
            raise NotComputedError(str(error)) from None

    def cues(self) -> Section:
        """Log-odds of each cue, of a model beside people."""
        section = Section(
            "Log-odds of choosing the first text per standard deviation of a cue (first minus second), all cues "
            "together: fractional logistic regression in which a tie is half a choice, errors clustered by unit; "
            "the model beside people on the same pairs. position: how far the first text is chosen when the cues "
            "are equal. length: logarithm of the words; lexicon: strongest weight of a word.",
            "number",
        )
        for source, effects in self.effects.items():
            for effect in effects:
                section.findings.append(self._finding(source, effect))
                p = "" if math.isnan(effect.difference.p) else f"{effect.difference.p:.3g}"
                section.tables.setdefault("p of the differences", []).append(
                    {"source": source, "cue": effect.cue, "p": p}
                )
        if not section.findings:
            raise NotComputedError("no cue varies")
        if any(math.isnan(effect.difference.low) for effects in self.effects.values() for effect in effects):
            section.notes.append(NO_ESTIMATE)
        if not self.recipe.position:
            section.notes.append("position is not computed: the order of the texts is not the one that was shown.")
        return section

    def _finding(self, source: str, effect: CueEffect) -> Finding:
        n = int((np.isfinite(self.choices[source]) & np.isfinite(self.choices[self.recipe.human])).sum())
        people, model, apart = (interval(one) for one in (effect.people, effect.model, effect.difference))
        return Finding(f"{source}: {effect.cue}, beside people", model, n, people, n, apart)

    def published_cues(self) -> Section:
        """Pearson's r of codes, the published method."""
        section = Section(
            "As published (Das et al. 2024): Pearson's r between the code of a choice (0 first, 1 second, 2 tie) "
            "and that of the text with more of a cue. The codes are names, not numbers, and pairs of one unit "
            "count as independent; r is here for comparison only.",
            "number",
        )
        for source, chosen in self.choices.items():
            for cue, apart in self.pairs.cues.items():
                known = np.isfinite(chosen)
                found = pearson_of_codes(chosen[known], apart[known])
                section.findings.append(Finding(f"{source}: r of {cue}", interval(found), int(known.sum())))
        return section


def interval(estimate: Estimate) -> Interval:
    """An estimate without its p."""
    return Interval(*estimate[:3])


def claims(corrected: Preferences, published: Preferences) -> Iterator[Claim]:
    """That models lean more on cues of the meaning than people: section 4.2 of Das et al. (2024)."""
    recipe = corrected.recipe
    for source, effects in corrected.effects.items():
        for effect in effects:
            if effect.cue not in PUBLISHED_CUES:
                continue
            apart = published.pairs.cues[effect.cue]
            known = np.isfinite(published.choices[source])
            name = f"{source}: r of {effect.cue}"
            yield Claim(
                statement=f"{source} leans more on {effect.cue} than people do",
                published=recipe.published.get(name),
                published_as=name,
                repeated=interval(pearson_of_codes(published.choices[source][known], apart[known])),
                repeated_as=f"Pearson's r of codes; of people {_people(published, effect.cue)}",
                corrected=interval(effect.difference),
                corrected_as="log-odds per standard deviation, the model's minus people's; its own",
                sign=1,
                moved_by=_moved(recipe, effect),
                unit="number",
                needed=interval(effect.model),
            )


def _people(published: Preferences, cue: str) -> str:
    chosen, apart = published.choices[published.recipe.human], published.pairs.cues[cue]
    known = np.isfinite(chosen)
    return f"{pearson_of_codes(chosen[known], apart[known]).estimate:.3f}"


def _moved(recipe: CompareRecipe, effect: CueEffect) -> str:
    parts = []
    if recipe.inverted:
        parts.append(f"codes of {' and '.join(recipe.inverted)} inverted")
    if math.isnan(effect.difference.low):
        return "; ".join([*parts, NO_ESTIMATE])
    parts.append(
        f"ties are half a choice; other cues held equal; people's effect is {effect.people.estimate:+.3f}, the "
        f"model's {effect.model.estimate:+.3f}"
    )
    return "; ".join(parts)
