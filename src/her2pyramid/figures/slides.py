"""Slide by slide: accuracy, and errors too low and too high."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from her2pyramid.figures import style
from her2pyramid.figures.counts import FEW_CORES, rightly, without_few
from her2pyramid.figures.data import drawn
from her2pyramid.figures.layout import (
    MOST_CHARACTERS,
    beside,
    by_number,
    dots,
    heading,
    nothing,
    rows_of_shares,
)
from her2pyramid.tables.metrics import BY_SLIDE

TOP_MM: Final = 17.5
"""Where the axes begin, below three lines of words."""
ROW_MM: Final = 4.8
LEAST_MM: Final = 14.0
FOOT_MM: Final = 12.0
"""For the ticks and the label of an axis."""
RIGHT_MM: Final = 102.0
"""Where the right-hand panel begins."""
MOST_SLIDES: Final = 40
"""Rows; the slides with fewest test cores are one row."""
DRAWN: Final = (
    *("slide_id", "cores", "patients", "right", "accuracy", "low", "high"),
    *("too_low", "too_high"),
)


def plot_slides(slides: Path, *, n: int, k: int, svg: Path, png: Path, data: Path) -> None:
    """Plot the accuracy on each slide, and its errors by their direction.

    Parameters
    ----------
    slides
        Table `BY_SLIDE`.
    n, k
        PSSs a core and size of the KCS, for the heading.
    svg, png, data
        The figure to write. Its height follows from the number of slides.
    """
    table = BY_SLIDE.read(slides)
    order = sorted(table.index, key=lambda row: by_number(table["slide_id"][row]))
    rows = _fewer(table.loc[order])
    rows = without_few(rows, rows["cores"])
    tall = max(ROW_MM * len(rows), LEAST_MM) if len(rows) else 0.0
    size = style.TWO_COLUMNS_MM, TOP_MM + (tall + FOOT_MM if tall else 3)
    with style.figure(
        *size, numbers=drawn(BY_SLIDE, rows, DRAWN), svg=svg, png=png, data=data
    ) as fig:
        cores, right = int(rows["cores"].sum()), int(rows["right"].sum())
        whiskers = (
            f"fewer than {FEW_CORES} cores a slide: no intervals"
            if (rows["cores"] < FEW_CORES).all()
            else "whiskers: 95 % intervals over patients"
        )
        overall = f"dashed: all test cores, {rightly(right / cores, cores)}" if cores else ""
        note = f"{overall}\n{whiskers}" if cores else ""
        heading(fig, (0, 0), "a", f"Accuracy on each slide, N = {n}, k = {k}", note)
        heading(fig, (RIGHT_MM, 0), "b", "Test cores scored wrong", "")
        if rows.empty:
            for left in (0.0, RIGHT_MM):
                nothing(fig, (left, 0), "there is no labelled test core")
            return
        _draw_accuracy(style.axes_mm(fig, 38, TOP_MM, 34, tall), rows, right / cores)
        _draw_errors(style.axes_mm(fig, RIGHT_MM + 8, TOP_MM, 68, tall), rows)


def _fewer(slides: pd.DataFrame) -> pd.DataFrame:
    """The slides with most test cores in their order, the rest as one."""
    if len(slides) <= MOST_SLIDES:
        return slides
    often = slides["cores"].rank(method="first", ascending=False) < MOST_SLIDES
    rare = slides[~often]
    counts = ["cores", "patients", "right", "too_low", "too_high"]
    rest = {
        **rare[counts].sum().to_dict(),
        "slide_id": f"{len(rare)} others",
        "accuracy": rare["right"].sum() / rare["cores"].sum(),
        "low": np.nan,
        "high": np.nan,
    }
    return pd.concat([slides[often][list(DRAWN)], pd.DataFrame([rest])], ignore_index=True)


def _draw_accuracy(ax: Axes, rows: pd.DataFrame, overall: float) -> None:
    shares = rows[["accuracy", "low", "high"]]
    names = [
        f"{style.shorten(slide, MOST_CHARACTERS)} ({patients})"
        for slide, patients in zip(rows["slide_id"], rows["patients"], strict=True)
    ]
    rows_of_shares(ax, names, shares[["accuracy", "low"]])
    ax.axvline(overall, color=style.GREY, lw=0.7, ls=(0, (4, 2)), zorder=0.5)
    dots(ax, shares)
    for row, (accuracy, cores) in enumerate(zip(rows["accuracy"], rows["cores"], strict=True)):
        beside(ax, row, rightly(accuracy, cores))
    ax.set_xlabel("Cores scored as labelled")
    ax.annotate(
        "slide (patients)",
        (0, 1),
        xycoords="axes fraction",
        xytext=(-5, 2),
        textcoords="offset points",
        ha="right",
        fontsize=style.SMALL_PT,
        color=style.GREY,
    )


def _draw_errors(ax: Axes, rows: pd.DataFrame) -> None:
    """Bars to the left for cores scored too low, to the right for too high."""
    most = max(int(rows[["too_low", "too_high"]].to_numpy().max()), 1)
    for name, sign, colour in (("too_low", -1, style.BLUE), ("too_high", 1, style.VERMILION)):
        counts = rows[name].to_numpy(dtype=int)
        ax.barh(range(len(rows)), sign * counts, height=0.62, color=colour, lw=0)
        for row, count in enumerate(counts):
            ax.annotate(
                f"{count}",
                (sign * count, row),
                xytext=(3 * sign, 0),
                textcoords="offset points",
                ha="left" if sign > 0 else "right",
                va="center_baseline",
                fontsize=style.SMALL_PT,
                color=style.INK if count else style.GREY,
            )
        ax.annotate(
            "scored too low" if sign < 0 else "scored too high",
            (0.5, 1),
            xycoords="axes fraction",
            xytext=(4 * sign, 2),
            textcoords="offset points",
            ha="left" if sign > 0 else "right",
            fontsize=style.SMALL_PT,
            color=style.GREY,
        )
    ax.axvline(0, color=style.INK, lw=0.6)
    ax.set_xlim(-1.15 * most, 1.15 * most)
    ax.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{abs(value):g}"))
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    ax.grid(axis="x", color=style.GRID, lw=0.5)
    ax.set_axisbelow(True)
    ax.set_xlabel("Test cores")
