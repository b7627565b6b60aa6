"""What classifiers say of the labels: how far the hypothesis alone gives them away, how far a task model agrees."""

from collections import Counter

import numpy as np
from scipy.special import softmax
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline

from blindspots.artifacts.inputs import Source
from blindspots.audit.findings import NotComputedError, Section, share
from blindspots.audit.rows import Batch, shown_name
from blindspots.audit.tally import Tally
from blindspots.audit.text import unigrams_and_bigrams
from blindspots.config.analysis_recipes import AuditRecipe
from blindspots.data.examples import task_texts
from blindspots.data.nli import LABELS, NON_ENTAILMENT, fold_for_hans
from blindspots.data.nli_datasets import NO_LABEL

FOLDS = 5
MOST_ROWS_PER_LABEL = 3_000
DISPUTED = 10


def balanced(sample: Batch, labels: list[str], size: int) -> Batch:
    """The first `size` rows of each label."""
    places = [[row for row, name in enumerate(sample.labels) if name == label][:size] for label in labels]
    return sample.select([row for part in places for row in part])


def hypothesis_only(sample: Batch, reference: Batch, counts: Tally, other: Tally, seed: int) -> Section:
    """Cross-validated accuracy of a classifier that sees no premise (Gururangan et al. 2018; Poliak et al. 2018).

    Equally many rows of each label and of both sets, so that chance is 1 / labels and size plays no part; rows of one
    premise stay in one fold. Raises NotComputedError for fewer than two labels or rows of a label than folds.
    """
    labels = counts.require_labels(several=True)
    same = {*other.labels} == {*labels} and not other.why_unlabelled
    sizes = [Counter(sample.labels)[label] for label in labels]
    sizes += [Counter(reference.labels)[label] for label in labels] if same else []
    size = min(*sizes, MOST_ROWS_PER_LABEL)
    if size < FOLDS:
        raise NotComputedError(f"a label has {size} rows in the sample, {FOLDS} folds need as many")
    section = Section(
        f"Accuracy of logistic regression on tf-idf of the hypothesis' words and word pairs, {FOLDS}-fold "
        f"cross-validated, {size:,} rows of each of {len(labels)} labels (chance {1 / len(labels):.3f}); rows of one "
        "premise are in one fold."
    )
    section.details = {"rows_per_label": size, "chance": 1 / len(labels), "folds": FOLDS}
    right = [
        guessed_right(balanced(batch, labels, size), seed) for batch in ((sample, reference) if same else (sample,))
    ]
    n = size * len(labels)
    section.findings.append(share("all", int(right[0].sum()), n, (int(right[1].sum()), n) if same else None))
    for place, label in enumerate(labels):
        part = [int(one[place * size : (place + 1) * size].sum()) for one in right]
        section.findings.append(share(label, part[0], size, (part[1], size) if same else None))
    if not same:
        section.notes.append(f"The reference is not computed: its labels are {', '.join(other.labels) or 'unknown'}.")
    return section


def guessed_right(rows: Batch, seed: int) -> np.ndarray:
    """Whether each row's label is guessed by a classifier trained on the other folds: shape [rows]."""
    model = make_pipeline(
        TfidfVectorizer(analyzer=unigrams_and_bigrams, min_df=2, sublinear_tf=True),
        LogisticRegression(C=2.0, max_iter=1000, tol=1e-3),
    )
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
    labels = np.array(rows.labels)
    try:
        guesses = cross_val_predict(model, rows.hypotheses, labels, groups=rows.premises, cv=folds)
    except ValueError as error:
        raise NotComputedError(f"the hypothesis-only classifier can't be trained: {error}") from None
    return guesses == labels


def label_noise(sample: Batch, reference: Batch, counts: Tally, recipe: AuditRecipe, model: Source | None) -> Section:
    """How often a named task model gives a row its label, and the rows that it disputes most.

    Raises NotComputedError where no model is named or no row is labelled.
    """
    if model is None:
        raise NotComputedError("no task model is named; name one with label_model")
    counts.require_labels()
    from blindspots.evaluation.prediction import predict_logits, rehearse
    from blindspots.modeling.classifier import load_for_evaluation, require_task_model

    require_task_model(model)
    classifier = load_for_evaluation(model)
    rehearse(classifier, {})
    judged = []
    for batch in (sample, reference):
        rows = batch.select(
            [row for row, label in enumerate(batch.labels) if label != NO_LABEL][: recipe.label_model_rows]
        )
        texts = task_texts({"premise": rows.premises, "hypothesis": rows.hypotheses}, classifier.template)
        logits = (
            predict_logits(classifier, texts, recipe.eval_batch_tokens, "label noise") if texts else np.empty((0, 3))
        )
        judged.append((rows, *judge(logits, rows.labels)))
    (rows, agrees, _), (other, other_agrees, _) = judged
    section = Section(
        f"Agreement of a task model with the labels of {len(rows):,} sampled rows (reference: {len(other):,}). It "
        "disagrees where the label is wrong and where it is; the reference's share tells the two apart.",
        notes=[f"The task model is {shown_name(model)}."],
    )
    for label in ("all", *counts.labels):
        part = [_agreed(batch.labels, right, label) for batch, right in ((rows, agrees), (other, other_agrees))]
        if part[0][1]:
            section.findings.append(share(f"agrees, {label}", *part[0], part[1]))
    section.tables["most disputed rows"] = disputed(*judged[0], classifier_labels(rows.labels))
    return section


def classifier_labels(labels: list[str]) -> tuple[str, ...]:
    """The classes that predictions are counted in: HANS's two where a row is labelled non-entailment."""
    return (LABELS[0], NON_ENTAILMENT) if NON_ENTAILMENT in labels else LABELS


def judge(logits: np.ndarray, labels: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Whether each row's label is the likeliest, shape [rows], and the probabilities of `classifier_labels`."""
    probabilities = softmax(logits.astype(float), axis=1)
    classes = classifier_labels(labels)
    if len(classes) == 2:
        probabilities = np.stack([probabilities[:, 0], probabilities[:, 1:].sum(axis=1)], axis=1)
        labels = [fold_for_hans(label) for label in labels]
    likeliest = [classes[i] for i in probabilities.argmax(axis=1)] if len(labels) else []
    return np.array([guess == label for guess, label in zip(likeliest, labels)], dtype=bool), probabilities


def _agreed(labels: list[str], agrees: np.ndarray, label: str) -> tuple[int, int]:
    mine = np.array([label in ("all", name) for name in labels], dtype=bool)
    return int(agrees[mine].sum()), int(mine.sum())


def disputed(rows: Batch, agrees: np.ndarray, probabilities: np.ndarray, classes: tuple[str, ...]) -> list[dict]:
    """The rows whose label has the least probability, least first."""
    given = [label if label in classes else fold_for_hans(label) for label in rows.labels]
    mine = np.array([row[classes.index(label)] for row, label in zip(probabilities, given)])
    worst = [int(row) for row in np.argsort(mine, kind="stable") if not agrees[row]][:DISPUTED]
    return [
        {
            "row": rows.numbers[row],
            "premise": rows.premises[row],
            "hypothesis": rows.hypotheses[row],
            "label": rows.labels[row],
            "model": classes[int(probabilities[row].argmax())],
            "probability of the label": float(mine[row]),
        }
        for row in worst
    ]
