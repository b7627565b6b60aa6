"""The claims: what the paper's points allow from one seed, and that made grids lead to the verdicts they must."""

from pathlib import Path

import pandas as pd
import pytest

from blindspots.report.claims import FLOOR, claims, combined, weak_and_strong
from blindspots.report.collect import AUROCS, Grid, read_points
from blindspots.report.contrasts import CONTRADICTED, SUPPORTED, UNDECIDED, Reading
from blindspots.report.tables import read_counts, table1

PAPER = Path(__file__).parents[3] / "results" / "paper"


@pytest.fixture(scope="module")
def paper() -> Grid:
    return read_points(PAPER / "figure1_points.csv")


def judged(grid: Grid, counts: pd.DataFrame | None = None) -> dict:
    return {claim.id: claim for claim in claims(grid, counts)}


def seeded(grid: Grid, seeds: int = 5) -> Grid:
    """The grid once per seed, with .002 of alternate spread."""
    parts = []
    for seed in range(seeds):
        part = grid.models.assign(seed=seed)
        metrics = [column for column in part if column.startswith(("mnli", "hans", "auroc"))]
        part[metrics] += 0.002 * (seed % 2)
        parts.append(part.rename(index=lambda name, seed=seed: name.replace("-s0", f"-s{seed}")))
    return Grid(pd.concat(parts), grid.metrics)


def test_the_papers_single_seed_decides_c5_and_leaves_the_single_start_claims_open(paper):
    found = judged(paper)
    assert found["C5"].verdict == SUPPORTED
    readings = [*found["C5"].deciding, *found["C5"].beside]
    assert [(reading.wins, reading.n) for reading in readings] == [(18, 18)] * 3
    assert [round(reading.estimate, 3) for reading in readings] == [0.062, 0.016, 0.191]
    assert "from one generator" in found["C5"].notes[-1]
    assert {found[name].verdict for name in ("C1", "C2", "C3", "C4")} == {UNDECIDED}


def test_the_papers_points_show_c3s_pattern_at_two_starts(paper):
    assert "5,000, 20,000" in judged(paper)["C3"].notes[0]


def test_in_the_papers_points_biased_is_always_lowest_but_its_fall_is_open(paper):
    claim = judged(paper)["C6"]
    assert "54 of 54" in claim.notes[-1]
    assert {reading.verdict for reading in claim.deciding[:6]} == {SUPPORTED}
    assert claim.deciding[6].verdict == claim.verdict == UNDECIDED


def test_the_same_numbers_from_five_seeds_would_decide(paper):
    found = judged(seeded(paper))
    verdicts = {name: claim.verdict for name, claim in found.items()}
    # C1: .0205 is beyond the margin of .02; C3: the pattern shows at two starts.
    assert verdicts == {
        "C1": CONTRADICTED,
        "C2": SUPPORTED,
        "C3": CONTRADICTED,
        "C4": SUPPORTED,
        "C5": SUPPORTED,
        "C6": SUPPORTED,
        "C7": UNDECIDED,
    }


def test_original_below_synthetic_contradicts_c5(paper):
    names = {"original": "synthetic", "synthetic": "original"}
    swapped = paper.models.replace({"kind": names})
    swapped.index = [
        name.replace("-original", "-x").replace("-synthetic", "-original").replace("-x", "-synthetic")
        for name in swapped.index
    ]
    assert judged(Grid(swapped, paper.metrics))["C5"].verdict == CONTRADICTED


def test_an_accuracy_on_its_floor_is_read_from_the_auroc(paper):
    grid = seeded(paper)
    biased = grid.models["kind"] == "biased_synthetic"
    grid.models["hans_lo_non_entailment"] = 0.0
    grid.models[[*AUROCS]] = 0.8
    grid.models.loc[biased, [*AUROCS]] = 0.6
    claim = judged(grid)["C6"]
    metrics = [reading.metric for reading in claim.deciding]
    assert metrics[4:6] == ["auroc_lexical_overlap"] * 2
    assert {reading.verdict for reading in claim.deciding[4:6]} == {SUPPORTED}
    assert [reading.metric for reading in claim.beside] == ["hans_lo_non_entailment"] * 2
    assert f"below {FLOOR}" in claim.deciding[4].estimand
    # Zero has been reached: nothing is left to fall.
    assert claim.deciding[6].verdict == SUPPORTED


def test_weak_starts_saw_fewer_rows_than_the_largest_set_holds(paper):
    assert weak_and_strong(paper) == ([0, 5000, 10000, 20000], [100000, 391722])


def test_fewer_than_three_sizes_cannot_show_a_fall_and_a_rise(paper):
    grid = Grid(paper.models[paper.models["size"] < 70000], paper.metrics)
    claim = judged(grid)["C4"]
    assert claim.verdict == UNDECIDED
    assert "fewer than three sizes" in claim.notes[0]


def test_an_empty_grid_leaves_every_claim_undecided(paper):
    assert {claim.verdict for claim in claims(Grid(paper.models.iloc[:0], paper.metrics), None)} == {UNDECIDED}


def test_table_1_as_published_supports_c7(paper):
    claim = judged(paper, table1(read_counts(PAPER / "table1_counts.csv")))["C7"]
    assert claim.verdict == SUPPORTED
    assert claim.deciding[0].estimate == pytest.approx(2.402, abs=5e-4)
    assert claim.deciding[1].estimate == pytest.approx(0.0186, abs=5e-5)


@pytest.mark.parametrize(
    ("verdicts", "together"),
    [
        ([SUPPORTED, SUPPORTED], SUPPORTED),
        ([SUPPORTED, UNDECIDED], UNDECIDED),
        ([SUPPORTED, UNDECIDED, CONTRADICTED], CONTRADICTED),
        ([], UNDECIDED),
    ],
)
def test_a_claim_needs_all_of_its_readings(verdicts, together):
    assert combined([Reading("hans", "HANS", "", "", 1, verdict=verdict) for verdict in verdicts]) == together
