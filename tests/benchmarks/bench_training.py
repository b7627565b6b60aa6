"""Training beside stock Trainer with random batches and dynamic padding, and beside a bare PyTorch loop."""

import copy
import statistics
import tempfile
import time

import numpy as np
import torch
from datasets import Dataset
from peft import LoraConfig, get_peft_model
from scipy import stats
from side_by_side import Result, alternate, computed_tokens, matmul_parameters, mnli, padding_share
from transformers import (
    DataCollatorWithPadding,
    LlamaForCausalLM,
    LlamaForSequenceClassification,
    Trainer,
    TrainerCallback,
    TrainingArguments,
)
from transformers.optimization import get_cosine_schedule_with_warmup
from trl import SFTConfig, SFTTrainer

from blindspots.data.examples import generator_examples, task_texts
from blindspots.data.nli import LABELS
from blindspots.data.nli_datasets import nli_pairs
from blindspots.demo.base_model import tiny_base
from blindspots.demo.corpus import mnli_like
from blindspots.modeling.token_tree import TreeCollator, accept_trees
from blindspots.training.run import computes_bf16
from blindspots.training.samplers import TokenBatchSampler
from blindspots.training.trainers import GeneratorTrainer, TaskTrainer

BATCH = 32
ROWS = 256
LAYERS = 4  # of the base model: four leave time for three turns
REPEATS = 3
GENERATOR_ROWS, GENERATOR_BATCH = 96, 16
SEEDS = range(5)


