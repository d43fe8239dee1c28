"""What panels of rows share: headings, rows of shares with whiskers, words beside them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from her2pyramid.figures import style

HEAD_MM: Final = 15.0
"""From a panel's letter to its axes."""
MOST_CHARACTERS: Final = 11
"""Of an id beside a row."""
UNDEFINED: Final = "\N{EN DASH}"

SCALES: Final = ((0.9, 3), (0.8, 3), (0.7, 4), (0.6, 3), (0.5, 3), (0.4, 4), (0.0, 3))
"""Where a scale of shares may begin, and its ticks from there to 100 %."""


def by_number(reader: str) -> list[str | int]:
    """A key that sorts R2 before R10."""
    return [int(part) if i % 2 else part for i, part in enumerate(re.split(r"(\d+)", reader))]


def heading(fig: Figure, place: tuple[float, float], letter: str, title: str, note: str) -> None:
    """A panel's letter, its title and a note below it; `place` is the panel's corner, in mm."""
    left, top = place
    style.text_mm(fig, left + 1, top + 5, letter, fontweight="bold", size=9, va="baseline")
    style.text_mm(fig, left + 6, top + 5, title, va="baseline")
    style.text_mm(fig, left + 6, top + 6.6, note, va="top", size=style.SMALL_PT, color=style.GREY)


def nothing(fig: Figure, place: tuple[float, float], why: str) -> None:
    """Say below a panel's heading why the panel is empty."""
    left, top = place
    style.text_mm(fig, left + 6, top + HEAD_MM, f"Undefined: {why}.", va="baseline")


def rows_of_shares(ax: Axes, names: Sequence[str], shares: pd.DataFrame) -> None:
    """Give axes a row for each name, the first on top, and a scale of shares across.

    Parameters
    ----------
    ax
        Where to.
    names
        Of the rows.
    shares
        All that is to be drawn, 0-1; the scale begins below the lowest (see `SCALES`).
    """
    lowest = float(np.nanmin(shares.to_numpy(dtype=float)))
    start, n_ticks = next(scale for scale in SCALES if scale[0] == 0 or scale[0] < lowest - 0.01)
    ax.set_xlim(start, 1)
    ax.set_xticks(np.linspace(start, 1, n_ticks))
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.set_yticks(range(len(names)), names, parse_math=False)
    ax.tick_params(axis="y", length=0, pad=5)
    ax.xaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
    ax.grid(axis="x", color=style.GRID, lw=0.5)
    ax.set_axisbelow(True)


def dots(ax: Axes, shares: pd.DataFrame) -> None:
    """A dot and a whisker in each row of columns value, low, high; none where undefined."""
    for row, (value, low, high) in enumerate(shares.to_numpy(dtype=float)):
        if not np.isnan(low):
            ax.hlines(row, low, high, color=style.BLUE, lw=1, clip_on=False)
        if not np.isnan(value):
            ax.plot(value, row, "o", color=style.BLUE, markersize=3.8, clip_on=False)


def beside(ax: Axes, row: float, words: str, *, bold: bool = False) -> None:
    """Words at the right of a row."""
    ax.annotate(
        words,
        (1, row),
        xycoords=("axes fraction", "data"),
        xytext=(6, 0),
        textcoords="offset points",
        va="center_baseline",
        fontsize=style.SMALL_PT,
        fontweight="bold" if bold else "normal",
        annotation_clip=False,
    )
