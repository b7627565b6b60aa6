"""The three heuristics of HANS: their definitions, their order, and the fast count of them."""

import string
import time

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blindspots.data.heuristics import (
    HEURISTICS,
    RAW,
    STRIPPED,
    WORD_RULES,
    constituent,
    count_heuristics,
    find_heuristics,
    lexical_overlap,
    subsequence,
    substring,
    subtrees,
    words,
)

PENN = "(ROOT (S (SBAR (IN If) (S (NP (DT the) (NN actor)) (VP (VBD slept)))) (NP (PRP we)) (VP (VBD left)) (. .)))"
BINARY = "( ( If ( ( the actor ) slept ) ) ( we ( left . ) ) )"
IF_PREMISE = "If the actor slept we left ."

tokens = st.sampled_from(
    ["the", "The", "dog", "dogs", "dogs.", '"dog"', "saw", ".", "?", "!", "--", "(the", "d'og", "İ", "ß"]
)
texts = st.one_of(st.lists(tokens, max_size=6).map(" ".join), st.text(max_size=20))
rules = st.booleans()


@pytest.mark.parametrize(
    ("premise", "hypothesis", "raw", "stripped"),
    [
        ("The doctor saw the actor .", "The actor saw the doctor .", True, True),
        ("The doctor saw the actor .", "The actor saw the judge .", False, False),
        ("The dogs sleep", "Dogs sleep.", False, True),
        ("The dogs sleep .", "Dogs sleep !", True, True),
        ("He said “dogs sleep”", "Dogs sleep", False, True),
        ("I can't", "I can", False, False),
        ("Dogs sleep", "", False, False),
        ("Dogs sleep .", ". ?", False, False),
        ("Dogs -- sleep", "--", True, False),
    ],
)
def test_lexical_overlap(premise, hypothesis, raw, stripped):
    assert lexical_overlap(premise, hypothesis) is raw
    assert lexical_overlap(premise, hypothesis, strip_punctuation=True) is stripped


@pytest.mark.parametrize(
    ("premise", "hypothesis", "expected"),
    [
        ("The doctor near the actor danced .", "The actor danced .", True),
        ("The doctor near the actor danced .", "The doctor danced .", False),
        ("She left", "he left", False),
    ],
)
def test_subsequence_is_contiguous_and_of_whole_words(premise, hypothesis, expected):
    assert subsequence(premise, hypothesis) is expected


@pytest.mark.parametrize("parse", [PENN, BINARY])
def test_constituent_is_a_complete_subtree(parse):
    assert constituent(IF_PREMISE, "The actor slept .", parse)
    assert not constituent(IF_PREMISE, "slept we left .", parse)


def test_constituent_looks_past_the_way_a_parse_splits_words():
    parse = "(ROOT (S (NP (PRP I)) (VP (VBP know) (SBAR (S (NP (PRP you)) (VP (VBP do) (RB n't) (VP (VB care))))))))"
    assert constituent("I know you don't care", "You don't care", parse)


def test_subtrees_undo_treebank_brackets():
    assert list(subtrees("(NP (-LRB- -LRB-) (NN x) (-RRB- -RRB-))")) == ["(", "x", ")", "( x )"]


@pytest.mark.parametrize("parse", ["(S (NP x)", "(S x))"])
def test_a_broken_parse_is_an_error(parse):
    with pytest.raises(ValueError, match="bracket"):
        list(subtrees(parse))


@given(texts, texts)
def test_raw_overlap_is_the_published_word_loop(premise, hypothesis):
    seen = [word.lower() for word in premise.split() if word not in (".", "?", "!")]
    wanted = [word.lower() for word in hypothesis.split() if word not in (".", "?", "!")]
    assert lexical_overlap(premise, hypothesis) == (bool(wanted) and all(word in seen for word in wanted))


@given(texts, rules)
def test_a_text_overlaps_with_itself_where_it_has_words(text, strip):
    assert lexical_overlap(text, text, strip) == subsequence(text, text, strip) == bool(words(text, strip))


@given(texts, texts, rules)
def test_a_subsequence_overlaps(premise, hypothesis, strip):
    assert not subsequence(premise, hypothesis, strip) or lexical_overlap(premise, hypothesis, strip)


@given(texts, texts, rules)
def test_a_subsequence_is_a_substring(premise, hypothesis, strip):
    assert not subsequence(premise, hypothesis, strip) or substring(premise, hypothesis, strip)


def test_a_substring_may_begin_and_end_within_a_word():
    assert substring("The women left early .", "Men left ear .")
    assert not subsequence("The women left early .", "Men left ear .")
    assert not lexical_overlap("The women left early .", "Men left ear .")


