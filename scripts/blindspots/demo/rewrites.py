"""Small edits that turn a clause of a premise into a hypothesis; the pair's meaning alone decides its label."""

from collections.abc import Callable
from dataclasses import replace
from random import Random

from blindspots.data.nli import CONTRADICTION, ENTAILMENT, NEUTRAL
from blindspots.demo.grammar import Clause, Denied, Group, Joined, Located, NounPhrase, Relative, Reported, Sentence
from blindspots.demo.lexicon import ALL_NOUNS, CLASS_OF, CONCEPTS
from blindspots.demo.premises import MODIFIERS, adjective_for, event, quantify

Edit = Callable[[Random, Clause, list[str]], Clause]


def hypothesis(rng: Random, sentence: Sentence, label: str) -> Sentence:
    """A guess at a hypothesis of this label: an edited clause, or all of a sentence that leaves clauses open."""
    if _is_open(sentence) and label != NEUTRAL:
        whole = restated(rng, sentence)
        return Denied(whole) if label == CONTRADICTION else whole
    clause = replace(rng.choice(clauses_of(sentence)), adverb=None, fronted=rng.random() < 0.15)
    return edited(rng, clause, nouns_of(sentence), label, rng.choice((1, 1, 2, 2)))


def edited(rng: Random, clause: Clause, nouns: list[str], label: str, edits: int) -> Clause:
    """The clause after so many edits, drawn by the label's habits."""
    for edit in rng.choices(tuple(HABITS[label]), tuple(HABITS[label].values()), k=edits):
        clause = edit(rng, clause, nouns)
    return clause


def restated(rng: Random, sentence: Sentence) -> Sentence:
    """The sentence said in another order or voice."""
    nouns = nouns_of(sentence)
    match sentence:
        case Joined(first, link, second, link_first):
            first = other_voice(rng, first, nouns) if rng.random() < 0.3 else first
            if link == "if":
                return Joined(second, link, first, not link_first)
            return Joined(second, link, first, False)
        case Reported(speaker, _, clause):
            clause = other_voice(rng, clause, nouns)
            return replace(sentence, speaker=replace(speaker, adjective=None), clause=clause)
        case Group(clause, role, _, other):
            return replace(sentence, clause=replace(clause, **{role: other}), other=getattr(clause, role))
    return other_voice(rng, sentence, nouns)


def _is_open(sentence: Sentence) -> bool:
    match sentence:
        case Joined(_, link, _):
            return CONCEPTS[link].kind == "either"
        case Reported(_, speech, _):
            return CONCEPTS[speech].kind == "open speech"
        case Group(_, _, link, _):
            return link == "or"
        case Clause():
            return bool(sentence.adverb) and CONCEPTS[sentence.adverb].kind == "open adverb"
    return False


def clauses_of(sentence: Sentence) -> list[Clause]:
    """The clauses that a sentence is made of, true or not."""
    match sentence:
        case Clause():
            return [sentence, sentence, *described(sentence.agent, sentence.patient)]
        case Joined(first, _, second):
            return [first, second]
        case Reported(speaker, _, clause):
            return [clause, *described(speaker)]
        case Relative(inner, outer):
            return [inner, outer]
        case Group(clause, role, _, other):
            return [clause, replace(clause, **{role: other})]
        case Located(clause, _, other):
            return [clause, clause, replace(clause, **{"patient" if clause.passive else "agent": other})]


def described(*phrases: NounPhrase | None) -> list[Clause]:
    """What the adjectives of noun phrases say, as clauses."""
    return [Clause(phrase.adjective, NounPhrase(phrase.noun)) for phrase in phrases if phrase and phrase.adjective]


def nouns_of(sentence: Sentence) -> list[str]:
    """Nouns of the sentence, classes left out."""
    phrases = [phrase for clause in clauses_of(sentence) for phrase in (clause.agent, clause.patient) if phrase]
    return sorted({phrase.noun for phrase in phrases if phrase.noun in CLASS_OF})


def other_voice(rng: Random, clause: Clause, nouns: list[str]) -> Clause:
    return replace(clause, passive=not clause.passive) if clause.patient else clause


