"""Cards: each type of artifact gets one that the Hub takes, with how to load it and where it comes from."""

import json
import re
from pathlib import Path

import pandas as pd
import pytest
import yaml
from huggingface_hub import DatasetCard, ModelCard
from rendered import HOSTILE, embeds, shown_text

from blindspots.artifacts.cards import OTHER_TASKS, eval_results, render_card
from blindspots.artifacts.lineage import repo_type
from blindspots.config.errors import UserError, one_line
from blindspots.config.paths import DATA_CARDS, MODEL_CARDS

TYPES = sorted(file.name.split(".")[0] for folder in (MODEL_CARDS, DATA_CARDS) for file in folder.glob("[a-z]*.md.j2"))
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


# The links that every card of the study has.
OURS = {
    "https://doi.org/10.18653/v1/2025.insights-1.8",
    "https://arxiv.org/abs/2502.07164",
    "recipe.yaml",
}
DAS = "https://arxiv.org/abs/2401.14698"
LO_NE = {"heuristic": "lexical_overlap", "label": "non-entailment"}
HEADLINES = [
    {
        "name": name,
        "title": name,
        "test_set": test_set,
        "split": split,
        "slice": part,
        "accuracy": accuracy,
    }
    for name, test_set, split, part, accuracy in (
        ("mnli_matched", "mnli_matched", "validation_matched", {}, 0.61239),
        ("hans", "hans", "validation", {}, 0.5),
        ("hans_lo_non_entailment", "hans", "validation", LO_NE, 0.25),
    )
]


def lineage(artifact_type: str) -> dict:
    return {
        "artifact": "demo-thing",
        "artifact_type": artifact_type,
        "license": "apache-2.0",
        "parents": PARENTS,
        "recipe": {
            "kind": "biased_synthetic",
            "temperature": 0.7,
            "top_p": 1.0,
            "top_k": 0,
            "max_new_tokens": 64,
            "seed": 3,
            "engine": "transformers",
            "sizes": [9],
            "origin": "a file of somebody's",
            "gguf_sha256": "b" * 64,
            "train_config": "human-s0",
            "split_by": "unit",
            "source_settings": {"data_type": "free_text"},
        },
        "code_commit": "abc",
        "finished": "2026-01-02T03:04:05+00:00",
        "wall_time_s": 1.5,
        "processes": 1,
        "hardware": {"cpu": "some CPU", "cores": 2, "gpus": []},
        "row_counts": {"trained on": 7},
        "results": {"mnli_matched": 0.61239, "hans": 0.5, "hans_lo_non_entailment": 0.25, "headlines": HEADLINES},
    }


@pytest.fixture
def folder(tmp_path) -> Path:
    (tmp_path / "recipe.yaml").write_text("seed: 3\n")
    (tmp_path / "data/n9").mkdir(parents=True)
    pd.DataFrame({"premise": ["p"]}).to_parquet(tmp_path / "data/n9/train-00000-of-00001.parquet")
    return tmp_path


@pytest.mark.parametrize("artifact_type", TYPES)
def test_a_card_has_metadata_a_way_to_load_it_its_lineage_and_its_recipe(folder, artifact_type):
    text = render_card(folder, lineage(artifact_type), "org/demo-thing", "v1.0")
    card = (ModelCard if repo_type(artifact_type) == "model" else DatasetCard)(text)
    assert (card.data.license, card.data.language) == ("apache-2.0", "en")
    assert {"synthetic-data", artifact_type} <= set(card.data.tags)
    assert ("nli" in card.data.tags) == (artifact_type not in OTHER_TASKS)
    assert card.text.strip().startswith("# demo-thing\n")
    assert re.search(r"\| start \|.*org/base.*c0ffee.*a{16}", text)
    assert re.search(r"\| train \|.*rows.*a{16}", text)
    assert "Rows: trained on 7." in text
    assert "```yaml\nseed: 3\n```" in text
    if artifact_type != "base_model":
        assert '"org/demo-thing"' in text
        assert 'revision="v1.0"' in text
    assert "None" not in card.text


