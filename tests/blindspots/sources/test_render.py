"""The page: claims twice, limits, sections in order, and text from data as text."""

import dataclasses
import json

import pytest
from made_sources import labelled_rows

from blindspots.evaluation.statistics import Interval
from blindspots.sources.claims import Claim
from blindspots.sources.render import claim_row, markdown
from blindspots.sources.write import write_comparison

from .test_labels import KEYS

EFFECT = {"published": 0.6, "published_as": "x", "repeated": Interval(0.61, 0.6, 0.62), "repeated_as": "match"}


def claim_of(low: float, high: float, sign: int = 1) -> Claim:
    interval = Interval((low + high) / 2, low, high)
    return Claim("it is so", **EFFECT, corrected=interval, corrected_as="difference", sign=sign, moved_by="a baseline")


@pytest.mark.parametrize(
    ("low", "high", "sign", "verdict"),
    [
        (0.1, 0.2, 1, "supported"),
        (-0.2, -0.1, 1, "contradicted"),
        (-0.2, -0.1, -1, "supported"),
        (0.1, 0.2, -1, "contradicted"),
        (-0.1, 0.2, 1, "undecided"),
        (float("nan"), float("nan"), 1, "undecided"),
    ],
)
def test_a_verdict_is_never_stronger_than_its_interval(low, high, sign, verdict):
    assert claim_of(low, high, sign).verdict == verdict


@pytest.mark.parametrize(("needed", "verdict"), [((0.1, 0.2), "supported"), ((-0.1, 0.2), "undecided")])
def test_a_claim_may_need_a_second_interval(needed, verdict):
    claim = dataclasses.replace(claim_of(0.1, 0.2), needed=Interval(0.1, *needed))
    assert claim.verdict == verdict


def test_a_claim_is_shown_twice():
    row = claim_row(claim_of(0.01, 0.03).record())
    assert row["published"] == "60.0%"
    assert row["as published, here"] == "61.0% [60.0, 62.0] match"
    assert row["corrected"] == "+2.00 pp [+1.00, +3.00] difference"
    assert (row["verdict"], row["what moved it"]) == ("**supported**", "a baseline")


def test_the_page_states_limits_licence_and_conditions(tmp_path, compared):
    keys = KEYS | {"title": "a | b <script>", "limits": ["Half of it is missing."], "licence": "CC0"}
    comparison = write_comparison(tmp_path / "out", compared(labelled_rows(30), **keys))
    assert {file.name for file in (tmp_path / "out").iterdir()} == {"comparison.json", "README.md", "comparison.png"}
    page = (tmp_path / "out/README.md").read_text()
    assert page == markdown(json.loads((tmp_path / "out/comparison.json").read_text()))
    assert "# a \\| b \\<script\\>: task labels of people and models" in page
    assert "- Half of it is missing.\n- Licence: CC0." in page
    assert page.index("## Claims") < page.index("## What a reader must know") < page.index("## Alpha")
    assert "| rows, units | 30, 30 |" in page
    assert str(tmp_path) not in page
    assert comparison["claims"][0]["statement"] in page
