"""The keys of each script's recipe, beside those of the library classes that it feeds."""

from __future__ import annotations

import dataclasses

from blindspots.config.keys import key, seed_key
from blindspots.config.test_set_keys import TestSetKeys

AUTO = "auto"
DTYPES = (AUTO, "float32", "bfloat16", "float16")


@dataclasses.dataclass(kw_only=True)
class ArtifactRecipe:
    """Keys of every script that leaves an artifact."""

    output_dir: str = key("folder of the finished artifact")
    wait_for_lock: bool = key("wait for another run that writes the same output_dir, instead of stopping", False)
    push_to_hub: bool = key("push the artifact to <hub_namespace>/<hub_name> and tag it", False)
    hub_namespace: str | None = key("user or organisation on the Hub", None)
    hub_name: str | None = key("name of the repo; by default that of output_dir", None)
    hub_tag: str | None = key("tag of the push, never moved, such as v1.0", None)
    hub_private_repo: bool = key("make the repo private", False)


@dataclasses.dataclass(kw_only=True)
class DemoRecipe(ArtifactRecipe):
    """Write one of the demo's inputs: the generated corpus in MNLI's or HANS's schema, or a tiny untrained Llama."""

    part: str = key("what to write", choices=("mnli", "hans", "base"))
    train_rows: int = key("rows of the MNLI-like train split", 40000, minimum=1)
    matched_rows: int = key("rows of the MNLI-like validation_matched split", 2000, minimum=1)
    hans_rows: int = key("rows of the HANS-like validation split", 3000, minimum=1)
    corpus: str | None = key("MNLI-like corpus that the tokenizer of the base model is trained on", None)
    seed: int = seed_key("seed of the corpus and of the model's weights", 0)


@dataclasses.dataclass(kw_only=True)
class GgufRecipe(ArtifactRecipe):
    """Write a base model from a GGUF file."""

    gguf_file: str = key("GGUF file, in the folder of package where that is given")
    gguf_sha256: str = key("hash of the file")
    package: str | None = key("installed Python package that holds the file", None)
    origin: str = key("what the weights are, for the card and for the lineage of what is tuned from them")
    license: str = key("licence of the weights, as the Hub names it")


@dataclasses.dataclass(kw_only=True)
class PrepareRecipe(ArtifactRecipe):
    """Clean MultiNLI train, cut the dev set off, sample the starting subsets."""

    mnli: str = key("MultiNLI, a Hub id, folder or file with the split train")
    mnli_revision: str | None = key("commit or tag of mnli", None)
    also: list[str] = key(
        "further pairs that people wrote, whose train rows are added: Hub ids (org/name@commit), folders or files", []
    )
    dev_rows_per_label: int = key("first rows of each label that become the dev set", 250, minimum=0)
    start_sizes: list[int] = key("rows of each starting subset", [5000, 10000, 20000, 100000], minimum=1)
    start_draws: int | None = key(
        "draw each starting subset this often, without a common row; what no draw takes becomes config rest",
        None,
        minimum=1,
    )
    generator_rows: int | None = key("rows of each generator's own subset; by default all rows", None, minimum=1)
    generator_draws: int = key("generators that have a subset of generator_rows of their own", 1, minimum=1)
    seed: int = seed_key("seed of the subsets", 42)


@dataclasses.dataclass(kw_only=True)
class PeopleKeys:
    """The rows of people that a model is tested on, beside or in place of test sets."""

    people: str | None = key(
        "dataset of prepare_sources.py whose config test, people's rows, the model predicts: Hub id or folder", None
    )
    people_revision: str | None = key("commit or tag of people", None)


