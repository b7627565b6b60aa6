"""The training steps that bench_gpu.py measures: which variants, and how fast each one runs."""

import dataclasses
import functools
import time
from importlib.util import find_spec

import numpy as np
import torch
from peft import LoraConfig, get_peft_model
from side_by_side import bpe, mnli
from transformers import LlamaConfig, LlamaForCausalLM, LlamaForSequenceClassification

from blindspots.data.examples import task_texts
from blindspots.data.nli import LABELS
from blindspots.modeling.token_tree import TokenTree, accept_trees

LINEAR = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
STEPS = 8
# Tokens that rows start with in common: the task prompt's by SmolLM2's tokenizer.
SHARED = 21


@dataclasses.dataclass(frozen=True)
class Variant:
    """One way of training one model; `batches` are rows per step, the first that of the paper."""

    name: str
    shape: dict
    task: bool
    batches: tuple[int, ...]
    lora: bool = True
    four_bit: bool = False
    attention: str = "sdpa"
    compiled: bool = False
    liger: bool = False
    packed: bool = False
    tree: bool = False
    checkpointing: bool = True
    steps: int = STEPS
    note: str = ""


def variants(seven: dict, small: dict, rehearse: bool) -> list[Variant]:
    """What is measured, the goals first; what is not installed is left to fail with its reason in the table."""
    most = 4 if rehearse else 128
    best = Variant("7B T, bf16 LoRA", seven, True, (2, most), note="activations computed again")
    generator = Variant("7B G, bf16 LoRA", seven, False, (6, most // 2))
    shared = {"tree": True, "note": f"{SHARED} tokens of all rows computed once"}
    chosen = [
        best,
        dataclasses.replace(
            best,
            name="7B T, bf16 LoRA, activations kept",
            batches=(most // 4,),
            checkpointing=False,
            note="goal: MFU 45%",
        ),
        dataclasses.replace(best, name="7B T, bf16 LoRA, share_prefix", **shared),
        generator,
        Variant("135M T, all weights", small, True, (32, 2 * most), lora=False, note="SmolLM2-135M's shape"),
        Variant("135M T, share_prefix", small, True, (32, 2 * most), lora=False, **shared),
        dataclasses.replace(best, name="7B T, NF4 LoRA", four_bit=True),
        dataclasses.replace(generator, name="7B G, NF4 LoRA", four_bit=True),
        dataclasses.replace(generator, name="7B G packed", packed=True, note="rows joined, positions from 0 each"),
        dataclasses.replace(best, name="7B T, torch.compile", batches=(most,), compiled=True),
        dataclasses.replace(best, name="7B T, flex attention", batches=(most,), attention="flex_attention"),
    ]
    if find_spec("flash_attn"):
        flash = {"batches": (most,), "attention": "flash_attention_2"}
        chosen.append(dataclasses.replace(best, name="7B T, flash attention 2", **flash))
    if find_spec("liger_kernel"):
        chosen.append(dataclasses.replace(generator, name="7B G, Liger kernels", batches=(most,), liger=True))
    if rehearse:  # compilation takes longer than a rehearsal may
        chosen = [v for v in chosen if not v.compiled and v.attention == "sdpa"]
        chosen = [v for v in chosen if not v.four_bit or find_spec("bitsandbytes")]
        return [dataclasses.replace(v, batches=v.batches[:1], steps=1) for v in chosen]
    return chosen


def random_llama(shape: dict, task: bool, dtype: torch.dtype, device: str, attention: str = "sdpa"):
    """A Llama of a shape with random weights, made on the device itself."""
    config = LlamaConfig(**shape, pad_token_id=0, num_labels=len(LABELS), max_position_embeddings=2048)
    config._attn_implementation = attention
    config.dtype = dtype
    kind = LlamaForSequenceClassification if task else LlamaForCausalLM
    standard = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with torch.device(device):
            return kind(config)
    finally:
        torch.set_default_dtype(standard)


def prepared(variant: Variant, device: str):
    """The model of a variant, ready to train, and the weights that a token is multiplied with."""
    dtype = torch.float32 if device == "cpu" else torch.bfloat16
    model = random_llama(variant.shape, variant.task, dtype, device, variant.attention)
    weights = sum(p.numel() for name, p in model.named_parameters() if p.dim() == 2 and "embed" not in name)
    if variant.liger:
        from liger_kernel.transformers import _apply_liger_kernel_to_instance

        _apply_liger_kernel_to_instance(model=model)
    if variant.four_bit:
        quantise(model, device)
    if variant.lora:
        kind = "SEQ_CLS" if variant.task else "CAUSAL_LM"
        model = get_peft_model(model, LoraConfig(r=64, lora_alpha=16, target_modules=LINEAR, task_type=kind))
    model.config.use_cache = False
    if variant.checkpointing:
        model.gradient_checkpointing_enable({"use_reentrant": False})
    if variant.tree:
        accept_trees(model)
    model.train()
    if variant.compiled:
        model.compile()
    return model, weights


def quantise(model: torch.nn.Module, device: str) -> None:
    """Put NF4 layers in place of the linear ones, but for the heads."""
    from bitsandbytes.nn import Linear4bit, Params4bit

    for module in list(model.modules()):
        for name, layer in list(module.named_children()):
            if isinstance(layer, torch.nn.Linear) and name not in ("lm_head", "score"):
                dtype = layer.weight.dtype
                made = Linear4bit(layer.in_features, layer.out_features, False, compute_dtype=dtype, device="meta")
                weight = layer.weight.detach()
                made.weight = Params4bit(weight, compress_statistics=False, quant_type="nf4", module=made)
                setattr(module, name, made.to(device))  # which quantises


def batch_of(lengths: list[int], variant: Variant, device: str) -> dict[str, torch.Tensor | TokenTree]:
    """Random tokens in rows of these lengths: right-padded, or joined to one row whose positions start again."""
    size = variant.shape["vocab_size"]
    if variant.packed:
        ids = torch.randint(3, size, (1, sum(lengths)), device=device)
        positions = torch.cat([torch.arange(length) for length in lengths])[None].to(device)
        return {"input_ids": ids, "position_ids": positions, "labels": ids}
    ids = torch.randint(3, size, (len(lengths), max(lengths)))
    ids[:, :SHARED] = ids[0, :SHARED].clone()
    mask = torch.arange(max(lengths))[None] < torch.tensor(lengths)[:, None]
    ids = ids.where(mask, 0)
    labels = torch.zeros(len(lengths), dtype=torch.long) if variant.task else ids.where(mask, -100)
    batch = {"input_ids": ids, "attention_mask": mask.long(), "labels": labels}
    batch = {name: tensor.to(device) for name, tensor in batch.items()}
    if variant.tree:
        rows = [row[:length] for row, length in zip(ids.tolist(), lengths)]
        batch["token_tree"] = TokenTree.of(rows).to(device)
    return batch


@functools.cache
def row_lengths() -> np.ndarray:
    """Tokens of the inputs of 18,012 training rows (of all, where there are fewer), in rising order."""
    data = mnli("train", 18012)
    texts = task_texts(data)
    return np.sort([len(ids) for ids in bpe(texts[:3000])(texts)["input_ids"]])


def step_lengths(batch: int, steps: int) -> list[list[int]]:
    """Lengths of the rows of each step: rows of like length together, the steps in random order."""
    lengths = row_lengths()
    starts = np.linspace(0, len(lengths) - batch, steps + 2).astype(int)[1:-1]
    return [lengths[start : start + batch].tolist() for start in np.random.default_rng(0).permutation(starts)]


@dataclasses.dataclass(frozen=True)
class Rate:
    """How fast steps run. Tokens are those of the rows, without padding; operations are useful ones.

    Useful operations of a token and weight: two forward, two backward, two more where the weight is trained;
    computing activations again is not useful.
    """

    seconds: float
    rows: int
    tokens: int
    steps: int
    operations: float


def rate_of_steps(variant: Variant, batch: int, device: str) -> Rate:
    """Time full training steps, after a round over the same batches, so that every shape has been seen."""
    model, weights = prepared(variant, device)
    trained = [p for p in model.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(trained, lr=1e-5)
    steps = step_lengths(batch, variant.steps)
    batches = [batch_of(lengths, variant, device) for lengths in steps]
    for _ in ("warm up", "timed"):
        synchronise(device)
        start = time.perf_counter()
        for inputs in batches:
            with torch.autocast(device, torch.bfloat16, enabled=device == "cuda"):
                loss = model(**inputs).loss
            loss.backward()
            torch.nn.utils.clip_grad_norm_(trained, 1.0)
            optimiser.step()
            optimiser.zero_grad()
        synchronise(device)
        seconds = time.perf_counter() - start
    tokens = sum(map(sum, steps))
    operations = (4 if variant.lora else 6) * weights * tokens
    return Rate(seconds, sum(map(len, steps)), tokens, len(steps), operations)


def synchronise(device: str) -> None:
    """Wait for a CUDA device to finish what it was given."""
    if device == "cuda":
        torch.cuda.synchronize()
