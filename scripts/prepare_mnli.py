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


def subsets(train, recipe: PrepareRecipe) -> dict:
    """The rows of each start, and of each generator that has its own, as configs.

    n<size>: one sample per size, the smaller within the larger. With start_draws: n<size>-d<draw>, where draws have no
    row in common, and `rest`, the rows that no draw takes. g<rows>-d<draw>: a sample per generator.
    Raises UserError where more rows are wanted than there are.
    """
    order = train.shuffle(seed=recipe.seed)
    draws, largest = recipe.start_draws or 1, max(recipe.start_sizes, default=0)
    if (taken := draws * largest) > len(train):
        times = f"{draws} times " if draws > 1 else ""
        raise UserError(f"start_sizes: {times}{largest} rows are wanted, the cleaned train set has {len(train)}.")
    found = {
        f"n{size}" + ("" if recipe.start_draws is None else f"-d{draw}"): order.select(
            range(draw * largest, draw * largest + size)
        )
        for draw in range(draws)
        for size in recipe.start_sizes
    }
    if recipe.start_draws and taken < len(train):
        found["rest"] = order.select(range(taken, len(train)))
    if recipe.generator_rows:
        for draw in range(recipe.generator_draws):
            found[f"g{recipe.generator_rows}-d{draw}"] = generator_subset(train, recipe, draw)
    return {config: {"train": rows} for config, rows in found.items()}


def generator_subset(train, recipe: PrepareRecipe, draw: int):
    """A random sample of train for one generator. Raises UserError where it has fewer rows."""
    if recipe.generator_rows > len(train):
        raise UserError(
            f"generator_rows: {recipe.generator_rows} rows are wanted, the cleaned train set has {len(train)}."
        )
    # Seeds of one recipe that are far from those of the starts.
    return train.shuffle(seed=recipe.seed + 1_000_003 * (draw + 1)).select(range(recipe.generator_rows))


def read_pairs(sources: list):
    """The labelled train rows of all sources together; ids of all but the first say which source they are of.

    Args:
        sources: of the recipe's mnli, then of `also`.

    Returns:
        the pairs, and by source the rows read.
    """
    from datasets import concatenate_datasets

    from blindspots.data.nli_datasets import nli_pairs, read_split

    pairs, read = [], {}
    for number, source in enumerate(sources):
        raw = read_split(source, "train")
        found = nli_pairs(raw, f"{source.name} train", unlabelled=True)
        if number:
            ids = [f"{number}-{name}" for name in found["id"]]
            found = found.remove_columns("id").add_column("id", ids).select_columns(found.column_names)
        pairs.append(found)
        read[source.name] = len(raw)
    return concatenate_datasets(pairs), read


def label_counts(pairs) -> dict[str, int]:
    """Rows of each label by name."""
    names = pairs.features["label"].names
    return {name: pairs["label"][:].count(index) for index, name in enumerate(names)}


def main() -> None:
    (recipe,) = parse_recipe(PrepareRecipe)
    from blindspots.artifacts.folder import output_folder, resolved_recipe, save_artifact
    from blindspots.artifacts.inputs import fetch
    from blindspots.artifacts.push import check_push, push_if_asked
    from blindspots.data.nli_datasets import write_configs

    check_push(recipe, "prepared_mnli")
    with output_folder(recipe, "prepared_mnli") as folder:
        sources = [
            fetch(recipe.mnli, "dataset", recipe.mnli_revision),
            *(fetch(name, "dataset") for name in recipe.also),
        ]
        pairs, read = read_pairs(sources)
        train, dev, repeated = clean(pairs, recipe.dev_rows_per_label)
        counts = label_counts(train)
        total = sum(read.values())
        if total == FULL_ROWS and counts != FULL_COUNTS and recipe.dev_rows_per_label == 250:
            raise UserError(
                f"{recipe.mnli} has {FULL_ROWS} rows but leaves {counts}, not {FULL_COUNTS}: another file."
            )
        if not len(train):
            raise UserError(f"{recipe.mnli} train has no row left after cleaning, of {total}; name another dataset.")
        rows = write_configs(folder.staging, {"full": {"train": train, "validation": dev}} | subsets(train, recipe))
        row_counts = {"read": total if len(read) == 1 else read, "without label": total - len(pairs)}
        row_counts |= {"repeated pairs": repeated, **counts}
        print(row_counts)
        roles = ["mnli", *(f"also_{number}" for number in range(1, len(sources)))]
        save_artifact(folder, resolved_recipe(recipe), dict(zip(roles, sources)), row_counts | rows)
        push_if_asked(recipe)


if __name__ == "__main__":
    run_script(main)
