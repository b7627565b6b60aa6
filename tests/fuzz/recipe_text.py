"""Recipes as text, and strategies that edit them into ones that nobody meant."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import yaml
from hypothesis import strategies as st

from blindspots.config.library_keys import Key

from .damage import Bytes, byte_damages

RECIPE = "recipe.yaml"

# What may stand behind `key: `. Large whole numbers are kept for keys that do not multiply the work.
VALUES = """
'' null ~ true yes no on "true" 'null' 1 0 -1 2 6 1.5 -0.5 1e-5 1e-3 .nan .inf -.inf "nan" "inf" 0x10 010 0o7 1_0 1:30
2020-01-01 2001-12-14t21:59:43Z x X org/name org/name@v1.0 org/name@ @v1 a/b/c ../x ./x . .. / ~/x nowhere/x mnli
original steps epoch float32 auto [] [1] [1,2] [6,6] [-1] [x] [null] [[1]] [true] [1.5] [nan] {} {a: 1} {a: {b: 1}}
{1: 2} {a: 1, a: 2} {[1]: 2} {null: x} [{a: 1}] "[1]" "[1" "{a: 1}" "{a" "[]" "{}" &a *a !!str !!int !!float
!!null !!python/name:os.system @x `x` %x 'x "x [x {x *x ! !x | > - ? é 日本 "\\0" "\\e[31m" "\\ud800"
"a\\nb" "\\u2028" "\\uFEFF" -- --seed =
""".split("\n")
VALUES = [value for line in VALUES for value in line.split(" ") if value] + [
    "",
    " ",
    "{a: 1}",
    "{a: {b: 1}}",
    "[{a: 1}]",
    "{a: 1, a: 2}",
    "{[1]: 2}",
    '"{a: 1}"',
    "&a [1, *a]",
    "&a {a: *a}",
    "!!binary aGk=",
    "!!set {a, b}",
    "!!omap [a: 1]",
    "!!int x",
    "!!float x",
    "!!timestamp x",
    "!!python/object/apply:os.getcwd []",
    "|\n  x",
    ">-\n  x\n  y",
    "\n  - 1\n  - 2",
    "\n  a: 1",
    "x: y",
    "x #y",
    "x\ty",
    "\tx",
    "2020-99-99",
    "1" * 400,
    "0." + "1" * 400,
    "x" * 300,
    "x" * 5000,
    "/".join(["x"] * 3000),
    "[" * 200,
    "{a: " * 200,
]
LARGE = ["99", "1000", "4294967296", "99999999999999999999", "1e9", "1e400", "1" * 5000, "-" + "9" * 30]
WORDS = """
sgd adafactor lomo galore_adamw adamw_bnb_8bit adamw_torch linear cosine constant polynomial inverse_sqrt
warmup_stable_decay cosine_with_min_lr reduce_lr_on_plateau steps epoch best eager sdpa flash_attention_2 bfloat16
float16 CAUSAL_LM SEQ_CLS sequential group_by_length batch_rebalance wandb tensorboard all none vllm original
synthetic biased_synthetic mixed_25 external_x hans mnli mnli_matched prepared train validation n6 full x q_proj v_proj
score completion nll dft
""".split()
KEYS = """
seeed x X seed. 1 1.5 null ~ true '' "" é 日本 "\\e[31m" "a\\nb" [a] {a: b} <<  - ? &a *a !!str !!python/name:os.system
output-dir --seed hub_token __class__ self recipe config
""".split()
LINES = [
    "---",
    "...",
    "--- x",
    "%YAML 1.1",
    "%FOO",
    "- 1",
    "x",
    "\tx: 1",
    "  x: 1",
    "<<: {a: 1}",
    "<<: [1]",
    "<<: 1",
    "? [a, b]\n: 1",
    "? {a: b}\n: 1",
    "? &a [*a]\n: 1",
    "# only a comment",
    "}",
    "]",
    '"',
    "\x00",
    "\x85",
    "\u2028",
    "\ufeff",
    "x: &x [y, y]\ny: [*x, *x]",
]


@dataclass(frozen=True)
class Edit:
    """One change of a recipe's text: a key's value is set, a key is removed or repeated, or a line is added."""

    how: str
    key: str = ""
    text: str = ""

    def __call__(self, lines: dict[str, str]) -> dict[str, str]:
        if self.how == "set":
            return lines | {self.key: f"{self.key}: {self.text}"}
        if self.how == "remove":
            return {key: line for key, line in lines.items() if key != self.key}
        if self.how == "repeat":
            return lines | {f"{self.key} again": f"{self.key}: {self.text}"}
        return {"": self.text} | lines if self.how == "first" else lines | {" ": self.text}


def text_of(values: Mapping[str, Any], edits: Iterable[Edit | Bytes]) -> bytes:
    """A recipe of these values after the edits."""
    shown = {
        key: yaml.safe_dump(value, default_flow_style=True, width=999).split("\n")[0] for key, value in values.items()
    }
    lines = {key: f"{key}: {text}" for key, text in shown.items()}
    edits = list(edits)
    for edit in edits:
        lines = edit(lines) if isinstance(edit, Edit) else lines
    content = ("\n".join(lines.values()) + "\n").encode("utf-8", "surrogatepass")
    for edit in edits:
        content = edit(content) if isinstance(edit, Bytes) else content
    return content


def fitting(key: Key) -> st.SearchStrategy[str]:
    """Values of a kind that a key takes, sensible ones and others."""
    of_kind = {
        "int": st.integers(-2, 12).map(str),
        "float": st.sampled_from(["-0.1", "0", "1e-8", "0.25", "1", "1.5", "30"]),
        "bool": st.sampled_from(["true", "false"]),
        "str": st.sampled_from([*WORDS, *key.choices]),
        "dict": st.dictionaries(st.sampled_from(["a", "0", "num_cycles", "x"]), st.integers(-1, 2), max_size=2).map(
            str
        ),
    }
    one = st.one_of([of_kind[kind] for kind in sorted(key.types & of_kind.keys())] or [st.just("null")])
    if "list" not in key.types:
        return one
    items = st.one_of([of_kind[kind] for kind in sorted(key.items & of_kind.keys())])
    return st.lists(items, max_size=3).map(lambda texts: f"[{', '.join(texts)}]")


def edits(given: Iterable[str], known: Mapping[str, Key], heavy: Iterable[str] = ()) -> st.SearchStrategy[list]:
    """One or two edits of a recipe.

    Args:
        given: keys that the recipe has.
        known: those that it may have.
        heavy: names of those that multiply the work, which are never set to large numbers.
    """
    given, heavy = [name for name in given if name in known], frozenset(heavy)
    keys = st.one_of(st.sampled_from(sorted(known)), st.sampled_from(given))
    light = st.sampled_from(sorted(known.keys() - heavy))
    values = st.one_of(st.sampled_from(VALUES), st.text(max_size=8))
    fit = keys.flatmap(lambda name: st.builds(Edit, st.just("set"), st.just(name), fitting(known[name])))
    edit = st.one_of(
        fit,
        fit,
        fit,
        st.builds(Edit, st.just("set"), keys, values),
        st.builds(Edit, st.just("set"), light, st.sampled_from(LARGE)),
        st.builds(Edit, st.just("set"), st.sampled_from(KEYS), values),
        st.builds(Edit, st.just("remove"), st.sampled_from(given)),
        st.builds(Edit, st.just("repeat"), keys, values),
        st.builds(Edit, st.sampled_from(["first", "last"]), st.just(""), st.sampled_from(LINES)),
        byte_damages(),
    )
    return st.lists(edit, min_size=1, max_size=2)


class Loader(yaml.SafeLoader):
    """What a recipe says: YAML in which yes, no, on and off are texts."""


Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if first in "tTfF" or tag != "tag:yaml.org,2002:bool"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def read(content: bytes) -> Any:
    """The value of a recipe's text."""
    return yaml.load(content, Loader)


def means(given: Any, recorded: Any) -> bool:
    """Whether a recorded value is what was given; texts of numbers, of true, false and null and of lists count."""
    if isinstance(given, bool) or isinstance(recorded, bool):
        words = {"yes": "true", "on": "true", "no": "false", "off": "false"}
        text = str(given).lower()
        return words.get(text, text) == str(recorded).lower()
    if given == recorded or (isinstance(given, int) and isinstance(recorded, float) and float(given) == recorded):
        return True
    if isinstance(given, dict) and isinstance(recorded, dict):
        given = {str(key): value for key, value in given.items()}
        return given.keys() == recorded.keys() and all(means(given[key], recorded[key]) for key in given)
    if isinstance(given, list) and isinstance(recorded, list):
        return len(given) == len(recorded) and all(map(means, given, recorded))
    if isinstance(given, str) and isinstance(recorded, int | float):
        return float(given) == recorded
    if isinstance(given, str):
        return yaml.safe_load(given) == recorded
    return False
