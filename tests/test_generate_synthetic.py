"""Raw synthetic data: how many rows, what is counted, and the same bytes after a kill."""

import contextlib
import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from completion_server import NAME, status
from starlette.responses import JSONResponse
from transformers import GenerationConfig

import generate_synthetic
from blindspots.config.errors import RecipeError, UserError
from blindspots.config.recipes import SynthesisRecipe
from blindspots.data.nli import LABELS
from blindspots.modeling import shards

REPO_ROOT = Path(__file__).resolve().parent.parent
DATA = "data/full/train-00000-of-00001.parquet"
SMALL = ("--shard_rows", 16, "--batch_size", 16, "--max_new_tokens", 24)


@pytest.fixture
def generate(world, tmp_path, script):
    """Runs the script with the made generator and returns the artifact."""

    def run(name: str, *arguments: object, generator: str = "generator") -> Path:
        script(
            "generate_synthetic", "--generator", world / generator, "--output_dir", tmp_path / name, *SMALL, *arguments
        )
        return tmp_path / name

    return run


def lineage(folder: Path) -> dict:
    return json.loads((folder / "lineage.json").read_text())


def test_samples_per_label_are_drawn_with_a_last_short_shard(generate):
    out = generate("raw", "--samples_per_label", 40)  # shards of 16, 16 and 8
    rows = pd.read_parquet(out / DATA)
    for index, label in enumerate(LABELS):
        counts = lineage(out)["row_counts"][label]
        assert counts["sampled"] == 40
        assert counts["sampled"] == counts["kept"] + counts["malformed"] + counts["unfinished"]
        assert counts["kept"] == counts["rows"] == (rows["label"] == index).sum()
        pairs = rows[rows["label"] == index][["premise", "hypothesis"]]
        assert counts["repeated"] == pairs.duplicated().sum() > 0
        assert counts["malformed"] > 0
    assert rows["id"].is_unique


def test_kept_per_label_are_kept_exactly(generate):
    out = generate("raw", "--kept_per_label", 37)
    rows = pd.read_parquet(out / DATA)
    assert rows["label"].value_counts().to_dict() == {0: 37, 1: 37, 2: 37}
    assert all(lineage(out)["row_counts"][label]["kept"] >= 37 for label in LABELS)


def test_each_label_may_have_a_number_of_its_own(generate):
    out = generate("raw", "--kept_per_label", "{entailment: 37, neutral: 5, contradiction: 20}")
    assert pd.read_parquet(out / DATA)["label"].value_counts().to_dict() == {0: 37, 1: 5, 2: 20}


def test_the_seed_decides_the_rows_and_the_batch_of_shards_does_not(generate):
    one, same, other = (
        generate(name, "--samples_per_label", 16, "--seed", seed) / DATA
        for name, seed in (("one", 0), ("same", 0), ("other", 1))
    )
    assert one.read_bytes() == same.read_bytes()
    assert one.read_bytes() != other.read_bytes()


def test_a_longer_run_starts_with_the_rows_of_a_shorter_one(generate):
    short, long = (pd.read_parquet(generate(f"n{rows}", "--samples_per_label", rows) / DATA) for rows in (16, 32))
    for label in range(3):
        few, many = (rows[rows["label"] == label]["premise"].tolist() for rows in (short, long))
        assert many[: len(few)] == few


def test_a_generator_that_does_not_write_the_template_is_given_up(generate, tmp_path):
    with pytest.raises(UserError, match="No sample of entailment could be kept; this generator does not write"):
        generate("raw", "--kept_per_label", 5, generator="hopeless_generator")
    assert not (tmp_path / "raw").exists()


def test_a_finished_shard_is_not_drawn_again(generate, monkeypatch, tmp_path):
    drawn = []

    def stop_at_the_fifth(engine, shard, recipe, folder):
        drawn.append(shard)
        if len(drawn) == 5:
            raise KeyboardInterrupt
        draw(engine, shard, recipe, folder)

    draw = shards.draw_shard
    monkeypatch.setattr(shards, "draw_shard", stop_at_the_fifth)
    with pytest.raises(KeyboardInterrupt):
        generate("raw", "--samples_per_label", 48)
    generate("raw", "--samples_per_label", 48)
    assert len(drawn) == 9 + 1  # three labels of three shards, and the one that was interrupted


