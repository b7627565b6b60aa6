"""Audit an NLI dataset against a reference before anything is trained on it: audit.json, audit.md, audit.png.

python scripts/audit_dataset.py recipes/audits/wanli.yaml
python scripts/audit_dataset.py --dataset ID_OR_FOLDER --reference nyu-mll/multi_nli --output_dir outputs/audits/mine
"""

import dataclasses
from pathlib import Path

from blindspots.config.analysis_recipes import AuditRecipe
from blindspots.config.errors import UserError, one_line
from blindspots.config.parser import parse_recipe
from blindspots.config.processes import run_script


def main() -> None:
    (recipe,) = parse_recipe(AuditRecipe)
    from blindspots.artifacts.files import without_nan
    from blindspots.artifacts.output_dir import local_inputs
    from blindspots.audit.render import TITLES, headlines, row
    from blindspots.audit.run import FAILED, audit, check, fetch_sources
    from blindspots.audit.write import check_folder, rounded, write_audit

    check(recipe)
    check_folder(Path(recipe.output_dir), local_inputs(dataclasses.asdict(recipe)))
    found = audit(recipe, fetch_sources(recipe))
    write_audit(Path(recipe.output_dir), found)
    sections = rounded(without_nan(found["sections"]))
    for name, finding in headlines(sections):
        print(one_line("  ".join(row(finding, name, TITLES[name]).values())))
    for name, section in sections.items():
        for note in [f"not computed: {section['not_computed']}"] if "not_computed" in section else section["notes"]:
            print(one_line(f"{TITLES[name]}: {note}"))
    print(f"audit: {Path(recipe.output_dir) / 'audit.md'}")
    if failed := [TITLES[name] for name, section in sections.items() if section.get(FAILED)]:
        raise UserError(f"{', '.join(failed)}: an unexpected error; the other sections are written.")


if __name__ == "__main__":
    run_script(main)
