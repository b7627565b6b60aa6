"""The rows of test sets: our columns whatever theirs are called, checked against what their files state."""

import re

import pytest
from datasets import Dataset, Features
from test_nli_datasets import GLUE, source

from blindspots.artifacts.inputs import Source
from blindspots.config.errors import UserError
from blindspots.config.recipes import EvaluateRecipe
from blindspots.data import test_set_rows, test_sets
from blindspots.data.nli import LABELS
from blindspots.data.nli_datasets import write_configs
from blindspots.data.test_set_rows import read_test_set, stratified

HANS, MNLI = test_sets.test_set("hans"), test_sets.test_set("mnli_matched")


def test_a_test_set_may_be_a_file_of_glue_or_hans(tmp_path, capsys):
    """HANS's own file: gold_label, parses, sentence1, sentence2, pairID, heuristic, subcase, template."""
    header, line = zip(
        ("gold_label", "non-entailment"),
        ("sentence1_parse", "(ROOT (S x))"),
        ("sentence1", "The actor saw the judge ."),
        ("sentence2", "The judge saw the actor ."),
        ("pairID", "ex0"),
        ("heuristic", "lexical_overlap"),
        ("subcase", "ln_subject/object_swap"),
        ("template", "temp1"),
    )
    (tmp_path / "hans.tsv").write_text("\n".join("\t".join(part) for part in (header, line)) + "\n")
    test = read_test_set(HANS, Source("hans.tsv", tmp_path / "hans.tsv", None, "dataset"), 1)
    assert test[0] | {"genre": ""} == {
        "id": "ex0",
        "premise": "The actor saw the judge .",
        "hypothesis": "The judge saw the actor .",
        "gold": "non-entailment",
        "heuristic": "lexical_overlap",
        "subcase": "ln_subject/object_swap",
        "genre": "",
        "cluster": "ln_subject/object_swap",
    }
    Dataset.from_dict(GLUE).to_parquet(tmp_path / "dev.parquet")
    test = read_test_set(MNLI, Source("dev.parquet", tmp_path / "dev.parquet", None, "dataset"))
    assert test["id"] == ["a", "c", "d"]
    assert (
        "dev.parquet validation_matched: 1 of 4 rows have no gold label and are left out." in capsys.readouterr().out
    )


def test_hans_keeps_its_order_and_a_wrong_row_count_is_refused(world):
    test = read_test_set(HANS, source(world, "hans"), 60)
    assert test["id"][:2] == ["ex0", "ex1"]
    assert set(test["gold"]) == {"entailment", "non-entailment"}
    for expected_rows in (None, 30_000):
        with pytest.raises(UserError, match="60 rows where HANS has 30000"):
            read_test_set(HANS, source(world, "hans"), expected_rows)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"heuristic": "overlap"}, "row 0: heuristic 'overlap' is not one of lexical_overlap, subsequence, constitue"),
        ({"label": "neutral"}, "row 0: label 'neutral' is not one of entailment, non-entailment"),
        ({"hypothesis": ""}, "row 0: the hypothesis is empty"),
    ],
)
def test_a_bad_row_of_hans_is_named(tmp_path, change, message):
    row = {"premise": "p", "hypothesis": "h", "label": "entailment", "heuristic": "constituent", "subcase": "c"}
    write_configs(tmp_path, {"default": {"validation": Dataset.from_list([row | change])}})
    with pytest.raises(UserError, match=message):
        read_test_set(HANS, Source("mine", tmp_path, None, "dataset"), 1)


def test_hans_without_its_columns_is_refused(tmp_path):
    rows = Dataset.from_list([{"premise": "p", "hypothesis": "h", "label": "entailment"}])
    write_configs(tmp_path, {"default": {"validation": rows}})
    with pytest.raises(UserError, match="mine validation has no column heuristic"):
        read_test_set(HANS, Source("mine", tmp_path, None, "dataset"), 1)


def test_mnli_rows_of_one_premise_share_a_cluster(world):
    test = read_test_set(MNLI, source(world, "mnli")).to_pandas()
    assert test.groupby("premise")["cluster"].nunique().max() == 1
    assert set(test["gold"]) == set(LABELS)


# Test sets of any kind


MADE = {
    "sentence1": ["a dog ran", "a dog ran", "no cat sat"],
    "sentence2": ["a dog", "a cat", "cats sat"],
    "gold_label": ["Entailment", "neutral", "contradiction"],
    "pairID": [7, 8, 9],
    "category": ["animals", None, "others"],
}
COLUMNS = {"premise": "sentence1", "hypothesis": "sentence2", "label": "gold_label", "id": "pairID"}


