"""The registry of test sets: every file of recipes/test_sets, what is refused of one, and which a recipe names."""

import re

import pandas as pd
import pytest
import yaml

from blindspots.artifacts.inputs import Source, fetch
from blindspots.config.errors import RecipeError
from blindspots.config.paths import TEST_SETS
from blindspots.config.recipes import EvaluateRecipe
from blindspots.config.test_set_keys import test_set_keys as keys_of_test_sets
from blindspots.data import test_sets
from blindspots.data.nli import HANS_LABELS, LABELS, fold_for_hans
from blindspots.data.test_set_rows import read_test_set

NAMES = sorted(file.stem for file in TEST_SETS.glob("*.yaml"))


def recipe(**keys) -> EvaluateRecipe:
    return EvaluateRecipe(output_dir="out", model="model", **keys)


def names(**keys) -> list[str]:
    return [found.name for found in test_sets.named_test_sets(recipe(**keys))]


# The files


@pytest.mark.parametrize("name", NAMES)
def test_a_file_is_a_test_set(name):
    found = test_sets.test_set(name)
    assert (found.name, found.key) == (name, keys_of_test_sets()[name])
    assert found.title
    assert re.search(r"\(\d{4}\), doi 10\.", found.citation)
    assert found.rows > 0
    assert {"premise", "hypothesis", "label"} <= found.columns.keys()
    assert {name: found.fold(name) for name in found.labels} == {name: name for name in found.labels}
    assert {found.fold(label) for label in LABELS} == set(found.labels)


def test_mnli_and_hans_come_first_and_the_rest_by_name():
    order = list(keys_of_test_sets())
    assert order[:3] == ["mnli_matched", "mnli_mismatched", "hans"]
    assert order[3:] == sorted(order[3:])
    assert sorted(order) == NAMES


def test_no_two_sets_share_a_key_a_title_or_a_headline():
    found = [test_sets.test_set(name) for name in NAMES]
    for values in (
        [one.key for one in found],
        [headline.name for one in found for headline in one.shown],
        [headline.title for one in found for headline in one.shown],
    ):
        assert len(set(values)) == len(values)


def test_the_three_accuracies_of_the_paper_and_the_other_side_of_the_third_are_headlines():
    shown = [headline for name in ("mnli_matched", "hans") for headline in test_sets.test_set(name).shown]
    assert [(headline.name, headline.title, headline.test_set, dict(headline.slice)) for headline in shown] == [
        ("mnli_matched", "MNLI matched", "mnli_matched", {}),
        ("hans", "HANS", "hans", {}),
        (
            "hans_lo_non_entailment",
            "HANS LO-non-entailment",
            "hans",
            {"heuristic": "lexical_overlap", "label": "non-entailment"},
        ),
        (
            "hans_lo_entailment",
            "HANS LO-entailment",
            "hans",
            {"heuristic": "lexical_overlap", "label": "entailment"},
        ),
    ]


def test_both_sides_of_lexical_overlap_have_a_probability_and_share_what_tells_bias_from_ability():
    measured = test_sets.test_set("hans").measured
    assert [(headline.name, headline.measure, headline.slice.get("label")) for headline in measured] == [
        ("hans_lo_non_entailment_probability", "mean_probability", "non-entailment"),
        ("hans_lo_entailment_probability", "mean_probability", "entailment"),
        ("hans_lo_auroc", "auroc", None),
        ("hans_lo_d_prime", "d_prime", None),
        ("hans_lo_criterion", "criterion", None),
    ]
    assert [headline.is_share for headline in measured] == [True, True, True, False, False]


def test_the_other_side_is_non_entailment_whatever_the_set_calls_it(made):
    two_way = {"folding": {"neutral": ["neutral", "contradiction"]}, "slices": ["genre"]}
    found = made(**two_way, both_sides={"verse": {"genre": "verse"}})
    assert [(headline.name, dict(headline.slice)) for headline in found.shown[1:]] == [
        ("verse_non_entailment", {"genre": "verse", "label": "neutral"}),
        ("verse_entailment", {"genre": "verse", "label": "entailment"}),
    ]


def test_another_name_is_refused_with_those_that_there_are():
    with pytest.raises(RecipeError, match=r"There is no test set hanns; recipes/test_sets has mnli_matched, .*hans"):
        test_sets.test_set("hanns")


# What is refused of a file


