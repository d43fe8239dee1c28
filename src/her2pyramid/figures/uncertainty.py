"""The headline's numbers with their two kinds of uncertainty, side by side and told apart."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from her2pyramid.figures import style
from her2pyramid.figures.counts import FEW_CORES, counted, rightly
from her2pyramid.figures.data import drawn
from her2pyramid.figures.layout import SCALES, UNDEFINED
from her2pyramid.tables.metrics import ALL_SCORES, METRICS

ROWS: Final = {
    ("accuracy", ALL_SCORES): "Accuracy",
    ("balanced_accuracy", ALL_SCORES): "Balanced accuracy",
    ("quadratic_weighted_kappa", ALL_SCORES): "Kappa, quadratic weights",
    ("adjacent_accuracy_cut", "0 vs 1+"): "0 against 1+ and more",
    ("adjacent_accuracy_cut", "1+ vs 2+"): "Up to 1+ against 2+ and more",
    ("adjacent_accuracy_cut", "2+ vs 3+"): "Up to 2+ against 3+",
}
"""What is shown, by metric and scores, and what it is called."""
COUNTS: Final = ("accuracy", "adjacent_accuracy_cut")
"""Metrics that are a count of cores out of others."""
ROW_MM: Final = 8.5
NAMES_MM: Final = 42.0
AXES_MM: Final = 58.0
COLUMNS_MM: Final = (105.0, 131.0, 156.0)
"""Left of the value, of the interval and of the spread."""
APART: Final = 0.17
"""Of a row: how far above and below its middle the two kinds lie."""
BAR: Final = 0.24
"""Of a row: the height of a bar."""
DRAWN: Final = ["value", "low", "high", "draw_low", "draw_median", "draw_high"]


def plot_uncertainty(metrics: Path, *, n: int, k: int, svg: Path, png: Path, data: Path) -> None:
    """Plot values, their intervals over patients, and their spread from sampling PSSs.

    Parameters
    ----------
    metrics
        Table `METRICS`.
    n, k
        PSSs a core and size of the KCS, for the heading.
    svg, png, data
        The figure to write.
    """
    table = METRICS.read(metrics).set_index(["metric", "scores"])
    rows = table.loc[[key for key in ROWS if key in table.index]].reset_index()
    n_cores = int(rows["n"].max())
    tall = ROW_MM * len(rows)
    size = style.TWO_COLUMNS_MM, tall + 29
    numbers = drawn(METRICS, rows)
    with style.figure(*size, numbers=numbers, svg=svg, png=png, data=data) as fig:
        title = f"{counted(n_cores, 'test core')}, N = {n}, k = {k}"
        if n_cores < FEW_CORES:
            title += ": too few for intervals"
        style.text_mm(fig, 2, 5, title, va="baseline", fontweight="bold")
        heads = ("Value", "Interval (95 %)\nover patients", "Spread (95 %)\nfrom sampling PSSs")
        for left, head in zip(COLUMNS_MM, heads, strict=True):
            style.text_mm(fig, left, 14, head, va="bottom", size=style.SMALL_PT, color=style.GREY)
        ax = style.axes_mm(fig, NAMES_MM, 16, AXES_MM, tall)
        _draw(ax, rows)
        for i, row in enumerate(rows.to_dict("records")):
            count = row["metric"] in COUNTS
            few = row["n"] < FEW_CORES
            told = (
                _value(row["value"], row["n"], share=count),
                _range(row["low"], row["high"], share=count, few=few),
                _range(row["draw_low"], row["draw_high"], share=count, few=few),
            )
            for left, words in zip(COLUMNS_MM, told, strict=True):
                middle = 16 + (i + 0.5) * ROW_MM
                style.text_mm(fig, left, middle, words, va="center_baseline", size=style.SMALL_PT)


def _draw(ax: Axes, rows: pd.DataFrame) -> None:
    """Draw value and interval above, and the spread below, the middle of each row."""
    few = rows["n"].to_numpy() < FEW_CORES
    values = rows[DRAWN].to_numpy(dtype=float)
    values[few, 1:] = np.nan
    lowest = 0.0 if np.isnan(values).all() else float(np.nanmin(values))
    start, n_ticks = next(scale for scale in SCALES if scale[0] == 0 or scale[0] < lowest - 0.01)
    for row, (value, low, high, draw_low, draw_median, draw_high) in enumerate(values):
        upper, lower = row - APART, row + APART
        if not np.isnan(low):
            ax.hlines(upper, low, high, color=style.BLUE, lw=1.2)
            for end in (low, high):
                ax.plot(end, upper, "|", color=style.BLUE, markersize=5, clip_on=False)
        if not np.isnan(value):
            ax.plot(value, upper, "o", color=style.BLUE, markersize=4.2, clip_on=False)
        if not np.isnan(draw_low):
            ax.barh(lower, draw_high - draw_low, BAR, draw_low, color=style.SPREAD, lw=0)
            ends = lower - BAR / 2, lower + BAR / 2
            ax.vlines(draw_median, *ends, color=style.DARK_VERMILION, clip_on=False)
    ax.set_xlim(min(start, lowest), 1.0)
    ax.set_xticks(np.linspace(start, 1, n_ticks))
    ax.set_ylim(len(rows) - 0.5, -0.5)
    names = [ROWS[key] for key in zip(rows["metric"], rows["scores"], strict=True)]
    ax.set_yticks(range(len(rows)), names)
    ax.tick_params(axis="y", length=0, pad=5)
    ax.grid(axis="x", color=style.GRID, lw=0.5)
    ax.set_axisbelow(True)
    ax.set_xlabel("Share of cores, or kappa")
    if few.all():
        return
    keys = [
        Line2D([], [], color=style.BLUE, marker="o", markersize=4.2, lw=1.2),
        Line2D([], [], color=style.SPREAD, lw=4, solid_capstyle="butt"),
    ]
    words = ["value and interval over patients", "spread from sampling PSSs, its median"]
    ax.legend(keys, words, loc="lower left", bbox_to_anchor=(-0.02, 1.0), borderaxespad=0)


def _value(value: float, n_cores: int, *, share: bool) -> str:
    if pd.isna(value):
        return "undefined"
    return rightly(value, n_cores) if share else _number(value)


def _range(low: float, high: float, *, share: bool, few: bool) -> str:
    """An interval for people; none is told of few cores."""
    if few or pd.isna(low):
        return UNDEFINED
    if share:
        return f"{100 * low:.1f} to {100 * high:.1f} %"
    return f"{_number(low)} to {_number(high)}"


def _number(value: float) -> str:
    return f"{value:.3f}".replace("-", "\N{MINUS SIGN}")
