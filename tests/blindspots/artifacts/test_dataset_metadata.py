"""What a README says of which rows and labels of a dataset folder are read: it is part of what the input is."""

from pathlib import Path

import pytest
import yaml
from datasets import ClassLabel, Dataset, Features, Value

from blindspots.artifacts.dataset_metadata import stated_metadata
from blindspots.artifacts.folder import only_to_push, output_folder, resolved_recipe, save_artifact
from blindspots.artifacts.inputs import fetch
from blindspots.artifacts.names import LINEAGE
from blindspots.config.errors import UserError
from blindspots.config.recipes import PrepareRecipe
from blindspots.data.nli_datasets import PAIR_FEATURES, write_configs

COLUMNS = Features({"premise": Value("string"), "label": ClassLabel(names=["entailment", "neutral"])})

PAIRS = Dataset.from_dict(
    {"id": ["0"], "premise": ["A cat sat."], "hypothesis": ["A cat."], "label": [0]}, features=PAIR_FEATURES
)


def write_readme(folder: Path, metadata: dict, text: str = "# Rows") -> None:
    (folder / "README.md").write_text(f"---\n{yaml.safe_dump(metadata)}---\n{text}\n")


def reads(file: str) -> dict:
    """The metadata of a folder whose train split is one file."""
    return {"configs": [{"config_name": "default", "data_files": [{"split": "train", "path": file}]}]}


def labels(*names: str) -> dict:
    features = [{"name": "label", "dtype": {"class_label": {"names": {str(i): name for i, name in enumerate(names)}}}}]
    return {"dataset_info": {"features": features}}


@pytest.fixture
def folder(tmp_path) -> Path:
    """A dataset folder of two files and a README that names the first."""
    made = tmp_path / "rows"
    made.mkdir()
    for name in ("a", "b"):
        Dataset.from_dict({"premise": [name], "label": [0]}, features=COLUMNS).to_parquet(made / f"{name}.parquet")
    write_readme(made, reads("a.parquet"))
    return made


@pytest.fixture
def artifact(tmp_path) -> Path:
    """A dataset artifact with two configs."""
    recipe = PrepareRecipe(output_dir=str(tmp_path / "artifact"), mnli="made up")
    with output_folder(recipe, "prepared_mnli") as out:
        counts = write_configs(out.staging, {"full": {"train": PAIRS, "dev": PAIRS}, "n1": {"train": PAIRS}})
        save_artifact(out, resolved_recipe(recipe), {}, counts)
    return tmp_path / "artifact"


def record(folder: Path) -> dict:
    return fetch(str(folder), "dataset").record("train")


# A folder that is no artifact


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (reads("a.parquet"), reads("b.parquet")),
        (reads("a.parquet"), {}),
        (labels("entailment", "neutral"), labels("neutral", "entailment")),
        (reads("a.parquet"), reads("a.parquet") | labels("neutral", "entailment")),
    ],
    ids=["another file", "no configs", "other label names", "label names"],
)
def test_another_file_or_label_in_the_readme_is_another_input(folder, before, after):
    write_readme(folder, before)
    first = record(folder)
    write_readme(folder, after)
    second = record(folder)
    assert first != second
    assert first["content_sha256"] == second["content_sha256"]


def test_prose_licence_and_spelling_of_the_readme_do_not_count(folder):
    first = record(folder)
    (folder / "README.md").write_text(
        "---\nlicense: mit\nconfigs: [{data_files: [{path: a.parquet, split: train}], config_name: 'default'}]\n---\n"
    )
    assert record(folder) == first


def test_a_readme_that_says_nothing_of_files_leaves_the_record_as_it_is_without_one(folder):
    (folder / "README.md").unlink()
    without = record(folder)
    write_readme(folder, {"license": "mit"})
    assert record(folder) == without
    assert "metadata_sha256" not in without


def test_huggingface_yaml_stands_above_the_readme(folder):
    (folder / ".huggingface.yaml").write_text(yaml.safe_dump(reads("b.parquet")))
    assert stated_metadata(folder, "rows") == reads("b.parquet")
    first = record(folder)
    (folder / ".huggingface.yaml").write_text(yaml.safe_dump(reads("a.parquet")))
    assert record(folder)["metadata_sha256"] != first["metadata_sha256"]


@pytest.mark.parametrize("head", ["configs: [", "- a list", "configs: &a {b: *a}\nconfigs: 1: 2"])
def test_metadata_that_cannot_be_read_is_told_in_one_line(folder, head):
    (folder / "README.md").write_text(f"---\n{head}\n---\n")
    with pytest.raises(UserError, match=r"rows: the metadata of its README can't be used") as told:
        record(folder)
    assert str(told.value).isprintable()


def test_a_run_on_other_files_of_the_same_folder_is_not_the_same_run(folder, tmp_path):
    recipe = PrepareRecipe(output_dir=str(tmp_path / "made"), mnli=str(folder), push_to_hub=True)
    parents = {"mnli": fetch(str(folder), "dataset")}
    with output_folder(recipe, "prepared_mnli") as out:
        save_artifact(out, resolved_recipe(recipe), parents, write_configs(out.staging, {"full": {"train": PAIRS}}))
    for file, same in (("a.parquet", True), ("b.parquet", False)):
        write_readme(folder, reads(file))
        with output_folder(recipe, "prepared_mnli") as out:
            assert only_to_push(out, resolved_recipe(recipe), parents) == same


# An artifact


def swap_labels(readme: str) -> str:
    return readme.replace("'0': entailment", "'0': neutral").replace("'1': neutral", "'1': entailment")


@pytest.mark.parametrize(
    "edit",
    [
        lambda readme: readme.replace("- data/full/train-", "- data/n1/train-"),
        lambda readme: readme.replace("  - split: dev\n    path:\n    - data/full/dev-00000-of-00001.parquet\n", ""),
        lambda readme: readme.replace("configs:", "other:"),
        swap_labels,
    ],
    ids=["another file", "one split less", "no configs", "labels in another order"],
)
def test_an_artifact_whose_readme_names_other_rows_or_labels_is_refused(artifact, edit):
    assert record(artifact)["artifact"] == "artifact"
    readme = (artifact / "README.md").read_text()
    assert edit(readme) != readme
    (artifact / "README.md").write_text(edit(readme))
    with pytest.raises(UserError, match="its README does not state the configs and columns of its files"):
        record(artifact)
    (artifact / LINEAGE).unlink()
    assert record(artifact)["artifact"] is None


def test_an_artifact_without_its_readme_or_with_another_file_above_it_is_refused(artifact):
    (artifact / ".huggingface.yaml").write_text(yaml.safe_dump(reads("data/n1/train-00000-of-00001.parquet")))
    with pytest.raises(UserError, match="does not state the configs"):
        record(artifact)
    (artifact / ".huggingface.yaml").unlink()
    (artifact / "README.md").unlink()
    with pytest.raises(UserError, match="does not state the configs"):
        record(artifact)


def test_the_prose_of_an_artifact_s_readme_may_be_changed(artifact):
    first = record(artifact)
    with (artifact / "README.md").open("a") as readme:
        readme.write("A remark.\n")
    assert record(artifact) == first
