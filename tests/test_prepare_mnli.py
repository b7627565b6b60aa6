"""MNLI's cleaning: the rule on made rows, the counts of the full corpus, the artifact."""

import json

import pytest
from datasets import Dataset, load_dataset

import prepare_mnli
from blindspots.artifacts.files import hash_file
from blindspots.config.errors import UserError
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


def test_starting_subsets_follow_the_seed_and_never_exceed_the_pool():
    train = pairs([0, 1, 2] * 20)
    one, other = (prepare_mnli.starting_subsets(train, [30], seed)["n30"]["train"]["id"] for seed in (42, 43))
    assert len(set(one)) == 30
    assert one != other
    with pytest.raises(UserError, match="61 rows are wanted, the cleaned train set has 60"):
        prepare_mnli.starting_subsets(train, [61], 42)


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
