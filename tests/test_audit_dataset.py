"""The audit as a script: three files, each bad input a clear line, and the committed audits."""

import json
import re
from pathlib import Path

import pytest
from datasets import Dataset, load_dataset
from rendered import HOSTILE, embeds, shown_text

import audit_dataset
from blindspots.artifacts.cards import write_card
from blindspots.artifacts.files import without_nan
from blindspots.artifacts.inputs import fetch
from blindspots.audit import balance, run
from blindspots.audit.render import TITLES, markdown, overview
from blindspots.audit.rows import Columns, opened
from blindspots.audit.tally import tally
from blindspots.audit.write import rounded
from blindspots.config.analysis_recipes import AuditRecipe
from blindspots.config.errors import RecipeError, UserError, one_line
from blindspots.config.parser import parse_recipe
from blindspots.config.processes import run_script
from blindspots.data.nli import LABELS
from blindspots.demo.corpus import mnli_like

REPO_ROOT = Path(__file__).resolve().parents[1]
AUDITS = REPO_ROOT / "results" / "audits"
COMMITTED = {"WANLI": "wanli", "SuperGen": "supergen", "LingNLI": "lingnli"}
OF_GRID_B = {f"generator {number}": f"grid-b-g{number}" for number in range(3)}
COMPARED = {"WANLI": "external/wanli", "SuperGen": "external/supergen-mnli", "LingNLI": "ling-in-loop/lingnli"}


@pytest.fixture
def audited(world, tmp_path, script):
    """Runs the script against the demo corpus and returns what audit.json holds."""

    def make(dataset, *arguments, output="audit", sample_rows=60) -> dict:
        script(
            "audit_dataset",
            "--dataset",
            dataset,
            "--reference",
            world / "corpus/mnli",
            "--sample_rows",
            sample_rows,
            "--self_bleu_texts",
            5,
            "--output_dir",
            tmp_path / output,
            *arguments,
        )
        return json.loads((tmp_path / output / "audit.json").read_text())

    return make


@pytest.fixture
def write(tmp_path):
    """Writes rows as the train split of a dataset folder."""

    def make(rows, name="mine"):
        (tmp_path / name / "data" / "full").mkdir(parents=True)
        rows.to_parquet(tmp_path / name / "data" / "full" / "train-00000-of-00001.parquet")
        return tmp_path / name

    return make


def reasons(audit: dict) -> dict[str, str]:
    return {name: section["not_computed"] for name, section in audit["sections"].items() if "not_computed" in section}


def test_every_question_is_answered_with_a_size_and_an_interval(world, tmp_path, audited, write):
    audit = audited(
        write(mnli_like(120, 3, seed=7)["train"]),
        "--mnli",
        world / "corpus/mnli",
        "--hans",
        world / "corpus/hans",
        "--label_model",
        world / "start",
    )
    assert set(audit["sections"]) == set(TITLES)
    assert not reasons(audit)
    for section in audit["sections"].values():
        for finding in section["findings"]:
            assert finding["estimate"] is not None
            if finding["low"] is not None:
                assert finding["low"] - 1e-4 <= finding["estimate"] <= finding["high"] + 1e-4
    report = (tmp_path / "audit/audit.md").read_text()
    assert all(f"### {title}\n" in report for title in TITLES.values())
    assert str(tmp_path) not in report + json.dumps(audit)
    assert (tmp_path / "audit/audit.png").stat().st_size > 10_000
    assert {path.name for path in (tmp_path / "audit").iterdir()} == {"audit.json", "audit.md", "audit.png"}


def test_the_same_run_gives_the_same_bytes_and_replaces_the_former(tmp_path, audited, write):
    data = write(mnli_like(90, 3, seed=7)["train"])
    first = audited(data)
    files = {path.name: path.read_bytes() for path in (tmp_path / "audit").iterdir()}
    assert audited(data) == first
    assert {path.name: path.read_bytes() for path in (tmp_path / "audit").iterdir()} == files
    assert not list(tmp_path.glob(".*"))


def test_a_dataset_against_itself_differs_in_nothing(world, audited):
    audit = audited(world / "corpus/mnli", sample_rows=300)
    for name in ("labels", "heuristics", "lengths", "overlap", "diversity", "hypothesis only", "malformed"):
        for finding in audit["sections"][name]["findings"]:
            if finding["reference"]:
                assert finding["estimate"] == finding["reference"]["estimate"], finding


def test_a_recipe_or_the_command_line_names_the_sets(tmp_path, world, script):
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(
        f"dataset: {world}/corpus/mnli\nreference: nowhere\noutput_dir: {tmp_path}/out\nsample_rows: 40\n"
    )
    script("audit_dataset", recipe, "--reference", world / "corpus/mnli", "--dataset_split", "validation_matched")
    assert json.loads((tmp_path / "out/audit.json").read_text())["dataset"]["rows"] == 60