def test_a_model_card_states_parents_and_results(folder):
    card = ModelCard(render_card(folder, lineage("task_model")))
    data = card.data
    assert (data.base_model, data.datasets) == (["org/base"], ["rows", "org/mnli", "org/hans"])
    results = {
        result.metric_name: (result.metric_value, result.dataset_type, result.dataset_split, result.metric_args)
        for result in data.eval_results
    }
    assert results == {
        "mnli_matched": (0.6124, "org/mnli", "validation_matched", None),
        "hans": (0.5, "org/hans", "validation", None),
        "hans_lo_non_entailment": (0.25, "org/hans", "validation", LO_NE),
    }
    assert data.pipeline_tag == "text-classification"
    for line in ("| mnli_matched | 0.6124 |", "| hans | 0.5000 |", "| hans_lo_non_entailment | 0.2500 |"):
        assert line in card.text


def test_a_model_without_accuracies_states_none(folder):
    card = ModelCard(render_card(folder, lineage("task_model") | {"results": {}}))
    assert card.data.eval_results is None
    assert "| test | accuracy |" not in card.text


def test_a_card_states_the_precision_of_training_and_of_evaluation(folder):
    trained = {"base": "nf4", "compute": "bfloat16", "weights": "float32"}
    evaluated = {"base": "nf4", "compute": "bfloat16", "head": "float32"}
    text = render_card(folder, lineage("task_model") | {"precision": {"trained": trained, "evaluated": evaluated}})
    assert "Trained on base weights in nf4, computed in bfloat16; trained weights in float32.\n" in text
    assert "Evaluated on base weights in nf4, computed in bfloat16; head and logits in float32.\n" in text


def test_the_hubs_own_form_of_results_names_test_sets_that_are_on_the_hub():
    """A test set in a folder has no id there."""
    made = lineage("task_model")
    made["parents"] = [
        parent | {"revision": None} if parent["role"] == "hans" else parent for parent in made["parents"]
    ]
    (entry,) = yaml.safe_load(eval_results(made))
    assert entry["dataset"] == {"id": "org/mnli", "task_id": "mnli_matched", "revision": "beef"}
    assert entry["value"] == 0.6124
    made["parents"] = [parent | {"revision": None} for parent in made["parents"]]
    assert eval_results(made) is None


def test_an_adapter_is_loaded_by_peft(folder):
    (folder / "adapter_config.json").write_text(json.dumps({}))
    for artifact_type in ("task_model", "generator"):
        card = ModelCard(render_card(folder, lineage(artifact_type)))
        assert card.data.library_name == "peft"
        assert "from peft import AutoPeft" in card.text


def test_a_dataset_card_lists_every_config_and_split(folder):
    data = DatasetCard(render_card(folder, lineage("augmentation_set"))).data
    (config,) = data.configs
    assert config["config_name"] == "n9"
    assert config["data_files"] == [{"split": "train", "path": ["data/n9/train-00000-of-00001.parquet"]}]


def test_a_card_links_the_paper_the_recipe_and_a_public_commit(folder):
    described = lineage("task_model") | {"code_commit": "c" * 40}
    assert embeds(ModelCard(render_card(folder, described)).text) >= OURS
    public = described | {"code_repository": "https://github.com/someone/scripts"}
    for commit in ("c" * 40, "c" * 40 + "+changes"):
        text = render_card(folder, public | {"code_commit": commit})
        assert f"[`{commit}`](https://github.com/someone/scripts/commit/{'c' * 40}) from [recipe.yaml]" in text
    for place in ("http://github.com/someone/scripts", "https://elsewhere.example/x", "https://github.com/a)b", 3):
        assert "/commit/" not in render_card(folder, described | {"code_repository": place})


FORMS = {
    None: 'a pair, joined by the tokenizer: `tokenizer(premise, hypothesis, return_tensors="pt")`',
    "{premise} so {hypothesis}": "one line, `{premise} so {hypothesis}`",
}


