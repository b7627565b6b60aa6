"""The demo corpus: an MNLI-like and a HANS-like data set, the same rows for the same seed."""

import zlib
from collections.abc import Iterator, Mapping
from random import Random

from datasets import ClassLabel, Dataset, DatasetDict, Features, Value

from blindspots.config.errors import UserError
from blindspots.data.heuristics import lexical_overlap
from blindspots.data.nli import CONTRADICTION, ENTAILMENT, HANS_LABELS, LABELS, NEUTRAL
from blindspots.demo.challenge import SUBCASES, Subcase, shape_word, template
from blindspots.demo.grammar import Sentence, Wording, realise
from blindspots.demo.lexicon import CONCEPTS
from blindspots.demo.meaning import relation
from blindspots.demo.premises import GENRES, is_doubtful, premise
from blindspots.demo.rewrites import hypothesis

MNLI_FEATURES = Features(
    {
        "promptID": Value("int32"),
        "pairID": Value("string"),
        "premise": Value("string"),
        "hypothesis": Value("string"),
        "genre": Value("string"),
        "label": ClassLabel(names=list(LABELS)),
    }
)
HANS_FEATURES = Features(
    {
        "premise": Value("string"),
        "hypothesis": Value("string"),
        "label": ClassLabel(names=list(HANS_LABELS)),
        "heuristic": Value("string"),
        "subcase": Value("string"),
        "template": Value("string"),
    }
)
# Share of the premises that leave a clause open or deny it.
DOUBTFUL_SHARE = 0.075
# Share of a label's hypotheses that only use words of their premise, for sure premises and for doubtful ones, which
# are mostly answered in their own words. With words stripped of punctuation 6.0% of entailed pairs then overlap, and
# 90% of overlapping pairs are entailed; in 18,012 rows of MNLI these are 6.4% and 90% (results/audits).
OverlapShare = Mapping[bool, Mapping[str, float]]
OVERLAP_SHARE: OverlapShare = {
    False: {ENTAILMENT: 0.04, NEUTRAL: 0.002, CONTRADICTION: 0.002},
    True: {ENTAILMENT: 0.25, NEUTRAL: 0.06, CONTRADICTION: 0.06},
}
LONGEST_PREMISE, LONGEST_HYPOTHESIS = 14, 16  # words, full stop included
_TRIES = 20


def mnli_like(
    train_rows: int, matched_rows: int, seed: int, overlap_share: OverlapShare = OVERLAP_SHARE
) -> DatasetDict:
    """Splits `train` and `validation_matched` in MNLI's schema, three hypotheses per premise, one of each label.

    No pair occurs twice, in a split or across splits, nor in `hans_like` of any seed. Where a number of rows is no
    multiple of three, the last premise lacks hypotheses.
    """
    sizes = {"train": train_rows, "validation_matched": matched_rows}
    splits = {}
    for split, rows in sizes.items():
        columns = {name: [] for name in MNLI_FEATURES}
        for prompt, triple in enumerate(_triples(split, rows, Random(f"{split} {seed}"), overlap_share)):
            for label, (premise_text, hypothesis_text, genre) in triple.items():
                row = (prompt, f"{prompt}{label[0]}", premise_text, hypothesis_text, genre, label)
                for name, value in zip(MNLI_FEATURES, row):
                    columns[name].append(value)
        splits[split] = Dataset.from_dict({name: c[:rows] for name, c in columns.items()}, features=MNLI_FEATURES)
    return DatasetDict(splits)


