"""MNLI's cleaning: the rule on made rows, the counts of the full corpus, the artifact."""

import json
from itertools import chain

import pytest
from datasets import Dataset, load_dataset
from hypothesis import given
from hypothesis import strategies as st

import prepare_mnli
from blindspots.artifacts.files import hash_file
from blindspots.config.errors import UserError
from blindspots.config.recipes import PrepareRecipe
from blindspots.data.nli_datasets import PAIR_FEATURES


def pairs(labels, texts=None):
    texts = texts or [f"text {i}" for i in range(len(labels))]
    ids = [str(i) for i in range(len(labels))]
    columns = {"id": ids, "premise": texts, "hypothesis": texts, "label": labels}
    return Dataset.from_dict(columns, features=PAIR_FEATURES)


def test_all_copies_of_a_repeated_pair_are_dropped():
    train, dev, repeated = prepare_mnli.clean(pairs([0, 0, 1, 0], ["a", "b", "c", "a"]), dev_rows_per_label=0)
    assert (train["id"], len(dev), repeated) == (["1", "2"], 0, 2)


def test_the_first_rows_of_each_label_become_dev():
    train, dev, _ = prepare_mnli.clean(pairs([0, 1, 0, 2, 1, 2, 0]), dev_rows_per_label=1)
    assert dev["id"] == ["0", "1", "3"]
    assert train["id"] == ["2", "4", "5", "6"]


def subsets(rows, **keys):
    recipe = PrepareRecipe(mnli="somewhere", output_dir="out", **keys)
    return {
        config: part["train"]["id"] for config, part in prepare_mnli.subsets(pairs([0, 1, 2] * rows), recipe).items()
    }


def test_starting_subsets_follow_the_seed_and_never_exceed_the_pool():
    one, other = (subsets(20, start_sizes=[10, 30], seed=seed) for seed in (42, 43))
    assert len(set(one["n30"])) == 30
    assert one["n10"] == one["n30"][:10]
    assert one != other
    with pytest.raises(UserError, match="61 rows are wanted, the cleaned train set has 60"):
        subsets(20, start_sizes=[61])


@given(st.integers(1, 4), st.integers(1, 9), st.integers(0, 5))
def test_draws_of_starts_have_no_row_in_common_and_the_rest_is_left_out_of_them(draws, size, seed):
    found = subsets(12, start_sizes=[size, 1], start_draws=draws, seed=seed)
    largest = [found[f"n{size}-d{draw}"] for draw in range(draws)]
    together = [*chain(*largest), *found.get("rest", [])]
    assert sorted(together, key=int) == [str(row) for row in range(36)]
    assert all(found[f"n1-d{draw}"] == largest[draw][:1] for draw in range(draws))


def test_more_draws_than_there_are_rows_for_are_refused():
    with pytest.raises(UserError, match="start_sizes: 3 times 21 rows are wanted, the cleaned train set has 60"):
        subsets(20, start_sizes=[21], start_draws=3)


def test_every_generator_has_a_sample_of_its_own():
    found = subsets(20, start_sizes=[], generator_rows=20, generator_draws=3)
    assert sorted(found) == ["g20-d0", "g20-d1", "g20-d2"]
    assert len({tuple(sorted(rows)) for rows in found.values()}) == 3
    assert all(len(set(rows)) == 20 for rows in found.values())
    with pytest.raises(UserError, match="generator_rows: 61 rows are wanted"):
        subsets(20, start_sizes=[], generator_rows=61)


def test_further_pairs_are_added_and_counted_by_source(world, tmp_path, script):
    more = tmp_path / "more.jsonl"
    rows = [{"id": str(i), "premise": f"p {i}", "hypothesis": f"h {i}", "label": "neutral"} for i in range(4)]
    more.write_text("".join(json.dumps(row) + "\n" for row in [*rows, rows[0]]))
    flags = ["--start_sizes", 30, "--dev_rows_per_label", 5, "--also", more, "--output_dir", tmp_path / "out"]
    script("prepare_mnli", "--mnli", world / "corpus/mnli", *flags)
    counts = json.loads((tmp_path / "out/lineage.json").read_text())["row_counts"]
    assert counts["read"] == {str(world / "corpus/mnli"): 300, str(more): 5}
    assert counts["repeated pairs"] == 2
    full = load_dataset(str(tmp_path / "out"), "full", split="train", cache_dir=str(tmp_path / "cache"))
    assert [name for name in full["id"] if name.startswith("1-")] == ["1-1", "1-2", "1-3"]


