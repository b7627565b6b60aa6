"""Fill the generated parts of the READMEs, from `<!-- WHAT -->` to `<!-- end -->`.

python scripts/fill_readmes.py

WHAT is `file: PATH` (that file), `keys` (every key of a recipe), `kinds`, `test sets` or `audits` (their findings side
by side).
"""

import json
import re
from collections.abc import Callable

from blindspots.artifacts.files import markdown_table
from blindspots.audit.render import overview
from blindspots.config import recipes
from blindspots.config.parser import own_keys
from blindspots.config.paths import ROOT
from blindspots.data.kinds import FAMILIES
from blindspots.data.test_sets import test_set

READMES = tuple(ROOT / folder / "README.md" for folder in ("", "recipes", "results", "results/audits"))
PART = re.compile(r"<!-- (?P<what>keys|kinds|test sets|audits|file: (?P<path>\S+)) -->\n.*?<!-- end -->", re.DOTALL)
AUDITS = {"WANLI": "wanli", "SuperGen": "supergen", "LingNLI": "lingnli"}
SCRIPTS = {
    "make_demo_inputs.py": recipes.DemoRecipe,
    "base_from_gguf.py": recipes.GgufRecipe,
    "prepare_mnli.py": recipes.PrepareRecipe,
    "finetune_task.py": recipes.TaskRecipe,
    "finetune_generator.py": recipes.GeneratorRecipe,
    "merge_generator.py": recipes.MergeRecipe,
    "generate_synthetic.py": recipes.SynthesisRecipe,
    "build_variants.py": recipes.VariantsRecipe,
    "evaluate_task.py": recipes.EvaluateRecipe,
    "audit_dataset.py": recipes.AuditRecipe,
    "grid.yaml and report.py": recipes.ReportRecipe,
    "release.py": recipes.ReleaseRecipe,
    "reproduce_cell.py": recipes.ReproduceRecipe,
}


def key_table() -> str:
    """Every key of our recipes: one row per distinct meaning, with the scripts that give it that meaning."""
    meanings: dict[tuple[str, ...], list[str]] = {}
    for script, recipe_class in SCRIPTS.items():
        for key in own_keys(recipe_class).values():
            if key.group and key.name != "test_sets":
                continue  # four keys per test set, described beside its table
            value = " or ".join(sorted(key.kinds - {"None"}))
            meanings.setdefault((key.name, value, f"`{key.default}`", key.help), []).append(f"`{script}`")
    rows = [
        {"key": f"`{name}`", "scripts": ", ".join(scripts), "value": value, "default": default, "meaning": meaning}
        for (name, value, default, meaning), scripts in sorted(meanings.items())
    ]
    return markdown_table(rows)


def kind_table() -> str:
    """The families of augmentation kinds."""
    rows = []
    for family in FAMILIES:
        rows.append({"kind": f"`{family.name}`", "its sets": family.about})
    return markdown_table(rows)


def test_set_table() -> str:
    """The files of recipes/test_sets."""
    rows = []
    for name in recipes.test_set_keys():
        found = test_set(name)
        headlines = ", ".join(f"`{headline.name}`" for headline in found.shown)
        pinned = f"`{found.revision[:12]}`" if found.revision else "none known"
        rows.append(
            {
                "test set": f"`{name}`",
                "keys": f"`{found.key}`",
                "dataset": f"`{found.dataset}`, `{found.split}`",
                "revision": pinned,
                "rows": f"{found.rows:,}",
                "labels": ", ".join(found.labels),
                "headlines": headlines,
            }
        )
    return markdown_table(rows)


def audit_table() -> str:
    """The committed audits side by side."""
    found = {
        shown: json.loads((ROOT / "results/audits" / name / "audit.json").read_text("utf-8"))
        for shown, name in AUDITS.items()
    }
    return overview(found)


PARTS: dict[str, Callable[[], str]] = {
    "keys": key_table,
    "kinds": kind_table,
    "test sets": test_set_table,
    "audits": audit_table,
}


def filled(text: str) -> str:
    """The text with each generated part as it should be."""

    def part(match: re.Match) -> str:
        content = (ROOT / match["path"]).read_text("utf-8") if match["path"] else PARTS[match["what"]]()
        return f"<!-- {match['what']} -->\n{content.strip()}\n<!-- end -->"

    return PART.sub(part, text)


def main() -> None:
    for readme in READMES:
        readme.write_text(filled(readme.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    main()
