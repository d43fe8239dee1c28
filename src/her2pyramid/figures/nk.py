"""Accuracy against N and against k on the test cores (the paper's figures 4 and 5)."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Final, Literal

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullFormatter, NullLocator

from her2pyramid.errors import Her2PyramidError
from her2pyramid.figures import style
from her2pyramid.figures.confusion import draw_matrix, matrix_of
from her2pyramid.figures.counts import FEW_CORES, rightly
from her2pyramid.figures.data import drawn, panels
from her2pyramid.tables.nk import ACCURACY, CONFUSION, WHICH

NAMES_OF_DRAWS: Final = {"min": "Lowest draw", "median": "Median draw", "max": "Highest draw"}
MOST_DOTS: Final = 40
"""Settings of a curve up to which each has a dot and a tick."""
FAR_RIGHT: Final = 0.9
"""Share of the axis beyond which a mark's words stand at its left."""
DRAWN: Final = ("min", "q025", "median", "q975", "max")
EXACT: Final = ("mean", "min", "max")
"""What is drawn by the exact law; the lowest and highest are the expected ones of all draws."""


def plot_accuracy_against_n(
    accuracy: Path,
    confusion: Path,
    *,
    k: int,
    n_marked: int,
    n_cached: int,
    with_replacement: bool = False,
    svg: Path,
    png: Path,
    data: Path,
) -> None:
    """Plot the accuracy over draws against N, the number of PSSs a core, at a fixed k.

    Parameters
    ----------
    accuracy, confusion
        Tables `ACCURACY` and `CONFUSION`.
    k
        Size of the KCS.
    n_marked
        N to mark; the confusion matrices are of draws at it.
    n_cached
        PSSs of a core that draws are made from.
    with_replacement
        Whether a draw may hold a PSS more than once.
    svg, png, data
        The figure to write.

    Raises
    ------
    Her2PyramidError
        If the tables lack these settings.
    """
    table = ACCURACY.read(accuracy)
    _plot(
        table[table["k"] == k],
        accuracy,
        confusion,
        axis="n",
        n=n_marked,
        k=k,
        pool=_pool_over_n(n_cached, with_replacement=with_replacement),
        svg=svg,
        png=png,
        data=data,
    )


def plot_accuracy_against_k(
    accuracy: Path,
    confusion: Path,
    *,
    n: int,
    k_marked: int,
    n_cached: int,
    with_replacement: bool = False,
    svg: Path,
    png: Path,
    data: Path,
) -> None:
    """Plot the accuracy over draws against k, the size of the KCS, at a fixed N.

    Parameters
    ----------
    accuracy, confusion
        Tables `ACCURACY` and `CONFUSION`.
    n
        PSSs a core.
    k_marked
        k to mark; the confusion matrices are of draws at it.
    n_cached, with_replacement
        What draws are made from, and whether a draw may hold a PSS more than once.
    svg, png, data
        The figure to write.

    Raises
    ------
    Her2PyramidError
        If the tables lack these settings.
    """
    table = ACCURACY.read(accuracy)
    _plot(
        table[table["n"] == n],
        accuracy,
        confusion,
        axis="k",
        n=n,
        k=k_marked,
        pool=_pool_at_n(n, n_cached, with_replacement=with_replacement),
        svg=svg,
        png=png,
        data=data,
    )


def shared_pss(n: int, n_cached: int) -> float:
    """PSSs that two draws of n of the cached ones, without replacement, share on average."""
    return n**2 / n_cached


def _pool_over_n(n_cached: int, *, with_replacement: bool) -> str:
    if with_replacement:
        return f"Drawn with replacement from the {n_cached} cached PSSs of each core."
    return (
        f"Two draws of N of the {n_cached} cached PSSs share N²/{n_cached} of them on average: "
        "with N, the spread falls ever further below that of fresh PSSs."
    )


def _pool_at_n(n: int, n_cached: int, *, with_replacement: bool) -> str:
    if with_replacement:
        return _pool_over_n(n_cached, with_replacement=True)
    shared = f"{shared_pss(n, n_cached):.0f}"
    return (
        f"Two draws of {n} of the {n_cached} cached PSSs share {shared} of them on average: "
        "the spread is narrower than that of fresh PSSs."
    )


