"""README cards with Hub metadata, rendered from model_cards/ and data_cards/ and the artifact's lineage."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from huggingface_hub import DatasetCard, DatasetCardData, EvalResult, ModelCard, ModelCardData, RepoCard
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from blindspots.sources import Source

ROOT = Path(__file__).parents[2]
TEMPLATES = [ROOT / "model_cards", ROOT / "data_cards"]
ACCURACIES = {
    "mnli_matched": ("MultiNLI", "nyu-mll/multi_nli", "validation_matched"),
    "hans": ("HANS", "jhu-cogsci/hans", "validation"),
    "hans_lo_non_entailment": ("HANS, lexical overlap, non-entailment", "jhu-cogsci/hans", "validation"),
}
LANGUAGE = "en"


def write_card(folder: Path, lineage: dict[str, Any]) -> None:
    """Write folder/README.md for an artifact of `lineage["kind"]`, a template's name."""
    (folder / "README.md").write_text(render_card(folder, lineage))


def repo_type(kind: str) -> str:
    """`model` or `dataset`, by the folder that holds the kind's template."""
    return "model" if (TEMPLATES[0] / f"{kind}.md.j2").is_file() else "dataset"


def render_card(folder: Path, lineage: dict[str, Any], repo: str | None = None, tag: str | None = None) -> str:
    """The card of an artifact folder; `repo` and `tag` are where it is pushed to, None for a local folder."""
    is_model = repo_type(lineage["kind"]) == "model"
    data = (_model_data if is_model else _dataset_data)(folder, lineage)
    environment = Environment(loader=FileSystemLoader(TEMPLATES), undefined=StrictUndefined, trim_blocks=True,
                              lstrip_blocks=True)  # fmt: skip
    text = environment.get_template(f"{lineage['kind']}.md.j2").render(
        lineage=lineage,
        name=lineage["artifact"],
        repo=repo or lineage["artifact"],
        revision=f', revision="{tag}"' if tag else "",
        recipe=(folder / "recipe.yaml").read_text().strip(),
        accuracies=_accuracies(lineage["results"]),
        is_adapter=(folder / "adapter_config.json").is_file(),
        configs=data.get("configs"),
        audit=_audit(folder),
    )
    card = (ModelCard if is_model else DatasetCard)(f"---\n{data.to_yaml()}\n---\n\n{text}\n")
    return str(card)


def _audit(folder: Path) -> str:
    """The audit that audit_dataset.py wrote to <artifact>/audit, without its figure; empty where there is none."""
    file = folder / "audit" / "audit.md"
    lines = file.read_text("utf-8").strip().split("\n") if file.is_file() else []
    return "\n".join(line for line in lines if not line.startswith("!["))


def _accuracies(results: dict[str, Any]) -> dict[str, float]:
    return {name: results[name] for name in ACCURACIES if results.get(name) is not None}


def _parents(lineage: dict[str, Any], repo_type: str) -> list[dict[str, Any]]:
    return [parent for parent in lineage["parents"] if parent["repo_type"] == repo_type]


def repo_id(name: str) -> str:
    """A parent's Hub id; a local folder goes by its own name."""
    return Path(name).name if Path(name).is_dir() else name


def licence(parents: Iterable[Source], kind: str) -> str:
    """The licence that the parents' cards state, carried on; an artifact without parents is our own."""
    parents = list(parents)
    cards = [parent.path / "README.md" for parent in parents if parent.repo_type == repo_type(kind)]
    loaded = [RepoCard.load(card, ignore_metadata_errors=True) for card in cards if card.is_file()]
    stated = {card.data.get("license") for card in loaded} - {None}
    if not parents:
        return "apache-2.0"
    return stated.pop() if len(stated) == 1 else "other" if stated else "unknown"


def _model_data(folder: Path, lineage: dict[str, Any]) -> ModelCardData:
    models, datasets = _parents(lineage, "model"), _parents(lineage, "dataset")
    results = [
        EvalResult(
            task_type="text-classification",
            task_name="Natural Language Inference",
            dataset_type=ACCURACIES[name][1],
            dataset_name=ACCURACIES[name][0],
            dataset_split=ACCURACIES[name][2],
            metric_type="accuracy",
            metric_name=name,
            metric_value=round(value, 4),
        )
        for name, value in _accuracies(lineage["results"]).items()
    ]
    return ModelCardData(
        base_model=[repo_id(parent["name"]) for parent in models] or None,
        datasets=[repo_id(parent["name"]) for parent in datasets] or None,
        license=lineage["license"],
        language=LANGUAGE,
        library_name="peft" if (folder / "adapter_config.json").is_file() else "transformers",
        pipeline_tag="text-classification" if lineage["kind"] == "task_model" else "text-generation",
        tags=["nli", "synthetic-data", "robustness", lineage["kind"]],
        model_name=lineage["artifact"],
        eval_results=results or None,
    )


def _dataset_data(folder: Path, lineage: dict[str, Any]) -> DatasetCardData:
    names = sorted((path.name for path in (folder / "data").glob("*") if path.is_dir()), key=lambda n: (len(n), n))
    configs = [
        {
            "config_name": name,
            "data_files": [
                {"split": split, "path": f"data/{name}/{split}-*"}
                for split in sorted({file.name.split("-")[0] for file in (folder / "data" / name).glob("*.parquet")})
            ],
        }
        for name in names
    ]
    default = "full" if "full" in names else names[0] if names else None
    for config in configs:
        if config["config_name"] == default:
            config["default"] = True
    if not configs:
        files = sorted((folder / "predictions").glob("*.parquet"))
        configs = [{"config_name": f.stem, "data_files": [{"split": "test", "path": f"predictions/{f.name}"}]}
                   for f in files]  # fmt: skip
    return DatasetCardData(
        license=lineage["license"],
        language=LANGUAGE,
        task_categories=["text-classification"],
        task_ids=["natural-language-inference"],
        tags=["nli", "synthetic-data", lineage["kind"]],
        source_datasets=[repo_id(parent["name"]) for parent in _parents(lineage, "dataset")] or None,
        pretty_name=lineage["artifact"],
        configs=configs,
    )