def other_predicate(rng: Random, clause: Clause, nouns: list[str]) -> Clause:
    """What the predicate is a kind of, a kind of it, or its opposite."""
    name = clause.predicate
    related = [other for other, concept in CONCEPTS.items() if name in (concept.parent, concept.opposite)]
    related += [other for other in (CONCEPTS[name].parent, CONCEPTS[name].opposite) if other]
    return replace(clause, predicate=rng.choice(related)) if related else clause


def other_modifier(rng: Random, clause: Clause, nouns: list[str]) -> Clause:
    """One modifier less, one more, or another of the same kind."""
    kept = list(clause.modifiers)
    kind = rng.choice(sorted(MODIFIERS))
    old = [name for name in kept if CONCEPTS[name].kind == kind]
    kept = [name for name in kept if name not in old]
    if CONCEPTS[clause.predicate].kind == "adjective" or (old and rng.random() < 0.4):
        return replace(clause, modifiers=tuple(kept))
    return replace(clause, modifiers=(*kept, rng.choice(MODIFIERS[kind]))[-2:])


def no_modifiers(rng: Random, clause: Clause, nouns: list[str]) -> Clause:
    return replace(clause, modifiers=())


def other_polarity(rng: Random, clause: Clause, nouns: list[str]) -> Clause:
    """Negated or not; a clause with a quantifier loses it."""
    plain = {role: NounPhrase(_definite(rng, getattr(clause, role), nouns)) for role in _roles(clause)}
    return replace(clause, negated=not clause.negated, **plain)


def swapped_roles(rng: Random, clause: Clause, nouns: list[str]) -> Clause:
    return replace(clause, agent=clause.patient, patient=clause.agent) if clause.patient else clause


def other_noun(rng: Random, clause: Clause, nouns: list[str]) -> Clause:
    """Somebody else, most often of the same premise, in one of the roles."""
    role = rng.choice(_roles(clause))
    noun = rng.choice(nouns if nouns and rng.random() < 0.25 else ALL_NOUNS)
    return replace(clause, **{role: replace(getattr(clause, role), noun=noun)})


def other_quantifier(rng: Random, clause: Clause, nouns: list[str]) -> Clause:
    """A quantifier on one noun phrase, the other definite, no negation."""
    role = rng.choice(_roles(clause))
    plain = {other: NounPhrase(_definite(rng, getattr(clause, other), nouns)) for other in _roles(clause)}
    return replace(clause, **plain | {role: quantify(rng, getattr(clause, role)), "negated": False})


def no_adjectives(rng: Random, clause: Clause, nouns: list[str]) -> Clause:
    return replace(clause, **{role: replace(getattr(clause, role), adjective=None) for role in _roles(clause)})


def one_adjective(rng: Random, clause: Clause, nouns: list[str]) -> Clause:
    phrase = clause.agent
    return replace(clause, agent=adjective_for(rng, phrase)) if phrase.determiner == "the" else clause


def other_event(rng: Random, clause: Clause, nouns: list[str]) -> Clause:
    """Something else about the same people."""
    people = [*nouns, *rng.sample(ALL_NOUNS, 2)]
    return event(rng, *people[:2])


# Habits of those who write hypotheses, as in crowd-sourced sets: what follows says less, what may be adds something,
# what cannot be denies. A habit only proposes; other labels come of it as well and are then thrown away.
HABITS: dict[str, dict[Edit, float]] = {
    ENTAILMENT: {
        no_modifiers: 7,
        no_adjectives: 2,
        other_predicate: 2,
        other_voice: 2,
        other_quantifier: 1,
        other_polarity: 0.5,
        other_modifier: 0.5,
    },
    NEUTRAL: {
        other_modifier: 5,
        one_adjective: 4,
        other_noun: 1.5,
        other_event: 1.5,
        swapped_roles: 0.5,
        other_quantifier: 0.5,
        other_predicate: 0.5,
        other_voice: 0.5,
    },
    CONTRADICTION: {
        other_polarity: 6,
        other_predicate: 3,
        no_modifiers: 3,
        other_quantifier: 1,
        other_voice: 1,
        other_modifier: 0.5,
    },
}


def _roles(clause: Clause) -> tuple[str, ...]:
    return ("agent", "patient") if clause.patient else ("agent",)


def _definite(rng: Random, phrase: NounPhrase, nouns: list[str]) -> str:
    """A noun that `the` can stand before: a class gives way to one of the premise's nouns, or any of its own."""
    return phrase.noun if phrase.noun in CLASS_OF else rng.choice(nouns or ALL_NOUNS)