@dataclasses.dataclass(kw_only=True)
class TrainingDataKeys(PeopleKeys):
    """The rows that a model is trained on."""

    train_dataset: str | None = key("dataset to train on: Hub id, folder or file; none trains nothing (start 0)", None)
    train_config: str | None = key("config of train_dataset, such as n18020", None)
    train_revision: str | None = key("commit or tag of train_dataset", None)
    dev_dataset: str | None = key("dataset with a validation split for eval_strategy, a Hub id, folder or file", None)
    dev_revision: str | None = key("commit or tag of dev_dataset", None)
    tokens_per_batch: int | None = key(
        "tokens of one training batch and process, padding included, rows of like length together; in place of "
        "per_device_train_batch_size and train_sampling_strategy",
        None,
        minimum=1,
    )
    global_batch_size: int | None = key(
        "rows of one optimiser step over all processes, or tokens where tokens_per_batch is given; from it follow the "
        "batch of a process, at most per_device_train_batch_size or tokens_per_batch, and gradient_accumulation_steps",
        None,
        minimum=1,
    )
    as_published: bool = key(
        "keep trained weights in the precision that the libraries give them, bfloat16 beside a base in bfloat16 or 4 "
        "bits, where most of a small update is rounded away; by default they are float32",
        False,
    )
    share_prefix: bool | None = key(
        "compute the tokens that rows of a batch start with in common once, and no padding; by default wherever that "
        "gives the same gradients, which the log tells",
        None,
    )
    smaller_batches: bool = key(
        "when out of memory, continue from the last checkpoint and compute each batch in pieces (the same rows per "
        "step) instead of stopping",
        False,
    )
    estimate: bool = key("only print memory, hours and the largest batch that fits, per accelerate config", False)
    estimate_tflops: float | None = key(
        "10^12 operations per second that a device reaches in training, for estimate; by default half the rate of its "
        "matrix products",
        None,
    )
    estimate_gpu_gib: float | None = key("GiB of memory of a device, for estimate; by default this machine's", None)


@dataclasses.dataclass(kw_only=True)
class TaskInputKeys:
    """How a row is written for a task model."""

    template: str | None = key(
        "text that a row is written in, with {premise} and {hypothesis}; null is a pair as the tokenizer joins it; "
        "auto what the model was tuned on, else a pair for an encoder and the paper's text for a decoder",
        AUTO,
    )


@dataclasses.dataclass(kw_only=True)
class TaskRecipe(TaskInputKeys, TestSetKeys, TrainingDataKeys, ArtifactRecipe):
    """Tune a task model: a start from a base model, or a start further on an augmentation set."""

    max_length: int = key("longest training row in tokens; longer rows are left out and counted", 512, minimum=1)
    text_columns: list[str] | None = key(
        "one or two columns of the text to classify, in place of premise and hypothesis; the labels are then those of "
        "the dataset, and two texts stand on two lines",
        None,
    )


@dataclasses.dataclass(kw_only=True)
class PreferenceRecipe(TrainingDataKeys, ArtifactRecipe):
    """Tune a reward model on texts that were chosen and rejected."""

    eval_batch_tokens: int = key("tokens of one evaluation batch, padding included", 8192, minimum=1)


@dataclasses.dataclass(kw_only=True)
class GeneratorRecipe(TrainingDataKeys, ArtifactRecipe):
    """Tune a generator on labelled pairs, or on prompts and completions."""

    prompts: bool = key("rows are prompt and completion, such as instructions, in place of labelled pairs", False)
    answer_tokens: int = key("longest answer to people's prompts, in tokens", 64, minimum=1)
    eval_batch_tokens: int = key("tokens of one evaluation batch, padding included", 8192, minimum=1)
    loss_on: str = key(
        "text: the prompt counts too, as published; completion: it does not", "text", choices=("text", "completion")
    )


@dataclasses.dataclass(kw_only=True)
class MergeRecipe(ArtifactRecipe):
    """Merge a generator's adapter into its base model."""

    generator: str = key("generator that is an adapter, a Hub id or folder")
    generator_revision: str | None = key("commit or tag of generator", None)
    dtype: str = key("precision of the merged weights; auto is the base's own", "auto", choices=DTYPES)


