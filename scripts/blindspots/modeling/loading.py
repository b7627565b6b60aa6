"""Loading weights and tokenizers: all that a checkpoint holds is placed, and all that a model needs is there."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from accelerate.utils.memory import should_reduce_batch_size
from peft import PeftModel, get_peft_model_state_dict
from safetensors import safe_open
from transformers import AutoConfig, AutoTokenizer, PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

from blindspots.artifacts.inputs import Source, fetch
from blindspots.artifacts.names import LINEAGE, read_lineage
from blindspots.config.errors import RecipeError, UserError
from blindspots.modeling.architectures import has_no_place, is_of_head

ADAPTER = "adapter_model.safetensors"
# How many tensors a message names.
NAMED = 3
# What any tokenizer can encode.
TEXT = "A man sleeps."


@contextmanager
def errors_in_words(what: str) -> Iterator[None]:
    """Turn whatever a library raises of a broken checkpoint into a UserError that says `what`, but for lack of memory.

    Args:
        what: such as "Model x can't be loaded".
    """
    try:
        yield
    except Exception as error:  # the libraries go by what the files say, and fail with errors of any type
        if isinstance(error, UserError) or should_reduce_batch_size(error):
            raise
        raise UserError(f"{what}: {first_line(error)}") from error


def load_model(model_class: Any, source: Source, **arguments: Any) -> PreTrainedModel:
    """A checkpoint's model, all of whose tensors the checkpoint holds; see `load_with_head`."""
    return load_with_head(model_class, source, new_head=False, **arguments)[0]


def load_with_head(
    model_class: Any, source: Source, new_head: bool, **arguments: Any
) -> tuple[PreTrainedModel, set[str]]:
    """Load a checkpoint, and judge the library's report of what it could not place.

    Args:
        model_class: an auto class of transformers.
        new_head: whether the checkpoint may lack the head of the model, which is then drawn at random.
        arguments: further ones of `from_pretrained`.

    Returns:
        The model, and the names of the tensors that were drawn.

    Raises UserError where the folder lacks config or weights or holds broken ones, where a tensor of the model is not
    in the checkpoint, or one of the checkpoint has no place in the model, and where a value is NaN or infinite.
    """
    require_model_files(source)
    attention = arguments.get("attn_implementation")
    how = f" with attn_implementation: {attention}" if attention else ""
    with errors_in_words(f"{source.name} can't be loaded{how}"):
        model, report = model_class.from_pretrained(
            source.path, output_loading_info=True, trust_remote_code=False, use_safetensors=True, **arguments
        )
    drawn = {name for name in report["missing_keys"] if new_head and is_of_head(model, name)}
    unexpected = sorted(name for name in report["unexpected_keys"] if not has_no_place(model, name, new_head))
    _require_placed(source, sorted(set(report["missing_keys"]) - drawn), unexpected)
    _require_numbers(source, dict(model.named_parameters()))
    if getattr(model, "is_loaded_in_4bit", False):
        _keep_unpacked(model)
    return model, drawn


def _keep_unpacked(model: PreTrainedModel) -> None:
    """Leave 4-bit weights as they are.

    On CPUs with avx512_bf16 bitsandbytes 0.50 packs them at the first prediction: it rounds their scales to bfloat16,
    and where the model is trained after that, no gradient passes through them.
    """
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False


def _require_numbers(source: Source, tensors: dict[str, torch.Tensor]) -> None:
    """Raise UserError for NaN and infinity; quantised tensors and those of other processes are not looked at."""
    for name, tensor in tensors.items():
        if tensor.is_meta or not tensor.is_floating_point() or tensor.dtype.itemsize == 1:
            continue
        if getattr(tensor, "bnb_quantized", False):  # bnb_4bit_quant_storage may call two pairs of them one bfloat16
            continue
        if not tensor.isfinite().all():
            raise UserError(f"The checkpoint of {source.name} is damaged: {name} holds NaN or infinite values.")


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
    """The base model that an adapter names.

    Raises UserError where it names none, one that can't be fetched, or a folder that holds another model by now than
    the adapter was tuned on, as far as its lineage says.
    """
    require_model_files(source)
    adapter = read_json_object(source.path / "adapter_config.json")
    name = adapter.get("base_model_name_or_path")
    if not isinstance(name, str) or not name.strip():
        raise UserError(f"{source.name}: adapter_config.json names no base model.")
    try:
        base = fetch(name, "model", adapter.get("revision"))
    except UserError as error:
        raise UserError(f"{source.name}, adapter_config.json: {error}") from None
    if base.revision is None and (source.path / LINEAGE).is_file():
        tuned_on = {parent["name"]: parent["content_sha256"] for parent in read_lineage(source.path)["parents"]}
        if tuned_on.get(name) not in (None, base.record("base")["content_sha256"]):
            raise UserError(
                f"{source.name} is an adapter of {name}, whose files are others by now. Bring them back, or tune it "
                "again."
            )
    return base


