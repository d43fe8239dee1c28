"""The network's scores beside the readers': by vote pattern, and against each reader."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from her2pyramid.figures import style
from her2pyramid.figures.counts import FEW_CORES, rightly
from her2pyramid.figures.data import drawn, panels
from her2pyramid.figures.layout import (
    HEAD_MM,
    MOST_CHARACTERS,
    beside,
    by_number,
    dots,
    heading,
    nothing,
    rows_of_shares,
)
from her2pyramid.tables.label_noise import ALL_READERS, BY_PATTERN, READER_COMPARISON
from her2pyramid.tables.table import column

RIGHT_MM: Final = 95.0
"""Where the right-hand panel begins."""
ROW_MM: Final = 4.6
MOST_ROW_MM: Final = 7.0
TALL_MM: Final = 40.0
"""Rows are spread out to fill this height, as far as `MOST_ROW_MM` lets them."""
FOOT_MM: Final = 12.0
"""For the ticks and the label of an axis."""
MOST_PATTERNS: Final = 16
"""Rows of vote patterns; the patterns with fewest cores are one row."""

PATTERNS_DRAWN: Final = pa.schema(
    [
        column("name", pa.string(), "vote pattern, or the patterns with fewest cores together"),
        column("cores", pa.int64(), "labelled test cores with it"),
        column("right", pa.int64(), "cores whose predicted score is the label"),
        column("value", pa.float64(), "share of right ones"),
        BY_PATTERN.schema.field("low"),
        BY_PATTERN.schema.field("high"),
    ]
)
COMPARED: Final = ["reader_accuracy", "model_accuracy", "difference", "low", "high"]

# The reader's mark is the larger and hollow: both are seen where they are equal.
READER_MARK: Final[dict[str, Any]] = {
    "marker": "s",
    "markersize": 5.0,
    "color": style.VERMILION,
    "markerfacecolor": "white",
}
NETWORK_MARK: Final[dict[str, Any]] = {"marker": "o", "markersize": 3.2, "color": style.BLUE}


def plot_readers(by_pattern: Path, comparison: Path, *, svg: Path, png: Path, data: Path) -> None:
    """Plot the accuracy by vote pattern, and each reader and the network against the others.

    What is undefined is said to be so, and never drawn as 0.

    Parameters
    ----------
    by_pattern, comparison
        Tables `BY_PATTERN` and `READER_COMPARISON`.
    svg, png, data
        The figure to write. Its height follows from the number of patterns and readers.
    """
    patterns = BY_PATTERN.read(by_pattern)
    readers = _in_order(READER_COMPARISON.read(comparison))
    rows = _fewer(patterns)
    compared = bool(readers["difference"].notna().any())
    left_mm, right_mm = _height_mm(len(rows)), _height_mm(len(readers)) if compared else 0.0
    tallest = max(left_mm, right_mm)
    height = HEAD_MM + (tallest + FOOT_MM if tallest else 3)
    numbers = panels(
        {
            "a": drawn(PATTERNS_DRAWN, rows),
            "b": drawn(READER_COMPARISON, readers, ("reader_id", "cores", *COMPARED)),
        }
    )
    size = style.TWO_COLUMNS_MM, height
    with style.figure(*size, numbers=numbers, svg=svg, png=png, data=data) as fig:
        n_cores, n_right = int(patterns["cores"].sum()), int(patterns["right"].sum())
        overall = n_right / max(n_cores, 1)
        note = (
            f"dashed: all test cores, {rightly(overall, n_cores)}\n"
            "whiskers: 95 % intervals over patients"
            if n_cores
            else ""
        )
        heading(fig, (0, 0), "a", "Accuracy of the network by the readers' votes", note)
        if rows.empty:
            nothing(fig, (0, 0), "there is no labelled test core")
        else:
            _draw_patterns(style.axes_mm(fig, 36, HEAD_MM, 28, left_mm), rows, overall)

        title = "Reader and network against the consensus of the others"
        heading(fig, (RIGHT_MM, 0), "b", title, "cores after the name" if compared else "")
        if not compared:
            nothing(fig, (RIGHT_MM, 0), "no core has a consensus of the others")
        else:
            ax = style.axes_mm(fig, RIGHT_MM + 28, HEAD_MM, 24, right_mm)
            _draw_comparison(ax, readers)
            _draw_keys(ax)


def _height_mm(rows: int) -> float:
    return max(rows * ROW_MM, min(rows * MOST_ROW_MM, TALL_MM))


def _in_order(readers: pd.DataFrame) -> pd.DataFrame:
    """R2 before R10, the mean last."""
    ids = [reader for reader in readers["reader_id"] if reader != ALL_READERS]
    last = readers.loc[readers["reader_id"] == ALL_READERS, "reader_id"]
    return readers.set_index("reader_id").loc[[*sorted(ids, key=by_number), *last]].reset_index()


def _fewer(patterns: pd.DataFrame) -> pd.DataFrame:
    """Columns name, cores, right, value, low, high: a row a pattern, the rarest as one."""
    rows = patterns.rename(columns={"accuracy": "value"})
    rows["name"] = [
        style.shorten(pattern or "no read", MOST_CHARACTERS)
        + (", adjudicated" if decider == "adjudicator" else "")
        for pattern, decider in zip(rows["vote_pattern"], rows["decided_by"], strict=True)
    ]
    rows = rows[["name", "cores", "right", "value", "low", "high"]]
    if len(rows) <= MOST_PATTERNS:
        return rows
    often = rows["cores"].rank(method="first", ascending=False) < MOST_PATTERNS
    rare = rows[~often]
    cores, right = int(rare["cores"].sum()), int(rare["right"].sum())
    rest = pd.DataFrame(
        [(f"{len(rare)} other patterns", cores, right, right / cores, np.nan, np.nan)],
        columns=rows.columns,
    )
    return pd.concat([rows[often], rest])


def _draw_patterns(ax: Axes, rows: pd.DataFrame, overall: float) -> None:
    rows_of_shares(ax, list(rows["name"]), rows[["value", "low"]])
    ax.axvline(overall, color=style.GREY, lw=0.7, ls=(0, (4, 2)), zorder=0.5)
    dots(ax, rows[["value", "low", "high"]])
    for row, (value, cores) in enumerate(zip(rows["value"], rows["cores"], strict=True)):
        beside(ax, row, rightly(value, cores))
    ax.set_xlabel("Cores scored as labelled")


def _draw_comparison(ax: Axes, readers: pd.DataFrame) -> None:
    names = []
    for row, (reader, cores) in enumerate(zip(readers["reader_id"], readers["cores"], strict=True)):
        mean = reader == ALL_READERS
        names.append(f"{'mean' if mean else style.shorten(reader, MOST_CHARACTERS)} ({cores:,})")
        by_reader, by_network, difference, low, high = readers[COMPARED].iloc[row].astype(float)
        if pd.isna(by_reader):
            beside(ax, row, "undefined")
            continue
        ax.hlines(row, by_reader, by_network, color=style.GREY, lw=1, zorder=1)
        ax.plot(by_reader, row, clip_on=False, **READER_MARK)
        ax.plot(by_network, row, clip_on=False, **NETWORK_MARK)
        # A mean over readers is no count of cores.
        beside(ax, row, _told(difference, low, high, None if mean else cores), bold=mean)
        if mean and row:
            ax.axhline(row - 0.5, color=style.GREY, lw=0.5)
    rows_of_shares(ax, names, readers[COMPARED[:2]])
    ax.set_xlabel("Cores with the others' score")


def _told(difference: float, low: float, high: float, cores: int | None) -> str:
    """A difference: in percentage points with the interval, or of few cores as their number."""
    if cores is not None and cores < FEW_CORES:
        words = f"{round(difference * cores):+d} of {cores}"
    else:
        words = f"{100 * difference:+.1f}"
        if pd.notna(low):
            words += f" ({100 * low:+.1f} to {100 * high:+.1f})"
    return words.replace("-", "\N{MINUS SIGN}")


def _draw_keys(ax: Axes) -> None:
    """Say above the rows what the marks and the numbers beside are."""
    ax.legend(
        [Line2D([], [], ls="", **mark) for mark in (READER_MARK, NETWORK_MARK)],
        ["reader", "network"],
        loc="lower left",
        bbox_to_anchor=(-22 / 24, 1),
        ncols=2,
        borderaxespad=0.3,
        borderpad=0,
        handletextpad=0.2,
        columnspacing=1,
    )
    ax.annotate(
        "network minus reader,\npercentage points (95 %)",
        (1, 1),
        xycoords="axes fraction",
        xytext=(6, 3),
        textcoords="offset points",
        va="bottom",
        fontsize=style.SMALL_PT,
        color=style.GREY,
        annotation_clip=False,
    )
