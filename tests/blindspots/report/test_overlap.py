"""C7: over generators by t, over one generator's rows by its own interval."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from blindspots.data.nli import LABELS
from blindspots.report.contrasts import CONTRADICTED, SUPPORTED, UNDECIDED
from blindspots.report.overlap import overlap_readings
from blindspots.report.table1 import COUNTS, table1


def table(synthetic: dict[str, tuple[int, int]], original: tuple[int, int] = (80_000, 20_000)) -> pd.DataFrame:
    """Table 1 of generators whose 10,000,000 rows have so many entailed and neutral overlapping ones."""
    rows = [
        {"generator": name, "words": words, "label": label, "original_count": original[i], "original_n": 5_000_000}
        | {"synthetic_count": counts[i], "synthetic_n": 5_000_000}
        for name, counts in synthetic.items()
        for words in ("raw", "stripped")
        for i, label in enumerate(("entailment", "neutral"))
    ]
    return table1(pd.DataFrame(rows))


def test_one_generator_holds_for_itself_alone():
    ratio, share = overlap_readings(table({"": (170_000, 40_000)}), "raw")
    assert ratio.estimate == pytest.approx(2.1)
    assert share.estimate == pytest.approx(170 / 210 - 0.8)
    assert (ratio.verdict, share.verdict) == (SUPPORTED, SUPPORTED)
    assert ratio.one_generator
    assert ratio.basis == "rows of the two datasets"


def test_over_generators_the_log_ratios_have_a_t_interval():
    counts = {"a": (170_000, 40_000), "b": (120_000, 20_000), "c": (300_000, 90_000)}
    ratio, _ = overlap_readings(table(counts), "raw")
    logs = np.log([2.1, 1.4, 3.9])
    limits = stats.ttest_1samp(logs, 0).confidence_interval()
    assert not ratio.one_generator
    assert (ratio.units, ratio.basis) == (3, "generators and original rows")
    assert ratio.estimate == pytest.approx(math.exp(logs.mean()))
    # The original's 100,000 overlapping rows hardly widen it.
    assert (math.log(ratio.low), math.log(ratio.high)) == pytest.approx((limits.low, limits.high), abs=1e-3)
    assert ratio.verdict == UNDECIDED


@pytest.mark.parametrize("words", ["raw", "stripped"])
def test_a_generator_that_writes_more_entailed_rows_has_no_more_overlap_by_that(words):
    equal = table({"": (170_000, 40_000)})
    counts = equal.loc[equal["label"].isin(LABELS), COUNTS]
    others = counts["label"] != "entailment"
    fewer = counts.assign(**{name: counts[name].mask(others, counts[name] // 10) for name in COUNTS[5:]})
    for reading, other in zip(overlap_readings(equal, words), overlap_readings(table1(fewer), words)):
        assert other.estimate == pytest.approx(reading.estimate)
        assert other.low < reading.low < reading.high < other.high
        assert other.verdict == reading.verdict == SUPPORTED


def test_few_overlapping_rows_of_the_original_widen_an_interval_over_generators():
    counts = {"a": (170, 40), "b": (165, 42), "c": (172, 38)}
    few, many = (overlap_readings(table(counts, original), "raw")[0] for original in ((8, 2), (80, 20)))
    assert math.log(few.high / few.low) > 2 * math.log(many.high / many.low)


def test_the_entailed_share_must_be_only_slightly_higher():
    def share(entailed: float) -> str:
        counts = {
            name: (int(1e5 * (entailed + more)), int(1e5 * (1 - entailed)))
            for name, more in zip("abc", (0, 0.01, 0.02))
        }
        return overlap_readings(table(counts), "raw")[1].verdict

    assert share(0.82) == SUPPORTED
    assert share(0.95) == CONTRADICTED
    assert share(0.6) == CONTRADICTED


def test_no_overlapping_row_leaves_it_undecided():
    for counts in ({"": (0, 0)}, {"a": (10, 5), "b": (0, 0)}):
        for reading in overlap_readings(table(counts), "stripped"):
            assert (reading.estimate, reading.low, reading.verdict) == (None, None, UNDECIDED)


def test_an_original_without_entailed_rows_has_no_entailed_share_to_compare():
    rows = table({"": (10, 5)}).query("label in @LABELS")[COUNTS]
    rows.loc[rows["label"] == "entailment", ["original_count", "original_n"]] = 0
    ratio, share = overlap_readings(table1(rows), "raw")
    assert ratio.estimate is not None
    assert (share.estimate, share.verdict) == (None, UNDECIDED)


def test_counts_by_one_rule_of_words_have_no_reading_by_the_other():
    raw = table({"": (10, 5)})
    assert overlap_readings(raw[raw["words"] == "raw"], "stripped") == []
