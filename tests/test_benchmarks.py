"""What the benchmarks gain, guarded by counts that no busy machine changes: padding and tokens computed."""

import importlib
import json
import math
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from benchmarks.side_by_side import padding_share

from blindspots.artifacts.inputs import Source
from blindspots.config.recipes import SynthesisRecipe
from blindspots.data.examples import task_texts
from blindspots.data.length_batches import length_batches
from blindspots.data.nli import generator_prompt
from blindspots.demo.base_model import tiny_base
from blindspots.demo.corpus import mnli_like
from blindspots.evaluation.prediction import predict_logits
from blindspots.modeling.classifier import Classifier, load_classifier
from blindspots.modeling.sampling import TransformersEngine
from blindspots.modeling.token_tree import TokenTree

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def texts() -> list[str]:
    # Three rows per premise, these joined at will: rows of 25 to 90 tokens, a spread like that of real rows.
    rows = mnli_like(600, 3, 0)["train"]
    premises = [" ".join(rows["premise"][row // 3 : row // 3 + 1 + row // 3 % 4]) for row in range(300)]
    return task_texts({"premise": premises, "hypothesis": rows["hypothesis"]})


@pytest.fixture(scope="module")
def base(tmp_path_factory, texts) -> Source:
    folder = tmp_path_factory.mktemp("base")
    for part in tiny_base(texts, seed=0, hidden_size=16, layers=1):
        part.save_pretrained(folder)
    return Source("base", folder, None, "model")


@pytest.fixture(scope="module")
def classifier(base) -> Classifier:
    return load_classifier(base)


@pytest.fixture
def computed_tokens():
    """Counts the tokens that go through a model's first layer: call it with the model, read the list's sum."""
    handles = []

    def watch(model) -> list[int]:
        counts = []
        layer = model.model.layers[0]
        handles.append(layer.register_forward_hook(lambda module, args, out: counts.append(args[0][..., 0].numel())))
        return counts

    yield watch
    for handle in handles:
        handle.remove()


def lengths_of(classifier: Classifier, texts: list[str]) -> list[int]:
    return [len(ids) for ids in classifier.tokenizer(texts)["input_ids"]]


def test_training_batches_hold_little_padding(classifier, texts):
    lengths = lengths_of(classifier, texts)
    random = torch.randperm(len(lengths), generator=torch.Generator().manual_seed(0)).split(32)
    assert padding_share(lengths, [part.tolist() for part in random]) > 0.25
    assert padding_share(lengths, length_batches(lengths, 32 * sum(lengths) // len(lengths))) < 0.1


def test_evaluation_computes_each_premise_once_and_no_padding(classifier, texts, computed_tokens):
    counts = computed_tokens(classifier.model)
    predict_logits(classifier, texts, batch_tokens=1024)
    needed = len(TokenTree.of(classifier.tokenizer(texts)["input_ids"]).cells)
    assert sum(counts) < 1.1 * needed
    assert needed < 0.6 * sum(lengths_of(classifier, texts))


def test_generation_takes_few_steps_and_computes_few_tokens_for_rows_that_have_ended(base, computed_tokens):
    rows, batch = 512, 64
    recipe = SynthesisRecipe(
        output_dir="unused", generator="unused", samples_per_label=1, batch_size=batch, max_new_tokens=60
    )
    engine = TransformersEngine(base, recipe, torch.device("cpu"))
    engine.model.lm_head = head_of_one_word(engine, "the", ends=1 / 15)
    counts = computed_tokens(engine.model)
    texts = engine.sample(generator_prompt("neutral"), rows, seed=0)
    lengths = [len(ids) for ids in engine.tokenizer(texts, add_special_tokens=False)["input_ids"]]
    static = sum(
        max(lengths[row : row + batch]) for row in range(0, rows, batch)
    )  # steps of batches that are not joined
    assert sum(counts) < 1.15 * sum(lengths)
    assert len(counts) < 0.5 * static


def head_of_one_word(engine: TransformersEngine, word: str, ends: float) -> torch.nn.Linear:
    """A head that writes one word over and over and ends a row with this probability at each step."""
    head = torch.nn.Linear(engine.model.config.hidden_size, engine.model.config.vocab_size).requires_grad_(False)
    (token,) = engine.tokenizer(f" {word}", add_special_tokens=False)["input_ids"]
    head.weight.zero_()
    head.bias.fill_(-torch.inf)
    head.bias[token], head.bias[engine.tokenizer.eos_token_id] = math.log(1 - ends), math.log(ends)
    return head


def test_help_imports_nothing_heavy():
    code = (
        "import runpy, sys\n"
        "sys.path.insert(0, 'scripts')\n"
        "sys.argv = ['finetune_task.py', '--help']\n"
        "try: runpy.run_path('scripts/finetune_task.py', run_name='__main__')\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'transformers', 'datasets', 'pandas', 'scipy'} & set(sys.modules)\n"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_goal_that_is_not_met_is_told_in_the_readme_of_the_results():
    file = ROOT / "results" / "benchmarks" / "cpu.json"
    if not file.is_file():
        pytest.skip("make bench was not run yet")
    record = json.loads(file.read_text())
    told = " ".join((ROOT / "results" / "README.md").read_text("utf-8").split())
    for line in record["results"]:
        assert line["met"] != "no" or f"{line['what']}: {line['ratio']:.3f}, goal {line['goal']}" in told
    assert {line["section"] for line in record["results"]} >= {"evaluation", "training", "generation", "start-up"}


def bench_gpu(*words: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "tests/benchmarks/bench_gpu.py", *words], cwd=ROOT, capture_output=True, text=True
    )


@pytest.mark.skipif(torch.cuda.is_available(), reason="a CUDA device is here")
def test_bench_gpu_reports_every_line_as_not_measured_without_a_device():
    figures = ROOT / "results" / "benchmarks"
    before = {file.name: file.read_bytes() for file in figures.iterdir()}
    done = bench_gpu()
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if line.startswith("| ")][2:]
    assert len(lines) > 15
    assert all("| not measured | RuntimeError: this machine has no CUDA device |" in line for line in lines)
    assert {file.name: file.read_bytes() for file in figures.iterdir()} == before


def test_bench_gpu_is_rehearsed_on_the_cpu():
    done = bench_gpu("--rehearse")
    assert done.returncode == 0, done.stderr
    for measured in ("7B T, bf16", "7B G, bf16", "135M T, share_prefix", "7B G packed", "evaluation", "generation"):
        assert any(line.startswith(f"| {measured}") for line in done.stdout.splitlines()), done.stdout
    assert "not measured" not in done.stdout


@pytest.fixture
def gpu_lines(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "tests" / "benchmarks")
    return importlib.import_module("gpu_lines")


def test_a_line_that_fails_takes_no_other_with_it_and_each_is_kept_at_once(gpu_lines):
    kept = []

    def fail() -> dict:
        raise TypeError("wrong weights")

    tasks = [("one", lambda: {"value": 1}), ("two", fail), ("three", lambda: {"value": 3})]
    lines = gpu_lines.measure(tasks, lambda lines: kept.append(len(lines)))
    assert kept == [1, 2, 3]
    assert [line["value"] for line in lines] == [1, "not measured", 3]
    assert lines[1]["note"] == "TypeError: wrong weights"


def test_the_figures_of_a_device_are_written_with_the_lines_so_far(gpu_lines, tmp_path):
    gpu_lines.Record(tmp_path)([{"measured": "one", "value": "1 s"}, {"measured": "two", "value": "not measured"}])
    assert [line["measured"] for line in json.loads((tmp_path / "gpu.json").read_text())["results"]] == ["one", "two"]
    assert "| two | not measured |" in (tmp_path / "README.md").read_text()
