"""Free text: planted differences by group, shared starts, cut lengths, false discoveries, and a classifier."""

import numpy as np
import pytest
from made_sources import claim, found, text_rows
from scipy import stats
from transformers import LlamaConfig, LlamaForSequenceClassification

from blindspots.config.errors import UserError
from blindspots.config.source_recipes import CompareRecipe
from blindspots.data.text_style import MEASURES, WORDS
from blindspots.sources.free_text import FreeText, pairs_of

KEYS = {
    "data_type": "free_text",
    "unit": ["prompt"],
    "sources": {"human": "people", "machine": "machine"},
    "group_columns": ["model"],
}


def test_planted_differences_are_found_in_their_group_only(compared):
    comparison = compared(text_rows(), **KEYS)
    for model, supported in (("formal", "supported"), ("alike", "undecided")):
        for how in ("fewer informal cues", "more abstract nouns"):
            one = claim(comparison, f"Text of {model} is more formal than people's: {how}")
            assert one["verdict"] == supported, (model, how)
    informal = found(comparison, "style", "formal: informal cues per 100 words, beside people")
    assert informal["difference"]["high"] < 0
    assert informal["n"] == 60
    assert len(comparison["sections"]["style"]["findings"]) == 2 * len(MEASURES)


def test_a_shared_start_says_nothing_of_either(compared):
    start = "Dear friend, I'm so glad that you can't see us! "
    rows = text_rows()
    longer = rows.assign(people=start + rows["people"], machine=start + rows["machine"])
    plain, stripped, whole = (
        compared(texts, **KEYS, shared_prefix=strip)["sections"]["style"]["findings"]
        for texts, strip in ((rows, True), (longer, True), (longer, False))
    )
    assert stripped == plain
    assert whole != plain


def test_where_a_text_was_cut_to_the_others_length_words_are_not_compared(compared):
    section = compared(text_rows(), **KEYS, cut_to_length=True)["sections"]["style"]
    assert not [one for one in section["findings"] if f": {WORDS}," in one["what"]]
    assert section["notes"][0] == "words: not computed, one text was cut to the length of the other."


def test_copies_that_look_cut_are_told(compared):
    rows = text_rows(300)
    rows["machine"] = rows["machine"].str[:80]
    section = compared(rows, **KEYS)["sections"]["style"]
    assert "formal: the machine's texts look cut at a length; do not compare words." in section["notes"]


def test_units_that_repeat_widen_the_interval(compared):
    rows = text_rows(40)
    rows = rows.loc[np.repeat(rows.index, 5)].reset_index(drop=True)
    together, alone = compared(rows, **KEYS), compared(rows, **(KEYS | {"unit": []}))
    for wide, narrow in zip(together["sections"]["style"]["findings"], alone["sections"]["style"]["findings"]):
        assert wide["estimate"] == pytest.approx(narrow["estimate"])
        assert wide["high"] - wide["low"] >= narrow["high"] - narrow["low"]


@pytest.fixture
def texts() -> FreeText:
    recipe = CompareRecipe(output_dir="out", dataset="x", **KEYS)
    return FreeText(recipe, pairs_of(recipe, text_rows()))


def test_q_is_scipys_and_the_level_of_a_claim_allows_for_all_differences(texts):
    p = [effect.p for effect in texts.effects.values()]
    q = stats.false_discovery_control(p)
    assert list(texts.q.values()) == pytest.approx(q.tolist())
    assert texts.claim_level == pytest.approx(1 - 0.05 * (q <= 0.05).sum() / len(p))
    assert texts.claim_level > 0.95


def test_a_difference_is_that_of_a_paired_t_test(texts):
    machine, people, _ = texts.values["formal", "letters per word"]
    theirs = stats.ttest_rel(machine, people)
    ours = texts.effects["formal", "letters per word"]
    assert ours.estimate == pytest.approx((machine - people).mean())
    limits = theirs.confidence_interval(0.95)
    assert (ours.low, ours.high) == pytest.approx((limits.low, limits.high), abs=0.02)


def test_too_few_pairs_are_no_group(compared):
    section = compared(text_rows(4), **KEYS)["sections"]["style"]
    assert section == {"not_computed": "no group has five pairs of two units"}


def test_a_classifier_that_the_recipe_names_measures_too(compared, world, tmp_path):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(world / "base")
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=64,
        id2label={0: "informal", 1: "formal"},
        pad_token_id=tokenizer.pad_token_id,
    )
    LlamaForSequenceClassification(config).save_pretrained(tmp_path / "formality")
    tokenizer.save_pretrained(tmp_path / "formality")
    keys = KEYS | {"formality_model": str(tmp_path / "formality")}
    comparison = compared(text_rows(20), **keys)
    score = found(comparison, "style", "formal: formality by the model, beside people")
    assert 0 < score["estimate"] < 1
    assert claim(comparison, "Text of formal is more formal than people's: by a classifier")["corrected"] is not None
    with pytest.raises(UserError, match="has the labels informal, formal; name the formal one with formality_label"):
        compared(text_rows(20), **keys, formality_label="FORMAL")