@pytest.mark.parametrize("template", FORMS, ids=str)
@pytest.mark.parametrize("artifact_type", ["task_model", "predictions"])
def test_a_card_says_how_a_row_is_written_for_the_model(folder, artifact_type, template):
    labels = ["contradiction", "entailment", "neutral"]
    (folder / "adapter_config.json").write_text(json.dumps({}))
    text = render_card(folder, lineage(artifact_type) | {"input": {"template": template, "labels": labels}})
    assert f"The input is {FORMS[template]}" in text
    if artifact_type == "task_model":
        assert 'labels = {0: "contradiction", 1: "entailment", 2: "neutral"}' in text
        assert 'labels = {0: "entailment", 1: "neutral", 2: "contradiction"}' in render_card(
            folder, lineage("task_model")
        )
    assert "`Please indicate the relationship" in render_card(folder, lineage(artifact_type))


@pytest.mark.parametrize("artifact_type", TYPES)
def test_nothing_that_a_lineage_quotes_is_markup_in_a_card(folder, artifact_type):
    """Names of rows, labels, machines, licences and parents, and the recipe."""
    described = lineage(artifact_type)
    described |= {"row_counts": {HOSTILE: {HOSTILE: 3}}, "license": [HOSTILE, "mit"], "code_commit": HOSTILE}
    described |= {"code_repository": HOSTILE, "input": {"template": HOSTILE, "labels": [HOSTILE] * 3}}
    described["hardware"] = {"cpu": HOSTILE, "cores": 2, "gpus": [HOSTILE]}
    described["recipe"] = described["recipe"] | {"kind": HOSTILE}
    described["precision"] = {HOSTILE: {"base": HOSTILE, "compute": HOSTILE, "weights": HOSTILE, "head": HOSTILE}}
    described["parents"] = [PARENTS[0] | {"revision": None, "name": HOSTILE, "artifact": HOSTILE}, *PARENTS[1:]]
    described["results"]["headlines"] = [HEADLINES[0] | {"name": HOSTILE}, *HEADLINES[1:]]
    (folder / "recipe.yaml").write_text("a: |\n  ```\n  # Title\n  <img src=e>\n")
    card = render_card(folder, described)
    front, _, text = card.removeprefix("---\n").partition("\n---\n")
    assert yaml.safe_load(front)["license"] == [HOSTILE, "mit"]
    assert embeds(text) - OURS - {DAS} <= {link for link in embeds(text) if link.startswith("https://huggingface.co/")}
    assert one_line(HOSTILE) in shown_text(text)
    assert "$" not in re.sub(r"(?ms)\\.|^(`{3,})\w*$.*?^\1$|(`+).*?\2", "", text)
    assert [line for line in text.splitlines() if line.startswith("# ")] == ["# demo-thing"]


@pytest.mark.parametrize("artifact_type", TYPES)
def test_the_metadata_holds_quotes_dollars_and_colons_as_they_are(folder, artifact_type):
    name = 'it\'s "5$": #1 [a] & {b} %c'
    described = lineage(artifact_type) | {"artifact": name, "license": name}
    described["parents"] = [PARENTS[0] | {"revision": None, "artifact": name}, PARENTS[1] | {"artifact": name}]
    described["results"] = {}
    text = render_card(folder, described)
    data = yaml.safe_load(text.split("\n---\n")[0].removeprefix("---\n"))
    assert data["license"] == name
    if repo_type(artifact_type) == "model":
        assert (data["base_model"], data["datasets"]) == ([name], [name])
    else:
        assert (data["pretty_name"], data["source_datasets"]) == (name, [name])
    assert f"# {name}" in text.replace("\\", "")


def test_a_lineage_that_lacks_what_the_card_states_is_refused_in_one_line(folder):
    for missing in ("hardware", "row_counts", "finished"):
        described = {key: value for key, value in lineage("generator").items() if key != missing}
        with pytest.raises(UserError, match=f"No card can be made of .*{missing}.* Make the artifact again"):
            render_card(folder, described)
