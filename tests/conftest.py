"""Settings and fixtures of all tests."""

import importlib
import importlib
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

# Set before any library reads them: no test leaves this machine.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_UPDATE_DOWNLOAD_COUNTS", "0")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")

REPO_ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data and published numbers beside the repository, where there is one."""
    folder = REPO_ROOT.parent / "shared"
    if not folder.is_dir():
        pytest.skip("no ../shared")
    return folder


def write_dataset(folder: Path, splits: dict[str, list[dict]], features) -> Path:
    """A dataset folder in the Hub's layout, of made rows."""
    from datasets import Dataset

    for split, rows in splits.items():
        file = folder / "data" / f"{split}-00000-of-00001.parquet"
        file.parent.mkdir(parents=True, exist_ok=True)
        Dataset.from_list(rows, features=features).to_parquet(file)
    return folder


@pytest.fixture(scope="session")
def world(tmp_path_factory) -> Path:
    """A small world of folders: corpus/mnli, corpus/hans and base, a Llama of two layers and width 32."""
    from blindspots.demo.base_model import tiny_base
    from blindspots.demo.corpus import hans_like, mnli_like
    from datasets import Dataset

    folder = tmp_path_factory.mktemp("world")
    mnli = mnli_like(300, 60, seed=1)
    for name, splits in {"mnli": dict(mnli), "hans": {"validation": hans_like(60, seed=1)}}.items():
        data = folder / "corpus" / name / "data"
        data.mkdir(parents=True)
        for split, rows in splits.items():
            assert isinstance(rows, Dataset)
            rows.to_parquet(data / f"{split}-00000-of-00001.parquet")
    texts = (*mnli["train"]["premise"], *mnli["train"]["hypothesis"])
    for part in tiny_base(texts, seed=0, hidden_size=32, layers=2, vocabulary=400):
        part.save_pretrained(folder / "base")
    return folder


@pytest.fixture()
def script(monkeypatch):
    """Run a script's main in this process: script("prepare_mnli", "--key", "value", ...)."""

    def run(name: str, *arguments: object) -> None:
        monkeypatch.setattr("sys.argv", [name, *map(str, arguments)])
        importlib.import_module(name).main()

    return run


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders in the Hub's layout that every test may read and none may change.

    mnli (300 train and 60 matched rows), hans (120 rows), base (a Llama of 2 layers and width 32 for their words) and
    start (the same with a new head, a task model).
    """
    from blindspots.classifier import load_classifier
    from blindspots.corpora import write_configs
    from blindspots.demo.base_model import tiny_base
    from blindspots.demo.corpus import hans_like, mnli_like
    from blindspots.sources import fetch

    folder = tmp_path_factory.mktemp("tiny")
    splits = dict(mnli_like(300, 60, seed=0))
    write_configs(folder / "mnli", {"default": splits})
    write_configs(folder / "hans", {"default": {"validation": hans_like(120, seed=0)}})
    texts = (*splits["train"]["premise"], *splits["train"]["hypothesis"])
    for part in tiny_base(texts, seed=0, hidden_size=32, layers=2, vocabulary=512):
        part.save_pretrained(folder / "base")
    start = load_classifier(fetch(str(folder / "base"), "model"), seed=0)
    start.model.save_pretrained(folder / "start")
    start.tokenizer.save_pretrained(folder / "start")
    return folder


@pytest.fixture
def run_main(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Runs a script's `main` in this process, as in run_main("prepare_mnli", mnli=folder, output_dir=folder)."""

    def run(script: str, **keys: object) -> None:
        words = [word for name, value in keys.items() for word in (f"--{name}", str(value))]
        monkeypatch.setattr(sys, "argv", [f"scripts/{script}.py", *words])
        importlib.import_module(script).main()

    return run
