"""Predictions of people's rows: what is right, ties, and the log-loss, by hand."""

import math

import pandas as pd
import pytest
from datasets import ClassLabel, Dataset

from blindspots.artifacts.inputs import fetch
from blindspots.config.errors import UserError
from blindspots.data.people_rows import decided_pairs
from blindspots.evaluation.people import (
    FILE,
    REWARD,
    predict_choices,
    predict_labels,
    read_people,
    require_known_labels,
    reward_texts,
    score_people,
)
from blindspots.modeling.classifier import load_classifier


@pytest.fixture
def written(tmp_path):
    """Writes predictions and returns their folder."""

    def write(columns: dict):
        file = tmp_path / FILE
        file.parent.mkdir(exist_ok=True)
        pd.DataFrame(columns).to_parquet(file)
        return tmp_path

    return write


def test_a_label_is_right_where_its_logit_is_the_largest(written):
    rows = {"id": ["a", "b"], "unit": ["u", "u"], "gold": ["no", "maybe"]}
    folder = written(rows | {"logit_no": [1.0, 2.0], "logit_maybe": [0.0, 0.0]})
    assert read_people(folder)["prediction"].tolist() == ["no", "no"]
    found = score_people(folder)
    loss = (math.log(1 + math.exp(-1)) + math.log(1 + math.exp(2))) / 2
    assert found == {"accuracy": 0.5, "log_loss": pytest.approx(loss), "rows": 2, "units": 1}


def test_a_choice_is_the_text_with_the_higher_reward_and_a_tie_is_half_right(written):
    rows = {"id": list("abc"), "unit": list("uvw"), "gold": ["first", "second", "first"]}
    folder = written(rows | {"reward_1": [2.0, 1.0, 0.5], "reward_2": [1.0, 0.0, 0.5]})
    assert read_people(folder)["prediction"].tolist() == ["first", "first", "tie"]
    assert score_people(folder)["accuracy"] == 0.5
    losses = [math.log(1 + math.exp(-1)), math.log(1 + math.exp(1)), math.log(2)]
    assert read_people(folder)["loss"].tolist() == pytest.approx(losses)


def test_a_gold_label_without_a_logit_is_an_error(written):
    folder = written({"id": ["a"], "unit": ["u"], "gold": ["yes"], "logit_no": [1.0], "logit_maybe": [0.0]})
    with pytest.raises(UserError, match="gold 'yes' is not one of no, maybe"):
        read_people(folder)


def test_a_folder_without_predictions_is_an_error(tmp_path):
    with pytest.raises(UserError, match=r"holds no predictions/people.parquet; name people's rows in the key people"):
        read_people(tmp_path)


def test_labels_of_another_task_are_refused():
    rows = Dataset.from_dict({"label": [0]}).cast_column("label", ClassLabel(names=["no", "yes"]))
    require_known_labels(rows, ["yes", "no"], "x")
    with pytest.raises(UserError, match="x has the labels no, yes, the train set no, maybe"):
        require_known_labels(rows, ["no", "maybe"], "x")


def test_a_text_ends_in_one_eos():
    rows = Dataset.from_dict({"prompt": ["p\n", "q\n"], "text_1": ["a", "b</s>"]})
    assert reward_texts(rows, "text_1", "</s>") == ["p\na</s>", "q\nb</s>"]


def test_logits_stand_under_the_name_of_their_label(world, tmp_path):
    labels = ["no", "maybe", "yes", "often"]
    model = load_classifier(fetch(str(world / "base"), "model"), labels=labels)
    rows = Dataset.from_dict({"id": ["a"], "unit": ["u"], "text": ["A man sleeps."], "label": [2]})
    predict_labels(model, rows.cast_column("label", ClassLabel(names=labels)), 100, tmp_path)
    found = pd.read_parquet(tmp_path / FILE)
    logits = model.model(**model.tokenizer("A man sleeps.", return_tensors="pt")).logits[0]
    assert found[[f"logit_{name}" for name in labels]].iloc[0].tolist() == pytest.approx(logits.tolist(), abs=1e-5)
    assert found["gold"][0] == "yes"


def test_exchanged_texts_exchange_their_rewards(world, tmp_path):
    model = load_classifier(fetch(str(world / "base"), "model"), labels=REWARD)
    pairs = {"text_1": ["A man sleeps.", "A dog runs."], "text_2": ["A dog runs.", "A man sleeps."]}
    rows = Dataset.from_dict(pairs | {"label": ["first", "second"]})
    predict_choices(model, decided_pairs(rows, "x"), 100, tmp_path)
    found = pd.read_parquet(tmp_path / FILE)
    assert found["reward_1"].tolist() == pytest.approx(found["reward_2"].tolist()[::-1], abs=1e-6)
    assert found["reward_1"][0] != found["reward_2"][0]