@dataclasses.dataclass(kw_only=True)
class SynthesisRecipe(ArtifactRecipe):
    """Sample a raw synthetic dataset from a generator."""

    generator: str | None = key("generator, a Hub id or folder; with shots there is none", None)
    generator_revision: str | None = key("commit or tag of generator", None)
    engine: str = key(
        "sampling engine: transformers, in this process; server, an OpenAI-compatible server that holds the generator",
        "transformers",
        choices=("transformers", "server"),
    )
    server_url: str | None = key("the server's API, such as http://localhost:8000/v1", None)
    server_model: str | None = key(
        "the generator's name at the server; by default its artifact's name and the first 12 digits of its content's "
        "hash, so that a server with other weights is noticed",
        None,
    )
    shots: int | None = key(
        "pairs of the label that a prompt shows, of a model at a server that was tuned for nothing", None, minimum=1
    )
    shots_from: str | None = key("dataset whose train rows are shown, a Hub id, folder or file", None)
    shots_config: str | None = key("config of shots_from, such as n5000", None)
    shots_revision: str | None = key("commit or tag of shots_from", None)
    server_api: str = key("with shots, what is asked of the server", "completion", choices=("completion", "chat"))
    price_per_million_tokens: list[float] | None = key(
        "with shots, the price of a million tokens of prompts and of completions, such as [0.15, 0.6], for the cost "
        "in lineage and card",
        None,
        minimum=0,
    )
    samples_per_label: int | None = key("samples to draw for each label, kept or not", None, minimum=1)
    kept_per_label: int | dict[str, int] | None = key(
        "draw until this many samples are kept for each label; one number, or one by label", None, minimum=1
    )
    temperature: float = key("softmax temperature", 1.0)
    top_p: float = key("nucleus: smallest probability mass to sample from", 1.0)
    top_k: int = key("sample from the k likeliest tokens; 0 is all", 0, minimum=0)
    max_new_tokens: int | None = key(
        "longest completion in tokens; by default that of the rows that the generator was trained on", None, minimum=1
    )
    seed: int = seed_key("seed; every (label, shard) derives its own from it", 0)
    shard_rows: int = key("samples of one shard, the unit that is resumed and distributed", 2048, minimum=1)
    batch_size: int = key("samples drawn at a time, or requests under way at a server", 256, minimum=1)
    dtype: str = key("precision of the generator here: float32, bfloat16, float16 or auto", "auto", choices=DTYPES)


@dataclasses.dataclass(kw_only=True)
class VariantsRecipe(ArtifactRecipe):
    """Sample one kind of augmentation set in each size."""

    kind: str = key("kind of augmentation set, such as original, synthetic, biased_synthetic or mixed_25")
    original: str | None = key("prepared MultiNLI, the pool of original rows, a Hub id, folder or file", None)
    original_revision: str | None = key("commit or tag of original", None)
    synthetic: str | None = key("synthetic dataset, the pool of the other rows, a Hub id, folder or file", None)
    synthetic_revision: str | None = key("commit or tag of synthetic", None)
    original_config: str | None = key(
        "config of original; by default full, or the only one of a set made elsewhere", None
    )
    synthetic_config: str | None = key(
        "config of synthetic; by default full, or the only one of a set made elsewhere", None
    )
    exclude_config: str | None = key("config of original, such as n5000, whose rows are left out of its pool", None)
    overlap_words: str = key(
        "words by which rows of biased sets overlap: stripped of punctuation, or raw, as published",
        "stripped",
        choices=("stripped", "raw"),
    )
    sizes: list[int] = key("rows of each set; one config per size", [18020, 36040, 73080], minimum=1)
    seed: int = seed_key("seed of the sampling; a larger set holds every row of a smaller one", 0)


@dataclasses.dataclass(kw_only=True)
class EvaluateRecipe(TaskInputKeys, TestSetKeys, ArtifactRecipe):
    """Evaluate a task model on the test sets."""

    model: str = key("task model, a Hub id or folder")
    model_revision: str | None = key("commit or tag of model", None)
    dtype: str = key("precision of the model", "auto", choices=DTYPES)
    label_names: dict[str, str] = key(
        "our name of each label of a model that names them otherwise, by its own name or number, such as "
        "{LABEL_0: entailment, LABEL_1: neutral, LABEL_2: contradiction}",
        {},
    )