def test_a_corpus_of_the_full_size_must_leave_the_full_counts(world, tmp_path, script, monkeypatch):
    monkeypatch.setattr(prepare_mnli, "FULL_ROWS", 300)
    with pytest.raises(UserError, match="another file"):
        script(
            "prepare_mnli",
            "--mnli",
            world / "corpus/mnli",
            "--output_dir",
            tmp_path / "out",
            "--start_sizes",
            9,
            "--dev_rows_per_label",
            250,
        )
    assert not (tmp_path / "out").exists()


def test_the_artifact_loads_by_config_without_our_code(world, tmp_path, script):
    out = tmp_path / "mnli"
    script(
        "prepare_mnli",
        "--mnli",
        world / "corpus/mnli",
        "--output_dir",
        out,
        "--start_sizes",
        30,
        60,
        "--dev_rows_per_label",
        5,
    )
    full = load_dataset(str(out), "full", cache_dir=str(tmp_path / "cache"))
    assert {split: len(rows) for split, rows in full.items()} == {"train": 285, "validation": 15}
    assert len(load_dataset(str(out), "n30", split="train", cache_dir=str(tmp_path / "cache"))) == 30
    lineage = json.loads((out / "lineage.json").read_text())
    assert lineage["row_counts"]["read"] == 300
    assert lineage["parents"][0]["role"] == "mnli"


@pytest.mark.parametrize("name", ["mnli.tsv", "mnli.jsonl", "mnli.parquet"])
def test_a_corpus_may_be_a_file(world, tmp_path, script, name):
    rows = load_dataset(str(world / "corpus/mnli"), split="train", cache_dir=str(tmp_path / "cache"))
    names = rows.features["label"].names
    frame = rows.to_pandas()
    frame["label"] = [names[label] for label in frame["label"]]
    frame.loc[7, "premise"] = '"' + frame.loc[7, "premise"]
    frame.loc[90, "hypothesis"] = "n/a"
    if name.endswith(".parquet"):
        frame.to_parquet(tmp_path / name)
    elif name.endswith(".jsonl"):
        frame.to_json(tmp_path / name, orient="records", lines=True)
    else:
        lines = ["\t".join(map(str, line)) for line in [frame.columns, *frame.itertuples(index=False)]]
        (tmp_path / name).write_text("\n".join(lines))
    arguments = ("--output_dir", tmp_path / "out", "--start_sizes", 30, "--dev_rows_per_label", 5)
    script("prepare_mnli", "--mnli", tmp_path / name, *arguments)
    lineage = json.loads((tmp_path / "out/lineage.json").read_text())
    assert (lineage["row_counts"]["read"], lineage["license"]) == (300, "unknown")
    assert lineage["parents"][0]["content_sha256"] == hash_file(tmp_path / name)
    assert f"- {name}" in (tmp_path / "out/README.md").read_text()
    full = load_dataset(str(tmp_path / "out"), "full", cache_dir=str(tmp_path / "cache"))
    texts = [text for part in full.values() for row in part for text in (row["premise"], row["hypothesis"])]
    assert sorted(texts) == sorted([*frame["premise"], *frame["hypothesis"]])


def test_the_real_rows_can_be_prepared(shared, tmp_path, script):
    script(
        "prepare_mnli",
        "--mnli",
        shared / "hub/datasets/nyu-mll/multi_nli",
        "--output_dir",
        tmp_path / "mnli",
        "--start_sizes",
        5000,
    )
    lineage = json.loads((tmp_path / "mnli" / "lineage.json").read_text())
    assert lineage["row_counts"]["full"] == {"train": 17_262, "validation": 750}
