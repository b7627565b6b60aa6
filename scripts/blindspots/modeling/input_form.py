"""How premise and hypothesis are written for a task model: what its lineage says, or what the recipe asks for."""

from collections.abc import Mapping
from typing import Any

from blindspots.artifacts.inputs import Source
from blindspots.artifacts.names import LINEAGE, read_lineage
from blindspots.config.errors import RecipeError, UserError
from blindspots.config.processes import is_main_process
from blindspots.config.recipes import AUTO
from blindspots.data.nli import TASK_TEMPLATE, is_template


def input_template(source: Source, asked: str | None, encoder: bool, has_head: bool) -> str | None:
    """The text that rows are written in; None for a pair of texts, as the tokenizer joins them.

    Args:
        asked: `template` of the recipe. By default (`auto`) the form that the model was tuned on; for one without a
            record of it a pair for an encoder, and the paper's text for a decoder.
        encoder: whether the model is one.
        has_head: whether the model was tuned on rows before.

    Raises:
        RecipeError: a text without {premise} or {hypothesis}, and another form than the model was tuned on.
        UserError: a lineage whose form can't be used.
    """
    if asked not in (AUTO, None) and not is_template(asked):
        raise RecipeError(f"template {asked!r} lacks {{premise}} or {{hypothesis}}; write both, or null for a pair.")
    recorded = _recorded(source)
    if recorded is not None:
        if asked not in (AUTO, recorded["template"]):
            raise RecipeError(
                f"{source.name} was tuned on {shown(recorded['template'])}; leave out template, or set it to that."
            )
        return recorded["template"]
    if asked != AUTO:
        return asked
    template = None if encoder else TASK_TEMPLATE
    if has_head and is_main_process():
        print(f"{source.name} has no record of its input; it is given {shown(template)}. Another is set by template.")
    return template


def shown(template: str | None) -> str:
    """A form in words."""
    if template is None:
        return "pairs as the tokenizer joins them (template: null)"
    return "the paper's text" if template == TASK_TEMPLATE else f"the text {template!r}"


def input_record(template: str | None, label2id: Mapping[str, int]) -> dict[str, Any]:
    """What a lineage says of a model's input: its form, and the labels in the order of the logits."""
    return {"input": {"template": template, "labels": sorted(label2id, key=label2id.__getitem__)}}


def _recorded(source: Source) -> dict[str, Any] | None:
    file = source.path / LINEAGE
    found = read_lineage(source.path).get("input") if file.is_file() else None
    if found is None:
        return None
    template = found.get("template", AUTO)
    if template is not None and not (isinstance(template, str) and template.isprintable() and is_template(template)):
        raise UserError(f"{file} can't be used: its input names no template with {{premise}} and {{hypothesis}}.")
    return found
