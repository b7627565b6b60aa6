"""Labels by name, and the templates of the paper."""

import re
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from blindspots.data.nli import (
    END_MARKER,
    HANS_LABELS,
    LABELS,
    NON_ENTAILMENT,
    fold_for_hans,
    generator_completion,
    generator_prompt,
    one_line,
    parse_generated,
    task_input,
)

sentences = st.lists(st.text(alphabet="abcXYZ.,?'", min_size=1), min_size=1).map(" ".join)


def test_label_order_is_the_papers():
    assert LABELS == ("entailment", "neutral", "contradiction")


@pytest.mark.parametrize("label", LABELS)
def test_hans_knows_entailment_and_the_rest(label):
    assert fold_for_hans(label) == ("entailment" if label == "entailment" else NON_ENTAILMENT)


@pytest.mark.parametrize("label", HANS_LABELS)
def test_folding_twice_is_folding_once(label):
    assert fold_for_hans(label) == label


@pytest.mark.parametrize("label", ["LABEL_0", "Entailment", "", "2"])
def test_unknown_label_is_an_error_that_names_it(label):
    with pytest.raises(ValueError, match=repr(label)):
        fold_for_hans(label)


def test_task_input_is_the_papers_sentence():
    assert task_input("A  dog\nruns.", " It moves. ") == (
        "Please indicate the relationship between the premise and the hypothesis with entailment, neutral or "
        "contradiction. Premise: A dog runs. Hypothesis: It moves. The relationship between premise and hypothesis is"
    )


def test_generator_text_is_the_papers():
    assert generator_prompt("neutral") + generator_completion("A dog runs.", "It is brown.") == (
        "This is an example where the relationship between the premise and the hypothesis is neutral. "
        "Premise: A dog runs. Hypothesis: It is brown. -- This is the end of the example."
    )


@given(sentences, sentences)
def test_parsing_undoes_the_generator_template(premise, hypothesis):
    assert parse_generated(generator_completion(premise, hypothesis)) == (one_line(premise), one_line(hypothesis))


@pytest.mark.parametrize(
    "completion",
    [
        " Premise: A dog runs. Hypothesis: It moves.",
        f" Premise: A dog runs. {END_MARKER}",
        f" Premise:  Hypothesis: It moves. {END_MARKER}",
        f" Premise: A dog runs. Hypothesis:  {END_MARKER}",
        "",
    ],
)
def test_an_incomplete_completion_gives_nothing(completion):
    assert parse_generated(completion) is None


def test_text_after_the_end_marker_is_ignored():
    assert parse_generated(generator_completion("A dog runs.", "It moves.") + " Premise: x") == (
        "A dog runs.",
        "It moves.",
    )


# The template as a pattern, which takes cubic time on white space.
PATTERN = re.compile(
    rf"\s*Premise:\s*(?P<premise>.*?)\s+Hypothesis:\s*(?P<hypothesis>.*?)\s*{re.escape(END_MARKER)}", re.DOTALL
)
pieces = st.sampled_from(["Premise:", "Hypothesis:", END_MARKER, " ", "\n", "a", "b.", "\u2003", "Hypothesis"])


@given(st.lists(pieces, max_size=9).map("".join))
@example(f"Premise: Hypothesis:\nHypothesis:b.{END_MARKER}")
@example(f" Premise: a Hypothesis: b {END_MARKER} Hypothesis: c {END_MARKER}")
def test_parsing_takes_what_the_template_says(completion):
    match = PATTERN.match(completion)
    texts = [one_line(match["premise"]), one_line(match["hypothesis"])] if match else []
    assert parse_generated(completion) == (tuple(texts) if texts and all(texts) else None)


@pytest.mark.parametrize("start", [" Premise:", " Premise: a", " Premise: a Hypothesis:", " Premise: a Hypothesis: b"])
def test_parsing_white_space_takes_no_time(start):
    began = time.process_time()
    for space in (" ", "\n", " \u2003"):
        assert parse_generated(start + space * 200_000) is None
    assert time.process_time() - began < 0.5
