"""PNG files of figures: small, and the same bytes for the same figure."""

from io import BytesIO

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from blindspots.artifacts.pictures import save_png


def drawn() -> Figure:
    figure = Figure(figsize=(4, 3))
    panel = figure.add_subplot()
    for shift in range(5):
        panel.plot(np.sin(np.arange(50) / 5 + shift), marker="o")
    return figure


def test_a_png_looks_like_the_figure_at_a_smaller_size(tmp_path):
    save_png(drawn(), tmp_path / "small.png", dpi=100)
    whole = BytesIO()
    drawn().savefig(whole, format="png", dpi=100)
    pixels = [np.asarray(Image.open(file).convert("RGB"), dtype=int) for file in (tmp_path / "small.png", whole)]
    assert pixels[0].shape == (300, 400, 3)
    assert np.abs(pixels[0] - pixels[1]).mean() < 1
    assert (tmp_path / "small.png").stat().st_size < whole.getbuffer().nbytes / 2


def test_equal_figures_give_equal_bytes(tmp_path):
    for name in ("one", "two"):
        save_png(drawn(), tmp_path / f"{name}.png", dpi=100)
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()
