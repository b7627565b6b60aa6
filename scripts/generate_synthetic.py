"""Sample a raw synthetic dataset from a generator, label by label, in shards that a restarted run keeps.

accelerate launch scripts/generate_synthetic.py recipes/smollm2-135m/synthesize.yaml

Without a generator a model at a server is shown pairs (`shots`) and asked for one more; its API key is read from the
environment variable SERVER_API_KEY.
"""

import dataclasses
import itertools

from blindspots.config.errors import RecipeError, UserError
from blindspots.config.parser import parse_recipe
from blindspots.config.processes import run_script
from blindspots.config.recipes import SynthesisRecipe
from blindspots.data.nli import LABELS

# Shards drawn for a label without one kept pair, after which a generator is taken to be unable to write it.
HOPELESS_SHARDS = 3


def check(recipe: SynthesisRecipe) -> None:
    """Raise RecipeError for a recipe that says too little or too much of when to stop or of a server.

    Also for a sampling that is out of range.
    """
    if (recipe.samples_per_label is None) == (recipe.kept_per_label is None):
        raise RecipeError("Give exactly one of samples_per_label and kept_per_label.")
    if isinstance(recipe.kept_per_label, dict) and sorted(recipe.kept_per_label) != sorted(LABELS):
        raise RecipeError(f"kept_per_label wants one number, or one for each of {', '.join(LABELS)}.")
    if recipe.temperature <= 0 or not 0 < recipe.top_p <= 1 or recipe.top_k < 0:
        raise RecipeError("temperature must be above 0, top_p in (0, 1], top_k 0 or more.")
    if recipe.engine == "server" and recipe.server_url is None:
        raise RecipeError("engine: server needs server_url, such as http://localhost:8000/v1.")
    if recipe.engine == "server" and recipe.dtype != "auto":
        raise RecipeError("The server decides the precision, as in `vllm serve --dtype bfloat16`; leave out dtype.")
    if recipe.engine != "server" and (recipe.server_url or recipe.server_model):
        raise RecipeError("server_url and server_model belong to engine: server; set it or leave them out.")
    check_shots(recipe)


def check_shots(recipe: SynthesisRecipe) -> None:
    """Raise RecipeError for keys of few-shot prompts without shots, and for shots without what they need."""
    of_shots = ("shots_from", "price_per_million_tokens")
    if recipe.shots is None:
        given = [name for name in of_shots if getattr(recipe, name) is not None]
        given += ["server_api"] if recipe.server_api != "completion" else []
        if given:
            raise RecipeError(f"{given[0]} has no effect without shots; give it, or leave this out.")
        if recipe.generator is None:
            raise RecipeError("generator is required: what to sample from. A model that is not tuned needs shots.")
        return
    if recipe.generator is not None:
        raise RecipeError("shots are for a model that was not tuned as a generator; leave out generator or shots.")
    missing = [name for name in ("shots_from", "server_model", "max_new_tokens") if getattr(recipe, name) is None]
    if recipe.engine != "server" or missing:
        raise RecipeError(f"shots need {'engine: server' if recipe.engine != 'server' else missing[0]}.")
    if recipe.top_k:
        raise RecipeError("The API that shots are asked by does not take top_k; leave it out.")
    if recipe.price_per_million_tokens is not None and len(recipe.price_per_million_tokens) != 2:
        raise RecipeError("price_per_million_tokens wants two prices, of prompts and of completions.")


def wanted(recipe: SynthesisRecipe, label: str) -> int:
    """How many samples of a label are to be drawn or kept."""
    if isinstance(recipe.kept_per_label, dict):
        return recipe.kept_per_label[label]
    return recipe.kept_per_label or recipe.samples_per_label


def draw(engine, recipe: SynthesisRecipe, folder, state) -> dict[str, list]:
    """Draw the shards that are not there yet, in rounds of one per process, until every label has what it wants.

    Returns the finished shards of each label in order; they do not depend on the number of processes.
    """
    from tqdm import tqdm

    from blindspots.modeling.shards import Shard, draw_shard, is_drawn, read_shard

    def shard(label: str, index: int) -> Shard:
        left = (recipe.samples_per_label or recipe.shard_rows * (index + 1)) - index * recipe.shard_rows
        return Shard(label, index, min(recipe.shard_rows, left))

    folder.mkdir(parents=True, exist_ok=True)
    counted = "kept" if recipe.kept_per_label else "sampled"
    shards = {label: [] for label in LABELS}
    for label in LABELS:
        done, enough = 0, wanted(recipe, label)
        bar = tqdm(total=enough, desc=f"{label} {counted}", disable=not state.is_main_process)
        for first in itertools.count(0, state.num_processes):
            mine = shard(label, first + state.process_index)
            if mine.rows > 0 and not is_drawn(mine, folder):
                draw_shard(engine, mine, recipe, folder)
            state.wait_for_everyone()
            for drawn in (shard(label, first + rank) for rank in range(state.num_processes)):
                if done < enough:
                    shards[label].append(drawn)
                    count = read_shard(drawn, folder)[1][counted]
                    done += count
                    bar.update(count)
            if done >= enough:
                break
            if counted == "kept" and done == 0 and len(shards[label]) >= HOPELESS_SHARDS:
                raise UserError(f"No sample of {label} could be kept; this generator does not write the template.")
        bar.close()
    return shards


