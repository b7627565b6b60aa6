"""Shards of samples: what any process can draw with the same result, and a restarted run keeps."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from blindspots.config.recipes import SynthesisRecipe
from blindspots.data.nli import END_MARKER, generator_prompt, parse_generated


class Engine(Protocol):
    """What draws completions.

    Attributes:
        description: what of it decides them, beside the recipe and the generator.
        used: what the last call took, by name; nothing where that is not counted.
    """

    description: dict[str, Any]
    used: dict[str, int]

    def sample(self, prompt: str, count: int, seed: int) -> list[str]:
        """`count` completions of one prompt, the same for the same seed; a finished one ends with the end marker."""


@dataclass(frozen=True)
class Shard:
    """The unit of work: the `index`-th shard of one label, of `rows` samples."""

    label: str
    index: int
    rows: int

    def seed(self, seed: int) -> int:
        """A seed of its own, so that a shard comes out the same whoever draws it and when."""
        return int.from_bytes(hashlib.sha256(f"{seed}/{self.label}/{self.index}".encode()).digest()[:4])

    def file(self, folder: Path) -> Path:
        return folder / f"{self.label}-{self.index:06d}.parquet"


def draw_shard(engine: Engine, shard: Shard, recipe: SynthesisRecipe, folder: Path) -> None:
    """Sample one shard and write its kept pairs, with the counts of the others in the file's metadata.

    Source of the filter: the paper keeps what can be extracted and carries the end marker, nothing else.
    """
    texts = engine.sample(generator_prompt(shard.label), shard.rows, shard.seed(recipe.seed))
    pairs = [parse_generated(text) for text in texts]
    unfinished = sum(END_MARKER not in text for text in texts)
    kept = [pair for pair in pairs if pair is not None]
    counts = {
        "sampled": len(texts),
        "kept": len(kept),
        "unfinished": unfinished,
        "malformed": len(texts) - len(kept) - unfinished,
        **engine.used,
    }
    table = pa.table(
        {"premise": [pair[0] for pair in kept], "hypothesis": [pair[1] for pair in kept]},
        schema=pa.schema({"premise": pa.string(), "hypothesis": pa.string()}),
    )
    file = shard.file(folder)
    unfinished_file = file.with_suffix(".partial")
    metadata = {"counts": json.dumps(counts), "engine": json.dumps(engine.description)}
    pq.write_table(table.replace_schema_metadata(metadata), unfinished_file)
    unfinished_file.rename(file)


def read_shard(shard: Shard, folder: Path) -> tuple[list[tuple[str, str]], dict[str, int]]:
    """Kept (premise, hypothesis) pairs of a finished shard, and its counts."""
    table = pq.read_table(shard.file(folder))
    pairs = list(zip(table["premise"].to_pylist(), table["hypothesis"].to_pylist()))
    return pairs, json.loads(table.schema.metadata[b"counts"])


def drawn_by(shards: Iterable[Shard], folder: Path) -> list[dict[str, Any]]:
    """The engines that drew finished shards: one, or several where a run was continued elsewhere."""
    found = [json.loads(pq.read_schema(shard.file(folder)).metadata[b"engine"]) for shard in shards]
    return [engine for index, engine in enumerate(found) if engine not in found[:index]]


def is_drawn(shard: Shard, folder: Path) -> bool:
    """Whether a shard is there and whole; one that a full disk cut short is removed, to be drawn again."""
    try:
        read_shard(shard, folder)
    except FileNotFoundError:
        return False
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowException):
        shard.file(folder).unlink()
        return False
    return True
