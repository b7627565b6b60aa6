"""The demo's inputs as artifacts: the corpus in both schemas, and the base model made for its words."""

import pytest
from datasets import load_dataset
from transformers import AutoModelForCausalLM, AutoTokenizer

from blindspots.config.errors import RecipeError, UserError


def test_corpus_and_base_model_load_without_our_code(script, tmp_path):
    small = ("--train_rows", 90, "--matched_rows", 30, "--hans_rows", 60)
    for part in ("mnli", "hans"):
        script("make_demo_inputs", "--part", part, "--output_dir", tmp_path / part, *small)
    script("make_demo_inputs", "--part", "base", "--corpus", tmp_path / "mnli", "--output_dir", tmp_path / "base")
    mnli = load_dataset(str(tmp_path / "mnli"), cache_dir=str(tmp_path / "cache"))
    assert {split: len(rows) for split, rows in mnli.items()} == {"train": 90, "validation_matched": 30}
    hans = load_dataset(str(tmp_path / "hans"), split="validation", cache_dir=str(tmp_path / "cache"))
    assert {"heuristic", "subcase"} <= set(hans.column_names)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "base")
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "base")
    assert model.config.pad_token_id == tokenizer.pad_token_id != tokenizer.eos_token_id
    assert len(tokenizer) <= model.config.vocab_size


@pytest.mark.parametrize(
    ("corpus", "said"),
    [
        ("premise\tlabel\nA dog ran.\tneutral\n", "has no column hypothesis; it has premise, label"),
        ("premise\thypothesis\nA dog ran.\t \n", "row 0: the hypothesis is empty or not text"),
    ],
)
def test_a_tokenizer_is_trained_on_texts_alone(script, tmp_path, corpus, said):
    (tmp_path / "corpus.tsv").write_text(corpus)
    words = ("--part", "base", "--corpus", tmp_path / "corpus.tsv", "--output_dir", tmp_path / "base")
    with pytest.raises(UserError, match=said):
        script("make_demo_inputs", *words)


def test_a_base_model_needs_a_corpus(script, tmp_path):
    with pytest.raises(RecipeError, match="part base needs corpus"):
        script("make_demo_inputs", "--part", "base", "--output_dir", tmp_path / "base")