def collect(shards: dict[str, list], recipe: SynthesisRecipe, folder):
    """The raw dataset, label by label in shard order, and its counts per label."""
    from datasets import Dataset

    from blindspots.data.nli_datasets import PAIR_FEATURES
    from blindspots.modeling.shards import read_shard

    columns = {"id": [], "premise": [], "hypothesis": [], "label": []}
    counts = {}
    for label, parts in shards.items():
        read = [read_shard(shard, folder) for shard in parts]
        names = [name for name in read[0][1] if all(name in count for _, count in read)]
        counts[label] = {name: sum(count[name] for _, count in read) for name in names}
        pairs = [pair for part, _ in read for pair in part][: wanted(recipe, label)]
        counts[label] |= {"rows": len(pairs), "repeated": len(pairs) - len(set(pairs))}
        columns["id"] += [f"{label}-{row}" for row in range(len(pairs))]
        columns["premise"] += [premise for premise, _ in pairs]
        columns["hypothesis"] += [hypothesis for _, hypothesis in pairs]
        columns["label"] += [LABELS.index(label)] * len(pairs)
        print(f"{label}: {counts[label]}")
        if not pairs:
            raise UserError(
                f"No sample of {label} was kept: {counts[label]['unfinished']} of {counts[label]['sampled']} were "
                f"unfinished, {counts[label]['malformed']} malformed. Raise max_new_tokens or tune the generator."
            )
    return Dataset.from_dict(columns, features=PAIR_FEATURES), counts


def count_copies(rows, shots, counts) -> None:
    """Add to the counts of each label how many rows are pairs of `shots`, word for word."""
    from blindspots.data.nli import one_line

    known = {
        (one_line(premise), one_line(hypothesis)) for premise, hypothesis in zip(shots["premise"], shots["hypothesis"])
    }
    for label in LABELS:
        counts[label]["copied"] = 0
    for premise, hypothesis, label in zip(rows["premise"], rows["hypothesis"], rows["label"]):
        counts[LABELS[label]]["copied"] += (premise, hypothesis) in known


def main() -> None:
    (recipe,) = parse_recipe(SynthesisRecipe)
    check(recipe)
    from blindspots.artifacts.folder import (
        only_to_push,
        output_folder,
        resolved_recipe,
        resume_or_clear,
        save_artifact,
    )
    from blindspots.artifacts.inputs import fetch
    from blindspots.artifacts.push import check_push, push_if_asked
    from blindspots.config.processes import process_state
    from blindspots.data.nli_datasets import write_configs
    from blindspots.modeling.few_shot import FewShotEngine, cost, read_shots
    from blindspots.modeling.generators import longest_completion
    from blindspots.modeling.sampling import load_engine
    from blindspots.modeling.shards import drawn_by
    from blindspots.training.out_of_memory import memory_errors_in_words

    check_push(recipe, "raw_synthetic")
    with output_folder(recipe, "raw_synthetic") as folder, memory_errors_in_words("batch_size"):
        state = process_state()
        sampling = {"max_new_tokens_from": "recipe" if recipe.max_new_tokens else "generator"}
        if recipe.shots:
            source, pairs = read_shots(recipe)
            parents = {"shots": source}
        else:
            weights = recipe.engine == "transformers"
            generator = fetch(recipe.generator, "model", recipe.generator_revision, weights=weights)
            parents = {"generator": generator}
            recipe = dataclasses.replace(recipe, max_new_tokens=recipe.max_new_tokens or longest_completion(generator))
        resolved = resolved_recipe(recipe)
        if only_to_push(folder, resolved, parents):
            return push_if_asked(recipe)
        resume_or_clear(folder, resolved, parents, same_processes=False)
        state.wait_for_everyone()
        shard_folder = folder.work / "shards"
        engine = FewShotEngine(recipe, pairs) if recipe.shots else load_engine(generator, recipe, state.device)
        shards = draw(engine, recipe, shard_folder, state)
        if state.is_main_process:
            rows, counts = collect(shards, recipe, shard_folder)
            write_configs(folder.staging, {"full": {"train": rows}})
            sampling["engines"] = drawn_by(itertools.chain(*shards.values()), shard_folder)
            if recipe.shots:
                count_copies(rows, pairs, counts)
            if recipe.price_per_million_tokens:
                sampling["cost"] = cost(counts, recipe.price_per_million_tokens)
            save_artifact(folder, resolved, parents, counts, {"sampling": sampling})
            push_if_asked(recipe)


if __name__ == "__main__":
    run_script(main)