def hans_like(rows: int, seed: int) -> Dataset:
    """A challenge set in HANS's schema: equal rows of each heuristic and label.

    Within them, subcases have equal rows; a remainder goes to the first ones. Raises UserError for fewer rows than
    there are subcases.
    """
    if rows < len(SUBCASES):
        raise UserError(
            f"The HANS-like set has {len(SUBCASES)} subcases; raise hans_rows, {rows}, to as many or more."
        )
    slices: dict[tuple[str, str], list[Subcase]] = {}
    for subcase in SUBCASES:
        slices.setdefault((subcase.heuristic, subcase.label), []).append(subcase)
    columns = {name: [] for name in HANS_FEATURES}
    for slice_rows, subcases in zip(_shares(rows, len(slices)), slices.values()):
        for subcase_rows, subcase in zip(_shares(slice_rows, len(subcases)), subcases):
            for row in _challenge_rows(subcase, subcase_rows, Random(f"{subcase.name} {seed}")):
                for name, value in zip(HANS_FEATURES, row):
                    columns[name].append(value)
    return Dataset.from_dict(columns, features=HANS_FEATURES)


def split_of(premise_text: str) -> str:
    """The only split that may hold a premise, so that no seed leaks a pair from one split into another."""
    part = zlib.crc32(premise_text.lower().encode()) % 8
    return {0: "hans", 1: "validation_matched"}.get(part, "train")


def wording(rng: Random, kept: dict[str, str] | None = None) -> tuple[Wording, dict[str, str]]:
    """A choice of words, made as they are needed, and the record of it; the kept ones stay."""
    chosen = dict(kept or {})

    def word(concept: str) -> str:
        if concept not in chosen:
            chosen[concept] = rng.choice(CONCEPTS[concept].words)
        return chosen[concept]

    return word, chosen


def _triples(
    split: str, rows: int, rng: Random, overlap_share: OverlapShare
) -> Iterator[dict[str, tuple[str, str, str]]]:
    seen: set[str] = set()
    made = 0
    doubtful = rng.random() < DOUBTFUL_SHARE
    while made < rows:
        genre = rng.choice(sorted(GENRES))
        sentence = premise(rng, genre, doubtful)
        word, chosen = wording(rng)
        text = realise(sentence, word)
        if text in seen or split_of(text) != split or len(text.split()) > LONGEST_PREMISE:
            continue
        hypotheses = _hypotheses(rng, sentence, text, chosen, overlap_share)
        if hypotheses:
            seen.add(text)
            made += len(LABELS)
            doubtful = rng.random() < DOUBTFUL_SHARE
            yield {label: (text, hypotheses[label], genre) for label in LABELS}


def _hypotheses(
    rng: Random, sentence: Sentence, text: str, chosen: dict[str, str], overlap_share: OverlapShare
) -> dict[str, str] | None:
    """One hypothesis a label, or None where the tries for one run out."""
    shares = overlap_share[is_doubtful(sentence)]
    found = {label: _hypothesis(rng, sentence, text, chosen, label, shares[label]) for label in LABELS}
    return found if all(found.values()) else None


def _hypothesis(
    rng: Random, sentence: Sentence, text: str, chosen: dict[str, str], label: str, overlap_share: float
) -> str | None:
    overlap = rng.random() < overlap_share
    for _ in range(_TRIES):
        guess = hypothesis(rng, sentence, label)
        word, _ = wording(rng, chosen if overlap else None)
        guess_text = realise(guess, word)
        fits = len(guess_text.split()) <= LONGEST_HYPOTHESIS and guess_text != text
        if fits and lexical_overlap(text, guess_text) == overlap and relation(sentence, guess) == label:
            return guess_text
    return None


def _shares(total: int, parts: int) -> list[int]:
    return [total // parts + (part < total % parts) for part in range(parts)]


def _challenge_rows(subcase: Subcase, rows: int, rng: Random) -> Iterator[tuple[str, ...]]:
    seen: set[tuple[str, str]] = set()
    while len(seen) < rows:
        one, two = subcase.pair(rng)
        word, _ = wording(rng)
        pair = realise(one, word), realise(two, word)
        if pair not in seen and split_of(pair[0]) == "hans":
            seen.add(pair)
            yield (*pair, subcase.label, subcase.heuristic, subcase.name, template(realise(one, shape_word)))
