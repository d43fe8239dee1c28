"""How all figures look: sizes, fonts, colours, and how they are saved."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import matplotlib.style
import pyarrow as pa
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from her2pyramid.figures.data import write_data
from her2pyramid.files import atomic_path

ONE_COLUMN_MM: Final = 89.0
TWO_COLUMNS_MM: Final = 183.0
DPI: Final = 300
MM_PER_INCH: Final = 25.4
SMALL_PT: Final = 6.5
"""Font size of notes and of words beside marks, in points."""

SCORE_COLOURS: Final = ("#d5dfeb", "#ecc78c", "#c17f3b", "#5a2d0f")
"""Of 0, 1+, 2+, 3+: counterstain blue, then ever darker brown. They differ in lightness too."""
TEXT_ON_SCORE: Final = ("#1a1a1a", "#1a1a1a", "#1a1a1a", "#ffffff")
"""Text that can be read on each of the score colours."""

# Okabe and Ito's palette, which people with colour-blindness tell apart.
BLUE: Final = "#0072b2"
VERMILION: Final = "#d55e00"
DARK_VERMILION: Final = "#a84800"  # for text
GREEN: Final = "#00795a"
INK: Final = "#1a1a1a"
GREY: Final = "#6b6b6b"
GRID: Final = "#e4e4e4"
BAND: Final = "#cfe5f2"

# Two kinds of uncertainty, two colours in all figures: intervals over patients and between readers
# are blue; the spread that chance in sampling PSSs makes is orange.
SPREAD_BAND: Final = "#fae3d0"
SPREAD: Final = "#efb98c"

LOG_TICKS: Final = (1, 2, 3, 5, 10, 20, 30, 50, 100, 200, 500, 1000)
"""Ticks of a logarithmic axis of whole numbers."""

RIGHT: Final = "\N{CHECK MARK}"
WRONG: Final = "\N{BALLOT X}"

STYLE: Final[dict[str, Any]] = {
    # Comes with matplotlib, so figures are the same on every machine. Viewers of the SVG that
    # lack it fall back on Verdana, which is as wide.
    "font.family": "DejaVu Sans",
    "font.size": 7.0,
    "axes.titlesize": 7.0,
    "axes.labelsize": 7.0,
    "xtick.labelsize": 6.5,
    "ytick.labelsize": 6.5,
    "legend.fontsize": 6.5,
    "legend.frameon": False,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.minor.width": 0.4,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "xtick.minor.size": 1.5,
    "lines.linewidth": 1.0,
    "hatch.linewidth": 0.6,
    "figure.dpi": DPI,
    "savefig.dpi": DPI,
    # Text stays text, to be searched and edited.
    "svg.fonttype": "none",
    # Names inside the SVG come from this, not from chance: the same figure is the same file.
    "svg.hashsalt": "her2pyramid",
}


@contextmanager
def figure(
    width_mm: float, height_mm: float, *, numbers: pa.Table, svg: Path, png: Path, data: Path
) -> Iterator[Figure]:
    """Give an empty figure; write it, and the numbers it shows, when the block succeeds.

    The same figure gives the same bytes: no file holds a date.

    Parameters
    ----------
    width_mm, height_mm
        Size of the figure.
    numbers
        What the figure shows (see :mod:`her2pyramid.figures.data`).
    svg, png, data
        Where to: the figure as SVG and as PNG of 300 dpi, and the numbers as a Parquet table.
    """
    # From matplotlib's defaults, so that a user's own settings change nothing.
    with matplotlib.style.context(["default", STYLE]):
        fig = Figure(figsize=(width_mm / MM_PER_INCH, height_mm / MM_PER_INCH))
        yield fig
        metadata: dict[str, dict[str, Any]] = {"svg": {"Date": None}, "png": {"Software": None}}
        for form, path in (("svg", svg), ("png", png)):
            with atomic_path(path) as temporary:
                fig.savefig(temporary, format=form, metadata=metadata[form])
        write_data(numbers, data)


def axes_mm(fig: Figure, left: float, top: float, width: float, height: float) -> Axes:
    """Axes at a place in millimetres, from the left and from the top of the figure."""
    fig_width, fig_height = fig.get_size_inches() * MM_PER_INCH
    return fig.add_axes(
        (
            left / fig_width,
            1 - (top + height) / fig_height,
            width / fig_width,
            height / fig_height,
        )
    )


def text_mm(fig: Figure, left: float, top: float, text: str, **kwargs: Any) -> None:
    """Text at a place in millimetres, from the left and from the top of the figure."""
    fig_width, fig_height = fig.get_size_inches() * MM_PER_INCH
    fig.text(left / fig_width, 1 - top / fig_height, text, **kwargs)


def pixels(length_mm: float) -> int:
    """Pixels of the PNG over a length."""
    return round(length_mm / MM_PER_INCH * DPI)


def shorten(text: str, most: int) -> str:
    """A text of at most so many characters, cut in the middle: ids differ at their ends."""
    if len(text) <= most:
        return text
    tail = (most - 1) // 2
    return f"{text[: most - 1 - tail]}…{text[len(text) - tail :]}"
