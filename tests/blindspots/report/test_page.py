"""index.html: stands alone, runs no script but its own, and works in a real browser."""

import base64
import gzip
import hashlib
import json
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path

import pytest

from blindspots.report.collect import read_grid
from blindspots.report.write import write_report

CHROMIUM = shutil.which("chromium")
CELL = "n0-biased_synthetic-n60-s1"


@pytest.fixture
def page(make_grid) -> Path:
    recipe = make_grid(seeds=[0, 1], starts=[0], sizes=[60], leave_out=["n0-original-n60-s1"])
    recipe.title = "<b>A title</b> & more"
    write_report(recipe, read_grid(recipe), None)
    return Path(recipe.output_dir) / "index.html"


def dom(page: Path, profile: Path, fragment: str = "", script: str = "", allowed: bool = True) -> str:
    """The page's document after its script, and then `script`, have run in headless Chromium.

    Args:
        allowed: add `script` to the scripts that the page's policy allows.
    """
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine")
    if script:
        text = page.read_text() + f"<script>{script}</script>"
        page = page.with_name("scripted.html")
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        page.write_text(text.replace("script-src ", f"script-src 'sha256-{digest}' ") if allowed else text)
    flags = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-background-networking",
        "--disable-sync",
        "--disable-component-update",
        f"--user-data-dir={profile}",
        "--virtual-time-budget=2000",
    ]
    command = [CHROMIUM, *flags, "--dump-dom", f"{page.as_uri()}#{fragment}"]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout


def section(document: str) -> str:
    return re.search(r'<section id="cell".*?</section>', document, re.DOTALL)[0]


def test_the_page_needs_no_other_file(page):
    text = page.read_text()
    # Names of XML vocabularies are not addresses to load from.
    names = re.sub(r'(xmlns[:a-z]*|xlink:href="#|rdf:[a-z]+)="?http[^"]*"|https?://www\.w3\.org/[^"<\s]*', "", text)
    assert not re.search(r'(src|href)="(?!#|data:)', names)
    assert "@import" not in names
    assert "url(http" not in names


def test_the_page_allows_its_own_script_and_nothing_from_elsewhere(page):
    text = page.read_text()
    policy = unescape(re.search(r'<meta http-equiv="Content-Security-Policy" content="([^"]*)">', text)[1])
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    (script,) = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert rules == {
        "default-src": "'none'",
        "script-src": f"'sha256-{digest}'",
        "style-src": "'unsafe-inline'",
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    assert text.index("Content-Security-Policy") < text.index("<title>")
    assert not re.search(r"\son\w+=", text)


def test_a_script_that_is_not_the_pages_does_not_run(page, tmp_path):
    script = "document.title = 'taken over';"
    assert "<title>taken over</title>" in dom(page, tmp_path / "profile", script=script)
    assert "<title>taken over</title>" not in dom(page, tmp_path / "profile", script=script, allowed=False)


def test_text_of_others_is_escaped(page):
    text = page.read_text()
    assert "<b>A title</b>" not in text
    assert "&lt;b&gt;A title&lt;/b&gt; &amp; more" in text


def test_the_details_are_those_of_every_model(page):
    packed = re.search(r'<script id="details"[^>]*>(.*?)</script>', page.read_text(), re.DOTALL)[1]
    details = json.loads(gzip.decompress(base64.b64decode(packed)))["models"]
    assert len(details) == 7
    assert "learning_rate: 0.001" in details[CELL]["recipe"]
    assert "output_dir" not in details[CELL]["recipe"]
    assert "wall_time_s: 1.5" in details[CELL]["lineage"]
    assert details[CELL]["changed"]["start"] == "n0-s1"


def test_a_fragment_opens_its_model(page, tmp_path):
    document = dom(page, tmp_path / "profile", CELL)
    shown = section(document)
    assert 'hidden=""' not in shown.split(">")[0]
    for text in (CELL, "Rows that changed from n0-s1", "AUROC", "Slices", "learning_rate: 0.001", "wall_time_s: 1.5"):
        assert text in shown
    assert f'class="open" data-name="{CELL}"' in document or f'data-name="{CELL}" data-place' in document


def test_without_a_fragment_no_model_is_open(page, tmp_path):
    assert 'hidden=""' in section(dom(page, tmp_path / "profile")).split(">")[0]


def test_a_click_on_a_row_and_on_a_point_opens_a_model(page, tmp_path):
    click = f"document.querySelector(\"tr[data-name='{CELL}'] td\").click();"
    assert CELL in section(dom(page, tmp_path / "profile", script=click))
    click = "document.querySelector('.point[data-place=\"0 synthetic 60\"]').dispatchEvent(new Event('click'));"
    assert "n0-synthetic-n60-s0" in section(dom(page, tmp_path / "profile", script=click))


def test_a_click_on_a_heading_sorts_and_another_turns_round(page, tmp_path):
    press = "document.querySelectorAll('#models th button')[6].click();"
    orders = []
    for script in (press, press + press):
        document = dom(page, tmp_path / "profile", script=script)
        rows = re.findall(r"<tr data-name.*?</tr>", document, re.DOTALL)
        orders.append([float(re.findall(r'data-value="([^"]+)"', row)[4]) for row in rows])
    assert orders[0] == sorted(orders[0])
    assert orders[1] == sorted(orders[0], reverse=True)


def test_the_filter_hides_other_rows(page, tmp_path):
    script = (
        "const box = document.getElementById('filter'); box.value = 'biased'; box.dispatchEvent(new Event('input'));"
    )
    rows = re.findall(r"<tr data-name=[^>]*>", dom(page, tmp_path / "profile", script=script))
    assert [row for row in rows if 'hidden=""' not in row] == [row for row in rows if "biased" in row]
    assert any("biased" in row for row in rows)
