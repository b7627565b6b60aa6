"""Diversity, common words and the n-grams that go with a label."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sacrebleu.metrics import BLEU

from blindspots.audit import text
from blindspots.audit.findings import NotComputedError
from blindspots.audit.tally import Tally

COUNTS = st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=3, max_size=8).filter(
    lambda rows: all(sum(column) > 0 for column in zip(*rows)) and all(sum(row) > 0 for row in rows)
)


def test_ngrams_are_of_stripped_words():
    assert text.ngrams("The dog, ran .", 2) == ["the dog", "dog ran"]
    assert text.ngrams("Dogs", 2) == []


def test_distinct_by_hand():
    assert text.distinct(["a", "b", "a", "a", "c"], 2) == [1.0, 0.5]


def test_self_bleu_is_one_for_copies_and_sacrebleus_otherwise():
    assert text.self_bleu(["the dog ran away today"] * 4, 2) == pytest.approx([1, 1])
    group = ["the dog ran away today", "the dog ran home today", "a cat sat on the mat"]
    expected = np.mean(
        [BLEU(effective_order=True).sentence_score(group[i], group[:i] + group[i + 1 :]).score for i in range(3)]
    )
    assert text.self_bleu(group, 3) == pytest.approx([expected / 100])


def test_copies_are_less_diverse_than_a_varied_reference(batch):
    copies = batch(*[("p", "the dog ran away from the cat", "neutral")] * 200)
    varied = batch(*[("p", f"w{i} x{i * 7 % 200} y{i * 3 % 200} z{i} v{i}", "neutral") for i in range(200)])
    found = {one.what: one for one in text.diversity(copies, varied, 20).findings}
    assert len(found) == 4
    for what, one in found.items():
        assert (one.contrast.low > 0) == what.startswith("self-BLEU"), what


def test_too_few_texts_are_said_to_be_too_few(batch):
    one = batch(("p", "a dog", "neutral"))
    section = text.diversity(one, one, 20)
    assert section.findings == []
    assert [note.split(" not computed")[0] for note in section.notes] == [
        "distinct-1",
        "distinct-2",
        "distinct-3",
        "self-BLEU",
    ]


@given(COUNTS)
def test_log_odds_change_sign_with_the_sides_and_shrink_with_the_prior(rows):
    inside, outside = np.array(rows, dtype=float).T
    share = (inside + outside) / (inside + outside).sum()
    odds, error = text.log_odds(inside, outside, share)
    swapped, same_error = text.log_odds(outside, inside, share)
    assert odds == pytest.approx(-swapped)
    assert error == pytest.approx(same_error)
    assert (np.abs(text.log_odds(inside, outside, 1e6 * share)[0]) <= np.abs(odds) + 1e-2).all()


def test_log_odds_by_hand():
    # Monroe et al. (2008), equation 16: ln(4/6) - ln(2/4) with a prior of one each.
    odds, error = text.log_odds(np.array([3.0, 5.0]), np.array([1.0, 3.0]), np.array([1.0, 1.0]))
    assert odds[0] == pytest.approx(np.log(4 / 6) - np.log(2 / 4))
    assert error[0] == pytest.approx(np.sqrt(1 / 4 + 1 / 2))


def labelled(**labels) -> Tally:
    return Tally("mine", labels=labels)


def test_a_word_that_gives_a_label_away_is_found(batch):
    rows = [
        ("p", f"the dog {'never' if i % 2 else 'often'} ran", "contradiction" if i % 2 else "neutral")
        for i in range(100)
    ]
    counts = labelled(neutral=50, contradiction=50)
    section = text.label_ngrams(batch(*rows), batch(*rows), counts, counts, top=5)
    top = section.tables["contradiction"][0]
    assert "never" in top["n-gram"]
    assert top["low"] > 0
    assert top["reference"] == pytest.approx(top["log-odds"])
    assert (top["count"], top["count elsewhere"]) == (50, 0)


def test_ngrams_of_one_class_are_not_computed(batch):
    rows = batch(("p", "a dog", "neutral"))
    with pytest.raises(NotComputedError, match="every label of mine is neutral"):
        text.label_ngrams(rows, rows, labelled(neutral=1), labelled(neutral=1), top=5)


def test_another_language_is_recognised_by_its_common_words(batch):
    english = batch(*[("p", "the dog is in the house and it is not a cat", "neutral")] * 5)
    german = batch(*[("p", "der Hund ist im Haus und er ist keine Katze", "neutral")] * 5)
    assert "different languages" in text.comparability(german, english, ("theirs", "ours")).notes[0]
    assert text.comparability(english, english, ("theirs", "ours")).notes == []
    with pytest.raises(NotComputedError, match="no words"):
        text.comparability(batch(("p", "...", "neutral")), english, ("theirs", "ours"))
