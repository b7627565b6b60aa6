"""How varied the hypotheses are, which n-grams go with a label, and whether two sets share a language at all."""

from collections import Counter

import numpy as np
from sacrebleu.metrics import BLEU
from scipy.stats import norm
from sklearn.feature_extraction.text import CountVectorizer

from blindspots.audit.findings import LEVEL, Moments, NotComputedError, Section, mean, share
from blindspots.audit.rows import Batch
from blindspots.audit.tally import Tally
from blindspots.data.heuristics import words
from blindspots.data.nli_datasets import NO_LABEL

ORDERS = (1, 2, 3)
CHUNK = 5_000
FEWEST_NGRAMS = 50
# Chunks of n-grams and groups of texts that an interval is computed over: at least the first, at most the second.
PARTS = 5
MOST_PARTS = 20
COMMON_WORDS = 50
FEW_SHARED = 0.2
PRIOR_WORDS = 1_000.0
FEWEST_COUNT = 5


def ngrams(text: str, order: int) -> list[str]:
    """The n-grams of a text's stripped words, joined by single spaces."""
    tokens = words(text, strip_punctuation=True)
    return [" ".join(tokens[start : start + order]) for start in range(len(tokens) - order + 1)]


def unigrams_and_bigrams(text: str) -> list[str]:
    """What a hypothesis is described by, here and for the hypothesis-only classifier."""
    return ngrams(text, 1) + ngrams(text, 2)


def comparability(sample: Batch, reference: Batch, names: tuple[str, str]) -> Section:
    """How many of a set's commonest words are among the reference's: next to none in another language."""
    common = [
        {
            word
            for word, _ in Counter(w for text in batch.hypotheses for w in words(text, True)).most_common(COMMON_WORDS)
        }
        for batch in (sample, reference)
    ]
    if not all(common):
        raise NotComputedError("a set has no words in its hypotheses")
    section = Section(f"Of the {COMMON_WORDS} commonest hypothesis words, the share that is among the reference's.")
    section.findings = [share("shared common words", len(common[0] & common[1]), len(common[0]))]
    if section.findings[0].value.estimate < FEW_SHARED:
        section.notes.append(
            f"{names[0]} and {names[1]} share few common words: they are in different languages or of very different "
            "domains, and every comparison of texts below measures that before anything else."
        )
    return section


