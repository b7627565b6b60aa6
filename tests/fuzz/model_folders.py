"""Model folders with a damaged file, and what stock transformers makes of them."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from hypothesis import strategies as st
from peft import AutoPeftModelForCausalLM, PeftModel
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer

from .damage import Bytes, Json, byte_damages, json_damages
from .reading import LABELS

CONFIG_KEYS = """
quantization_config rope_scaling auto_map pad_token_id problem_type num_labels id2label label2id dtype torch_dtype
architectures model_type attn_implementation _name_or_path text_config sliding_window layer_types vocab_size
""".split()
TOKENIZER_KEYS = """
tokenizer_class added_tokens_decoder model_max_length padding_side truncation_side extra_special_tokens
chat_template auto_map backend add_bos_token add_eos_token pad_token eos_token bos_token unk_token version
truncation padding normalizer pre_tokenizer post_processor decoder model added_tokens
""".split()
ADAPTER_KEYS = """
base_model_name_or_path revision peft_type task_type r lora_alpha target_modules modules_to_save bias auto_mapping
inference_mode rank_pattern layers_to_transform use_dora lora_dropout megatron_config
""".split()


@dataclass(frozen=True)
class Tensors:
    """A safetensors file that can be read, and does not hold what it should."""

    how: str
    which: int = 0

    def __call__(self, file: Path) -> None:
        tensors = load_file(file)
        name = sorted(tensors)[self.which % len(tensors)]
        tensor = tensors[name]
        if self.how == "rename":
            tensors[f"module.{name}"] = tensors.pop(name)
        elif self.how == "rename_all":
            tensors = {f"model.{name}": tensor for name, tensor in tensors.items()}
        elif self.how == "drop":
            del tensors[name]
        elif self.how == "add":
            tensors[f"{name}.more"] = tensor.clone()
        elif self.how == "none":
            tensors = {}
        else:
            tensors[name] = {
                "cut": lambda: tensor[: len(tensor) // 2],
                "flat": lambda: tensor.flatten(),
                "empty": lambda: tensor[:0],
                "scalar": lambda: tensor.flatten()[0],
                "deeper": lambda: tensor[None],
                "whole_numbers": lambda: tensor.long(),
                "half": lambda: tensor.half(),
                "double": lambda: tensor.double(),
                "nan": lambda: torch.where(torch.arange(tensor.numel()).view(tensor.shape) == 3, torch.nan, tensor),
                "inf": lambda: torch.where(torch.arange(tensor.numel()).view(tensor.shape) == 1, torch.inf, tensor),
            }[self.how]()
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, file, metadata={"format": "pt"})


TENSOR_DAMAGES = (
    "rename rename_all drop add none cut flat empty scalar deeper whole_numbers half double nan inf".split()
)


@dataclass(frozen=True)
class Header:
    """A damage of the header of a safetensors file, its data as they were."""

    damage: Json

    def __call__(self, file: Path) -> None:
        content = file.read_bytes()
        size = int.from_bytes(content[:8], "little")
        header = self.damage(content[8 : 8 + size])
        file.write_bytes(len(header).to_bytes(8, "little") + header + content[8 + size :])


@dataclass(frozen=True)
class Replaced:
    """Something else in a file's place."""

    how: str

    def __call__(self, file: Path) -> None:
        if self.how == "twice":
            shutil.copy(file, file.with_name(f"again-{file.name}"))
            return
        if self.how == "index":
            index = {"metadata": {}, "weight_map": {"x": "nowhere.safetensors"}}
            file.with_name(f"{file.name}.index.json").write_text(json.dumps(index))
            return
        file.unlink()
        if self.how == "folder":
            file.mkdir()
        elif self.how == "link":
            file.symlink_to("nowhere")
        elif self.how == "loop":
            file.symlink_to(file.name)


@dataclass(frozen=True)
class Damaged:
    """A model folder's file and what was done to it."""

    file: str
    damage: Any

    def __call__(self, folder: Path) -> None:
        file = folder / self.file
        if isinstance(self.damage, Bytes | Json):
            file.write_bytes(self.damage(file.read_bytes()))
        else:
            self.damage(file)


def model_damages(adapter: bool = False) -> st.SearchStrategy[Damaged]:
    """Damages of one file of a model folder."""
    weights, config, keys = "model.safetensors", "config.json", CONFIG_KEYS
    if adapter:
        weights, config, keys = "adapter_model.safetensors", "adapter_config.json", ADAPTER_KEYS
    tensors = st.one_of(
        st.builds(Tensors, st.sampled_from(TENSOR_DAMAGES), st.integers(0, 40)),
        st.builds(Header, json_damages("__metadata__")),
        byte_damages(),
    )
    files = st.sampled_from([weights, config, "tokenizer.json", "tokenizer_config.json"])
    replaced = st.sampled_from(["gone", "folder", "link", "loop", "twice", "index"])
    return st.one_of(
        st.builds(Damaged, st.just(weights), tensors),
        st.builds(Damaged, st.just(config), json_damages(*keys)),
        st.builds(Damaged, st.just(config), json_damages(*keys)),
        st.builds(Damaged, st.just("tokenizer.json"), json_damages(*TOKENIZER_KEYS)),
        st.builds(Damaged, st.just("tokenizer_config.json"), json_damages(*TOKENIZER_KEYS)),
        st.builds(Damaged, st.sampled_from([config, "tokenizer.json", "tokenizer_config.json"]), byte_damages()),
        st.builds(Damaged, files, st.builds(Replaced, replaced)),
    )


@torch.inference_mode()
def stock_logits(folder: Path, texts: list[str]) -> np.ndarray:
    """Logits of a classifier by transformers alone, a row at a time, in the order of LABELS; shape (rows, 3)."""
    tokenizer = AutoTokenizer.from_pretrained(folder, padding_side="right")
    if (folder / "adapter_config.json").is_file():
        base = json.loads((folder / "adapter_config.json").read_text())["base_model_name_or_path"]
        labels = {"id2label": dict(enumerate(LABELS)), "label2id": {name: i for i, name in enumerate(LABELS)}}
        base = AutoModelForSequenceClassification.from_pretrained(base, dtype="auto", **labels)
        model = PeftModel.from_pretrained(base, folder)
    else:
        model = AutoModelForSequenceClassification.from_pretrained(folder, dtype="auto")
    model.eval().config.pad_token_id = None  # the last token of a row is the one that counts
    pad = tokenizer.pad_token_id
    rows = []
    for text in texts:
        ids = tokenizer(text)["input_ids"]
        while len(ids) > 1 and ids[-1] == pad:
            ids = ids[:-1]
        rows.append(model(input_ids=torch.tensor([ids]), use_cache=False).logits[0].float())
    order = [{name: index for index, name in model.config.id2label.items()}[label] for label in LABELS]
    return torch.stack(rows).numpy()[:, order]


@torch.inference_mode()
def next_token(folder: Path, text: str) -> np.ndarray:
    """A language model's logits of the token after a text, by transformers alone."""
    tokenizer = AutoTokenizer.from_pretrained(folder, padding_side="right")
    is_adapter = (folder / "adapter_config.json").is_file()
    loader = AutoPeftModelForCausalLM if is_adapter else AutoModelForCausalLM
    model = loader.from_pretrained(folder, dtype="auto").eval()
    return (
        model(input_ids=tokenizer(text, return_tensors="pt")["input_ids"], use_cache=False)
        .logits[0, -1]
        .float()
        .numpy()
    )
