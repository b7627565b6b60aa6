"""Pairs: of codes, of points, of several judgments; lexicon and further cues; what does not fit is refused."""

import math

import numpy as np
import pandas as pd
import pytest

from blindspots.config.errors import UserError
from blindspots.config.source_recipes import CompareRecipe
from blindspots.sources.pairs import Pairs, columns, read_pairs

CODES = {0: "first", 1: "second", 2: "tie"}
ROWS = pd.DataFrame(
    {
        "q": [1, 1, 2],
        "text_1": ["a b c", "Good, good day.", "x"],
        "text_2": ["a", "an awful day", "y z"],
        "people": [0, 2, 1],
        "model": [1, 1, 1],
    }
)


def recipe(**keys) -> CompareRecipe:
    defaults = {"output_dir": "out", "data_type": "preferences", "dataset": "x", "codes": CODES, "unit": ["q"]}
    return CompareRecipe(**(defaults | {"sources": {"human": "people", "gpt": "model"}} | keys))


def read(rows: pd.DataFrame = ROWS, **keys) -> Pairs:
    return read_pairs(recipe(**keys), rows, keys.get("inverted", ()))


def test_choices_are_first_tie_second_whatever_the_codes():
    pairs = read(codes={1: "second", 2: "tie", 0: "first"})
    assert pairs.labels.names == ["first", "tie", "second"]
    assert pairs.labels.counts["human"].tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
    assert pairs.labels.units.tolist() == [0, 0, 1]
    assert pairs.cues["length"] == pytest.approx([math.log(4 / 2), 0, math.log(2 / 3)])


def test_an_inverted_source_exchanges_first_and_second_and_leaves_ties():
    assert read(inverted=["human"]).labels.counts["human"].tolist() == [[0, 0, 1], [0, 1, 0], [1, 0, 0]]


def test_points_make_every_pair_of_a_unit():
    rows = pd.DataFrame(
        {
            "q": ["a", "b", "a", "a"],
            "output": ["long text", "x", "y", "z z"],
            "people": [3, 1, 1, 3],
            "model": [1, 0, 2, 0],
        }
    )
    pairs = read(rows, points=True, position=False, codes={}, text_columns=["output"], cues={"own": "model"})
    assert pairs.labels.counts["human"].tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
    assert pairs.labels.counts["gpt"].tolist() == [[0, 0, 1], [1, 0, 0], [1, 0, 0]]
    assert pairs.cues["own"].tolist() == [-1, 1, 2]
    assert pairs.labels.units.tolist() == [0, 0, 0]


def test_judgments_of_one_pair_are_one_item_and_a_repeated_choice_counts_once():
    rows = pd.concat([ROWS, ROWS.iloc[[0]].assign(people=1)], ignore_index=True)
    pairs = read(rows, item=["q", "text_1"], repeated=["gpt"])
    assert pairs.labels.counts["human"].tolist() == [[1, 0, 1], [0, 1, 0], [0, 0, 1]]
    assert pairs.labels.counts["gpt"].tolist() == [[0, 0, 1], [0, 0, 1], [0, 0, 1]]
    assert len(pairs.cues["length"]) == 3


def test_a_lexicon_gives_the_strongest_word_of_a_text(tmp_path):
    words = pd.DataFrame({"word": ["good", "awful", "day"], "weight": [0.4, -0.9, 0.1], "style": ["s", "s", "t"]})
    words.to_csv(tmp_path / "words.csv", index=False)
    pairs = read(lexicon=str(tmp_path / "words.csv"), lexicon_filter={"style": "s"})
    assert pairs.cues["lexicon"] == pytest.approx([0, 0.4 - 0.9, 0])


def test_a_further_cue_is_a_number_or_the_mean_of_a_list():
    rows = ROWS.assign(one=[[1, 3], [2], [4]], two=[1, 1, 1])
    assert read(rows, cues={"x": ["one", "two"]}).cues["x"].tolist() == [1, 1, 3]
    with pytest.raises(UserError, match=r"two, row 1: 'no' is not a number"):
        read(rows.assign(two=["1", "no", "1"]), cues={"x": ["one", "two"]})
    with pytest.raises(UserError, match=r"one, row 0: .* is not a number"):
        read(rows.assign(one=[np.array([]), [1], [1]]), cues={"x": ["one", "two"]})


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"codes": {0: "a", 1: "b"}}, "codes must name the label of each code, one of first, tie, second"),
        ({"item": ["q"]}, "rows of one item .q. differ in text_1"),
    ],
)
def test_rows_that_do_not_fit_are_refused(keys, message):
    with pytest.raises(UserError, match=message):
        read(**keys)


def test_a_repeated_source_that_differs_is_refused():
    rows = pd.concat([ROWS, ROWS.iloc[[0]].assign(model=0)], ignore_index=True)
    with pytest.raises(UserError, match="gpt has several choices of item 1, a b c; it is not repeated"):
        read(rows, item=["q", "text_1"], repeated=["gpt"])


def test_points_of_unpaired_texts_are_refused():
    rows = pd.DataFrame({"q": [1, 2], "output": ["a", "b"], "people": [1, 2], "model": [1, 2]})
    keys = {"points": True, "position": False, "codes": {}, "text_columns": ["output"]}
    with pytest.raises(UserError, match="no two rows share a q"):
        read(rows, **keys)
    with pytest.raises(UserError, match="unit must name the column that the texts of a pair share"):
        read(rows, **keys, unit=[])


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"text_columns": ["text"]}, r"text_columns must name two columns, \[first, second\], not text"),
        ({"cues": {"x": "one"}}, r"cues: x must name two columns, \[first, second\], not one"),
        ({"points": True, "text_columns": ["a"], "codes": {}}, "position must be false"),
    ],
)
def test_columns_that_are_named_wrongly_are_refused(keys, message):
    with pytest.raises(UserError, match=message):
        columns(recipe(**keys))
