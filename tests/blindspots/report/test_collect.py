"""Reading a grid: what is there, what is missing, and what is refused."""

import dataclasses
import json
import shutil

import numpy as np
import pandas as pd
import pytest

from blindspots.config.errors import UserError
from blindspots.report.collect import read_grid
from blindspots.report.kept import write_lines


def rewrite(file, change):
    """Change one parquet of predictions."""
    rows = pd.read_parquet(file)
    change(rows).to_parquet(file)


def test_every_model_of_the_axes_is_read_with_its_scores(make_grid):
    grid = read_grid(make_grid(seeds=[0, 1]))
    assert len(grid.models) == 2 * (2 + 2 * 9)
    assert grid.missing == grid.others == []
    assert {name: len(rows) for name, rows in grid.tests.items()} == {"mnli_matched": 30, "hans": 60}
    row = grid.models.loc["n900-synthetic-n120-s1"]
    assert (row["start"], row["kind"], row["size"], row["seed"]) == (900, "synthetic", 120, 1)
    assert 0 <= row["hans_lo_auroc"] <= 1


def test_right_rows_give_the_metric_modules_accuracy(make_grid):
    grid = read_grid(make_grid(starts=[0], sizes=[60]))
    for name in grid.models.index:
        for test_set in ("mnli_matched", "hans"):
            assert grid.right[name, test_set].mean() == pytest.approx(grid.models.at[name, test_set])


def test_the_values_of_rows_have_the_metric_modules_numbers_as_their_means(make_grid):
    grid = read_grid(make_grid(starts=[0], sizes=[60]))
    for metric in grid.shown:
        for name in grid.models.index:
            values = grid.row_values(name, metric.name)
            if metric.name in ("hans_lo_auroc", "hans_lo_d_prime", "hans_lo_criterion"):
                assert values is None
            else:
                assert values.mean() == pytest.approx(grid.models.at[name, metric.name])


def test_a_partial_grid_names_what_is_missing(make_grid):
    grid = read_grid(make_grid(leave_out=["n0-s0", "n900-original-n60-s0"]))
    assert grid.missing == ["n0-s0", "n900-original-n60-s0"]


def test_an_empty_grid_is_read_and_all_of_it_is_missing(make_grid):
    recipe = make_grid(
        starts=[0],
        sizes=[60],
        leave_out=["n0-s0"] + [f"n0-{k}-n60-s0" for k in ("original", "synthetic", "biased_synthetic")],
    )
    grid = read_grid(recipe)
    assert len(grid.models) == 0
    assert len(grid.missing) == 4


def test_a_model_of_other_axes_is_left_out_and_named(make_grid):
    recipe = make_grid(starts=[0, 900])
    recipe.starts = [900]
    grid = read_grid(recipe)
    assert "n0-s0" in grid.others
    assert set(grid.models["start"]) == {900}


def test_no_folder_of_models(make_grid, tmp_path):
    recipe = make_grid(starts=[0], sizes=[60])
    recipe.models = str(tmp_path / "nowhere")
    with pytest.raises(UserError, match="nowhere"):
        read_grid(recipe)


def test_an_unknown_cell_name_shows_the_nearest(make_grid, folder_of):
    recipe = make_grid(starts=[0], sizes=[60])
    folder_of("n0-synthetic-n60-s0").rename(folder_of("n0-s0").parent / "n0-syntetic-n60-s0")
    with pytest.raises(UserError, match=r"n0-syntetic-n60-s0.*nearest.*n0-synthetic-n60-s0"):
        read_grid(recipe)


def test_different_rows_of_a_test_set_name_both_models(make_grid, folder_of):
    recipe = make_grid(starts=[0], sizes=[60])
    rewrite(folder_of("n0-synthetic-n60-s0") / "predictions" / "hans.parquet", lambda rows: rows.iloc[5:])
    with pytest.raises(UserError, match=r"n0-s0 and n0-synthetic-n60-s0.*hans.*60 and 55 rows, 5"):
        read_grid(recipe)


def test_rows_in_another_order_are_the_same_rows(make_grid, folder_of):
    recipe = make_grid(starts=[0], sizes=[60])
    before = read_grid(recipe)
    rewrite(folder_of("n0-s0") / "predictions" / "hans.parquet", lambda rows: rows.iloc[::-1])
    after = read_grid(recipe)
    assert np.array_equal(before.right["n0-s0", "hans"], after.right["n0-s0", "hans"])


def test_a_model_that_lacks_a_test_set(make_grid, folder_of):
    recipe = make_grid(starts=[0], sizes=[60])
    (folder_of("n0-synthetic-n60-s0") / "predictions" / "hans.parquet").unlink()
    with pytest.raises(UserError, match="n0-synthetic-n60-s0 has no predictions of hans"):
        read_grid(recipe)


def test_a_grid_of_one_test_set_has_no_number_for_the_other(make_grid, folder_of):
    recipe = make_grid(starts=[0], kinds=["original"], sizes=[60])
    for name in ("n0-s0", "n0-original-n60-s0"):
        (folder_of(name) / "predictions" / "mnli_matched.parquet").unlink()
    grid = read_grid(recipe)
    assert grid.models["mnli_matched"].isna().all()
    assert grid.models["hans"].notna().all()


