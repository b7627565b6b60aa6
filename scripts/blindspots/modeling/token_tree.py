"""A batch as a tree of tokens: what rows start with in common is computed once, padding never.

The backbone is given one long row of tokens: the start of all rows, the starts of groups of rows, the rests. Only
attention looks at more than one token, so only attention has to know the tree: a token attends to its own part up to
itself, and to the parts that its row begins with. The hidden states are then laid out as the batch was, so heads,
losses and trainers see nothing of it. It is one forward pass without a cache: outputs and gradients are those of the
padded batch up to rounding, also with activation checkpointing and under every engine.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import torch
from peft import PeftModel, PeftType
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import eager_mask, sdpa_mask

from blindspots.data.prefixes import Rows, common_prefix, prefix_groups
from blindspots.modeling.precision import base_model

# Model types for which a test shows equal outputs and gradients.
TESTED = tuple("gemma gpt2 gpt_neox llama mistral olmo olmo2 phi phi3 qwen2 qwen3 smollm3 starcoder2".split())
ATTENTION = {"sdpa": "token_tree_sdpa", "eager": "token_tree_eager"}
# Groups that save a smaller share of the tokens do not pay for the attention of one more level.
GROUPS_SAVE = 0.05
# A tree takes time too: with more than this share of the batch's tokens it is not used.
WORTHWHILE = 0.9


@dataclass(frozen=True)
class Level:
    """Parts of rows that stand equally far from the root, their tokens one part after the other.

    Attributes:
        lengths: tokens of each part, (parts,).
        parents: number of the part of the level above that each part continues, (parts,).
        padded: number of the token in each place of a table of the parts, (parts * width,); any at padding.
        places: place of each token in that table, (tokens,).
        width: tokens of the longest part.
    """

    lengths: torch.Tensor
    parents: torch.Tensor
    padded: torch.Tensor
    places: torch.Tensor
    width: int

    @classmethod
    def of(cls, lengths: list[int], parents: list[int]) -> Self:
        sizes, width = torch.tensor(lengths), max(lengths)
        places = (torch.arange(width) < sizes[:, None]).flatten().nonzero()[:, 0]
        padded = torch.zeros(len(lengths) * width, dtype=torch.long)
        padded[places] = torch.arange(len(places))
        return cls(sizes, torch.tensor(parents), padded, places, width)

    def to(self, device: torch.device | str) -> Self:
        tensors = (self.lengths, self.parents, self.padded, self.places)
        return type(self)(*(tensor.to(device, non_blocking=True) for tensor in tensors), self.width)

    def table(self, states: torch.Tensor) -> torch.Tensor:
        """States of the tokens, (tokens, heads, size), as (parts, heads, width, size)."""
        return states.index_select(0, self.padded).unflatten(0, (-1, self.width)).transpose(1, 2)

    def of_parents(self, table: torch.Tensor) -> torch.Tensor:
        """The entry of each part's parent in a table of the level above."""
        if len(table) == 1:
            return table.expand(len(self.parents), *table.shape[1:])
        return table.index_select(0, self.parents)

    def mask(self, above: torch.Tensor | None) -> tuple[torch.Tensor, torch.Tensor]:
        """What each token may attend to, (parts, 1, width, keys), and which keys are not padding, (parts, keys).

        Args:
            above: the latter for the level above.
        """
        column = torch.arange(self.width, device=self.lengths.device)
        keys = column < self.lengths[:, None]
        # Padding attends to itself at least: a softmax over nothing is not a number.
        mask = keys[:, None] & (column <= column[:, None]) | (column == column[:, None])
        if above is not None:
            above = self.of_parents(above)
            mask = torch.cat([above[:, None].expand(-1, self.width, -1), mask], dim=2)
            keys = torch.cat([above, keys], dim=1)
        return mask[:, None], keys