def test_a_killed_run_ends_with_the_bytes_of_an_uninterrupted_one(world, tmp_path, generate):
    wanted = ("--kept_per_label", 200)
    killed = tmp_path / "killed"
    command = [
        sys.executable,
        "scripts/generate_synthetic.py",
        "--generator",
        world / "generator",
        "--output_dir",
        killed,
        *SMALL,
        *wanted,
    ]
    run = subprocess.Popen([*map(str, command)], cwd=REPO_ROOT, stderr=subprocess.DEVNULL)
    drawn = tmp_path / ".killed.work" / "shards"
    while not list(drawn.glob("*.parquet")):
        with contextlib.suppress(subprocess.TimeoutExpired):
            pytest.fail(f"ended with {run.wait(0.02)} before it was killed")
    run.kill()
    run.wait()
    assert run.returncode == -signal.SIGKILL
    assert list(drawn.glob("*.parquet"))
    assert not killed.exists()
    generate("killed", *wanted)
    whole = generate("whole", *wanted)
    assert (killed / DATA).read_bytes() == (whole / DATA).read_bytes()
    assert not drawn.exists()
    (earlier,) = lineage(killed)["earlier_runs"]
    assert 0 < earlier["wall_time_s"] < lineage(killed)["wall_time_s"]
    assert "earlier_runs" not in lineage(whole)


def test_the_limit_is_by_default_what_the_generator_was_trained_on(generate, world, tmp_path, script):
    told = r"generator does not say how long its completions are .*; give max_new_tokens"
    sampling = ("--samples_per_label", 16, "--output_dir", tmp_path / "raw")
    with pytest.raises(UserError, match=told):
        script("generate_synthetic", "--generator", world / "generator", *sampling)
    shutil.copytree(world / "generator", tmp_path / "trained")
    GenerationConfig(max_new_tokens=24).save_pretrained(tmp_path / "trained")
    script("generate_synthetic", "--generator", tmp_path / "trained", *sampling)
    script("generate_synthetic", "--generator", tmp_path / "trained", *sampling)
    derived, given = lineage(tmp_path / "raw"), lineage(generate("given", "--samples_per_label", 16))
    assert derived["recipe"]["max_new_tokens"] == given["recipe"]["max_new_tokens"] == 24
    assert derived["results"]["sampling"] == {
        "max_new_tokens_from": "generator",
        "engines": [{"engine": "transformers", "device": "cpu"}],
    }
    assert given["results"]["sampling"]["max_new_tokens_from"] == "recipe"
    assert (tmp_path / "raw" / DATA).read_bytes() == (tmp_path / "given" / DATA).read_bytes()
    assert "at most 24 tokens, as the longest completion that the generator was trained on" in card(tmp_path / "raw")


def card(folder: Path) -> str:
    return " ".join((folder / "README.md").read_text().split())


# From a server


def at(server, url: str | None = None) -> tuple:
    return ("--engine", "server", "--server_url", url or server.url, "--server_model", NAME)


def test_a_server_is_described_without_what_is_nobodys_business(generate, server, monkeypatch):
    monkeypatch.setenv("SERVER_API_KEY", "sk-secret")
    out = generate("raw", "--samples_per_label", 8, *at(server))
    described = {
        "engine": "server",
        "url": server.url,
        "model": NAME,
        "version": "0.33.0",
        "same_seed_same_text": True,
    }
    assert lineage(out)["results"]["sampling"]["engines"] == [described]
    assert f"`{NAME}` at a server of version `0.33.0`" in card(out)
    assert server.url not in (out / "recipe.yaml").read_text() + card(out)
    assert not [file for file in out.rglob("*") if file.is_file() and b"sk-secret" in file.read_bytes()]
    assert lineage(out)["row_counts"]["neutral"]["sampled"] == 8


