"""What holds for every module: they load offline and anywhere, stand alone, and do what their texts show."""

import ast
import csv
import doctest
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import evaluate
import pandas as pd
import pytest
import yaml

MODULES = Path(__file__).resolve().parents[2] / "evaluate_modules"
TYPES = {
    "nli_blindspot": "metric",
    "heuristic_audit": "measurement",
    "paired_accuracy": "comparison",
    "label_agreement": "measurement",
    "preference_cues": "measurement",
}
# The file that a stranger brings, as each README describes it, and a part of what the three lines then print.
FILES = {
    "nli_blindspot": (
        "predictions.csv",
        [
            ["predictions", "references", "test_set", "heuristic", "subcase"],
            ["entailment", "neutral", "mnli_matched", "", ""],
            ["neutral", "non-entailment", "hans", "lexical_overlap", "ln_passive"],
        ],
        "'mnli_matched': 0.0, 'hans': 1.0, 'hans_lo_non_entailment': 1.0",
    ),
    "heuristic_audit": (
        "pairs.csv",
        [["premise", "hypothesis", "label"], ["None of the dogs sleep .", "None", "entailment"]],
        "'label': 'entailment', 'count': 1, 'n': 1",
    ),
    "paired_accuracy": (
        "pairs.csv",
        [
            ["predictions1", "predictions2", "references", "clusters", "seeds"],
            ["entailment", "neutral", "entailment", "a", "1"],
            ["neutral", "neutral", "neutral", "b", "1"],
        ],
        "'accuracy1': 1.0, 'accuracy2': 0.5, 'difference': 0.5",
    ),
    "label_agreement": (
        "labels.csv",
        [
            ["item", "source", "label", "units"],
            ["t1", "human", "no", "a"],
            ["t1", "gpt", "no", "a"],
            ["t2", "human", "yes", "b"],
            ["t2", "gpt", "no", "b"],
        ],
        "'measure': 'agreement with a person', 'baseline': None, 'n': 2, 'estimate': 0.5",
    ),
    "preference_cues": (
        "pairs.csv",
        [
            ["human", "model", "length", "units"],
            ["first", "tie", "5", "a"],
            ["second", "second", "-3", "a"],
            ["first", "second", "-1", "b"],
            ["tie", "first", "2", "c"],
            ["second", "first", "1", "d"],
        ],
        "'ties': {'human': 0.2, 'model': 0.2}",
    ),
}

pytestmark = [pytest.mark.parametrize("name", TYPES), pytest.mark.filterwarnings("ignore::UserWarning")]


def write_file(name: str, folder: Path) -> Path:
    file, rows, _ = FILES[name]
    with open(folder / file, "w", newline="") as opened:
        csv.writer(opened).writerows(rows)
    return folder / file


@pytest.mark.parametrize("keep_in_memory", [False, True])
def test_module_is_of_its_type_and_computes_twice(name, keep_in_memory, tmp_path):
    module = evaluate.load(str(MODULES / name), keep_in_memory=keep_in_memory)
    columns = pd.read_csv(write_file(name, tmp_path), keep_default_na=False).to_dict("list")
    assert (module.name, module.module_type) == (name, TYPES[name])
    assert module.compute(**columns) == module.compute(**columns)


def test_a_batch_at_a_time_gives_the_same(name, tmp_path):
    module = evaluate.load(str(MODULES / name))
    columns = pd.read_csv(write_file(name, tmp_path), keep_default_na=False)
    later = [column for column in ("clusters", "seeds", "units", "length") if column in columns]
    optional = {column: columns.pop(column).tolist() for column in later}
    columns = columns.astype(str)
    for row in range(len(columns)):
        module.add_batch(**columns.iloc[[row]].to_dict("list"))
    assert module.compute(**optional) == module.compute(**columns.to_dict("list"), **optional)


def test_docstring_examples(name, monkeypatch):
    monkeypatch.chdir(MODULES.parent)
    examples = doctest.DocTestParser().get_doctest(
        evaluate.load(str(MODULES / name)).inputs_description, {}, name, None, 0
    )
    results = doctest.DocTestRunner().run(examples)
    assert results.attempted >= 3
    assert results.failed == 0


def test_the_three_lines_of_the_readme(name, tmp_path, monkeypatch, capsys):
    (lines,) = re.findall(r"```python\n(.*?)```", (MODULES / name / "README.md").read_text(), flags=re.DOTALL)
    write_file(name, tmp_path)
    (tmp_path / "evaluate_modules").symlink_to(MODULES)
    monkeypatch.chdir(tmp_path)
    assert len(list(filter(None, lines.splitlines()))) == 3
    exec(lines, {})
    assert FILES[name][2] in capsys.readouterr().out


def test_front_matter_is_that_of_a_space(name):
    front_matter = yaml.safe_load((MODULES / name / "README.md").read_text().split("---")[1])
    assert front_matter["title"] == name
    assert front_matter["sdk"] == "gradio"
    assert (MODULES / name / front_matter["app_file"]).is_file()
    assert {"evaluate", TYPES[name]} <= set(front_matter["tags"])


def test_every_import_is_a_requirement_or_beside_the_module(name):
    required = {re.split(r"[>=]", line)[0] for line in (MODULES / name / "requirements.txt").read_text().splitlines()}
    # What these bring along: datasets has numpy and pandas.
    known = required | {"numpy", "pandas", "gradio", "sklearn", *sys.stdlib_module_names}
    for file in (MODULES / name).glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom) and node.level:
                assert (MODULES / name / f"{node.module}.py").is_file()
            elif isinstance(node, ast.ImportFrom):
                assert node.module.split(".")[0] in known
            elif isinstance(node, ast.Import):
                assert {alias.name.split(".")[0] for alias in node.names} <= known


def test_links_are_relative_and_stay_in_the_repository(name):
    links = [file for file in (MODULES / name).iterdir() if file.is_symlink()]
    assert links
    for link in links:
        assert not link.readlink().is_absolute()
        package = MODULES.parent / "scripts" / "blindspots"
        assert link.resolve().parent in (package / "data", package / "evaluation")


def test_app_scores_an_uploaded_file(name, tmp_path, monkeypatch):
    """Gradio is the Space's; here it is stood in for by names that keep what they are given."""

    class Error(Exception):
        pass

    def component(*args, **kwargs):
        return kwargs

    gradio = SimpleNamespace(
        Error=Error, **dict.fromkeys(("Checkbox", "Dataframe", "File", "Interface", "JSON"), component)
    )
    monkeypatch.setitem(sys.modules, "gradio", gradio)
    score = runpy.run_path(str(MODULES / name / "app.py"))["demo"]["fn"]
    more = {"heuristic_audit": [None], "paired_accuracy": [True], "preference_cues": [True]}.get(name, [])
    assert len(score(str(write_file(name, tmp_path)), *more)) > 0
    (tmp_path / "bad.csv").write_text("premise\nx\n")
    with pytest.raises(Error):
        score(str(tmp_path / "bad.csv"), *more)


def test_an_uploaded_copy_stands_alone(name, tmp_path):
    """A folder with its links followed, as an upload has it, loaded by another process that knows no other path."""
    shutil.copytree(MODULES / name, tmp_path / name)
    write_file(name, tmp_path)
    code = (
        "import evaluate, pandas\n"
        f"rows = pandas.read_csv({FILES[name][0]!r}, keep_default_na=False).to_dict('list')\n"
        f"print(evaluate.load({name!r}).compute(**rows))"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert FILES[name][2] in done.stdout
