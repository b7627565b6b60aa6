"""Augmentation sets as artifacts: every kind, from pools of ours and from elsewhere."""

import json

import pandas as pd
import pytest

import build_variants
from blindspots.config.errors import RecipeError, UserError
from blindspots.config.recipes import VariantsRecipe
from blindspots.data.heuristics import lexical_overlap
from blindspots.data.kinds import kind_of
from blindspots.data.nli import LABELS


@pytest.fixture
def build(world, tmp_path, script):
    def run(kind: str, *arguments: object, name: str = "sets"):
        script("build_variants", "--kind", kind, "--output_dir", tmp_path / name, *arguments)
        return tmp_path / name

    return run


def rows(folder, size: int) -> pd.DataFrame:
    return pd.read_parquet(folder / f"data/n{size}/train-00000-of-00001.parquet")


def test_original_and_synthetic_sets_have_equal_labels_and_are_nested(build, world):
    for kind in ("original", "synthetic"):
        out = build(kind, f"--{kind}", world / "corpus/mnli", "--sizes", 31, 90, name=kind)
        assert rows(out, 31)["label"].value_counts().sort_index().tolist() == [11, 10, 10]
        assert set(rows(out, 31)["id"]) <= set(rows(out, 90)["id"])
        recorded = json.loads((out / "lineage.json").read_text())
        assert recorded["recipe"]["seed"] == 0
        assert recorded["row_counts"]["drawn from"] == 300
        assert "11, 10, 10" in (out / "README.md").read_text()


def test_rows_without_an_agreed_label_are_counted_in_lineage_and_card(build, tmp_path):
    labels = [*LABELS * 4, "-", "-"]
    lines = [f"p{row}\th{row}\t{label}" for row, label in enumerate(labels)]
    (tmp_path / "snli.tsv").write_text("\n".join(["sentence1\tsentence2\tgold_label", *lines]) + "\n")
    out = build("original", "--original", tmp_path / "snli.tsv", "--sizes", 12)
    counts = json.loads((out / "lineage.json").read_text())["row_counts"]
    assert (counts["original"], counts["original without label"], counts["drawn from"]) == (12, 2, 12)
    assert "original without label 2" in (out / "README.md").read_text()


def test_a_biased_set_is_biased_through_and_through(build, tmp_path):
    pool = [
        {"premise": f"dog {i} ran", "hypothesis": f"dog {i}" if i % 2 else "cat", "label": LABELS[i % 3]}
        for i in range(60)
    ]
    (tmp_path / "pool").mkdir()
    pd.DataFrame(pool).to_parquet(tmp_path / "pool/train.parquet")
    out = build("biased_synthetic", "--synthetic", tmp_path / "pool", "--sizes", 30)
    for row in rows(out, 30).itertuples():
        assert lexical_overlap(row.premise, row.hypothesis) == (row.label == 0)
    with pytest.raises(UserError, match="A set of 60 rows, entailment: 20 rows are wanted, the pool has 10"):
        build("biased_synthetic", "--synthetic", tmp_path / "pool", "--sizes", 60, name="large")
    assert not (tmp_path / "large").exists()


def test_overlap_is_by_stripped_words_unless_the_recipe_says_as_published(build, tmp_path):
    pool = [{"premise": f"dog {i} ran.", "hypothesis": f"dog {i} ran", "label": LABELS[i % 3]} for i in range(30)]
    pool += [{"premise": f"dog {i} ran.", "hypothesis": f"cat {i}", "label": LABELS[i % 3]} for i in range(30)]
    (tmp_path / "pool").mkdir()
    pd.DataFrame(pool).to_parquet(tmp_path / "pool/train.parquet")
    stripped = build("biased_synthetic", "--synthetic", tmp_path / "pool", "--sizes", 15)
    assert all(row.hypothesis.startswith("dog") == (row.label == 0) for row in rows(stripped, 15).itertuples())
    assert "stripped of the punctuation" in (stripped / "README.md").read_text()
    raw = ["--synthetic", tmp_path / "pool", "--overlap_words", "raw"]
    with pytest.raises(UserError, match="A set of 15 rows, entailment: 5 rows are wanted, the pool has 0"):
        build("biased_synthetic", *raw, "--sizes", 15, name="raw")