def test_a_run_whose_server_went_away_goes_on_at_another_address_with_the_same_rows(generate, server, tmp_path):
    wanted = ("--samples_per_label", 16)  # a shard a label
    server.faults = [JSONResponse] * 30 + [status(401)]  # thirty right answers, eight of them to try it
    with pytest.raises(UserError, match="refuses: 401"):
        generate("raw", *wanted, *at(server))
    assert not (tmp_path / "raw").exists()
    assert [file.stem for file in (tmp_path / ".raw.work/shards").glob("*.parquet")] == ["entailment-000000"]
    server.reset()
    generate("raw", *wanted, *at(server, server.url.replace("127.0.0.1", "localhost")))
    assert len(server.asked) == 8 + 2 * 16
    assert (tmp_path / "raw" / DATA).read_bytes() == (generate("whole", *wanted, *at(server)) / DATA).read_bytes()
    urls = [engine["url"] for engine in lineage(tmp_path / "raw")["results"]["sampling"]["engines"]]
    assert urls == [server.url, server.url.replace("127.0.0.1", "localhost")]


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({}, "exactly one of samples_per_label and kept_per_label"),
        ({"samples_per_label": 1, "kept_per_label": 1}, "exactly one of samples_per_label and kept_per_label"),
        ({"kept_per_label": {"entailment": 1, "neutral": 1}}, "or one for each of entailment, neutral, contradiction"),
        ({"kept_per_label": 1, "temperature": 0.0}, "temperature must be above 0"),
        ({"kept_per_label": 1, "top_p": 1.5}, r"top_p in \(0, 1\]"),
        ({"kept_per_label": 1, "engine": "server"}, "engine: server needs server_url"),
        ({"kept_per_label": 1, "server_url": "http://localhost:8000/v1"}, "belong to engine: server"),
        ({"kept_per_label": 1, "server_model": "name"}, "belong to engine: server"),
        (
            {"kept_per_label": 1, "engine": "server", "server_url": "http://h/v1", "dtype": "bfloat16"},
            "The server decides the precision",
        ),
    ],
)
def test_a_recipe_that_does_not_say_when_to_stop_or_how_to_sample_is_refused(keys, message):
    with pytest.raises(RecipeError, match=message):
        generate_synthetic.check(SynthesisRecipe(output_dir="o", generator="g", **keys))


# Without a generator: a model that is shown pairs


FEW = ("--shots", 2, "--shard_rows", 16, "--max_new_tokens", 24)


@pytest.fixture
def few_shots(world, tmp_path, script):
    def run(name: str, server, *arguments: object) -> Path:
        shown = ("--shots_from", world / "corpus/mnli", *FEW, "--output_dir", tmp_path / name)
        script("generate_synthetic", *at(server), *shown, *arguments)
        return tmp_path / name

    return run


def test_a_model_that_is_shown_pairs_fills_a_set(few_shots, server, monkeypatch):
    monkeypatch.setenv("SERVER_API_KEY", "sk-secret")
    out = few_shots("raw", server, "--kept_per_label", 20, "--price_per_million_tokens", 2, 10)
    rows = pd.read_parquet(out / DATA)
    assert rows["label"].value_counts().to_dict() == {0: 20, 1: 20, 2: 20}
    recorded = lineage(out)
    assert [parent["role"] for parent in recorded["parents"]] == ["shots"]
    (engine,) = recorded["results"]["sampling"]["engines"]
    assert (engine["model"], engine["api"], engine["shots"]) == (NAME, "completion", 2)
    counts = recorded["row_counts"]
    tokens = [sum(counts[label][name] for label in LABELS) for name in ("prompt tokens", "completion tokens")]
    assert recorded["results"]["sampling"]["cost"] == pytest.approx(tokens[0] * 2e-6 + tokens[1] * 10e-6)
    for label in LABELS:
        assert counts[label]["sampled"] == sum(counts[label][name] for name in ("kept", "malformed", "unfinished"))
        assert counts[label]["copied"] == 0
    assert "was not tuned for this: each prompt shows it 2 pairs" in card(out)
    assert "The answers cost 0.0" in card(out)
    assert not [file for file in out.rglob("*") if file.is_file() and b"sk-secret" in file.read_bytes()]


def test_a_chat_fills_a_set_too_and_shards_that_are_there_are_not_asked_for_again(few_shots, server, tmp_path):
    server.faults = [JSONResponse] * 20 + [status(401)]
    wanted = ("--samples_per_label", 16, "--server_api", "chat")
    with pytest.raises(UserError, match="refuses: 401"):
        few_shots("raw", server, *wanted)
    server.reset()
    few_shots("raw", server, *wanted)
    assert len(server.asked) == 2 * 16
    assert lineage(tmp_path / "raw")["results"]["sampling"]["engines"][0]["api"] == "chat"


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"shots_from": "rows"}, "shots_from has no effect without shots"),
        ({"server_api": "chat", "generator": "g"}, "server_api has no effect without shots"),
        ({}, "generator is required"),
        ({"shots": 1, "generator": "g"}, "leave out generator or shots"),
        ({"shots": 1}, "shots need engine: server"),
        ({"shots": 1, "engine": "server", "server_url": "http://h/v1"}, "shots need shots_from"),
        (
            {"shots": 1, "engine": "server", "server_url": "http://h/v1", "shots_from": "r", "server_model": "m"},
            "shots need max_new_tokens",
        ),
    ],
)
def test_a_recipe_for_shots_that_lacks_something_is_refused(keys, message):
    with pytest.raises(RecipeError, match=message):
        generate_synthetic.check(SynthesisRecipe(output_dir="o", kept_per_label=1, **keys))
