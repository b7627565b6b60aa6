"""Recipes of what is made of artifacts: grids and reports, audits, checks of a dataset, releases."""

from __future__ import annotations

import dataclasses

from blindspots.config.keys import key, seed_key
from blindspots.config.test_set_keys import TestSetSources


@dataclasses.dataclass(kw_only=True)
class GridRecipe:
    """The axes of a grid, shared by the workflow and the report."""

    starts: list[int] = key("rows of each start; 0 is a random head", [0, 5000, 10000, 20000, 100000, 391722])
    kinds: list[str] = key("kinds of augmentation set", ["original", "synthetic", "biased_synthetic"])
    sizes: list[int] = key("rows of each augmentation set", [18020, 36040, 73080])
    seeds: list[int] = seed_key(
        "training seeds, one per replicate; with generators, start_draws or own_sets each selects those as well", [0]
    )
    generators: list[str] = key(
        "names of several generators: replicate r is tuned on rows of the (r mod generators)-th", []
    )
    generator_rows: int | None = key("rows that each of several generators is tuned on, drawn for it", None, minimum=1)
    start_draws: int | None = key(
        "starts with rows of their own: replicate r continues the ((r div generators) mod start_draws)-th; by default "
        "every replicate has its own start, all on the same rows",
        None,
        minimum=1,
    )
    own_sets: bool = key("draw the augmentation sets of each start and replicate separately, not once for all", False)
    external: dict[str, str] = key(
        "synthetic sets made elsewhere, name: Hub id, folder or file, for kinds external_<name>; the name synthetic "
        "stands for the generator's own set, synthetic-<generator> for that of one of several",
        {},
    )


@dataclasses.dataclass(kw_only=True)
class ReportRecipe(TestSetSources, GridRecipe):
    """Figure, tables and claims of a grid, from its predictions alone."""

    output_dir: str = key("folder of the report; an earlier report there is replaced whole")
    models: str | None = key("folder that holds one model artifact per start and cell", None)
    kept: str | None = key(
        "folder of an earlier report, to be made again from its predictions.parquet; beside models, of those that are "
        "not there",
        None,
    )
    points: str | None = key("CSV of digitised points to report on in place of models; the axes are its own", None)
    original: str | None = key("prepared MNLI for Table 1, a Hub id, folder or file", None)
    synthetic: list[str] | None = key(
        "raw synthetic dataset for Table 1, a Hub id, folder or file; of several generators each, in their order", None
    )
    table1_counts: str | None = key("CSV of Table 1's counts, in place of original and synthetic", None)
    raw_rows: int = key(
        "rows of each label of each synthetic dataset that the page shows, drawn at random", 20, minimum=0
    )
    title: str = key("title of the figure and the page", "Accuracy after tuning further on each augmentation set")


@dataclasses.dataclass(kw_only=True)
class AuditRecipe:
    """First-order audit of an NLI dataset against a reference."""

    output_dir: str = key("folder of the audit, replaced whole; <artifact>/audit shows in that artifact's card")
    dataset: str = key("dataset to audit, a Hub id, folder or file")
    dataset_config: str | None = key("config of dataset", None)
    dataset_revision: str | None = key("commit or tag of dataset", None)
    dataset_split: str = key("split of dataset", "train")
    premise_column: str = key("column of dataset that holds the premise", "premise")
    hypothesis_column: str = key("column of dataset that holds the hypothesis", "hypothesis")
    label_column: str = key("column of dataset that holds the label", "label")
    label_names: dict[str, str] = key("our name of each label of dataset, such as {0: entailment, n: neutral}", {})
    reference: str = key("dataset to compare with, a Hub id, folder or file")
    reference_config: str | None = key("config of reference", None)
    reference_revision: str | None = key("commit or tag of reference", None)
    reference_split: str = key("split of reference", "train")
    reference_premise_column: str = key("column of reference that holds the premise", "premise")
    reference_hypothesis_column: str = key("column of reference that holds the hypothesis", "hypothesis")
    reference_label_column: str = key("column of reference that holds the label", "label")
    reference_label_names: dict[str, str] = key("our name of each label of reference", {})
    match_labels: bool = key(
        "audit rows of dataset, drawn by seed, that have the reference's shares of labels, instead of all rows", False
    )
    mnli: str | None = key("MultiNLI, a Hub id or folder: are its train or validation_matched rows in dataset?", None)
    mnli_revision: str | None = key("commit or tag of mnli", None)
    hans: str | None = key("HANS, a Hub id, folder or file: are its validation rows in dataset?", None)
    hans_revision: str | None = key("commit or tag of hans", None)
    label_model: str | None = key("task model whose agreement with the labels is measured, a Hub id or folder", None)
    label_model_revision: str | None = key("commit or tag of label_model", None)
    label_model_rows: int = key("sampled rows of each set that label_model predicts", 1000, minimum=1)
    eval_batch_tokens: int = key("tokens of one evaluation batch, padding included", 8192, minimum=1)
    sample_rows: int = key("rows of each set that are sampled for what is not counted on all rows", 20000, minimum=1)
    self_bleu_texts: int = key("texts of one group of self-BLEU; its value depends on it", 100, minimum=2)
    near_threshold: float = key("Jaccard share of words and word pairs from which on a text is a near duplicate", 0.7)
    top_ngrams: int = key("n-grams shown for each label", 10, minimum=1)
    seed: int = seed_key("seed of the samples, folds and resamples", 0)


