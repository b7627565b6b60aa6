"""The keys of the libraries' argument classes, read from their source so that nothing heavy is imported.

Importing transformers' TrainingArguments costs seconds; a misspelt recipe key should cost none of them.
"""

import ast
import dataclasses
import functools
from importlib.util import find_spec
from pathlib import Path

from blindspots.config.keys import LARGEST_SEED
from blindspots.config.refused_keys import REFUSED

# Each class with its bases, base first: (package, file below the package, class).
_TRAINING = ("transformers", "training_args.py", "TrainingArguments")
LIBRARY_CLASSES = {
    "TrainingArguments": [_TRAINING],
    "SFTConfig": [
        _TRAINING,
        ("trl", "trainer/base_config.py", "_BaseConfig"),
        ("trl", "trainer/sft_config.py", "SFTConfig"),
    ],
    "RewardConfig": [
        _TRAINING,
        ("trl", "trainer/base_config.py", "_BaseConfig"),
        ("trl", "trainer/reward_config.py", "RewardConfig"),
    ],
    "ModelConfig": [("trl", "trainer/model_config.py", "ModelConfig")],
}
# Smallest and largest values, where the libraries leave it to a later step to fail.
LIMITS = {
    "seed": (0, LARGEST_SEED),
    "data_seed": (0, LARGEST_SEED),
    "per_device_train_batch_size": (1, None),
    "per_device_eval_batch_size": (1, None),
    "gradient_accumulation_steps": (1, None),
    "pad_to_multiple_of": (1, None),
    "max_length": (1, None),
    "neftune_noise_alpha": (0, None),
    "lora_r": (1, None),
    "lora_alpha": (1, None),
    "lora_dropout": (0, 1),
}
# The words of a key that otherwise takes a number.
WORDS = {"pad_to_multiple_of": ("auto",)}
_BUILTIN = {"int", "float", "str", "bool", "list", "dict", "None"}


@dataclasses.dataclass(frozen=True)
class Key:
    """One recipe key: name, types of its value, default as text, meaning, limits.

    items, values: types of a list's items and of a dict's values; a dict may hold anything where there are none.
    """

    name: str
    types: frozenset[str]
    default: str
    help: str
    choices: tuple[str, ...] = ()
    required: bool = False
    items: frozenset[str] = frozenset({"str"})
    values: frozenset[str] = frozenset()
    minimum: float | None = None
    maximum: float | None = None
    group: str | None = None

    @property
    def default_value(self) -> object:
        """The default itself; its text where that is an expression."""
        try:
            return ast.literal_eval(self.default)
        except ValueError:
            return self.default


def types_of(annotation: str) -> frozenset[str]:
    """The builtin types that an annotation such as `SchedulerType | str | None` admits; an enum is written as str."""
    return frozenset(_types(ast.parse(annotation, mode="eval").body))


def item_types(annotation: str) -> frozenset[str]:
    """The types of the items of the first list in an annotation; str where it holds none."""
    lists = [node for node in ast.walk(ast.parse(annotation)) if isinstance(node, ast.Subscript)]
    items = [_types(node.slice) for node in lists if ast.unparse(node.value) == "list"]
    return frozenset(items[0] if items else {"str"})


def dict_types(annotation: str) -> frozenset[str]:
    """The types of the values of the first dict in an annotation; none where it says nothing of them."""
    dicts = [node for node in ast.walk(ast.parse(annotation)) if isinstance(node, ast.Subscript)]
    values = [node.slice.elts[1] for node in dicts if ast.unparse(node.value) == "dict"]
    return frozenset(_types(values[0]) if values and ast.unparse(values[0]) != "Any" else ())


def _types(node: ast.expr) -> set[str]:
    if isinstance(node, ast.BinOp):
        return _types(node.left) | _types(node.right)
    if isinstance(node, ast.Subscript):
        name = ast.unparse(node.value)
        if name == "Optional":
            return {"None"} | _types(node.slice)
        if name == "Literal":
            values = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
            return {type(value.value).__name__ for value in values}
        return _types(node.value)
    name = ast.unparse(node)
    return {name} if name in _BUILTIN else {"str"}


def library_keys(name: str) -> dict[str, Key]:
    """The keys of one of LIBRARY_CLASSES that a recipe may hold, those that are not in REFUSED."""
    return {name: key for name, key in class_keys(name).items() if name not in REFUSED}


@functools.cache
def class_keys(name: str) -> dict[str, Key]:
    """All keys of one of LIBRARY_CLASSES, a subclass's own definition winning over its base's."""
    keys: dict[str, Key] = {}
    for package, file, class_name in LIBRARY_CLASSES[name]:
        path = Path(find_spec(package).submodule_search_locations[0], file)
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and node.name == class_name:
                keys |= {key.name: key for key in map(_read_key, node.body) if key is not None}
    return keys


def _read_key(node: ast.stmt) -> Key | None:
    if not (isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)) or node.target.id.startswith("_"):
        return None
    default, metadata = node.value, {}
    if isinstance(default, ast.Call):
        keywords = {keyword.arg: keyword.value for keyword in default.keywords}
        if isinstance(keywords.get("init"), ast.Constant) and keywords["init"].value is False:
            return None
        default = keywords.get("default", keywords.get("default_factory"))
        if isinstance(keywords.get("metadata"), ast.Dict):
            entries = zip(keywords["metadata"].keys, keywords["metadata"].values)
            metadata = {key.value: _literal(value) for key, value in entries}
    minimum, maximum = LIMITS.get(node.target.id, (None, None))
    return Key(
        name=node.target.id,
        types=types_of(ast.unparse(node.annotation)),
        default=ast.unparse(default) if default is not None else "None",
        help=" ".join(str(metadata.get("help", "")).replace("%%", "%").split()),
        choices=WORDS.get(node.target.id, tuple(metadata.get("choices", ()))),
        items=item_types(ast.unparse(node.annotation)),
        values=dict_types(ast.unparse(node.annotation)),
        minimum=minimum,
        maximum=maximum,
    )


def _literal(node: ast.expr) -> object:
    try:
        return ast.literal_eval(node)
    except ValueError:
        return ""
