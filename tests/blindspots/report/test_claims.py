"""The claims: what the paper's points allow from one seed, and that made grids lead to the verdicts they must."""

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest

from blindspots.config.paths import PAPER_POINTS
from blindspots.data import test_sets
from blindspots.report.claims import claims, weak_and_strong
from blindspots.report.collect import Grid
from blindspots.report.contrasts import CONTRADICTED, SUPPORTED, UNDECIDED, Reading
from blindspots.report.gates import FLOOR
from blindspots.report.points import read_points
from blindspots.report.table1 import read_counts, table1
from blindspots.report.verdicts import UNINTERPRETABLE, Claim, combined, judged, read_claim


@pytest.fixture(scope="module")
def paper() -> Grid:
    return read_points(PAPER_POINTS)


def verdicts(grid: Grid, counts: pd.DataFrame | None = None) -> dict[str, Claim]:
    return {claim.id: claim for claim in claims(grid, counts)}


def seeded(grid: Grid, seeds: int = 5) -> Grid:
    """The grid once per seed, with a spread of .0001."""
    rng, parts = np.random.default_rng(0), []
    for seed in range(seeds):
        part = grid.models.assign(seed=seed)
        metrics = [column for column in part if column.startswith(("mnli", "hans"))]
        part[metrics] += rng.normal(0, 1e-4, (len(part), 1))
        parts.append(part.rename(index=lambda name, seed=seed: name.replace("-s0", f"-s{seed}")))
    return Grid(pd.concat(parts), grid.metrics, grid.measured)


def with_probabilities(grid: Grid, **columns: float) -> Grid:
    """The grid with what is measured beside HANS's lexical overlap, one value for all models."""
    grid.measured = test_sets.test_set("hans").measured
    values = {headline.name: 0.6 if headline.is_share else 0.0 for headline in grid.measured}
    grid.models = grid.models.assign(**(values | columns))
    return grid


def test_the_papers_single_seed_decides_c5_and_leaves_the_single_start_claims_open(paper):
    found = verdicts(paper)
    assert found["C5"].verdict == SUPPORTED
    assert found["C5"].shown_verdict == "supported for this generator only"
    readings = found["C5"].beside
    assert [(reading.wins, reading.n) for reading in readings] == [(18, 18)] * 3
    assert [round(reading.estimate, 3) for reading in readings] == [0.062, 0.016, 0.191]
    assert [reading.verdict for reading in readings] == [SUPPORTED] * 3
    assert {found[name].verdict for name in ("C1", "C2", "C3", "C4")} == {UNDECIDED}


def test_a_claim_that_was_saved_is_read_as_it_was(paper):
    for claim in verdicts(paper).values():
        saved = json.loads(json.dumps(dataclasses.asdict(claim)))
        assert read_claim(saved) == claim
        assert read_claim(saved).shown_verdict == claim.shown_verdict


def test_the_papers_points_show_c3s_pattern_at_two_starts(paper):
    assert "5,000, 20,000" in verdicts(paper)["C3"].notes[0]


def test_one_start_cannot_show_that_it_is_the_only_one(paper):
    whole = seeded(paper)
    whole.models = whole.models[whole.models["start"] == 100_000]
    found = verdicts(whole)["C3"]
    assert (found.verdict, found.deciding) == (UNDECIDED, [])
    assert "The grid has one start" in found.notes[0]


def test_in_the_papers_points_biased_is_always_lowest_but_its_fall_is_open(paper):
    claim = verdicts(paper)["C6"]
    assert "54 of 54" in claim.notes[-1]
    assert {reading.verdict for reading in claim.deciding[:6]} == {SUPPORTED}
    assert claim.deciding[6].verdict == claim.verdict == UNDECIDED


