"""transformers, datasets and evaluate, unmodified, push to the local Hub and load from it."""

import pytest

pytestmark = pytest.mark.hub


def push_and_load_a_model() -> dict:
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import (
        AutoModelForSequenceClassification,
        AutoTokenizer,
        LlamaConfig,
        LlamaForSequenceClassification,
        PreTrainedTokenizerFast,
    )

    words = Tokenizer(models.WordLevel({"[PAD]": 0, "[UNK]": 1, "cat": 2}, unk_token="[UNK]"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, pad_token="[PAD]", unk_token="[UNK]")
    sizes = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    model = LlamaForSequenceClassification(LlamaConfig(vocab_size=3, num_labels=3, pad_token_id=0, **sizes)).eval()
    pushed = model.push_to_hub("blindspots/tiny", private=True)
    tokenizer.push_to_hub("blindspots/tiny")
    rows = tokenizer(["cat"], return_tensors="pt")
    loaded = AutoModelForSequenceClassification.from_pretrained("blindspots/tiny", revision=pushed.oid).eval()
    again = AutoTokenizer.from_pretrained("blindspots/tiny")(["cat"], return_tensors="pt")
    with torch.no_grad():
        return {"equal": torch.equal(model(**rows).logits, loaded(**again).logits)}


def push_and_load_a_dataset() -> dict:
    from datasets import ClassLabel, Dataset, Features, Value, get_dataset_config_names, load_dataset

    features = Features({"premise": Value("string"), "label": ClassLabel(names=["entailment", "neutral"])})
    rows = [Dataset.from_dict({"premise": ["a", "b"][:n], "label": [0, 1][:n]}, features=features) for n in (1, 2)]
    first = rows[0].push_to_hub("blindspots/pairs", "n1", split="train", private=True)
    rows[1].push_to_hub("blindspots/pairs", "n2", split="train")
    loaded = load_dataset("blindspots/pairs", "n2", split="train")
    return {
        "rows": loaded.to_list(),
        "names": loaded.features["label"].names,
        "configs": get_dataset_config_names("blindspots/pairs"),
        "before": get_dataset_config_names("blindspots/pairs", revision=first.oid),
    }


METRIC = """
import datasets
import evaluate

class Matches(evaluate.Metric):
    def _info(self):
        features = datasets.Features({"predictions": datasets.Value("int64"), "references": datasets.Value("int64")})
        return evaluate.MetricInfo(description="", citation="", inputs_description="", features=features)

    def _compute(self, predictions, references):
        return {"matches": WEIGHT * sum(p == r for p, r in zip(predictions, references))}
"""


def push_and_load_a_metric() -> list[int]:
    import evaluate
    from huggingface_hub import HfApi

    api = HfApi()
    space = {"repo_id": "blindspots/matches", "repo_type": "space"}
    api.create_repo(**space, space_sdk="gradio")
    for weight in (1, 10):
        module = METRIC.replace("WEIGHT", str(weight)).encode()
        api.upload_file(**space, path_or_fileobj=module, path_in_repo="matches.py")
        api.create_tag(**space, tag=f"v{weight}")
    metrics = [evaluate.load("blindspots/matches", revision=tag) for tag in ("v1", "v10")]
    return [metric.compute(predictions=[0, 1, 2], references=[0, 1, 0])["matches"] for metric in metrics]


def test_transformers_pushes_and_loads_a_classifier(hub):
    assert hub.call(push_and_load_a_model) == {"equal": True}


def test_datasets_pushes_and_loads_configurations_and_revisions(hub):
    assert hub.call(push_and_load_a_dataset) == {
        "rows": [{"premise": "a", "label": 0}, {"premise": "b", "label": 1}],
        "names": ["entailment", "neutral"],
        "configs": ["n1", "n2"],
        "before": ["n1"],
    }


def test_evaluate_loads_a_space_at_a_revision(hub):
    assert hub.call(push_and_load_a_metric) == [2, 20]


def load_by_public_id() -> dict:
    from datasets import load_dataset

    splits = load_dataset("nyu-mll/multi_nli")
    return {name: [len(split), split.features["label"].names] for name, split in splits.items()}


def test_a_seeded_dataset_loads_by_its_public_id(hub, shared):
    hub.store.seed(shared / "hub")
    loaded = hub.call(load_by_public_id)
    assert loaded["validation_matched"] == [9815, ["entailment", "neutral", "contradiction"]]