def _plot(
    curve: pd.DataFrame,
    accuracy: Path,
    confusion: Path,
    *,
    axis: Literal["n", "k"],
    n: int,
    k: int,
    pool: str,
    svg: Path,
    png: Path,
    data: Path,
) -> None:
    matrices = CONFUSION.read(confusion)
    matrices = matrices[(matrices["n"] == n) & (matrices["k"] == k)]
    curve = curve.sort_values(["method", axis])
    by_draws = curve[curve["method"] == "monte_carlo"]
    by_law = curve[curve["method"] == "exact"]
    for found, path in ((by_draws, accuracy), (matrices, confusion)):
        if found.empty:
            raise Her2PyramidError(
                f"there is nothing for N = {n}, k = {k}",
                where=path,
                remedy="add this setting to the grid (nk.n, nk.k, nk.fixed_n, nk.fixed_k) and "
                "run the analysis of N and k again",
            )
    n_cores = int(matrices.loc[matrices["which"] == WHICH[0], "count"].sum())
    numbers = panels({"curve": drawn(ACCURACY, curve), "matrices": drawn(CONFUSION, matrices)})
    size = style.TWO_COLUMNS_MM, 134
    with style.figure(*size, numbers=numbers, svg=svg, png=png, data=data) as fig:
        ax = style.axes_mm(fig, 14, 15.5, 165, 48)
        _draw_curve(ax, by_draws, axis=axis, n_cores=n_cores)
        _draw_law(ax, by_law, axis=axis, n_cores=n_cores)
        _mark(ax, axis, n if axis == "n" else k)
        fixed = f"k = {k}" if axis == "n" else f"N = {n}"
        draws = f"{by_draws['draws'].iloc[0]:,} draws a setting"
        title = f"Explored on the test cores ({n_cores}), {fixed}, {draws}"
        style.text_mm(fig, 14, 5, title, va="baseline", fontweight="bold")
        style.text_mm(fig, 14, 9, pool, va="baseline", color=style.GREY)
        # Above the curve, where nothing can lie under it.
        ax.legend(
            loc="lower left", bbox_to_anchor=(0, 1.01), ncols=6, borderaxespad=0, columnspacing=1.2
        )
        for i, which in enumerate(WHICH):
            one = matrices[matrices["which"] == which]
            told = rightly(float(one["accuracy"].iloc[0]), n_cores)
            draw_matrix(
                style.axes_mm(fig, 17 + 58 * i, 85, 41, 41),
                matrix_of(one),
                title=f"{NAMES_OF_DRAWS[which]}, N = {n}, k = {k}\n{told}",
            )


def _draw_curve(ax: Axes, curve: pd.DataFrame, *, axis: Literal["n", "k"], n_cores: int) -> None:
    """The draws that were made: bands and median."""
    few = n_cores < FEW_CORES
    unit = n_cores if few else 100
    x = curve[axis].to_numpy()
    y = {name: curve[name].to_numpy() * unit for name in DRAWN}
    every = len(x) <= MOST_DOTS
    dots: dict[str, Any] = {"marker": "o", "markersize": 2.5} if every else {}
    ax.fill_between(
        x, y["min"], y["max"], color=style.SPREAD_BAND, lw=0, label="lowest to highest draw"
    )
    ax.fill_between(x, y["q025"], y["q975"], color=style.SPREAD, lw=0, label="middle 95 % of draws")
    ax.plot(x, y["median"], color=style.VERMILION, label="median draw", **dots)
    ax.set_xscale("log")
    # Room around a lone setting, which a logarithmic axis can't give by itself.
    ax.set_xlim(x.min() / 1.06, x.max() * 1.06)
    ax.xaxis.set_major_locator(
        FixedLocator([t for t in style.LOG_TICKS if x.min() <= t <= x.max()])
    )
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.xaxis.set_minor_locator(FixedLocator(x.tolist()) if every else NullLocator())
    ax.xaxis.set_minor_formatter(NullFormatter())
    low, high = float(y["min"].min()), float(y["max"].max())
    # Of few cores half a core, lest the scale tells parts of one.
    room = max(0.08 * (high - low), 0.5 if few else 0.01 * unit)
    floor, ceiling = (-0.5, unit + 0.75) if few else (-1, 103)
    ax.set_ylim(max(low - room, floor), min(high + 1.5 * room, ceiling))
    ax.yaxis.set_major_locator(MaxNLocator(6, integer=few, min_n_ticks=1))
    ax.set_ylabel(f"Test cores scored right, of {n_cores}" if few else "Accuracy (%)")
    ax.set_xlabel(
        "N, PSSs drawn a core (logarithmic)"
        if axis == "n"
        else "k, most confident predictions that count (logarithmic)"
    )
    ax.grid(axis="y", color=style.GRID, lw=0.5)
    ax.set_axisbelow(True)


def _draw_law(ax: Axes, curve: pd.DataFrame, *, axis: Literal["n", "k"], n_cores: int) -> None:
    """What is expected of as many draws; nothing where no exact law is known."""
    if curve.empty:
        return
    unit = n_cores if n_cores < FEW_CORES else 100
    x = curve[axis].to_numpy()
    mean, low, high = (curve[name].to_numpy() * unit for name in EXACT)
    ax.plot(x, mean, color=style.INK, lw=0.6, label="exact mean")
    dotted: dict[str, Any] = {"color": style.INK, "lw": 0.6, "ls": (0, (1, 1.5))}
    ax.plot(x, low, label="exact expected lowest and highest", **dotted)
    ax.plot(x, high, **dotted)


def _mark(ax: Axes, axis: Literal["n", "k"], marked: int) -> None:
    """A line at the setting whose confusion matrices are shown."""
    ax.axvline(marked, color=style.BLUE, lw=0.9, ls=(0, (4, 2)), zorder=3)
    left, right = (math.log(end) for end in ax.get_xlim())
    far_right = (math.log(marked) - left) / (right - left) > FAR_RIGHT
    ax.annotate(
        f"{'N' if axis == 'n' else 'k'} = {marked}",
        (marked, 1),
        xycoords=("data", "axes fraction"),
        textcoords="offset points",
        va="top",
        ha="right" if far_right else "left",
        xytext=(-3 if far_right else 3, -2),
        color=style.BLUE,
        fontweight="bold",
    )
