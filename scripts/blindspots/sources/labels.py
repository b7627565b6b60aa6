"""Sections on labels that people and models gave the same items: agreement, matches, distributions, codes."""

from collections.abc import Iterator
from functools import cached_property, partial

import pandas as pd

from blindspots.audit.findings import Finding, NotComputedError, Section
from blindspots.config.source_recipes import CompareRecipe
from blindspots.data.source_rows import Labels, check_sources, read_labels
from blindspots.evaluation import agreement
from blindspots.evaluation.agreement import Measure, Row
from blindspots.evaluation.statistics import Interval
from blindspots.evaluation.unit_statistics import unit_interval
from blindspots.sources.claims import Claim, Questions

# Below which alpha of a model's own labels and its agreement beyond chance say that its labels ignore the item.
NOTHING_IN_COMMON = 0.1
ALPHA, AGREEMENT, MATCHES, DISTRIBUTIONS = "alpha", "agreement", "matches", "distributions"
SECTION_OF = {
    agreement.ALPHA: ALPHA,
    agreement.BEYOND_CHANCE: ALPHA,
    agreement.WITH_A_PERSON: AGREEMENT,
    agreement.MAJORITY: MATCHES,
    agreement.MINORITY: MATCHES,
    agreement.OF_THE_OTHERS[agreement.MAJORITY]: MATCHES,
    agreement.OF_THE_OTHERS[agreement.MINORITY]: MATCHES,
    agreement.DIVERGENCE: DISTRIBUTIONS,
    agreement.ALL_VARIATION: DISTRIBUTIONS,
    agreement.ALL_DIVERGENCE: DISTRIBUTIONS,
    agreement.ENTROPY: DISTRIBUTIONS,
}
ABOUT = {
    ALPHA: (
        "Krippendorff's alpha of each source's own labels (several people, or several samples of a model), and a "
        "model's agreement with a person beyond that of independent labels, beside alpha of people: 1 is full "
        "agreement, 0 none.",
        "number",
    ),
    AGREEMENT: (
        "How likely a label of the model is that of a person on the same item, beside how likely one person's is that "
        "of another.",
        "share",
    ),
    MATCHES: (
        "As published (Das et al. 2024): share of items where the most (least) frequent labels of people and of "
        "the model meet. Beside it what the number needs: people's commonest label given every time, the model's "
        "labels on other items (shuffled), and the share of items that have a majority (minority) at all. "
        "Corrected: how likely a label of the model is in the majority (minority) of the other people, beside the "
        "person left out.",
        "share",
    ),
    DISTRIBUTIONS: (
        "Jensen-Shannon divergence (bits, mean over items, and of all labels together), total variation, and entropy "
        "of equally many labels of an item, so that more samples do not count as more variety.",
        "number",
    ),
}
UNALIGNED = (
    "its labels of an item agree neither with one another nor with people. Either the model answered at random, or "
    "this copy of the data lost the alignment of its rows: the numbers can't tell, and no claim about it is "
    "decided here."
)


class Comparison:
    """The labels of a recipe as they are read, and every measure of them with its interval, computed once."""

    def __init__(self, recipe: CompareRecipe, labels: Labels) -> None:
        self.recipe, self.labels = recipe, labels
        self.people = labels.counts[recipe.human]
        self.models = [name for name in labels.counts if name != recipe.human]

    def interval(self, measure: Measure, level: float = 0.95) -> Interval:
        """A measure with its interval by unit."""
        return unit_interval(measure, self.labels.units, self.recipe.resamples, level, self.recipe.seed)

    def finding(self, row: Row) -> Finding:
        """A measure, and a baseline with the difference where it has one."""
        what = f"{row.source}: {row.measure}" + (f", beside {row.baseline}" if row.baseline else "")
        if row.reference is None:
            return Finding(what, self.interval(row.value), row.value.n)
        apart = self.interval(agreement.difference(row.value, row.reference))
        return Finding(
            what, self.interval(row.value), row.value.n, self.interval(row.reference), row.reference.n, apart
        )

    @cached_property
    def findings(self) -> dict[str, list[Finding]]:
        """By section; a value alone is left out where its people's stands beside it for the same items."""
        found: dict[str, list[Finding]] = {name: [] for name in ABOUT}
        rows = list(agreement.measures(self.labels.counts, self.recipe.human, self.recipe.ordered))
        beside = {row[:2]: row.value.n for row in rows if row.baseline == agreement.PEOPLE}
        for row in rows:
            doubled = row.baseline is None and beside.get(row[:2]) == row.value.n
            if row.value.n and not doubled:
                name = next(name for start, name in SECTION_OF.items() if row.measure.startswith(start))
                found[name].append(self.finding(row))
        return found

    def by_name(self, what: str) -> Finding | None:
        """The finding of a name, None where there is none."""
        return next((one for part in self.findings.values() for one in part if one.what == what), None)

    def ignores_the_item(self, source: str) -> bool:
        """Whether a model's labels neither agree with one another nor with people."""
        alpha = agreement.alpha(self.labels.counts[source])
        own = self.interval(alpha) if alpha.n else None
        with_people = self.interval(agreement.beyond_chance(self.people, self.labels.counts[source]))
        return own is not None and max(own.high, with_people.high) < NOTHING_IN_COMMON

    def section(self, name: str) -> Section:
        """One of ABOUT. Raises NotComputedError where no item allows it."""
        about, unit = ABOUT[name]
        section = Section(about, unit, self.findings[name])
        if not section.findings:
            raise NotComputedError("no item has the labels that it needs, such as several of one source")
        if name == ALPHA:
            section.notes += list(self._notes())
        return section

    def _notes(self) -> Iterator[str]:
        for source, n in self.labels.missing.items():
            if n:
                yield f"{source}: {n:,} codes stand for no label and are left out."
        for source, counts in self.labels.counts.items():
            if counts.sum(axis=1).max() < 2:
                yield f"{source}: alpha not computed, it has one label per item."
            elif source != self.recipe.human and self.ignores_the_item(source):
                yield f"{source}: {UNALIGNED}"


