"""Differences between models of people's and of models' data, by hand, and what a report refuses."""

import pandas as pd
import pytest

from blindspots.config.errors import UserError
from blindspots.sources.second_order import claims, record, results
from blindspots.sources.second_order_page import page
from blindspots.sources.trained import read_kept, trained_sets, write_kept

SEEDS, ROWS = (0, 1, 2), 40
KINDS = ("human", "machine_gpt")
GOLD = ("first", "second")


def lineage_of_set(name: str, **recipe) -> dict:
    settings = {"data_type": "preferences", "title": "Pairs", "human": "human", **recipe.pop("settings", {})}
    values = {
        "split_by": "unit",
        "train_rows": 10,
        "train_tokens": None,
        "source_set": "x.yaml",
        "published": -0.1,
        "limits": ["A limit."],
    }
    units = {f"{kind}-s{seed}": 10 for kind in recipe.pop("kinds", KINDS) for seed in SEEDS}
    return {
        **of_any(name, "source_sets"),
        "recipe": {**values, "source_settings": settings, **recipe},
        "row_counts": {"units": {**units, "test": 20}},
    }


def of_any(name: str, artifact_type: str) -> dict:
    return {
        "artifact": name,
        "artifact_type": artifact_type,
        "content_sha256": f"of {name}",
        "parents": [],
        "results": {},
        "files": {},
    }


def lineage_of_model(of: str, kind: str, seed: int, **recipe) -> dict:
    parents = {"start": "base", "train": of, "people": of}
    return {
        **of_any(f"{of}-{kind}-s{seed}", "reward_model"),
        "recipe": {"train_config": f"{kind}-s{seed}", "seed": seed, "num_train_epochs": 2, **recipe},
        "parents": [
            {"role": role, "name": name, "repo_type": "dataset", "revision": None, "content_sha256": f"of {name}"}
            | {"artifact": name}
            for role, name in parents.items()
        ],
        "row_counts": {"trained on": 10 - seed},
        "wall_time_s": 30.0,
        "finished": "2026-01-02T03:04:05+00:00",
        "hardware": {"cpu": "a CPU", "cores": 2, "gpus": []},
        "code_commit": "0" * 40,
    }


