"""Sections on free text that people and models wrote on the same prompt or source, paired by row."""

from collections.abc import Callable, Iterator
from functools import cached_property
from itertools import product
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from statsmodels.stats.multitest import multipletests

from blindspots.artifacts.inputs import fetch
from blindspots.audit.findings import Finding, NotComputedError, Section
from blindspots.config.errors import UserError
from blindspots.config.source_recipes import CompareRecipe
from blindspots.data.source_rows import as_texts, check_sources, texts_of, units
from blindspots.data.text_style import INFORMAL, MEASURES, NOUNS, WORDS, looks_cut, style, without_shared_start
from blindspots.evaluation.statistics import Effect, Interval
from blindspots.evaluation.unit_statistics import cluster_bootstrap
from blindspots.sources.claims import Claim, Questions

FORMALITY = "formality by the model"
# What formal text has more (1) or less (-1) of. No one of them is formality itself.
FORMAL = {
    INFORMAL: (-1, "fewer informal cues"),
    NOUNS: (1, "more abstract nouns"),
    FORMALITY: (1, "by a classifier"),
}
LONG_WINDOW, SHORT_WINDOW = 50, 10
LEVEL = 0.95
# Fewer pairs than this have no interval worth the name.
FEWEST_PAIRS = 5


class Pairs(NamedTuple):
    """The texts of people and of one source in one group, by row, and their units."""

    people: list[str]
    machine: list[str]
    units: NDArray


def columns(recipe: CompareRecipe) -> list[str]:
    """The columns that the rows must have. Raises UserError where the recipe does not name them."""
    check_sources(recipe)
    return [*recipe.sources.values(), *recipe.group_columns]


def questions(recipe: CompareRecipe, rows: pd.DataFrame) -> Questions:
    """The section on free text and the claims. Raises UserError where formality_model can't be read."""
    texts = FreeText(recipe, pairs_of(recipe, rows))
    return Questions({"style": texts.style}, lambda: claims(texts))


def pairs_of(recipe: CompareRecipe, rows: pd.DataFrame) -> dict[str, Pairs]:
    """The pairs of each source and group, by the name of both."""
    unit, found = units(rows, recipe.unit), {}
    groups = [" ".join(values) for values in zip(*(as_texts(rows[column]) for column in recipe.group_columns))]
    groups = np.array(groups or [""] * len(rows))
    sources = [source for source in recipe.sources if source != recipe.human]
    for source, group in product(sources, dict.fromkeys(groups.tolist())):
        part = groups == group
        people, machine = (texts_of(rows[recipe.sources[one]][part]) for one in (recipe.human, source))
        if recipe.shared_prefix:
            people, machine = map(list, zip(*map(without_shared_start, people, machine)))
        name = f"{source} {group}" if len(sources) > 1 or not group else group
        found[name.strip()] = Pairs(people, machine, unit[part])
    return found


