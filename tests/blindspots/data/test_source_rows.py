"""Rows of several sources: which are read, what is a unit, and every code that is not a label."""

import numpy as np
import pandas as pd
import pytest

from blindspots.artifacts.inputs import fetch
from blindspots.config.errors import RecipeError, UserError
from blindspots.config.source_recipes import CompareRecipe, check_recipe
from blindspots.data.source_rows import (
    as_texts,
    check_sources,
    read_columns,
    read_labels,
    read_rows,
    texts_of,
    units,
    without_unit,
)


@pytest.fixture
def rows(tmp_path):
    """Reads rows through a recipe: rows(columns, **keys of the recipe)."""

    def make(columns: dict, **keys) -> tuple[CompareRecipe, pd.DataFrame]:
        pd.DataFrame(columns).to_parquet(tmp_path / "rows.parquet")
        recipe = recipe_of(dataset=str(tmp_path / "rows.parquet"), **keys)
        return recipe, read_rows(recipe, fetch(recipe.dataset, "dataset"), recipe.sources.values())

    return make


def recipe_of(**keys) -> CompareRecipe:
    defaults = {"output_dir": "out", "data_type": "task_labels", "dataset": "x", "codes": {0: "no", 1: "yes"}}
    sources = {"sources": {"human": "people", "gpt": "model"}}
    return CompareRecipe(**(defaults | sources | keys))


SMALL = {"set": ["a", "a", "b"], "people": [[0, 1], [1, 1], [0, 0]], "model": [[1], [1], [0]], "text": ["x", "y", "x"]}


def test_labels_are_counted_by_name_in_the_order_of_the_codes(rows):
    labels = read_labels(*rows(SMALL, codes={1: "yes", 0: "no"}))
    assert labels.names == ["yes", "no"]
    assert labels.counts["human"].tolist() == [[1, 1], [2, 0], [0, 2]]
    assert labels.counts["gpt"].tolist() == [[1, 0], [1, 0], [0, 1]]
    assert labels.missing == {"human": 0, "gpt": 0}


def test_two_codes_may_stand_for_one_label_and_one_for_none(rows):
    columns = SMALL | {"model": [[1, -1], [2, -1], [0, 0]]}
    labels = read_labels(*rows(columns, codes={0: "no", 1: "yes", 2: "yes"}, missing_codes=[-1]))
    assert labels.counts["gpt"].tolist() == [[0, 1], [0, 1], [2, 0]]
    assert labels.missing["gpt"] == 2


def test_an_inverted_source_is_read_in_reverse_order(rows):
    recipe, read = rows(SMALL)
    plain, inverted = read_labels(recipe, read), read_labels(recipe, read, ["gpt"])
    assert inverted.counts["gpt"].tolist() == plain.counts["gpt"][:, ::-1].tolist()
    assert inverted.counts["human"].tolist() == plain.counts["human"].tolist()


@pytest.mark.parametrize("values", [[[1], [1], [3]], [[1], [1], [-1]], [[1.0], [1.0], [0.5]], [["1"], ["1"], [" 0"]]])
def test_a_code_that_is_no_label_is_named_with_its_row(rows, values):
    recipe, read = rows(SMALL | {"model": values})
    with pytest.raises(UserError, match=r"model, row \d: '.*' is not a label. Its labels are 0, 1; name it in codes"):
        read_labels(recipe, read)


def test_a_config_of_a_dataset_in_the_hubs_layout_is_read(tmp_path):
    """As minnesotanlp/LLM-Artifacts is laid out: a CSV file for each config."""
    (tmp_path / "README.md").write_text(
        "---\nconfigs:\n- config_name: preference_p2c\n  data_files: p2c.csv\n"
        "- config_name: other\n  data_files: other.csv\n---\n"
    )
    (tmp_path / "p2c.csv").write_text("id,people,model\n1,0,1\n2,1,1\n")
    (tmp_path / "other.csv").write_text("id\n1\n")
    recipe = recipe_of(dataset=str(tmp_path), dataset_config="preference_p2c")
    read = read_rows(recipe, fetch(recipe.dataset, "dataset"), recipe.sources.values())
    assert read_labels(recipe, read).counts["human"].tolist() == [[1, 0], [0, 1]]
    with pytest.raises(UserError, match="has no column people; it has id"):
        read_rows(
            recipe_of(dataset=str(tmp_path), dataset_config="other"), fetch(recipe.dataset, "dataset"), ["people"]
        )