def made(name: str = "pairs", shares: dict | None = None, **recipe) -> tuple[pd.DataFrame, list[dict]]:
    """Predictions and lineages: a model of `kind` is right on the first `share` of the rows, two a unit.

    Either answer is as common as the other.
    """
    shares = shares or {"human": 0.75, "machine_gpt": 0.5}
    rows = [
        {
            "set": name,
            "kind": kind,
            "seed": seed,
            "id": f"{row:02}",
            "unit": str(row // 2),
            "gold": GOLD[row % 2],
            "prediction": GOLD[row % 2 if row < share * ROWS else 1 - row % 2],
            "score": float(row < share * ROWS),
            "loss": 0.1 if row < share * ROWS else 2.0,
        }
        for kind, share in shares.items()
        for seed in SEEDS
        for row in range(ROWS)
    ]
    models = [lineage_of_model(name, kind, seed) for kind in shares for seed in SEEDS]
    return pd.DataFrame(rows), [lineage_of_set(name, kinds=tuple(shares), **recipe), *models]


def only_claim(*parts: tuple[pd.DataFrame, list[dict]]):
    sets = list(trained_sets(pd.concat([rows for rows, _ in parts]), [one for _, part in parts for one in part]))
    (claim,) = [claim for one in sets for claim in claims(one, sets)]
    return claim


def test_a_claim_is_the_difference_of_the_accuracies():
    claim = only_claim(made())
    assert (
        claim.statement == "A model trained on gpt's choices does worse on people's data than one trained on people's"
    )
    assert claim.corrected.estimate == pytest.approx(-0.25)
    assert claim.corrected.low < -0.25 < claim.corrected.high < 0
    assert (claim.verdict, claim.published, claim.repeated) == ("supported", -0.1, None)
    assert "trained on people's 0.750, on the model's 0.500; guessing reaches 0.500" in claim.moved_by


def test_a_difference_that_may_be_none_decides_nothing():
    claim = only_claim(made(shares={"human": 0.775, "machine_gpt": 0.75}))
    assert (claim.verdict, claim.learned) == ("undecided", True)


@pytest.mark.parametrize("data_type", ["preferences", "task_labels"])
@pytest.mark.parametrize("shares", [(0.55, 0.1), (0.1, 0.55), (0.5, 0.5)])
def test_nothing_is_read_from_models_of_which_none_learned(shares, data_type):
    claim = only_claim(made(shares=dict(zip(KINDS, shares)), settings={"data_type": data_type}))
    assert claim.verdict == "uninterpretable"
    assert claim.moved_by.endswith("neither model significantly beats it, so that a difference says nothing")


def test_a_reward_model_is_held_against_guessing_and_a_classifier_against_the_commonest_label():
    shares, verdicts = {"human": 0.9, "machine_gpt": 0.1}, {}
    for data_type in ("preferences", "task_labels"):
        rows, lineages = made(shares=shares, settings={"data_type": data_type})
        right = rows["gold"] == rows["prediction"]
        rows["gold"] = ["first" if int(row) < 0.9 * ROWS else "second" for row in rows["id"]]
        rows["prediction"] = [GOLD[(gold == "first") != good] for gold, good in zip(rows["gold"], right)]
        claim = only_claim((rows, lineages))
        verdicts[data_type] = claim.verdict, claim.moved_by.partition("0.100; ")[2].partition(";")[0]
    assert verdicts == {
        "preferences": ("supported", "guessing reaches 0.500"),
        "task_labels": ("uninterpretable", "always the commonest answer reaches 0.900"),
    }


def test_one_model_that_learned_is_enough_to_read_a_difference():
    assert only_claim(made(shares={"human": 0.9, "machine_gpt": 0.1})).verdict == "supported"
    assert only_claim(made(shares={"human": 0.1, "machine_gpt": 0.9})).verdict == "contradicted"


@pytest.mark.parametrize(("inverted", "expected"), [(["human"], 1 - 0.5 - 0.75), (["gpt"], 1 - 0.5 - 0.75)])
def test_a_column_that_is_inverted_turns_the_published_accuracy_round(inverted, expected):
    claim = only_claim(made(settings={"inverted": inverted}))
    assert claim.repeated.estimate == pytest.approx(expected)
    assert claim.corrected.estimate == pytest.approx(-0.25)
    assert claim.moved_by.startswith(f"codes of {inverted[0]} inverted; ")


def test_the_published_split_stands_beside_the_split_by_unit():
    by_row = made("by_row", shares={"human": 0.95, "machine_gpt": 0.5}, split_by="row")
    claim = only_claim(made(), by_row)
    assert claim.repeated.estimate == pytest.approx(-0.45)
    assert claim.repeated_as == "difference in accuracy, split by row as published"


def test_people_of_the_same_units_are_what_a_models_texts_are_compared_with():
    shares = {"human": 0.75, "machine_gpt": 0.5, "human_same_units": 0.5}
    claim = only_claim(made(shares=shares, settings={"data_type": "free_text"}))
    assert claim.corrected.estimate == 0
    assert claim.repeated.estimate == pytest.approx(-0.25)
    assert "on people's from units of their own 0.750" in claim.moved_by


def test_instructions_are_judged_by_the_likelihood_of_peoples_answers():
    claim = only_claim(made(settings={"data_type": "instructions"}, train_rows=None, train_tokens=500))
    assert claim.corrected.estimate == pytest.approx(0.25 * (2 - 0.1))
    assert claim.repeated.estimate == pytest.approx(-0.25)
    assert claim.verdict == "supported"


def test_a_set_is_described_by_its_models():
    (found,) = trained_sets(*made())
    described = record(found)
    assert described["score"]["human"]["estimate"] == 0.75
    assert described["trained_on"]["human"] == [10, 9, 8]
    assert described["minutes"] == 3.0
    assert described["loss"]["human"]["estimate"] == pytest.approx(0.75 * 0.1 + 0.25 * 2)
    text = page(results([found]))
    assert "| human | 10 | 8-10 | 75.0% [" in text
    assert "- A limit." in text


def test_a_report_is_made_again_from_what_it_kept(tmp_path):
    rows, lineages = made()
    write_kept(tmp_path, rows, lineages)
    again, kept = read_kept(tmp_path)
    assert results(list(trained_sets(again, kept))) == results(list(trained_sets(rows, lineages)))


def test_a_seed_without_a_model_of_every_kind_is_left_out_and_named():
    rows, lineages = made()
    (found,) = trained_sets(rows, lineages[:-1])
    assert (found.seeds, found.missing) == ([0, 1], ["machine_gpt-s2"])
    assert found.score["human"].shape == (2, ROWS)
    assert "since a model is missing: `machine_gpt-s2`." in page(results([found]))


def test_two_seeds_are_needed():
    rows, lineages = made()
    with pytest.raises(UserError, match="pairs: no model of machine_gpt-s1 is there; train every kind with two seeds"):
        list(trained_sets(rows, lineages[:-2]))


def test_models_that_were_trained_otherwise_are_not_compared():
    rows, lineages = made()
    lineages[-1]["recipe"]["learning_rate"] = 1.0
    with pytest.raises(UserError, match="pairs-human-s0 and pairs-machine_gpt-s2 differ in learning_rate"):
        list(trained_sets(rows, lineages))


def test_models_that_predicted_other_rows_are_not_compared():
    rows, lineages = made()
    rows.loc[len(rows) - 1, "id"] = "other"
    with pytest.raises(UserError, match="pairs: the models of machine_gpt predicted other rows"):
        list(trained_sets(rows, lineages))