def test_the_same_numbers_from_five_seeds_would_decide(paper):
    found = verdicts(seeded(paper))
    decided = {name: claim.verdict for name, claim in found.items()}
    # C1: .0205 is beyond the margin of .02; C3: the pattern shows at two starts.
    assert decided == {
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
    assert verdicts(Grid(swapped, paper.metrics))["C5"].verdict == CONTRADICTED


def test_an_accuracy_on_its_floor_is_read_from_the_mean_probability(paper):
    """A threshold that all rows are beyond: accuracy 0, AUROC as it was, the probability lower after biased data."""
    grid = with_probabilities(seeded(paper), hans_lo_non_entailment=0.0)
    biased = grid.models["kind"] == "biased_synthetic"
    grid.models.loc[biased, "hans_lo_non_entailment_probability"] = (
        0.3 - grid.models["size"] * (1 + grid.models["seed"] / 1e3) / 1e6
    )
    claim = verdicts(grid)["C6"]
    metrics = [reading.metric for reading in claim.deciding]
    assert metrics[4:] == ["hans_lo_non_entailment_probability"] * 3
    assert [reading.verdict for reading in claim.deciding[4:]] == [SUPPORTED] * 3
    assert [reading.metric for reading in claim.beside][:3] == ["hans_lo_non_entailment"] * 3
    assert f"below {FLOOR}" in claim.deciding[4].estimand
    ability = next(reading for reading in claim.beside if reading.metric == "hans_lo_auroc")
    assert ability.estimate == 0


def test_c5_is_uninterpretable_where_biased_data_do_not_lower_lo_non_entailment(paper):
    grid = with_probabilities(seeded(paper))
    claim = verdicts(grid)["C5"]
    assert claim.shown_verdict == UNINTERPRETABLE
    assert claim.p is None
    assert claim.notes[0].startswith("By its readings alone it would be supported; not passed: biased synthetic data ")


def test_claims_on_hans_are_uninterpretable_where_a_start_has_no_ability(paper):
    grid = with_probabilities(seeded(paper))
    grid.models.loc["n20000-s3", "hans_lo_auroc"] = 0.45
    found = verdicts(grid)
    assert {name for name, claim in found.items() if claim.verdict == UNINTERPRETABLE} == {"C3", "C4", "C5", "C6"}
    assert "AUROC above 0.5 (29 of 30 starts" not in found["C4"].notes[0]  # start 0 does not count
    assert "AUROC above 0.5 (24 of 25 starts" in found["C4"].notes[0]


def test_c5_tests_superiority_beside_non_inferiority(paper):
    """Synthetic data .01 above original: significantly not inferior by more than .02, and not superior."""
    grid = seeded(paper)
    original = grid.models["kind"] == "original"
    same = grid.models[original].assign(kind="synthetic")
    same.index = same.index.str.replace("-original", "-synthetic")
    grid.models = pd.concat([grid.models[grid.models["kind"] != "synthetic"], same])
    grid.models.loc[grid.models["kind"] == "synthetic", "hans"] += 0.01 + 1e-4 * (grid.models["seed"] % 2)
    claim = verdicts(grid)["C5"]
    assert claim.verdict == SUPPORTED
    assert (claim.beside[0].metric, claim.beside[0].verdict) == ("hans", CONTRADICTED)


def test_the_margin_of_c1_lies_at_the_papers_own_difference(paper):
    assert "the paper's own difference lies (-0.021)" in verdicts(paper)["C1"].notes[-1]


def test_every_claim_with_readings_has_a_p_and_one_corrected_for_the_claims(paper):
    found = verdicts(seeded(paper), table1(read_counts(PAPER_POINTS.parent / "table1_counts.csv")))
    for name, claim in found.items():
        assert 0 <= claim.p <= claim.p_holm <= 1, name
        assert claim.verdict == UNDECIDED or claim.p <= 0.05, name


def test_weak_starts_saw_fewer_rows_than_the_largest_set_holds(paper):
    assert weak_and_strong(paper) == ([0, 5000, 10000, 20000], [100000, 391722])


def test_fewer_than_three_sizes_cannot_show_a_fall_and_a_rise(paper):
    grid = Grid(paper.models[paper.models["size"] < 70000], paper.metrics)
    claim = verdicts(grid)["C4"]
    assert claim.verdict == UNDECIDED
    assert "fewer than three sizes" in claim.notes[0]


def test_an_empty_grid_leaves_every_claim_undecided(paper):
    assert {claim.verdict for claim in claims(Grid(paper.models.iloc[:0], paper.metrics), None)} == {UNDECIDED}


def test_table_1_as_published_supports_c7(paper):
    claim = verdicts(paper, table1(read_counts(PAPER_POINTS.parent / "table1_counts.csv")))["C7"]
    assert claim.verdict == SUPPORTED
    # From all counts together it is 2.402; the labels have the original's shares here.
    assert claim.deciding[0].estimate == pytest.approx(2.313, abs=5e-4)
    assert claim.deciding[1].estimate == pytest.approx(0.0151, abs=5e-5)


@pytest.mark.parametrize(
    ("found", "together"),
    [
        ([SUPPORTED, SUPPORTED], SUPPORTED),
        ([SUPPORTED, UNDECIDED], UNDECIDED),
        ([SUPPORTED, UNDECIDED, CONTRADICTED], CONTRADICTED),
        ([], UNDECIDED),
    ],
)
def test_a_claim_needs_all_of_its_readings(found, together):
    assert combined([Reading("hans", "HANS", "", "", "seeds", 1, verdict=verdict) for verdict in found]) == together


def reading(p_supported: float, p_contradicted: float, verdict: str) -> Reading:
    found = Reading("hans", "HANS", "", "", "seeds", 5, estimate=0.1, verdict=verdict)
    found.p_supported, found.p_contradicted = p_supported, p_contradicted
    return found


def test_one_contradicting_reading_of_several_must_pass_holms_correction():
    against, other = reading(0.99, 0.01, CONTRADICTED), reading(0.4, 0.6, UNDECIDED)
    assert judged(Claim("C", "", "", [against])).verdict == CONTRADICTED
    claim = judged(Claim("C", "", "", [against, *[other] * 6]))
    assert claim.verdict == UNDECIDED
    assert claim.p == pytest.approx(2 * 7 * 0.01)


def test_support_needs_no_correction_because_all_readings_must_show_it():
    claim = judged(Claim("C", "", "", [reading(0.02, 0.98, SUPPORTED)] * 7))
    assert claim.verdict == SUPPORTED
    assert claim.p == pytest.approx(0.04)
