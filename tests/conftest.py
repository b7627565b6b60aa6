"""Settings and fixtures of all tests."""

import gc
import importlib
import os
import sys
from pathlib import Path

import pytest
from hypothesis import settings

# Set before any library reads them: no test leaves this machine.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_UPDATE_DOWNLOAD_COUNTS", "0")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")

# Tiny matrices: a second thread would only wait for the first.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# `make test` draws the same examples each time; `make test-slow` draws new ones. A busy machine fails no property.
settings.register_profile("fixed", deadline=None, derandomize=True)
settings.register_profile("random", deadline=None, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fixed"))

# How many modules were loaded when the garbage collector last left them out.
LOADED = pytest.StashKey[int]()

REPO_ROOT = Path(__file__).resolve().parent.parent

# Whole workflows take minutes: their files start first, so that no process is left with one at the end.
LONGEST = ("test_readme.py", "test_readme_commands.py", "test_workflow.py", "test_results.py", "test_new_test_set.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: LONGEST.index(item.path.name) if item.path.name in LONGEST else len(LONGEST))


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Take the libraries that were loaded out of garbage collection.

    Each run of a script collects garbage several times, and looking at a million objects of libraries took half the
    time of a training test.
    """
    loaded = item.session.stash.get(LOADED, 0)
    if len(sys.modules) > loaded + 100:
        gc.collect()
        gc.freeze()
        item.session.stash[LOADED] = len(sys.modules)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data and published numbers beside the repository, where there is one."""
    folder = REPO_ROOT.parent / "shared"
    if not folder.is_dir():
        pytest.skip("no ../shared")
    return folder


@pytest.fixture(scope="session")
def world(tmp_path_factory) -> Path:
    """A small world of folders, that every test may read and none may change.

    corpus/mnli (300 train and 60 matched rows), corpus/hans (60 rows), base, a Llama of two layers and width 32,
    start, the same with a new head (a task model), generator and hopeless_generator, which write made-up pairs, and
    adapter, a LoRA of the base that also trains its embeddings and head (a generator).
    """
    from made_generator import HOPELESS, TEMPLATE, made_adapter, made_generator

    from blindspots.artifacts.inputs import fetch
    from blindspots.demo.base_model import tiny_base
    from blindspots.demo.corpus import hans_like, mnli_like
    from blindspots.modeling.classifier import load_classifier

    folder = tmp_path_factory.mktemp("world")
    mnli = mnli_like(300, 60, seed=1)
    for name, splits in {"mnli": dict(mnli), "hans": {"validation": hans_like(60, seed=1)}}.items():
        data = folder / "corpus" / name / "data"
        data.mkdir(parents=True)
        for split, rows in splits.items():
            rows.to_parquet(data / f"{split}-00000-of-00001.parquet")
    texts = (*mnli["train"]["premise"], *mnli["train"]["hypothesis"])
    base, tokenizer = tiny_base(texts, seed=0, hidden_size=32, layers=2, vocabulary=400)
    generators = {"generator": TEMPLATE, "hopeless_generator": HOPELESS}
    base.save_pretrained(folder / "base")
    for name, chain in generators.items():
        made_generator(base, tokenizer, chain).save_pretrained(folder / name)
    made_adapter(folder / "base").save_pretrained(folder / "adapter")
    for name in ("base", "adapter", *generators):
        tokenizer.save_pretrained(folder / name)
    start = load_classifier(fetch(str(folder / "base"), "model"), seed=0)
    for part in (start.model, start.tokenizer):
        part.save_pretrained(folder / "start")
    return folder


@pytest.fixture(scope="session")
def encoders(world, tmp_path_factory) -> Path:
    """A folder of tiny pretrained encoders, one of each family of `made_encoders`, that no test may change."""
    from datasets import load_dataset
    from made_encoders import FAMILIES, make_encoder

    rows = load_dataset("parquet", data_files=str(world / "corpus/mnli/data/train-*.parquet"), split="train")
    folder = tmp_path_factory.mktemp("encoders")
    for family in FAMILIES:
        make_encoder(folder / family, family, [*rows["premise"], *rows["hypothesis"]])
    return folder


@pytest.fixture(scope="session")
def running_server(world):
    """A server of the made generator, for all tests of a process."""
    from completion_server import CompletionServer

    server = CompletionServer(world / "generator")
    yield server
    server.stop()


@pytest.fixture
def server(running_server, monkeypatch):
    """The server as if it had just been started, asked again without a wait where it fails."""
    from blindspots.artifacts import retries

    monkeypatch.setattr(retries, "_backoff", lambda state: 0)
    running_server.reset()
    return running_server


@pytest.fixture
def script(monkeypatch):
    """Run a script's main in this process: script("prepare_mnli", "--key", "value", ...)."""

    def run(name: str, *arguments: object) -> None:
        monkeypatch.setattr("sys.argv", [name, *map(str, arguments)])
        importlib.import_module(name).main()

    return run


def pytest_terminal_summary(terminalreporter) -> None:
    """What became of the strange inputs of `tests/fuzz`."""
    from fuzz.counts import PROPERTY, Counts

    reports = [report for found in terminalreporter.stats.values() for report in found]
    ended = [report for report in reports if getattr(report, "when", None) == "teardown"]
    counts = Counts()
    counts.add(line for report in ended for name, line in report.user_properties if name == PROPERTY)
    for line in counts.table():
        terminalreporter.write_line(line)