def test_other_shares_of_labels_are_pointed_out_and_can_be_matched(tmp_path, audited, write):
    rows = mnli_like(300, 3, seed=7)["train"]
    entailed, others = (
        [row for row, label in enumerate(rows["label"]) if (label == 0) == wanted] for wanted in (True, False)
    )
    data = write(rows.select(entailed + others[:30]))
    audit = audited(data)
    assert "differ from the reference's, by up to 44 points" in audit["sections"]["labels"]["notes"][0]
    at_a_glance = (tmp_path / "audit/audit.md").read_text().split("### At a glance")[1].split("\n### ")[0]
    assert "set match_labels: true." in at_a_glance
    audit = audited(data, "--match_labels", "true", output="matched")
    assert not any("shares of labels" in note for note in audit["sections"]["labels"]["notes"])
    assert audit["settings"]["match_labels"]
    counts = audit["dataset"]["labels"].values()
    assert max(counts) - min(counts) <= 1
    assert f"{sum(counts)} of {len(entailed) + 30}" in (tmp_path / "matched/audit.md").read_text()


@pytest.mark.parametrize("name", COMMITTED.values())
def test_the_recipes_parse(name):
    (recipe,) = parse_recipe(AuditRecipe, argv=[str(REPO_ROOT / f"recipes/audits/{name}.yaml")])
    assert recipe.output_dir == f"outputs/audits/{name}"
    assert recipe.reference == recipe.mnli == "nyu-mll/multi_nli"


def test_without_labels_what_needs_them_says_why_and_the_rest_is_there(audited, write):
    audit = audited(write(mnli_like(90, 3, seed=7)["train"].remove_columns("label")))
    why = reasons(audit)
    assert set(why) == {"labels", "hypothesis only", "n-grams", "label noise"}
    assert "name it with label_column" in why["labels"]
    assert audit["sections"]["heuristics"]["findings"][0]["n"] == 90


def test_unknown_labels_are_listed_and_can_be_mapped(tmp_path, audited, write):
    rows = mnli_like(90, 3, seed=7)["train"]
    names = rows.features["label"].names
    letters = rows.remove_columns("label").add_column("gold", [names[label][0].upper() for label in rows["label"]])
    data = write(letters)
    assert "'E' (" in reasons(audited(data, "--label_column", "gold"))["labels"]
    mapping = "{E: entailment, N: neutral, C: contradiction}"
    audit = audited(data, "--label_column", "gold", "--label_names", mapping)
    assert set(reasons(audit)) == {"label noise"}
    assert sum(audit["dataset"]["labels"].values()) == 90


def test_one_class_data_are_audited(audited, write):
    rows = mnli_like(90, 3, seed=7)["train"].filter(lambda row: row["label"] == 0)
    audit = audited(write(rows))
    assert set(reasons(audit)) == {"hypothesis only", "n-grams", "label noise"}
    assert audit["sections"]["labels"]["findings"][0]["estimate"] == 1


def test_bad_rows_are_counted_not_dropped_in_silence(audited, write):
    rows = mnli_like(90, 3, seed=7)["train"].to_pandas()
    rows.loc[0, "premise"], rows.loc[1, "hypothesis"], rows.loc[2, "label"] = " ", None, -1
    from datasets import Dataset

    made = Dataset.from_pandas(rows).cast_column("label", mnli_like(3, 3, 7)["train"].features["label"])
    audit = audited(write(made))
    assert (audit["dataset"]["rows"], audit["dataset"]["usable_rows"]) == (90, 88)
    found = {one["what"]: one["estimate"] for one in audit["sections"]["malformed"]["findings"]}
    assert [found[name] for name in ("empty text", "not text", "no label")] == pytest.approx([1 / 90] * 3, rel=1e-4)


def test_a_reference_in_another_language_is_reported(audited, write):
    rows = mnli_like(90, 3, seed=7)["train"]
    backwards = rows.map(lambda row: {name: row[name][::-1] for name in ("premise", "hypothesis")})
    audit = audited(write(backwards))
    assert "different languages" in audit["sections"]["comparability"]["notes"][0]


def test_a_missing_leakage_set_is_a_note_in_its_section(world, audited, write):
    audit = audited(write(mnli_like(60, 3, seed=7)["train"]), "--mnli", world / "corpus/hans")
    notes = audit["sections"]["duplicates"]["notes"]
    assert any("In MNLI train: not computed: hans train has no split train" in note for note in notes)
    assert "In HANS: not computed: name it with hans" in notes


