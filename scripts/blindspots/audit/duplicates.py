"""Exact, normalised and near duplicates within a set and against others."""

from binascii import crc32
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from datasketch import MinHash, MinHashLSH

from blindspots.audit.findings import Section, share
from blindspots.audit.rows import Batch, Rows
from blindspots.data.heuristics import words
from blindspots.data.nli_datasets import NO_LABEL

PERMUTATIONS = 64
# Of false positives and false negatives in the choice of bands: candidates are verified, so misses weigh more.
WEIGHTS = (0.1, 0.9)
KINDS = {
    "exact": "same pair, letter by letter",
    "normalised": "same pair, normalised",
    "premise": "same premise, normalised",
    "hypothesis": "same hypothesis, normalised",
}
SHOWN_PAIRS = 5


def shingles(tokens: list[str], start: int) -> frozenset[int]:
    """Hashes of words and of word pairs, ends of the text included; `start` keeps premise and hypothesis apart."""
    pairs = (f"{first} {second}" for first, second in pairwise(["", *tokens, ""]))
    return frozenset(crc32(gram.encode(), start) for gram in (*tokens, *pairs))


def jaccard(first: frozenset, second: frozenset) -> float:
    """Shared among all members of two sets; two empty sets are equal."""
    both = len(first & second)
    total = len(first) + len(second) - both
    return both / total if total else 1.0


def minhash(members: Iterable[int]) -> MinHash:
    """MinHash of hashed shingles."""
    made = MinHash(num_perm=PERMUTATIONS, hashfunc=int)
    made.update_batch(members)
    return made


@dataclass
class NearIndex:
    """Sampled rows, to be found by any row whose premise and hypothesis are each at least `threshold` alike.

    Where both are, so are their unions (the mediant of two shares lies between them): the index holds the unions, and
    a candidate is verified on both texts. A row is not even looked up unless the index knows enough of its shingles.
    """

    sample: Batch
    threshold: float
    texts: list[tuple[frozenset, frozenset]] = field(default_factory=list)
    known: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        # The library has no bands for more; candidates are verified at the threshold itself.
        self.index = MinHashLSH(threshold=min(self.threshold, 0.9), num_perm=PERMUTATIONS, weights=WEIGHTS)
        for place, pair in enumerate(zip(self.sample.premises, self.sample.hypotheses)):
            premise, hypothesis = (words(text, strip_punctuation=True) for text in pair)
            self.texts.append((shingles(premise, 1), shingles(hypothesis, 2)))
            both = self.texts[-1][0] | self.texts[-1][1]
            self.known |= both
            self.index.insert(place, minhash(both))

    def near(self, premise: list[str], hypothesis: list[str]) -> Iterator[int]:
        """Places in the sample of the rows that are near duplicates of a pair, given as stripped words."""
        texts = shingles(premise, 1), shingles(hypothesis, 2)
        both = texts[0] | texts[1]
        if len(both & self.known) < self.threshold * len(both):
            return
        for place in self.index.query(minhash(both)):
            if all(jaccard(*pair) >= self.threshold for pair in zip(self.texts[place], texts)):
                yield place


@dataclass
class Fingerprints:
    """Of the usable rows of one set.

    hashes: 64 bits a row, by KINDS, shape [rows]. labels: names, shape [rows]. near: by place in an index's sample,
    number and texts of the first near duplicate that the set holds.
    """

    hashes: dict[str, np.ndarray]
    labels: np.ndarray
    near: dict[int, tuple[int, str, str]]