def test_a_filter_keeps_rows_and_their_numbers(rows):
    _, read = rows(SMALL, row_filter={"set": "b"})
    assert read.index.tolist() == [2]
    _, read = rows(SMALL, row_filter={"set": ["a", "b"], "text": "x"})
    assert read.index.tolist() == [0, 2]


def test_a_filter_that_keeps_nothing_names_the_values_that_are_there(rows):
    with pytest.raises(UserError, match="no row has set c; row_filter can name a, b"):
        rows(SMALL, row_filter={"set": ["a", "c"]})
    with pytest.raises(UserError, match="no row has text y; row_filter can name x"):
        rows(SMALL, row_filter={"set": "b", "text": "y"})


def test_a_column_that_is_not_there_is_named(rows):
    with pytest.raises(UserError, match="has no column gpt4; it has set, people, model, text"):
        rows(SMALL, sources={"human": "people", "gpt": "gpt4"})


def test_units_are_rows_that_share_a_value_directly_or_through_another():
    """Rows 0, 1 and 2 hang together through texts a and b; row 4 shares c with row 3."""
    table = pd.DataFrame({"one": ["a", "a", "x", "c", "d"], "two": ["y", "b", "b", "e", "f"], "id": [1, 2, 3, 4, 4]})
    assert units(table, ["one", "two"]).tolist() == [0, 0, 0, 1, 2]
    assert units(table, ["one", "two", "id"]).tolist() == [0, 0, 0, 1, 1]
    assert units(table, ["one"]).tolist() == [0, 0, 1, 2, 3]
    assert units(table, []).tolist() == [0, 1, 2, 3, 4]


def test_equal_values_of_different_columns_are_not_one_unit():
    table = pd.DataFrame({"one": ["a", "b"], "two": ["b", "a"]})
    assert np.unique(units(table, ["one", "two"])).size == 2


def test_rows_without_a_unit_stand_alone_and_are_counted():
    table = pd.DataFrame({"text": ["a", " ", None, "a"], "id": [1, 2, None, 3]})
    assert units(table, ["text"]).tolist() == [0, 1, 2, 0]
    assert without_unit(table, ["text"]) == 2
    assert without_unit(table, ["text", "id"]) == 1
    assert without_unit(table, []) == 0


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"sources": {"human": "people"}}, "sources names human; name the columns of human"),
        ({"human": "crowd"}, "sources names human, gpt; name the columns of crowd"),
        ({"inverted": ["gpt4"]}, "inverted names gpt4, which is not one of the sources human, gpt"),
    ],
)
def test_sources_that_do_not_name_people_and_another_are_refused(keys, message):
    with pytest.raises(UserError, match=message):
        check_sources(recipe_of(**keys))


def test_a_source_without_any_label_is_refused(rows):
    recipe, read = rows(SMALL | {"model": [[-1], [-1], [-1]]}, missing_codes=[-1])
    with pytest.raises(UserError, match="gpt has no label in column model"):
        read_labels(recipe, read)


@pytest.mark.parametrize("value", [[1, 2], {"a": 1}, np.array(["a"]), b"x"])
def test_a_cell_that_is_no_one_value_is_never_taken_for_text(value):
    for read in (as_texts, texts_of):
        with pytest.raises(UserError, match="Column words"):
            read(pd.Series(["a", value], name="words", dtype=object))
    assert as_texts(pd.Series(["a", None, 3], name="words", dtype=object)).tolist() == ["a", "", "3"]
    with pytest.raises(UserError, match="Column words, row 2: 3 is not text"):
        texts_of(pd.Series(["a", None, 3], name="words", dtype=object))


def test_whole_numbers_beside_a_missing_one_stay_whole(tmp_path):
    (tmp_path / "rows.jsonl").write_text('{"code": 9007199254740993}\n{"code": null}\n')
    read = read_columns(fetch(str(tmp_path / "rows.jsonl"), "dataset"), "train", None, ["code"])
    assert as_texts(read["code"]).tolist() == ["9007199254740993", ""]


def test_a_key_of_another_type_of_data_is_refused():
    check_recipe(recipe_of(ordered=True))
    with pytest.raises(RecipeError, match="ordered has no effect: data_type is preferences, not task_labels"):
        check_recipe(recipe_of(data_type="preferences", ordered=True))