@pytest.fixture
def made(tmp_path, monkeypatch):
    """Writes recipes/test_sets/made.yaml, in a folder of its own, and returns the test set."""
    base = {
        "title": "Made",
        "dataset": "org/made",
        "split": "test",
        "rows": 3,
        "columns": {"premise": "premise", "hypothesis": "hypothesis", "label": "label"},
    }
    monkeypatch.setattr(test_sets, "TEST_SETS", tmp_path)
    monkeypatch.setattr(test_sets, "test_set_keys", lambda: {"made": "made", "hans": "hans"})
    read = test_sets.test_set.__wrapped__

    def make(without: str | None = None, **keys):
        values = {name: value for name, value in (base | keys).items() if name != without}
        (tmp_path / "made.yaml").write_text(yaml.safe_dump(values))
        return read("made")

    return make


def test_what_a_file_leaves_out_has_a_default(made):
    found = made()
    assert (found.key, found.order, found.revision, found.stratify) == ("made", 100, None, "gold")
    assert found.labels == LABELS
    assert [(headline.name, headline.title) for headline in found.shown] == [("made", "Made")]


@pytest.mark.parametrize("key", ["title", "dataset", "split", "rows"])
def test_a_missing_key_is_named(made, key):
    with pytest.raises(RecipeError, match=rf"made\.yaml: {key} is required"):
        made(without=key)


@pytest.mark.parametrize("key", ["datset", "name"])
def test_an_unknown_key_is_named_with_those_that_there_are(made, key):
    with pytest.raises(RecipeError, match=rf"made\.yaml: {key} is not a key of a test set; there are title, dataset,"):
        made(**{key: "x"})


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"headlines": {"hans": {}}}, "headline hans has the name of a test set"),
        ({"headlines": {"made": {}}}, "headline made has the name of a test set"),
        ({"headlines": {"part": {"genre": "fiction"}}}, "headline part names genre, which is not in slices"),
        ({"headlines": {"part": {"label": "non-entailment"}}}, "headline part names label non-entailment, which"),
        (
            {"headlines": {"part": {"label": "neutral"}}, "folding": {"non-entailment": ["neutral", "contradiction"]}},
            "headline part names label neutral, which the set has not",
        ),
        *(
            ({"slices": ["genre", name]}, f"slices names {name}, which is a column of ours")
            for name in ("label", "prediction", "test_set", "id", "text", "cluster", "accuracy", "logit_neutral")
        ),
        *(
            ({"headlines": {name: {}}}, f"{name} is a name of ours")
            for name in ("slices", "size", "auroc_lexical_overlap")
        ),
        ({"both_sides": {"part": {"label": "entailment"}}}, "both_sides part names a label; it is about both"),
        ({"both_sides": {"part": {}}}, "both_sides is for the labels entailment and one other"),
        (
            {"both_sides": {"part": {"genre": "x"}}, "folding": {"neutral": ["neutral", "contradiction"]}},
            "headline part_non_entailment names genre, which is not in slices",
        ),
        ({"allowed": {"genre": ["fiction"]}}, "allowed names genre, which is not in slices"),
        ({"slices": ["\0"]}, r"slices names the column '\\x00', which has no name in letters"),
        ({"slices": [" "]}, "slices names the column ' ', which has no name in letters"),
        ({"label_names": {"e": "entailed"}}, "'entailed' is not an NLI label"),
        ({"folding": {"non-entailment": ["neutral", "contradicts"]}}, "'contradicts' is not an NLI label"),
    ],
)
def test_values_that_contradict_one_another_are_refused(made, keys, message):
    with pytest.raises(RecipeError, match=rf"made\.yaml: {message}"):
        made(**keys)


def test_a_headline_of_a_slice_and_a_label_is_taken(made):
    found = made(
        slices=["genre"],
        headlines={"made_fiction": {"genre": "fiction", "label": "neutral"}, "made_verse": {"genre": "verse"}},
        titles={"made_verse": "Made, verse"},
    )
    assert [(headline.name, headline.title) for headline in found.shown] == [
        ("made", "Made"),
        ("made_fiction", "made fiction"),
        ("made_verse", "Made, verse"),
    ]
    assert found.metric_entry() == {
        "labels": list(LABELS),
        "folding": {},
        "rows": 3,
        "allowed": {},
        "headlines": {
            "made": {},
            "made_fiction": {"genre": "fiction", "label": "neutral"},
            "made_verse": {"genre": "verse"},
        },
        "both_sides": {},
    }


# Labels


