"""Subcases of the HANS-like set: pairs whose hypothesis only uses the premise's words, entailed or not.

Idea of the set: McCoy et al. (2019), Right for the Wrong Reasons; names, words and sentences are this corpus's own.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random

from blindspots.data.nli import ENTAILMENT, NON_ENTAILMENT
from blindspots.demo.grammar import Clause, Group, Joined, Located, NounPhrase, Relative, Reported, Sentence
from blindspots.demo.lexicon import ALL_NOUNS, CONCEPTS, of_kind
from blindspots.demo.premises import INTRANSITIVE, MODIFIERS, POSITIONS, TRANSITIVE

Pair = tuple[Sentence, Clause]


@dataclass(frozen=True)
class Subcase:
    """One construction: `pair` draws a premise and a hypothesis that stand in relation `label`."""

    heuristic: str
    label: str
    pair: Callable[[Random], Pair]

    @property
    def name(self) -> str:
        return self.pair.__name__.strip("_")


def _people(rng: Random, count: int) -> list[NounPhrase]:
    return [NounPhrase(noun) for noun in rng.sample(ALL_NOUNS, count)]


def _trailing(rng: Random, share: float = 0.3) -> tuple[str, ...]:
    """A place or time, in so many of the clauses."""
    return (rng.choice(MODIFIERS["place"] + MODIFIERS["time"]),) if rng.random() < share else ()


def _act(rng: Random, agent: NounPhrase, patient: NounPhrase, share: float = 0.3) -> Clause:
    return Clause(rng.choice(TRANSITIVE), agent, patient, _trailing(rng, share))


def _do(rng: Random, agent: NounPhrase, share: float = 0.3) -> Clause:
    return Clause(rng.choice(INTRANSITIVE), agent, None, _trailing(rng, share))


def _either(rng: Random, agent: NounPhrase, patient: NounPhrase) -> Clause:
    return _act(rng, agent, patient) if rng.random() < 0.5 else _do(rng, agent)


def _passive(clause: Clause) -> Clause:
    return replace(clause, passive=True)


def _swapped(clause: Clause) -> Clause:
    return replace(clause, agent=clause.patient, patient=clause.agent)


def _with_manner(rng: Random, clause: Clause) -> Clause:
    """The clause with a word before its verb, so that without it the words are not an unbroken run."""
    return replace(clause, modifiers=(rng.choice(MODIFIERS["manner"]), *clause.modifiers))


# Lexical overlap: the words are there, with others between them or in another order.


def active_from_passive(rng: Random) -> Pair:
    clause = _act(rng, *_people(rng, 2))
    return _passive(clause), clause


def modifier_moved(rng: Random) -> Pair:
    clause = _act(rng, *_people(rng, 2), share=1)
    return replace(clause, fronted=True), clause


def object_relative(rng: Random) -> Pair:
    one, two, three = _people(rng, 3)
    clause = replace(_act(rng, one, two), modifiers=())
    return Relative(clause, _either(rng, two, three)), clause


def last_of_group(rng: Random) -> Pair:
    one, two, three = _people(rng, 3)
    clause = _act(rng, one, two)
    return Group(clause, "patient", "and", three), replace(clause, patient=three)


def manner_dropped(rng: Random) -> Pair:
    clause = _act(rng, *_people(rng, 2), share=0)
    return _with_manner(rng, clause), clause


def surely(rng: Random) -> Pair:
    clause = _act(rng, *_people(rng, 2))
    return replace(clause, adverb="certainly"), clause


def role_swap(rng: Random) -> Pair:
    clause = _act(rng, *_people(rng, 2))
    return clause, _swapped(clause)


def passive_kept_order(rng: Random) -> Pair:
    clause = _act(rng, *_people(rng, 2))
    return _passive(clause), _swapped(clause)


def relative_swap(rng: Random) -> Pair:
    premise, clause = object_relative(rng)
    return premise, _swapped(clause)


def group_left_out(rng: Random) -> Pair:
    one, two, three = _people(rng, 3)
    clause = _act(rng, one, two)
    return Group(clause, "patient", rng.choice(("but not", "or")), three), replace(clause, patient=three)


def neighbour_acted_on(rng: Random) -> Pair:
    one, two, three = _people(rng, 3)
    clause = _act(rng, one, two)
    return Located(_passive(clause), rng.choice(POSITIONS), three), replace(clause, patient=three)


def doubtful(rng: Random) -> Pair:
    clause = _act(rng, *_people(rng, 2))
    return replace(clause, adverb="reportedly"), clause


def nearly(rng: Random) -> Pair:
    clause = _act(rng, *_people(rng, 2))
    return replace(clause, adverb="nearly"), clause


def denied(rng: Random) -> Pair:
    clause = _passive(_act(rng, *_people(rng, 2)))
    return replace(clause, negated=True), clause


def said(rng: Random) -> Pair:
    one, two, three = _people(rng, 3)
    clause = _act(rng, one, two, share=0)
    return Reported(three, rng.choice(of_kind("open speech")), _with_manner(rng, clause)), clause


def pretended(rng: Random) -> Pair:
    premise, clause = said(rng)
    return replace(premise, speech="pretended"), clause


def alternative(rng: Random) -> Pair:
    one, two, three = _people(rng, 3)
    clause = _act(rng, one, two, share=0)
    return Joined(_with_manner(rng, clause), "or", _do(rng, three)), clause


def conditional(rng: Random) -> Pair:
    premise, clause = alternative(rng)
    return replace(premise, link=rng.choice(("if", "unless"))), clause


def first_or_other(rng: Random) -> Pair:
    one, two, three = _people(rng, 3)
    clause = _act(rng, one, two)
    return Group(clause, "agent", "or", three), clause


# Subsequence: the hypothesis is an unbroken run of the premise's words.


def second_of_pair(rng: Random) -> Pair:
    one, two, three = _people(rng, 3)
    clause = _either(rng, two, three)
    return Group(replace(clause, agent=one), "agent", "and", two), clause


def modifier_dropped(rng: Random) -> Pair:
    one, two = _people(rng, 2)
    clause = _either(rng, one, two)
    return replace(clause, modifiers=_trailing(rng, 1)), replace(clause, modifiers=())


def first_of_objects(rng: Random) -> Pair:
    one, two, three = _people(rng, 3)
    clause = replace(_act(rng, one, two), modifiers=())
    return Group(clause, "patient", "and", three), clause


def neighbour(rng: Random) -> Pair:
    one, two, three = _people(rng, 3)
    clause = _either(rng, one, two)
    return Located(clause, rng.choice(POSITIONS), three), replace(clause, agent=three)


def relative_object(rng: Random) -> Pair:
    one, two, three = _people(rng, 3)
    clause = _either(rng, one, two)
    return Relative(replace(_act(rng, one, three), modifiers=()), clause), replace(clause, agent=three)


def second_of_choice(rng: Random) -> Pair:
    premise, clause = second_of_pair(rng)
    return replace(premise, link="or"), clause


def second_left_out(rng: Random) -> Pair:
    premise, clause = second_of_pair(rng)
    return replace(premise, link="but not"), clause


# Constituent: the hypothesis is a whole clause of the premise.


def _joined(rng: Random, link: str, second: bool) -> Pair:
    one, two, three, four = _people(rng, 4)
    clauses = _either(rng, one, two), _either(rng, three, four)
    return Joined(clauses[0], link, clauses[1]), clauses[second]


def first_of_both(rng: Random) -> Pair:
    return _joined(rng, rng.choice(of_kind("both")), False)


def second_of_both(rng: Random) -> Pair:
    return _joined(rng, rng.choice(of_kind("both")), True)


def known(rng: Random) -> Pair:
    one, two, three = _people(rng, 3)
    clause = _either(rng, one, two)
    return Reported(three, rng.choice(of_kind("true speech")), clause), clause


def one_of_either(rng: Random) -> Pair:
    return _joined(rng, "or", rng.random() < 0.5)


def condition(rng: Random) -> Pair:
    return _joined(rng, rng.choice(("if", "unless")), rng.random() < 0.5)


def only_said(rng: Random) -> Pair:
    premise, clause = known(rng)
    return replace(premise, speech=rng.choice(of_kind("open speech"))), clause


def lied(rng: Random) -> Pair:
    premise, clause = known(rng)
    return replace(premise, speech=rng.choice(of_kind("false speech"))), clause


def perhaps(rng: Random) -> Pair:
    clause = _either(rng, *_people(rng, 2))
    return replace(clause, adverb="perhaps"), clause


_PAIRS = {
    ("lexical_overlap", ENTAILMENT): (
        manner_dropped,
        surely,
        modifier_moved,
        object_relative,
        last_of_group,
        active_from_passive,
    ),
    ("lexical_overlap", NON_ENTAILMENT): (
        role_swap,
        passive_kept_order,
        relative_swap,
        group_left_out,
        neighbour_acted_on,
        first_or_other,
        doubtful,
        nearly,
        denied,
        said,
        pretended,
        conditional,
        alternative,
    ),
    ("subsequence", ENTAILMENT): (second_of_pair, modifier_dropped, first_of_objects),
    ("subsequence", NON_ENTAILMENT): (neighbour, relative_object, second_of_choice, second_left_out),
    ("constituent", ENTAILMENT): (first_of_both, second_of_both, known),
    ("constituent", NON_ENTAILMENT): (one_of_either, condition, only_said, lied, perhaps),
}
SUBCASES = tuple(Subcase(*slice_, pair) for slice_, pairs in _PAIRS.items() for pair in pairs)


def template(sentence_words: str) -> str:
    """The shape of a sentence: its nouns as N, its content words left out."""
    return " ".join("N" if word in ALL_NOUNS else word for word in sentence_words.split())


def shape_word(concept: str) -> str:
    """A wording that names kinds in place of words."""
    kind = CONCEPTS[concept].kind
    return "V/Ved" if kind in ("transitive", "intransitive") else kind.upper().replace(" ", "_")