def test_files_are_audited_but_for_one_that_would_be_two_splits(tmp_path, world, audited):
    rows = mnli_like(60, 3, seed=7)["train"].to_pandas()
    rows["label"] = [LABELS[label] for label in rows["label"]]
    rows.to_json(tmp_path / "rows.jsonl", orient="records", lines=True)
    audit = audited(tmp_path / "rows.jsonl", "--hans", tmp_path / "rows.jsonl")
    assert (audit["dataset"]["name"], audit["dataset"]["rows"]) == ("rows.jsonl", 60)
    assert sum(audit["dataset"]["labels"].values()) == 60
    with pytest.raises(UserError, match=r"mnli is the file .*rows\.jsonl, and would be read as each of mnli's splits"):
        audited(world / "corpus/mnli", "--mnli", tmp_path / "rows.jsonl")


def test_a_section_that_fails_is_reported_and_takes_no_other_with_it(tmp_path, world, audited, monkeypatch):
    def broken(*_):
        raise ZeroDivisionError("by nothing")

    monkeypatch.setattr(balance, "overlap", broken)
    with pytest.raises(UserError, match="Premise-hypothesis overlap: an unexpected error"):
        audited(world / "corpus/mnli")
    audit = json.loads((tmp_path / "audit/audit.json").read_text())
    assert audit["sections"]["overlap"] == {
        "not_computed": "an unexpected ZeroDivisionError: by nothing",
        "failed": True,
    }
    assert audit["sections"]["lengths"]["findings"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--premise_column", "text"), "no column text"),
        (("--reference_label_column", "gold"), "no column gold.*reference_label_column"),
        (("--dataset_split", "dev"), "has no split dev"),
        (("--label_model", "./nowhere"), "neither a folder here nor a Hub id"),
    ],
)
def test_a_wrong_name_stops_the_run_before_anything_is_written(tmp_path, world, audited, arguments, message):
    with pytest.raises(UserError, match=message):
        audited(world / "corpus/mnli", *arguments)
    assert not (tmp_path / "audit").exists()


def test_a_threshold_that_is_not_a_share_is_refused(world, audited):
    with pytest.raises(RecipeError, match="near_threshold"):
        audited(world / "corpus/mnli", "--near_threshold", 70)


def test_files_that_are_not_of_an_audit_are_never_replaced(tmp_path, world, audited):
    (tmp_path / "audit").mkdir()
    (tmp_path / "audit/thesis.tex").write_text("years of work")
    with pytest.raises(UserError, match=r"holds thesis\.tex, which is not of a former audit"):
        audited(world / "corpus/mnli")
    assert (tmp_path / "audit/thesis.tex").read_text() == "years of work"


def test_an_audit_within_an_artifact_shows_in_its_card(tmp_path, audited, write):
    artifact = write(mnli_like(60, 3, seed=7)["train"], "synthetic")
    lineage = {
        "artifact": "synthetic",
        "artifact_type": "raw_synthetic",
        "license": "other",
        "parents": [],
        "results": {},
        "code_commit": None,
        "finished": "2026-01-01",
        "wall_time_s": 1,
        "processes": 1,
        "row_counts": {},
        "hardware": {"cpu": "x", "cores": 1, "gpus": []},
        "content_sha256": "0" * 64,
        "files": {},
    }
    (artifact / "lineage.json").write_text(json.dumps(lineage))
    (artifact / "recipe.yaml").write_text("seed: 0\n")
    write_card(artifact, lineage)
    assert "First-order audit" not in (artifact / "README.md").read_text()
    audited(artifact, output="synthetic/audit")
    card = (artifact / "README.md").read_text()
    assert "## First-order audit: synthetic against mnli" in card
    assert card.index("At a glance") < card.index("## Lineage")
    assert "audit.png" not in card


def test_texts_cannot_break_the_tables():
    finding = {"what": "x", "n": 1, "estimate": 1.0, "low": 0.2, "high": 1.0, "reference": None, "difference": None}
    text = "a | b\n# <script> `code`"
    section = {
        "about": "",
        "unit": "share",
        "findings": [finding],
        "details": {},
        "notes": [],
        "tables": {"examples": [{"row": 3, "text": text}]},
    }
    one = {"name": "n", "split": "train", "rows": 1, "labels": {}, "revision": "r", "content_sha256": "0"}
    sections = {key: {"not_computed": "why"} for key in TITLES} | {"malformed": section}
    report = markdown({"dataset": one, "reference": one, "sections": sections, "settings": {}})
    assert "| 3 | a \\| b # \\<script\\> \\`code\\` |" in report


