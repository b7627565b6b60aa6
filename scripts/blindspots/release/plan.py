"""A release: the artifacts of a folder in an order in which parents come first, and what the Hub holds of a tag."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi, RepoCard

from blindspots.artifacts.files import hash_file, hash_json, json_text
from blindspots.artifacts.lineage import code_commit, repo_type
from blindspots.artifacts.names import ALLOWED, LINEAGE, read_lineage
from blindspots.artifacts.push import check_target, preflight, push_artifact, repo_id
from blindspots.artifacts.remote import remote_lineage, tag_commit
from blindspots.artifacts.retries import retry_transient
from blindspots.artifacts.upload import check_files, require_private, upload
from blindspots.config.errors import UserError
from blindspots.release.manifest import Entry, fault_of_tag, manifest_repo, read_manifest, write_manifest

MODULE = "evaluate_module"


@dataclass(frozen=True)
class Artifact:
    """A folder to be released."""

    folder: Path
    lineage: dict[str, Any]

    @property
    def repo_type(self) -> str:
        return "space" if self.lineage["artifact_type"] == MODULE else repo_type(self.lineage["artifact_type"])

    @property
    def size(self) -> int:
        """Bytes of its files."""
        return sum(file["bytes"] for file in self.lineage["files"].values())


@dataclass(frozen=True)
class Released:
    """What a repo holds under the tag of a release."""

    repo: str
    repo_type: str
    commit: str


def find_artifacts(folder: Path) -> list[Artifact]:
    """The artifacts below a folder, parents before children.

    Raises UserError where there is none, where two go by one name and where parents go round in a circle.
    """
    files = [file for file in sorted(folder.rglob("lineage.json")) if not _hidden(file.relative_to(folder))]
    found: dict[str, Artifact] = {}
    for file in files:
        lineage = read_lineage(file.parent)
        other = found.setdefault(lineage["artifact"], Artifact(file.parent, lineage))
        if other.folder != file.parent:
            raise UserError(f"{other.folder} and {file.parent} are both {lineage['artifact']}; remove one of them.")
    if not found:
        raise UserError(f"There is no artifact (a folder with lineage.json) below {folder}.")
    parents = {
        name: {parent.get("artifact") for parent in item.lineage["parents"]} & found.keys()
        for name, item in found.items()
    }
    try:
        return [found[name] for name in TopologicalSorter(parents).static_order()]
    except CycleError as error:
        raise UserError(f"These artifacts are made from each other: {' -> '.join(error.args[1])}.") from None


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def find_modules(folder: Path) -> list[Artifact]:
    """The evaluate modules of a folder, each with a lineage of its own; their links are followed.

    Raises UserError where there is none.
    """
    modules = [_module(file.parent) for file in sorted(folder.glob("*/README.md"))]
    if not modules:
        raise UserError(f"There is no evaluate module (a folder with README.md) in {folder}; set modules.")
    return modules


def _module(folder: Path) -> Artifact:
    files = {
        path.name: {"sha256": hash_file(path), "bytes": path.stat().st_size}
        for path in sorted(folder.iterdir())
        if path.is_file() and ALLOWED.fullmatch(path.name) and path.name != "README.md"
    }
    lineage = {
        "artifact": folder.name,
        "artifact_type": MODULE,
        "license": RepoCard.load(folder / "README.md").data.get("license"),
        "content_sha256": hash_json({name: file["sha256"] for name, file in files.items()}),
        "parents": [],
        "results": {},
        "code_commit": code_commit(),
        "files": files,
    }
    return Artifact(folder, lineage)


def push_all(artifacts: list[Artifact], recipe: dict[str, Any]) -> None:
    """Push what is missing, parents before children, after all of it has passed the preflight; the manifest last.

    Raises UserError for a parent that is not on the Hub under the tag or there with other content, and for anything
    that is not as the manifest of a finished release says.
    """
    code = code_commit()
    for artifact in artifacts:
        check_files(artifact.folder, artifact.lineage)
        _preflight(artifact, recipe)
    require_private(manifest_repo(recipe), "dataset", recipe)
    finished = read_manifest(recipe)
    if finished is not None:
        _require_listed(artifacts, finished, recipe)
    pushed = []
    for artifact in artifacts:
        push = _push_module if artifact.lineage["artifact_type"] == MODULE else _push_artifact
        repo, commit = repo_id(recipe, artifact.lineage["artifact"]), push(artifact, recipe)
        pushed.append(Entry(repo, artifact.repo_type, commit, artifact.lineage["content_sha256"]))
    if finished is None:
        write_manifest(pushed, recipe, code)
    else:
        print(f"{manifest_repo(recipe)}@{recipe['hub_tag']} is already there.")


def _require_listed(artifacts: list[Artifact], finished: list[Entry], recipe: dict[str, Any]) -> None:
    """Raise UserError for an artifact that a finished release does not hold, or not where it was released."""
    listed, tag = {entry.key: entry for entry in finished}, recipe["hub_tag"]
    for artifact in artifacts:
        repo = repo_id(recipe, artifact.lineage["artifact"])
        entry = listed.get((repo, artifact.repo_type))
        if entry is None:
            raise UserError(f"The release {tag} is finished and does not hold {repo}. Raise hub_tag.")
        fault = fault_of_tag(entry, tag, tag_commit(repo, tag, artifact.repo_type))
        if fault:
            raise UserError(f"{repo}: {fault}. A release is not repaired under its tag; raise hub_tag.")


def _preflight(artifact: Artifact, recipe: dict[str, Any]) -> None:
    if artifact.lineage["artifact_type"] == MODULE:
        check_target(recipe)
        require_private(repo_id(recipe, artifact.lineage["artifact"]), artifact.repo_type, recipe)
    else:
        preflight(recipe, artifact.lineage["artifact"], artifact.folder, artifact.repo_type)


def _push_artifact(artifact: Artifact, recipe: dict[str, Any]) -> str:
    return push_artifact(artifact.folder, recipe, in_release=True)


def _push_module(module: Artifact, recipe: dict[str, Any]) -> str:
    """Push an evaluate module as a Space, so that evaluate.load("<namespace>/<module>", revision=tag) works."""
    texts = {
        LINEAGE: json_text(module.lineage, indent=2),
        "README.md": (module.folder / "README.md").read_text(),
    }
    sdk = RepoCard.load(module.folder / "README.md").data.get("sdk")
    repo = repo_id(recipe, module.lineage["artifact"])
    return upload(module.folder, module.lineage, texts, repo, recipe, "space", space_sdk=sdk)


def find_released(namespace: str, tag: str) -> list[Released]:
    """Every repo of a namespace that has the tag. Raises UserError where there is none."""
    found = [
        Released(repo, repo_type, commit)
        for repo, repo_type in _repos(namespace)
        if (commit := tag_commit(repo, tag, repo_type))
    ]
    if not found:
        raise UserError(f"No repo of {namespace} has the tag {tag}, or your token may not read them.")
    return found


def _repos(namespace: str) -> Iterator[tuple[str, str]]:
    api = HfApi()
    lists: dict[str, Callable] = {"model": api.list_models, "dataset": api.list_datasets, "space": api.list_spaces}
    for listed_type, listed in lists.items():
        for info in retry_transient(lambda listed=listed: list(listed(author=namespace)))():
            yield info.id, listed_type


def collect(released: list[Released], namespace: str, title: str, private: bool) -> str:
    """Make or update the collection of a release; returns its slug.

    Raises UserError for a public collection that is to be private.
    """
    api = HfApi()
    collection = retry_transient(api.create_collection)(title, namespace=namespace, private=private, exists_ok=True)
    if private and not collection.private:
        raise UserError(
            f"The collection {collection.slug} is public, and hub_private_repo asks for a private one. Make it "
            "private on the Hub, or leave hub_private_repo out."
        )
    wanted = {(item.repo, item.repo_type): item for item in released}
    for item in retry_transient(api.get_collection)(collection.slug).items:
        if (item.item_id, item.item_type) not in wanted:
            retry_transient(api.delete_collection_item)(collection.slug, item.item_object_id)
    for (repo, item_type), item in wanted.items():
        note = f"{_artifact_type(item)}, {item.commit[:12]}"
        retry_transient(api.add_collection_item)(collection.slug, repo, item_type, note=note, exists_ok=True)
    return collection.slug


def _artifact_type(item: Released) -> str:
    try:
        lineage = remote_lineage(item.repo, item.commit, item.repo_type)
    except UserError:  # verify tells what is wrong with it
        lineage = None
    return lineage["artifact_type"] if lineage else item.repo_type