def test_a_dose_of_bias_is_at_least_its_share_of_each_label(build, tmp_path):
    pool = [
        {"premise": f"dog {i} ran", "hypothesis": f"dog {i}" if i // 3 % 2 else f"cat {i}", "label": LABELS[i % 3]}
        for i in range(240)
    ]
    (tmp_path / "pool").mkdir()
    pd.DataFrame(pool).to_parquet(tmp_path / "pool/train.parquet")
    out = build("biased_75", "--synthetic", tmp_path / "pool", "--sizes", 120)
    found = rows(out, 120)
    overlap = pd.Series([lexical_overlap(row.premise, row.hypothesis) for row in found.itertuples()])
    biased = (overlap == (found["label"] == 0)).groupby(found["label"]).sum()
    assert ((biased >= 30) & (biased < 40)).all()
    assert json.loads((out / "lineage.json").read_text())["recipe"]["kind"] == "biased_75"


def test_a_mixed_set_has_its_share_of_synthetic_rows(build, world, tmp_path):
    pool = [{"id": f"made{i}", "premise": f"p{i}", "hypothesis": "h", "label": LABELS[i % 3]} for i in range(90)]
    (tmp_path / "pool").mkdir()
    pd.DataFrame(pool).to_parquet(tmp_path / "pool/train.parquet")
    out = build(
        "mixed_25",
        "--original",
        world / "corpus/mnli",
        "--synthetic",
        tmp_path / "pool",
        "--sizes",
        120,
    )
    made = rows(out, 120)["id"].str.startswith("made")
    assert made.groupby(rows(out, 120)["label"]).sum().tolist() == [10, 10, 10]


def test_rows_of_a_start_can_be_left_out(build, world, script, tmp_path):
    mnli = tmp_path / "mnli"
    script(
        "prepare_mnli",
        "--mnli",
        world / "corpus/mnli",
        "--output_dir",
        mnli,
        "--start_sizes",
        90,
        "--dev_rows_per_label",
        10,
    )
    out = build("original_disjoint", "--original", mnli, "--exclude_config", "n90", "--sizes", 60)
    start = pd.read_parquet(mnli / "data/n90/train-00000-of-00001.parquet")
    assert not set(rows(out, 60)["id"]) & set(start["id"])


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"kind": "original"}, "kind original is drawn from original; name that dataset"),
        ({"kind": "mixed_25", "original": "o"}, "kind mixed_25 is drawn from synthetic"),
        ({"kind": "external_wanli", "original": "o"}, "kind external_wanli is drawn from synthetic"),
    ],
)
def test_a_recipe_without_its_pool_is_refused(keys, message):
    recipe = VariantsRecipe(output_dir="o", **keys)
    with pytest.raises(RecipeError, match=message):
        build_variants.check(recipe, kind_of(recipe.kind))


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("biased", "There is no augmentation kind 'biased'; the kinds are original, .*biased_"),
        ("mixed", "There is no augmentation kind 'mixed'"),
        ("biased_120", "biased_120 asks for 120 per cent; a share is at most 100"),
    ],
)
def test_another_kind_is_refused_before_anything_is_read(build, tmp_path, kind, message):
    with pytest.raises(RecipeError, match=message):
        build(kind, "--original", "nowhere", "--synthetic", "nowhere")
    assert not list(tmp_path.iterdir())


def test_rows_to_leave_out_of_a_kind_without_original_rows_are_refused(world, script, tmp_path):
    with pytest.raises(RecipeError, match="exclude_config has no effect: kind synthetic is not drawn from original"):
        script(
            "build_variants",
            "--kind",
            "synthetic",
            "--synthetic",
            world / "corpus/mnli",
            "--exclude_config",
            "n5",
            "--sizes",
            3,
            "--output_dir",
            tmp_path / "made",
        )
    assert not (tmp_path / "made").exists()
