"""Whether one NLI model is more accurate than another on the same rows, over one seed or several."""

import datasets
import evaluate
import numpy as np
import pandas as pd

from .module_inputs import CheckedInputs, plain_values
from .nli import LABELS, NON_ENTAILMENT, fold_for_hans
from .statistics import crossed_interval, mcnemar_exact, seeds_for_power

ALLOWED = (*LABELS, NON_ENTAILMENT)

_DESCRIPTION = """\
Compares the accuracy of two NLI models on the same rows: the difference (first minus second) with an interval and p
over clusters of rows (premises on MNLI, subcases on HANS) and, where each model was trained from several seeds, over
seeds too, McNemar's exact test, and the number of seeds that a difference of the observed size would need to be found
with 80% power.
"""

_KWARGS_DESCRIPTION = """
Args:
    predictions1, predictions2 (`list` of `str`): labels predicted by the two models, by name.
    references (`list` of `str`): gold labels, by name. On HANS, whose gold labels are entailment and non-entailment,
        neutral and contradiction count as non-entailment.
    clusters (`list`, optional): what each row belongs to, e.g. its premise or its HANS subcase. Without it every row
        is taken for independent of the others.
    seeds (`list`, optional): the training seed behind each row's predictions; the rows of the test set are repeated
        for each seed, in the same order.
    paired_seeds (`bool`, optional): True where a seed means the same start or data for both models, False where the
        seeds of the two have nothing to do with each other.
    seed_sd (`float`, optional): standard deviation over seeds to plan with where there is one seed only: of the
        difference if `paired_seeds`, else of one model's accuracy.
    level (`float`, optional): of the interval, 0.95.
    power (`float`, optional): to plan for, 0.8.

All but the first three are given to `compute` itself, not to `add_batch`.

Returns:
    accuracy1, accuracy2 (`float`): over all rows and seeds.
    difference, low, high, p (`float`): accuracy1 minus accuracy2, its interval and two-sided p.
    mcnemar (`list` of `dict`): for each seed, only_first and only_second (rows that only one model has right) and the
        exact p. It holds for these two trained models, not for other seeds.
    n, n_clusters, n_seeds (`int`): rows of the test set, clusters, seeds (of each model).
    seed_sd (`float`): standard deviation over seeds, of the difference or, unpaired, of one model; None for one seed.
    seeds_needed (`int`): seeds (of each model) that find the observed difference with the given power at level
        1 - `level`; None for one seed without `seed_sd` and for a difference of zero.

Raises ValueError for columns of different length, a missing value, an unknown label, and seeds with different rows.

Examples:
    >>> import evaluate
    >>> paired = evaluate.load("evaluate_modules/paired_accuracy")
    >>> results = paired.compute(
    ...     predictions1=["entailment", "neutral", "contradiction", "neutral"],
    ...     predictions2=["entailment", "neutral", "entailment", "entailment"],
    ...     references=["entailment", "neutral", "contradiction", "neutral"],
    ...     clusters=["a", "a", "b", "c"],
    ... )
    >>> results["difference"], results["mcnemar"][0]["p"], results["n_clusters"]
    (0.5, 0.5, 3)
"""

_CITATION = """\
@article{mcnemar-1947-note,
  title = {Note on the sampling error of the difference between correlated proportions or percentages},
  author = {McNemar, Quinn},
  journal = {Psychometrika},
  volume = {12},
  number = {2},
  pages = {153--157},
  year = {1947},
  doi = {10.1007/BF02295996}
}
@article{cameron-gelbach-miller-2011-robust,
  title = {Robust inference with multiway clustering},
  author = {Cameron, A. Colin and Gelbach, Jonah B. and Miller, Douglas L.},
  journal = {Journal of Business \& Economic Statistics},
  volume = {29},
  number = {2},
  pages = {238--249},
  year = {2011},
  doi = {10.1198/jbes.2010.07136}
}
@inproceedings{mccoy-etal-2020-berts,
  title = {{BERT}s of a feather do not generalize together: Large variability in generalization across models with
    similar test set performance},
  author = {McCoy, R. Thomas and Min, Junghyun and Linzen, Tal},
  booktitle = {Proceedings of the Third BlackboxNLP Workshop on Analyzing and Interpreting Neural Networks for NLP},
  pages = {217--227},
  year = {2020},
  doi = {10.18653/v1/2020.blackboxnlp-1.21}
}
"""


