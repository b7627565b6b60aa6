"""Train sets of people and of models: equal rows and units, the same items, and people's rows of unseen units."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from made_sources import labelled_rows, preference_rows

from blindspots.artifacts.inputs import fetch
from blindspots.config.errors import RecipeError, UserError
from blindspots.config.source_recipes import CompareRecipe, PrepareSourcesRecipe
from blindspots.sources.train_sets import drawn, machine, train_sets

LABELS = CompareRecipe(
    output_dir="unused",
    data_type="task_labels",
    dataset="rows",
    unit=["topic"],
    sources={"human": "people", "sharp": "sharp", "random": "random"},
    codes={"0": "no", "1": "maybe", "2": "yes"},
)
PREFERENCES = CompareRecipe(
    output_dir="unused",
    data_type="preferences",
    dataset="rows",
    unit=["question"],
    sources={"human": "people", "gpt 3": "model"},
    codes={"0": "first", "1": "second", "2": "tie"},
)
TEXTS = CompareRecipe(
    output_dir="unused",
    data_type="free_text",
    dataset="rows",
    unit=["source"],
    sources={"human": "source", "machine": "text"},
    row_filter={"writer": "gpt"},
    group_columns=["writer"],
)
RECIPE = PrepareSourcesRecipe(output_dir="unused", source_set="unused", train_rows=40, test_rows=30, seeds=[0, 1])
OF_TEXTS = replace(
    RECIPE,
    train_rows=24,
    train_units=8,
    people_filter={"writer": "human", "split": "train"},
    test_filter={"writer": "human", "split": "test"},
)


@pytest.fixture
def made(tmp_path):
    """The train sets of rows, and what is left out."""

    def make(rows: pd.DataFrame, compare: CompareRecipe, recipe: PrepareSourcesRecipe = RECIPE):
        rows.to_parquet(tmp_path / "rows.parquet")
        return train_sets(recipe, compare, fetch(str(tmp_path / "rows.parquet"), "dataset"))

    return make


def texts(n: int = 200) -> pd.DataFrame:
    """Labelled texts, two a topic; each text names its row."""
    return labelled_rows(n).assign(text=[f"text {row}" for row in range(n)], topic=np.arange(n) // 2)


def rewritings() -> pd.DataFrame:
    """Twelve sources with five rewritings each, and other texts of people to train and to test on."""
    machine_rows = [("gpt", "train", f"s{row % 12}", f"r{row}", "ab"[row % 2]) for row in range(60)]
    of_people = [("human", "train" if row < 40 else "test", None, f"p{row}", "ab"[row % 2]) for row in range(80)]
    rows = pd.DataFrame(machine_rows + of_people, columns=["writer", "split", "source", "text", "label"])
    rows.loc[139, "text"] = "p0"  # a test text that is trained on
    return rows


def test_every_kind_has_the_same_items_and_rows(made):
    configs, _ = made(texts(), LABELS)
    assert list(configs)[:3] == ["human-s0", "machine_sharp-s0", "machine_random-s0"]
    for seed in (0, 1):
        of_seed = [configs[f"{kind}-s{seed}"]["train"] for kind in ("human", "machine_sharp", "machine_random")]
        assert [len(rows) for rows in of_seed] == [40] * 3
        assert of_seed[0]["text"][:] == of_seed[1]["text"][:] == of_seed[2]["text"][:]
        assert len(set(of_seed[0]["unit"])) == 40
    assert configs["human-s0"]["train"]["text"][:] != configs["human-s1"]["train"]["text"][:]


def test_a_label_is_one_that_the_source_gave(made):
    rows = texts()
    configs, _ = made(rows, LABELS)
    for kind, column in (("human", "people"), ("machine_sharp", "sharp")):
        for row in configs[f"{kind}-s0"]["train"]:
            assert row["label"] in rows[column][int(row["text"].split()[1])]


def test_no_unit_of_the_test_is_trained_on(made):
    configs, _ = made(texts(), LABELS)
    trained = {unit for name in configs if name != "test" for unit in configs[name]["train"]["unit"]}
    assert trained.isdisjoint(configs["test"]["test"]["unit"])
    assert configs["test"]["test"].features["label"].names == ["no", "maybe", "yes"]


def test_split_by_row_shares_units_but_no_row(made):
    configs, _ = made(texts(), LABELS, replace(RECIPE, split_by="row", train_rows=100, test_rows=60))
    train, test = configs["human-s0"]["train"], configs["test"]["test"]
    assert set(train["unit"]) & set(test["unit"])
    assert not set(train["id"]) & set(test["id"])


def test_the_test_is_the_same_whatever_is_trained_on(made):
    one, other = (made(texts(), LABELS, replace(RECIPE, train_rows=n, machines=["sharp"]))[0] for n in (20, 40))
    assert one["test"]["test"][:] == other["test"]["test"][:]


def test_of_a_pair_the_text_that_the_source_chose_is_chosen(made):
    rows = preference_rows(300)
    rows[["text_1", "text_2"]] = [[f"{row} one", f"{row} two"] for row in range(300)]
    configs, left_out = made(rows, PREFERENCES)
    people, model = (configs[f"{kind}-s0"]["train"] for kind in ("human", "machine_gpt_3"))
    for row in people:
        number, place = row["chosen"].split()
        assert rows["people"][int(number)] == ["one", "two"].index(place)
    assert people["id"][:] == model["id"][:]
    assert {frozenset(pair) for pair in zip(people["chosen"], people["rejected"])} == {
        frozenset(pair) for pair in zip(model["chosen"], model["rejected"])
    }
    assert left_out["ties left out"] == {"human": int((rows["people"] == 2).sum()), "gpt 3": 0}
    test = configs["test"]["test"]
    assert [rows["people"][int(text.split()[0])] for text in test["text_1"]] == test["label"][:]


def test_an_inverted_source_is_read_the_other_way_round(made):
    as_read, turned = (
        made(preference_rows(300), one)[0] for one in (PREFERENCES, replace(PREFERENCES, inverted=["human"]))
    )
    assert as_read["human-s0"]["train"]["chosen"][:] == turned["human-s0"]["train"]["rejected"][:]
    assert as_read["machine_gpt_3-s0"]["train"][:] == turned["machine_gpt_3-s0"]["train"][:]
    opposite = [1 - label for label in as_read["test"]["test"]["label"]]
    assert opposite == turned["test"]["test"]["label"][:]


def test_a_prompt_stands_before_both_texts(made):
    recipe = replace(RECIPE, prompt_columns=["question", "good_2"])
    configs, _ = made(
        preference_rows(300).assign(question=lambda rows: "Q" + rows["question"].astype(str)), PREFERENCES, recipe
    )
    assert configs["human-s0"]["train"]["prompt"][0].endswith("\n0.0\n")


def test_points_make_pairs_of_the_texts_of_a_unit(made):
    rows = pd.DataFrame({"question": np.arange(60) // 3, "text": [f"t{row}" for row in range(60)]})
    rows = rows.assign(people=np.arange(60) % 3, model=[0, 0, 1] * 20)
    compare = replace(
        PREFERENCES,
        points=True,
        position=False,
        text_columns=["text"],
        codes={},
        sources={"human": "people", "gpt": "model"},
    )
    configs, left_out = made(rows, compare, replace(RECIPE, train_rows=20, test_rows=9, test_units=3))
    assert left_out["pairs"] == 60
    assert left_out["ties left out"] == {"human": 0, "gpt": 20}
    for row in configs["human-s0"]["train"]:
        assert int(row["chosen"][1:]) > int(row["rejected"][1:])
    assert len(set(configs["test"]["test"]["unit"])) == 3


def test_people_of_the_same_units_are_the_sources_of_a_models_texts(made):
    configs, left_out = made(rewritings(), TEXTS, OF_TEXTS)
    model, same, own = (configs[f"{kind}-s0"]["train"] for kind in ("machine_gpt", "human_same_units", "human"))
    assert [len(rows) for rows in (model, same, own)] == [24] * 3
    assert model["unit"][:] == same["unit"][:]
    assert len(set(model["unit"])) == len(set(same["text"])) == 8
    assert sorted(Counter(model["unit"]).values()) == [3] * 8
    assert {f"s{int(text[1:]) % 12}" for text in model["text"]} == set(same["text"])
    assert len(set(own["text"])) == 24
    assert left_out == {"test rows left out, since train rows hold their text": 1}
    assert set(configs["test"]["test"]["text"]) <= {f"p{row}" for row in range(40, 79)}


@pytest.mark.parametrize(
    ("rows", "compare", "changed", "error", "message"),
    [
        (texts(), LABELS, {"train_rows": 400}, UserError, "train_rows: 400 rows are wanted, there are"),
        (texts(), LABELS, {"train_units": 90}, UserError, "train_rows: 90 units are wanted, there are 70 for 40 rows"),
        (texts(), LABELS, {"machines": ["gpt"]}, RecipeError, "machines names gpt; the models are sharp, random"),
        (texts(), LABELS, {"text_columns": ["words"]}, UserError, "has no column words"),
        (rewritings(), TEXTS, {}, RecipeError, "Free text needs people_filter and test_filter"),
        (texts(), replace(LABELS, data_type="dialogues"), {}, RecipeError, "dialogues are not prepared here: "),
    ],
)
def test_what_can_not_be_drawn_is_an_error(made, rows, compare, changed, error, message):
    with pytest.raises(error, match=message):
        made(rows, compare, replace(RECIPE, **changed))


def test_rows_are_spread_evenly_over_the_units():
    units = np.repeat(np.arange(10), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
    rng = np.random.default_rng(0)
    assert len(set(units[drawn(units, 10, None, rng, "")])) == 10
    found = drawn(units, 12, 4, rng, "")
    assert len(set(found.tolist())) == 12
    assert len(set(units[found])) == 4


def test_a_kind_can_be_a_file_name():
    assert machine("gpt-4 (2023/06)") == "machine_gpt-4__2023_06_"
