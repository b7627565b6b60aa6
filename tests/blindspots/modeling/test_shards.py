"""Shards: what is kept and counted, and that they come out the same whoever draws them."""

from blindspots.config.recipes import SynthesisRecipe
from blindspots.data.nli import END_MARKER, LABELS
from blindspots.modeling.shards import Shard, draw_shard, drawn_by, is_drawn, read_shard

RECIPE = SynthesisRecipe(output_dir="unused", generator="unused")


class Written:
    """An engine that writes what it is told to."""

    def __init__(self, *texts: str, name: str = "written"):
        self.texts, self.description, self.used = texts, {"engine": name}, {}

    def sample(self, prompt: str, count: int, seed: int) -> list[str]:
        return list(self.texts)


def test_what_is_kept_malformed_and_unfinished_is_counted(tmp_path):
    written = Written(
        f" Premise: A dog . Hypothesis: A cat . {END_MARKER}",
        f" Premise: A dog . Hypothesis: A cat . {END_MARKER}",
        f" Premise: A dog . Hypothesis: {END_MARKER}",  # no hypothesis
        f" Premise: A dog . {END_MARKER}",
        " Premise: A dog . Hypothesis: A cat .",  # no end
    )
    shard = Shard("neutral", 0, 5)
    draw_shard(written, shard, RECIPE, tmp_path)
    pairs, counts = read_shard(shard, tmp_path)
    assert pairs == [("A dog .", "A cat .")] * 2
    assert counts == {"sampled": 5, "kept": 2, "unfinished": 1, "malformed": 2}
    assert not list(tmp_path.glob("*.partial"))


def test_a_shard_without_a_kept_pair_is_a_shard(tmp_path):
    shard = Shard("neutral", 0, 1)
    draw_shard(Written("nonsense"), shard, RECIPE, tmp_path)
    assert read_shard(shard, tmp_path)[0] == []


def test_every_shard_of_every_label_and_seed_has_a_seed_of_its_own():
    seeds = {Shard(label, index, 8).seed(seed) for label in LABELS for index in range(50) for seed in range(3)}
    assert len(seeds) == 3 * 50 * 3


class Seeded:
    """An engine whose only text follows from prompt and seed."""

    def __init__(self):
        self.description, self.used = {"engine": "seeded"}, {}

    def sample(self, prompt: str, count: int, seed: int) -> list[str]:
        return [f" Premise: {prompt} Hypothesis: {seed} {row} {END_MARKER}" for row in range(count)]


def test_a_shard_that_was_cut_short_is_removed_and_drawn_again(tmp_path):
    shard = Shard("neutral", 0, 8)
    assert not is_drawn(shard, tmp_path)
    draw_shard(Seeded(), shard, RECIPE, tmp_path)
    whole = shard.file(tmp_path).read_bytes()
    assert is_drawn(shard, tmp_path)
    for damaged in (whole[: len(whole) // 2], b"", b"PAR1PAR1"):
        shard.file(tmp_path).write_bytes(damaged)
        assert not is_drawn(shard, tmp_path)
        assert not shard.file(tmp_path).exists()
    draw_shard(Seeded(), shard, RECIPE, tmp_path)
    assert shard.file(tmp_path).read_bytes() == whole


def test_every_engine_that_drew_a_shard_is_known_once(tmp_path):
    shards = [Shard("neutral", index, 1) for index in range(4)]
    for shard, name in zip(shards, ("one", "one", "other", "one")):
        draw_shard(Written("text", name=name), shard, RECIPE, tmp_path)
    assert drawn_by(shards, tmp_path) == [{"engine": "one"}, {"engine": "other"}]