def codes(comparison: Comparison) -> Section:
    """Whether a source would agree better with people under another reading of its codes."""
    section = Section(
        "Agreement with people beyond chance as the recipe reads the codes, and what it gains under the reading "
        "(order of the labels) that agrees best. The interval of the gain allows for as many comparisons as "
        "readings were tried. A gain above 0 says that one of the two columns is inverted, not which.",
        "number",
    )
    names, human = comparison.labels.names, comparison.recipe.human
    for source in comparison.models:
        found = agreement.best_recoding(comparison.people, comparison.labels.counts[source])
        section.findings.append(Finding(f"{source}: as read", comparison.interval(found.own), found.own.n))
        if found.gain is None:
            continue
        gain = comparison.interval(found.gain, 1 - 0.05 / found.tried)
        read_as = ", ".join(f"{names[i]} as {names[j]}" for i, j in enumerate(found.order) if i != j)
        section.findings.append(Finding(f"{source}: gain with {read_as}", gain, found.own.n))
        if gain.low > 0 and not comparison.ignores_the_item(source):
            section.notes.append(
                f"{source} and {human} agree better with {read_as}: the codes of one of them are probably not what "
                "the recipe says."
            )
    return section


def flips(comparison: Comparison) -> Section:
    """The model's labels on items by the label of a person, as shares of a row."""
    section = Section("Share of each label of a model on the items that a person gave the label of the row.")
    names = comparison.labels.names
    for source in comparison.models:
        counts = comparison.labels.counts[source]
        both = agreement.distributions(comparison.people).T @ agreement.distributions(counts)
        table = pd.DataFrame(both, index=names, columns=names)
        shown = table.div(table.sum(axis=1), axis=0).round(3)
        section.tables[source] = [
            {"people": name, "items": float(table.loc[name].sum()), **row} for name, row in shown.T.to_dict().items()
        ]
    return section


def columns(recipe: CompareRecipe) -> list[str]:
    """The columns that the rows must have. Raises UserError where the recipe does not name them."""
    check_sources(recipe)
    return list(recipe.sources.values())


def questions(recipe: CompareRecipe, rows: pd.DataFrame) -> Questions:
    """The sections on task labels and the claims. Raises UserError where the recipe's codes do not fit the rows."""
    comparison = Comparison(recipe, read_labels(recipe, rows, recipe.inverted))
    sections = {name: partial(comparison.section, name) for name in ABOUT}
    sections |= {"codes": lambda: codes(comparison), "flips": lambda: flips(comparison)}
    if recipe.inverted:
        sections["codes as published"] = lambda: codes(Comparison(recipe, read_labels(recipe, rows)))
    return Questions(sections, lambda: claims(comparison))


def claims(comparison: Comparison) -> Iterator[Claim]:
    """Majority and minority, for each model: section 4.1 of Das et al. (2024)."""
    for source in comparison.models:
        at_random = comparison.ignores_the_item(source)
        for measure, word, sign in (
            (agreement.MAJORITY, "over-represent the majority's", 1),
            (agreement.MINORITY, "under-represent the minority's", -1),
        ):
            published = comparison.by_name(f"{source}: {measure}, beside {agreement.ALWAYS}")
            person = comparison.by_name(f"{source}: {agreement.OF_THE_OTHERS[measure]}, beside {agreement.PEOPLE}")
            yield Claim(
                statement=f"{source}'s labels {word}",
                published=comparison.recipe.published.get(f"{source}: {measure}"),
                published_as=f"{source}: {measure}",
                repeated=published and published.value,
                repeated_as=measure,
                corrected=None if at_random or person is None else person.contrast,
                corrected_as=f"{agreement.OF_THE_OTHERS[measure]}: the model's label minus one more person's",
                sign=sign,
                moved_by=_moved(measure, published, person, at_random),
            )


def _moved(measure: str, published: Finding | None, person: Finding | None, at_random: bool) -> str:
    if at_random:
        return "the labels of this source do not depend on the item in this copy of the data"
    parts = []
    if published is not None and published.reference is not None:
        parts.append(f"always the commonest label reaches {published.reference.estimate:.3f}")
    if person is None:
        parts.append("without four people per item, the other people have no minority to be held against")
    else:
        parts.append(f"one more person reaches {person.reference.estimate:.3f}, the model {person.value.estimate:.3f}")
    return "; ".join(parts)
