"""Whether stated probabilities hold, and what deferring the least certain cores gains."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, PercentFormatter

from her2pyramid.figures import style
from her2pyramid.figures.counts import FEW_CORES, counted, rightly, without_few
from her2pyramid.figures.data import drawn, panels
from her2pyramid.figures.layout import UNDEFINED, heading, nothing
from her2pyramid.tables.metrics import CALIBRATION, COVERAGE, METRICS

LEFTS_MM: Final = (0.0, 61.0, 122.0)
"""Where the panels begin."""
INSET_MM: Final = 15.5
"""From there to the axes."""
TOP_MM: Final = 17.0
SIDE_MM: Final = 41.0
"""Of the axes."""
COUNTS_MM: Final = 12.0
"""Height of the counts below a reliability diagram."""
GAP_MM: Final = 3.0
SHARES: Final = np.linspace(0, 1, 6)
MOST_TOLD: Final = 999
"""Counts of cores up to this are written above their bars; greater ones would run together."""
HALF: Final = 0.5
CORES: Final = "Cores"
MOST_DOTS: Final = 30
"""Points of the curve up to which each has a dot."""
COUNTED: Final = "#c4c4c4"
NONE: Final = np.full(3, np.nan)


def plot_calibration(
    calibration: Path,
    coverage: Path,
    metrics: Path,
    *,
    n: int,
    k: int,
    svg: Path,
    png: Path,
    data: Path,
) -> None:
    """Plot reliability diagrams of cores and of single PSSs, and accuracy against coverage.

    Parameters
    ----------
    calibration, coverage, metrics
        Tables `CALIBRATION`, `COVERAGE` and `METRICS`.
    n, k
        PSSs a core and size of the KCS, for the headings.
    svg, png, data
        The figure to write.
    """
    bins = CALIBRATION.read(calibration)
    by_core, by_pss = (bins[bins["of"] == of] for of in ("core", "pss"))
    curve = COVERAGE.read(coverage).sort_values("n")
    table = METRICS.read(metrics)
    told = table[table["metric"].isin(["expected_calibration_error", "brier_score"])]
    n_cores, n_pss = int(by_core["n"].sum()), int(by_pss["n"].sum())
    few = n_cores < FEW_CORES
    if few:
        by_core, by_pss, curve, told = (
            without_few(rows, [n_cores] * len(rows)) for rows in (by_core, by_pss, curve, told)
        )
    numbers = panels(
        {
            "a": drawn(CALIBRATION, by_core),
            "b": drawn(CALIBRATION, by_pss),
            "c": drawn(COVERAGE, curve),
            "a, in words": drawn(METRICS, told, ("metric", "scores", "value", "n", "low", "high")),
        }
    )
    height = TOP_MM + (SIDE_MM + GAP_MM + COUNTS_MM + 11 if n_cores else 3)
    size = style.TWO_COLUMNS_MM, height
    with style.figure(*size, numbers=numbers, svg=svg, png=png, data=data) as fig:
        notes = (
            _errors(told),
            f"{counted(n_pss, 'PSS')}: the first {n} of each core\n"
            + ("too few cores for intervals" if few else "whiskers: 95 % intervals over patients"),
            _kept(curve),
        )
        titles = (
            f"Final scores: {counted(n_cores, 'core')}, N = {n}, k = {k}",
            "Single predictions",
            "Accuracy against coverage",
        )
        for letter, left, title, note in zip("abc", LEFTS_MM, titles, notes, strict=True):
            heading(fig, (left, 0), letter, title, note if n_cores else "")
            if not n_cores:
                nothing(fig, (left, 0), "no labelled test core")
        if n_cores:
            _draw_reliability(fig, LEFTS_MM[0], by_core, CORES, "Share of cores right")
            _draw_reliability(fig, LEFTS_MM[1], by_pss, "PSSs", "Share of PSSs right")
            tall = SIDE_MM + GAP_MM + COUNTS_MM
            _draw_coverage(style.axes_mm(fig, LEFTS_MM[2] + INSET_MM, TOP_MM, SIDE_MM, tall), curve)


def _errors(told: pd.DataFrame) -> str:
    """Calibration error and Brier score, with their intervals over patients."""
    rows = told.set_index("metric")[["value", "low", "high"]]
    lines = []
    for metric, name in (("expected_calibration_error", "ECE"), ("brier_score", "Brier score")):
        value, low, high = rows.loc[metric].to_numpy(dtype=float) if metric in rows.index else NONE
        if np.isnan(value):
            lines.append(f"{name}: {UNDEFINED}")
        else:
            interval = "" if np.isnan(low) else f" (95 %: {low:.3f} to {high:.3f})"
            lines.append(f"{name}: {value:.3f}{interval}")
    return "\n".join(lines)


def _kept(curve: pd.DataFrame) -> str:
    """The accuracy of all cores, and of the more confident half, in words."""
    if curve.empty:
        return ""
    whole = curve.iloc[-1]
    lines = [f"all: {rightly(whole['accuracy'], int(whole['n']))}"]
    half = curve[curve["coverage"] >= HALF].iloc[0]
    if half["n"] < whole["n"]:
        share = rightly(half["accuracy"], int(half["n"]))
        lines.append(f"most confident half: {share}")
    return "\n".join(lines)


def _draw_reliability(fig: Figure, left: float, bins: pd.DataFrame, what: str, share: str) -> None:
    """Draw a dot a bin, with its interval, over the counts of the bins."""
    ax = style.axes_mm(fig, left + INSET_MM, TOP_MM, SIDE_MM, SIDE_MM)
    ax.plot([0, 1], [0, 1], color=style.GREY, lw=0.7, ls=(0, (4, 2)), zorder=0.5)
    columns = ["probability", "accuracy", "low", "high"]
    for stated, right, low, high in bins[columns].to_numpy(dtype=float):
        if not np.isnan(low):
            ax.vlines(stated, low, high, color=style.BLUE, lw=1, clip_on=False)
        if not np.isnan(right):
            ax.plot(stated, right, "o", color=style.BLUE, markersize=3.8, clip_on=False)
    _shares(ax, "y")
    ax.set_ylabel(share)
    ax.set_xlim(0, 1)
    ax.set_xticks(SHARES, [])
    ax.grid(axis="x", color=style.GRID, lw=0.5)
    counts = style.axes_mm(fig, left + INSET_MM, TOP_MM + SIDE_MM + GAP_MM, SIDE_MM, COUNTS_MM)
    heights = bins["n"].to_numpy(dtype=int)
    edges = bins[["bin_low", "bin_high"]].to_numpy(dtype=float)
    counts.bar(edges[:, 0], heights, np.diff(edges)[:, 0], align="edge", color=COUNTED)
    if what == CORES and heights.max() <= MOST_TOLD:
        for middle, count in zip(edges.mean(axis=1), heights, strict=True):
            if count:
                counts.annotate(
                    f"{count}",
                    (middle, count),
                    xytext=(0, 1),
                    textcoords="offset points",
                    ha="center",
                    fontsize=6,
                )
    counts.set_ylim(0, 1.35 * heights.max())
    counts.yaxis.set_major_locator(MaxNLocator(2, integer=True))
    counts.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    counts.set_ylabel(what)
    _shares(counts, "x")
    counts.set_xlabel("Stated probability")


def _draw_coverage(ax: Axes, curve: pd.DataFrame) -> None:
    """Draw the accuracy of the cores that are kept, and its interval over patients."""
    x, y, low, high = curve[["coverage", "accuracy", "low", "high"]].to_numpy(dtype=float).T
    if not np.isnan(low).all():
        ax.fill_between(x, low, high, color=style.BAND, lw=0, label="95 % interval over patients")
        ax.legend(loc="lower left", bbox_to_anchor=(0, 1.005), borderaxespad=0, handlelength=1.5)
    dot: dict[str, Any] = {"marker": "o", "markersize": 2.5} if len(x) <= MOST_DOTS else {}
    ax.plot(x, y, color=style.BLUE, clip_on=False, **dot)
    known = np.concatenate([y, low[~np.isnan(low)]])
    lowest = float(known.min())
    start = next(share for share in (0.9, 0.8, 0.6, 0.5, 0.0) if lowest >= share or share == 0)
    ax.set_ylim(start, 1)
    ax.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
    ax.set_ylabel("Share of kept cores right")
    _shares(ax, "x")
    ax.set_xlabel("Cores kept, the rest deferred")
    ax.grid(axis="y", color=style.GRID, lw=0.5)


def _shares(ax: Axes, name: str) -> None:
    """A scale of shares from 0 to 1."""
    axis = ax.xaxis if name == "x" else ax.yaxis
    getattr(ax, f"set_{name}lim")(0, 1)
    axis.set_ticks(SHARES)
    axis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
    ax.grid(axis="x" if name == "x" else "y", color=style.GRID, lw=0.5)
    ax.set_axisbelow(True)