def made_set(**keys) -> test_sets.TestSet:
    values = {"title": "Made", "dataset": "org/made", "split": "test", "rows": 3, "columns": COLUMNS} | keys
    return test_sets.TestSet("made", **values)


@pytest.fixture
def made(tmp_path):
    """Writes MADE with other columns (None: without one), and gives it as a folder or as the set's own dataset."""

    def write(own: bool = False, features: Features | None = None, **columns) -> Source:
        values = {name: column for name, column in (MADE | columns).items() if column is not None}
        write_configs(tmp_path, {"default": {"test": Dataset.from_dict(values, features=features)}})
        return Source("org/made", tmp_path, "commit", "dataset") if own else Source("mine", tmp_path, None, "dataset")

    return write


def test_a_test_set_has_our_columns_whatever_its_own_are_called(made):
    rows = read_test_set(made_set(slices=["category"], cluster="premise"), made(label=[0, 0, 0])).to_pandas()
    assert list(rows) == [
        "id",
        "premise",
        "hypothesis",
        "gold",
        "heuristic",
        "subcase",
        "genre",
        "category",
        "cluster",
    ]
    assert rows["id"].tolist() == ["7", "8", "9"]
    assert rows["premise"].tolist() == rows["cluster"].tolist() == MADE["sentence1"]
    assert rows["hypothesis"].tolist() == MADE["sentence2"]
    assert rows["gold"].tolist() == list(LABELS)
    assert rows["category"].tolist() == ["animals", "", "others"]
    assert set(rows["genre"]) == set(rows["heuristic"]) == set(rows["subcase"]) == {""}


def test_a_slice_that_nothing_needs_may_be_missing_and_one_that_is_needed_may_not(made):
    without = made(category=None)
    assert set(read_test_set(made_set(slices=["category"]), without)["category"]) == {""}
    for needing in (
        {"headlines": {"made_animals": {"category": "animals"}}},
        {"stratify": "category"},
        {"allowed": {"category": ["animals"]}},
    ):
        with pytest.raises(UserError, match="mine test has no column category; it has premise"):
            read_test_set(made_set(slices=["category"], **needing), without)


def test_a_slice_with_a_value_that_is_not_allowed_names_the_row(made):
    checked = made_set(slices=["category"], allowed={"category": ["animals", "others"]})
    assert len(read_test_set(checked, made(category=["animals", "animals", "others"]))) == 3
    with pytest.raises(UserError, match="mine test, row 2: category 'plants' is not one of animals, others"):
        read_test_set(checked, made(category=["animals", "animals", "plants"]))


@pytest.mark.parametrize("named", ["promtID", ["promtID", "premisse"]])
def test_clusters_by_columns_that_are_not_there_are_refused(made, named):
    """Else rows that depend on one another would pass for independent ones."""
    with pytest.raises(UserError, match=r"mine test has no column promtID.*rows of Made belong together; it has prem"):
        read_test_set(made_set(cluster=named), made())


def test_wanli_without_its_pairs_ids_is_refused_with_what_to_do(tmp_path):
    row = {"premise": "p", "hypothesis": "h", "label": "entailment", "genre": "generated"}
    write_configs(tmp_path, {"default": {"test": Dataset.from_list([row])}})
    with pytest.raises(UserError, match=r"has no column pairID, .* Add the column, or correct cluster in wanli\.yaml"):
        read_test_set(test_sets.test_set("wanli"), Source("mine", tmp_path, None, "dataset"))


def test_a_cluster_may_have_the_datasets_own_name_of_a_column_of_ours(made):
    assert read_test_set(made_set(cluster="sentence1"), made())["cluster"] == MADE["sentence1"]
    assert read_test_set(made_set(cluster=["promptID", "pairID"]), made())["cluster"] == ["7", "8", "9"]


def test_clusters_follow_the_first_column_that_is_there_and_without_a_name_rows_stand_alone(made):
    several = made_set(cluster=["promptID", "premise"])
    assert read_test_set(several, made(promptID=[4, 5, 4]))["cluster"] == ["4", "5", "4"]
    assert read_test_set(several, made())["cluster"] == MADE["sentence1"]
    assert read_test_set(made_set(), made())["cluster"] == ["0", "1", "2"]