class PairedAccuracy(CheckedInputs, evaluate.Comparison):
    """See the module's inputs description for arguments, result and errors."""

    def _info(self) -> evaluate.ComparisonInfo:
        return evaluate.ComparisonInfo(
            description=_DESCRIPTION,
            citation=_CITATION,
            inputs_description=_KWARGS_DESCRIPTION,
            features=datasets.Features(
                {name: datasets.Value("string") for name in ("predictions1", "predictions2", "references")}
            ),
            reference_urls=["https://aclanthology.org/2020.blackboxnlp-1.21"],
        )

    def _compute(
        self,
        predictions1,
        predictions2,
        references,
        clusters=None,
        seeds=None,
        paired_seeds=True,
        seed_sd=None,
        level=0.95,
        power=0.8,
    ) -> dict:
        rows = checked_rows(predictions1, predictions2, references, clusters, seeds)
        by_seed = [part for _, part in rows.groupby("seed", sort=False)]
        require_same_rows(by_seed)
        first, second = (np.stack([part[name] for part in by_seed]) for name in ("right1", "right2"))
        groups = by_seed[0]["cluster"]
        effect = crossed_interval(
            first, second, groups, paired=paired_seeds or len(by_seed) == 1, bound=1, level=level
        )
        if len(by_seed) > 1:
            seed_sd = spread(first, second, paired_seeds)
        needed = None
        if seed_sd is not None:
            needed = seeds_for_power(effect.estimate, seed_sd, power, 1 - level, paired_seeds)
        return {
            "accuracy1": float(first.mean()),
            "accuracy2": float(second.mean()),
            "difference": effect.estimate,
            "low": effect.low,
            "high": effect.high,
            "p": effect.p,
            "mcnemar": [mcnemar(part) for part in by_seed],
            "n": len(groups),
            "n_clusters": groups.nunique(),
            "n_seeds": len(by_seed),
            "seed_sd": seed_sd,
            "seeds_needed": needed,
        }


def checked_rows(predictions1, predictions2, references, clusters, seeds) -> pd.DataFrame:
    """One row per pair of predictions: right1, right2, reference, cluster, seed. Raises ValueError for a bad row."""
    n = len(references)
    columns = {"predictions1": predictions1, "predictions2": predictions2, "references": references}
    columns["clusters"] = range(n) if clusters is None else clusters
    columns["seeds"] = [0] * n if seeds is None else seeds
    columns = {name: plain_values(column) for name, column in columns.items()}
    for name, column in columns.items():
        if len(column) != n:
            raise ValueError(f"There are {len(column)} {name} for {n} references.")
    rows = pd.DataFrame(columns)
    if rows.isna().any(axis=None):
        name = rows.columns[rows.isna().any()][0]
        raise ValueError(f"Row {rows[name].isna().idxmax()} has no value in {name}.")
    for name in ("predictions1", "predictions2", "references"):
        bad = rows.loc[~rows[name].isin(ALLOWED), name]
        if len(bad):
            raise ValueError(f"Row {bad.index[0]}: {name} {bad.tolist()[0]!r} is not one of {', '.join(ALLOWED)}.")
    if clusters is None and seeds is not None:
        rows["clusters"] = rows.groupby("seeds").cumcount()
    return pd.DataFrame(
        {
            "right1": is_right(rows["predictions1"], rows["references"]),
            "right2": is_right(rows["predictions2"], rows["references"]),
            "reference": rows["references"],
            "cluster": rows["clusters"],
            "seed": rows["seeds"],
        }
    )


def is_right(predictions: pd.Series, references: pd.Series) -> pd.Series:
    """Equal by name, folded to HANS's two labels where the gold label is non-entailment."""
    folded = predictions.map(fold_for_hans)
    return predictions.where(references != NON_ENTAILMENT, folded) == references


def require_same_rows(by_seed: list[pd.DataFrame]) -> None:
    """Raise ValueError unless every seed has the same rows in the same order."""
    first = by_seed[0][["reference", "cluster"]].reset_index(drop=True)
    for part in by_seed[1:]:
        if not first.equals(part[["reference", "cluster"]].reset_index(drop=True)):
            raise ValueError(
                f"Seed {part['seed'].iloc[0]} has other rows than seed {by_seed[0]['seed'].iloc[0]}; "
                "give the same test set for every seed, in the same order."
            )


def spread(first: np.ndarray, second: np.ndarray, paired_seeds: bool) -> float:
    """Standard deviation over seeds (shape [seeds, rows] both): of the difference, or pooled of one model."""
    accuracies = first.mean(axis=1), second.mean(axis=1)
    if paired_seeds:
        return float(np.std(accuracies[0] - accuracies[1], ddof=1))
    return float(np.sqrt(np.mean([np.var(accuracy, ddof=1) for accuracy in accuracies])))


def mcnemar(rows: pd.DataFrame) -> dict:
    """The rows of one seed that only one of the models has right, with the exact p."""
    only_first, only_second = (
        int((rows["right1"] & ~rows["right2"]).sum()),
        int((rows["right2"] & ~rows["right1"]).sum()),
    )
    p = mcnemar_exact(only_first, only_second)
    return {"seed": rows["seed"].tolist()[0], "only_first": only_first, "only_second": only_second, "p": p}
