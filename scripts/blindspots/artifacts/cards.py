"""README cards with Hub metadata, rendered from model_cards/ and data_cards/ and the artifact's lineage."""

import json
from pathlib import Path
from typing import Any

import yaml
from huggingface_hub import (
    DatasetCard,
    DatasetCardData,
    EvalResult,
    EvalResultEntry,
    ModelCard,
    ModelCardData,
    eval_result_entries_to_yaml,
)
from huggingface_hub.constants import ENDPOINT
from jinja2 import Environment, FileSystemLoader, StrictUndefined, TemplateError

from blindspots.artifacts.dataset_metadata import configs, statistics
from blindspots.artifacts.files import write_whole
from blindspots.artifacts.lineage import PUBLIC_REPOSITORY, repo_type
from blindspots.artifacts.markdown import block, code, inline, without_embeds
from blindspots.artifacts.names import COMMIT
from blindspots.config.errors import UserError, one_line
from blindspots.config.paths import DATA_CARDS, MODEL_CARDS

LANGUAGE = "en"
# Types of artifacts that are not about premises and hypotheses.
OTHER_TASKS = ("source_sets", "text_classifier", "reward_model", "instruction_model")
CLASSIFIERS = ("task_model", "text_classifier", "reward_model")


def write_card(folder: Path, lineage: dict[str, Any]) -> None:
    """Write folder/README.md for an artifact of `lineage["artifact_type"]`, a template's name."""
    write_whole(folder / "README.md", render_card(folder, lineage))


def render_card(folder: Path, lineage: dict[str, Any], repo: str | None = None, tag: str | None = None) -> str:
    """The card of an artifact folder; `repo` and `tag` are where it is pushed to, None for a local folder.

    Raises UserError where the lineage lacks what the card states.
    """
    is_model = repo_type(lineage["artifact_type"]) == "model"
    data = (_model_data if is_model else _dataset_data)(folder, lineage)
    parents = [{**parent, "id": hub_id(parent), "link": _link(parent)} for parent in lineage["parents"]]
    loader = FileSystemLoader([MODEL_CARDS, DATA_CARDS])
    environment = Environment(loader=loader, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"inline": inline, "code": code, "block": block, "quoted": json.dumps}
    try:
        text = environment.get_template(f"{lineage['artifact_type']}.md.j2").render(
            lineage={**lineage, "parents": parents},
            name=lineage["artifact"],
            repo=repo or lineage["artifact"],
            revision=f", revision={json.dumps(tag)}" if tag else "",
            recipe=(folder / "recipe.yaml").read_text().strip(),
            headlines=headlines(lineage),
            is_adapter=(folder / "adapter_config.json").is_file(),
            configs=data.get("configs"),
            audit=_audit(folder),
            code_link=_code_link(lineage),
        )
    except (TemplateError, OSError, TypeError, AttributeError) as error:
        raise UserError(f"No card can be made of {folder}: {one_line(error)}. Make the artifact again.") from None
    card = (ModelCard if is_model else DatasetCard)(f"---\n{data.to_yaml()}\n---\n\n{text}\n")
    return str(card)


def _code_link(lineage: dict[str, Any]) -> str | None:
    """The address of the commit that made an artifact, None where that is not known or not public."""
    place, commit = lineage.get("code_repository"), str(lineage.get("code_commit")).removesuffix("+changes")
    known = isinstance(place, str) and PUBLIC_REPOSITORY.fullmatch(place) and COMMIT.fullmatch(commit)
    return f"{place}/commit/{commit}" if known else None


def _audit(folder: Path) -> str:
    """The audit that audit_dataset.py wrote to <artifact>/audit, without its figure; empty where there is none."""
    file = folder / "audit" / "audit.md"
    lines = file.read_text("utf-8").strip().split("\n") if file.is_file() else []
    return without_embeds("\n".join(line for line in lines if not line.startswith("![")))


