"""Sentences as structures, and their wording."""

from collections.abc import Callable
from dataclasses import dataclass

from blindspots.demo.lexicon import CONCEPTS

# Gives the word that a wording uses for a concept.
Wording = Callable[[str], str]


@dataclass(frozen=True)
class NounPhrase:
    """A noun with `the`, `a`, `every` or `no`; the noun may be a class such as `musician`."""

    noun: str
    determiner: str = "the"
    adjective: str | None = None


@dataclass(frozen=True)
class Clause:
    """Who did what to whom, where, when and how. Every field but the noun phrases names concepts of the lexicon."""

    predicate: str
    agent: NounPhrase
    patient: NounPhrase | None = None
    modifiers: tuple[str, ...] = ()
    negated: bool = False
    passive: bool = False
    fronted: bool = False
    adverb: str | None = None

    @property
    def subject(self) -> NounPhrase:
        return self.patient if self.passive else self.agent


@dataclass(frozen=True)
class Joined:
    """Two clauses: `first LINK second`."""

    first: Clause
    link: str
    second: Clause
    link_first: bool = False


@dataclass(frozen=True)
class Reported:
    """`SPEAKER SPEECH that CLAUSE`."""

    speaker: NounPhrase
    speech: str
    clause: Clause


@dataclass(frozen=True)
class Relative:
    """The subject of `outer` with a relative clause `inner`, of which it is the subject or the active object."""

    inner: Clause
    outer: Clause


@dataclass(frozen=True)
class Group:
    """A clause whose agent or patient is `NP LINK other`, the link being `and`, `or` or `but not`."""

    clause: Clause
    role: str
    link: str
    other: NounPhrase


@dataclass(frozen=True)
class Located:
    """A clause whose subject is `NP beside OTHER`."""

    clause: Clause
    position: str
    other: NounPhrase


@dataclass(frozen=True)
class Denied:
    """`It is false that SENTENCE`."""

    sentence: "Sentence"


Sentence = Denied | Clause | Joined | Reported | Relative | Group | Located


def realise(sentence: Sentence, word: Wording) -> str:
    """The sentence in words: tokens parted by one space, full stop included, first letter a capital."""
    text = _words(sentence, word)
    return f"{text[0].upper()}{text[1:]} ."


def _words(sentence: Sentence, word: Wording) -> str:
    match sentence:
        case Clause():
            return _clause(sentence, word, _noun_phrase(sentence.subject, word))
        case Denied(denied):
            return f"it is false that {_words(denied, word)}"
        case Joined(first, link, second, link_first):
            one, two = _words(first, word), _words(second, word)
            return f"{word(link)} {one} , {two}" if link_first else f"{one} {word(link)} {two}"
        case Reported(speaker, speech, clause):
            return f"{_noun_phrase(speaker, word)} {word(speech)} that {_words(clause, word)}"
        case Relative(inner, outer):
            head = _noun_phrase(outer.subject, word)
            return _clause(outer, word, f"{head} who {_gapped(inner, outer.subject, word)}")
        case Group(clause, role, link, other):
            pair = f"{_noun_phrase(getattr(clause, role), word)} {link} {_noun_phrase(other, word)}"
            if role == "agent" and not clause.passive:
                return _clause(clause, word, pair, plural=link == "and")
            if role == "patient" and clause.passive:
                return _clause(clause, word, pair, plural=link == "and")
            return _clause(clause, word, _noun_phrase(clause.subject, word), rest=pair)
        case Located(clause, position, other):
            return _clause(
                clause, word, f"{_noun_phrase(clause.subject, word)} {word(position)} {_noun_phrase(other, word)}"
            )


def _noun_phrase(phrase: NounPhrase, word: Wording) -> str:
    noun = f"{word(phrase.adjective)} {phrase.noun}" if phrase.adjective else phrase.noun
    if phrase.determiner == "a" and noun[0] in "aeiou":
        return f"an {noun}"
    return f"{phrase.determiner} {noun}"


def _gapped(inner: Clause, head: NounPhrase, word: Wording) -> str:
    if inner.subject.noun == head.noun:
        return _predicate(inner, word)
    return " ".join((_noun_phrase(inner.agent, word), *_verb(inner, word), *_trailing(inner, word)))


def _clause(clause: Clause, word: Wording, subject: str, rest: str | None = None, plural: bool = False) -> str:
    opening = f"{word(clause.adverb)} " if clause.adverb == "perhaps" else ""
    if clause.fronted and _trailing(clause, word):
        opening += f"{' '.join(_trailing(clause, word))} , "
        return opening + subject + " " + _predicate(clause, word, rest, plural, trailing=False)
    return opening + subject + " " + _predicate(clause, word, rest, plural)


def _predicate(
    clause: Clause, word: Wording, rest: str | None = None, plural: bool = False, trailing: bool = True
) -> str:
    words = _verb(clause, word, plural)
    if clause.patient:
        other = rest or _noun_phrase(clause.agent if clause.passive else clause.patient, word)
        words += ["by", other] if clause.passive else [other]
    return " ".join(words + _trailing(clause, word) if trailing else words)


def _verb(clause: Clause, word: Wording, plural: bool = False) -> list[str]:
    adverbs = [word(clause.adverb)] if clause.adverb not in (None, "perhaps") else []
    adverbs += [word(name) for name in clause.modifiers if CONCEPTS[name].kind == "manner"]
    was = ["were" if plural else "was"] + ["not"] * clause.negated
    if CONCEPTS[clause.predicate].kind == "adjective":
        return was + adverbs + [word(clause.predicate)]
    base, past = word(clause.predicate).split("/")
    if clause.passive:
        return was + adverbs + [past]
    return ["did", "not", *adverbs, base] if clause.negated else [*adverbs, past]


def _trailing(clause: Clause, word: Wording) -> list[str]:
    return [word(name) for name in clause.modifiers if CONCEPTS[name].kind != "manner"]