def test_the_published_subsequence_is_the_substring(shared):
    """Of the MNLI part 65 pairs follow the published code's rule, 60 that of whole words."""
    rows = pd.read_parquet(shared / "hub/datasets/nyu-mll/multi_nli/data/train-00000-of-00001.parquet")
    found = find_heuristics(rows["premise"].tolist(), rows["hypothesis"].tolist())[RAW]
    assert (found["substring"].sum(), found["subsequence"].sum()) == (65, 60)


@given(texts, texts)
def test_raw_overlap_of_words_is_stripped_overlap(premise, hypothesis):
    if lexical_overlap(premise, hypothesis) and words(hypothesis, strip_punctuation=True):
        assert lexical_overlap(premise, hypothesis, strip_punctuation=True)


@given(st.lists(st.tuples(texts, texts), max_size=8))
def test_a_batch_finds_what_the_single_rules_find(pairs):
    found = find_heuristics([premise for premise, _ in pairs], [hypothesis for _, hypothesis in pairs])
    for row, pair in enumerate(pairs):
        for rule in WORD_RULES:
            assert found.loc[row, (rule, "lexical_overlap")] == lexical_overlap(*pair, rule == STRIPPED)
            assert found.loc[row, (rule, "subsequence")] == subsequence(*pair, rule == STRIPPED)
            assert found.loc[row, (rule, "substring")] == substring(*pair, rule == STRIPPED)


def test_a_batch_with_parses_counts_constituents():
    found = find_heuristics([IF_PREMISE] * 2, ["The actor slept .", "slept we left ."], [PENN, PENN])
    assert found[RAW, "constituent"].tolist() == [True, False]


def test_a_batch_of_unequal_columns_is_an_error():
    with pytest.raises(ValueError, match="shorter"):
        find_heuristics(["a", "b"], ["a"])


def test_counts_of_batches_add_up():
    premises, hypotheses = ["a b", "a b", "c", "c d"], ["b", "x", "c", "d c"]
    labels = ["entailment", "neutral", "entailment", "contradiction"]
    whole = count_heuristics(premises, hypotheses, labels)
    parts = [count_heuristics(premises[rows], hypotheses[rows], labels[rows]) for rows in (slice(0, 2), slice(2, 4))]
    pd.testing.assert_frame_equal(parts[0].add(parts[1], fill_value=0).astype(int), whole.sort_index())
    assert whole.loc[(RAW, "lexical_overlap", "entailment")].tolist() == [2, 2]
    assert whole.loc[(RAW, "subsequence", "contradiction")].tolist() == [0, 1]


def hans(shared) -> pd.DataFrame:
    return pd.read_parquet(shared / "hub/datasets/jhu-cogsci/hans/data/validation-00000-of-00001.parquet")


def test_every_row_of_hans_follows_its_heuristic(shared):
    rows = hans(shared)
    found = find_heuristics(rows["premise"].tolist(), rows["hypothesis"].tolist(), rows["parse_premise"].tolist())
    for heuristic in HEURISTICS:
        of_it = (rows["heuristic"] == heuristic).to_numpy()
        assert found.loc[of_it, (RAW, heuristic)].all()
    # Each is a special case of the one before.
    assert found[RAW, "lexical_overlap"].all()
    assert not found.loc[(rows["heuristic"] == "lexical_overlap").to_numpy(), (RAW, "subsequence")].any()


def test_binary_and_labelled_parses_agree_on_hans(shared):
    rows = hans(shared).iloc[::50]
    pairs = rows["premise"].tolist(), rows["hypothesis"].tolist()
    labelled, binary = (
        find_heuristics(*pairs, rows[name].tolist()) for name in ("parse_premise", "binary_parse_premise")
    )
    pd.testing.assert_frame_equal(labelled, binary)


def test_a_batch_is_faster_than_a_word_loop(shared):
    """Six counts per pair in less time than a plain loop needs for one; 1.82 million rows fit in two minutes."""
    rows = pd.read_parquet(shared / "hub/datasets/nyu-mll/multi_nli/data/train-00000-of-00001.parquet")
    premises, hypotheses = rows["premise"].tolist() * 4, rows["hypothesis"].tolist() * 4
    start = time.perf_counter()
    fast = find_heuristics(premises, hypotheses)[RAW, "lexical_overlap"].tolist()
    middle = time.perf_counter()
    plain = []
    for premise, hypothesis in zip(premises, hypotheses):
        seen = [word.lower() for word in premise.split() if word not in ".?!"]
        plain.append(all(word.lower() in seen for word in hypothesis.split() if word not in ".?!"))
    end = time.perf_counter()
    assert fast == plain
    assert middle - start < end - middle
    assert (middle - start) / len(premises) * 1_820_000 < 120


def test_punctuation_covers_ascii():
    assert words(string.punctuation, strip_punctuation=True) == []