@dataclass(frozen=True)
class TokenTree:
    """The tokens of a right-padded batch that are computed.

    Attributes:
        levels: from the root to the rests of the rows.
        cells: place in the batch, counted row by row, of each computed token, (tokens,).
        tokens: number of the computed token in each place of the batch, (rows * length,); any at padding.
        length: of the padded rows.
    """

    levels: tuple[Level, ...]
    cells: torch.Tensor
    tokens: torch.Tensor
    length: int

    @classmethod
    def of(cls, rows: Rows, length: int | None = None) -> Self:
        """The tree of rows of token ids, with groups where they save enough.

        Args:
            length: of the padded rows; by default that of the longest.
        """
        length = length or max(map(len, rows))
        cells: list[int] = []
        tokens = [[0] * length for _ in rows]
        levels = []
        part_of = dict.fromkeys(range(len(rows)), 0)
        for parts in _parts(rows):
            for members, begin, end in parts:
                numbers = range(len(cells), len(cells) + end - begin)
                cells += range(members[0] * length + begin, members[0] * length + end)
                for row in members:
                    tokens[row][begin:end] = numbers
            levels.append(Level.of([end - begin for _, begin, end in parts], [part_of[m[0]] for m, _, _ in parts]))
            part_of = {row: number for number, (members, _, _) in enumerate(parts) for row in members}
        return cls(tuple(levels), torch.tensor(cells), torch.tensor(tokens).flatten(), length)

    def to(self, device: torch.device | str, **_: Any) -> Self:
        levels = tuple(level.to(device) for level in self.levels)
        cells, tokens = (tensor.to(device, non_blocking=True) for tensor in (self.cells, self.tokens))
        return type(self)(levels, cells, tokens, self.length)

    def masks(self) -> list[torch.Tensor]:
        """What the tokens of each level may attend to; see `Level.mask`."""
        masks, keys = [], None
        for level in self.levels:
            mask, keys = level.mask(keys)
            masks.append(mask)
        return masks


def _parts(rows: Rows) -> list[list[tuple[list[int], int, int]]]:
    """For each level its parts: the rows that begin with a part, its first column and the one after its last."""
    everyone, start = list(range(len(rows))), common_prefix(rows)
    ends = [(group, common_prefix([rows[row] for row in group])) for group in prefix_groups(rows)]
    saved = sum((len(group) - 1) * (end - start) for group, end in ends)
    if saved < GROUPS_SAVE * sum(len(row) - start for row in rows):
        ends = [(everyone, start)]
    begins = {row: end if len(group) > 1 else start for group, end in ends for row in group}
    levels = [
        [(everyone, 0, start)],
        [(group, start, begins[group[0]]) for group, _ in ends],
        [([row], begins[row], len(rows[row])) for row in everyone],
    ]
    return [parts for parts in levels if any(end > begin for _, begin, end in parts)]


class TreeCollator:
    """A data collator that adds the tree of its rows to a right-padded batch, where that is worthwhile."""

    def __init__(self, collator: Callable[[list[dict[str, Any]]], Any]):
        self.collator = collator

    def __call__(self, rows: list[dict[str, Any]]) -> Any:
        batch = self.collator(rows)
        ids, mask = batch["input_ids"], batch["attention_mask"]
        if mask[:, 0].all() and (mask.diff(dim=1) <= 0).all():
            lengths = mask.sum(dim=1).tolist()
            tree = TokenTree.of([row[:length] for row, length in zip(ids.tolist(), lengths)], ids.shape[1])
            if len(tree.cells) <= WORTHWHILE * ids.numel():
                batch["token_tree"] = tree
        return batch


def obstacle(model: PreTrainedModel | PeftModel) -> str | None:
    """Why a model can't compute trees of tokens, None where it can."""
    whole = base_model(model)
    config = whole.config.get_text_config()
    if config.model_type not in TESTED:
        return f"a {config.model_type} model has not been tested with it"
    if whole.config._attn_implementation not in (*ATTENTION, *ATTENTION.values()):
        return f"attn_implementation is {whole.config._attn_implementation}, not sdpa or eager"
    if set(getattr(config, "layer_types", None) or ()) - {"full_attention"} or getattr(config, "sliding_window", None):
        return "the model attends within a sliding window"
    if isinstance(model, PeftModel) and not all(map(_plain_lora, model.peft_config.values())):
        return "the adapter is not a plain LoRA"
    return None


