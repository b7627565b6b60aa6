"""Fill the generated parts of the READMEs, from `<!-- WHAT -->` to `<!-- end -->`.

python scripts/fill_readmes.py

WHAT is `file: PATH` (that file), `keys` (every key of a recipe), `kinds`, `test sets`, `audits` or `audits of grid B`
(their findings side by side), `grid claims` (the paper's claims, grid by grid), `source claims` (those of all
comparisons) or `trained claims` (those of models trained on such data).
"""

import argparse
import json
import re
from collections.abc import Callable, Iterable
from functools import partial

from blindspots.artifacts.files import markdown_table, write_whole
from blindspots.artifacts.markdown import Markdown, code
from blindspots.artifacts.output_dir import locked
from blindspots.audit.render import overview
from blindspots.config.parser import own_keys
from blindspots.config.paths import ROOT
from blindspots.config.processes import run_script
from blindspots.config.scripts import RECIPE_CLASSES
from blindspots.config.source_recipes import DATA_TYPES
from blindspots.config.test_set_keys import test_set_keys
from blindspots.data.kinds import FAMILIES
from blindspots.data.test_sets import test_set
from blindspots.report.verdicts import read_claim
from blindspots.sources.render import overview as claims_of_sources
from blindspots.sources.second_order_page import overview as claims_of_trained

READMES = tuple(
    ROOT / folder / "README.md"
    for folder in ("", "recipes", "recipes/check", "results", "results/audits", "results/sources")
)
PART = re.compile(
    r"<!-- (?P<what>keys|kinds|test sets|audits( of grid B)?|(grid|source|trained) claims|file: (?P<path>\S+)) -->\n"
    r".*?<!-- end -->",
    re.DOTALL,
)
GRIDS = {
    "the paper's points": "paper/report",
    "demo": "demo",
    "grid A": "smollm2-135m-fewgen",
    "grid B": "smollm2-135m-generators-first",
}
# Files that hold the keys of a script, by which people look them up.
READ_BY = {"report": "grid.yaml and report.py"}
AUDITS = {"WANLI": "wanli", "SuperGen": "supergen", "LingNLI": "lingnli"}
AUDITS_OF_GRID_B = {f"generator {number}": f"grid-b-g{number}" for number in range(3)}


def key_table() -> str:
    """Every key of our recipes: one row per distinct meaning, with the scripts that give it that meaning."""
    meanings: dict[tuple[str, ...], list[str]] = {}
    for script, (recipe_class, *_) in RECIPE_CLASSES.items():
        for key in own_keys(recipe_class).values():
            if key.group and key.name != "test_sets":
                continue  # four keys per test set, described beside its table
            value = " or ".join(sorted(key.types - {"None"}))
            readers = meanings.setdefault((key.name, value, key.default, key.help), [])
            readers.append(READ_BY.get(script, f"{script}.py"))
    rows = [
        {"key": code(name), "scripts": codes(scripts), "value": value, "default": code(default), "meaning": meaning}
        for (name, value, default, meaning), scripts in sorted(meanings.items())
    ]
    return markdown_table(rows)


def codes(names: Iterable[str]) -> Markdown:
    """Names as code, with commas between them."""
    return Markdown(", ".join(map(code, names)))


def kind_table() -> str:
    """The families of augmentation kinds."""
    rows = []
    for family in FAMILIES:
        rows.append({"kind": code(family.name), "its sets": family.about})
    return markdown_table(rows)


def test_set_table() -> str:
    """The files of recipes/test_sets."""
    rows = []
    for name in test_set_keys():
        found = test_set(name)
        shown = found.revision if "/" in (found.revision or "") else (found.revision or "")[:12]  # a branch, a commit
        pinned = code(shown) if shown else "none known"
        rows.append(
            {
                "test set": code(name),
                "keys": code(found.key),
                "dataset": codes((found.dataset, found.split)),
                "revision": pinned,
                "rows": f"{found.rows:,}",
                "labels": ", ".join(found.labels),
                "headlines": codes(headline.name for headline in found.shown),
            }
        )
    return markdown_table(rows)


def audit_table(folders: dict[str, str]) -> str:
    """Committed audits side by side, by the names that their columns get."""
    found = {
        shown: json.loads((ROOT / "results/audits" / name / "audit.json").read_text("utf-8"))
        for shown, name in folders.items()
    }
    return overview(found)


def grid_table() -> str:
    """The verdict on each claim of the paper in each grid; `not run` for a grid without committed results."""
    files = {grid: ROOT / "results" / folder / "claims.json" for grid, folder in GRIDS.items()}
    claims = {
        grid: {claim["id"]: read_claim(claim) for claim in json.loads(file.read_text("utf-8"))}
        for grid, file in files.items()
        if file.is_file()
    }
    rows = [
        {"claim": f"{name}: {claim.statement}"}
        | {grid: claims[grid][name].shown_verdict if grid in claims else "not run" for grid in GRIDS}
        for name, claim in next(iter(claims.values())).items()
    ]
    return markdown_table(rows)


def claim_table() -> str:
    """The claims of the committed comparisons, by type of data."""
    found = {
        file.parent.name: json.loads(file.read_text("utf-8"))
        for file in ROOT.glob("results/sources/*/comparison.json")
    }
    in_order = sorted(found, key=lambda name: (DATA_TYPES.index(found[name]["data_type"]), name))
    return claims_of_sources({name: found[name] for name in in_order})


def trained_table() -> str:
    """The claims about models that were trained on models' data."""
    report = json.loads((ROOT / "results/sources/trained/trained.json").read_text("utf-8"))
    return claims_of_trained(report, "trained")


PARTS: dict[str, Callable[[], str]] = {
    "keys": key_table,
    "kinds": kind_table,
    "test sets": test_set_table,
    "audits": partial(audit_table, AUDITS),
    "audits of grid B": partial(audit_table, AUDITS_OF_GRID_B),
    "grid claims": grid_table,
    "source claims": claim_table,
    "trained claims": trained_table,
}


def filled(text: str) -> str:
    """The text with each generated part as it should be."""

    def part(match: re.Match) -> str:
        content = (ROOT / match["path"]).read_text("utf-8") if match["path"] else PARTS[match["what"]]()
        return f"<!-- {match['what']} -->\n{content.strip()}\n<!-- end -->"

    return PART.sub(part, text)


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    for readme in READMES:
        with locked(readme):
            write_whole(readme, filled(readme.read_text("utf-8")))


if __name__ == "__main__":
    run_script(main)
