"""The lexicon is consistent, or labels would not be what they seem."""

from collections import Counter

from blindspots.demo.lexicon import ALL_NOUNS, CONCEPTS, ancestors, clash


def test_every_relation_names_a_concept_of_the_same_kind():
    for name, concept in CONCEPTS.items():
        for other in filter(None, (concept.parent, concept.opposite)):
            assert CONCEPTS[other].kind == concept.kind, name


def test_nothing_excludes_itself_or_what_it_is_a_kind_of():
    assert [name for name in CONCEPTS if any(clash(name, other) for other in ancestors(name))] == []


def test_exclusion_has_no_direction():
    assert all(clash(one, other) == clash(other, one) for one in CONCEPTS for other in CONCEPTS)


def test_a_word_has_one_meaning():
    words = Counter(word for concept in CONCEPTS.values() for form in concept.words for word in {*form.split("/")})
    words.update(ALL_NOUNS)
    assert [word for word, count in words.items() if count > 1] == []


def test_a_verb_has_a_base_and_a_past_form():
    verbs = [c for c in CONCEPTS.values() if c.kind in ("transitive", "intransitive")]
    assert all(form.count("/") == 1 for verb in verbs for form in verb.words)
