"""What a sentence of the grammar says, and how two sentences are related: entailment, neutral or contradiction.

A meaning is a formula over facts. The lexicon relates facts to each other (who chased, followed; who slept in the
cellar was indoors and not in the garden), so a truth table over the facts of two formulas decides their relation.
As in MNLI, two sentences of a pair speak of the same people and the same event.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, reduce
from itertools import combinations
from operator import and_, or_

from blindspots.data.nli import CONTRADICTION, ENTAILMENT, NEUTRAL
from blindspots.demo.grammar import Clause, Denied, Group, Joined, Located, NounPhrase, Relative, Reported, Sentence
from blindspots.demo.lexicon import CONCEPTS, NOUNS, ancestors, clash


@dataclass(frozen=True)
class Fact:
    """An event or a state. With modifiers it says more than without."""

    predicate: str
    agent: str
    patient: str | None = None
    modifiers: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Open:
    """A statement whose truth settles nothing else, such as what somebody said."""

    content: tuple


@dataclass(frozen=True)
class Not:
    part: "Formula"


@dataclass(frozen=True)
class All:
    parts: tuple["Formula", ...]


@dataclass(frozen=True)
class Some:
    parts: tuple["Formula", ...]


Formula = Fact | Open | Not | All | Some


def relation(premise: Sentence, hypothesis: Sentence) -> str | None:
    """Label of the pair, or None where one of the two cannot be true at all or the hypothesis cannot be false."""
    one, two = meaning(premise), meaning(hypothesis)
    facts = tuple(_facts(one) | _facts(two))
    columns, everything = dict(zip(facts, _columns(len(facts)))), (1 << (1 << len(facts))) - 1
    possible = everything & ~reduce(or_, (_excluded(a, b, columns) for a, b in combinations(facts, 2)), 0)
    said = possible & _table(one, columns, everything)
    asked = possible & _table(two, columns, everything)
    if not said or not asked or asked == possible:
        return None
    if not said & ~asked:
        return ENTAILMENT
    return NEUTRAL if said & asked else CONTRADICTION


def meaning(sentence: Sentence) -> Formula:
    """The formula of a sentence. A quantified noun ranges over two individuals, a class over its nouns'."""
    match sentence:
        case Clause():
            return _clause(sentence)
        case Denied(denied):
            return Not(meaning(denied))
        case Joined(first, link, second, link_first):
            one, two = meaning(first), meaning(second)
            if CONCEPTS[link].kind == "both":
                return All((one, two))
            if link != "if":
                return Some((one, two))
            return Some((Not(one), two) if link_first else (one, Not(two)))
        case Reported(speaker, speech, clause):
            content = meaning(clause)
            said = Open((speaker.noun, speech, content))
            return All((said, *_described(speaker), *_judged(CONCEPTS[speech].kind, content)))
        case Relative(inner, outer):
            return All((meaning(inner), meaning(outer)))
        case Group(clause, role, link, other):
            one, two = meaning(clause), meaning(replace(clause, **{role: other}))
            return {"and": All((one, two)), "or": Some((one, two)), "but not": All((one, Not(two)))}[link]
        case Located(clause, position, other):
            return All((Open((clause.subject.noun, position, other.noun)), meaning(clause)))


def _judged(kind: str, content: Formula) -> tuple[Formula, ...]:
    """What an adverb or a verb of speech of this kind leaves of its content."""
    if kind.startswith("open"):
        return ()
    return (Not(content),) if kind.startswith("false") else (content,)


def _clause(clause: Clause) -> Formula:
    """Agent outermost, then negation or adverb, then patient. An adjective of a noun phrase is said of `the` noun."""

    def event(agent: str) -> Formula:
        if clause.patient is None:
            return Fact(clause.predicate, agent, None, modifiers)
        return _quantified(clause.patient, lambda patient: Fact(clause.predicate, agent, patient, modifiers))

    modifiers = frozenset(clause.modifiers)
    body = _quantified(clause.agent, lambda agent: Not(event(agent)) if clause.negated else event(agent))
    described = (*_described(clause.agent), *_described(clause.patient))
    if clause.adverb:
        return All((*described, Open((clause.adverb, body)), *_judged(CONCEPTS[clause.adverb].kind, body)))
    return All((*described, body))


def _described(phrase: NounPhrase | None) -> tuple[Fact, ...]:
    return (Fact(phrase.adjective, phrase.noun),) if phrase and phrase.adjective else ()


def _quantified(phrase: NounPhrase, about: Callable[[str], Formula]) -> Formula:
    parts = tuple(about(name) for name in individuals(phrase))
    if phrase.determiner == "a":
        return Some(parts)
    return All(tuple(Not(part) for part in parts) if phrase.determiner == "no" else parts)


def individuals(phrase: NounPhrase) -> tuple[str, ...]:
    """Those that a noun phrase speaks of; `the` and a noun name one."""
    if phrase.determiner == "the":
        return (phrase.noun,)
    members = NOUNS.get(phrase.noun, (phrase.noun,))
    return (*members, *(f"other {noun}" for noun in members))


def _facts(formula: Formula) -> set[Fact | Open]:
    match formula:
        case Not(part):
            return _facts(part)
        case All(parts) | Some(parts):
            return set().union(*map(_facts, parts))
    return {formula}


def _table(formula: Formula, columns: dict[Formula, int], everything: int) -> int:
    """Truth table of a formula, one bit a valuation of the facts."""
    match formula:
        case Not(part):
            return everything & ~_table(part, columns, everything)
        case All(parts):
            return reduce(and_, (_table(part, columns, everything) for part in parts), everything)
        case Some(parts):
            return reduce(or_, (_table(part, columns, everything) for part in parts), 0)
    return columns[formula]


@cache
def _columns(count: int) -> tuple[int, ...]:
    """Truth tables of `count` independent facts: in valuation v, fact i holds when bit i of v is set."""
    everything = (1 << (1 << count)) - 1
    return tuple(everything // ((1 << (1 << index)) + 1) << (1 << index) for index in range(count))


def _excluded(one: Fact | Open, other: Fact | Open, columns: dict[Formula, int]) -> int:
    """Valuations that the lexicon rules out for two facts."""
    if Open in (type(one), type(other)) or (one.agent, one.patient) != (other.agent, other.patient):
        return 0
    if _implies(one, other):
        return columns[one] & ~columns[other]
    if _implies(other, one):
        return columns[other] & ~columns[one]
    return columns[one] & columns[other] if _clash(one, other) else 0


def _implies(one: Fact, other: Fact) -> bool:
    return other.predicate in ancestors(one.predicate) and all(
        any(wanted in ancestors(given) for given in one.modifiers) for wanted in other.modifiers
    )


def _clash(one: Fact, other: Fact) -> bool:
    """Opposite predicates, or one event with modifiers that exclude each other."""
    if clash(one.predicate, other.predicate):
        return True
    same_event = ancestors(one.predicate)[-1] == ancestors(other.predicate)[-1]
    return same_event and any(clash(a, b) for a in one.modifiers for b in other.modifiers)
