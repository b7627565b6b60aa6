"""Labels are decided by meaning: hand-made pairs, and agreement with a plain enumeration of possible worlds."""

from dataclasses import replace
from itertools import product
from random import Random

import pytest

from blindspots.data.nli import CONTRADICTION, ENTAILMENT, LABELS, NEUTRAL
from blindspots.demo.grammar import Clause, Denied, Group, Joined, Located, NounPhrase, Relative, Reported
from blindspots.demo.lexicon import CONCEPTS, ancestors, clash
from blindspots.demo.meaning import All, Fact, Not, Open, Some, meaning, relation
from blindspots.demo.premises import GENRES, premise
from blindspots.demo.rewrites import hypothesis

MASON, BAKER, NURSE = NounPhrase("mason"), NounPhrase("baker"), NounPhrase("nurse")
CHASED = Clause("chase", MASON, BAKER, ("cellar",))
DOZED = Clause("doze", NURSE)


@pytest.mark.parametrize(
    ("said", "asked", "label"),
    [
        (CHASED, replace(CHASED, passive=True), ENTAILMENT),
        (CHASED, replace(CHASED, modifiers=()), ENTAILMENT),
        (CHASED, replace(CHASED, predicate="follow", modifiers=("indoors",)), ENTAILMENT),
        (CHASED, replace(CHASED, modifiers=("garden",)), CONTRADICTION),
        (CHASED, replace(CHASED, negated=True, modifiers=()), CONTRADICTION),
        (CHASED, replace(CHASED, modifiers=("cellar", "dawn")), NEUTRAL),
        (CHASED, replace(CHASED, agent=BAKER, patient=MASON), NEUTRAL),
        (replace(CHASED, predicate="follow"), CHASED, NEUTRAL),
        (Clause("hire", MASON, BAKER), Clause("dismiss", MASON, BAKER), CONTRADICTION),
        (Clause("hire", MASON, BAKER, negated=True), Clause("dismiss", MASON, BAKER), NEUTRAL),
        (Clause("sprint", MASON), Clause("halt", MASON), CONTRADICTION),
        (Clause("doze", MASON), Clause("doze", NounPhrase("builder", "a")), ENTAILMENT),
        (Clause("doze", MASON), Clause("doze", NounPhrase("builder", "no")), CONTRADICTION),
        (Clause("doze", MASON), Clause("doze", NounPhrase("builder", "every")), NEUTRAL),
        (Clause("doze", NounPhrase("builder", "every")), Clause("doze", MASON), ENTAILMENT),
        (Clause("doze", NounPhrase("mason", "a")), Clause("doze", MASON), NEUTRAL),
        (Clause("doze", NounPhrase("mason", "the", "old")), Clause("young", MASON), CONTRADICTION),
        (replace(DOZED, adverb="certainly"), DOZED, ENTAILMENT),
        (replace(DOZED, adverb="perhaps"), DOZED, NEUTRAL),
        (replace(DOZED, adverb="nearly"), DOZED, CONTRADICTION),
        (Reported(MASON, "knew", DOZED), DOZED, ENTAILMENT),
        (Reported(MASON, "claimed", DOZED), DOZED, NEUTRAL),
        (Reported(MASON, "pretended", DOZED), DOZED, CONTRADICTION),
        (Reported(MASON, "claimed", DOZED), Denied(Reported(MASON, "claimed", DOZED)), CONTRADICTION),
        (Reported(MASON, "claimed", CHASED), Reported(MASON, "claimed", replace(CHASED, passive=True)), ENTAILMENT),
        (Joined(CHASED, "while", DOZED), DOZED, ENTAILMENT),
        (Joined(CHASED, "or", DOZED), DOZED, NEUTRAL),
        (Joined(CHASED, "or", DOZED), Joined(DOZED, "unless", CHASED), ENTAILMENT),
        (Joined(CHASED, "if", DOZED), CHASED, NEUTRAL),
        (Joined(CHASED, "if", DOZED), Joined(DOZED, "if", CHASED, link_first=True), ENTAILMENT),
        (Joined(CHASED, "if", DOZED), Joined(CHASED, "if", DOZED, link_first=True), NEUTRAL),
        (Relative(CHASED, Clause("doze", MASON)), CHASED, ENTAILMENT),
        (Relative(CHASED, Clause("doze", MASON)), Clause("doze", BAKER), NEUTRAL),
        (Group(CHASED, "agent", "and", NURSE), replace(CHASED, agent=NURSE), ENTAILMENT),
        (Group(CHASED, "patient", "or", NURSE), replace(CHASED, patient=NURSE), NEUTRAL),
        (Group(CHASED, "patient", "but not", NURSE), replace(CHASED, patient=NURSE), CONTRADICTION),
        (Located(DOZED, "beside", MASON), DOZED, ENTAILMENT),
        (Located(DOZED, "beside", MASON), Clause("doze", MASON), NEUTRAL),
    ],
)
def test_relation_of_hand_made_pairs(said, asked, label):
    assert relation(said, asked) == label