def draws_dropout(model: PreTrainedModel | PeftModel) -> bool:
    """Whether training leaves out states at random: of a shared token the same ones for all its rows."""
    modules = any(isinstance(part, torch.nn.Dropout) and part.p > 0 for part in model.modules())
    return modules or bool(getattr(base_model(model).config.get_text_config(), "attention_dropout", 0))


def accept_trees(model: PreTrainedModel | PeftModel) -> None:
    """From now on the model takes an argument `token_tree` with a batch, the TokenTree of its rows.

    Without that argument it computes what it did before. Calling this twice is calling it once.
    """
    whole = base_model(model)
    if getattr(whole, "accepts_trees", False):
        return
    if whole.config._attn_implementation in ATTENTION:  # two models may share one config
        whole.set_attn_implementation(ATTENTION[whole.config._attn_implementation])
    whole.accepts_trees = True
    whole.base_model.register_forward_pre_hook(_to_tree, with_kwargs=True)
    whole.base_model.register_forward_hook(_to_batch, with_kwargs=True)


def _plain_lora(config: Any) -> bool:
    return config.peft_type == PeftType.LORA and not config.alora_invocation_tokens


def _to_tree(backbone: PreTrainedModel, args: tuple, kwargs: dict[str, Any]) -> tuple[tuple, dict[str, Any]]:
    """Give the backbone one long row in place of the batch."""
    tree = kwargs.pop("token_tree", None)
    if tree is None:
        return args, kwargs
    ids = args[0] if args else kwargs["input_ids"]
    tree = tree.to(ids.device)
    masks = tree.masks()
    if backbone.config._attn_implementation == ATTENTION["eager"]:
        least = torch.finfo(backbone.dtype).min
        masks = [torch.zeros_like(mask, dtype=backbone.dtype).masked_fill(~mask, least) for mask in masks]
    return (), kwargs | {
        "input_ids": ids.flatten()[tree.cells][None],
        "position_ids": (tree.cells % tree.length)[None],
        "attention_mask": masks[-1],  # with one of four dimensions the model makes none of its own
        "use_cache": False,
        "token_tree": tree,
        "tree_masks": masks,
    }


def _to_batch(backbone: PreTrainedModel, args: tuple, kwargs: dict[str, Any], output: Any) -> Any:
    """Lay the hidden states of the long row out as the batch was, (rows, length, size)."""
    tree = kwargs.get("token_tree")
    if tree is not None:
        states = output.last_hidden_state[0].index_select(0, tree.tokens)
        output.last_hidden_state = states.unflatten(0, (-1, tree.length))
    return output


def _attention_by(attention: Callable) -> Callable:
    """An attention function of transformers' interface that follows a tree of tokens where there is one."""

    def attend(module, query, key, value, attention_mask, token_tree=None, tree_masks=(), **kwargs):
        if token_tree is None:
            return attention(module, query, key, value, attention_mask, **kwargs)
        sizes = [len(level.places) for level in token_tree.levels]
        parts = zip(*(states[0].transpose(0, 1).split(sizes) for states in (query, key, value)))
        outputs, above = [], None
        for level, mask, states in zip(token_tree.levels, tree_masks, parts):
            query, key, value = map(level.table, states)
            if above is not None:
                key, value = (
                    torch.cat([level.of_parents(former), own], dim=2) for former, own in zip(above, (key, value))
                )
            above = key, value
            output, _ = attention(module, query, key, value, mask, **kwargs)
            outputs.append(output.flatten(0, 1).index_select(0, level.places))
        return torch.cat(outputs)[None], None

    return attend


def _eager_attention(module: torch.nn.Module, *args, **kwargs):
    """The eager attention of the module's own model, which stands beside it in its file."""
    return sys.modules[type(module).__module__].eager_attention_forward(module, *args, **kwargs)


for _name, _attention, _mask in (("sdpa", sdpa_attention_forward, sdpa_mask), ("eager", _eager_attention, eager_mask)):
    AttentionInterface.register(ATTENTION[_name], _attention_by(_attention))
    AttentionMaskInterface.register(ATTENTION[_name], _mask)