def test_a_logit_that_is_no_number(make_grid, folder_of):
    recipe = make_grid(starts=[0], sizes=[60])
    rewrite(folder_of("n0-s0") / "predictions" / "hans.parquet", lambda rows: rows.assign(logit_neutral=np.nan))
    with pytest.raises(UserError, match=r"hans.parquet: 60 rows have a logit"):
        read_grid(recipe)


def with_parent(folder, role: str, name: str, content: str) -> None:
    """Give the model in a folder a parent."""
    file = folder / "lineage.json"
    parent = {"role": role, "name": name, "repo_type": "model", "revision": None, "artifact": "made"}
    lineage = json.loads(file.read_text())
    file.write_text(json.dumps(lineage | {"parents": [parent | {"content_sha256": content}]}))


def test_a_start_that_was_made_again_under_a_cell_is_refused(make_grid, folder_of):
    recipe = make_grid(starts=[0], sizes=[60])
    with_parent(folder_of("n0-original-n60-s0"), "start", "elsewhere/models/n0-s0", "0" * 64)
    assert len(read_grid(recipe).lineages) == 4
    with_parent(folder_of("n0-original-n60-s0"), "start", "elsewhere/models/n0-s0", "1" * 64)
    with pytest.raises(UserError, match="n0-original-n60-s0 continues another n0-s0 than the one in"):
        read_grid(recipe)


def test_a_set_that_was_made_again_is_not_taken_for_the_one_that_a_model_was_tuned_on(make_grid, folder_of, tmp_path):
    recipe = make_grid(starts=[0], sizes=[60])
    (tmp_path / "sets").mkdir()
    shutil.copy(folder_of("n0-s0") / "lineage.json", tmp_path / "sets")
    for content, known in (("0" * 64, 1), ("1" * 64, 0)):
        with_parent(folder_of("n0-original-n60-s0"), "train", str(tmp_path / "sets"), content)
        assert len(read_grid(recipe).datasets) == known


def kept_part(recipe, folder, seeds: list[int]):
    """The recipe with, as its kept report, what a report of these seeds keeps of its models."""
    grid = read_grid(dataclasses.replace(recipe, seeds=seeds))
    folder.mkdir()
    grid.rows.write(folder)
    write_lines(folder / "lineage.jsonl", [*grid.lineages.values(), *grid.datasets])
    return dataclasses.replace(recipe, kept=str(folder))


def test_models_that_are_not_in_the_folder_come_from_the_kept_report(make_grid, folder_of, tmp_path):
    recipe = make_grid(seeds=[0, 1], starts=[0], kinds=["original"], sizes=[60])
    whole, recipe = read_grid(recipe), kept_part(recipe, tmp_path / "kept", [0])
    for name in ("n0-s0", "n0-original-n60-s0"):
        shutil.rmtree(folder_of(name))
    grid = read_grid(recipe)
    assert grid.models.equals(whole.models)
    assert grid.lineages == whole.lineages
    assert grid.rows.models() == whole.rows.models()
    grid = read_grid(dataclasses.replace(recipe, seeds=[1]))
    assert set(grid.others) == {"n0-s0", "n0-original-n60-s0"}


def test_a_model_of_both_is_the_one_in_the_folder(make_grid, folder_of, tmp_path):
    recipe = kept_part(make_grid(starts=[0], kinds=["original"], sizes=[60]), tmp_path / "kept", [0])
    before = read_grid(recipe).models.at["n0-s0", "hans"]
    rewrite(folder_of("n0-s0") / "predictions" / "hans.parquet", lambda rows: rows.assign(logit_entailment=9.0))
    assert read_grid(recipe).models.at["n0-s0", "hans"] == 0.5 != before


def test_a_kept_report_of_other_test_rows_is_refused(make_grid, folder_of, tmp_path):
    recipe = make_grid(seeds=[0, 1], starts=[0], kinds=["original"], sizes=[60])
    recipe = kept_part(recipe, tmp_path / "kept", [0])
    shutil.rmtree(folder_of("n0-s0"))
    for name in ("n0-original-n60-s0", "n0-s1", "n0-original-n60-s1"):
        rewrite(folder_of(name) / "predictions" / "hans.parquet", lambda rows: rows.iloc[5:])
    with pytest.raises(UserError, match=r"n0-s1 and n0-s0 were evaluated on different rows of hans: 55 and 60"):
        read_grid(recipe)


def test_a_kept_report_whose_models_come_from_another_set_of_that_name_is_refused(make_grid, folder_of, tmp_path):
    recipe = make_grid(seeds=[0, 1], starts=[0], kinds=["original"], sizes=[60])
    for name, content in (("n0-original-n60-s0", "1" * 64), ("n0-original-n60-s1", "2" * 64)):
        with_parent(folder_of(name), "train", "set", content)
    recipe = kept_part(recipe, tmp_path / "kept", [0])
    shutil.rmtree(folder_of("n0-original-n60-s0"))
    with pytest.raises(
        UserError, match=r"made does not have the same weights or rows in .*models and .*kept; report on each"
    ):
        read_grid(recipe)
