"""Signs of a broken row, and sound sentences that show none."""

import pytest

from blindspots.audit.malformed import (
    BROKEN,
    COPY,
    CUT_HYPOTHESIS,
    CUT_PREMISE,
    LABEL_WORD,
    LEFTOVER,
    RULES,
    signs,
)


@pytest.mark.parametrize(
    ("premise", "hypothesis", "expected"),
    [
        ("A dog ran.", "It ran. -- This is the end of the example.", [LEFTOVER]),
        ("A dog ran. Hypothesis: It ran.", "It ran.", [LEFTOVER]),
        ("A dog ran.", "This contradicts the premise.", [LABEL_WORD]),
        ("A dog ran over the", "It ran.", [CUT_PREMISE]),
        ("A dog ran.", "It ran,", [CUT_HYPOTHESIS]),
        ("A dog\ufffd ran.", "It ran.", [BROKEN]),
        ("A dog ran over the", "It was neutral, but", [LABEL_WORD, CUT_PREMISE, CUT_HYPOTHESIS]),
        ("uh-huh yeah that is what i come in for", "I came in.", []),
        ("He asked who it was for.", "Did the premises flood?", []),
    ],
)
def test_signs(premise, hypothesis, expected):
    assert signs(premise, hypothesis, same_words=False) == expected


def test_a_copy_is_a_sign_and_every_sign_is_explained():
    assert signs("A dog ran.", "a dog ran", same_words=True) == [COPY]
    assert {*RULES} == {LEFTOVER, LABEL_WORD, CUT_PREMISE, CUT_HYPOTHESIS, COPY, BROKEN}
