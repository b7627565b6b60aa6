"""results/statistics.md: its lines are made again, and its intervals hold what they must."""

import pytest
import simulate

from blindspots.artifacts.files import markdown_table
from blindspots.config.paths import ROOT

FILE = ROOT / "results/statistics.md"
pytestmark = [pytest.mark.slow, pytest.mark.skipif(not FILE.is_file(), reason="make statistics has not been run")]
COMMITTED = FILE.read_text("utf-8") if FILE.is_file() else ""


def row_of(line: dict[str, str]) -> str:
    return markdown_table([line]).splitlines()[-1]


def committed(table: str) -> list[dict[str, str]]:
    """The lines of a committed table."""
    head, _, *rows = COMMITTED.split(simulate.ABOUT[table])[1].split("\n\n")[1].splitlines()
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in (head, *rows)]
    return [dict(zip(cells[0], row)) for row in cells[1:]]


def test_a_line_of_each_simulation_is_made_again():
    lines = [
        simulate.seeds_line(simulate.SEED_WORLDS[1]),
        simulate.generators_line(simulate.GENERATOR_WORLDS[-2]),
        simulate.one_generator_line(simulate.ONE_GENERATOR[-1]),
    ]
    for line in lines:
        assert row_of(line) in COMMITTED


def test_the_table_of_power_is_made_again():
    assert markdown_table(simulate.power_lines()) in COMMITTED


def test_more_generators_replicates_or_effect_never_lose_power():
    for metric in simulate.PAPER_METRICS:
        less = simulate.power(0.03, metric, 0.02, 3, 1)
        assert less <= simulate.power(0.03, metric, 0.02, 5, 1)
        assert less <= simulate.power(0.03, metric, 0.02, 3, 3)
        assert less <= simulate.power(0.06, metric, 0.02, 3, 1)


def test_the_committed_intervals_hold_the_mean_in_about_95_of_100_grids():
    for line in committed("seeds"):
        assert 0.92 <= float(line["coverage"]) <= (1 if line["seeds"] == "2" else 0.995), line
    for line in committed("generators"):
        # Test rows are shared by all generators, and their error is not in Student's t over these.
        assert 0.91 <= float(line["coverage"]) <= 0.98, line
        assert not line["these generators' own mean"] or 0.92 <= float(line["these generators' own mean"]) <= 0.99, (
            line
        )


def test_the_committed_tables_show_what_must_not_be_done():
    """Generators that are ignored, or are one alone, make false verdicts once they differ."""
    wide = [line for line in committed("generators") if line["sd of generators"] == "0.034"]
    assert max(float(line["generators ignored"]) for line in wide if line["replicates of each"] == "3") < 0.9
    false = {
        line["sd of generators"]: float(line["false verdicts on generators"]) for line in committed("one generator")
    }
    assert false["0"] < 0.05 < false["0.011"] < false["0.034"]


def test_the_committed_corrections_keep_false_contradictions_at_their_level():
    for line in committed("claims"):
        assert float(line["contradicted, Holm"]) <= 0.035, line
    assert max(float(line["contradicted, uncorrected"]) for line in committed("claims")) > 0.05


@pytest.mark.slow
@pytest.mark.parametrize("table", simulate.TABLES)
def test_every_table_is_made_again(table):
    assert markdown_table(simulate.TABLES[table]()) in COMMITTED
