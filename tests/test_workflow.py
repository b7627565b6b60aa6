"""The workflow: which jobs a grid has, and that a changed recipe re-runs what depends on it and nothing else."""

import contextlib
import math
import os
import re
import select
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from made_accelerate import made_accelerate
from test_readme import SHRUNKEN

from blindspots.config.analysis_recipes import GridRecipe
from blindspots.config.yaml_files import read_yaml
from blindspots.grid import cells, starts

REPO_ROOT = Path(__file__).resolve().parent.parent


def run_snakemake(folder: Path, *arguments: str, fails: bool = False) -> subprocess.CompletedProcess:
    """Run snakemake in a folder to its end."""
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    command = [sys.executable, "-m", "snakemake", "--cores", "1", *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert (done.returncode != 0) == fails, done.stdout[-2000:] + done.stderr[-4000:]
    return done


def snakemake(folder: Path, *arguments: str) -> dict[str, int]:
    """Run snakemake in a folder; returns how many jobs of each rule its table lists."""
    done = run_snakemake(folder, *arguments)
    return {rule: int(count) for rule, count in re.findall(r"^(\w+) +(\d+)$", done.stdout + done.stderr, re.MULTILINE)}


@pytest.fixture
def clone(tmp_path) -> Path:
    """The files that the workflow reads, without any output."""
    for name in ("scripts", "recipes", "profiles", "model_cards", "data_cards"):
        shutil.copytree(REPO_ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(REPO_ROOT / "Snakefile", tmp_path)
    return tmp_path


def test_the_demo_makes_its_inputs_and_twelve_cells(clone):
    jobs = snakemake(clone, "-n")
    assert {
        rule: jobs[rule] for rule in ("demo_base", "demo_input", "prepare", "generator", "synthesize", "audit")
    } == {"demo_base": 1, "demo_input": 2, "prepare": 1, "generator": 1, "synthesize": 1, "audit": 1}
    assert (jobs["start"], jobs["cell"], jobs["variant"], jobs["report"]) == (2, 12, 3, 1)


def test_the_grid_of_the_paper_is_six_starts_and_54_cells(clone):
    jobs = snakemake(clone, "-n", "--config", "model=llama2-7b")
    assert (jobs["start"], jobs["cell"]) == (6, 54)
    assert jobs["start"] + jobs["cell"] == 60
    assert "demo_input" not in jobs


def test_a_set_made_elsewhere_needs_no_generator(clone):
    jobs = snakemake(clone, "-n", "--config", "model=smollm2-135m-cpu")
    assert {"generator", "synthesize", "audit"}.isdisjoint(jobs)
    assert (jobs["start"], jobs["cell"], jobs["variant"]) == (3, 9, 3)


def test_a_dry_run_prints_models_device_hours_and_disk(clone):
    printed = run_snakemake(clone, "-n", "--config", "model=smollm2-135m").stderr
    said = r"^smollm2-135m: \d+ models, about \d+\.\d GPU hours, \d+\.\d GB of disk$"
    assert re.search(said, printed, re.MULTILINE), printed


def test_the_plan_counts_every_generator(clone):
    needs = read_yaml(clone / "recipes/smollm2-135m-generators/resources.yaml")

    def minutes(rule: str, rows: int = 0) -> int:
        return math.ceil(needs[rule]["minutes"] + needs[rule]["minutes_per_10000_rows"] * rows / 10_000)

    expected = 6 * (minutes("start", 2_000) + minutes("start", 16_000)) + 48 * minutes("cell", 1_800)
    expected += 3 * (minutes("generator") + minutes("synthesize"))
    printed = run_snakemake(clone, "-n", "--config", "model=smollm2-135m-generators", "grid=first").stderr
    assert f"60 models, about {expected / 60:.1f} CPU hours" in printed


def test_the_replicates_of_the_demo_are_the_papers_grid_five_times(clone):
    files = (clone / "recipes" / name for name in ("llama2-7b/grid.yaml", "demo/replicates.yaml"))
    paper, demo = (GridRecipe(**read_yaml(file)) for file in files)
    assert len(demo.seeds) == 5
    assert [len(axis) for axis in (demo.starts, demo.sizes)] == [len(axis) for axis in (paper.starts, paper.sizes)]
    assert demo.kinds == paper.kinds
    assert len(starts(demo) + cells(demo)) == 5 * len(starts(paper) + cells(paper)) == 300


def change(clone: Path, recipe: str, **values: object) -> None:
    file = clone / f"recipes/demo/{recipe}.yaml"
    file.write_text(yaml.safe_dump(yaml.safe_load(file.read_text()) | values, sort_keys=False))


@pytest.fixture
def made(clone) -> Path:
    """A clone in which everything is made."""
    make_all(clone)
    return clone


def make_all(clone: Path, *arguments: str) -> None:
    """Have every output of a plan: they are only touched, which records the recipes and files that they go with."""
    for output in outputs(clone, *arguments):
        (clone / output).parent.mkdir(parents=True, exist_ok=True)
        (clone / output).write_text("{}")
    snakemake(clone, "--touch", "--forceall", *arguments)
    assert snakemake(clone, "-n", *arguments) == {}


def rebuilt(clone: Path, *arguments: str) -> dict[str, int]:
    """The jobs that make artifacts again, by rule."""
    jobs = snakemake(clone, "-n", *arguments)
    return {rule: count for rule, count in jobs.items() if rule not in ("all", "report", "total")}


@pytest.mark.slow
def test_a_killed_grid_continues_where_it_stopped_and_ends_with_the_same_predictions(tmp_path):
    """SIGKILL to the workflow and its jobs once a model is there.

    What was finished is not made again. The last one may be: its job may have been killed after it saved.
    """
    for name in ("whole", "killed"):
        folder = tmp_path / name
        for part in ("scripts", "recipes", "profiles", "model_cards", "data_cards", "evaluate_modules", "results"):
            shutil.copytree(REPO_ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(REPO_ROOT / "Snakefile", folder)
        for recipe, values in SHRUNKEN.items():
            change(folder, recipe, **values)
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    run_snakemake(whole, "--config", "model=demo", "grid=replicates")
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    command = [sys.executable, "-m", "snakemake", "--cores", "1", "--config", "model=demo", "grid=replicates"]
    with (tmp_path / "log").open("w") as log:
        run = subprocess.Popen(command, cwd=killed, env=environment, stdout=log, stderr=log, start_new_session=True)
        while not list(killed.glob("outputs/demo/models/*/lineage.json")):
            with contextlib.suppress(subprocess.TimeoutExpired):
                pytest.fail(f"ended with {run.wait(0.1)} before it was killed")
        os.killpg(run.pid, signal.SIGKILL)
        assert run.wait() == -signal.SIGKILL
    made = sorted(killed.glob("outputs/demo/**/lineage.json"), key=lambda file: file.stat().st_mtime_ns)
    finished = {file: file.stat().st_mtime_ns for file in made[:-1]}
    run_snakemake(killed, "--config", "model=demo", "grid=replicates")
    assert finished == {file: file.stat().st_mtime_ns for file in finished}
    predictions = sorted(file.relative_to(whole) for file in whole.glob("outputs/demo/models/*/predictions/*.parquet"))
    assert len(predictions) == 2 * 8
    assert [name for name in predictions if (whole / name).read_bytes() != (killed / name).read_bytes()] == []


def test_a_changed_recipe_re_runs_what_depends_on_it(made):
    file = made / "recipes/demo/augment.yaml"
    as_it_was = file.read_text()
    change(made, "augment", learning_rate=0.123)
    assert snakemake(made, "-n").keys() == {"all", "cell", "report", "total"}
    file.write_text(f"# a comment\n{as_it_was}")
    assert snakemake(made, "-n") == {}
    change(made, "synthesize", temperature=0.9)
    jobs = snakemake(made, "-n")
    assert {"prepare", "start", "generator"}.isdisjoint(jobs)
    assert (jobs["synthesize"], jobs["audit"], jobs["variant"], jobs["cell"]) == (1, 1, 2, 8)


def test_a_changed_grammar_makes_the_corpus_of_the_demo_again_and_all_that_is_made_of_it(made):
    with (made / "scripts/blindspots/demo/lexicon.py").open("a") as file:
        file.write("# another word\n")
    jobs = snakemake(made, "-n")
    assert (jobs["demo_input"], jobs["demo_base"], jobs["prepare"], jobs["start"], jobs["cell"]) == (2, 1, 1, 2, 12)


def test_another_base_trains_again_what_is_trained_from_it(made):
    jobs = snakemake(made, "-n", "--config", "base=another/base")
    assert (jobs["start"], jobs["generator"], jobs["cell"]) == (2, 1, 12)
    assert "prepare" not in jobs


@pytest.mark.parametrize(
    ("folder", "again"),
    [
        ("models/n0-s0", {"start": 1, "cell": 6}),
        ("models/n0-synthetic-n1000-s0", {"cell": 1}),
        ("variants/original", {"variant": 1, "cell": 4}),
        ("base", {"demo_base": 1, "start": 2, "generator": 1, "synthesize": 1, "audit": 1, "variant": 2, "cell": 12}),
    ],
)
def test_a_deleted_artifact_is_made_again_with_what_depends_on_it(made, folder, again):
    shutil.rmtree(made / "outputs/demo" / folder)
    assert rebuilt(made) == again


def test_a_changed_file_of_a_test_set_evaluates_again_the_models_whose_recipes_name_it(made):
    def change_test_set(name: str, **values: object) -> None:
        change(made, f"../test_sets/{name}", **values)

    shutil.copy(made / "recipes/test_sets/snli.yaml", made / "recipes/test_sets/another.yaml")
    change_test_set("snli", columns={"premise": "hypothesis", "hypothesis": "premise"})
    file = made / "recipes/test_sets/hans.yaml"
    file.write_text(f"# a comment\n{file.read_text()}")
    assert rebuilt(made) == {}
    change_test_set("hans", columns={"premise": "hypothesis", "hypothesis": "premise", "label": "label"})
    assert rebuilt(made) == {"start": 2, "cell": 12, "audit": 1}


def edit_older(file: Path) -> None:
    """Another content of a file of yesterday, as where an earlier one was put back."""
    file.write_text(file.read_text() + "another row\n")
    yesterday = file.stat().st_mtime - 86_400
    os.utime(file, (yesterday, yesterday))


def write_folder(folder: Path) -> Path:
    """A folder with a file in a folder that is a link; returns the file."""
    real = folder.with_name(f"{folder.name} elsewhere")
    real.mkdir(parents=True)
    folder.mkdir()
    (folder / "data").symlink_to(real)
    (folder / "data/train.jsonl").write_text("a row\n")
    return folder / "data/train.jsonl"


def test_a_set_made_elsewhere_that_was_changed_is_drawn_and_tuned_on_again(clone):
    external = {"file": "mine.jsonl", "folder": "my set", "here": "outputs/demo/mnli", "hub": "org/set"}
    external |= {"of_another_grid": "outputs/demo/synthetic-g0"}
    kinds = [f"external_{name}" for name in external]
    change(clone, "grid", starts=[2000], sizes=[1000], external=external, kinds=kinds)
    (clone / "mine.jsonl").write_text("a row\n")
    inside = write_folder(clone / "my set")
    lineage = clone / "outputs/demo/synthetic-g0/lineage.json"
    lineage.parent.mkdir(parents=True)
    lineage.write_text("{}")
    make_all(clone)
    edit_older(clone / "mine.jsonl")
    assert rebuilt(clone) == {"variant": 1, "cell": 1}
    edit_older(inside)
    assert rebuilt(clone) == {"variant": 2, "cell": 2}
    edit_older(lineage)
    assert rebuilt(clone) == {"variant": 3, "cell": 3}
    shutil.rmtree(clone / "outputs/demo/mnli")
    assert rebuilt(clone) == {"prepare": 1, "start": 1, "variant": 4, "cell": 5}


def test_a_check_draws_its_planted_bias_again_when_the_prepared_rows_are_new(clone):
    axes = {"starts": [39000], "kinds": ["biased_synthetic"], "sizes": [600], "own_sets": True}
    axes |= {"external": {"synthetic": "outputs/demo/mnli"}}
    (clone / "check.yaml").write_text(yaml.safe_dump({"cells": "outputs/demo-check-n600", "axes": axes}))
    model = "outputs/demo-check-n600/models/n39000-biased_synthetic-n600-s0/lineage.json"
    arguments = ["--configfile", "check.yaml", "--", model]
    make_all(clone, *arguments)
    (clone / "outputs/demo/mnli/lineage.json").write_text('{"rows": "other ones"}')
    assert rebuilt(clone, *arguments) == {"start": 1, "variant": 1, "cell": 1}


def test_local_folders_that_were_changed_re_run_what_reads_them(clone):
    change(clone, "prepare", also=["more"])
    files = {name: write_folder(clone / name) for name in ("more", "base", "hans")}
    (clone / "local.yaml").write_text(yaml.safe_dump({"base": "base", "local": {"outputs/demo/corpus/hans": "hans"}}))
    arguments = ["--configfile", "local.yaml"]
    make_all(clone, *arguments)
    edit_older(files["hans"])
    assert rebuilt(clone, *arguments) == {"start": 2, "cell": 12, "audit": 1}
    edit_older(files["base"])
    assert rebuilt(clone, *arguments).keys() == {"generator", "synthesize", "variant", "start", "cell", "audit"}
    edit_older(files["more"])
    assert rebuilt(clone, *arguments)["prepare"] == 1


def test_a_name_below_outputs_is_made_first_or_lies_there_or_is_an_error(clone):
    write_folder(clone / "outputs/inputs/multi_nli")
    (clone / "local.yaml").write_text(yaml.safe_dump({"local": {"nyu-mll/multi_nli": "outputs/inputs/multi_nli"}}))
    arguments = ["--configfile", "local.yaml", "--config", "model=smollm2-135m-cpu"]
    assert rebuilt(clone, *arguments, "base=outputs/demo/base")["demo_base"] == 1
    done = run_snakemake(clone, "-n", *arguments, "base=outputs/absent/base", fails=True)
    assert "Missing input files for rule start" in done.stdout
    assert "outputs/absent/base/lineage.json" in done.stdout


def outputs(clone: Path, *arguments: str) -> list[str]:
    """The file of every job, by snakemake's own summary."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "--summary", *arguments],
        cwd=clone,
        env=os.environ | {"PATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    return [line.split("\t")[0] for line in done.stdout.splitlines()[1:]]


KINDS = ["original", "original_disjoint", "synthetic", "synthetic_t70", "synthetic_g2", "biased_25", "mixed_25"]
KINDS += ["two_stage", "external_wanli"]


def test_every_kind_has_its_sets_generators_and_parents(clone):
    change(clone, "grid", starts=[2000], sizes=[1000], kinds=KINDS, external={"wanli": "alisawuffles/WANLI"})
    jobs = snakemake(clone, "-n")
    assert (jobs["start"], jobs["cell"]) == (1, len(KINDS))
    assert jobs["variant"] == len(KINDS) - 1  # two_stage is tuned on the sets of synthetic
    assert (jobs["generator"], jobs["next_generator"], jobs["synthesize"], jobs["audit"]) == (1, 1, 3, 3)


def test_replicates_have_their_own_generators_starts_and_sets(clone):
    change(
        clone,
        "grid",
        starts=[2000],
        sizes=[1000],
        kinds=["original_disjoint", "synthetic"],
        seeds=[0, 1, 2, 3],
        generators=["a", "b"],
        generator_rows=500,
        start_draws=2,
        own_sets=True,
    )
    done = run_snakemake(clone, "-n", "-p")
    jobs = dict(re.findall(r"^(\w+) +(\d+)$", done.stdout, re.MULTILINE))
    assert {name: jobs[name] for name in ("start", "generator", "synthesize", "variant", "cell")} == {
        "start": "2",
        "generator": "2",
        "synthesize": "2",
        "variant": "8",
        "cell": "8",
    }
    assert "--start_draws 2 --generator_rows 500 --generator_draws 2" in done.stdout
    assert "--train_dataset outputs/demo/mnli --train_config n2000-d1 --seed 1 " in done.stdout
    assert (
        "--train_dataset outputs/demo/mnli --train_config g500-d1 --seed 1 --output_dir outputs/demo/generator-b"
        in (done.stdout)
    )
    flags = "--kind synthetic --synthetic outputs/demo/synthetic-b --seed 3002000"
    assert f"{flags} --sizes 1000" in done.stdout
    cell = "--model_name_or_path outputs/demo/models/n2000-s1 --train_dataset outputs/demo/variants/"
    assert f"{cell}synthetic-b-n2000-r3 --train_config n1000 --seed 3 " in done.stdout


def test_local_folders_take_the_place_of_hub_ids_wherever_a_recipe_names_them(clone):
    local = {
        "nyu-mll/multi_nli": "my data/mnli",
        "jhu-cogsci/hans": "hans",
        "HuggingFaceTB/SmolLM2-135M": "base",
        "alisawuffles/WANLI@61c95318fd71c55b6ba355d76253254615f387ec": "wanli.jsonl",
    }
    (clone / "local.yaml").write_text(yaml.safe_dump({"local": local}))
    done = run_snakemake(clone, "-n", "-p", "--configfile", "local.yaml", "--config", "model=smollm2-135m-cpu")
    assert "prepare.yaml --mnli 'my data/mnli' --mnli_revision null --start_sizes 3000" in done.stdout
    start = "start.yaml --model_name_or_path base --model_revision main --mnli 'my data/mnli' --hans hans"
    assert start in done.stdout
    assert "augment.yaml --mnli 'my data/mnli' --hans hans" in done.stdout
    assert "--kind synthetic --synthetic wanli.jsonl" in done.stdout


def test_a_base_with_a_space_is_one_word(clone):
    done = run_snakemake(clone, "-n", "-p", "--config", f"base={clone}/my base")
    assert f"start.yaml --model_name_or_path '{clone}/my base' --model_revision main --train_dataset" in done.stdout
    (clone / "my base").mkdir()
    done = run_snakemake(clone, "-n", "-p", "--config", f"base={clone}/my base")
    assert f"start.yaml --model_name_or_path '{clone}/my base' --train_dataset" in done.stdout


def test_a_step_prints_one_line_and_keeps_its_output_in_a_log(clone):
    done = run_snakemake(clone, "--quiet", "all", "--", "outputs/demo/corpus/hans/lineage.json")
    assert re.fullmatch(r"\d\d:\d\d:\d\d  corpus/hans  \d+ s\n", done.stdout)
    assert "demo_corpus saved" in (clone / "outputs/demo/logs/corpus-hans.log").read_text()


def test_a_step_that_fails_names_its_log_and_what_went_wrong(clone):
    change(clone, "inputs", hans_rows=0)
    done = run_snakemake(clone, "--quiet", "all", "--", "outputs/demo/corpus/hans/lineage.json", fails=True)
    assert "corpus/hans failed after" in done.stderr
    assert (
        "see outputs/demo/logs/corpus-hans.log: error: recipes/demo/inputs.yaml: hans_rows is at least 1"
        in done.stderr
    )


def test_the_scheduler_wakes_only_when_a_job_has_ended(clone):
    files = [f"outputs/demo/corpus/{part}/lineage.json" for part in ("hans", "mnli")]
    done = run_snakemake(clone, "--verbose", "--", *files)
    assert (done.stdout + done.stderr).count("Resources before job selection") == 2


# In accelerate's place: says that it begins, waits for a letter, makes its output, and says that it ends.
JOB = """
import os, sys
from pathlib import Path
gpu, folder = os.environ["CUDA_VISIBLE_DEVICES"], Path(sys.argv[sys.argv.index("--output_dir") + 1])
events = os.open("events", os.O_WRONLY)
os.write(events, f"begin {gpu}".encode())
os.read(os.open("letters", os.O_RDONLY), 1)
folder.mkdir(parents=True, exist_ok=True)
(folder / "lineage.json").write_text(os.environ["OMP_NUM_THREADS"])
os.write(events, f"end   {gpu}".encode())
"""
DEADLINE_S = 120


@pytest.fixture
def eight_gpus(clone) -> dict[str, str]:
    """The environment of a machine with eight GPUs, on which jobs tell the FIFO `events` and read from `letters`."""
    made_accelerate(clone, JOB)
    (clone / "nvidia-smi").write_text('#!/bin/sh\nfor gpu in 0 1 2 3 4 5 6 7; do echo "GPU $gpu: made up"; done\n')
    (clone / "nvidia-smi").chmod(0o755)
    for name in ("events", "letters"):
        os.mkfifo(clone / name)
    outer = {name: value for name, value in os.environ.items() if name not in ("CUDA_VISIBLE_DEVICES", "SLURM_JOB_ID")}
    path = f"{clone}:{Path(sys.executable).parent}:{outer['PATH']}"
    return outer | {"PATH": path, "PYTHONPATH": str(clone), "TMPDIR": str(clone)}


def test_eight_gpus_run_eight_jobs_at_a_time(clone, eight_gpus):
    prepared = clone / "outputs/smollm2-135m/mnli/lineage.json"
    prepared.parent.mkdir(parents=True)
    prepared.write_text("{}")
    wanted = [f"outputs/smollm2-135m/models/n0-s{seed}/lineage.json" for seed in range(9)]
    command = [sys.executable, "-m", "snakemake", "--cores", "64", "--config", "model=smollm2-135m", "--", *wanted]
    events, letters = (os.open(clone / name, os.O_RDWR) for name in ("events", "letters"))

    def event() -> str:
        assert select.select([events], [], [], DEADLINE_S)[0], (clone / "log").read_text()
        return os.read(events, len("begin 0")).decode()

    with (clone / "log").open("w") as log:
        running = subprocess.Popen(command, cwd=clone, env=eight_gpus, stdout=log, stderr=log, start_new_session=True)
        try:
            begun = sorted(event() for _ in range(8))
            os.write(letters, b"x")
            ended, ninth = event(), event()
            os.write(letters, b"x" * 8)
            assert running.wait(DEADLINE_S) == 0
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(running.pid, signal.SIGKILL)
            running.wait()
            os.close(events)
            os.close(letters)
    assert begun == [f"begin {gpu}" for gpu in range(8)]
    assert (ended[:5], ninth) == ("end  ", f"begin {ended[-1]}")
    assert {(clone / file).read_text() for file in wanted} == {"4"}  # CPU threads


def test_a_limit_below_one_job_is_refused(clone):
    flags = ["-n", "--config", "model=smollm2-135m", "--set-resources", "start:gpu=4", "--resources", "gpu=2"]
    done = run_snakemake(clone, *flags, fails=True)
    assert "--resources gpu=2 is less than the 4 GPUs of one job; raise it" in done.stdout


def test_the_number_of_gpus_is_one_setting(clone):
    flags = ["-n", "-p", "--cores", "64", "--config", "model=smollm2-135m", "accelerate_config=my zero3.yaml"]
    done = run_snakemake(clone, *flags, "--set-resources", "start:gpu=4")
    launcher = "python scripts/launch.py --multi_gpu_config 'my zero3.yaml'"
    assert f"n0-s0 {launcher} --gpus 4 --threads 16 scripts/finetune_task.py" in done.stdout
    assert f"generator {launcher} --gpus 1 --threads 4 scripts/finetune_generator.py" in done.stdout


def test_a_key_that_there_is_not_is_refused(clone):
    done = run_snakemake(clone, "-n", "--config", "modle=demo", fails=True)
    assert "--config has no modle; its keys are model, grid, axes, cells, base," in done.stdout
    change(clone, "grid", sizess=[60])
    done = run_snakemake(clone, "-n", fails=True)
    assert "recipes/demo/grid.yaml: sizess is not a key of this script; the nearest is sizes." in done.stdout


def test_a_name_that_no_artifact_can_have_is_refused(clone):
    (clone / "recipes/demo").rename(clone / "recipes/my demo")
    done = run_snakemake(clone, "-n", "--config", "model=my demo", fails=True)
    assert "--config model=my demo: a name of letters, digits, _, - and . is needed" in done.stdout


@pytest.mark.parametrize(
    ("kinds", "raw"),
    [
        (["original", "external_mine"], "mine.jsonl"),
        (["original", "synthetic_t70"], "outputs/demo/synthetic_t70"),
        (["synthetic_t70", "external_mine", "biased_synthetic"], "outputs/demo/synthetic"),
    ],
)
def test_the_report_counts_raw_data_that_its_grid_has(clone, kinds, raw):
    (clone / "mine.jsonl").write_text("a row\n")
    change(clone, "grid", starts=[2000], sizes=[1000], kinds=kinds, external={"mine": "mine.jsonl"})
    (job,) = re.findall(r"^rule report:.+?(?=^rule |\Z)", run_snakemake(clone, "-n", "-p").stdout, re.M | re.S)
    assert f"--original outputs/demo/mnli --synthetic {raw} --test_sets" in job
    (inputs,) = re.findall(r"input: (.+)", job)
    assert {"outputs/demo/mnli/lineage.json", raw if raw == "mine.jsonl" else f"{raw}/lineage.json"} <= set(
        inputs.split(", ")
    )


@pytest.mark.parametrize("config", [{"axes": {"starts": [0], "sizes": [600]}}, {"cells": "outputs/mine"}])
def test_axes_and_cells_of_a_command_line_have_no_report(clone, config):
    (clone / "mine.yaml").write_text(yaml.safe_dump(config))
    for target in ([], ["report"], ["outputs/demo/report/index.html"]):
        done = run_snakemake(clone, "-n", "--configfile", "mine.yaml", "--", *target, fails=True)
        assert "UserError: There is no report on the axes and cells that --config names; name what is" in done.stdout


def test_axes_of_a_command_line_are_checked_as_those_of_a_recipe(clone):
    (clone / "mine.yaml").write_text(yaml.safe_dump({"axes": {"own_sets": "perhaps"}}))
    done = run_snakemake(clone, "-n", "--configfile", "mine.yaml", fails=True)
    assert "--config axes: own_sets wants bool, got 'perhaps'." in done.stdout


def test_a_check_has_sets_and_cells_of_its_own_and_shares_the_starts(clone):
    axes = {"starts": [39000], "kinds": ["original", "external_mine"], "sizes": [600], "seeds": [0, 1]}
    axes |= {"own_sets": True, "external": {"mine": "mine.jsonl"}}
    file = clone / "check.yaml"
    file.write_text(yaml.safe_dump({"model": "demo", "cells": "outputs/demo-check-n600", "axes": axes}))
    models = [f"n39000-{kind}-n600-s{seed}" for kind in axes["kinds"] for seed in axes["seeds"]]
    wanted = [f"outputs/demo-check-n600/models/{name}/lineage.json" for name in models]
    printed = run_snakemake(clone, "-n", "-p", "--configfile", str(file), "--", *wanted).stdout
    assert printed.count("scripts/finetune_task.py recipes/demo/start.yaml") == 2
    assert printed.count("scripts/finetune_task.py recipes/demo/augment.yaml") == 4
    assert "--model_name_or_path outputs/demo/models/n39000-s1" in printed
    assert "--kind external_mine --synthetic mine.jsonl --seed 1039000 --sizes 600 --original outputs/" in printed
    assert "--output_dir outputs/demo-check-n600/variants/original-n39000-r1" in printed
    assert {"generator", "synthesize", "audit"}.isdisjoint(re.findall(r"^rule (\w+):", printed, re.MULTILINE))
