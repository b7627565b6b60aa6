"""Instructions of people and of a model in train sets of equally many tokens, and people's answers to test on."""

from typing import Any

import numpy as np
from datasets import Dataset

from blindspots.artifacts.inputs import Source, fetch
from blindspots.config.errors import RecipeError, UserError
from blindspots.config.source_recipes import CompareRecipe, PrepareSourcesRecipe
from blindspots.data.instructions import Task
from blindspots.data.nli import one_line
from blindspots.data.people_rows import TEST
from blindspots.data.source_rows import read_columns, read_rows
from blindspots.modeling.loading import load_tokenizer
from blindspots.sources.instructions import OUTPUT, tasks


def prompt(task: Task) -> str:
    """What a model is prompted with, in training and in the test: instruction, input if there is one, `Answer:`."""
    parts = [task.instruction.strip(), (task.input or "").strip()]
    return "\n\n".join([*filter(None, parts), "Answer:"])


def instruction_sets(
    recipe: PrepareSourcesRecipe, compare: CompareRecipe, source: Source, machine: str
) -> tuple[dict[str, dict[str, Dataset]], dict[str, Any]]:
    """The configs of a dataset, human-s<seed>, <machine>-s<seed> and `test`, with rows and tokens left out and used.

    Raises RecipeError for a missing key, UserError where the rows do not fit the recipes or hold too few tokens.
    """
    if not (recipe.tokenizer and recipe.train_tokens and compare.test_set):
        raise RecipeError("Instructions need tokenizer and train_tokens, and a source_set with test_set.")
    tokenizer = load_tokenizer(fetch(recipe.tokenizer, "model", weights=False))
    reference = fetch(compare.reference, "dataset", compare.reference_revision)
    tested = fetch(compare.test_set, "dataset", compare.test_set_revision)
    test = _test(recipe, compare, tested)
    unseen = {one_line(task.instruction).lower() for task in test.values()}
    pools = {
        "human": (
            read_columns(
                reference, compare.reference_split, compare.reference_config, compare.reference_fields.values()
            ),
            compare.reference_fields,
            reference.name,
        ),
        machine: (read_rows(compare, source, compare.fields.values()), compare.fields, source.name),
    }
    configs, counts = {}, {"tokens": {}}
    for number, (kind, (rows, fields, where)) in enumerate(pools.items()):
        there = tasks(rows, fields, where)
        used = {
            place: task
            for place, task in there.items()
            if task.output.strip() and one_line(task.instruction).lower() not in unseen
        }
        texts = [f"{prompt(task)} {task.output.strip()}" for task in used.values()]
        lengths = np.array([len(ids) + 1 for ids in tokenizer(texts)["input_ids"]])
        counts[f"{kind}: no answer, or an instruction of the test"] = len(there) - len(used)
        for seed in recipe.seeds:
            rng = np.random.default_rng([seed, number])
            chosen = _tokens_drawn(lengths, recipe.train_tokens, recipe.longest, rng, where)
            picked = [list(used.items())[place] for place in chosen]
            configs[f"{kind}-s{seed}"] = {"train": _dataset(dict(picked))}
            counts["tokens"][f"{kind}-s{seed}"] = int(lengths[chosen].sum())
    rng = np.random.default_rng([recipe.test_seed, 0])
    if len(test) < recipe.test_rows:
        raise UserError(f"test_rows: {recipe.test_rows} rows are wanted, there are {len(test)}.")
    places = np.sort(rng.permutation(len(test))[: recipe.test_rows])
    configs[TEST] = {TEST: _dataset(dict([list(test.items())[place] for place in places]))}
    return configs, counts


def _test(recipe: PrepareSourcesRecipe, compare: CompareRecipe, tested: Source) -> dict[int, Task]:
    """People's answers to the instructions of the test set."""
    fields = {**compare.test_set_fields, OUTPUT: recipe.test_output}
    found = tasks(read_columns(tested, compare.test_set_split, None, fields.values()), fields, tested.name)
    return {number: task for number, task in found.items() if task.output.strip()}


def _tokens_drawn(lengths: np.ndarray, tokens: int, longest: int, rng: np.random.Generator, where: str) -> np.ndarray:
    """Places of rows of at most `longest` tokens, drawn at random until no further one fits into so many tokens."""
    there = int(lengths[lengths <= longest].sum())
    if there < tokens:
        raise UserError(
            f"{where}: {tokens} train_tokens are wanted, its rows of {longest} tokens or less hold {there}."
        )
    chosen = []
    for place in rng.permutation(len(lengths)):
        if lengths[place] <= min(longest, tokens):
            chosen.append(place)
            tokens -= lengths[place]
    return np.array(chosen)


def _dataset(chosen: dict[int, Task]) -> Dataset:
    return Dataset.from_dict(
        {
            "id": [f"{number}" for number in chosen],
            "unit": [one_line(task.instruction) for task in chosen.values()],
            "prompt": [prompt(task) for task in chosen.values()],
            "completion": [f" {task.output.strip()}" for task in chosen.values()],
        }
    )