class FreeText:
    """Pairs of texts by group."""

    def __init__(self, recipe: CompareRecipe, pairs: dict[str, Pairs]) -> None:
        self.recipe, self.pairs = recipe, pairs
        self.model = load_formality(recipe) if recipe.formality_model else None

    @cached_property
    def window(self) -> int:
        """Words among which different ones are counted: fewer where texts are short."""
        lengths = [len(text.split()) for pairs in self.pairs.values() for text in (*pairs.people, *pairs.machine)]
        return LONG_WINDOW if np.median(lengths) >= 2 * LONG_WINDOW else SHORT_WINDOW

    @cached_property
    def values(self) -> dict[tuple[str, str], tuple[NDArray, NDArray, NDArray]]:
        """By group and measure: values of the machine's and people's texts, and units, of the pairs that have both."""
        found = {}
        for name, pairs in self.pairs.items():
            tables = [self._measured(texts) for texts in (pairs.machine, pairs.people)]
            for measure in tables[0].columns:
                machine, people = (table[measure].to_numpy() for table in tables)
                used = np.isfinite(machine) & np.isfinite(people)
                if used.sum() >= FEWEST_PAIRS and np.unique(pairs.units[used]).size > 1:
                    found[name, measure] = machine[used], people[used], pairs.units[used]
        return found

    def _measured(self, texts: list[str]) -> pd.DataFrame:
        table = pd.DataFrame([style(text, self.window) for text in texts])
        if self.recipe.cut_to_length:
            table = table.drop(columns=WORDS)
        return table if self.model is None else table.assign(**{FORMALITY: self.model(texts)})

    def effect(self, name: str, measure: str, level: float = LEVEL) -> Effect:
        """Mean of the machine's texts minus that of people's, paired, by unit."""
        return cluster_bootstrap(*self.values[name, measure], self.recipe.resamples, level, self.recipe.seed)

    @cached_property
    def effects(self) -> dict[tuple[str, str], Effect]:
        """Every paired difference."""
        return {key: self.effect(*key) for key in self.values}

    @cached_property
    def q(self) -> dict[tuple[str, str], float]:
        """p of every difference, corrected for the false discovery rate of all of them (Benjamini & Hochberg 1995)."""
        corrected = multipletests([effect.p for effect in self.effects.values()], method="fdr_bh")[1]
        return dict(zip(self.effects, corrected.tolist()))

    @property
    def claim_level(self) -> float:
        """Level of an interval that was picked since its difference stands out (Benjamini & Yekutieli 2005)."""
        found = sum(q <= 1 - LEVEL for q in self.q.values())
        return 1 - (1 - LEVEL) * max(1, found) / len(self.q)

    def style(self) -> Section:
        """Every measure of every group beside people's."""
        if not self.values:
            raise NotComputedError("no group has five pairs of two units")
        section = Section(
            "Mean over the machine's texts, beside people's of the same rows, and the paired difference, by unit. "
            + "; ".join(f"{name}: {about}" for name, about in MEASURES.items()).format(window=self.window)
            + ".",
            "words",
        )
        for (name, measure), effect in self.effects.items():
            section.findings.append(self._finding(name, measure, effect))
        section.tables["p of the differences, and q: the false discovery rate over all of them"] = [
            {"group": name, "measure": measure, "p": f"{effect.p:.2g}", "q": f"{self.q[name, measure]:.2g}"}
            for (name, measure), effect in self.effects.items()
        ]
        section.notes += list(self._notes())
        return section

    def _finding(self, name: str, measure: str, effect: Effect) -> Finding:
        machine, people, unit = self.values[name, measure]
        settings = {"resamples": self.recipe.resamples, "rng": self.recipe.seed}
        alone = [
            Interval(*cluster_bootstrap(one, np.zeros(one.size), unit, **settings)[:3]) for one in (machine, people)
        ]
        n = machine.size
        return Finding(f"{name}: {measure}, beside people", alone[0], n, alone[1], n, Interval(*effect[:3]))

    def _notes(self) -> Iterator[str]:
        if self.recipe.cut_to_length:
            yield f"{WORDS}: not computed, one text was cut to the length of the other."
        for name, pairs in self.pairs.items():
            cut = [
                who
                for who, texts in (("the machine's", pairs.machine), ("people's", pairs.people))
                if looks_cut(texts)
            ]
            if cut and not self.recipe.cut_to_length:
                yield f"{name}: {' and '.join(cut)} texts look cut at a length; do not compare {WORDS}."
            if not any(one == name for one, _ in self.values):
                yield f"{name}: not computed, it has fewer than {FEWEST_PAIRS} pairs or two units."
        if self.model is None:
            yield f"{FORMALITY}: not computed, the recipe names no formality_model."


def load_formality(recipe: CompareRecipe) -> Callable[[list[str]], NDArray]:
    """What gives each text the probability of the formal label. Raises UserError for a model without that label."""
    from transformers import AutoModelForSequenceClassification, pipeline

    from blindspots.modeling.loading import load_model, load_tokenizer

    source = fetch(recipe.formality_model, "model", recipe.formality_model_revision)
    model = load_model(AutoModelForSequenceClassification, source)
    labels = list(model.config.id2label.values())
    if recipe.formality_label not in labels:
        raise UserError(f"{source.name} has the labels {', '.join(labels)}; name the formal one with formality_label.")
    tokenizer = load_tokenizer(source)
    longest = min(tokenizer.model_max_length, getattr(model.config, "max_position_embeddings", 514) - 2)
    classify = pipeline("text-classification", model=model, tokenizer=tokenizer, top_k=None)

    def formal(texts: list[str]) -> NDArray:
        scored = classify(texts, truncation=True, max_length=longest)
        return np.array(
            [next(one["score"] for one in row if one["label"] == recipe.formality_label) for row in scored]
        )

    return formal


def claims(texts: FreeText) -> Iterator[Claim]:
    """That text of models is more formal: section 4.5 of Das et al. (2024)."""
    for name, measure in texts.values:
        if measure not in FORMAL:
            continue
        effect, (sign, how) = texts.effect(name, measure, texts.claim_level), FORMAL[measure]
        yield Claim(
            statement=f"Text of {name} is more formal than people's: {how}",
            published=None,
            published_as="",
            repeated=None,
            repeated_as="",
            corrected=Interval(*effect[:3]),
            corrected_as=f"{measure}, the machine's minus people's",
            sign=sign,
            moved_by=f"paired by prompt; interval for the false coverage rate over {len(texts.q)} differences",
            unit="words",
        )
