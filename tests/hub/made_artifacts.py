"""Small artifacts to push, and the functions that a client process calls to push and fetch them."""

import shutil
from pathlib import Path

from datasets import Dataset

from blindspots.artifacts.folder import output_folder, resolved_recipe, save_artifact
from blindspots.artifacts.inputs import Source
from blindspots.config.recipes import PrepareRecipe, TaskRecipe
from blindspots.data.nli_datasets import PAIR_FEATURES, write_configs

RELEASE = {"hub_namespace": "blindspots", "hub_name": None, "hub_tag": "v0.1", "hub_private_repo": False}


def dataset_artifact(folder: Path, text: str = "A cat sat.", config: str = "n2") -> Path:
    """A prepared dataset of two rows and one config."""
    rows = {"id": ["0", "1"], "premise": [text, text], "hypothesis": ["A cat.", "No cat."], "label": [0, 2]}
    recipe = PrepareRecipe(output_dir=str(folder), mnli="made up")
    with output_folder(recipe, "prepared_mnli") as out:
        pairs = Dataset.from_dict(rows, features=PAIR_FEATURES)
        save_artifact(out, resolved_recipe(recipe), {}, write_configs(out.staging, {config: {"train": pairs}}))
    return folder


def model_artifact(folder: Path, start: Path, train: Path) -> Path:
    """The model in `start` as if tuned on the artifact in `train`; it was not evaluated."""
    recipe = TaskRecipe(output_dir=str(folder), train_dataset=str(train))
    with output_folder(recipe, "task_model") as out:
        shutil.copytree(start, out.staging, dirs_exist_ok=True)
        parents = {"train": Source(str(train), train, None, "dataset")}
        save_artifact(out, resolved_recipe(recipe), parents, {"trained on": 2})
    return folder


def push(folder: str, keys: dict | None = None) -> dict:
    """Push an artifact in this process, by other keys of RELEASE too: its commit, or the error that the user is told.

    Whether it is a model or a dataset is what its lineage says.
    """
    from blindspots.artifacts.push import push_artifact
    from blindspots.config.errors import UserError

    try:
        return {"commit": push_artifact(Path(folder), RELEASE | (keys or {}))}
    except UserError as error:
        return {"error": str(error)}


def fetch(name: str, repo_type: str = "dataset") -> dict:
    """Fetch an input in this process: its commit and files by content, or the error that the user is told."""
    from blindspots.artifacts import inputs
    from blindspots.artifacts.files import hash_file
    from blindspots.config.errors import UserError

    try:
        source = inputs.fetch(name, repo_type)
    except UserError as error:
        return {"error": str(error)}
    files = {
        file.relative_to(source.path).as_posix(): hash_file(file)
        for file in source.path.rglob("*.*")
        if file.is_file()
    }
    return {"commit": source.revision, "files": files, "path": str(source.path)}
