"""A title, a slice or an id that somebody wrote is text in every file of a report."""

import dataclasses
import re
from pathlib import Path
from xml.etree import ElementTree

import pandas as pd
import pytest
import yaml
from huggingface_hub import RepoCard
from rendered import HOSTILE, embeds, page_addresses, shown_text

from blindspots.config.errors import one_line
from blindspots.report.collect import read_grid
from blindspots.report.figures import SVG
from blindspots.report.kept import read_kept
from blindspots.report.write import write_report

OWN_IMAGES = {"figure1.png"}


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> Path:
    """A report whose title, metrics, subcases, genres, ids and machine are hostile."""
    from made_grid import make_grid

    recipe = make_grid.__wrapped__(tmp_path_factory.mktemp("hostile"))(seeds=[0, 1], starts=[0], sizes=[60])
    for file in Path(recipe.models).glob("*/predictions/*.parquet"):
        rows = pd.read_parquet(file)
        for column in ("id", "subcase", "genre"):
            rows[column] = rows[column].map(lambda text: text and text + HOSTILE)
        rows.to_parquet(file)
    for file in Path(recipe.models).glob("*/lineage.json"):
        file.write_text(file.read_text().replace('"cpu": "made"', '"cpu": "<img src=http://e.example/cpu>"'))
    recipe.title = HOSTILE
    grid = read_grid(recipe)
    grid.metrics = [dataclasses.replace(metric, title=f"{metric.title} {HOSTILE}") for metric in grid.metrics]
    write_report(recipe, grid, None)
    return Path(recipe.output_dir)


@pytest.mark.parametrize("name", ["README.md", "claims.md", "findings.md"])
def test_markdown_shows_it_and_embeds_nothing(report, name):
    text = (report / name).read_text()
    text = RepoCard(text).text if name == "README.md" else text
    assert embeds(text) <= OWN_IMAGES
    assert one_line(HOSTILE) in shown_text(text)
    assert all(line.isprintable() for line in text.splitlines())
    titles = [line for line in text.splitlines() if line.startswith("# ")]
    assert len(titles) <= 1


def test_the_metadata_of_the_card_holds_the_title_as_it_is(report):
    text = (report / "README.md").read_text()
    assert yaml.safe_load(text.split("\n---\n")[0].removeprefix("---\n"))["title"] == HOSTILE
    assert RepoCard(text).data.to_dict()["sdk"] == "static"


def test_the_page_shows_it_and_loads_nothing(report):
    addresses, elements = page_addresses((report / "index.html").read_text())
    assert all(address.startswith(("#", "data:image/png;base64,")) for address in addresses)
    assert elements.count("script") == 2  # its own, and the packed details
    assert elements.count("img") == 4  # the four pictures
    assert "<b>" not in elements


def test_the_figures_show_it(report):
    svg = ElementTree.parse(report / "figure1.svg")
    assert one_line(HOSTILE) in [text.text for text in svg.iter(f"{SVG}text")]
    for name in ("figure1.png", "learning_curve.png", "seed_spread.png", "subcases.png"):
        assert (report / name).stat().st_size > 5_000


def test_latex_shows_it(report):
    text = (report / "grid.tex").read_text().replace(r"$\pm$", "")
    assert r"\$a\_b\$" in text
    assert not re.search(r"(?<!\\)[$_#]", text)
    assert all(line.isprintable() for line in text.splitlines())


def test_what_is_kept_holds_it_unchanged(report):
    genres = set(read_kept(report).tests["mnli_matched"]["genre"])
    assert genres == {"letters" + HOSTILE}
