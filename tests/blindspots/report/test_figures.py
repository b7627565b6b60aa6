"""The figures: drawn whole, the same bytes each time, and told apart without colour."""

from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib import colors, pyplot

from blindspots.config.paths import PAPER_POINTS
from blindspots.data.kinds import kind_of
from blindspots.report import figures
from blindspots.report.collect import Grid, read_grid
from blindspots.report.points import read_points


@pytest.fixture(autouse=True)
def close_figures():
    yield
    pyplot.close("all")


def drawn(folder: Path, grid: Grid, suffix: str) -> bytes:
    file = folder / f"figure{suffix}"
    figures.save(figures.figure1(grid, "A title"), file)
    if suffix == ".svg":
        figures.add_titles(file, grid)
    return file.read_bytes()


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_the_same_grid_gives_the_same_bytes(tmp_path, suffix):
    grid = read_points(PAPER_POINTS)
    first = drawn(tmp_path, grid, suffix)
    assert first == drawn(tmp_path, grid, suffix)


def test_kinds_differ_in_marker_line_style_and_grey_level():
    styles = [kind_of(name).style for name in ("original", "synthetic", "biased_synthetic", "mixed_50", "two_stage")]
    assert len({style["marker"] for style in styles}) == len(styles)
    assert len({str(style["linestyle"]) for style in styles}) == len(styles)
    grey = [sum(w * c for w, c in zip((0.299, 0.587, 0.114), colors.to_rgb(style["color"]))) for style in styles[:3]]
    assert min(abs(a - b) for i, a in enumerate(grey) for b in grey[:i]) > 0.05


def test_a_panel_per_start_and_metric_with_every_point_of_the_grid():
    grid = read_points(PAPER_POINTS)
    panels = figures.figure1(grid, "", from_figure=True).axes
    assert len(panels) == 6 * 3
    curve = next(line for line in panels[0].lines if line.get_gid() == "curve.0.synthetic.mnli_matched")
    assert curve.get_xdata().tolist() == [0, 18020, 36040, 73080]
    assert curve.get_ydata().tolist() == [0.328, 0.754, 0.872, 0.887]
    assert all(0.328 in line.get_ydata() for line in panels[0].lines)


def test_the_figure_says_what_was_read_off_a_figure():
    figure = figures.figure1(read_points(PAPER_POINTS), "Title", from_figure=True)
    assert "read off the published figure" in figure.get_suptitle()


def paper_lines(figure) -> int:
    return sum(line.get_markerfacecolor() == "white" for panel in figure.axes for line in panel.lines)


def test_the_papers_curves_lie_under_a_grid_of_its_axes_alone(make_grid):
    recipe = make_grid(starts=[0, 900], sizes=[18020, 36040, 73080])
    grid = read_grid(recipe)
    figure = figures.figure1(grid, "")
    assert paper_lines(figure) == 3 * 3  # start 0, not start 900
    assert any("read off its figure" in text.get_text() for text in figure.legends[0].get_texts())
    grid.models = grid.models[grid.models["size"] < 70000]
    assert paper_lines(figures.figure1(grid, "")) == 0


def test_the_band_is_of_the_seeds_and_one_seed_has_none(make_grid):
    grid = read_grid(make_grid(seeds=[0, 1], starts=[0], sizes=[60]))
    assert "2 seeds" in figures.figure1(grid, "").legends[0].get_title().get_text()
    one = Grid(grid.models[grid.models["seed"] == 0], grid.metrics)
    assert "one replicate: no band" in figures.figure1(one, "").legends[0].get_title().get_text()


@pytest.mark.parametrize("starts", [[0], [0, 900], [0, 300, 900]])
def test_the_legend_lies_inside_the_figure(make_grid, starts):
    kinds = ["original", "synthetic", "biased_synthetic", "external_lingnli"]
    external, right = {"lingnli": "org/lingnli"}, dict.fromkeys([None, *kinds], 0.5)
    grid = read_grid(make_grid(seeds=[0, 1], starts=starts, kinds=kinds, external=external, right=right))
    figure = figures.figure1(grid, "")
    figure.canvas.draw()
    (legend,) = figure.legends
    assert len(legend.get_texts()) == 5
    assert figure.bbox.x0 <= legend.get_window_extent().x0
    assert legend.get_window_extent().x1 <= figure.bbox.x1


def test_a_band_of_a_share_ends_at_0_and_1(make_grid):
    grid = read_grid(make_grid(seeds=[0, 1], starts=[0], sizes=[60]))
    grid.models["hans"] = np.where(grid.models["seed"] == 0, 0.01, 0.99)
    panel = figures.figure1(grid, "").axes[[metric.name for metric in grid.metrics].index("hans")]
    heights = np.concatenate([path.vertices[:, 1] for band in panel.collections for path in band.get_paths()])
    assert (heights.min(), heights.max()) == (0, 1)


