"""The files around the code: lock files that hold every dependency, an image and a workflow whose commands exist."""

import re
import shlex
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

REPO_ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((REPO_ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
LOCKS = ("requirements.lock", "requirements-gpu.lock")
CUDA = re.compile("cuda|nvidia|triton")


def pins(lock: str) -> dict[str, str]:
    """The version of each package in a lock file."""
    lines = [line for line in (REPO_ROOT / lock).read_text().splitlines() if not line.startswith("#")]
    assert all(re.fullmatch(r"[a-z0-9-]+==[\w.]+", line) for line in lines)
    return dict(line.split("==") for line in lines)


@pytest.mark.parametrize("lock", LOCKS)
@pytest.mark.parametrize("part", ["dependencies", "dev", "gpu", "kubernetes", "slurm", "zero"])
def test_a_lock_file_holds_every_dependency_at_a_version_that_fits(lock, part):
    locked = pins(lock)
    for requirement in map(Requirement, PROJECT[part] if part == "dependencies" else EXTRAS[part]):
        if requirement.name == PROJECT["name"]:
            assert requirement.extras == {"gpu", "kubernetes", "slurm", "zero"}
        else:
            assert requirement.specifier.contains(locked[requirement.name.lower().replace("_", "-")])


def test_the_lock_files_differ_by_the_packages_of_cuda():
    gpu = pins("requirements-gpu.lock")
    assert pins("requirements.lock") == {name: version for name, version in gpu.items() if not CUDA.match(name)}
    assert len(gpu) > len(pins("requirements.lock"))


def test_sharding_and_quantisation_are_extras():
    assert not {"deepspeed", "bitsandbytes"} & {Requirement(line).name for line in PROJECT["dependencies"]}


def instructions() -> list[tuple[str, list[str]]]:
    """The instructions of the Dockerfile with their words."""
    text = re.sub(r"^#.*\n", "", (REPO_ROOT / "Dockerfile").read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    lines = [line.split(maxsplit=1) for line in text.splitlines() if line.strip()]
    return [(name, yaml.safe_load(rest) if rest.startswith("[") else shlex.split(rest)) for name, rest in lines]


def test_the_image_copies_files_that_exist():
    found = instructions()
    assert found[0][0] == "FROM"
    assert {name for name, _ in found} <= {"FROM", "ARG", "ENV", "RUN", "WORKDIR", "COPY", "CMD"}
    sources = [source for name, words in found if name == "COPY" for source in words[:-1]]
    assert sources
    assert all((REPO_ROOT / source).exists() for source in sources)
    copied = sources[: sources.index(".")]
    assert {"Makefile", *LOCKS} == set(copied)  # what the step before the whole tree needs


def test_the_image_runs_targets_of_the_makefile():
    rules = re.findall(r"^([\w$()/.-]+):(?!=)", (REPO_ROOT / "Makefile").read_text(), re.MULTILINE)
    targets = {rule.replace("$(VENV)", ".venv") for rule in rules}
    commands = [words for name, words in instructions() if name in ("RUN", "CMD") and words[0] == "make"]
    assert [words[1:] for words in commands] == [[".venv/installed"], ["demo"]]
    assert {word for words in commands for word in words[1:]} <= targets
    assert ["LOCK=requirements.lock"] in [words for name, words in instructions() if name == "ARG"]


def test_the_workflow_runs_what_everyone_runs():
    workflow = yaml.safe_load((REPO_ROOT / ".github/workflows/ci.yml").read_text())
    (job,) = workflow["jobs"].values()
    (command,) = [step["run"] for step in job["steps"] if "run" in step]
    assert command == ".ci/run"
    assert (REPO_ROOT / command).stat().st_mode & 0o111