def test_rows_without_a_label_are_dropped_or_refused_and_the_rest_keep_their_numbers(made):
    unlabelled = made(gold_label=["-", "neutral", None], pairID=None)
    kept = read_test_set(made_set(unlabelled="drop", id_prefix="x"), unlabelled)
    assert (kept["id"], kept["gold"]) == (["x1"], ["neutral"])
    with pytest.raises(UserError, match="mine test, row 2: the label is missing"):
        read_test_set(made_set(), unlabelled)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"sentence1": ["p", "p", " "]}, "row 2: the premise is empty"),
        ({}, "row 2: category 'others' is not one"),
    ],
)
def test_a_bad_row_behind_one_without_a_label_keeps_its_number(made, changed, message):
    checked = made_set(slices=["category"], allowed={"category": ["animals", ""]})
    with pytest.raises(UserError, match=f"mine test, {message}"):
        read_test_set(checked, made(gold_label=["-", "neutral", "neutral"], **changed))


def test_labels_of_other_names_are_mapped_and_folded_ones_are_kept(made):
    two = {"folding": {"non-entailment": ["neutral", "contradiction"]}}
    names = {"label_names": {0: "entailment", 1: "non-entailment"}}
    assert read_test_set(made_set(**two, **names), made(gold_label=[0, 1, 1]))["gold"] == [
        "entailment",
        "non-entailment",
        "non-entailment",
    ]
    letters = {"label_names": {"E": "entailment", "N": "neutral", "C": "contradiction"}}
    assert read_test_set(made_set(**letters), made(gold_label=["e", "N", "c"]))["gold"] == list(LABELS)
    with pytest.raises(UserError, match="row 1: label 'neutral' is not one of entailment, non-entailment"):
        read_test_set(made_set(**two), made())
    with pytest.raises(UserError, match="labels are int64 without names"):
        read_test_set(made_set(), made(gold_label=[0, 1, 2]))


@pytest.mark.parametrize(
    ("own", "keys", "expected_rows", "refused"),
    [
        (True, {"rows": 4}, None, "org/made test has 3 rows where Made has 4"),
        (True, {"rows": 4}, 3, None),
        (False, {"rows": 4}, None, None),
        (False, {"rows": 3}, 5, "mine test has 3 rows where Made has 5"),
        (False, {"rows": 4, "strict_rows": True}, None, "mine test has 3 rows where Made has 4"),
        (False, {"rows": 4, "strict_rows": True}, 3, None),
    ],
)
def test_the_rows_of_a_set_are_counted_where_their_number_is_known(made, own, keys, expected_rows, refused):
    if refused is None:
        assert len(read_test_set(made_set(**keys), made(own), expected_rows)) == 3
        return
    with pytest.raises(UserError, match=refused):
        read_test_set(made_set(**keys), made(own), expected_rows)


def test_the_rows_of_a_sets_own_dataset_are_those_of_its_hash(made):
    with pytest.raises(UserError, match=r"holds other rows than made\.yaml states \(sha256 [0-9a-f]{64}\)") as error:
        read_test_set(made_set(sha256="0" * 64), made(own=True))
    found = re.search(r"[0-9a-f]{64}", str(error.value))[0]
    assert len(read_test_set(made_set(sha256=found), made(own=True))) == 3
    changed = ["entailment", "neutral", "neutral"]
    with pytest.raises(UserError, match="holds other rows"):
        read_test_set(made_set(sha256=found), made(own=True, gold_label=changed))
    assert len(read_test_set(made_set(sha256=found), made(gold_label=changed))) == 3  # another source may differ


def test_the_source_of_a_set_is_its_own_dataset_unless_the_recipe_names_another(monkeypatch):
    asked = []
    monkeypatch.setattr(test_set_rows, "fetch", lambda *arguments: asked.append(arguments))
    snli = test_sets.test_set("snli")
    for keys in ({}, {"snli": snli.dataset}, {"snli_revision": "v2"}, {"snli": "org/other"}):
        test_set_rows.test_set_source(EvaluateRecipe(output_dir="o", model="m", test_sets=["snli"], **keys), snli)
    assert asked == [
        (snli.dataset, "dataset", snli.revision),
        (snli.dataset, "dataset", snli.revision),
        (snli.dataset, "dataset", "v2"),
        ("org/other", "dataset", None),
    ]


def test_a_stratified_part_keeps_shares_and_order(world):
    test = read_test_set(HANS, source(world, "hans"), 60)
    part = stratified(test, 30, "heuristic")
    assert [part["heuristic"][:].count(name) for name in ("lexical_overlap", "subsequence", "constituent")] == [10] * 3
    numbers = [int(name[2:]) for name in part["id"]]
    assert numbers == sorted(numbers)
    assert stratified(test, 30, "heuristic")["id"] == part["id"]
    with pytest.raises(UserError, match="61 rows are wanted"):
        stratified(test, 61, "heuristic")
