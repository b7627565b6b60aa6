"""Engines: the same rows from a seed, the known distribution, no matter which engine draws and in what batches."""

import itertools
from collections import Counter

import pytest
import torch
from completion_server import NAME, choice
from made_generator import TEMPLATE
from scipy.stats import chi2_contingency, chisquare

from blindspots.artifacts.inputs import fetch
from blindspots.config.errors import UserError
from blindspots.config.recipes import SynthesisRecipe
from blindspots.data.nli import END_MARKER, generator_prompt
from blindspots.modeling.sampling import TransformersEngine, load_engine, row_seed

PROMPT = generator_prompt("neutral")
CPU = torch.device("cpu")


def recipe(**keys) -> SynthesisRecipe:
    return SynthesisRecipe(output_dir="unused", generator="unused", **({"max_new_tokens": 200} | keys))


@pytest.fixture
def engine(world):
    """Builds the transformers engine of the made generator, or of another model, with other recipe keys."""

    def build(model: str = "generator", **keys) -> TransformersEngine:
        return load_engine(fetch(str(world / model), "model"), recipe(**keys), CPU)

    return build


def test_the_same_seed_writes_the_same_and_another_seed_something_else(engine):
    draw = engine(batch_size=16)
    one, same, other = (draw.sample(PROMPT, 40, seed) for seed in (0, 0, 1))
    assert len(one) == 40
    assert one == same
    assert one != other


def test_completions_longer_than_the_models_positions_are_refused(engine):
    """The base has 256, of which the prompt takes some."""
    with pytest.raises(UserError, match=r"max_new_tokens 256 takes \d+ tokens, more than the model's 256 positions"):
        engine(max_new_tokens=256)


def test_completions_end_with_the_end_marker_or_at_the_limit(engine):
    drawing = engine(max_new_tokens=9)
    for text in drawing.sample(PROMPT, 64, seed=0):
        tokens = len(drawing.tokenizer(text, add_special_tokens=False)["input_ids"])
        assert text.endswith(END_MARKER) or tokens == 9
        assert text.count(END_MARKER) <= 1


def test_a_row_does_not_depend_on_the_rows_beside_it(engine):
    """The base looks back at all that it has written. Batches of 4 rows wait for one another, one of 100 does not."""
    rows = []
    for size in (1, 4, 9, 100):
        drawing = engine("base", batch_size=size, max_new_tokens=40, temperature=0.7)
        drawing.ends = torch.arange(0, 400, 16)  # else random weights would hardly end a row
        rows.append(drawing.sample(PROMPT, 30, seed=3))
    assert len({len(text) for text in rows[0]}) > 8
    assert all(others == rows[0] for others in rows)


def test_a_longer_limit_changes_no_row_that_has_ended(engine):
    short, long = (engine(max_new_tokens=limit).sample(PROMPT, 50, seed=3) for limit in (7, 40))
    ended = [text for text in short if text.endswith(END_MARKER)]
    assert 10 < len(ended) < 50
    assert all(text == other for text, other in zip(short, long) if text in ended)
    assert all(other.startswith(text) for text, other in zip(short, long))


def pairs_of_tokens(engine, rows: int) -> Counter:
    """How often each token follows another in completions."""
    following = Counter()
    for text in engine.sample(PROMPT, rows, seed=0):
        ids = engine.tokenizer(text, add_special_tokens=False)["input_ids"]
        following.update(itertools.pairwise(engine.tokenizer.convert_ids_to_tokens(ids)))
    return following


def test_the_distribution_is_that_of_the_model(engine):
    """Next tokens of 400 completions against the probabilities that the generator was made of."""
    following = pairs_of_tokens(engine(batch_size=128), rows=400)
    for token in ("Ġthe", "Ġa", "Ġw"):
        seen = [following[token, name] for name in TEMPLATE[token]]
        assert sum(seen) > 100
        expected = [sum(seen) * probability for probability in TEMPLATE[token].values()]
        assert chisquare(seen, expected).pvalue > 0.001
    assert all(name in TEMPLATE[token] for token, name in following)


def test_the_kind_of_attention_changes_no_text(engine):
    drawing = engine("base", max_new_tokens=20)
    texts = drawing.sample(PROMPT, 20, seed=0)
    drawing.model.set_attn_implementation("sdpa")
    assert drawing.sample(PROMPT, 20, seed=0) == texts


def test_top_k_takes_the_likeliest_token_only(engine):
    assert len(set(engine(top_k=1, max_new_tokens=20).sample(PROMPT, 30, seed=0))) == 1


def test_a_low_temperature_takes_the_likeliest_token(engine):
    texts = engine(temperature=0.01, max_new_tokens=20).sample(PROMPT, 30, seed=0)
    assert not any("w w" in text for text in texts)


