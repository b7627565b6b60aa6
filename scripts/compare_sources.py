"""Compare what people and models labelled, preferred, instructed, said or wrote, before any training.

python scripts/compare_sources.py recipes/sources/sbic.yaml

Writes comparison.json, comparison.png and README.md, which is page and card.
"""

import dataclasses
from pathlib import Path

from blindspots.config.errors import UserError, one_line
from blindspots.config.parser import parse_recipe
from blindspots.config.processes import run_script
from blindspots.config.source_recipes import CompareRecipe, check_recipe


def main() -> None:
    (recipe,) = parse_recipe(CompareRecipe)
    check_recipe(recipe)
    from blindspots.artifacts.output_dir import local_inputs
    from blindspots.audit.run import FAILED
    from blindspots.sources.render import TITLES, claim_row
    from blindspots.sources.run import compare, fetch_source
    from blindspots.sources.write import check_folder, write_comparison

    folder = Path(recipe.output_dir)
    check_folder(folder, local_inputs(dataclasses.asdict(recipe)))
    comparison = write_comparison(folder, compare(recipe, fetch_source(recipe)))
    for claim in comparison["claims"]:
        shown = claim_row(claim)
        print(one_line(f"{shown['claim']}: {claim['verdict']}; {shown['corrected']}"))
    for name, section in comparison["sections"].items():
        for note in [f"not computed: {section['not_computed']}"] if "not_computed" in section else section["notes"]:
            print(one_line(f"{TITLES[name]}: {note}"))
    print(f"comparison: {folder / 'README.md'}")
    if failed := [TITLES[name] for name, section in comparison["sections"].items() if section.get(FAILED)]:
        raise UserError(f"{', '.join(failed)}: an unexpected error; the other sections are written.")


if __name__ == "__main__":
    run_script(main)
