"""The head of a task model: whether a checkpoint has one, what its outputs mean, and what it computes in."""

from collections.abc import Mapping, Sequence

import torch
from peft import PeftModel
from transformers import PretrainedConfig, PreTrainedModel

from blindspots.config.errors import RecipeError, UserError
from blindspots.data.nli import LABELS
from blindspots.modeling.architectures import head_names
from blindspots.modeling.precision import base_model


def head_dtype(model: PreTrainedModel | PeftModel) -> torch.dtype:
    """The dtype that the head computes in; of a head that an adapter replaces, the replacement's."""
    whole = base_model(model)
    return [*whole.get_submodule(head_names(whole)[-1]).parameters()][-1].dtype


def is_classifier(config: PretrainedConfig) -> bool:
    """Whether the checkpoint already carries a classification head."""
    return any(name.endswith("ForSequenceClassification") for name in config.architectures or [])


def head_labels(
    config: PretrainedConfig,
    where: str,
    label_names: Mapping[str, str] | None = None,
    labels: Sequence[str] = LABELS,
) -> dict[int, str]:
    """Our name of each output of a head, in any case and order there.

    Args:
        label_names: our name of each label, by its own name or by its number.
        labels: of the task.

    Raises:
        UserError: a head whose outputs are not named after the labels.
        RecipeError: label_names that name no label of the head, or rename one that has a name of ours.
    """
    own = {index: str(name) for index, name in sorted(config.id2label.items())}
    if len(own) != len(labels):
        task = "NLI" if labels is LABELS else "the task"
        raise UserError(f"{where} has {len(own)} labels ({', '.join(own.values())}); {task} has {', '.join(labels)}.")
    stated = config.label2id or {}
    if set(stated) == set(own.values()) and any(own.get(place) != name for name, place in stated.items()):
        raise UserError(
            f"{where}: id2label and label2id in its config.json contradict each other; correct one of them."
        )
    given = dict(label_names or {})
    known = {name.strip().lower(): index for index, name in own.items()}
    ours = {label.lower(): label for label in labels}
    if given and set(known) == set(ours):
        raise RecipeError(f"{where} names its labels {', '.join(own.values())}; leave out label_names.")
    strange = sorted(set(given) - {*own.values(), *map(str, own)})
    if strange:
        raise RecipeError(
            f"label_names: {where} has no label {strange[0]!r}; its labels are {', '.join(own.values())}."
        )
    names = {index: given.get(name, given.get(str(index), name)).strip().lower() for index, name in own.items()}
    if sorted(names.values()) != sorted(ours):
        raise UserError(
            f"{where} names its labels {', '.join(own.values())}; set id2label in its config.json to "
            f"{', '.join(labels)} in the order of its head, or give label_names to evaluate_task.py."
        )
    return {index: ours[name] for index, name in names.items()}
