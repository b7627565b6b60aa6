"""A model that was tuned for nothing: what it is shown, what it is asked, and what that costs."""

import pytest
from completion_server import NAME, status
from datasets import Dataset
from starlette.responses import JSONResponse

from blindspots.config.errors import RecipeError, UserError
from blindspots.config.recipes import SynthesisRecipe
from blindspots.data.nli import END_MARKER, LABELS, generator_completion, generator_prompt
from blindspots.data.nli_datasets import PAIR_FEATURES
from blindspots.modeling.few_shot import FewShotEngine, cost, counted, read_shots
from blindspots.modeling.server import Completion

PAIRS = Dataset.from_list(
    [
        {"id": f"{label}-{row}", "premise": f"A dog number {row} ran .", "hypothesis": f"{label} .", "label": label}
        for label in range(3)
        for row in range(6)
    ],
    features=PAIR_FEATURES,
)
NEUTRAL = generator_prompt("neutral")


def recipe(server, **keys) -> SynthesisRecipe:
    values = {"engine": "server", "server_url": server.url, "server_model": NAME, "shots": 2, "shots_from": "rows"}
    values |= {"max_new_tokens": 24, "batch_size": 4, "samples_per_label": 1, "output_dir": "out"}
    return SynthesisRecipe(**values | keys)


def test_a_prompt_shows_pairs_of_the_label_and_ends_in_the_sentence_to_go_on_with(server):
    texts = FewShotEngine(recipe(server), PAIRS).sample(NEUTRAL, 5, seed=1)
    assert len(texts) == len(server.asked) == 5
    known = {NEUTRAL + generator_completion(f"A dog number {row} ran .", "1 .") for row in range(6)}
    for request in server.asked:
        *shown, last = request["prompt"].split("\n\n")
        assert last == NEUTRAL
        assert len(set(shown)) == 2
        assert set(shown) <= known
        assert request["stop"] == ["\n\n"]
    assert len({request["prompt"] for request in server.asked}) > 1  # drawn for each row


def test_the_seed_decides_what_is_shown(server):
    asked = []
    for seed in (1, 1, 2):
        server.reset()
        FewShotEngine(recipe(server), PAIRS).sample(NEUTRAL, 3, seed=seed)
        asked.append(sorted(request["prompt"] for request in server.asked))
    assert asked[0] == asked[1] != asked[2]


def test_a_chat_is_told_what_to_do_and_its_echo_is_taken_away(server):
    engine = FewShotEngine(recipe(server, server_api="chat"), PAIRS)
    pair = generator_completion("A cat sat .", "It sat .")
    said = f"{NEUTRAL}{pair}"
    server.faults = [lambda answer: JSONResponse(answer | {"choices": [message(said)]})]
    assert engine.sample(NEUTRAL, 1, seed=1) == [pair]
    (request,) = server.asked
    assert "prompt" not in request
    assert "stop" not in request
    (asked,) = request["messages"]
    assert asked["content"].startswith("Here are examples")
    assert asked["content"].endswith(NEUTRAL)
    assert END_MARKER in asked["content"]


def message(content: str | None, finish_reason: str = "stop") -> dict:
    return {"message": {"role": "assistant", "content": content}, "finish_reason": finish_reason}


def test_a_chat_that_refuses_is_a_text_without_a_pair(server):
    engine = FewShotEngine(recipe(server, server_api="chat"), PAIRS)
    server.faults = [lambda answer: JSONResponse(answer | {"choices": [message(None, "content_filter")]})]
    assert engine.sample(NEUTRAL, 1, seed=1) == [""]


def test_fields_beyond_openais_api_are_for_vllm_alone(server):
    FewShotEngine(recipe(server), PAIRS).sample(NEUTRAL, 1, seed=1)
    server.is_vllm = False
    FewShotEngine(recipe(server), PAIRS).sample(NEUTRAL, 1, seed=1)
    vllm, other = (set(request) for request in server.asked)
    assert vllm - other == {"top_k", "min_p", "repetition_penalty"}


def test_a_rate_limit_is_waited_for(server):
    server.faults = [status(429, retry_after=0)] * 3
    assert len(FewShotEngine(recipe(server), PAIRS).sample(NEUTRAL, 2, seed=1)) == 2
    assert len(server.asked) == 5


def test_tokens_are_counted_where_the_server_counts_them(server):
    engine = FewShotEngine(recipe(server), PAIRS)
    engine.sample(NEUTRAL, 2, seed=1)
    assert engine.used["prompt tokens"] > 2 * 20
    assert 0 < engine.used["completion tokens"] <= 2 * 24
    assert counted([Completion("text", "stop", 3, None)]) == {}


def test_a_price_needs_a_server_that_counts_tokens(server):
    server.faults = [lambda answer: JSONResponse({"choices": answer["choices"]})]
    with pytest.raises(UserError, match="does not count tokens, so there is no cost to tell"):
        FewShotEngine(recipe(server, price_per_million_tokens=[1.0, 2.0]), PAIRS)


def test_the_cost_is_that_of_the_answers_that_were_kept_of_each_label():
    counts = {label: {"prompt tokens": 1000, "completion tokens": 100} for label in LABELS}
    assert cost(counts, [2.0, 10.0]) == pytest.approx(3 * (0.002 + 0.001))
    assert cost(counts | {"neutral": {"prompt tokens": 1000}}, [2.0, 10.0]) is None


def test_a_label_with_too_few_pairs_is_refused(server):
    with pytest.raises(UserError, match="shots_from has 6 rows of entailment, and a prompt shows 7; lower shots"):
        FewShotEngine(recipe(server, shots=7), PAIRS)


def test_a_model_that_is_not_offered_is_refused(server):
    with pytest.raises(UserError, match=f"offers {NAME}, and not another; set server_model to one of these"):
        FewShotEngine(recipe(server, server_model="another"), PAIRS)


@pytest.mark.parametrize(("dataset", "name"), [("jhu-cogsci/hans", "hans"), ("facebook/anli", "anli_r1")])
def test_rows_of_a_test_set_are_not_shown(server, monkeypatch, dataset, name):
    from blindspots.artifacts.inputs import Source
    from blindspots.modeling import few_shot

    monkeypatch.setattr(few_shot, "fetch", lambda *_: Source(dataset, None, "0" * 40, "dataset"))
    with pytest.raises(RecipeError, match=f"{dataset} is the dataset of test set {name}"):
        read_shots(recipe(server, shots_from=dataset))