def test_hostile_names_labels_and_texts_stay_text_in_an_audit_and_on_the_terminal(tmp_path, world, audited, capsys):
    """A file, a column, labels and texts whose names or words are markup, formulas and terminal escapes."""
    name = one_line(HOSTILE).replace("/", ".") + ".parquet"
    texts = [f"{HOSTILE} {row}" for row in range(40)]
    columns = {"premise": texts, "hypothesis": texts[::-1], "label": [HOSTILE] * 40, HOSTILE: [1] * 40}
    Dataset.from_dict(columns).to_parquet(tmp_path / name)
    audit = audited(tmp_path / name)
    assert "its labels are" in reasons(audit)["labels"]
    report = (tmp_path / "audit/audit.md").read_text()
    assert embeds(report) == {"audit.png"}
    assert name in shown_text(report)
    assert all(line.isprintable() for line in report.splitlines())
    assert all(line.isprintable() for line in capsys.readouterr().out.splitlines())
    with pytest.raises(UserError, match="has no column text"):
        audited(tmp_path / name, "--premise_column", "text", output="other")


def test_one_line_and_an_exit_code_for_a_person(monkeypatch, capsys):
    monkeypatch.setattr(
        "sys.argv", ["audit_dataset", "--dataset", "./nowhere", "--reference", "x", "--output_dir", "y"]
    )
    with pytest.raises(SystemExit) as left:
        run_script(audit_dataset.main)
    assert left.value.code == 1
    assert capsys.readouterr().err.startswith("error: ./nowhere is neither a folder here nor a Hub id")


# The committed audits


def read_audits(folders: dict[str, str]) -> dict[str, dict]:
    return {shown: json.loads((AUDITS / name / "audit.json").read_text()) for shown, name in folders.items()}


@pytest.fixture(scope="module")
def committed() -> dict[str, dict]:
    return read_audits(COMMITTED)


@pytest.mark.parametrize("folders", [COMMITTED, OF_GRID_B], ids=["published", "grid B"])
def test_the_tables_of_the_readme_are_those_of_the_audits(folders):
    table = overview(read_audits(folders))
    assert table.count("\n") > 10
    assert table in (AUDITS / "README.md").read_text(), f"the table should be\n{table}"


def test_the_committed_reports_are_rendered_from_their_json(committed):
    for shown, audit in (committed | read_audits(OF_GRID_B)).items():
        assert (AUDITS / (COMMITTED | OF_GRID_B)[shown] / "audit.md").read_text() == markdown(audit)
        assert not re.search(r"/(home|root|tmp|work)/", json.dumps([audit["dataset"], audit["reference"]]))
    for shown, audit in committed.items():
        assert audit["dataset"]["name"] == COMPARED[shown]
        assert set(reasons(audit)) <= {"label noise"}


def test_the_audits_of_grid_b_have_the_shares_of_labels_of_mnli():
    for audit in read_audits(OF_GRID_B).values():
        assert not reasons(audit)
        shares = [
            [count / one["usable_rows"] for count in one["labels"].values()]
            for one in (audit["dataset"], audit["reference"])
        ]
        assert shares[0] == pytest.approx(shares[1], abs=1e-3)
        assert audit["dataset"]["of_rows"] == 35_800


@pytest.mark.parametrize("shown", COMMITTED)
def test_the_committed_counts_are_those_of_the_data(shared, committed, shown):
    counts = []
    for name in (COMPARED[shown], "nyu-mll/multi_nli"):
        with opened(fetch(str(shared / "hub/datasets" / name), "dataset"), name, "train", Columns()) as rows:
            counts.append(tally(rows))
    sections = committed[shown]["sections"]
    for name, question in (("heuristics", balance.heuristics), ("overlap", balance.overlap)):
        assert rounded(without_nan(question(*counts).record()["findings"])) == sections[name]["findings"]


def test_leakage_is_looked_for_in_every_test_set_of_the_paper():
    assert {(role, split) for role, split in run.LEAKAGE.values()} == {
        ("mnli", "train"),
        ("mnli", "validation_matched"),
        ("hans", "validation"),
    }


def test_audited_folders_still_load_as_datasets(tmp_path, audited, write):
    artifact = write(mnli_like(30, 3, seed=7)["train"], "synthetic")
    audited(artifact, output="synthetic/audit")
    assert len(load_dataset(str(artifact), split="train", cache_dir=str(tmp_path / "cache"))) == 30


def test_the_committed_benchmark_keeps_to_time_and_memory():
    record = json.loads((REPO_ROOT / "results/benchmarks/audit.json").read_text())
    assert record["rows"] >= 1_819_813
    assert record["heuristics_cpu_s"]["batch"] < 120
    assert record["speedup"] > 1
    assert record["whole_audit"]["peak_memory_gib"] < 6
