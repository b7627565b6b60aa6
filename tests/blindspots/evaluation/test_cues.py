"""Cues of preferences: statsmodels' own regression, effects that were planted, and what does not change them."""

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats

from blindspots.evaluation.cues import choices, cue_effects, pearson_of_codes


@pytest.fixture(scope="module")
def made() -> dict[str, np.ndarray]:
    """400 pairs in 80 units: people follow the cue by 0.5 a standard deviation, the model by 1.2, no one the noise."""
    rng = np.random.default_rng(0)
    cue, noise = rng.normal(size=(2, 400))
    people, model = ((rng.random(400) < 1 / (1 + np.exp(-effect * cue - 0.3))).astype(float) for effect in (0.5, 1.2))
    people[::10] = 0.5
    return {"people": people, "model": model, "cue": cue, "noise": noise, "units": np.arange(400) // 5}


def effects(made, **changes) -> dict:
    used = made | changes
    cues = {"cue": used["cue"], "noise": used["noise"]}
    found = cue_effects(
        used["people"], used["model"], cues, used["units"], used.get("position", True), used.get("level", 0.95)
    )
    return {effect.cue: effect for effect in found}


def test_choices_are_means_of_first_tie_and_second():
    assert choices(np.array([[2, 0, 1], [0, 1, 0], [0, 0, 3]])) == pytest.approx([2 / 3, 0.5, 0])
    assert np.isnan(choices(np.zeros((1, 3))))


def test_planted_effects_are_found(made):
    found = effects(made)
    assert list(found) == ["position", "cue", "noise"]
    assert found["cue"].people.low > 0
    assert found["cue"].model.low > found["cue"].people.estimate
    assert found["cue"].difference.low > 0
    assert found["noise"].difference.low < 0 < found["noise"].difference.high


def test_an_effect_is_that_of_a_logit_with_clustered_errors(made):
    design = np.stack([np.ones(400), *(made[name] / made[name].std() for name in ("cue", "noise"))], axis=1)
    theirs = sm.Logit(made["model"], design).fit(disp=0, cov_type="cluster", cov_kwds={"groups": made["units"]})
    for ours, place in zip(effects(made).values(), range(3)):
        assert ours.model.estimate == pytest.approx(theirs.params[place], rel=1e-4)
        margin = (ours.model.high - ours.model.low) / 2
        assert margin == pytest.approx(stats.t.ppf(0.975, 79) * theirs.bse[place], rel=0.02)


def test_both_orders_of_the_pairs_give_the_same_without_position(made):
    turned = {name: 1 - made[name] for name in ("people", "model")} | {name: -made[name] for name in ("cue", "noise")}
    first, second = effects(made, position=False), effects(made, position=False, **turned)
    assert list(first) == ["cue", "noise"]
    for name in first:
        assert np.allclose(first[name].difference, second[name].difference)


def test_exchanging_the_choices_turns_every_sign(made):
    plain, exchanged = effects(made), effects(made, people=1 - made["people"])
    for name in plain:
        assert exchanged[name].people.estimate == pytest.approx(-plain[name].people.estimate)


def test_pairs_that_one_has_not_chosen_from_are_left_out(made):
    people = made["people"].copy()
    people[:50] = np.nan
    part = {name: values[50:] for name, values in made.items()}
    assert np.allclose(effects(made, people=people)["cue"].model, effects(part)["cue"].model)


def test_a_cue_that_does_not_vary_is_left_out_and_one_unit_is_an_error(made):
    assert list(effects(made, noise=np.ones(400))) == ["position", "cue"]
    with pytest.raises(ValueError, match="at least two units"):
        effects(made, units=np.zeros(400))


@pytest.mark.parametrize("units", [1, 2, 4])
def test_a_cue_that_varies_in_few_units_has_no_effect_and_changes_no_other(made, units):
    rare = np.where(made["units"] < units, made["noise"], 0.0)
    found = effects(made, noise=rare)
    assert np.isnan([found["noise"].people, found["noise"].model, found["noise"].difference]).all()
    without = cue_effects(made["people"], made["model"], {"cue": made["cue"]}, made["units"])
    assert [found["position"], found["cue"]] == without


def test_few_units_widen_the_interval(made):
    rare = np.where(made["units"] < 6, made["noise"], 0.0)
    one, other = (effects(made, noise=rare, level=level)["noise"].model for level in (0.95, 0.99))
    ratio = (other.high - other.low) / (one.high - one.low)
    assert ratio == pytest.approx(stats.t.ppf(0.995, 5) / stats.t.ppf(0.975, 5))


@pytest.mark.parametrize("chosen", [np.ones(400), "cue"])
def test_choices_without_exception_have_no_finite_effect(made, chosen):
    chosen = (made["cue"] > 0).astype(float) if isinstance(chosen, str) else chosen
    for changed in ({"model": chosen}, {"people": chosen}):
        found = effects(made, **changed)
        assert list(found) == ["position", "cue", "noise"]
        assert all(np.isnan(effect[1:]).all() for effect in found.values())


def test_pearson_of_codes_takes_ties_for_a_third_number():
    choice, cue = np.array([1, 0, 0.5, 1, 0]), np.array([2, -1, 0, 1, 3])
    assert pearson_of_codes(choice, cue).estimate == pytest.approx(np.corrcoef([0, 1, 2, 0, 1], [0, 1, 2, 0, 0])[0, 1])
    assert np.isnan(pearson_of_codes(np.ones(5), cue)).all()
