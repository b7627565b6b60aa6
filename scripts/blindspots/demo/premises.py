"""A seeded probabilistic grammar: sentences of several genres, each with its people and constructions."""

from random import Random

from blindspots.demo.grammar import Clause, Group, Joined, Located, NounPhrase, Relative, Reported, Sentence
from blindspots.demo.lexicon import CLASS_OF, CONCEPTS, NOUNS, of_kind

# Weights of: plain clause, joined, reported, relative, group, located.
GENRES = {
    "news": (("officer", "medic", "trader", "builder"), (9, 2, 4, 2, 2, 1)),
    "letters": (("relative", "musician", "medic", "trader"), (9, 4, 2, 1, 3, 1)),
    "fables": (("bird", "beast", "trader", "relative"), (9, 3, 1, 3, 2, 2)),
    "talk": (("relative", "officer", "musician", "builder"), (9, 3, 3, 1, 3, 1)),
    "travel": (("musician", "bird", "beast", "officer"), (9, 3, 1, 2, 2, 3)),
}
TRANSITIVE, INTRANSITIVE, ADJECTIVES = of_kind("transitive"), of_kind("intransitive"), of_kind("adjective")
ADVERBS = of_kind("true adverb", "open adverb", "false adverb")
MODIFIERS = {kind: of_kind(kind) for kind in ("place", "time", "manner")}
SPEECH, POSITIONS = of_kind("true speech", "open speech", "false speech"), of_kind("position")
LINKS = of_kind("both", "either")


def premise(rng: Random, genre: str, doubtful: bool) -> Sentence:
    """A sentence of the genre, about six to fourteen words long, that is doubtful or not."""
    while is_doubtful(sentence := _any_premise(rng, genre)) != doubtful:
        pass
    return sentence


def is_doubtful(sentence: Sentence) -> bool:
    """Whether the sentence has a clause that it does not say is true: perhaps, claimed, or, if, but not, not ..."""
    match sentence:
        case Clause(adverb=adverb, negated=negated):
            return negated or (adverb is not None and CONCEPTS[adverb].kind != "true adverb")
        case Joined(first, link, second):
            return CONCEPTS[link].kind == "either" or is_doubtful(first) or is_doubtful(second)
        case Reported(_, speech, clause):
            return CONCEPTS[speech].kind != "true speech" or is_doubtful(clause)
        case Relative(inner, outer):
            return is_doubtful(inner) or is_doubtful(outer)
        case Group(clause, _, link, _):
            return link != "and" or is_doubtful(clause)
        case Located(clause):
            return is_doubtful(clause)


def _any_premise(rng: Random, genre: str) -> Sentence:
    classes, weights = GENRES[genre]
    nouns = rng.sample([noun for name in classes for noun in NOUNS[name]], 4)
    build = rng.choices((_plain, _joined, _reported, _relative, _group, _located), weights)[0]
    return build(rng, nouns)


def event(rng: Random, agent: str, patient: str, modifiers: int = 1, transitive: float = 0.7) -> Clause:
    """An affirmative or negated clause about definite people, with up to so many modifiers."""
    kinds = rng.sample(sorted(MODIFIERS), rng.randint(0, modifiers))
    chosen = tuple(rng.choice(MODIFIERS[kind]) for kind in kinds)
    negated = rng.random() < 0.08
    if rng.random() < transitive:
        passive = rng.random() < 0.35
        verb = rng.choice(TRANSITIVE)
        return Clause(verb, NounPhrase(agent), NounPhrase(patient), chosen, negated, passive)
    return Clause(rng.choice(INTRANSITIVE), NounPhrase(agent), None, chosen, negated)


def adjective_for(rng: Random, phrase: NounPhrase) -> NounPhrase:
    """The same individual with an adjective."""
    return NounPhrase(phrase.noun, "the", rng.choice(ADJECTIVES))


def quantify(rng: Random, phrase: NounPhrase) -> NounPhrase:
    """The noun, or now and then its class, under a quantifier."""
    noun = CLASS_OF.get(phrase.noun, phrase.noun) if rng.random() < 0.4 else phrase.noun
    return NounPhrase(noun, rng.choice(("a", "every", "no")))


def _plain(rng: Random, nouns: list[str]) -> Clause:
    clause = event(rng, *nouns[:2], modifiers=2)
    fields = clause.__dict__ | {"fronted": rng.random() < 0.3}
    role = "patient" if clause.patient and rng.random() < 0.4 else "agent"
    turn = rng.random()
    if turn < 0.3:
        fields |= {role: adjective_for(rng, fields[role])}
    elif turn < 0.55:
        fields |= {role: quantify(rng, fields[role]), "negated": False}
    elif turn < 0.85:
        fields |= {"adverb": rng.choice(ADVERBS), "negated": False, "modifiers": clause.modifiers[:1]}
    return Clause(**fields)


def _joined(rng: Random, nouns: list[str]) -> Joined:
    first = event(rng, nouns[0], nouns[1])
    second = event(rng, rng.choice(nouns[1:3]), nouns[3], modifiers=0, transitive=0.5)
    link = rng.choice(LINKS)
    return Joined(first, link, second, link not in ("and", "or") and rng.random() < 0.4)


def _reported(rng: Random, nouns: list[str]) -> Reported:
    speaker = NounPhrase(nouns[2])
    if rng.random() < 0.3:
        speaker = adjective_for(rng, speaker)
    return Reported(speaker, rng.choice(SPEECH), event(rng, *nouns[:2]))


def _relative(rng: Random, nouns: list[str]) -> Relative:
    inner = event(rng, nouns[0], nouns[1], modifiers=rng.randint(0, 1), transitive=0.8)
    head = inner.agent if rng.random() < 0.7 or not inner.patient or inner.passive or inner.negated else inner.patient
    outer = event(rng, inner.subject.noun if head == inner.agent else head.noun, nouns[2], modifiers=1, transitive=0.5)
    if outer.passive:
        outer = Clause(**outer.__dict__ | {"agent": outer.patient, "patient": outer.agent})
    return Relative(inner, outer)


def _group(rng: Random, nouns: list[str]) -> Group:
    clause = event(rng, *nouns[:2])
    clause = Clause(**clause.__dict__ | {"negated": False})
    role = "patient" if clause.patient and rng.random() < 0.5 else "agent"
    return Group(clause, role, rng.choice(("and", "or", "but not")), NounPhrase(nouns[2]))


def _located(rng: Random, nouns: list[str]) -> Located:
    return Located(event(rng, *nouns[:2]), rng.choice(POSITIONS), NounPhrase(nouns[2]))
