"""One model of each augmentation kind, from the corpus to the report's page."""

import json
import re

import pandas as pd
import pytest
import yaml

from blindspots.config.analysis_recipes import GridRecipe
from blindspots.data.kinds import FAMILIES, compared_kinds, in_order, label_of, styles
from blindspots.grid import cells, check_axes, parent_of, sets_of, starts

KINDS = [
    "original",
    "original_disjoint",
    "synthetic",
    "synthetic_t70",
    "synthetic_g2",
    "biased_synthetic",
    "biased_25",
    "mixed_25",
    "two_stage",
    "external_wanli",
    "external_lingnli",
]
TRAINING = {
    "dtype": "float32",
    "use_cpu": True,
    "learning_rate": 1e-3,
    "save_strategy": "no",
    "report_to": "none",
    "disable_tqdm": True,
}


def test_the_list_above_has_a_kind_of_every_family():
    for family in FAMILIES:
        assert any(re.fullmatch(family.pattern, kind) for kind in KINDS), family.pattern


@pytest.fixture(scope="module")
def report(world, tmp_path_factory):
    """The folder of a report on one start, one size, one seed and every kind, made by the scripts in this process."""
    import importlib
    import sys
    from unittest.mock import patch

    folder = tmp_path_factory.mktemp("every_kind")
    out, mnli = folder / "out", world / "corpus/mnli"
    corpus = {"mnli": mnli, "hans": world / "corpus/hans"}
    grid = GridRecipe(
        starts=[100], sizes=[12], kinds=KINDS, external=dict.fromkeys(("synthetic", "wanli", "lingnli"), str(mnli))
    )
    check_axes(grid)
    recipe = folder / "train.yaml"
    recipe.write_text(yaml.safe_dump(TRAINING))

    def run(script: str, *words: object) -> None:
        with patch.object(sys, "argv", [script, *map(str, words)]):
            importlib.import_module(script).main()

    tests = ["--mnli", corpus["mnli"], "--hans", corpus["hans"], "--hans_expected_rows", 60]
    run("prepare_mnli", "--mnli", mnli, "--dev_rows_per_label", 1, "--start_sizes", 100, "--output_dir", out / "mnli")
    for name in ("synthetic_t70", "synthetic_g2"):
        sampling = ["--samples_per_label", 64, "--shard_rows", 64, "--batch_size", 64, "--max_new_tokens", 80]
        run("generate_synthetic", "--generator", world / "generator", *sampling, "--output_dir", out / name)
    for sets in {sets_of(grid, cell) for cell in cells(grid)}:
        flags = sets.flags(str(out), grid.external).split()
        run(
            "build_variants",
            *flags,
            "--original",
            out / "mnli",
            "--sizes",
            12,
            "--output_dir",
            out / "variants" / sets.name,
        )
    for cell in starts(grid) + cells(grid):
        model = out / "models" / parent_of(grid, cell).name if cell.kind else world / "base"
        rows = (out / "mnli", f"n{cell.start}")
        if cell.kind:
            rows = (out / "variants" / sets_of(grid, cell).name, f"n{cell.size}")
        run(
            "finetune_task",
            recipe,
            "--model_name_or_path",
            model,
            "--train_dataset",
            rows[0],
            "--train_config",
            rows[1],
            *tests,
            "--output_dir",
            out / "models" / cell.name,
        )
    axes = folder / "grid.yaml"
    axes.write_text(yaml.safe_dump(vars(grid)))
    run(
        "report",
        axes,
        "--models",
        out / "models",
        "--original",
        out / "mnli",
        "--synthetic",
        mnli,
        *tests,
        "--output_dir",
        folder / "report",
    )
    return folder / "report"


def test_tables_figure_and_page_hold_every_kind(report):
    grid = pd.read_csv(report / "grid.csv")
    assert in_order(grid["kind"].unique()) == [*in_order(KINDS), "start"]
    page, svg = (report / "index.html").read_text(), (report / "figure1.svg").read_text()
    for kind in KINDS:
        assert label_of(kind) in page
        assert f"curve.100.{kind}.hans_lo_non_entailment" in svg
    assert len(json.loads((report / "claims.json").read_text())) == 7


def test_every_pair_of_the_registry_is_compared_by_name(report):
    compared = pd.read_csv(report / "comparisons.csv")
    wanted = {f"{label_of(kind)} - {label_of(other)}" for kind, other in compared_kinds(KINDS)}
    assert set(compared["difference"]) == wanted
    assert "lingnli (external) - wanli (external)" in wanted
    sides = {f"HANS LO-{side}" for side in ("non-entailment", "entailment")}
    of_signals = {"HANS LO AUROC", "HANS LO d'", "HANS LO criterion"}
    probabilities = {f"{side}, probability" for side in sides}
    assert set(compared["metric"]) == {"MNLI matched", "HANS"} | sides | of_signals | probabilities


def test_no_two_kinds_of_a_figure_look_alike():
    looks = [(style["color"], style["marker"]) for style in styles(KINDS).values()]
    assert len(set(looks)) == len(KINDS)
