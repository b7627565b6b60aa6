"""Cards: each kind of artifact gets one that the Hub takes, with how to load it and where it comes from."""

import json
import re
from pathlib import Path

import pandas as pd
import pytest
from huggingface_hub import DatasetCard, ModelCard

from blindspots.artifacts.cards import TEMPLATES, licence, render_card, repo_type
from blindspots.artifacts.inputs import Source

KINDS = sorted(file.name.split(".")[0] for folder in TEMPLATES for file in folder.glob("[a-z]*.md.j2"))
PARENTS = [
    {
        "role": role,
        "name": name,
        "repo_type": repo_type,
        "revision": revision,
        "artifact": None,
        "content_sha256": "a" * 64,
    }
    for role, name, repo_type, revision in (
        ("start", "org/base", "model", "c0ffee"),
        ("train", "folder/rows", "dataset", None),
        ("mnli_matched", "org/mnli", "dataset", "beef"),
        ("hans", "org/hans", "dataset", "beef"),
    )
]


def lineage(kind: str) -> dict:
    return {
        "artifact": "demo-thing",
        "kind": kind,
        "license": "apache-2.0",
        "parents": PARENTS,
        "recipe": {
            "kind": "biased_synthetic",
            "bias_rate": 1.0,
            "temperature": 0.7,
            "top_p": 1.0,
            "top_k": 0,
            "max_new_tokens": 64,
            "seed": 3,
            "engine": "transformers",
            "sizes": [9],
        },
        "code_commit": "abc",
        "finished": "2026-01-02T03:04:05+00:00",
        "wall_time_s": 1.5,
        "processes": 1,
        "hardware": {"cpu": "some CPU", "cores": 2, "gpus": []},
        "row_counts": {"trained on": 7},
        "results": {"mnli_matched": 0.61239, "hans": 0.5, "hans_lo_non_entailment": None},
    }


@pytest.fixture
def folder(tmp_path) -> Path:
    (tmp_path / "recipe.yaml").write_text("seed: 3\n")
    (tmp_path / "data/n9").mkdir(parents=True)
    pd.DataFrame({"premise": ["p"]}).to_parquet(tmp_path / "data/n9/train-00000-of-00001.parquet")
    return tmp_path


@pytest.mark.parametrize("kind", KINDS)
def test_a_card_has_metadata_a_way_to_load_it_its_lineage_and_its_recipe(folder, kind):
    text = render_card(folder, lineage(kind), "org/demo-thing", "v1.0")
    card = (ModelCard if repo_type(kind) == "model" else DatasetCard)(text)
    assert (card.data.license, card.data.language) == ("apache-2.0", "en")
    assert {"nli", "synthetic-data", kind} <= set(card.data.tags)
    assert card.text.strip().startswith("# demo-thing\n")
    assert re.search(r"\| start \|.*org/base.*c0ffee.*a{16}", text)
    assert re.search(r"\| train \|.*rows.*a{16}", text)
    assert "Rows: trained on 7." in text
    assert "```yaml\nseed: 3\n```" in text
    if kind != "base_model":
        assert '"org/demo-thing"' in text
        assert 'revision="v1.0"' in text
    assert "None" not in card.text


def test_a_model_card_states_parents_and_results(folder):
    data = ModelCard(render_card(folder, lineage("task_model"))).data
    assert (data.base_model, data.datasets) == (["org/base"], ["rows", "org/mnli", "org/hans"])
    results = {result.metric_name: (result.metric_value, result.dataset_type) for result in data.eval_results}
    assert results == {"mnli_matched": (0.6124, "org/mnli"), "hans": (0.5, "org/hans")}
    assert data.pipeline_tag == "text-classification"


def test_an_adapter_is_loaded_by_peft(folder):
    (folder / "adapter_config.json").write_text(json.dumps({}))
    for kind in ("task_model", "generator"):
        card = ModelCard(render_card(folder, lineage(kind)))
        assert card.data.library_name == "peft"
        assert "from peft import AutoPeft" in card.text


def test_a_dataset_card_lists_every_config_and_split(folder):
    data = DatasetCard(render_card(folder, lineage("augmentation_set"))).data
    (config,) = data.configs
    assert config["config_name"] == "n9"
    assert config["data_files"] == [{"split": "train", "path": ["data/n9/train-00000-of-00001.parquet"]}]


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        ([], "apache-2.0"),
        (["mit"], "mit"),
        (["mit", "mit"], "mit"),
        (["mit", "cc-by-4.0"], ["cc-by-4.0", "mit"]),
        ([None], "unknown"),
    ],
)
def test_the_licence_of_the_parents_is_carried_on(tmp_path, stated, expected):
    parents = []
    for index, name in enumerate(stated):
        parent = tmp_path / str(index)
        parent.mkdir()
        (parent / "README.md").write_text(f"---\nlicense: {name}\n---\n" if name else "no metadata\n")
        parents.append(Source(str(parent), parent, None, "dataset"))
    assert licence(parents, "prepared_mnli") == expected
