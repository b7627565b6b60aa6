"""Task models in tests: loaded, edited, saved, moved as by training, and asked for logits."""

import json
from pathlib import Path

import torch

from blindspots.artifacts.inputs import Source, fetch
from blindspots.data.examples import TaskInputs
from blindspots.evaluation.prediction import predict_logits
from blindspots.modeling.classifier import Classifier


def source(folder: Path) -> Source:
    return fetch(str(folder), "model")


def edit(file: Path, **changes: object) -> None:
    """Change keys of a JSON file."""
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def save(classifier: Classifier, folder: Path) -> Source:
    classifier.model.save_pretrained(folder)
    classifier.tokenizer.save_pretrained(folder)
    return source(folder)


def logits(classifier: Classifier, texts: TaskInputs, batch_tokens: int = 1024) -> torch.Tensor:
    return torch.tensor(predict_logits(classifier, texts, batch_tokens))


def disturb(classifier: Classifier) -> None:
    """Move every weight that training would move, as an optimiser does."""
    torch.manual_seed(1)
    with torch.no_grad():
        for weight in classifier.model.parameters():
            if weight.requires_grad:
                weight.add_(torch.randn_like(weight) * 0.1)