def fingerprints(rows: Rows, index: NearIndex, same_set: bool) -> Fingerprints:
    """One pass over a set; in the sample's own set a row is not a duplicate of itself."""
    hashes: dict[str, list] = {kind: [] for kind in KINDS}
    labels, near = [], {}
    for batch in rows.batches(f"{rows.name}: duplicates"):
        found = {kind: np.empty(len(batch), dtype=np.int64) for kind in KINDS}
        for row, (premise, hypothesis) in enumerate(zip(batch.premises, batch.hypotheses)):
            tokens = [words(text, strip_punctuation=True) for text in (premise, hypothesis)]
            plain = tuple(map(" ".join, tokens))
            values = hash((premise, hypothesis)), hash(plain), hash(plain[0]), hash(plain[1])
            for kind, value in zip(KINDS, values):
                found[kind][row] = value
            for place in index.near(*tokens):
                if not (same_set and index.sample.numbers[place] == batch.numbers[row]):
                    near.setdefault(place, (batch.numbers[row], premise, hypothesis))
        for kind, values in found.items():
            hashes[kind].append(values)
        labels += batch.labels
    joined = {kind: np.concatenate(parts) if parts else np.empty(0, np.int64) for kind, parts in hashes.items()}
    return Fingerprints(joined, np.array(labels), near)


def repeated(hashes: np.ndarray) -> int:
    """Rows that repeat an earlier one."""
    return int(hashes.size - np.unique(hashes).size)


def in_conflict(hashes: np.ndarray, labels: np.ndarray) -> int:
    """Rows whose pair occurs with more than one label; rows without label do not count."""
    hashes, labels = hashes[labels != NO_LABEL], labels[labels != NO_LABEL]
    if not hashes.size:
        return 0
    _, codes = np.unique(labels, return_inverse=True)
    _, groups = np.unique(hashes, return_inverse=True)
    kinds = np.unique(np.stack([groups, codes]), axis=1)
    several = np.bincount(kinds[0]) > 1
    return int(several[groups].sum())


def section(
    mine: Fingerprints, reference: Fingerprints, others: dict[str, Fingerprints], near: tuple[NearIndex, NearIndex]
) -> Section:
    """Duplicates within the set, beside the reference's own, and against each of the other sets.

    Args:
        others: by name, such as "MNLI train", fingerprints that were looked up in the set's own index.
        near: the indices of the set and of the reference.
    """
    size = len(near[0].sample)
    made = Section(
        "Share of rows that repeat an earlier row of the set, and of rows that occur in another set (leakage); "
        "normalised is lower case without punctuation. Near: premise and hypothesis each share at least "
        f"{near[0].threshold:g} of their words and word pairs (Jaccard) with another row, found by MinHash LSH for a "
        f"sample of {size:,} rows (of the reference {len(near[1].sample):,}) against all rows, verified exactly; "
        "candidates that LSH misses make it a lower bound."
    )
    n, other_n = mine.labels.size, reference.labels.size
    for kind, what in KINDS.items():
        count, other = repeated(mine.hashes[kind]), repeated(reference.hashes[kind])
        made.findings.append(share(f"within: {what}", count, n, (other, other_n)))
    conflicts = [in_conflict(prints.hashes["normalised"], prints.labels) for prints in (mine, reference)]
    labelled = [int((prints.labels != NO_LABEL).sum()) for prints in (mine, reference)]
    if labelled[0]:
        made.findings.append(
            share("within: same pair with different labels", conflicts[0], labelled[0], (conflicts[1], labelled[1]))
        )
    pair = (len(mine.near), size), (len(reference.near), len(near[1].sample))
    made.findings.append(share("within: near duplicate of another row", *pair[0], pair[1]))
    for name, prints in others.items():
        for kind, what in KINDS.items():
            count = int(np.isin(mine.hashes[kind], prints.hashes[kind]).sum())
            made.findings.append(share(f"in {name}: {what}", count, n))
        made.findings.append(share(f"in {name}: near duplicate", len(prints.near), size))
    made.tables["near duplicates"] = list(_shown(near[0].sample, {"itself": mine} | others))
    return made


def _shown(sample: Batch, sets: dict[str, Fingerprints]) -> Iterator[dict]:
    for name, prints in sets.items():
        for place, (number, premise, hypothesis) in sorted(prints.near.items())[:SHOWN_PAIRS]:
            pair = f"{sample.premises[place]} / {sample.hypotheses[place]}"
            yield {
                "row": sample.numbers[place],
                "text": pair,
                "in": name,
                "its row": number,
                "its text": f"{premise} / {hypothesis}",
            }