@dataclasses.dataclass(kw_only=True)
class CheckRecipe:
    """Does tuning on a dataset make models less robust than tuning on as many original rows?"""

    datasets: list[str] = key("datasets to check, side by side: Hub ids (org/name@commit), folders or files")
    dataset_config: str | None = key("config of the datasets", None)
    dataset_split: str = key("split of the datasets; a file is whichever is asked for", "train")
    premise_column: str = key("column of the datasets that holds the premise", "premise")
    hypothesis_column: str = key("column of the datasets that holds the hypothesis", "hypothesis")
    label_column: str = key("column of the datasets that holds the label", "label")
    label_names: dict[str, str] = key(
        "our name of each label of the datasets, such as {0: entailment, n: neutral}", {}
    )
    model: str = key("folder of recipes/ whose recipes make the starts, the sets and the tuned models")
    starts: list[int] = key("rows of each start; a difference is the mean over them", minimum=0)
    size: int = key("rows that each model is tuned on, equally many of each label", minimum=3)
    looks: list[int] = key(
        "seeds after which a verdict may be given, declared before the first", [3, 5, 8, 12], minimum=2
    )
    headlines: list[str] = key("accuracies that are judged, such as hans_lo_non_entailment; by default all", [])
    margin: float = key("a headline that is lower by more than this is harmed", 0.02)
    margins: dict[str, float] = key("other margins of single headlines, such as {hans_lo_non_entailment: 0.1}", {})
    alpha: float = key("chance of a false verdict of harm, and of a false one of no harm, over all looks", 0.05)
    biased: bool = key(
        "also tune on original rows drawn with a planted bias, which the check should find to harm", False
    )
    stop_at_verdict: bool = key("stop once each dataset has a verdict, though some headlines are undecided", False)
    explain: bool = key("after the verdict, find the rows that do the harm by tuning without groups of them", False)
    explain_seeds: int = key("seeds of each set without a group", 6, minimum=2)
    max_seeds: int | None = key("no look with more seeds than this", None, minimum=2)
    max_minutes: float | None = key("no further look that would probably end later than this", None)
    audit: bool = key("audit each dataset against the original rows", True)
    hub_namespace: str | None = key("user or organisation that released models of original rows", None)
    hub_tag: str | None = key(
        "tag of that release: prepared rows, starts and models of original rows are fetched where they were released "
        "from the same recipes and inputs",
        None,
    )
    cores: int | None = key("CPU cores of the workflow; by default all", None, minimum=1)
    workflow_arguments: str | None = key(
        "further arguments of snakemake, such as --profile profiles/slurm or --config base=FOLDER", None
    )
    output_dir: str | None = key("folder of the verdict; by default outputs/checks/<names of the datasets>", None)


@dataclasses.dataclass(kw_only=True)
class ReleaseRecipe:
    """A release: every artifact below a folder and the evaluate modules, under one tag."""

    action: str = key("what to do", choices=("plan", "push", "verify", "collect"))
    folder: str | None = key("folder of artifacts, for plan and push; verify and collect look at the Hub alone", None)
    modules: str = key("folder of evaluate modules, each pushed as a Space", "evaluate_modules")
    hub_namespace: str = key("user or organisation on the Hub")
    hub_tag: str = key("tag of the release, never moved, such as v1.0")
    hub_private_repo: bool = key("make repos and collection private", False)
    title: str = key("title of the collection, before the tag", "NLI blindspots")


@dataclasses.dataclass(kw_only=True)
class ReproduceRecipe(GridRecipe):
    """One cell of a released grid, made or evaluated again."""

    start: int = key("rows of the start", minimum=0)
    kind: str = key("kind of augmentation set")
    size: int = key("rows of the augmentation set", minimum=1)
    seed: int | None = seed_key("seed of training; by default the grid's first", None)
    model: str | None = key("first part of the repos' names; by default the folder of the grid's recipe", None)
    hub_namespace: str = key("user or organisation that released the grid")
    hub_tag: str = key("tag of the release")
    from_release: bool = key("do not tune: evaluate the released model again and require equal predictions", False)
    points: str = key("CSV of the paper's points", "results/paper/figure1_points.csv")
    launch: str = key("what runs the scripts, such as accelerate launch --num_processes 2", "python")
    output_dir: str | None = key(
        "folder of the result; by default outputs/reproduced/<model>-<cell>, and with from_release <that>-evaluated",
        None,
    )


@dataclasses.dataclass(kw_only=True)
class PublishedRecipe:
    """Runs that differ in their seed, compared with published means over seeds."""

    models: str = key("folder that holds one model artifact per seed")
    source: str = key("where the published numbers stand")
    runs: int = key("runs that they are means of", minimum=2)
    scores: dict[str, dict] = key("mean and sd of each score, such as {hans: {mean: .567, sd: .024}}")
