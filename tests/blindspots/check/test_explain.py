"""Which group of rows does harm, and what is left of a set without it: an artifact like any other."""

import dataclasses
import json
from types import SimpleNamespace

import numpy as np
import pytest

from blindspots.artifacts.inputs import fetch
from blindspots.artifacts.names import read_lineage
from blindspots.check import explain
from blindspots.check.explain import Explanation, Removal, save_cleaned
from blindspots.check.render import blame
from blindspots.check.run import SetResult
from blindspots.check.sets import read_set
from blindspots.config.analysis_recipes import CheckRecipe
from blindspots.config.errors import UserError
from blindspots.data.nli import LABELS
from blindspots.data.nli_datasets import nli_pairs, pool_pairs, read_split

GROUP = "neutral with lexical overlap"


@pytest.fixture
def save(tmp_path, monkeypatch):
    """save(rows) saves the first rows of a set of 9 as what is left of it; returns the folder."""
    monkeypatch.chdir(tmp_path)
    names = ("premise", "hypothesis", "label")
    rows = [(f"the dog {number} runs", f"a dog {number}", LABELS[number % 3]) for number in range(9)]
    file = tmp_path / "mine.jsonl"
    file.write_text("".join(json.dumps(dict(zip(names, row))) + "\n" for row in rows))
    recipe = CheckRecipe(datasets=[str(file)], model="demo", starts=[0], size=6)
    found = read_set(recipe, str(file))

    def run(rows: int):
        removal = Removal(GROUP, 9 - rows, "hans", 0.3, 0.45, 0.15, 0.05, 0.25, p=0.001)
        other = dataclasses.replace(removal, group="another", estimate=0.1)
        explained = Explanation(3, 4, [removal, other], {}, GROUP, {"hans": 0.5})
        cleaned = dataclasses.replace(found, name="mine without it", pairs=found.pairs.select(range(rows)))
        return save_cleaned(recipe, found, cleaned, explained, {"hans": "HANS"})

    return run


def test_it_has_a_lineage_and_a_card_with_the_numbers_before_and_after(save):
    folder = save(6)
    lineage = read_lineage(folder)
    assert (lineage["artifact_type"], lineage["results"]["left_out"]) == ("cleaned_set", GROUP)
    assert lineage["artifact"] == f"demo-check-n6-{folder.name}"
    assert lineage["row_counts"] == {"read": 9, "left out": 3, "full": {"train": 6}}
    assert [(parent["role"], parent["name"][-10:]) for parent in lineage["parents"]] == [("dataset", "mine.jsonl")]
    card = (folder / "README.md").read_text()
    assert f"Left out: {GROUP}." in card
    assert "| HANS | 0.300 | 0.450 | +0.150 | +0.050 to +0.250 | 0.500 |" in card
    assert "0.100" not in card


def test_it_is_read_as_any_dataset_is(save):
    folder = save(6)
    source = fetch(str(folder), "dataset")
    read = [pool_pairs(source), nli_pairs(read_split(source, "train"), "it")]
    checked = read_set(CheckRecipe(datasets=[], model="demo", starts=[0], size=6), str(folder))
    assert [len(pairs) for pairs in (*read, checked.pairs)] == [6, 6, 6]
    assert source.record("dataset")["artifact"] == f"demo-check-n6-{folder.name}"


def test_a_former_one_is_replaced_and_nothing_else(save):
    folder = save(6)
    assert save(7) == folder
    assert len(pool_pairs(fetch(str(folder), "dataset"))) == 7
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match=r"notes\.txt, which is not of a former cleaned_set"):
        save(6)
    assert (folder / "notes.txt").read_text() == "mine"


def test_the_first_group_is_the_one_that_gains_most_per_row_left_out(monkeypatch):
    gains = {"small": 0.15, "large": 0.3, "harmless": 0.0, "whole": 0.0}
    noise = np.array([0.01, -0.01, 0.0, 0.02, -0.02])
    monkeypatch.setattr(
        explain.runs, "seed_means", lambda grid, metric, kind, recipe: 0.4 + gains[kind] + noise * (1 + gains[kind])
    )
    parts = {name: SimpleNamespace(kind=name) for name in ("large", "small", "harmless")}
    sizes = {"large": 900, "small": 300, "harmless": 100}
    removals = explain.compared(None, None, SimpleNamespace(kind="whole"), ["hans"], parts, sizes)
    assert [(removal.group, removal.helps) for removal in removals] == [
        ("small", True),
        ("large", True),
        ("harmless", False),
    ]
    one = SetResult("mine", "whole", explained=Explanation(30, 5, removals, {}, "small"))
    assert blame(one) == (
        "Models are significantly better without one group: small. They gain less per row left out without: large."
    )
    one.explained.removals = removals[2:]
    assert blame(one) == "No group of rows was found to do harm over 5 seeds."
