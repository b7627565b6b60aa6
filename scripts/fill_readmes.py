"""Fill the generated parts of the READMEs: after `<!-- file: PATH -->` that file, after `<!-- keys -->` every key.

python scripts/fill_readmes.py
"""

import re
from pathlib import Path

from blindspots.config import recipes
from blindspots.config.parser import own_keys

ROOT = Path(__file__).parents[1]
READMES = (ROOT / "README.md", ROOT / "recipes" / "README.md")
PART = re.compile(r"<!-- (?P<what>keys|file: (?P<path>\S+)) -->\n.*?<!-- end -->", re.DOTALL)
SCRIPTS = {
    "make_demo_inputs.py": recipes.DemoRecipe,
    "prepare_mnli.py": recipes.PrepareRecipe,
    "finetune_task.py": recipes.TaskRecipe,
    "finetune_generator.py": recipes.GeneratorRecipe,
    "generate_synthetic.py": recipes.SynthesisRecipe,
    "build_variants.py": recipes.VariantsRecipe,
    "evaluate_task.py": recipes.EvaluateRecipe,
    "audit_dataset.py": recipes.AuditRecipe,
    "grid.yaml and report.py": recipes.ReportRecipe,
}


def key_table() -> str:
    """A Markdown table of our recipe keys: key, scripts, kinds of value, default, meaning."""
    used: dict[str, list] = {}
    for script, recipe_class in SCRIPTS.items():
        for key in own_keys(recipe_class).values():
            used.setdefault(key.name, [key, []])[1].append(script)
    rows = ["| key | scripts | value | default | meaning |", "|---|---|---|---|---|"]
    for name, (key, scripts) in sorted(used.items()):
        where = "all" if len(scripts) >= len(SCRIPTS) - 1 else ", ".join(f"`{script}`" for script in scripts)
        kinds = " or ".join(sorted(key.kinds - {"None"}))
        rows.append(f"| `{name}` | {where} | {kinds} | `{key.default}` | {key.help} |")
    return "\n".join(rows)


def filled(text: str) -> str:
    """The text with each generated part as it should be."""

    def part(match: re.Match) -> str:
        content = (ROOT / match["path"]).read_text().strip() if match["path"] else key_table()
        return f"<!-- {match['what']} -->\n{content}\n<!-- end -->"

    return PART.sub(part, text)


def main() -> None:
    for readme in READMES:
        readme.write_text(filled(readme.read_text()))


if __name__ == "__main__":
    main()
