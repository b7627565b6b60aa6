"""Three small files in the demo's language to try a check on: a harmless set, a biased one and a broken one."""

import json
from collections.abc import Iterator
from pathlib import Path

from blindspots.data.nli import CONTRADICTION, ENTAILMENT, LABELS, NEUTRAL
from blindspots.demo.corpus import OVERLAP_SHARE, OverlapShare, mnli_like

ROWS = 1500
# Every entailed hypothesis uses words of its premise alone, no other one does.
ALWAYS = {ENTAILMENT: 1.0, NEUTRAL: 0.0, CONTRADICTION: 0.0}
BIASED: OverlapShare = {False: ALWAYS, True: ALWAYS}
# The broken file ends with a row whose label is none.
BROKEN_ROWS, BROKEN_LABEL = 300, "maybe"


def rows(count: int, seed: int, overlap_share: OverlapShare = OVERLAP_SHARE) -> Iterator[dict[str, str]]:
    """Rows as the corpus has them, of another seed than the demo's."""
    pairs = mnli_like(count, 0, seed, overlap_share)["train"]
    for premise, hypothesis, label in zip(pairs["premise"], pairs["hypothesis"], pairs["label"]):
        yield {"premise": premise, "hypothesis": hypothesis, "label": LABELS[label]}


def write_examples(folder: Path) -> None:
    """Write harmless.jsonl, biased.jsonl and broken.jsonl, the same bytes each time."""
    broken = list(rows(BROKEN_ROWS, seed=103))
    broken[-1]["label"] = BROKEN_LABEL
    files = {"harmless": rows(ROWS, seed=101), "biased": rows(ROWS, 102, BIASED), "broken": broken}
    for name, found in files.items():
        text = "".join(json.dumps(row) + "\n" for row in found)
        (folder / f"{name}.jsonl").write_text(text, encoding="utf-8")
