"""Every figure: the same bytes each time, its size, and no text over another."""

from __future__ import annotations

from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import cv2
import matplotlib as mpl
import numpy as np
import pyarrow as pa
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from her2pyramid.figures import style
from tests.unit import synthetic_results as made
from tests.unit.figures.conftest import Drawn
from tests.unit.figures.plots import PLOTS, files, plot, words


@pytest.mark.parametrize("name", PLOTS)
def test_a_figure_is_the_same_file_each_time(
    name: str, results: made.Results, plotted: Path, tmp_path: Path
) -> None:
    for again in plot(name, results, tmp_path).values():
        assert again.read_bytes() == (plotted / again.name).read_bytes()
    assert "<dc:date>" not in (plotted / f"{name}.svg").read_text(encoding="utf-8")
    made_here = sorted(path.name for path in tmp_path.iterdir())
    assert made_here == [f"{name}.{suffix}" for suffix in ("parquet", "png", "svg")]


@pytest.mark.parametrize("name", PLOTS)
def test_size_is_that_of_a_column_and_text_is_text(name: str, plotted: Path) -> None:
    width = cv2.imread(str(plotted / f"{name}.png")).shape[1] / 300 * 25.4
    wanted = 89 if name in ("confusion", "training") else 183
    assert width == pytest.approx(wanted, abs=0.2)
    assert len(words(plotted / f"{name}.svg")) > 5


def test_nothing_is_cut_off(plotted: Path, plotted_few: Path) -> None:
    for file in (*plotted.glob("*.png"), *plotted_few.glob("*.png")):
        picture = cv2.imread(str(file))
        edges = [picture[0], picture[-1], picture[:, 0], picture[:, -1]]
        assert all((edge == 255).all() for edge in edges), file


def test_score_colours_darken_with_the_score() -> None:
    """They stay apart without colour: each is clearly darker than the one before."""

    def luminance(colour: str) -> float:
        channels = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
        linear = np.where(
            channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4
        )
        return float(linear @ [0.2126, 0.7152, 0.0722])

    light = [luminance(colour) for colour in style.SCORE_COLOURS]
    assert all(a - b > 0.1 for a, b in pairwise(light))
    for colour, text in zip(style.SCORE_COLOURS, style.TEXT_ON_SCORE, strict=True):
        pair = sorted([luminance(colour), luminance(text)])
        assert (pair[1] + 0.05) / (pair[0] + 0.05) >= 4.5  # WCAG 2.2, level AA


def test_shorten_keeps_both_ends() -> None:
    assert style.shorten("TMA-7-A12", 18) == "TMA-7-A12"
    short = style.shorten("a-very-long-slide-name-core-A12", 11)
    assert len(short) == 11
    assert short.startswith("a-ver")
    assert short.endswith("A12")


def check_layout(fig: Figure) -> None:
    """No text is too small, reaches beyond the figure, or lies over another."""
    boxes = []
    draw = Text.draw

    def note(text: Text, renderer: Any, *args: Any, **kwargs: Any) -> None:
        if text.get_visible() and text.get_text().strip():
            assert text.get_fontsize() >= 6, f"{text.get_text()!r} can't be read in print"
            boxes.append((text.get_text(), text.get_window_extent(renderer)))
        draw(text, renderer, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Text, "draw", note)
        FigureCanvasAgg(fig).draw()
    assert boxes
    width, height = fig.bbox.size
    for told, box in boxes:
        within = box.x0 >= 0 and box.y0 >= 0 and box.x1 <= width and box.y1 <= height
        assert within, f"{told!r} reaches beyond the figure"
    for (one, a), (other, b) in combinations(boxes, 2):
        # Boxes may touch: letters don't fill them. A pixel is 0.08 mm.
        shared = min(min(a.x1, b.x1) - max(a.x0, b.x0), min(a.y1, b.y1) - max(a.y0, b.y0))
        assert shared <= 1, f"{one!r} lies over {other!r}"


@pytest.mark.parametrize("name", PLOTS)
def test_no_text_lies_over_another(
    name: str, results: made.Results, few: made.Results, drawn: Drawn
) -> None:
    for cohort in (results, few):
        PLOTS[name](cohort, **drawn.out)
        check_layout(drawn[-1])


def test_one_test_core_alone(tmp_path: Path, drawn: Drawn) -> None:
    one = made.make(tmp_path / "one", per_label=(0, 0, 0, 1), wrong=("S1-000",))
    told = {}
    for name, draw in PLOTS.items():
        draw(one, **drawn.out)
        check_layout(drawn[-1])
        told[name] = drawn.words()
    assert "0 of 1 right, N = 4, k = 3" in told["confusion"]
    assert "Test cores scored right, of 1" in told["accuracy_n"]
    assert "\N{BALLOT X} scored 2+, wrong" in told["examples"]
    assert told["examples"].count("No test core has the consensus score") == 3
    assert "S1-000" in told["panels"]


def test_a_users_settings_of_matplotlib_change_nothing(
    results: made.Results, plotted: Path, tmp_path: Path
) -> None:
    odd = {"font.size": 20, "axes.facecolor": "black", "svg.fonttype": "path", "lines.marker": "x"}
    with mpl.rc_context(odd):
        files = plot("accuracy_n", results, tmp_path)
    for file in files.values():
        assert file.read_bytes() == (plotted / file.name).read_bytes()


def test_a_figure_that_fails_leaves_no_file(tmp_path: Path) -> None:
    out = files("a", tmp_path)
    numbers = pa.table({"x": [1]})
    with pytest.raises(ZeroDivisionError), style.figure(50, 50, numbers=numbers, **out):
        _ = 1 / 0
    assert not list(tmp_path.iterdir())