def adapter_tensors(source: Source) -> set[str]:
    """The names of an adapter's tensors. Raises UserError for a broken adapter."""
    require_model_files(source)
    with errors_in_words(f"{source.name} can't be loaded"), safe_open(source.path / ADAPTER, "pt") as tensors:
        return set(tensors.keys())


def load_adapter(model: PreTrainedModel, source: Source, **arguments: Any) -> PeftModel:
    """Put an adapter on its base model, every tensor in its place.

    Raises UserError for an adapter that is broken, and for one whose tensors are not those of the model.
    """
    held = adapter_tensors(source)
    with errors_in_words(f"{source.name} can't be loaded"):
        adapted = PeftModel.from_pretrained(model, source.path, **arguments)
        placed = get_peft_model_state_dict(adapted)
    _require_placed(source, sorted(placed.keys() - held), sorted(held - placed.keys()))
    _require_numbers(source, placed)
    return adapted


def load_config(source: Source) -> PretrainedConfig:
    """The config of a model. Raises UserError for a broken one and for an unknown architecture."""
    with errors_in_words(f"{source.name} can't be loaded"):
        config = AutoConfig.from_pretrained(source.path, trust_remote_code=False)
    names = config.architectures or []
    if not (isinstance(names, list) and all(isinstance(name, str) for name in names)):
        raise UserError(f"{source.name}: architectures in config.json is not a list of names.")
    return config


def load_tokenizer(source: Source) -> PreTrainedTokenizerBase:
    """Load a tokenizer, right-padded, with a pad token (its own, else unk, else eos).

    Raises UserError where there is no tokenizer, a broken one, one of whose tokens share an id (one of them would be
    lost where it is saved), or one with none of the three tokens.
    """
    with errors_in_words(f"The tokenizer of {source.name} can't be loaded"):
        tokenizer = AutoTokenizer.from_pretrained(source.path, padding_side="right", trust_remote_code=False)
        tokenizer(TEXT)
    forget_reading(tokenizer)
    ids = tokenizer.get_vocab().values()
    if len(set(ids)) < len(ids):
        raise UserError(f"The tokenizer of {source.name} gives several tokens one id; its vocabulary is damaged.")
    if tokenizer.pad_token_id is None:
        token = tokenizer.unk_token or tokenizer.eos_token
        if token is None:
            raise UserError(
                f"The tokenizer of {source.name} has no pad, unk or eos token; add a pad token and save it."
            )
        tokenizer.pad_token = token
    return tokenizer


def forget_reading(tokenizer: PreTrainedTokenizerBase) -> None:
    """Drop how a tokenizer was read, which would be saved with it: the same one offline would be another file."""
    for key in ("is_local", "local_files_only"):
        tokenizer.init_kwargs.pop(key, None)


def use_eos_token(tokenizer: PreTrainedTokenizerBase, eos_token: str | None, where: str) -> None:
    """End texts with the token that a recipe names, if it does, as TRL's trainers will.

    Raises RecipeError for a token that the tokenizer does not have.
    """
    if eos_token is None:
        return
    if eos_token not in tokenizer.get_vocab():
        raise RecipeError(f"eos_token: the tokenizer of {where} has no token {eos_token!r}; name one that it has.")
    tokenizer.eos_token = eos_token


def require_embeddings(model: torch.nn.Module, tokenizer: PreTrainedTokenizerBase, where: str) -> None:
    """Raise UserError where a model has no embedding for the last tokens of a tokenizer, which is another model's."""
    embeddings = model.get_input_embeddings().num_embeddings
    if len(tokenizer) > embeddings:
        raise UserError(f"{where}: the tokenizer has {len(tokenizer)} tokens, the model {embeddings} embeddings.")


def require_model_files(source: Source) -> None:
    """Raise UserError where a folder lacks config or safetensors weights, or holds Git LFS pointers in their place.

    Also where it holds them twice, whole and in shards: the two may be of different models.
    """
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
        whole = source.path / "model.safetensors"
        if whole.is_file() and whole.with_name(f"{whole.name}.index.json").is_file():
            raise UserError(f"{source.name} holds {whole.name} and shards of it; leave one of the two in the folder.")
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
    """The first line of an error's text, with the error's type where the text alone says little."""
    lines = str(error).strip().splitlines()
    text = " ".join(lines[:2] if lines and lines[0].endswith(":") else lines[:1])
    plain = isinstance(error, OSError | ValueError | RuntimeError) and text
    return text[:300] if plain else f"{type(error).__name__}: {text[:300]}"


def check_saved_weights(folder: Path) -> None:
    """Reopen what was saved. Raises UserError for a missing or an empty tensor (ZeRO-3 has written such)."""
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise UserError(f"{folder} holds no safetensors file; the model was not saved.")
    for file in files:
        with safe_open(file, "pt") as tensors:
            for name in tensors.keys():  # noqa: SIM118
                if 0 in tensors.get_slice(name).get_shape():
                    raise UserError(f"{file}: tensor {name} was saved empty; nothing of this run is published.")