def test_cells_that_share_one_start_have_a_band(make_grid):
    grid = read_grid(make_grid(seeds=[0, 1, 2], starts=[900], sizes=[60], kinds=["original"], start_draws=1))
    band = figures.figure1(grid, "").axes[0].collections[0].get_paths()[0].vertices
    heights = {size: np.ptp(band[band[:, 0] == size, 1]) for size in (0, 60)}
    assert heights[0] == 0 < heights[60]


def test_every_point_of_the_svg_tells_its_value(tmp_path):
    drawn(tmp_path, read_points(PAPER_POINTS), ".svg")
    points = [node for node in ElementTree.parse(tmp_path / "figure.svg").iter() if node.get("class") == "point"]
    titles = [point[0].text for point in points]
    assert len(points) == 6 * 3 * 3 * 4
    assert "start 5,000, synthetic, 36,040 rows: HANS 0.640 (1 replicate)" in titles


def test_both_sides_are_drawn_with_a_criterion_that_leaves_0_to_1(make_grid):
    grid = read_grid(make_grid(seeds=[0, 1], starts=[0, 900], sizes=[60]))
    grid.models["hans_lo_criterion"] = 1.5
    panels = figures.figure1(grid, "", metrics=grid.measured).axes
    assert len(panels) == 5 * 2
    assert panels[-1].get_ylim()[1] > 1.5
    assert panels[0].get_ylabel() == "HANS LO-non-entailment,\nprobability"


def test_heat_map_of_the_subcases_over_seeds(make_grid):
    grid = read_grid(make_grid(seeds=[0, 1], starts=[0], sizes=[60]))
    panel = figures.subcases(grid).axes[0]
    image = panel.images[0].get_array()
    assert image.shape == (4, 12)
    rows = grid.tests["hans"]
    chosen = (rows["subcase"] == panel.get_xticklabels()[0].get_text()).to_numpy()
    expected = [grid.right[f"n0-original-n60-s{seed}", "hans"][chosen].mean() for seed in (0, 1)]
    assert image[1, 0] == pytest.approx(sum(expected) / 2)


def test_doses_are_drawn_by_the_share_that_is_biased(make_grid):
    kinds = ["original", "synthetic", "biased_25", "biased_synthetic"]
    right = dict(zip([None, *kinds], (0.6, 0.6, 0.9, 0.6, 0.1)))
    grid = read_grid(make_grid(seeds=[0, 1], starts=[900], sizes=[60, 120], kinds=kinds, right=right))
    figure = figures.doses(grid)
    assert len(figure.axes) == len([metric for metric in grid.shown if metric.is_share])
    first = figure.axes[0].lines
    assert [line.get_label() for line in first] == [f"start 900, sets of {size} rows" for size in (60, 120)]
    for line in first:
        assert line.get_xdata().tolist() == [0, 25, 100]
        assert (np.diff(line.get_ydata()) < 0).all()
    lowest = {panel.get_subplotspec().colspan.start: panel for panel in figure.axes}
    assert len(lowest) == 4
    assert all(panel.xaxis.get_tick_params()["labelbottom"] for panel in lowest.values())


def test_a_grid_without_doses_has_no_such_figure(make_grid):
    assert figures.doses(read_grid(make_grid())) is None


def test_points_have_no_heat_map():
    assert figures.subcases(read_points(PAPER_POINTS)) is None


@pytest.mark.parametrize("draw", [lambda grid: figures.figure1(grid, ""), figures.learning_curve])
def test_an_empty_grid_is_drawn_empty(tmp_path, draw):
    paper = read_points(PAPER_POINTS)
    empty = Grid(paper.models.iloc[:0], paper.metrics)
    figures.save(draw(empty), tmp_path / "empty.png")
    assert (tmp_path / "empty.png").stat().st_size > 0


def test_every_model_is_a_point_of_the_spread(make_grid):
    grid = read_grid(make_grid(seeds=[0, 1], starts=[0], sizes=[60]))
    panels = figures.seed_spread(grid).axes
    assert [sum(len(line.get_xdata()) for line in panel.lines) for panel in panels] == [8] * 4


@pytest.mark.parametrize("width", [1, 0.1, 0.0125, 0.0011])
def test_numbers_below_the_spread_do_not_overlap(width):
    grid = read_points(PAPER_POINTS)
    names = [metric.name for metric in grid.metrics]
    narrow = grid.models.assign(**{name: 1 - width * grid.models[name] for name in names})
    figure = figures.seed_spread(Grid(narrow, grid.metrics))
    figure.canvas.draw()
    for panel in figure.axes:
        numbers = [label.get_window_extent() for label in panel.get_xticklabels()]
        assert all(left.x1 < right.x0 for left, right in pairwise(numbers))


def test_the_learning_curves_legend_covers_no_curve():
    figure = figures.learning_curve(read_points(PAPER_POINTS))
    figure.canvas.draw()
    (legend,), (panel,) = figure.legends, figure.axes
    assert legend.get_window_extent().y1 <= panel.get_tightbbox().y0