def diversity(sample: Batch, reference: Batch, self_bleu_texts: int) -> Section:
    """distinct-1/2/3 (Li et al. 2016) and self-BLEU (Zhu et al. 2018) of the hypotheses of two samples."""
    texts = sample.hypotheses, reference.hypotheses
    section = Section(
        f"Hypotheses of samples of {len(texts[0]):,} and {len(texts[1]):,} rows. distinct-n: different n-grams among "
        "equally many n-grams of both sets (so that length plays no part), mean over chunks of a random order. "
        "self-BLEU: mean BLEU of each text against the others of its group (sacrebleu, effective order); higher is "
        "less varied. Intervals over chunks and groups."
    )
    for order in ORDERS:
        grams = [[gram for text in column for gram in ngrams(text, order)] for column in texts]
        size = min(CHUNK, *(len(column) // PARTS for column in grams))
        if size < FEWEST_NGRAMS:
            section.notes.append(
                f"distinct-{order} not computed: fewer than {PARTS * FEWEST_NGRAMS} n-grams in a set."
            )
            continue
        values = [distinct(column, size) for column in grams]
        section.findings.append(mean(f"distinct-{order} of {size:,} n-grams", *map(Moments.of, values)))
    size = min(self_bleu_texts, *(len(column) // PARTS for column in texts))
    if size < 2:
        section.notes.append(f"self-BLEU not computed: fewer than {2 * PARTS} texts in a set.")
        return section
    values = [self_bleu(column, size) for column in texts]
    section.findings.append(mean(f"self-BLEU in groups of {size}", *map(Moments.of, values)))
    return section


def distinct(grams: list[str], size: int) -> list[float]:
    """Share of different n-grams in each whole chunk of `size`, at most MOST_PARTS chunks."""
    return [len(set(grams[start : start + size])) / size for start in range(0, len(grams) - size + 1, size)][
        :MOST_PARTS
    ]


def self_bleu(texts: list[str], size: int) -> list[float]:
    """Mean self-BLEU (0 to 1) of each of the first groups of `size` texts."""
    metric = BLEU(effective_order=True)
    groups = [texts[start : start + size] for start in range(0, len(texts) - size + 1, size)][:PARTS]
    return [
        float(np.mean([metric.sentence_score(text, group[:i] + group[i + 1 :]).score for i, text in enumerate(group)]))
        / 100
        for group in groups
    ]


def label_ngrams(sample: Batch, reference: Batch, counts: Tally, other: Tally, top: int) -> Section:
    """The n-grams of hypotheses most tied to each label: log-odds with an informative Dirichlet prior.

    Source: Monroe, Colaresi & Quinn (2008), equations 16 and 22. Raises NotComputedError for fewer than two labels.
    """
    labels = counts.require_labels(several=True)
    section = Section(
        f"Unigrams and bigrams of {len(sample):,} hypotheses: log-odds of a label's against the other labels' "
        "(Monroe et al. 2008), with the n-gram's share in both sets as prior, worth "
        f"{PRIOR_WORDS:,.0f} n-grams; the {top} with the largest z of each label, and the log-odds of the same n-gram "
        "in the reference.",
        "log-odds",
    )
    vectorizer = CountVectorizer(analyzer=unigrams_and_bigrams, min_df=min(FEWEST_COUNT, max(1, len(sample) // 100)))
    try:
        matrix = vectorizer.fit_transform(sample.hypotheses)
    except ValueError:
        raise NotComputedError("no n-gram occurs often enough") from None
    theirs = vectorizer.transform(reference.hypotheses)
    grams = vectorizer.get_feature_names_out()
    prior = np.asarray(matrix.sum(axis=0) + theirs.sum(axis=0), dtype=float).ravel()
    prior *= PRIOR_WORDS / prior.sum()
    comparable = set(labels) <= set(other.labels) and len(other.labels) > 1
    if not comparable:
        section.notes.append("The reference's log-odds are not computed: its labels are others.")
    for label in labels:
        inside, outside = _counts(matrix, sample.labels, label)
        odds, error = log_odds(inside, outside, prior)
        same = log_odds(*_counts(theirs, reference.labels, label), prior)[0] if comparable else None
        margin = float(norm.ppf((1 + LEVEL) / 2)) * error
        section.tables[label] = [
            {
                "n-gram": str(grams[i]),
                "log-odds": float(odds[i]),
                "low": float(odds[i] - margin[i]),
                "high": float(odds[i] + margin[i]),
                "z": float(odds[i] / error[i]),
                "count": int(inside[i]),
                "count elsewhere": int(outside[i]),
                "reference": None if same is None else float(same[i]),
            }
            for i in np.argsort(-odds / error, kind="stable")[:top]
            if odds[i] > 0
        ]
    return section


def _counts(matrix, labels: list[str], label: str) -> tuple[np.ndarray, np.ndarray]:
    """Counts of each n-gram in the rows of a label and in the rows of the other labels."""
    mine = np.array([name == label for name in labels])
    rest = np.array([name not in (label, NO_LABEL) for name in labels])
    return tuple(np.asarray(matrix[rows].sum(axis=0), dtype=float).ravel() for rows in (mine, rest))


def log_odds(inside: np.ndarray, outside: np.ndarray, prior: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Log-odds ratio of each n-gram and its standard error, all of shape [n-grams].

    Source: Monroe et al. (2008), equation 16 and the variance 1 / (y_i + a) + 1 / (y_j + a) of equation 20.
    """
    first, second = inside + prior, outside + prior
    odds = np.log(first / (first.sum() - first)) - np.log(second / (second.sum() - second))
    return odds, np.sqrt(1 / first + 1 / second)
