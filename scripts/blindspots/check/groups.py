"""Groups of a set's rows that might do the harm, by what the rows share."""

from collections.abc import Iterator

import numpy as np
from datasets import Dataset
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.feature_extraction.text import TfidfVectorizer

from blindspots.artifacts.inputs import Source
from blindspots.audit.classify import guessed_right, judge
from blindspots.audit.duplicates import NearIndex
from blindspots.audit.findings import NotComputedError
from blindspots.audit.rows import Batch
from blindspots.config.errors import one_line
from blindspots.data.examples import task_texts
from blindspots.data.heuristics import lexical_overlap, words
from blindspots.data.nli import LABELS
from blindspots.evaluation.prediction import predict_logits
from blindspots.modeling.classifier import load_for_evaluation

# Jaccard share from which two rows are near duplicates, as in an audit.
NEAR = 0.7
# Shares of the rows that have the shortest and the longest hypotheses.
TAIL = 0.2
# Few, since intervals are corrected for the number of groups.
CLUSTERS = 3
CLUSTER_WORDS = 3
MOST_WORDS = 20_000
LONGEST_WORD = 20


def groups(pairs: Dataset, disputed: NDArray[np.bool_], seed: int = 0) -> dict[str, NDArray[np.bool_]]:
    """Each group's name and which rows are in it, boolean of shape [rows]; groups may share rows and may be empty.

    Args:
        pairs: rows of PAIR_FEATURES.
        disputed: from `disputed_labels`.
        seed: of the folds of the classifier that sees hypotheses alone, and of the clusters.
    """
    texts = list(zip(pairs["premise"], pairs["hypothesis"]))
    labels = np.array([LABELS[label] for label in pairs["label"]])
    batch = Batch(pairs["premise"][:], pairs["hypothesis"][:], labels.tolist(), list(range(len(pairs))))
    overlap = np.array([lexical_overlap(*text, strip_punctuation=True) for text in texts], dtype=bool)
    lengths = np.array([len(words(hypothesis, strip_punctuation=True)) for _, hypothesis in texts])
    short, long = (int(np.quantile(lengths, share)) for share in (TAIL, 1 - TAIL))
    found = {f"{label} with lexical overlap": overlap & (labels == label) for label in LABELS}
    found |= {f"hypotheses of at most {short} words": lengths <= short}
    found |= {f"hypotheses of {long} words or more": lengths >= long}
    found |= {"near duplicates of an earlier row": near_duplicates(batch)}
    try:
        found["labels that the hypothesis alone gives away"] = guessed_right(batch, seed)
    except NotComputedError as why:
        print(f"labels that the hypothesis alone gives away: not a group: {why}")
    found["labels that a model of original rows disputes"] = disputed
    return found | dict(clusters(texts, seed))


def disputed_labels(pairs: Dataset, model: Source, batch_tokens: int) -> NDArray[np.bool_]:
    """Whether a task model finds another label likelier than a row's own: shape [rows]."""
    classifier = load_for_evaluation(model)
    texts = task_texts({"premise": pairs["premise"][:], "hypothesis": pairs["hypothesis"][:]}, classifier.template)
    logits = predict_logits(classifier, texts, batch_tokens, "disputed labels")
    agrees, _ = judge(logits, [LABELS[label] for label in pairs["label"]])
    return ~agrees


def clusters(texts: list[tuple[str, str]], seed: int) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Groups of rows with words in common, each named by those that tell it most from the others."""
    vectorizer = TfidfVectorizer(
        analyzer=lambda pair: words(" ".join(pair), strip_punctuation=True), max_features=MOST_WORDS, sublinear_tf=True
    )
    try:
        vectors = vectorizer.fit_transform(texts)
        of_row = KMeans(CLUSTERS, random_state=seed).fit_predict(vectors)
    except ValueError as why:  # no words, or fewer rows than clusters
        print(one_line(f"rows with words in common: not a group: {why}"))
        return
    names = vectorizer.get_feature_names_out()
    for cluster in np.unique(of_row):
        mine = of_row == cluster
        if mine.all():
            return
        told = vectors[mine].mean(axis=0) - vectors[~mine].mean(axis=0)
        first = np.argsort(-np.asarray(told).ravel(), kind="stable")[:CLUSTER_WORDS]
        shown = ", ".join(word[:LONGEST_WORD] for word in names[first])
        yield f"rows with words like {shown}", mine


def near_duplicates(rows: Batch) -> NDArray[np.bool_]:
    """Whether a row is a near duplicate of an earlier one: shape [rows]."""
    index = NearIndex(rows, NEAR)
    texts = zip(rows.premises, rows.hypotheses)
    tokens = [[words(text, strip_punctuation=True) for text in pair] for pair in texts]
    return np.array([any(place < row for place in index.near(*pair)) for row, pair in enumerate(tokens)], dtype=bool)
