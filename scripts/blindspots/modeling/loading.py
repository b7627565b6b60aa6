"""Loading weights and tokenizers: all that a checkpoint holds is placed, and all that a model needs is there."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from huggingface_hub.errors import HFValidationError
from peft import PeftModel, get_peft_model_state_dict
from safetensors import SafetensorError, safe_open
from transformers import AutoConfig, AutoTokenizer, PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

from blindspots.artifacts.inputs import Source, fetch
from blindspots.config.errors import UserError

# Heads of a causal language model, which a classifier of the same base has no place for.
LM_HEADS = ("lm_head.", "embed_out.")
ADAPTER = "adapter_model.safetensors"
_BROKEN = (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError, HFValidationError, ImportError)
# How many tensors a message names.
NAMED = 3


def load_model(model_class: Any, source: Source, new_head: Iterable[str] = (), **arguments: Any) -> PreTrainedModel:
    """Load a checkpoint, and judge the library's report of what it could not place.

    Args:
        model_class: an auto class of transformers.
        new_head: names of tensors that the checkpoint may lack, since the model is to get a new head.
        arguments: further ones of `from_pretrained`.

    Raises UserError where the folder lacks config or weights or holds broken ones, and where a tensor of the model is
    not in the checkpoint, or one of the checkpoint has no place in the model.
    """
    require_model_files(source)
    try:
        model, report = model_class.from_pretrained(
            source.path, output_loading_info=True, trust_remote_code=False, use_safetensors=True, **arguments
        )
    except _BROKEN as error:
        attention = arguments.get("attn_implementation")
        how = f" with attn_implementation: {attention}" if attention else ""
        raise UserError(f"{source.name} can't be loaded{how}: {first_line(error)}") from error
    new_head = tuple(new_head)
    missing = sorted(set(report["missing_keys"]) - set(new_head))
    unexpected = sorted(name for name in report["unexpected_keys"] if not (new_head and name.startswith(LM_HEADS)))
    _require_placed(source, missing, unexpected)
    if getattr(model, "is_loaded_in_4bit", False):
        _keep_unpacked(model)
    return model


def _keep_unpacked(model: PreTrainedModel) -> None:
    """Leave 4-bit weights as they are.

    On CPUs with avx512_bf16 bitsandbytes 0.50 packs them at the first prediction: it rounds their scales to bfloat16,
    and where the model is trained after that, no gradient passes through them.
    """
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False


def _require_placed(source: Source, missing: list[str], unexpected: list[str]) -> None:
    found = []
    if missing:
        found.append(f"lacks {len(missing)} tensors of the model ({_named(missing)})")
    if unexpected:
        found.append(f"holds {len(unexpected)} that have no place in it ({_named(unexpected)})")
    if found:
        raise UserError(f"The checkpoint of {source.name} {' and '.join(found)}; some weights would be random.")


def _named(names: list[str]) -> str:
    return ", ".join(names[:NAMED]) + (", ..." if len(names) > NAMED else "")


def adapter_base(source: Source) -> Source:
    """The base model that an adapter names. Raises UserError where it names none, or one that can't be fetched."""
    require_model_files(source)
    adapter = read_json_object(source.path / "adapter_config.json")
    name = adapter.get("base_model_name_or_path")
    if not isinstance(name, str):
        raise UserError(f"{source.name}: adapter_config.json names no base model.")
    return fetch(name, "model", adapter.get("revision"))


def adapter_tensors(source: Source) -> set[str]:
    """The names of an adapter's tensors. Raises UserError for a broken adapter."""
    require_model_files(source)
    try:
        with safe_open(source.path / ADAPTER, "pt") as tensors:
            return set(tensors.keys())
    except _BROKEN as error:
        raise UserError(f"{source.name} can't be loaded: {first_line(error)}") from error


def load_adapter(model: PreTrainedModel, source: Source, **arguments: Any) -> PeftModel:
    """Put an adapter on its base model, every tensor in its place.

    Raises UserError for an adapter that is broken, and for one whose tensors are not those of the model.
    """
    held = adapter_tensors(source)
    try:
        adapted = PeftModel.from_pretrained(model, source.path, **arguments)
    except _BROKEN as error:
        raise UserError(f"{source.name} can't be loaded: {first_line(error)}") from error
    placed = set(get_peft_model_state_dict(adapted))
    _require_placed(source, sorted(placed - held), sorted(held - placed))
    return adapted


def load_config(source: Source) -> PretrainedConfig:
    """The config of a model. Raises UserError for a broken one and for an unknown architecture."""
    try:
        return AutoConfig.from_pretrained(source.path, trust_remote_code=False)
    except _BROKEN as error:
        raise UserError(f"{source.name} can't be loaded: {first_line(error)}") from error


def load_tokenizer(source: Source) -> PreTrainedTokenizerBase:
    """Load a tokenizer, right-padded, with a pad token (its own, else unk, else eos).

    Raises UserError where there is no tokenizer, a broken one, or one with none of the three tokens.
    """
    try:
        tokenizer = AutoTokenizer.from_pretrained(source.path, padding_side="right", trust_remote_code=False)
    except Exception as error:  # the tokenizers library raises plain Exception
        raise UserError(f"The tokenizer of {source.name} can't be loaded: {first_line(error)}") from error
    if tokenizer.pad_token_id is None:
        token = tokenizer.unk_token or tokenizer.eos_token
        if token is None:
            raise UserError(
                f"The tokenizer of {source.name} has no pad, unk or eos token; add a pad token and save it."
            )
        tokenizer.pad_token = token
    return tokenizer


def require_model_files(source: Source) -> None:
    """Raise UserError where a folder lacks config or safetensors weights, or holds Git LFS pointers in their place."""
    adapter = source.path / "adapter_config.json"
    if adapter.is_file():
        read_json_object(adapter)
        weights = [source.path / ADAPTER]
    else:
        config = source.path / "config.json"
        if not config.is_file():
            raise UserError(f"{source.name} has no config.json; it is not the folder of a model.")
        read_json_object(config)
        weights = sorted(source.path.glob("*.safetensors"))
    for file in weights:
        if file.is_file() and file.open("rb").read(20) == b"version https://git-":
            raise UserError(f"{file} is a Git LFS pointer, not the weights; fetch them with `git lfs pull`.")
    if not weights or not weights[0].is_file():
        raise UserError(
            f"{source.name} has no safetensors weights, and weights in other formats are not read; convert them first."
        )


def read_json_object(file: Path) -> dict[str, Any]:
    """A JSON object from a file. Raises UserError where it is not one."""
    try:
        value = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{file} can't be read: {first_line(error)}") from None
    if not isinstance(value, dict):
        raise UserError(f"{file} holds a {type(value).__name__}, not a JSON object.")
    return value


def first_line(error: BaseException) -> str:
    """The first line of an error's text, its type where there is none."""
    lines = str(error).strip().splitlines()
    return lines[0][:300] if lines else type(error).__name__
