"""Reading flat YAML files: recipes and the files of test sets."""

import difflib
from pathlib import Path
from typing import Any

import yaml

from blindspots.config.errors import RecipeError


class _UniqueKeyLoader(yaml.SafeLoader):
    """yaml.SafeLoader, but a key written twice is an error instead of a silent overwrite."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        names = [self.construct_object(key) for key, _ in node.value]
        for name in names:
            if names.count(name) > 1:
                raise RecipeError(f"{node.start_mark.name}: {name} is given two values; keep one.")
        return super().construct_mapping(node, deep)


def read_yaml(path: str | Path) -> dict[str, Any]:
    """Read a flat YAML recipe. Raises RecipeError for a missing, empty or broken file and for a repeated key."""
    path = Path(path)
    if not path.is_file():
        near = difflib.get_close_matches(path.name, [p.name for p in path.parent.glob("*.yaml")], 1)
        hint = f" Did you mean {path.parent / near[0]}?" if near else ""
        raise RecipeError(f"There is no recipe at {path}.{hint}")
    with path.open(encoding="utf-8") as stream:
        try:
            values = yaml.load(stream, _UniqueKeyLoader)  # a SafeLoader
        except yaml.YAMLError as error:
            raise RecipeError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from None
    if not values:
        raise RecipeError(f"{path} is empty; a recipe holds one `key: value` a line.")
    if not isinstance(values, dict):
        raise RecipeError(f"{path} must hold one `key: value` a line, not a {type(values).__name__}.")
    return values