@pytest.mark.parametrize("label", [*LABELS, "non-entailment"])
def test_hans_folds_as_its_authors_say(label):
    hans = test_sets.test_set("hans")
    assert hans.labels == HANS_LABELS
    assert hans.fold(label) == fold_for_hans(label)


def test_a_set_without_folding_keeps_its_three_labels():
    mnli = test_sets.test_set("mnli_matched")
    assert [mnli.fold(label) for label in LABELS] == list(LABELS)


def test_a_set_may_fold_into_a_label_of_the_three():
    med = test_sets.test_set("med")
    assert med.labels == ("entailment", "neutral")
    assert [med.fold(label) for label in LABELS] == ["entailment", "neutral", "neutral"]


@pytest.mark.parametrize(
    ("name", "label"), [("hans", "LABEL_0"), ("hans", "Entailment"), ("mnli_matched", "non-entailment"), ("med", "")]
)
def test_a_label_that_a_set_does_not_have_is_an_error_that_names_it(name, label):
    with pytest.raises(ValueError, match=rf"{label!r} is not a label of {name}; it has entailment, "):
        test_sets.test_set(name).fold(label)


# What a recipe names


def test_test_sets_are_named_in_the_order_of_the_recipe():
    assert names(test_sets=["hans", "mnli_matched"]) == ["hans", "mnli_matched"]
    assert names(test_sets=["snli"], snli_rows=5, snli_revision="main") == ["snli"]


def test_without_a_list_the_sets_whose_dataset_is_given_are_named():
    assert names() == []
    assert names(hans="folder", mnli="folder") == ["mnli_matched", "hans"]
    assert names(snli="folder") == ["snli"]
    assert names(test_sets=[]) == []


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"test_sets": ["hans", "snli", "hans"]}, "test_sets holds hans twice"),
        ({"test_sets": ["mnli"]}, "There is no test set mnli; recipes/test_sets has mnli_matched,"),
        ({"test_sets": ["hans"], "mnli": "folder"}, "mnli has no effect: mnli_matched is not in test_sets"),
        ({"test_sets": ["hans"], "snli_rows": 5}, "snli_rows has no effect: snli is not in test_sets"),
        ({"test_sets": [], "hans": "folder"}, "hans has no effect: hans is not in test_sets"),
        ({"hans": "folder", "mnli_revision": "main"}, "mnli_revision has no effect: mnli_matched is not"),
        ({"mnli": "folder", "hans_expected_rows": 60}, "hans_expected_rows has no effect: hans is not in test_sets"),
        ({"hans_rows": 60}, "hans_rows has no effect: hans is not in test_sets"),
    ],
)
def test_a_list_that_cannot_be_meant_and_a_key_without_effect_are_refused(keys, message):
    with pytest.raises(RecipeError, match=message):
        names(**keys)


# The real rows


@pytest.fixture(params=["a folder", "its own dataset"])
def read(request, shared):
    """Reads a test set from shared/hub, as any folder or as the dataset that its file names, at a commit."""

    def rows(name: str) -> pd.DataFrame:
        found = test_sets.test_set(name)
        folder = shared / "hub/datasets" / found.dataset
        own = Source(found.dataset, folder, found.revision, "dataset")
        source = own if request.param == "its own dataset" else fetch(str(folder), "dataset")
        return read_test_set(found, source).to_pandas()

    return rows


def test_hans_is_read_whole_and_in_the_order_of_its_authors(read, shared):
    rows = read("hans")
    assert rows["id"].tolist() == [f"ex{row}" for row in range(30_000)]
    assert rows["gold"].value_counts().to_dict() == {"entailment": 15_000, "non-entailment": 15_000}
    order = pd.read_csv(shared / "reference/hans_subcases.csv")
    for ours, theirs in (
        ("heuristic", "heuristic"),
        ("subcase", "subcase"),
        ("cluster", "subcase"),
        ("gold", "label"),
    ):
        assert rows[ours].tolist() == order[theirs].repeat(1000).tolist()
    part = rows[(rows["heuristic"] == "lexical_overlap") & (rows["gold"] == "non-entailment")]
    assert len(part) == 5_000


def test_mnli_matched_is_read_whole(read):
    rows = read("mnli_matched")
    assert len(rows) == 9_815
    assert rows["gold"].value_counts().to_dict() == {"entailment": 3_479, "contradiction": 3_213, "neutral": 3_123}
    assert set(rows["genre"]) == {"fiction", "government", "slate", "telephone", "travel"}
    assert rows["id"].is_unique
    assert set(rows["heuristic"]) == {""}
