"""A check of a dataset from file to verdict, on models whose predictions are made up; the examples."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from made_grid import test_sets as made_tests
from made_grid import write_model

import check_dataset
from blindspots.artifacts.inputs import fetch
from blindspots.check import explain, runs
from blindspots.config.analysis_recipes import CheckRecipe, GridRecipe
from blindspots.config.errors import UserError
from blindspots.config.parser import parse_recipe
from blindspots.config.paths import ROOT
from blindspots.config.processes import run_script
from blindspots.data.heuristics import lexical_overlap
from blindspots.data.nli import LABELS
from blindspots.data.nli_datasets import pool_pairs
from blindspots.demo.corpus import mnli_like
from blindspots.demo.examples import rows as example_rows
from blindspots.demo.examples import write_examples
from blindspots.grid import Cell

LOOKS = ["--looks", "3", "5", "--audit", "false"]
RELEASE = ["--hub_namespace", "org", "--hub_tag", "v1.0"]
KEYS = ["--size", "30", "--margin", "0.2", "--margins", "{}", "--headlines", "mnli_matched", "hans"]


@pytest.fixture
def workflow(tmp_path, monkeypatch, world):
    """Stands in for snakemake: models of a kind are right as often as the dict returned says; also its targets."""
    monkeypatch.chdir(tmp_path)
    right, asked = {"original": 0.8}, []
    data = tmp_path / "outputs/demo/mnli/data"
    data.mkdir(parents=True)
    (data / "train-00000-of-00001.parquet").symlink_to(world / "corpus/mnli/data/train-00000-of-00001.parquet")

    def run(recipe, grid, targets) -> None:
        asked.append(targets)
        for folder in (tmp_path / target for target in targets if "/models/" in target):
            cell = Cell.from_name(folder.parent.name)
            kind = re.sub(r"external_(\w+)_\w{8}", r"\1", cell.kind)
            if not folder.is_file():
                rng = np.random.default_rng([cell.seed, len(kind)])
                write_model(folder.parent, right.get(kind, right["original"]), rng, made_tests())

    monkeypatch.setattr(runs, "run_workflow", run)
    return right, asked


@pytest.fixture
def mine(tmp_path):
    """mine(name, seed, overlap) writes 60 rows of the demo's language and returns the file.

    overlap: share of the entailed hypotheses that use words of their premise alone, by default the demo's.
    """

    def write(name: str, seed: int = 7, overlap: float | None = None):
        share = {"entailment": overlap, "neutral": 0.0, "contradiction": 0.0}
        shares = [] if overlap is None else [{False: share, True: share}]
        pairs = mnli_like(60, 0, seed, *shares)["train"]
        columns = pairs["premise"], pairs["hypothesis"], [LABELS[label] for label in pairs["label"]]
        names = ("premise", "hypothesis", "label")
        lines = [json.dumps(dict(zip(names, row))) for row in zip(*columns)]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(lines) + "\n")
        return tmp_path / f"{name}.jsonl"

    return write


@pytest.fixture
def check(monkeypatch):
    """check(*words) runs the script to its exit and returns the code."""

    def run(*words: object) -> int:
        recipe = str(ROOT / "recipes/check/demo.yaml")
        monkeypatch.setattr("sys.argv", ["check_dataset.py", recipe, *map(str, words)])
        with pytest.raises(SystemExit) as left:
            run_script(check_dataset.main, error_code=check_dataset.ERROR)
        return left.value.code

    return run


def test_a_set_whose_models_are_as_good_does_no_harm_though_a_control_that_is_not_found_is_said(
    workflow, mine, check, tmp_path, capsys
):
    workflow[0]["mine"] = 0.82
    assert check(mine("mine"), *KEYS, *LOOKS, "--biased", "true") == 0
    said = capsys.readouterr().out
    assert "The planted bias was not found by now, so that this check could overlook harm of its size." in said
    assert "does not harm: each dataset has a verdict; page: outputs/checks/mine_" in said
    (page,) = tmp_path.glob("outputs/checks/mine_*/index.html")
    assert "<script" not in page.read_text()
    assert "The planted bias was not found" in page.read_text()
    verdict = json.loads(page.with_name("verdict.json").read_text())
    assert (verdict["verdict"], verdict["recipe"]["size"]) == ("does not harm", 30)
    assert {line["title"] for line in verdict["sets"][0]["headlines"]} == {"MNLI matched", "HANS"}


def test_a_set_whose_models_are_worse_harms_and_the_planted_bias_is_a_control(workflow, mine, check, capsys):
    workflow[0].update(mine=0.3, biased_synthetic=0.25)
    assert check(mine("mine"), *KEYS, *LOOKS, "--biased", "true") == 1
    said = capsys.readouterr().out
    assert "mine: harms" in said
    assert "planted bias: harms" in said
    assert "The planted bias was found" in said


def test_an_undecided_check_says_how_many_seeds_it_lacks_and_keeps_its_models(workflow, mine, check, capsys):
    right, asked = workflow
    right["mine"] = 0.62
    assert check(mine("mine"), *KEYS, *LOOKS, "--max_seeds", 4) == 3
    said = capsys.readouterr().out
    assert re.search(r"undecided, needs about \d+ more seeds", said)
    assert "undecided: the next look has 5 seeds, more than max_seeds" in said
    assert len(asked) == 2  # MNLI, and the models of one look
    assert len(asked[1]) == 2 * 3


def test_sets_side_by_side_each_have_a_verdict(workflow, mine, check, tmp_path, capsys):
    workflow[0].update(good=0.82, bad=0.3)
    assert check(mine("good", 7), mine("bad", 8), *KEYS, *LOOKS) == 1
    said = capsys.readouterr().out
    assert "good: does not harm" in said
    assert "bad: harms" in said


def test_a_set_that_cannot_be_audited_has_a_verdict_all_the_same(workflow, mine, check, monkeypatch, capsys):
    workflow[0]["mine"] = 0.82
    assert check(mine("mine"), *KEYS, "--looks", "3", "5") == 0
    assert "mine is not audited: " in capsys.readouterr().out


def test_the_group_whose_removal_helps_is_blamed_and_the_set_is_saved_without_it(
    workflow, mine, check, monkeypatch, capsys
):
    group = "entailment with lexical overlap"
    workflow[0].update(mine=0.6, original=0.45)  # so good are models without a group that does no harm
    workflow[0][f"mine_without_{group.replace(' ', '_')}"] = 1.0
    monkeypatch.setattr(explain, "fetch", lambda *_: None)
    monkeypatch.setattr(explain, "disputed_labels", lambda pairs, *_: np.zeros(len(pairs), dtype=bool))
    file = mine("mine", overlap=0.5)
    assert check(file, *KEYS, *LOOKS, "--explain", "true", "--explain_seeds", 4) == 0
    (cleaned,) = Path("outputs/demo-check-n30").glob("cleaned-mine_*")
    said = capsys.readouterr().out
    assert f"mine: Models are significantly better without one group: {group}." in said
    assert f"the set without that group: {cleaned}" in said
    (page,) = Path().glob("outputs/checks/mine_*/index.html")
    assert f"<code>{cleaned}</code>" in page.read_text()
    removals = json.loads(page.with_name("verdict.json").read_text())["sets"][0]["explained"]["removals"]
    assert removals[0]["group"] == group
    assert removals[0]["estimate"] > 0.3
    entailed = [row for row in pool_pairs(fetch(str(cleaned), "dataset")) if LABELS[row["label"]] == "entailment"]
    assert not any(lexical_overlap(row["premise"], row["hypothesis"], True) for row in entailed)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["absent.jsonl"], "absent.jsonl is neither a folder here nor a Hub id"),
        ([ROOT / "examples/broken.jsonl"], "row 299: label 'maybe' is not one of entailment, neutral, contradiction"),
        (["a.jsonl", "--looks", "5", "3"], "looks are numbers of seeds that grow"),
        (
            ["a.jsonl", "--headlines", "hans_lo"],
            "headlines: hans_lo is not a headline of this check; there are mnli_ma",
        ),
        (
            ["a.jsonl", "--margins", "{hans_lo_entailment: 0.1}"],
            "margins: hans_lo_entailment is not a headline of thi",
        ),
        (["a.jsonl", "--margin", "0"], "The margin margin is above 0 and below 1"),
        (["a.jsonl", "--starts", "77"], "prepare.yaml has no start_sizes 77; its starts are 0, 2000"),
        (["a.jsonl", "--max_seeds", "2"], "max_seeds is 2, and the first look has 5 seeds"),
        (["a.jsonl", "--label_names", "{0: yes}"], "label_names maps 0 to 'yes', which is not one of"),
        (["a.jsonl", "--hub_tag", "v1.0"], "hub_namespace and hub_tag name a release together; give both or neither"),
        (["a.jsonl", *RELEASE[:3], "main"], "hub_tag a tag such as v1.0"),
        (
            ["a.jsonl", *RELEASE, "--workflow_arguments", "--config base=x"],
            "workflow_arguments: --config may name other inputs than a release has",
        ),
        (["a.jsonl", "--nonsense", "1"], "nonsense is not a key of this script"),
    ],
)
def test_an_error_is_a_line_and_exit_code_2_never_that_of_harm(check, capsys, words, message):
    assert check(*words) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert message in said


def test_a_fault_of_ours_is_no_verdict_either(monkeypatch, check, capsys):
    monkeypatch.setattr(check_dataset, "parse_recipe", lambda *_, **__: 1 / 0)
    assert check("a.jsonl") == 2
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_without_a_recipe_the_demos_is_taken_and_said(capsys):
    assert check_dataset.arguments(["a.jsonl", "b.csv", "--size", "9"]) == [
        "recipes/check/demo.yaml",
        *["--datasets", "a.jsonl", "b.csv", "--size", "9"],
    ]
    assert capsys.readouterr().out == "recipe: recipes/check/demo.yaml\n"
    assert check_dataset.arguments(["x.yaml", "a.jsonl"]) == ["x.yaml", "--datasets", "a.jsonl"]
    assert check_dataset.arguments(["a.jsonl", "--config", "x.yaml"]) == [
        "--datasets",
        "a.jsonl",
        "--config",
        "x.yaml",
    ]


def test_a_workflow_that_fails_or_is_not_there_is_an_error(tmp_path, monkeypatch):
    recipe = CheckRecipe(datasets=["a"], model="demo", starts=[0], size=6, cores=1)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="There is no Snakefile here"):
        runs.make_original_rows(recipe)
    (tmp_path / "Snakefile").write_text("")
    monkeypatch.setattr(runs.subprocess, "run", lambda command, env: subprocess.CompletedProcess(command, 1))
    with pytest.raises(UserError, match="The workflow stopped"):
        runs.make_original_rows(recipe)
    config = yaml.safe_load((tmp_path / "outputs/demo-check-n6/workflow.yaml").read_text())
    assert (config["model"], config["cells"]) == ("demo", "outputs/demo-check-n6")
    assert GridRecipe(**config["axes"]).own_sets


def test_the_examples_are_made_again_byte_for_byte(tmp_path):
    write_examples(tmp_path)
    for file in sorted(tmp_path.iterdir()):
        committed = ROOT / "examples" / file.name
        assert file.read_bytes() == committed.read_bytes()
        assert committed.stat().st_size < 250_000
    assert len(list(tmp_path.iterdir())) == len(list((ROOT / "examples").glob("*.jsonl"))) == 3


@pytest.mark.slow
def test_rows_that_were_planted_are_found_with_the_models_of_the_demo(tmp_path):
    """Three quarters of the entailed hypotheses use words of their premise alone, and no other one does."""
    for name in ("scripts", "recipes", "profiles", "model_cards", "data_cards", "evaluate_modules", "Snakefile"):
        (tmp_path / name).symlink_to(ROOT / name)
    share = {"entailment": 0.75, "neutral": 0.0, "contradiction": 0.0}
    planted = list(example_rows(3000, 104, {False: share, True: share}))
    (tmp_path / "planted.jsonl").write_text("".join(json.dumps(row) + "\n" for row in planted))
    words = ["--explain", "true", "--explain_seeds", "6", "--audit", "false", "--max_seeds", "5"]
    command = [sys.executable, "scripts/check_dataset.py", "recipes/check/demo.yaml", "planted.jsonl", *words]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode in (1, 3), done.stdout[-2000:] + done.stderr[-2000:]
    assert (
        "planted: Models are significantly better without one group: entailment with lexical overlap." in done.stdout
    )
    (cleaned,) = tmp_path.glob("outputs/demo-check-n1500/cleaned-planted_*")
    pairs = pool_pairs(fetch(str(cleaned), "dataset"))
    overlap = [row for row in planted if lexical_overlap(row["premise"], row["hypothesis"], True)]
    assert len(pairs) == 3000 - len(overlap)


NOTEBOOK = json.loads((ROOT / "examples/check_your_data.ipynb").read_text())
SHELL = re.compile(r"^!(.+)$", re.MULTILINE)


def texts_of(cell_type: str) -> list[str]:
    return ["".join(cell["source"]) for cell in NOTEBOOK["cells"] if cell["cell_type"] == cell_type]


def test_the_notebook_has_no_outputs_and_names_what_is_there():
    assert NOTEBOOK["nbformat"] == 4
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in NOTEBOOK["cells"])
    commands = re.findall(r"^python (.+)$", "\n".join(texts_of("markdown")), re.MULTILINE)
    assert len(commands) == 2
    for script, *words in map(str.split, commands):
        assert (ROOT / script).is_file()
        (recipe,) = parse_recipe(CheckRecipe, argv=check_dataset.arguments([str(ROOT / words[0]), *words[1:]]))
        assert recipe.datasets
    for path in re.findall(
        r"\b(?:examples|recipes|scripts)/[\w./-]+\w", "\n".join([*texts_of("markdown"), *texts_of("code")])
    ):
        assert (ROOT / path).exists()


def test_the_notebook_goes_from_a_file_to_its_verdict(workflow, check, tmp_path, capsys):
    workflow[0]["biased"] = 0.3
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    (tmp_path / "Snakefile").write_text("")

    def run(command: str) -> None:
        _, script, recipe, *words = command.split()
        assert (script, recipe) == ("scripts/check_dataset.py", "recipes/check/demo.yaml")
        assert check(*words, *KEYS, *LOOKS) == 1

    names = {"run": run}
    for text in texts_of("code"):
        exec(SHELL.sub(r'run(f"\1")', text), names)  # IPython puts variables into a command as an f-string does
    said = capsys.readouterr().out
    assert re.search("harms after [35] seeds: ", said)
    assert "page: outputs/checks/biased_" in said