def run(base, tokenizer, rate: float) -> list[Result]:
    """The training section of the table; `rate` in operations per second."""
    data = mnli("train").filter(lambda row: row["label"] >= 0, load_from_cache_file=False).shuffle(seed=0)
    rows = encoded(data.select(range(ROWS)), tokenizer)
    model = classifier(base, tokenizer, LAYERS)
    return [
        *throughput(model, tokenizer, rows, rate),
        generator_throughput(base, tokenizer, nli_pairs(data.select(range(GENERATOR_ROWS)), "MNLI")),
        *half_precision(model, tokenizer, rows.select(range(ROWS // 2))),
        *trajectories(),
    ]


def classifier(base, tokenizer, layers: int) -> LlamaForSequenceClassification:
    """A task model with a random head on the first layers of a base model."""
    config = copy.deepcopy(base.config)
    config.num_hidden_layers, config.num_labels = layers, len(LABELS)
    config.pad_token_id = tokenizer.pad_token_id
    torch.manual_seed(0)
    return with_weights_of(base, LlamaForSequenceClassification(config))


def causal_model(base, layers: int) -> LlamaForCausalLM:
    """The first layers of a base model with its head."""
    config = copy.deepcopy(base.config)
    config.num_hidden_layers = layers
    return with_weights_of(base, LlamaForCausalLM(config))


def with_weights_of(base, model):
    """A shallower model with the weights of a base model's backbone."""
    weights = {name: value for name, value in base.model.state_dict().items() if name in model.model.state_dict()}
    model.model.load_state_dict(weights)
    return model


def encoded(data: Dataset, tokenizer) -> Dataset:
    """Token ids and labels of NLI rows."""
    return Dataset.from_dict({**tokenizer(task_texts(data)), "labels": data["label"]})


def arguments(
    folder: str, seed: int = 0, kind: type[TrainingArguments] = TrainingArguments, batch: int = BATCH, **others
) -> TrainingArguments:
    """One epoch on the CPU, nothing saved."""
    return kind(
        folder,
        per_device_train_batch_size=batch,
        num_train_epochs=1,
        learning_rate=1e-4,
        lr_scheduler_type="cosine",
        save_strategy="no",
        logging_strategy="no",
        report_to="none",
        use_cpu=True,
        seed=seed,
        disable_tqdm=True,
        **others,
    )


class LoopTimer(TrainerCallback):
    """Processor seconds from the first step to the last, without the set-up before them."""

    def on_train_begin(self, *_, **__) -> None:
        self.start = time.process_time()

    def on_train_end(self, *_, **__) -> None:
        self.seconds = time.process_time() - self.start


def throughput(model, tokenizer, rows: Dataset, rate: float) -> list[Result]:
    """Rows a second of one epoch: ours, with and without shared tokens, stock, and a bare loop over our batches."""
    collator = DataCollatorWithPadding(tokenizer)
    lengths = [len(ids) for ids in rows["input_ids"]]
    tokens = int(BATCH * np.mean(lengths))
    sampler = TokenBatchSampler(lengths, tokens, seed=0)
    random = torch.randperm(len(rows), generator=torch.Generator().manual_seed(0)).split(BATCH)
    loops: dict[str, list[float]] = {"ours": [], "bare": []}

    def ours(**others) -> TaskTrainer:
        return TaskTrainer(copy.deepcopy(model), **given, tokens_per_batch=tokens, **others)

    def timed() -> None:
        timer = LoopTimer()
        ours(callbacks=[timer]).train()
        loops["ours"].append(timer.seconds)

    with tempfile.TemporaryDirectory() as folder:
        given = {"args": arguments(folder), "train_dataset": rows, "data_collator": collator}
        seconds = alternate(
            {
                "ours": timed,
                "unshared": lambda: ours(share_prefix=False).train(),
                "stock": lambda: Trainer(copy.deepcopy(model), **given).train(),
                "bare": lambda: loops["bare"].append(bare_loop(copy.deepcopy(model), rows, sampler, collator)),
            },
            REPEATS,
        )
    computed = computed_tokens(rows["input_ids"], list(sampler))
    floor = 6 * matmul_parameters(model) * computed / rate / seconds["ours"]
    shares = padding_share(lengths, list(sampler)), padding_share(lengths, [part.tolist() for part in random])
    note = (
        f"{ROWS} MNLI rows, {LAYERS} layers, {len(sampler)} and {len(random)} steps; padding {{:.0%}} and {{:.0%}}, "
        f"{computed / sum(lengths):.0%} of the rows' tokens computed"
    )
    loop = {name: statistics.median(values) for name, values in loops.items()}
    return [
        beside("shared tokens once, stock Trainer", ROWS, seconds, "stock", ">= 2.2", note.format(*shares), floor),
        beside("share_prefix, the same batches without", ROWS, seconds, "unshared"),
        Result(
            "training",
            "Trainer, bare loop on the same batches",
            loop["ours"],
            loop["bare"],
            "s",
            loop["ours"] / loop["bare"],
            "<= 1.05",
            None,
            "from the first step to the last",
        ),
    ]


def beside(
    what: str,
    rows: int,
    seconds: dict[str, float],
    other: str,
    goal: str = "",
    note: str = "",
    floor: float | None = None,
) -> Result:
    """The line of `ours` against another run of an epoch of so many rows."""
    speed = {name: rows / spent for name, spent in seconds.items()}
    ratio = speed["ours"] / speed[other]
    return Result("training", what, speed["ours"], speed[other], "rows/s", ratio, goal, floor, note)


def bare_loop(model, rows: Dataset, sampler: TokenBatchSampler, collator) -> float:
    """What Trainer does without a Trainer: forward, backward, clip, AdamW, schedule. Returns processor seconds."""
    accept_trees(model)
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)  # as Trainer does
    schedule = get_cosine_schedule_with_warmup(optimiser, 0, len(sampler))
    loader = torch.utils.data.DataLoader(rows, batch_sampler=sampler, collate_fn=TreeCollator(collator))
    model.train()
    start = time.process_time()
    for batch in loader:
        model(**batch).loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        optimiser.zero_grad()
    return time.process_time() - start


def generator_throughput(base, tokenizer, pairs: Dataset) -> Result:
    """Rows a second of one epoch of G, beside stock SFTTrainer with random batches."""
    model = causal_model(base, LAYERS)
    texts = generator_examples(pairs, "text")
    lengths = [len(ids) for ids in tokenizer(list(texts["text"]))["input_ids"]]
    with tempfile.TemporaryDirectory() as folder:
        given = {
            "args": arguments(folder, kind=SFTConfig, batch=GENERATOR_BATCH, bf16=False, gradient_checkpointing=False),
            "train_dataset": texts,
            "processing_class": tokenizer,
        }
        tokens = int(GENERATOR_BATCH * np.mean(lengths))
        seconds = alternate(
            {
                "ours": lambda: GeneratorTrainer(copy.deepcopy(model), tokens_per_batch=tokens, **given).train(),
                "stock": lambda: SFTTrainer(copy.deepcopy(model), **given).train(),
            },
            REPEATS,
        )
    note = f"{len(pairs)} MNLI rows, {LAYERS} layers and a head of {len(tokenizer):,} words"
    return beside("G, stock SFTTrainer", len(pairs), seconds, "stock", note=note)


def half_precision(model, tokenizer, rows: Dataset) -> list[Result]:
    """LoRA under bf16 autocast beside float32, where the processor multiplies such numbers."""
    if not computes_bf16():
        return []
    lora = LoraConfig(task_type="SEQ_CLS", r=8, target_modules="all-linear", modules_to_save=["score"])

    def epoch(bf16: bool) -> None:
        given = arguments(folder, bf16=bf16)
        tuned = get_peft_model(copy.deepcopy(model), copy.deepcopy(lora))
        collator = DataCollatorWithPadding(tokenizer)
        TaskTrainer(tuned, given, train_dataset=rows, data_collator=collator, tokens_per_batch=2048).train()

    with tempfile.TemporaryDirectory() as folder:
        seconds = alternate({"ours": lambda: epoch(True), "float32": lambda: epoch(False)}, REPEATS)
    note = f"{len(rows)} MNLI rows, {LAYERS} layers"
    return [beside("LoRA, bf16: true beside float32", len(rows), seconds, "float32", note=note)]


def trajectories() -> list[Result]:
    """Held-out loss along the way with both kinds of batches, tiny model and demo corpus, over five seeds."""
    data = mnli_like(6000, 300, 0)
    train, held_out = data["train"], data["validation_matched"]
    base, tokenizer = tiny_base((*train["premise"], *train["hypothesis"]), 0, hidden_size=64, layers=2)
    collator = DataCollatorWithPadding(tokenizer)
    rows, held_out = encoded(train, tokenizer), encoded(held_out, tokenizer)
    lengths = [len(ids) for ids in rows["input_ids"]]
    losses: dict[str, list[list[float]]] = {"ours": [], "stock": []}
    for seed in SEEDS:
        for name in losses:
            tokens = {"tokens_per_batch": int(BATCH * np.mean(lengths))} if name == "ours" else {}
            with tempfile.TemporaryDirectory() as folder:
                given = arguments(folder, seed, eval_strategy="steps", eval_steps=0.25, per_device_eval_batch_size=100)
                given.learning_rate = 2e-3
                trainer = (TaskTrainer if tokens else Trainer)(
                    classifier(base, tokenizer, 2),
                    given,
                    train_dataset=rows,
                    eval_dataset=held_out,
                    data_collator=collator,
                    **tokens,
                )
                trainer.train()
            losses[name].append([entry["eval_loss"] for entry in trainer.state.log_history if "eval_loss" in entry])
    return [trajectory_result(losses, len(rows))]


def trajectory_result(losses: dict[str, list[list[float]]], rows: int) -> Result:
    """The paired comparison of the last held-out losses, and the means at each quarter of the epoch."""
    ours, stock = np.array(losses["ours"]), np.array(losses["stock"])
    test = stats.ttest_rel(ours[:, -1], stock[:, -1])
    interval = test.confidence_interval(0.95)
    means = "; ".join(f"{a:.3f} and {b:.3f}" for a, b in zip(ours.mean(0), stock.mean(0)))
    return Result(
        "training",
        "held-out loss, equal-token and random batches",
        ours[:, -1].mean(),
        stock[:, -1].mean(),
        "nats",
        stock[:, -1].mean() / ours[:, -1].mean(),
        "",
        None,
        f"{len(ours)} seeds, tiny model, {rows} demo rows; difference {(ours - stock)[:, -1].mean():+.4f}, 95% "
        f"interval {interval.low:+.4f} to {interval.high:+.4f}, paired t-test p = {test.pvalue:.2f}; at each quarter: "
        f"{means}",
    )
