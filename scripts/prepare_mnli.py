"""Clean MultiNLI's training set, cut the dev set off and sample the starting subsets.

python scripts/prepare_mnli.py recipes/smollm2-135m/prepare.yaml
"""

from blindspots.config.errors import UserError
from blindspots.config.parser import parse_recipe
from blindspots.config.processes import run_script
from blindspots.config.recipes import PrepareRecipe

# Read in the authors' code (untakenJ/synthetic-data-blindspot): rows in, and rows left of each label.
FULL_ROWS = 392_702
FULL_COUNTS = {"entailment": 130_541, "neutral": 130_573, "contradiction": 130_608}


def clean(pairs, dev_rows_per_label: int):
    """Split labelled MNLI rows into train and dev as the paper's authors did.

    All copies of a (premise, hypothesis) that occurs more than once are dropped; the first `dev_rows_per_label` rows
    of each label that is left become dev.

    Args:
        pairs: Dataset of PAIR_FEATURES.
        dev_rows_per_label: rows per label of the dev set.

    Returns:
        train, dev and the number of dropped copies.
    """
    frame = pairs.select_columns(["premise", "hypothesis", "label"]).to_pandas()
    repeated = frame.duplicated(["premise", "hypothesis"], keep=False)
    kept = frame[~repeated]
    is_dev = kept.groupby("label").cumcount() < dev_rows_per_label
    return pairs.select(kept.index[~is_dev]), pairs.select(kept.index[is_dev]), int(repeated.sum())


def starting_subsets(train, sizes: list[int], seed: int) -> dict:
    """One random sample of train a size, as config n<size>. Raises UserError for a size above the pool."""
    subsets = {}
    for size in sizes:
        if size > len(train):
            raise UserError(f"start_sizes: {size} rows are wanted, the cleaned train set has {len(train)}.")
        subsets[f"n{size}"] = {"train": train.shuffle(seed=seed).select(range(size))}
    return subsets


def label_counts(pairs) -> dict[str, int]:
    """Rows of each label by name."""
    names = pairs.features["label"].names
    return {name: pairs["label"][:].count(index) for index, name in enumerate(names)}


def main() -> None:
    (recipe,) = parse_recipe(PrepareRecipe)
    from blindspots.artifacts.folder import output_folder, resolved_recipe, save_artifact
    from blindspots.artifacts.inputs import fetch
    from blindspots.artifacts.push import check_push, push_if_asked
    from blindspots.data.nli_datasets import nli_pairs, read_split, write_configs

    check_push(recipe, "prepared_mnli")
    with output_folder(recipe, "prepared_mnli") as folder:
        source = fetch(recipe.mnli, "dataset", recipe.mnli_revision)
        raw = read_split(source, "train")
        pairs = nli_pairs(raw, f"{source.name} train", unlabelled=True)
        train, dev, repeated = clean(pairs, recipe.dev_rows_per_label)
        counts = label_counts(train)
        if len(raw) == FULL_ROWS and counts != FULL_COUNTS and recipe.dev_rows_per_label == 250:
            raise UserError(
                f"{source.name} has {FULL_ROWS} rows but leaves {counts}, not {FULL_COUNTS}: another file."
            )
        if not len(train):
            raise UserError(
                f"{source.name} train has no row left after cleaning, of {len(raw)}; name another dataset."
            )
        configs = {"full": {"train": train, "validation": dev}}
        configs |= starting_subsets(train, recipe.start_sizes, recipe.seed)
        rows = write_configs(folder.staging, configs)
        row_counts = {"read": len(raw), "without label": len(raw) - len(pairs), "repeated pairs": repeated, **counts}
        print(row_counts)
        save_artifact(folder, resolved_recipe(recipe), {"mnli": source}, row_counts | rows)
        push_if_asked(recipe)


if __name__ == "__main__":
    run_script(main)