def test_a_hypothesis_that_cannot_be_false_has_no_label():
    assert relation(DOZED, Denied(Joined(CHASED, "if", CHASED))) is None


@pytest.mark.parametrize("seed", range(150))
def test_relation_agrees_with_the_enumeration_of_possible_worlds(seed):
    rng = Random(seed)
    said = premise(rng, rng.choice(sorted(GENRES)), doubtful=rng.random() < 0.5)
    asked = hypothesis(rng, said, rng.choice(LABELS))
    one, two = meaning(said), meaning(asked)
    facts = list(_atoms(one) | _atoms(two))
    if len(facts) > 10:
        facts_reached = relation(said, asked)
        assert facts_reached in (ENTAILMENT, NEUTRAL, CONTRADICTION, None)
        return
    worlds = [dict(zip(facts, values)) for values in product((False, True), repeat=len(facts))]
    worlds = [world for world in worlds if _possible({fact for fact in facts if world[fact]}, facts)]
    answers = {_holds(two, world) for world in worlds if _holds(one, world)}
    expected = {(True,): ENTAILMENT, (False,): CONTRADICTION, (False, True): NEUTRAL}.get(tuple(sorted(answers)))
    assert relation(said, asked) in (expected, None)


def _atoms(formula):
    if isinstance(formula, Not):
        return _atoms(formula.part)
    if isinstance(formula, (All, Some)):
        return {atom for part in formula.parts for atom in _atoms(part)}
    return {formula}


def _holds(formula, world):
    match formula:
        case Not(part):
            return not _holds(part, world)
        case All(parts):
            return all(_holds(part, world) for part in parts)
        case Some(parts):
            return any(_holds(part, world) for part in parts)
    return world[formula]


def _possible(true, facts):
    """True facts bring what they imply, and none excludes another."""
    events = [fact for fact in true if isinstance(fact, Fact)]
    return all(
        not _excludes(one, other) and not any(_brings(one, fact) and fact not in true for fact in facts)
        for one in events
        for other in events
    )


def _brings(one, other):
    if isinstance(other, Open) or (one.agent, one.patient) != (other.agent, other.patient):
        return False
    given = {name for modifier in one.modifiers for name in ancestors(modifier)}
    return other.predicate in ancestors(one.predicate) and other.modifiers <= given


def _excludes(one, other):
    if (one.agent, one.patient) != (other.agent, other.patient):
        return False
    same_event = set(ancestors(one.predicate)) & set(ancestors(other.predicate))
    modifiers_clash = any(clash(a, b) for a in one.modifiers for b in other.modifiers)
    return clash(one.predicate, other.predicate) or bool(same_event and modifiers_clash)


def test_the_kinds_that_decide_truth_are_in_the_lexicon():
    kinds = {concept.kind for concept in CONCEPTS.values()}
    assert {f"{truth} {form}" for truth in ("true", "open", "false") for form in ("adverb", "speech")} <= kinds