def headlines(lineage: dict[str, Any]) -> list[dict[str, Any]]:
    """The accuracies that a card shows: name, title, test_set, split, slice and accuracy of each, see `score`."""
    return lineage["results"].get("headlines", [])


def _parents(lineage: dict[str, Any], repo_type: str) -> list[dict[str, Any]]:
    return [parent for parent in lineage["parents"] if parent["repo_type"] == repo_type]


def hub_id(parent: dict[str, Any]) -> str:
    """A parent's Hub id; one that is a local folder goes by its artifact's name."""
    return parent["name"] if parent["revision"] else parent.get("artifact") or Path(parent["name"]).name


def _link(parent: dict[str, Any]) -> str | None:
    folder = "datasets/" if parent["repo_type"] == "dataset" else ""
    return f"{ENDPOINT}/{folder}{parent['name']}/tree/{parent['revision']}" if parent["revision"] else None


def eval_results(lineage: dict[str, Any]) -> str | None:
    """The text of `names.EVAL_RESULTS`, None without test sets on the Hub."""
    tests = {parent["role"]: parent for parent in lineage["parents"] if parent["revision"]}
    entries = [
        EvalResultEntry(
            dataset_id=tests[headline["test_set"]]["name"],
            task_id=headline["name"],
            value=round(headline["accuracy"], 4),
            dataset_revision=tests[headline["test_set"]]["revision"],
            date=lineage["finished"],
        )
        for headline in headlines(lineage)
        if headline["test_set"] in tests
    ]
    return yaml.safe_dump(eval_result_entries_to_yaml(entries), sort_keys=False) if entries else None


def _model_data(folder: Path, lineage: dict[str, Any]) -> ModelCardData:
    models, datasets = _parents(lineage, "model"), _parents(lineage, "dataset")
    tests = {parent["role"]: parent for parent in datasets}
    results = [
        EvalResult(
            task_type="text-classification",
            task_name="Natural Language Inference",
            dataset_type=hub_id(tests[headline["test_set"]]),
            dataset_name=hub_id(tests[headline["test_set"]]).split("/")[-1],
            dataset_split=headline["split"],
            dataset_revision=tests[headline["test_set"]]["revision"],
            metric_type="accuracy",
            metric_name=headline["name"],
            metric_args=headline["slice"] or None,
            metric_value=round(headline["accuracy"], 4),
        )
        for headline in headlines(lineage)
    ]
    is_adapter = (folder / "adapter_config.json").is_file()
    return ModelCardData(
        base_model=[hub_id(parent) for parent in models] or None,
        base_model_relation=("adapter" if is_adapter else "finetune") if models else None,
        datasets=[hub_id(parent) for parent in datasets] or None,
        license=lineage["license"],
        language=LANGUAGE,
        library_name="peft" if is_adapter else "transformers",
        pipeline_tag="text-classification" if lineage["artifact_type"] in CLASSIFIERS else "text-generation",
        tags=_tags(lineage, "robustness"),
        model_name=lineage["artifact"],
        eval_results=results or None,
    )


def _tags(lineage: dict[str, Any], *further: str) -> list[str]:
    of_nli = [] if lineage["artifact_type"] in OTHER_TASKS else ["nli"]
    return [*of_nli, "synthetic-data", *further, lineage["artifact_type"]]


def _dataset_data(folder: Path, lineage: dict[str, Any]) -> DatasetCardData:
    data = DatasetCardData(
        license=lineage["license"],
        language=LANGUAGE,
        task_categories=["text-classification"],
        task_ids=["natural-language-inference"] if lineage["artifact_type"] not in OTHER_TASKS else None,
        tags=_tags(lineage),
        source_datasets=[hub_id(parent) for parent in _parents(lineage, "dataset")] or None,
        pretty_name=lineage["artifact"],
        configs=configs(folder),
    )
    statistics(folder).to_dataset_card_data(data)
    return data