def test_top_p_leaves_the_tail_out(engine):
    """Behind `a`, the end marker has a fifth of the probability; behind `w`, another w three tenths."""
    texts = engine(top_p=0.7).sample(PROMPT, 60, seed=0)
    assert all("Hypothesis:" in text for text in texts if END_MARKER in text)


# The server


@pytest.fixture
def served(world, server):
    """Builds the server engine of the same generator with other recipe keys."""

    def build(**keys):
        keys = {"engine": "server", "server_url": server.url, "server_model": NAME, "max_new_tokens": 40} | keys
        return load_engine(fetch(str(world / "generator"), "model"), recipe(**keys), CPU)

    return build


def test_both_engines_draw_from_one_distribution(engine, served):
    """The server's rows come from transformers' own `generate`."""
    ours, theirs = pairs_of_tokens(engine(), rows=100), pairs_of_tokens(served(), rows=100)
    for token in ("Ġthe", "Ġa", "Ġw"):
        counts = [[following[token, name] for name in TEMPLATE[token]] for following in (ours, theirs)]
        assert min(map(sum, counts)) > 50
        assert chi2_contingency(counts).pvalue > 0.001
    assert theirs.keys() <= ours.keys() | {(token, name) for token in TEMPLATE for name in TEMPLATE[token]}


def test_both_engines_write_the_likeliest_text_alike(engine, served):
    keys = {"temperature": 0.01, "max_new_tokens": 20}
    assert served(**keys).sample(PROMPT, 2, seed=0) == engine(**keys).sample(PROMPT, 2, seed=0)


def test_a_server_is_asked_for_what_the_recipe_says(served, server):
    drawing = served(temperature=0.7, top_p=0.9, top_k=5, max_new_tokens=20, batch_size=3)
    server.asked.clear()
    one, again = drawing.sample(PROMPT, 6, seed=1), drawing.sample(PROMPT, 6, seed=1)
    assert one == again
    assert server.most <= 3
    assert {asked.pop("seed") for asked in server.asked} == {row_seed(1, row) for row in range(6)}
    assert server.asked[0] == {
        "model": NAME,
        "prompt": drawing.tokenizer(PROMPT)["input_ids"],
        "temperature": 0.7,
        "top_p": 0.9,
        "top_k": 5,
        "max_tokens": 20,
        "stop": [END_MARKER],
        "min_p": 0.0,
        "repetition_penalty": 1.0,
        "include_stop_str_in_output": True,
    }
    assert all(asked == server.asked[0] for asked in server.asked)
    served()
    assert server.asked[-1]["top_k"] == -1


def test_every_row_of_every_shard_has_a_seed_of_its_own():
    assert len({row_seed(seed, row) for seed in range(300) for row in range(300)}) == 300 * 300


def test_whether_a_server_keeps_to_seeds_is_described(served, server):
    assert served().description == {
        "engine": "server",
        "url": server.url,
        "model": NAME,
        "version": "0.33.0",
        "same_seed_same_text": True,
    }
    server.ignored = {"seed"}
    assert served().description["same_seed_same_text"] is False


def test_a_server_of_another_model_is_refused_with_what_to_start(served, server, world):
    server.name = "base-model"
    command = rf"vllm serve {world / 'generator'} --served-model-name generator-[0-9a-f]{{12}}`"
    with pytest.raises(UserError, match=rf"offers base-model, and not generator-[0-9a-f]{{12}}\. Start .*{command}"):
        served(server_model=None)
    assert not server.asked


def test_a_server_that_ignores_what_it_is_asked_is_refused(served, server):
    server.ignored = {"include_stop_str_in_output"}
    with pytest.raises(UserError, match=r"None of 4 completions .* holds the end marker"):
        served()
    server.ignored = {"top_k"}
    with pytest.raises(UserError, match="ignores top_k"):
        served(top_k=2)
    served()


def test_a_server_with_a_lower_limit_is_refused(served, server):
    drawing = served()
    server.faults = [choice(text=" Premise: a", finish_reason="length")]
    with pytest.raises(UserError, match=r"cuts completions at \d+ tokens, before max_new_tokens, 40\."):
        drawing.sample(PROMPT, 1, seed=0)


def test_an_adapter_is_not_asked_of_a_server(server, tmp_path):
    (tmp_path / "adapter_config.json").write_text("{}")
    with pytest.raises(UserError, match=r"is an adapter, .* Merge it with scripts/merge_generator\.py"):
        load_engine(fetch(str(tmp_path), "model"), recipe(engine="server", server_url=server.url), CPU)
